//! The model card: `model.toml`.

use hilum_imaging::Recipe;
use hilum_nn::UNet2d;
use serde::{Deserialize, Serialize};

/// Everything a reader of a result must know about the model, and everything needed to run it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// The first line of the file: what the model was trained on and what it is not for.
    pub statement: String,
    /// Name, the folder's.
    pub name: String,
    /// What it does.
    pub task: Task,
    /// True when no real patient was used in training.
    pub synthetic_trained: bool,
    /// What the channels of the output mean.
    pub classes: Vec<String>,
    /// A component is a candidate when its highest voxel score reaches this; chosen on validation patients only.
    pub threshold: f32,
    /// Voxels of a candidate have at least this score.
    pub mask_threshold: f32,
    /// When the training ended, RFC 3339.
    pub trained_at: String,
    /// Wall time of the training, seconds.
    pub training_seconds: u64,
    /// Version of the software that trained it.
    pub software_version: String,
    /// Engine and precision of the training and of the reading.
    pub engine: String,
    /// What goes in.
    pub input: InputContract,
    /// How slices become the network's input: the same code in training and reading.
    pub preprocessing: Recipe,
    /// The network.
    pub network: Architecture,
    /// What is done with the components.
    pub post_filter: PostFilter,
    /// SHA-256 of what it was made from and of the files beside this one.
    pub hashes: Hashes,
    /// How it was trained.
    pub training: TrainingFacts,
    /// Figures on patients that were used neither for training nor for choosing the threshold.
    pub metrics: Metrics,
}

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Marks the voxels of urinary stones on CT.
    UrinaryStoneSegmentation,
}

/// What may be given to the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputContract {
    /// Modality (0008,0060).
    pub modality: String,
    /// Plane of the slices.
    pub plane: String,
    /// Unit of the values.
    pub unit: String,
    /// Slice distance in mm that the training covered, lowest and highest.
    pub slice_distance_mm: [f64; 2],
    /// In words: contrast, body part.
    pub suitable_for: String,
}

/// A network by its builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Architecture {
    /// [`hilum_nn::unet2d`].
    Unet2d(UNet2d),
}

/// What is done with the components, each step explained by [`crate::read::Rejection`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostFilter {
    /// Smallest number of voxels.
    pub min_voxels: usize,
    /// Smallest volume in mm³.
    pub min_volume_mm3: f64,
    /// A dense structure of a greater extent (mm, along the axes of the stack) is bone, contrast or metal, no stone.
    pub largest_stone_mm: f64,
    /// Share of a component's voxels within such a structure from which it is rejected.
    pub dense_share: f64,
    /// What counts as dense, one level after the other.
    pub dense: Vec<DenseLevel>,
    /// The part of the midline that no urinary tract runs through.
    pub spine: SpineColumn,
}

/// Vertebrae, spinal canal and everything behind them, around the midline of the region.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpineColumn {
    /// Half width, mm.
    pub half_width_mm: f64,
    /// How far it reaches in front of the middle of the vertebral bone, mm.
    pub front_mm: f64,
}

/// One level of HU at which dense structures are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenseLevel {
    /// HU from which a voxel belongs to a dense structure.
    pub hu: i16,
    /// The level judges only components whose brightest voxel is at most this; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to_hu: Option<i16>,
}

/// SHA-256, lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hashes {
    /// The plan file's bytes.
    pub plan: String,
    /// Recipes of all training and validation patients, in order.
    pub data: String,
    /// `weights.safetensors`.
    pub weights: String,
    /// `model.onnx`.
    pub onnx: String,
}

/// How the model was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingFacts {
    /// Where the patients came from.
    pub data: String,
    /// Training patients.
    pub training_patients: usize,
    /// Validation patients.
    pub validation_patients: usize,
    /// Training patches.
    pub training_patches: usize,
    /// Epochs run.
    pub epochs: usize,
    /// Epoch with the lowest validation loss, whose weights these are.
    pub best_epoch: usize,
    /// The lowest validation loss.
    pub best_validation_loss: f64,
    /// Why the training ended.
    pub stopped_because: String,
}

/// Figures on one set of patients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// The patients.
    pub patients_from: String,
    /// The rule by which a candidate hits a stone.
    pub matching_rule: String,
    /// Number of patients.
    pub patients: usize,
    /// Number of stones.
    pub stones: usize,
    /// The model.
    pub model: DetectionMetrics,
    /// Threshold and connected components in the same region, on the same patients.
    pub baseline: DetectionMetrics,
}

/// How well stones are found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectionMetrics {
    /// Sensitivity by size.
    pub sensitivity: Vec<Sensitivity>,
    /// Wrong candidates per patient.
    pub false_positives: FalsePositives,
    /// Overlap of the marked voxels with the truth over found stones; absent where none was found.
    pub dice: Option<MeanDice>,
}

/// Share of stones found, with the Wilson interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensitivity {
    /// Largest diameter in mm, from (inclusive) and to (exclusive).
    pub diameter_mm: [f64; 2],
    /// Stones found.
    pub found: usize,
    /// Stones there.
    pub n: usize,
    /// `found / n`; absent for n = 0.
    pub value: Option<f64>,
    /// 95 % confidence interval (Wilson 1927).
    pub ci95: Option<[f64; 2]>,
}

/// Wrong candidates per patient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FalsePositives {
    /// Wrong candidates.
    pub count: usize,
    /// Patients.
    pub patients: usize,
    /// `count / patients`.
    pub per_patient: f64,
    /// 95 % confidence interval (exact Poisson, Garwood 1936).
    pub ci95: [f64; 2],
}

/// Mean Dice coefficient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeanDice {
    /// Number of stones.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// 95 % confidence interval of the mean (normal approximation).
    pub ci95: [f64; 2],
}
