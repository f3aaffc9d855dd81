//! What those who run an installation look at: work that is due, runs or failed, what the store holds, and the models that read.

use crate::access::{Permission, Scope};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::storage::StoragePlace;
use crate::storage::segment::FOLDER;
use crate::views::{Note, ReadingView};
use hilum_infer::{Model, ModelCard};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use utoipa::ToSchema;

/// `GET /api/v1/operations/jobs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobsView {
    /// Series whose geometry and tags are due.
    pub series_due: Counted,
    /// Studies whose reading is due.
    pub readings_due: Counted,
    /// Reports whose objects are due.
    pub results_due: Counted,
    /// Readings under way.
    pub running: Vec<ReadingView>,
    /// Readings that failed or were cancelled, the last first.
    pub stopped: Vec<StoppedReading>,
}

/// A count that is not counted beyond a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counted {
    /// So many.
    pub count: u64,
    /// Or more.
    pub or_more: bool,
}

/// A reading that does not go on by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoppedReading {
    /// Study Instance UID.
    pub study_uid: String,
    /// It failed, and nobody cancelled it.
    pub failed: bool,
    /// Why.
    pub reason: Option<Note>,
    /// RFC 3339.
    pub since: String,
}

/// `GET /api/v1/operations/storage`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StorageView {
    /// `folder` or `bucket`.
    pub place: String,
    /// Studies in the caller's institutions.
    pub studies: u64,
    /// Instances in the caller's institutions.
    pub instances: u64,
    /// Bytes that the segments take on this machine's disk.
    pub segment_bytes: u64,
    /// Bytes that are free on the disk of the data folder.
    pub free_bytes: u64,
    /// Bytes of that disk.
    pub disk_bytes: u64,
    /// Objects that were put aside.
    pub quarantined: u64,
    /// The last backup that was made of it, RFC 3339.
    pub last_backup_at: Option<String>,
}

/// `GET /api/v1/operations/models`, one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelView {
    /// The card's name.
    pub name: String,
    /// What it was trained on, and what it is not for.
    pub statement: String,
    /// Trained on synthetic CT only.
    pub synthetic_trained: bool,
    /// SHA-256 of the weights, hexadecimal.
    pub hash: String,
    /// RFC 3339.
    pub trained_at: String,
    /// Engine and precision.
    pub engine: String,
    /// In words: contrast, body part.
    pub suitable_for: String,
    /// Slice distance in mm that the training covered, lowest and highest.
    pub slice_distance_mm: [f64; 2],
    /// Score from which a candidate counts.
    pub threshold: f64,
    /// Where the training's patients came from.
    pub training_data: String,
    /// How many they were.
    pub training_patients: u64,
    /// Patients of the figures.
    pub patients_from: String,
    /// How many they were.
    pub patients: u64,
    /// The rule by which a candidate hits a stone.
    pub matching_rule: String,
    /// Share of stones that it found, by their size.
    pub sensitivity: Vec<SensitivityView>,
    /// Wrong candidates for each patient.
    pub false_positives: FigureView,
    /// Overlap with the truth over the stones that were found.
    pub dice: Option<FigureView>,
}

/// How many stones of a size were found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SensitivityView {
    /// Largest diameter in mm, from and below.
    pub diameter_mm: [f64; 2],
    /// Found.
    pub found: u64,
    /// There.
    pub n: u64,
    /// Their share; none where there were no stones.
    pub value: Option<f64>,
    /// 95 % confidence interval.
    pub ci95: Option<[f64; 2]>,
}

/// A figure with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FigureView {
    /// Of so many patients, or stones.
    pub n: u64,
    /// The figure.
    pub value: f64,
    /// 95 % confidence interval.
    pub ci95: [f64; 2],
}

impl Engine {
    /// What is due, runs or stopped in the institutions where the caller looks after that.
    pub async fn jobs(&self, scope: &Scope) -> Result<JobsView, EngineError> {
        scope.require(Permission::Operate)?;
        self.caught_up().await;
        self.catalog().jobs(scope).await
    }

    /// What the store holds.
    pub async fn storage_facts(&self, scope: &Scope) -> Result<StorageView, EngineError> {
        scope.require(Permission::Operate)?;
        let mut view = self.catalog().holdings(scope).await?;
        let root = self.data_dir().to_owned();
        let weighed = tokio::task::spawn_blocking(move || weigh(&root)).await;
        let (segments, free, disk) =
            weighed.map_err(|error| EngineError::Internal(format!("weighing the store ended early: {error}")))?;
        let bucket = matches!(self.storage_place(), StoragePlace::Bucket(_));
        if bucket { "bucket" } else { "folder" }.clone_into(&mut view.place);
        (view.segment_bytes, view.free_bytes, view.disk_bytes) = (segments, free, disk);
        Ok(view)
    }

    /// The models that are installed, with their cards.
    pub fn models(&self) -> Vec<ModelView> {
        self.model().as_ref().map(model_view).into_iter().collect()
    }
}

/// Bytes of the segments as the disk has them, which holes make less than they are long, and free and all bytes of the disk. A segment is
/// long, so there are few of them.
fn weigh(root: &Path) -> (u64, u64, u64) {
    let segments = walkdir::WalkDir::new(root.join(FOLDER)).max_depth(1).into_iter().filter_map(Result::ok);
    let sizes = segments.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file);
    let held = sizes.map(|metadata| taken(&metadata)).sum();
    let (free, all) = disk(root).unwrap_or((0, 0));
    (held, free, all)
}

#[cfg(unix)]
fn taken(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn taken(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}

/// Free bytes of the disk that a folder lies on, and all of its bytes, where the system says so.
#[cfg(unix)]
pub fn disk(folder: &Path) -> Option<(u64, u64)> {
    let told = rustix::fs::statvfs(folder).ok()?;
    Some((told.f_bavail.saturating_mul(told.f_frsize), told.f_blocks.saturating_mul(told.f_frsize)))
}

/// Free bytes of the disk that a folder lies on, and all of its bytes, where the system says so.
#[cfg(not(unix))]
pub fn disk(_folder: &Path) -> Option<(u64, u64)> {
    None
}

fn model_view(model: &Arc<Model>) -> ModelView {
    let ModelCard {
        name, statement, synthetic_trained, trained_at, engine, input, training, metrics, threshold, ..
    } = &model.card;
    let sensitivity = metrics.model.sensitivity.iter().map(|one| SensitivityView {
        diameter_mm: one.diameter_mm,
        found: one.found as u64,
        n: one.n as u64,
        value: one.value,
        ci95: one.ci95,
    });
    let wrong = metrics.model.false_positives;
    ModelView {
        name: name.clone(),
        statement: statement.clone(),
        synthetic_trained: *synthetic_trained,
        hash: model.hash.clone(),
        trained_at: trained_at.clone(),
        engine: engine.clone(),
        suitable_for: input.suitable_for.clone(),
        slice_distance_mm: input.slice_distance_mm,
        threshold: f64::from(*threshold),
        training_data: training.data.clone(),
        training_patients: training.training_patients as u64,
        patients_from: metrics.patients_from.clone(),
        patients: metrics.patients as u64,
        matching_rule: metrics.matching_rule.clone(),
        sensitivity: sensitivity.collect(),
        false_positives: FigureView { n: wrong.patients as u64, value: wrong.per_patient, ci95: wrong.ci95 },
        dice: metrics.model.dice.map(|dice| FigureView { n: dice.n as u64, value: dice.mean, ci95: dice.ci95 }),
    }
}
