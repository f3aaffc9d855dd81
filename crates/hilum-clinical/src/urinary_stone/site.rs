//! Side and part of the urinary tract, from patient coordinates only.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::LandmarkHeights;

/// Side of the patient (never of the picture).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The patient's right.
    Right,
    /// The patient's left.
    Left,
    /// In the bladder, near the midline.
    Midline,
    /// Not assessed: no midline was found, or the geometry was refused.
    Unknown,
}

/// Part of the urinary tract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TractPart {
    /// Kidney, collecting system included.
    Kidney,
    /// Ureter.
    Ureter,
    /// Bladder.
    Bladder,
    /// Not known.
    Unknown,
}

/// Where the midline of the body runs at one height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MidlinePoint {
    /// Patient z in mm.
    pub z_mm: f64,
    /// Patient x in mm.
    pub x_mm: f64,
    /// Patient y (mm) of the middle of the vertebra, where it is known.
    pub y_mm: Option<f64>,
}

/// A box in patient space that holds a part of the tract.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TractBox {
    /// The part.
    pub part: TractPart,
    /// Lowest patient `[x, y, z]` in mm.
    pub min_mm: [f64; 3],
    /// Highest patient `[x, y, z]` in mm.
    pub max_mm: [f64; 3],
}

/// What the region finder knows about the patient: the midline, and where the parts of the tract lie.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TractReference {
    /// Points of the midline (spine), in any order; empty where none was found.
    pub midline: Vec<MidlinePoint>,
    /// Boxes of the parts; the smallest box around a point names its part.
    pub boxes: Vec<TractBox>,
    /// Heights of landmarks.
    pub heights: LandmarkHeights,
}

/// A stone of the bladder within this distance of the midline belongs to neither side.
const BLADDER_MIDLINE_MM: f64 = 10.0;

impl TractReference {
    /// Patient x (mm) of the midline at a height: linear between its points, constant beyond them.
    pub fn midline_x_mm(&self, z_mm: f64) -> Option<f64> {
        self.along_midline(z_mm, |point| Some(point.x_mm))
    }

    /// Patient y (mm) of the middle of the vertebra at a height: linear between its points, constant beyond them.
    pub fn midline_y_mm(&self, z_mm: f64) -> Option<f64> {
        self.along_midline(z_mm, |point| point.y_mm)
    }

    fn along_midline(&self, z_mm: f64, of: impl Fn(&MidlinePoint) -> Option<f64>) -> Option<f64> {
        let below = self.midline.iter().filter(|p| p.z_mm <= z_mm).max_by(|a, b| a.z_mm.total_cmp(&b.z_mm));
        let above = self.midline.iter().filter(|p| p.z_mm >= z_mm).min_by(|a, b| a.z_mm.total_cmp(&b.z_mm));
        match (below, above) {
            (Some(a), Some(b)) if b.z_mm > a.z_mm => {
                let (low, high) = (of(a)?, of(b)?);
                Some(low + (high - low) * (z_mm - a.z_mm) / (b.z_mm - a.z_mm))
            }
            (Some(point), _) | (None, Some(point)) => of(point),
            (None, None) => None,
        }
    }

    /// The part of the tract at a patient point `[x, y, z]` (mm).
    pub fn part(&self, point_mm: [f64; 3]) -> TractPart {
        self.boxes
            .iter()
            .filter(|b| (0..3).all(|k| b.min_mm[k] <= point_mm[k] && point_mm[k] <= b.max_mm[k]))
            .min_by(|a, b| a.volume().total_cmp(&b.volume()))
            .map_or(TractPart::Unknown, |b| b.part)
    }

    /// The side of a patient point `[x, y, z]` (mm): x grows to the patient's left (PS3.3 C.7.6.2.1.1).
    pub fn side(&self, point_mm: [f64; 3], part: TractPart) -> Side {
        let Some(midline) = self.midline_x_mm(point_mm[2]) else { return Side::Unknown };
        let offset = point_mm[0] - midline;
        if part == TractPart::Bladder && offset.abs() <= BLADDER_MIDLINE_MM {
            Side::Midline
        } else if offset < 0.0 {
            Side::Right
        } else {
            Side::Left
        }
    }
}

impl TractBox {
    fn volume(&self) -> f64 {
        (0..3).map(|k| self.max_mm[k] - self.min_mm[k]).product()
    }
}
