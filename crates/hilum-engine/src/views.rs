//! What the application shows: the JSON of the HTTP API and of `--json`, in the standard's words.

pub use crate::work_views::{
    NewSavedFilter, Priority, SavedFilter, StonesFound, StudyChange, WorkFilter, WorkOrder, WorkSort, Workflow, is_day,
};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::ToSchema;

/// `GET /api/v1/system`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SystemView {
    /// The software's version.
    pub version: String,
    /// Nobody else on the network reaches the server: it answers in the clear, on loopback.
    pub loopback_only: bool,
    /// The model that reads, if one is installed.
    pub model: Option<ModelSummary>,
    /// The zone that is served.
    pub zone: String,
    /// Started by `hilum demo`.
    pub demo: bool,
}

/// A model, as its card's first lines say it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelSummary {
    /// The card's name.
    pub name: String,
    /// What it does, e.g. `urinary-stone`.
    pub task: String,
    /// Trained on synthetic CT only.
    pub synthetic_trained: bool,
    /// The card's first line.
    pub first_line: String,
    /// SHA-256 of the weights, hexadecimal.
    pub hash: String,
    /// RFC 3339.
    pub trained_at: String,
}

/// `POST /api/v1/studies/search`: names never stand in an address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StudySearch {
    /// Part of a patient's name or ID, a description or a study UID.
    #[serde(default)]
    pub text: Option<String>,
    /// Part of a patient's name, in any of its groups.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub name: Option<String>,
    /// Part of a Patient ID.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub patient_id: Option<String>,
    /// What names no patient.
    #[serde(default)]
    pub filter: WorkFilter,
    /// In which order.
    #[serde(default)]
    pub sort: WorkSort,
    /// [`Page::next`] of the page before.
    #[serde(default)]
    #[schema(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Rows a page, 1 to 200; 50 when absent.
    #[serde(default, deserialize_with = "whole_where_given")]
    #[schema(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

/// A whole number. JSON knows no difference between 50 and 50.0 (RFC 8259 6; JSON Schema calls both an integer).
pub fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = f64::deserialize(deserializer)?;
    let whole = number as u32;
    if f64::from(whole) == number { Ok(whole) } else { Err(D::Error::custom("expected a whole number from 0 on")) }
}

fn whole_where_given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    #[derive(Deserialize)]
    struct Whole(#[serde(deserialize_with = "whole")] u32);
    Ok(Option::<Whole>::deserialize(deserializer)?.map(|Whole(number)| number))
}

/// A page of a listing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Cursor of the page after this one.
    pub next: Option<String>,
}

/// A patient, as the study list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PatientView {
    /// The alphabetic component group, as sent (`Family^Given`).
    pub name: String,
    /// The ideographic group, when sent.
    pub name_ideographic: Option<String>,
    /// The phonetic group, when sent: hangul in Korea (PS3.5 Annex I).
    pub name_phonetic: Option<String>,
    /// Patient ID.
    pub id: String,
    /// `M`, `F`, `O` or empty.
    pub sex: String,
    /// `YYYY-MM-DD`, or empty.
    pub birth_date: String,
}

/// One study of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StudySummary {
    /// Study Instance UID.
    pub study_uid: String,
    /// Whose study.
    pub patient: PatientView,
    /// `YYYY-MM-DD`, or empty.
    pub study_date: String,
    /// `HH:MM:SS`, or empty.
    pub study_time: String,
    /// Study Description.
    pub description: String,
    /// Accession Number, or empty.
    pub accession: String,
    /// Code of the institution that has it.
    pub institution: String,
    /// When its first image came, RFC 3339.
    pub received_at: String,
    /// How urgent it is.
    pub priority: Priority,
    /// How far a physician is with it.
    pub workflow: Workflow,
    /// Body Part Examined of its series, in capitals.
    pub body_parts: Vec<String>,
    /// Contrast given in one of its series; null when nothing says.
    pub contrast: Option<bool>,
    /// The modalities of its series.
    pub modalities: Vec<String>,
    /// Series received.
    pub series_count: u64,
    /// Instances kept.
    pub instance_count: u64,
    /// Made by `hilum phantom`.
    pub synthetic: bool,
    /// How far its reading is.
    pub reading: ReadingState,
}

