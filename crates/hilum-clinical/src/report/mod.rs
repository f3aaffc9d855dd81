//! The urinary-stone report as data: one JSON document per study, versioned, both languages inside.

mod build;
mod comparison;
mod date;
mod options;
mod review;

use serde::{Deserialize, Serialize};

use crate::message::Statement;
use crate::urinary_stone::{RejectedCandidate, Stone};
use utoipa::ToSchema;

pub use build::{ReportInputs, SliceInput, build};
pub use comparison::{Change, Comparison, EarlierStone, GoneStone, StoneChange, compare};
pub use date::Date;
pub use options::{GuidelineOptions, KidneyScores, OptionSource, StoneOptions, options};
pub use review::{AddedStone, Amendment, Conclusion, FindingVerdict, JudgedFinding, Review, Signature, StoneEdits};

/// Identifier of the JSON layout; its number rises with every change that a reader could stumble over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReportSchema)]
pub enum Schema {
    /// The first layout.
    #[serde(rename = "hilum.urinary-stone-report/1")]
    UrinaryStoneReport1,
}

/// A urinary-stone decision-support report of one study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UrinaryStoneReport {
    /// Layout of this document.
    pub schema: Schema,
    /// 1 for the first report of the study, then 2, 3 ...
    pub version: u32,
    /// The version that this one replaces.
    pub supersedes: Option<u32>,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Whom it is about.
    pub patient: Patient,
    /// What was examined.
    pub study: Study,
    /// What came out.
    pub result: StoneResult,
    /// The stones, largest first.
    pub stones: Vec<Stone>,
    /// What guidelines offer for them; empty in older reports.
    #[serde(default)]
    pub options: GuidelineOptions,
    /// The stones beside those of the patient's last study before; absent where there is none that was assessed.
    #[serde(default)]
    pub comparison: Option<Comparison>,
    /// Candidates that are no urinary stones, each with the reason.
    #[serde(default)]
    pub rejected: Vec<RejectedCandidate>,
    /// The slices of the series that was read, in stack order (paper S1).
    pub slices: Vec<SliceRow>,
    /// What was looked at, and what was not.
    pub coverage: Coverage,
    /// What the check of the slice stack found.
    pub geometry_findings: Vec<Statement>,
    /// Which model, engine and software made it.
    pub provenance: Provenance,
    /// How far it may be trusted.
    pub disclaimers: Vec<Statement>,
    /// What a physician made of it; absent as long as nobody has signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// Which signed version it takes the place of, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amendment: Option<Amendment>,
    /// Who signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// The patient's basic data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReportPatient)]
pub struct Patient {
    /// Name in its component groups.
    pub name: Name,
    /// Patient ID.
    pub id: String,
    /// Birth date.
    #[schema(value_type = Option<String>, format = Date)]
    pub birth_date: Option<Date>,
    /// Sex as the study states it.
    pub sex: Option<Sex>,
    /// Full years at the study date.
    pub age_at_study: Option<u32>,
}

/// A person name in its component groups (PS3.5 6.2.1.1), `^` already replaced by a space.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PersonName)]
pub struct Name {
    /// Alphabetic group, "Hong Gildong".
    pub alphabetic: String,
    /// Ideographic group, "洪 吉洞".
    pub ideographic: Option<String>,
    /// Phonetic group, "홍 길동".
    pub phonetic: Option<String>,
}

/// Patient's Sex (0010,0040).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Sex {
    /// Female.
    F,
    /// Male.
    M,
    /// Other.
    O,
}

/// The study, and the series of it that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReportStudy)]
pub struct Study {
    /// Study Instance UID.
    pub study_uid: String,
    /// Study date.
    #[schema(value_type = Option<String>, format = Date)]
    pub date: Option<Date>,
    /// Study time, `HH:MM`.
    pub time: Option<String>,
    /// Study description.
    pub description: String,
    /// Accession number.
    pub accession: String,
    /// Institution name.
    pub institution: String,
    /// The series that was read; absent when none was.
    pub series: Option<SeriesRead>,
    /// The study shows a simulated patient.
    pub synthetic: bool,
}

/// The series that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SeriesRead {
    /// Series Instance UID.
    pub series_uid: String,
    /// Series number.
    pub number: Option<i32>,
    /// Series description.
    pub description: String,
    /// Why this one.
    pub why: Statement,
}

/// Whether the study shows a stone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StonePresent {
    /// At least one stone was found.
    Yes,
    /// None was found in what was looked at.
    No,
    /// Not assessed; the refusal says why.
    NotAssessed,
}

/// The result in one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoneResult {
    /// Stone present or not.
    pub stone_present: StonePresent,
    /// Number of stones.
    pub stone_count: u32,
    /// Highest score of the slices, 0..1. Not a probability.
    pub highest_score: Option<f32>,
    /// From this score on a slice is abnormal.
    pub score_threshold: Option<f32>,
    /// The scores were calibrated on held-out patients and may be read as probabilities.
    pub score_is_calibrated: bool,
    /// Why nothing was assessed.
    pub refusal: Option<Statement>,
}

/// One slice of the series (paper S1: file name, probability, Normal/Abnormal).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SliceRow {
    /// Index in the stack, from 0.
    pub index: u32,
    /// Instance number (0020,0013).
    pub instance_number: Option<i32>,
    /// Name of the file it came in, or its SOP Instance UID where it came over the network.
    pub file_name: String,
    /// Highest voxel score inside the searched region; absent where the slice was not searched.
    pub score: Option<f32>,
    /// By the threshold.
    pub finding: SliceFinding,
}

/// Normal or abnormal by the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SliceFinding {
    /// Below the threshold.
    Normal,
    /// At or above the threshold.
    Abnormal,
    /// Outside the searched region, or not readable.
    NotAssessed,
}

/// What was looked at, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Coverage {
    /// Slices searched.
    pub slices_searched: u32,
    /// Slices of the series.
    pub slices_total: u32,
    /// What was looked at.
    pub looked_at: Vec<Statement>,
    /// What was not looked at.
    pub not_looked_at: Vec<Statement>,
    /// The other series of the study.
    pub series_not_chosen: Vec<SeriesNotChosen>,
}

/// A series that was not read, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SeriesNotChosen {
    /// Series Instance UID.
    pub series_uid: String,
    /// Series number.
    pub number: Option<i32>,
    /// Series description.
    pub description: String,
    /// Why it was not read.
    pub reason: Statement,
}

/// Which model, engine and software made the report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Provenance {
    /// The model; absent when none ran.
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

/// Identity of the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelProvenance {
    /// Name.
    pub name: String,
    /// SHA-256 of the model, hexadecimal.
    pub hash: String,
    /// SHA-256 of the plan that trained it, hexadecimal.
    pub plan_hash: String,
    /// First line of its card.
    pub first_line: String,
    /// It has seen synthetic CT only.
    pub synthetic_trained: bool,
}
