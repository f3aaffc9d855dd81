//! From candidate voxels to measured stones.

pub mod density;
mod locate;
mod measure;
mod mimic;
mod place;
mod position;
mod reject;
mod site;
mod skin;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use density::{HuPatch, PointSpread, patch_boxes};
pub use locate::{SiteFinding, SiteShare};
pub use measure::{Density, measure, measure_by_density};
pub use mimic::{Mimic, MimicKind};
pub use place::{Placed, RejectedCandidate, RejectedReading, place};
pub use position::{BodyPosition, LandmarkHeights, Offset};
pub use reject::RejectionReason;
pub use site::{MidlinePoint, Side, TractBox, TractPart, TractReference};
pub use skin::skin_to_stone_mm;

/// One voxel that the network marked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CandidateVoxel {
    /// Index `[z, y, x]` in the series as it was read.
    pub index: [u32; 3],
    /// Output of the network, 0..1. A score, not a probability.
    pub score: f32,
    /// Density in HU.
    pub hu: i16,
}

/// The voxels of one 26-connected component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// Its voxels, in any order; none of them twice.
    pub voxels: Vec<CandidateVoxel>,
}

/// A measured stone together with the voxels it was measured from.
#[derive(Clone, Debug, PartialEq)]
pub struct StoneReading {
    /// What the report prints.
    pub stone: Stone,
    /// What the key image and the mask draw, sorted by index `[z, y, x]`.
    pub voxels: Vec<CandidateVoxel>,
}

/// One stone as the report states it. Millimetres are absent where the geometry of the stack was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stone {
    /// 1, 2, 3 ... in the order of the report: largest first.
    pub number: u32,
    /// Side of the patient, from patient coordinates.
    pub side: Side,
    /// Part of the urinary tract whose region holds the centre.
    pub part: TractPart,
    /// Site with its probability; absent where it was not determined.
    #[serde(default)]
    pub site: Option<SiteFinding>,
    /// What it may be instead of a stone: it lies in the tract's corridor and stays a stone.
    #[serde(default)]
    pub mimic: Option<Mimic>,
    /// Distance (mm) from skin to stone; absent where the field of view cuts the skin or the side is not known.
    #[serde(default)]
    pub skin_to_stone_mm: Option<f64>,
    /// Centre of mass as a fractional index `[z, y, x]`.
    pub centre_index: [f64; 3],
    /// Centre of mass `[x, y, z]` in patient coordinates (mm, LPS+).
    pub centre_mm: Option<[f64; 3]>,
    /// Where that is against landmarks of the body; absent where no midline was found, and in older reports.
    #[serde(default)]
    pub position: Option<BodyPosition>,
    /// What the sizes were measured by.
    #[serde(default)]
    pub measured_by: MeasuredBy,
    /// Largest distance between two points of its surface (mm), in any direction.
    pub largest_diameter_mm: Option<f64>,
    /// 95 % interval of the largest diameter (mm), calibrated on synthetic CT.
    #[serde(default)]
    pub largest_diameter_interval_mm: Option<Interval>,
    /// Largest distance between two points of its surface within one axial plane (mm).
    #[serde(default)]
    pub axial_diameter_mm: Option<f64>,
    /// Largest distance between two points of its surface within one coronal plane (mm).
    #[serde(default)]
    pub coronal_diameter_mm: Option<f64>,
    /// Largest extent perpendicular to the largest axial diameter, within its plane (mm): the width of the tables of spontaneous passage.
    #[serde(default)]
    pub width_mm: Option<f64>,
    /// Volume in mm³.
    pub volume_mm3: Option<f64>,
    /// 95 % interval of the volume (mm³), calibrated on synthetic CT.
    #[serde(default)]
    pub volume_interval_mm3: Option<Interval>,
    /// Number of voxels that the network marked.
    pub voxels: u32,
    /// Density over its voxels: those at least half filled by it where it was measured by its density, those marked where by its mask.
    pub hu: HuStatistics,
    /// Density of the stone itself, without partial volume.
    #[serde(default)]
    pub core_hu: Option<CoreHu>,
    /// Highest score of its voxels, 0..1. Not a probability: it is not calibrated.
    pub score: f32,
    /// The slices that show it.
    pub slices: SliceSpan,
    /// Smallest box of voxels around it.
    pub bounding_box: IndexBox,
}

/// What the sizes of a stone were measured by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredBy {
    /// By the density of the voxels in and around it, with the scanner's blur taken into account.
    Density,
    /// By counting marked voxels: the stone does not stand out from its surroundings, or these were not read. No interval is stated.
    #[default]
    Mask,
}

/// The value lies between these two in 95 % of cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Density of a stone itself in HU.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CoreHu {
    /// HU.
    pub value: f64,
    /// No voxel is filled by the stone alone: the value is that of the blurred ellipsoid that explains the voxels best. Otherwise it is the mean of such
    /// voxels.
    pub estimated: bool,
}

/// Density of a stone in HU.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HuStatistics {
    /// Mean.
    pub mean: f64,
    /// Highest value.
    pub max: i16,
    /// Population standard deviation.
    pub sd: f64,
}

/// The slices that show a stone, as indices into the stack.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SliceSpan {
    /// First slice.
    pub first: u32,
    /// Last slice, included.
    pub last: u32,
    /// The slice that shows most of it: the key image.
    pub key: u32,
    /// Patient z (mm) of the stone's centre on the key slice.
    pub table_position_mm: Option<f64>,
}

/// A box of voxels `[z, y, x]`, both corners included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IndexBox {
    /// Lowest index of each axis.
    pub min: [u32; 3],
    /// Highest index of each axis.
    pub max: [u32; 3],
}