/// One study with its series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StudyDetail {
    /// The row of the list.
    #[serde(flatten)]
    pub summary: StudySummary,
    /// Its series, in order of series number.
    pub series: Vec<SeriesSummary>,
    /// What does not fit together, e.g. the same study sent for another patient.
    pub conflicts: Vec<Note>,
}

/// One series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SeriesSummary {
    /// Series Instance UID.
    pub series_uid: String,
    /// Series Number.
    pub number: Option<i32>,
    /// Series Description.
    pub description: String,
    /// Modality.
    pub modality: String,
    /// `axial`, `sagittal`, `coronal`, `oblique`, or null when the orientation is missing or mixed.
    pub plane: Option<String>,
    /// Slices (frames) kept.
    pub slices: u64,
    /// `[between slices, down, across]` in mm; null where the geometry was refused.
    pub spacing_mm: Option<[f64; 3]>,
    /// Convolution kernel as sent.
    pub kernel: Option<String>,
    /// Contrast given; null when nothing says.
    pub contrast: Option<bool>,
    /// What the geometry check found.
    pub geometry_findings: Vec<Note>,
    /// Read for the report.
    pub chosen: bool,
    /// Why it was chosen or passed over.
    pub why: String,
}

/// A code for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Note {
    /// Stable, `snake_case`.
    pub code: String,
    /// One sentence, without patient identity.
    pub text: String,
}

/// Where a study's reading stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadingStatus {
    /// Instances still arrive, or have just arrived.
    Receiving,
    /// Due, waiting for a worker.
    Queued,
    /// Being read.
    Reading,
    /// Read; the report is there.
    Done,
    /// Not measured: the report says why.
    Refused,
    /// Nothing in it that the service reads.
    NotApplicable,
    /// No model is installed.
    NoModel,
    /// Stopped by a person.
    Cancelled,
    /// Failed; the reason says how.
    Failed,
}

/// A study's reading, as the list shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReadingState {
    /// Where it stands.
    pub state: ReadingStatus,
    /// 0 to 1.
    pub progress: f32,
    /// Why it was refused, failed or does not apply.
    pub reason: Option<Note>,
    /// Of the current report.
    pub stone_present: Option<bool>,
    /// Of the current report.
    pub stone_count: Option<u32>,
    /// The highest score of the current report: a score, not a probability.
    pub highest_score: Option<f32>,
}

/// `GET /api/v1/activity`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Activity {
    /// Imports of this process for the caller's institutions, the running ones and the last finished ones.
    pub imports: Vec<ImportView>,
    /// Readings that wait or run.
    pub readings: Vec<ReadingView>,
    /// Jobs that wait.
    pub queue_depth: u64,
}

/// An import as the activity page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportView {
    /// Unique in this process.
    pub id: u64,
    /// `folder`, `file`, `zip`, `dicomdir` or `mixed`.
    pub kind: String,
    /// Files looked at.
    pub done: u64,
    /// Files in all, once counted.
    pub total: Option<u64>,
    /// Where it stands.
    pub state: ImportState,
}

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// Under way.
    Running,
    /// Every file was looked at.
    Done,
    /// Stopped by a person.
    Cancelled,
    /// Stopped by an error such as a full disk.
    Failed,
}

/// A reading as the activity page shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReadingView {
    /// Study Instance UID.
    pub study_uid: String,
    /// Where it stands.
    pub state: ReadingStatus,
    /// 0 to 1.
    pub progress: f32,
}

/// `GET /api/v1/quarantine`: an object that was kept aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuarantineEntry {
    /// Row id.
    pub id: i64,
    /// RFC 3339.
    pub received_at: String,
    /// SOP Instance UID that was already taken.
    pub sop_uid: String,
    /// What differs.
    pub reason: Note,
    /// Zone.
    pub zone: String,
    /// Size of the file.
    pub bytes: u64,
}
