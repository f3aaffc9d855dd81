//! Where a stone lies against landmarks of the body, so that it is found again in another scan.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::TractReference;

/// A place against landmarks of the body (mm). Two scans of a patient share it, whatever the table, the field of view and the direction
/// of the scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BodyPosition {
    /// To the patient's left of the midline.
    pub left_of_midline_mm: f64,
    /// Behind the middle of the vertebra at its height; absent where the midline is not known in depth.
    pub behind_vertebra_mm: Option<f64>,
    /// Above the iliac crests.
    pub above_iliac_crest_mm: Option<f64>,
    /// Above the hip joints.
    pub above_hip_mm: Option<f64>,
    /// Above the lung bases, below them where negative.
    pub above_lung_base_mm: Option<f64>,
}

/// Heights (patient z, mm) of landmarks; absent where the scan does not show them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LandmarkHeights {
    /// Upper edge of the iliac wings.
    pub iliac_crest_z_mm: Option<f64>,
    /// Middle of the hip joints.
    pub hip_z_mm: Option<f64>,
    /// Lung bases.
    pub lung_base_z_mm: Option<f64>,
}

impl TractReference {
    /// The place of a patient point `[x, y, z]` (mm); `None` where no midline was found.
    pub fn position(&self, point_mm: [f64; 3]) -> Option<BodyPosition> {
        let [x, y, z] = point_mm;
        let above = |landmark: Option<f64>| landmark.map(|landmark| z - landmark);
        Some(BodyPosition {
            left_of_midline_mm: x - self.midline_x_mm(z)?,
            behind_vertebra_mm: self.midline_y_mm(z).map(|middle| y - middle),
            above_iliac_crest_mm: above(self.heights.iliac_crest_z_mm),
            above_hip_mm: above(self.heights.hip_z_mm),
            above_lung_base_mm: above(self.heights.lung_base_z_mm),
        })
    }
}

impl BodyPosition {
    /// How much higher this place is than another (mm), by the first landmark that both scans show, and how far apart they are across.
    pub fn against(&self, other: &Self) -> Option<Offset> {
        let by = |a: Option<f64>, b: Option<f64>| Some(a? - b?);
        let higher_mm = by(self.above_iliac_crest_mm, other.above_iliac_crest_mm)
            .or_else(|| by(self.above_hip_mm, other.above_hip_mm))
            .or_else(|| by(self.above_lung_base_mm, other.above_lung_base_mm))?;
        let left = self.left_of_midline_mm - other.left_of_midline_mm;
        let behind = by(self.behind_vertebra_mm, other.behind_vertebra_mm).unwrap_or(0.0);
        Some(Offset { higher_mm, across_mm: left.hypot(behind) })
    }
}

/// From one place to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Offset {
    /// How much higher.
    pub higher_mm: f64,
    /// How far across, in the axial plane.
    pub across_mm: f64,
}
