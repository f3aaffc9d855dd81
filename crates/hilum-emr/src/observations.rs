//! What is told of a report, one table for HL7 and FHIR: our own stable key for each kind of observation, and the concept of a standard
//! beside it where one means the same.

use chrono::{DateTime, FixedOffset};
use hilum_clinical::message::place;
use hilum_clinical::report::{AddedStone, FindingVerdict, StonePresent, UrinaryStoneReport};
use hilum_clinical::urinary_stone::{Side, Stone, TractPart};
use hilum_clinical::{Label, Language};
use hilum_dicom::write::result::{Code, code};

/// How far a result is (HL7 tables 0085 and 0123; FHIR DiagnosticReport.status).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultStatus {
    /// Nobody has signed it.
    Preliminary,
    /// A physician has signed it.
    Final,
    /// A physician has signed it in place of one that was signed before.
    Corrected,
}

/// The patient's name as the study has it: component groups of PS3.5 6.2.1, and who issued the ID.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patient<'a> {
    /// Issuer of Patient ID (0010,0021); empty where the study names none.
    pub issuer: &'a str,
    /// Alphabetic group, components separated by `^`. Korean hospitals often have Hangul in it.
    pub alphabetic: &'a str,
    /// Ideographic group.
    pub ideographic: Option<&'a str>,
    /// Phonetic group.
    pub phonetic: Option<&'a str>,
}

/// A version of a report, with what its messages say besides.
#[derive(Clone, Copy, Debug)]
pub struct ReportToTell<'a> {
    /// The version.
    pub report: &'a UrinaryStoneReport,
    /// Whom it is about.
    pub patient: Patient<'a>,
    /// Of texts.
    pub language: Language,
    /// Of times: that of the hospital.
    pub zone: FixedOffset,
    /// The page, where it goes along.
    pub pdf: Option<&'a [u8]>,
}

impl ReportToTell<'_> {
    /// How far it is.
    pub fn status(&self) -> ResultStatus {
        match (&self.report.signature, &self.report.amendment) {
            (None, _) => ResultStatus::Preliminary,
            (Some(_), None) => ResultStatus::Final,
            (Some(_), Some(_)) => ResultStatus::Corrected,
        }
    }

    /// When the version was made, in the hospital's time.
    pub(crate) fn made_at(&self) -> Option<DateTime<FixedOffset>> {
        let at = DateTime::parse_from_rfc3339(&self.report.created_at).ok()?;
        Some(at.with_timezone(&self.zone))
    }

    /// Sentences that every message carries.
    pub(crate) fn disclaimers(&self) -> impl Iterator<Item = &str> {
        self.report.disclaimers.iter().map(|statement| statement.text(self.language))
    }

    /// The physician's words; the other language where there are none in this one.
    pub(crate) fn conclusion(&self) -> Option<&str> {
        let said = &self.report.review.as_ref()?.conclusion;
        let (own, other) = match self.language {
            Language::Korean => (&said.ko, &said.en),
            Language::English => (&said.en, &said.ko),
        };
        [own, other].into_iter().map(String::as_str).find(|text| !text.trim().is_empty())
    }

    /// Findings in sentences: what was found, and what was not looked at.
    pub(crate) fn narrative(&self) -> Vec<String> {
        let (report, language) = (self.report, self.language);
        let mut lines = Vec::new();
        if let Some(refusal) = &report.result.refusal {
            lines.push(refusal.text(language).to_owned());
        }
        let sentence = |number: u32, place: &str, mm: Option<f64>| {
            let size = mm.map(|mm| format!(", {mm:.1} mm")).unwrap_or_default();
            match language {
                Language::English => format!("Stone {number}: {place}{size}"),
                Language::Korean => format!("결석 {number}: {place}{size}"),
            }
        };
        let stones = judged(report);
        for (stone, withdrawn) in &stones {
            if !withdrawn {
                lines.push(sentence(stone.number, &place(stone, language), stone.largest_diameter_mm));
            }
        }
        for added in added(report) {
            lines.push(sentence(added.number, &stated_place(added, language), added.stated.largest_diameter_mm));
        }
        if present(report) == StonePresent::No {
            lines.push(Label::StoneAbsent.text(language).to_owned());
        }
        lines.extend(report.coverage.not_looked_at.iter().map(|statement| statement.text(language).to_owned()));
        lines
    }
}

