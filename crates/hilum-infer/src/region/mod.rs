//! Where kidneys, ureters and bladder are, well enough to look only there, and which of them the scan does not show.
//!
//! Everything is read off landmarks in patient coordinates (lung bases, iliac crests, hip joints, the spine), so that prone,
//! feet-first, mirrored or shifted patients make no difference. Distances between the landmarks are those of adults.

mod body;
mod coarse;
mod frame;
mod landmarks;
mod tract;

use serde::{Deserialize, Serialize};

pub use coarse::{Coarse, CoarseBuilder};
pub use frame::find_frame;
pub use landmarks::{Landmarks, MidlinePoint};
pub use tract::{PartCoverage, Side, TractPart};

use landmarks::{Profile, landmarks, profiles};
use tract::Levels;

/// The part of one slice that is searched: patient `[x, y]` (mm).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SliceBox {
    /// Lowest x and y.
    pub min_mm: [f64; 2],
    /// Highest x and y.
    pub max_mm: [f64; 2],
}

/// What could be said about the place of the urinary tract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionFinding {
    /// The levels come from landmarks that the scan shows.
    Levelled,
    /// A trunk without any landmark: all of it is searched, and what it covers is not known.
    LevelUnknown,
    /// The scan ends above the kidneys or below the bladder.
    TractNotInScan,
    /// No slice is large enough for an adult's trunk (a head, a neck, a limb, air).
    NoTrunk,
}

/// Where to look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// What is known.
    pub finding: RegionFinding,
    /// Landmarks seen.
    pub landmarks: Landmarks,
    /// The midline through the spine, feet first.
    pub midline: Vec<MidlinePoint>,
    /// Every part of the tract, where it is expected, and whether the scan covers it.
    pub parts: Vec<PartCoverage>,
    /// For each slice of the stack, in stack order, the box that is searched.
    pub slices: Vec<Option<SliceBox>>,
}

/// Half widths and depths (mm) around the middle of the vertebral bone: sideways, to the front, to the back.
const KIDNEY_BOX_MM: [f64; 3] = [118.0, 100.0, 55.0];
const URETER_BOX_MM: [f64; 3] = [85.0, 95.0, 35.0];
const PELVIS_BOX_MM: [f64; 3] = [85.0, 130.0, 75.0];
/// Skin and subcutaneous fat (mm) that is never searched.
const SKIN_MM: f64 = 8.0;

/// Finds the region on the coarse volume of a scan. Never fails: a scan without a trunk gives a region without slices.
pub fn find_urinary_region(coarse: &Coarse) -> Region {
    let (profiles, mut midline) = profiles(coarse);
    let landmarks = landmarks(&profiles);
    let scanned = scanned_heights(coarse);
    let levels = Levels::of(&landmarks, &profiles);
    if let Some(levels) = &levels {
        // Below the sacrum there is no spine: the midline goes on straight.
        let at_crest = midline_at(&midline, levels.pelvis_top).map_or(0.0, |p| p[0]);
        midline.iter_mut().filter(|p| p.z_mm < levels.pelvis_top).for_each(|p| p.x_mm = at_crest);
    }
    let finding = match (&levels, landmarks.trunk_z_mm) {
        (_, None) => RegionFinding::NoTrunk,
        (Some(levels), _) if levels.top < scanned[0] || levels.bottom > scanned[1] => RegionFinding::TractNotInScan,
        (Some(_), _) => RegionFinding::Levelled,
        (None, _) if landmarks.lung_at_lower_end => RegionFinding::TractNotInScan,
        (None, Some(_)) => RegionFinding::LevelUnknown,
    };
    let search = match finding {
        RegionFinding::Levelled => levels.as_ref().map(|l| [l.bottom, l.top]),
        RegionFinding::LevelUnknown => landmarks.trunk_z_mm,
        RegionFinding::TractNotInScan | RegionFinding::NoTrunk => None,
    };
    let box_at = |z_mm: f64| -> Option<SliceBox> {
        let [bottom, top] = search?;
        if !(bottom..=top).contains(&z_mm) {
            return None;
        }
        slice_box(z_mm, levels.as_ref(), &profiles, &midline)
    };
    let slices = (0..coarse.source_slices).map(|s| box_at(slice_z(coarse, s as f64))).collect::<Vec<_>>();
    let parts = tract::coverage(levels.as_ref(), finding, scanned, &midline, &lateral_limits(coarse));
    Region { finding, landmarks, midline, parts, slices }
}

