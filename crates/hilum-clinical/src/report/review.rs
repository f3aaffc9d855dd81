//! What a physician made of a report: a verdict on each finding, stones that were missed, words, and a signature.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Change, Comparison, GoneStone, GuidelineOptions, UrinaryStoneReport, options};
use crate::guideline::{Inputs, Rules, Site};
use crate::urinary_stone::{Side, SiteFinding, Stone};

/// What a physician says of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FindingVerdict)]
pub enum FindingVerdict {
    /// It is a stone, as the report states it.
    Accepted,
    /// It is a stone; something of it is otherwise.
    Edited,
    /// It is no stone.
    Rejected,
}

impl FindingVerdict {
    /// Whether it is a stone.
    pub fn is_stone(self) -> bool {
        self != Self::Rejected
    }
}

/// What a physician states of a stone; what is not given stays as the report has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StoneEdits {
    /// Side of the patient.
    pub side: Option<Side>,
    /// Site in the urinary tract.
    pub site: Option<Site>,
    /// Largest diameter (mm).
    #[schema(exclusive_minimum = 0.0, maximum = 300.0)]
    pub largest_diameter_mm: Option<f64>,
}

impl StoneEdits {
    /// Nothing is given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The stone as the physician states it. What is stated is certain, and has no interval.
    pub fn applied_to(&self, stone: &Stone) -> Stone {
        let mut stone = stone.clone();
        if let Some(site) = self.site {
            stone.part = site.part();
            stone.site = Some(SiteFinding { site, probability: 1.0, shares: Vec::new() });
        }
        if let Some(mm) = self.largest_diameter_mm {
            (stone.largest_diameter_mm, stone.largest_diameter_interval_mm) = (Some(mm), None);
        }
        stone.side = self.side.unwrap_or(stone.side);
        stone
    }
}

/// A finding of the report, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JudgedFinding {
    /// Number of the stone in the report.
    pub number: u32,
    /// The verdict.
    pub verdict: FindingVerdict,
    /// What the physician states instead.
    pub edits: StoneEdits,
    /// In the physician's words.
    pub comment: String,
    /// Who.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
}

/// A stone that the physician saw and the model did not find.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AddedStone {
    /// Numbers go on behind those of the report.
    pub number: u32,
    /// What the physician states of it.
    pub stated: StoneEdits,
    /// In the physician's words.
    pub comment: String,
    /// Who.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
}

/// The physician's conclusion; either language may be left empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Conclusion {
    /// English.
    #[serde(default)]
    #[schema(max_length = 4000, pattern = r"^[^\x00-\x08\x0B-\x1F\x7F-\x9F]*$")]
    pub en: String,
    /// Korean.
    #[serde(default)]
    #[schema(max_length = 4000, pattern = r"^[^\x00-\x08\x0B-\x1F\x7F-\x9F]*$")]
    pub ko: String,
}

/// The physician's half of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReportReview)]
pub struct Review {
    /// The version whose findings were judged.
    pub of_version: u32,
    /// Findings of the report, in their order.
    pub findings: Vec<JudgedFinding>,
    /// Stones that the model did not find.
    pub added: Vec<AddedStone>,
    /// Stones that are left: accepted, edited or added.
    pub stone_count: u32,
    /// The physician's words.
    pub conclusion: Conclusion,
}

impl Review {
    /// A review, with its stones counted.
    pub fn new(of_version: u32, findings: Vec<JudgedFinding>, added: Vec<AddedStone>, conclusion: Conclusion) -> Self {
        let confirmed = findings.iter().filter(|finding| finding.verdict.is_stone()).count();
        Self { of_version, stone_count: (confirmed + added.len()) as u32, findings, added, conclusion }
    }

    /// The verdict on a finding.
    pub fn of(&self, number: u32) -> Option<&JudgedFinding> {
        self.findings.iter().find(|finding| finding.number == number)
    }
}

/// Why a report that was signed was signed anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Amendment {
    /// The signed version that it takes the place of.
    pub amends: u32,
    /// In the physician's words.
    pub reason: String,
}

/// Who signed a report, and what exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReportSignature)]
pub struct Signature {
    /// Name of the physician's account.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// SHA-256, hexadecimal, of this document as it was before the signature stood in it: the bytes of `signed.json`.
    pub sha256: String,
}

impl UrinaryStoneReport {
    /// The stones that are left once a physician has judged them, as the physician states them; all of them where nobody has. Stones that
    /// the physician added are not among them: nothing of them was measured.
    pub fn stones_as_judged(&self) -> Vec<Stone> {
        let Some(review) = &self.review else { return self.stones.clone() };
        let judged = |stone: &Stone| match review.of(stone.number) {
            Some(finding) if !finding.verdict.is_stone() => None,
            Some(finding) => Some(finding.edits.applied_to(stone)),
            None => Some(stone.clone()),
        };
        self.stones.iter().filter_map(judged).collect()
    }

    /// The comparison with the earlier study, as far as a physician's verdicts let it stand.
    pub fn comparison_as_judged(&self) -> Option<Comparison> {
        let mut comparison = self.comparison.clone()?;
        let stones = self.stones_as_judged();
        comparison.stones.retain_mut(|one| {
            let Some(stone) = stones.iter().find(|stone| stone.number == one.stone) else {
                // What was rejected is not the stone of then, which is therefore not seen any more.
                let gone = |earlier| GoneStone { earlier, looked_at: true };
                comparison.gone.extend(one.earlier.take().map(gone));
                return false;
            };
            let then = one.earlier.as_ref().and_then(|earlier| earlier.largest_diameter_mm);
            if stone.largest_diameter_interval_mm.is_none() && one.change != Change::New {
                one.change = Change::NotComparable;
                one.diameter_change_mm = stone.largest_diameter_mm.zip(then).map(|(now, then)| now - then);
            }
            true
        });
        Some(comparison)
    }

    /// The options, weighed for the stones as the physician states them, with what records told of the patient when the report was made.
    fn options_as_judged(&self, rules: &Rules) -> GuidelineOptions {
        options(rules, &self.stones_as_judged(), &self.patient, &Inputs::default(), &self.options.recorded)
    }

    /// The version that a physician is about to sign, without the signature: the same reading, of the same model. Its options are weighed by
    /// `rules` for the stones that are left, as the physician states them.
    pub fn reviewed(
        &self,
        version: u32,
        at: String,
        review: Review,
        amendment: Option<Amendment>,
        rules: &Rules,
    ) -> Self {
        let reviewed = Self {
            version,
            supersedes: Some(self.version),
            created_at: at,
            review: Some(review),
            amendment,
            signature: None,
            ..self.clone()
        };
        Self { options: reviewed.options_as_judged(rules), ..reviewed }
    }
}
