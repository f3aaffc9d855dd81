//! What guidelines offer for each stone of a report.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Patient;
use crate::guideline::{Chance, Input, Inputs, RecordedFact, Rules, Scored, Site, Verdict, Weighed};
use crate::urinary_stone::{Side, Stone, TractPart};

/// Guideline options of a report: what a physician weighs, never an order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GuidelineOptions {
    /// Where rules and chances come from.
    pub sources: Vec<OptionSource>,
    /// The options, one entry a stone, in the order of the report.
    pub stones: Vec<StoneOptions>,
    /// What nobody told of the patient, whether or not a rule above asks for it.
    pub missing: Vec<Input>,
    /// What medical records told of the patient and was weighed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recorded: Vec<RecordedFact>,
    /// Scores of each kidney that has stones. Absent in older reports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kidneys: Vec<KidneyScores>,
}

/// Scores of one kidney's stones, which tell how hard they are to remove through the skin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KidneyScores {
    /// Which kidney.
    pub side: Side,
    /// Its stones, by their numbers.
    pub stones: Vec<u32>,
    /// What was known of them and of the patient.
    pub known: Inputs,
    /// The scores.
    pub scores: Vec<Scored>,
}

/// Where rules or chances come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OptionSource {
    /// The name by which rules and chances call it.
    pub id: String,
    /// Version of its file.
    pub version: u32,
    /// Title of a guideline; absent for an article.
    pub title: Option<String>,
    /// Its edition.
    pub edition: Option<String>,
    /// What to read.
    pub citation: String,
    /// How its values came here.
    pub values_from: String,
}

/// What guidelines offer for one stone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoneOptions {
    /// The stone, by its number.
    pub stone: u32,
    /// What was known of it and of the patient. What is absent was not known.
    pub known: Inputs,
    /// Rules that apply, and rules that would if what is missing were so; those that do not apply are left out.
    pub rules: Vec<Weighed>,
    /// How often such stones passed by themselves, by sources that disagree.
    pub passage: Vec<Chance>,
}

/// What is asked of the patient, not measured of a stone.
const PATIENT: [Input; 11] = [
    Input::AgeYears,
    Input::Obstruction,
    Input::Infection,
    Input::UncontrolledPain,
    Input::Symptoms,
    Input::ReducedRenalFunction,
    Input::Pregnancy,
    Input::Anticoagulation,
    Input::SolitaryKidney,
    Input::AorticAneurysm,
    Input::UnfavourableAnatomy,
];

/// Weighs the rules for every stone, with what a physician tells of the patient (`told`; what was measured counts before it), and behind that
/// with what records say.
pub fn options(
    rules: &Rules,
    stones: &[Stone],
    patient: &Patient,
    told: &Inputs,
    recorded: &[RecordedFact],
) -> GuidelineOptions {
    if stones.is_empty() {
        return GuidelineOptions::default();
    }
    let (told, recorded) = &told.with_recorded(recorded);
    let of = |stone: &Stone| {
        let known = known(stone, patient, told);
        let weighed = rules.guidelines.iter().flat_map(|guideline| guideline.weigh(&known));
        StoneOptions {
            stone: stone.number,
            rules: weighed.filter(|one| one.verdict != Verdict::DoesNotApply).collect(),
            passage: rules.passage.chances(&known),
            known,
        }
    };
    let of_patient = known(&stones[0], patient, told);
    let missing = PATIENT.iter().copied().filter(|input| !of_patient.knows(*input)).collect();
    let kidneys = [Side::Right, Side::Left].into_iter().filter_map(|side| kidney(rules, side, stones, patient, told));
    let kidneys: Vec<KidneyScores> = kidneys.collect();
    let sources = sources(rules, !kidneys.is_empty());
    let stones = stones.iter().map(of).collect();
    GuidelineOptions { sources, stones, missing, recorded: recorded.clone(), kidneys }
}