impl Region {
    /// The part of the tract whose expected place holds a patient point `[x, y, z]` (mm), the smallest of several.
    pub fn part_at(&self, point_mm: [f64; 3]) -> Option<TractPart> {
        let inside = |p: &&PartCoverage| (0..3).all(|k| p.min_mm[k] <= point_mm[k] && point_mm[k] <= p.max_mm[k]);
        let size = |p: &PartCoverage| (0..3).map(|k| p.max_mm[k] - p.min_mm[k]).product::<f64>();
        self.parts.iter().filter(inside).min_by(|a, b| size(a).total_cmp(&size(b))).map(|p| p.part)
    }

    /// Patient x and y (mm) of the midline at a height: linear between its points, constant beyond them.
    pub fn midline_at(&self, z_mm: f64) -> Option<[f64; 2]> {
        midline_at(&self.midline, z_mm)
    }
}

fn midline_at(midline: &[MidlinePoint], z_mm: f64) -> Option<[f64; 2]> {
    let above = midline.partition_point(|p| p.z_mm <= z_mm);
    let (low, high) = (midline.get(above.saturating_sub(1))?, midline.get(above.min(midline.len() - 1))?);
    let span = high.z_mm - low.z_mm;
    let f = if span > 0.0 { ((z_mm - low.z_mm) / span).clamp(0.0, 1.0) } else { 0.0 };
    Some([low.x_mm + f * (high.x_mm - low.x_mm), low.y_mm + f * (high.y_mm - low.y_mm)])
}

/// Patient z (mm) of the middle of source slice `s`.
fn slice_z(coarse: &Coarse, s: f64) -> f64 {
    let (_, ny, nx) = coarse.hu.dim();
    let middle = coarse.geometry.patient_from_index([0.0, (ny as f64 - 1.0) / 2.0, (nx as f64 - 1.0) / 2.0]);
    let in_source = coarse.source.index_from_patient(middle);
    coarse.source.patient_from_index([s, in_source[1], in_source[2]])[2]
}

/// Lowest and highest patient z of the source's slices.
fn scanned_heights(coarse: &Coarse) -> [f64; 2] {
    let ends = [slice_z(coarse, 0.0), slice_z(coarse, coarse.source_slices.max(1) as f64 - 1.0)];
    [ends[0].min(ends[1]), ends[0].max(ends[1])]
}

/// Lowest and highest patient x of the field of view.
fn lateral_limits(coarse: &Coarse) -> [f64; 2] {
    let (_, _, nx) = coarse.hu.dim();
    let x = |i: f64| coarse.geometry.patient_from_index([0.0, 0.0, i])[0];
    [x(-0.5), x(nx as f64 - 0.5)]
}

fn slice_box(z_mm: f64, levels: Option<&Levels>, profiles: &[Profile], midline: &[MidlinePoint]) -> Option<SliceBox> {
    let [x, mut y] = midline_at(midline, z_mm)?;
    let nearest = profiles.iter().min_by(|a, b| (a.z_mm - z_mm).abs().total_cmp(&(b.z_mm - z_mm).abs()))?;
    let body = nearest.body_mm?;
    let sides = match levels {
        Some(levels) if z_mm < levels.pelvis_top => {
            // Below the crests the sacrum bends away: the level of the crests stays the reference.
            y = midline_at(midline, levels.crest)?[1];
            PELVIS_BOX_MM
        }
        Some(levels) if z_mm < levels.kidney_floor => URETER_BOX_MM,
        Some(_) => KIDNEY_BOX_MM,
        None => [0, 1, 2].map(|k: usize| KIDNEY_BOX_MM[k].max(PELVIS_BOX_MM[k])),
    };
    let min_mm = [(x - sides[0]).max(body[0][0] + SKIN_MM), (y - sides[1]).max(body[0][1] + SKIN_MM)];
    let max_mm = [(x + sides[0]).min(body[1][0] - SKIN_MM), (y + sides[2]).min(body[1][1] - SKIN_MM)];
    (min_mm[0] < max_mm[0] && min_mm[1] < max_mm[1]).then_some(SliceBox { min_mm, max_mm })
}