/// A unit of UCUM, a concept of a standard, or none.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number with its unit.
    Number {
        /// Two decimals at most.
        value: f64,
        /// UCUM.
        unit: Code,
    },
    /// A concept; where no standard has one its text stands alone.
    Coded {
        /// The concept.
        code: Option<Code>,
        /// In words.
        text: String,
    },
    /// Words.
    Text(String),
}

/// One thing that is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Our own key, in the coding scheme 99HILUM.
    pub key: &'static str,
    /// Its name in English.
    pub name: &'static str,
    /// The same by a standard.
    pub standard: Option<Code>,
    /// What it is.
    pub value: Value,
    /// Of which stone, by its number in the report; none: of the study.
    pub stone: Option<u32>,
    /// A physician has said that it is no stone.
    pub withdrawn: bool,
}

const NUMBER_OF_STONES: &str = "stone-count";

/// Everything that is told in codes and numbers, in the order of the report.
pub fn observations(report: &UrinaryStoneReport, language: Language) -> Vec<Observation> {
    let mut all = of_study(report, language);
    for (stone, withdrawn) in judged(report) {
        all.extend(of_stone(&stone, language).into_iter().map(|one| Observation { withdrawn, ..one }));
    }
    all.extend(added(report).iter().flat_map(|stone| of_added(stone, language)));
    all
}

fn observation(key: &'static str, name: &'static str, standard: Option<Code>, value: Value) -> Observation {
    Observation { key, name, standard, value, stone: None, withdrawn: false }
}

fn number(value: f64, unit: Code) -> Value {
    Value::Number { value: (value * 100.0).round() / 100.0, unit }
}

/// As the physician left it, where one has signed.
fn present(report: &UrinaryStoneReport) -> StonePresent {
    match &report.review {
        Some(review) if review.stone_count > 0 => StonePresent::Yes,
        Some(_) if report.result.stone_present != StonePresent::NotAssessed => StonePresent::No,
        _ => report.result.stone_present,
    }
}

fn of_study(report: &UrinaryStoneReport, language: Language) -> Vec<Observation> {
    let present = present(report);
    let (code, label) = match present {
        StonePresent::Yes => (Some(code::PRESENT), Label::StonePresent),
        StonePresent::No => (Some(code::ABSENT), Label::StoneAbsent),
        StonePresent::NotAssessed => (None, Label::StoneNotAssessed),
    };
    let text = label.text(language).to_owned();
    let mut all =
        vec![observation("stone-present", "Urinary stone", Some(code::CALCULUS), Value::Coded { code, text })];
    if present != StonePresent::NotAssessed {
        let count = report.review.as_ref().map_or(report.result.stone_count, |review| review.stone_count);
        all.push(observation(NUMBER_OF_STONES, "Number of stones", None, number(f64::from(count), code::NO_UNITS)));
    }
    if let Some(model) = &report.provenance.model {
        let text = format!("{} {}; Hilum {}", model.name, model.hash, report.provenance.software_version);
        all.push(observation("model", "Model and software", None, Value::Text(text)));
    }
    if report.study.synthetic {
        let text = match language {
            Language::English => "Simulated patient: no person was examined".to_owned(),
            Language::Korean => "모의 환자: 실제 사람을 검사한 것이 아님".to_owned(),
        };
        all.push(observation("synthetic", "Synthetic study", None, Value::Text(text)));
    }
    all
}

/// The stones as their physician stated them, each with whether it was found to be none.
fn judged(report: &UrinaryStoneReport) -> Vec<(Stone, bool)> {
    let of = |stone: &Stone| {
        let finding = report.review.as_ref().and_then(|review| review.of(stone.number));
        let Some(finding) = finding else { return (stone.clone(), false) };
        (finding.edits.applied_to(stone), finding.verdict == FindingVerdict::Rejected)
    };
    report.stones.iter().map(of).collect()
}