/// A stone up to this size, mm, is taken to lie in one calyx, or in the pelvis.
const IN_ONE_CALYX_MM: f64 = 10.0;
/// A stone up to this size, mm, is no staghorn, which fills pelvis and calyces.
const NO_STAGHORN_MM: f64 = 20.0;

/// The scores of a kidney that has stones. Tract and density are those of its largest.
fn kidney(rules: &Rules, side: Side, stones: &[Stone], patient: &Patient, told: &Inputs) -> Option<KidneyScores> {
    let own: Vec<&Stone> =
        stones.iter().filter(|stone| stone.part == TractPart::Kidney && stone.side == side).collect();
    let size = |stone: &Stone| stone.largest_diameter_mm.unwrap_or_default();
    let largest = own.iter().max_by(|a, b| size(a).total_cmp(&size(b)))?;
    let area = |stone: &&Stone| Some(stone.largest_diameter_mm? * stone.width_mm?);
    let all_within = |mm: f64| own.iter().all(|stone| stone.largest_diameter_mm.is_some_and(|size| size <= mm));
    let no_if = |so: bool| so.then_some(false);
    let of_largest = known(largest, patient, told);
    let known = Inputs {
        // The places of several are not one place.
        place: if own.len() == 1 { of_largest.place } else { None },
        stones: Some(own.len() as f64),
        area_mm2: own.iter().map(area).sum(),
        three_calyces: told.three_calyces.or(no_if(own.len() <= 2 && all_within(IN_ONE_CALYX_MM))),
        staghorn: told.staghorn.or(no_if(all_within(NO_STAGHORN_MM))),
        partial_staghorn: told.partial_staghorn.or(no_if(all_within(NO_STAGHORN_MM))),
        ..of_largest
    };
    let scores: Vec<Scored> = rules.scores.scores.iter().filter_map(|score| score.of(&known)).collect();
    let stones = own.iter().map(|stone| stone.number).collect();
    (!scores.is_empty()).then_some(KidneyScores { side, stones, known, scores })
}

fn known(stone: &Stone, patient: &Patient, told: &Inputs) -> Inputs {
    Inputs {
        place: site(stone).or(told.place),
        diameter_mm: stone.largest_diameter_mm.or(told.diameter_mm),
        width_mm: stone.width_mm.or(told.width_mm),
        hu_mean: Some(stone.hu.mean),
        skin_to_stone_mm: stone.skin_to_stone_mm.or(told.skin_to_stone_mm),
        age_years: patient.age_at_study.map(f64::from).or(told.age_years),
        ..told.clone()
    }
}

/// As finely as it was determined.
fn site(stone: &Stone) -> Option<Site> {
    let of_part = match stone.part {
        TractPart::Kidney => Some(Site::Kidney),
        TractPart::Ureter => Some(Site::Ureter),
        TractPart::Bladder => Some(Site::Bladder),
        TractPart::Unknown => None,
    };
    stone.site.as_ref().map(|finding| finding.site).or(of_part)
}

fn sources(rules: &Rules, with_scores: bool) -> Vec<OptionSource> {
    let guidelines = rules.guidelines.iter().map(|guideline| OptionSource {
        id: guideline.id.clone(),
        version: guideline.version,
        title: Some(guideline.title.clone()),
        edition: Some(guideline.edition.clone()),
        citation: guideline.citation.clone(),
        values_from: guideline.values_from.clone(),
    });
    let articles = rules.passage.sources.iter().map(|source| OptionSource {
        id: source.id.clone(),
        version: rules.passage.version,
        title: None,
        edition: None,
        citation: source.citation.clone(),
        values_from: rules.passage.values_from.clone(),
    });
    let scores = rules.scores.scores.iter().filter(|_| with_scores).map(|score| OptionSource {
        id: score.id.clone(),
        version: rules.scores.version,
        title: Some(score.title.clone()),
        edition: None,
        citation: format!("{}. {}", score.citation, score.outcome_citation),
        values_from: rules.scores.values_from.clone(),
    });
    guidelines.chain(articles).chain(scores).collect()
}
