//! From what a reading knows to the report.

use super::comparison::compare;
use super::options::options;
use super::{
    Coverage, ModelProvenance, Patient, Provenance, Schema, SeriesNotChosen, SliceFinding, SliceRow, StonePresent,
    StoneResult, Study, UrinaryStoneReport,
};
use crate::guideline::{Inputs, RecordedFact, Rules};
use crate::message::Message;
use crate::urinary_stone::{RejectedCandidate, Stone};
use std::sync::Arc;

/// Everything a report is made from. The report's texts, results and disclaimers follow from it.
#[derive(Clone, Debug)]
pub struct ReportInputs {
    /// 1 for the first report of the study; it supersedes the version before it.
    pub version: u32,
    /// When it is made, RFC 3339.
    pub created_at: String,
    /// The patient; the age is worked out here.
    pub patient: Patient,
    /// The study and the series that was read.
    pub study: Study,
    /// Why nothing was assessed; then stones are left out.
    pub refusal: Option<Message>,
    /// The stones in their order, see [`crate::urinary_stone::measure`].
    pub stones: Vec<Stone>,
    /// The rules that are weighed for them.
    pub rules: Arc<Rules>,
    /// What else is known of the patient.
    pub told: Inputs,
    /// What medical records tell of the patient.
    pub recorded: Vec<RecordedFact>,
    /// The report of the patient's last study before this one.
    pub earlier: Option<UrinaryStoneReport>,
    /// Candidates that are no urinary stones; left out when nothing was assessed.
    pub rejected: Vec<RejectedCandidate>,
    /// The slices of the series that was read, in stack order.
    pub slices: Vec<SliceInput>,
    /// From this score on a slice is abnormal.
    pub score_threshold: Option<f32>,
    /// What was looked at; left out when nothing was assessed.
    pub looked_at: Vec<Message>,
    /// What was not looked at.
    pub not_looked_at: Vec<Message>,
    /// The other series of the study.
    pub series_not_chosen: Vec<SeriesNotChosen>,
    /// What the check of the slice stack found.
    pub geometry_findings: Vec<Message>,
    /// The model, absent when none ran.
    pub model: Option<ModelProvenance>,
    /// Inference engine, with its kernels.
    pub engine: String,
    /// Number format of the inference, "f32".
    pub precision: String,
    /// SHA-256 of what was read, hexadecimal.
    pub input_hash: Option<String>,
    /// Version of Hilum.
    pub software_version: String,
}

/// One slice of the series that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceInput {
    /// Instance number (0020,0013).
    pub instance_number: Option<i32>,
    /// Name of the file it came in, or its SOP Instance UID.
    pub file_name: String,
    /// Highest voxel score inside the searched region; absent where the slice was not searched.
    pub score: Option<f32>,
}

/// The rules speak of adults.
const ADULT_YEARS: u32 = 18;

/// The report of one study.
pub fn build(inputs: ReportInputs) -> UrinaryStoneReport {
    let refused = inputs.refusal.is_some();
    let stones = if refused { Vec::new() } else { inputs.stones };
    let slices = slice_rows(inputs.slices, inputs.score_threshold);
    let stone_present = match (refused, stones.is_empty()) {
        (true, _) => StonePresent::NotAssessed,
        (false, true) => StonePresent::No,
        (false, false) => StonePresent::Yes,
    };
    let mut patient = inputs.patient;
    patient.age_at_study =
        patient.birth_date.zip(inputs.study.date).and_then(|(birth, study)| birth.full_years_until(study));
    let mut disclaimers = vec![Message::DecisionSupportOnly];
    if inputs.model.is_some() {
        disclaimers.push(Message::ScoreIsNoProbability);
    }
    if inputs.model.as_ref().is_some_and(|model| model.synthetic_trained) {
        disclaimers.push(Message::SyntheticTrainedModel);
    }
    if inputs.study.synthetic {
        disclaimers.push(Message::SyntheticStudy);
    }
    let options = options(&inputs.rules, &stones, &patient, &inputs.told, &inputs.recorded);
    if !options.stones.is_empty() {
        disclaimers.push(Message::OptionsAreNoOrder);
        if patient.age_at_study.is_some_and(|age| age < ADULT_YEARS) {
            disclaimers.push(Message::OptionsAreForAdults);
        }
    }
    let earlier = inputs.earlier.filter(|_| !refused);
    let comparison = earlier.and_then(|earlier| compare(&stones, &inputs.not_looked_at, &earlier));
    UrinaryStoneReport {
        schema: Schema::UrinaryStoneReport1,
        version: inputs.version,
        supersedes: inputs.version.checked_sub(1).filter(|v| *v > 0),
        created_at: inputs.created_at,
        patient,
        study: inputs.study,
        result: StoneResult {
            stone_present,
            stone_count: stones.len() as u32,
            highest_score: slices.iter().filter_map(|row| row.score).reduce(f32::max),
            score_threshold: inputs.score_threshold,
            score_is_calibrated: false,
            refusal: inputs.refusal.map(Message::statement),
        },
        stones,
        options,
        comparison,
        rejected: if refused { Vec::new() } else { inputs.rejected },
        coverage: Coverage {
            slices_searched: slices.iter().filter(|row| row.score.is_some()).count() as u32,
            slices_total: slices.len() as u32,
            looked_at: inputs.looked_at.into_iter().filter(|_| !refused).map(Message::statement).collect(),
            not_looked_at: inputs.not_looked_at.into_iter().map(Message::statement).collect(),
            series_not_chosen: inputs.series_not_chosen,
        },
        slices,
        geometry_findings: inputs.geometry_findings.into_iter().map(Message::statement).collect(),
        provenance: Provenance {
            model: inputs.model,
            engine: inputs.engine,
            precision: inputs.precision,
            input_hash: inputs.input_hash,
            software_version: inputs.software_version,
        },
        disclaimers: disclaimers.into_iter().map(Message::statement).collect(),
        review: None,
        amendment: None,
        signature: None,
    }
}

fn slice_rows(slices: Vec<SliceInput>, threshold: Option<f32>) -> Vec<SliceRow> {
    (0..)
        .zip(slices)
        .map(|(index, slice)| SliceRow {
            index,
            instance_number: slice.instance_number,
            file_name: slice.file_name,
            score: slice.score,
            finding: match (slice.score, threshold) {
                (Some(score), Some(threshold)) if score >= threshold => SliceFinding::Abnormal,
                (Some(_), Some(_)) => SliceFinding::Normal,
                _ => SliceFinding::NotAssessed,
            },
        })
        .collect()
}
