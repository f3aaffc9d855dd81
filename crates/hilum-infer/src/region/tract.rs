//! From landmarks to the levels of the tract, and what the scan covers of it.

pub use hilum_imaging::frame::Side;
use serde::{Deserialize, Serialize};

use super::landmarks::{Landmarks, MidlinePoint, Profile};
use super::{RegionFinding, midline_at};

/// Part of the urinary tract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TractPart {
    /// Kidney with its collecting system.
    Kidney,
    /// Ureter above the sacroiliac joint.
    ProximalUreter,
    /// Ureter over the sacroiliac joint.
    MidUreter,
    /// Ureter below the sacroiliac joint.
    DistalUreter,
    /// Bladder.
    Bladder,
}

/// Where a part of the tract is expected and how much of that the scan shows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartCoverage {
    /// The part.
    pub part: TractPart,
    /// Its side; absent for the bladder.
    pub side: Option<Side>,
    /// Share of the expected height that lies within the scan and its field of view, 0..=1; absent where the level is not known.
    pub covered: Option<f64>,
    /// Lowest patient `[x, y, z]` (mm) of the expected place.
    pub min_mm: [f64; 3],
    /// Highest patient `[x, y, z]` (mm).
    pub max_mm: [f64; 3],
}

/// Heights (patient z, mm), measured or inferred from the nearest landmark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    pub crest: f64,
    /// Highest and lowest height that is searched.
    pub top: f64,
    pub bottom: f64,
    /// Below this a slice shows no kidney, and below `pelvis_top` the pelvis.
    pub kidney_floor: f64,
    pub pelvis_top: f64,
    /// Where the kidneys' upper poles are expected.
    kidney_top: f64,
    symphysis: f64,
}

// Distances between landmarks in adults, mm.
pub(super) const LUNG_BASE_ABOVE_CREST: f64 = 140.0;
const HIP_BELOW_CREST: f64 = 118.0;
const SYMPHYSIS_BELOW_HIP: f64 = 38.0;
const KIDNEY_TOP_ABOVE_LUNG_BASE: f64 = 35.0;
const KIDNEY_TOP_ABOVE_CREST: f64 = 175.0;
const SEARCH_ABOVE_KIDNEY: f64 = 30.0;
const SEARCH_BELOW_SYMPHYSIS: f64 = 18.0;
/// Lungs that narrow at the end of the scan have their base about this far below it.
const BASE_BELOW_TAPERED_END: f64 = 20.0;

impl Levels {
    pub fn of(landmarks: &Landmarks, profiles: &[Profile]) -> Option<Self> {
        let end = profiles.first()?.z_mm;
        let base = landmarks.lung_base_z_mm.or(landmarks.lung_taper_z_mm.map(|_| end - BASE_BELOW_TAPERED_END));
        let crest = landmarks
            .iliac_crest_z_mm
            .or(base.map(|b| b - LUNG_BASE_ABOVE_CREST))
            .or(landmarks.hip_z_mm.map(|h| h + HIP_BELOW_CREST))?;
        let kidney_top = match base {
            Some(base) => base + KIDNEY_TOP_ABOVE_LUNG_BASE,
            None => crest + KIDNEY_TOP_ABOVE_CREST,
        };
        let symphysis = landmarks.hip_z_mm.unwrap_or(crest - HIP_BELOW_CREST) - SYMPHYSIS_BELOW_HIP;
        Some(Self {
            crest,
            top: kidney_top + SEARCH_ABOVE_KIDNEY,
            bottom: symphysis - SEARCH_BELOW_SYMPHYSIS,
            kidney_floor: crest + 5.0,
            pelvis_top: crest - 30.0,
            kidney_top,
            symphysis,
        })
    }

    /// Expected heights of a part, lowest first.
    fn heights(&self, part: TractPart) -> [f64; 2] {
        let joint = [self.crest - 90.0, self.crest - 30.0];
        match part {
            TractPart::Kidney => [self.crest + 45.0, self.kidney_top],
            TractPart::ProximalUreter => [joint[1], self.crest + 90.0],
            TractPart::MidUreter => joint,
            TractPart::DistalUreter => [self.symphysis + 25.0, joint[0]],
            TractPart::Bladder => [self.symphysis + 12.0, self.symphysis + 82.0],
        }
    }
}

/// Every part and side, with the share that the scan shows.
pub(super) fn coverage(
    levels: Option<&Levels>,
    finding: RegionFinding,
    scanned: [f64; 2],
    midline: &[MidlinePoint],
    lateral: &[f64; 2],
) -> Vec<PartCoverage> {
    let Some(levels) = levels else { return Vec::new() };
    let mut parts = Vec::new();
    for part in [
        TractPart::Kidney,
        TractPart::ProximalUreter,
        TractPart::MidUreter,
        TractPart::DistalUreter,
        TractPart::Bladder,
    ] {
        let sides: &[Option<Side>] =
            if part == TractPart::Bladder { &[None] } else { &[Some(Side::Right), Some(Side::Left)] };
        let [low, high] = levels.heights(part);
        let reference = if low < levels.crest { levels.crest } else { f64::midpoint(low, high) };
        let Some([x, _]) = midline_at(midline, f64::midpoint(low, high)) else { continue };
        let Some([_, y]) = midline_at(midline, reference) else { continue };
        for &side in sides {
            // Distance from the midline (mm), inner and outer, and y relative to the vertebra.
            let (inner, outer, front, back) = match part {
                TractPart::Kidney => (15.0, 118.0, -100.0, 55.0),
                TractPart::ProximalUreter | TractPart::MidUreter => (0.0, 85.0, -95.0, 35.0),
                TractPart::DistalUreter => (0.0, 85.0, -130.0, 75.0),
                TractPart::Bladder => (-65.0, 65.0, -130.0, 0.0),
            };
            let [x0, x1] = match side {
                Some(Side::Right) => [x - outer, x - inner],
                Some(Side::Left) | None => [x + inner, x + outer],
            };
            let shown = (high.min(scanned[1]) - low.max(scanned[0])).max(0.0) / (high - low);
            // The organ itself ends well within the box; a field of view that cuts deeper cuts the organ.
            let cut = match side {
                Some(Side::Right) => x - 0.6 * outer < lateral[0],
                Some(Side::Left) => x + 0.6 * outer > lateral[1],
                None => x0 * 0.5 + x * 0.5 < lateral[0] || x1 * 0.5 + x * 0.5 > lateral[1],
            };
            let shown = if cut { shown * 0.5 } else { shown };
            parts.push(PartCoverage {
                part,
                side,
                covered: matches!(finding, RegionFinding::Levelled | RegionFinding::TractNotInScan).then_some(shown),
                min_mm: [x0, y + front, low],
                max_mm: [x1, y + back, high],
            });
        }
    }
    parts
}