fn added(report: &UrinaryStoneReport) -> &[AddedStone] {
    report.review.as_ref().map_or(&[], |review| &review.added)
}

fn side(side: Side, language: Language) -> Option<Value> {
    let code = match side {
        Side::Right => Some(code::RIGHT),
        Side::Left => Some(code::LEFT),
        Side::Midline => None,
        Side::Unknown => return None,
    };
    Some(Value::Coded { code, text: Label::from(side).text(language).to_owned() })
}

fn part(part: TractPart) -> Option<Code> {
    match part {
        TractPart::Kidney => Some(code::KIDNEY),
        TractPart::Ureter => Some(code::URETER),
        TractPart::Bladder => Some(code::BLADDER),
        TractPart::Unknown => None,
    }
}

fn of_stone(stone: &Stone, language: Language) -> Vec<Observation> {
    let mm = |key, name, standard, value: Option<f64>| {
        value.map(|value| observation(key, name, standard, number(value, code::MILLIMETRE)))
    };
    let hu = |key, name, value| Some(observation(key, name, Some(code::ATTENUATION), number(value, code::HOUNSFIELD)));
    let site = Value::Coded { code: part(stone.part), text: place(stone, language) };
    let lengths = [
        mm("largest-diameter", "Largest diameter", Some(code::LARGEST_DIAMETER), stone.largest_diameter_mm),
        mm("axial-diameter", "Largest axial diameter", None, stone.axial_diameter_mm),
        mm("coronal-diameter", "Largest coronal diameter", None, stone.coronal_diameter_mm),
        mm("width", "Width", None, stone.width_mm),
        mm("skin-to-stone", "Distance from skin to stone", None, stone.skin_to_stone_mm),
    ];
    let volume = stone
        .volume_mm3
        .map(|mm3| observation("volume", "Volume", Some(code::VOLUME), number(mm3, code::CUBIC_MILLIMETRE)));
    let places = [
        Some(observation("site", "Site", None, site)),
        side(stone.side, language).map(|value| observation("side", "Side", None, value)),
    ];
    let densities = [
        hu("hu-mean", "Mean density", stone.hu.mean),
        hu("hu-maximum", "Highest density", f64::from(stone.hu.max)),
        hu("hu-sd", "Standard deviation of the density", stone.hu.sd),
    ];
    let score =
        observation("score", "Detection score, not calibrated", None, number(f64::from(stone.score), code::NO_UNITS));
    let all = places.into_iter().chain(lengths).chain([volume]).chain(densities).chain([Some(score)]);
    all.flatten().map(|one| Observation { stone: Some(stone.number), ..one }).collect()
}

fn stated_place(added: &AddedStone, language: Language) -> String {
    let side = added.stated.side.filter(|side| *side != Side::Unknown).map(|side| Label::from(side).text(language));
    let site = added.stated.site.map(|site| site.text(language));
    [side, site].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What a physician saw besides: as much as was stated.
fn of_added(added: &AddedStone, language: Language) -> Vec<Observation> {
    let stated = added.stated;
    let text = stated_place(added, language);
    let code = stated.site.and_then(|site| part(site.part()));
    let site = (!text.is_empty()).then(|| observation("site", "Site", None, Value::Coded { code, text }));
    let side =
        stated.side.and_then(|found| side(found, language)).map(|value| observation("side", "Side", None, value));
    let diameter = stated.largest_diameter_mm.map(|mm| {
        let value = number(mm, code::MILLIMETRE);
        observation("largest-diameter", "Largest diameter", Some(code::LARGEST_DIAMETER), value)
    });
    let who = match language {
        Language::English => "Added by the physician",
        Language::Korean => "의사가 추가함",
    };
    let origin = Some(observation("origin", "Origin of the finding", None, Value::Text(who.to_owned())));
    let all = [site, side, diameter, origin].into_iter().flatten();
    all.map(|one| Observation { stone: Some(added.number), ..one }).collect()
}
