//! The pelvis: bone of the iliac wings and of the hip joints, right and left.

use hilum_imaging::frame::{Cells, Pelvis, Side};
use hilum_imaging::vector::{Point, minus, norm, plus, times};

use crate::region::{Region, midline_at};

/// Mean HU of a cell that is mostly bone.
const BONE_HU: i16 = 180;
/// Bone nearer to the midline (mm) is spine and sacrum.
const BESIDE_MM: f64 = 45.0;
/// Bands of height (mm) below the iliac crest, and around the hip joint.
const WING_MM: [f64; 2] = [45.0, 10.0];
const HIP_MM: f64 = 10.0;
/// Bone (cm³) that each side of a band shows at least.
const LEAST_CM3: f64 = 4.0;
/// Height of the wings' bone above the hips', relative to half the width of the wings, in adults.
const HEIGHT_BY_WIDTH: f64 = 1.30;
/// Heights of an adult's pelvis relative to half its width; beyond them a landmark is wrong.
const PLAUSIBLE: [f64; 2] = [0.95, 1.8];
/// The pelvis stands upright where one of its landmarks is not seen.
const HEADWARDS: Point = [0.0, 0.0, 1.0];
/// Half the width at the hips relative to that at the wings.
const HIPS_BY_WINGS: f64 = 1.0;

/// Finds the pelvis from the iliac wings, from the hip joints, or from both, as far as the scan shows them.
pub(super) fn find(cells: &Cells, region: &Region) -> Option<Pelvis> {
    let marks = &region.landmarks;
    let wings = marks.iliac_crest_z_mm.and_then(|z| bone(cells, region, [z - WING_MM[0], z - WING_MM[1]]));
    let hips = marks.hip_z_mm.and_then(|z| bone(cells, region, [z - HIP_MM, z + HIP_MM]));
    let across = |pair: [Point; 2]| minus(pair[Side::Left.index()], pair[Side::Right.index()]);
    let middle = |pair: [Point; 2]| times(plus(pair[0], pair[1]), 0.5);
    match (wings, hips) {
        (Some(wings), Some(hips)) => {
            let upwards = minus(middle(wings), middle(hips));
            let axes = Pelvis::axes_of(plus(across(hips), across(wings)), upwards);
            let half_width_mm = norm(across(hips)) / 2.0;
            let height_mm = norm(upwards);
            let plausible = (PLAUSIBLE[0]..=PLAUSIBLE[1]).contains(&(height_mm / half_width_mm));
            let pelvis = Pelvis { origin: middle(hips), axes, half_width_mm, height_mm, hips_seen: true };
            plausible.then_some(pelvis)
        }
        (Some(wings), None) => {
            let half_wings = norm(across(wings)) / 2.0;
            let height_mm = HEIGHT_BY_WIDTH * half_wings;
            let axes = Pelvis::axes_of(across(wings), HEADWARDS);
            let origin = minus(middle(wings), times(axes[2], height_mm));
            Some(Pelvis { origin, axes, half_width_mm: HIPS_BY_WINGS * half_wings, height_mm, hips_seen: false })
        }
        (None, Some(hips)) => {
            let half_width_mm = norm(across(hips)) / 2.0;
            let height_mm = HEIGHT_BY_WIDTH * half_width_mm / HIPS_BY_WINGS;
            let axes = Pelvis::axes_of(across(hips), HEADWARDS);
            Some(Pelvis { origin: middle(hips), axes, half_width_mm, height_mm, hips_seen: true })
        }
        (None, None) => None,
    }
}

/// Centres of the bone beside the midline between two heights, right and left; absent where a side shows too little.
fn bone(cells: &Cells, region: &Region, [low, high]: [f64; 2]) -> Option<[Point; 2]> {
    let cell_cm3 = cells.geometry.voxel_volume_mm3() / 1000.0;
    let (mut sums, mut counts) = ([[0.0; 3]; 2], [0.0; 2]);
    for (z, slice) in cells.hu.outer_iter().enumerate() {
        let height = cells.geometry.patient_from_index([z as f64, 0.0, 0.0])[2];
        if !(low..=high).contains(&height) {
            continue;
        }
        let [middle, _] = midline_at(&region.midline, height)?;
        for ((y, x), hu) in slice.indexed_iter() {
            if *hu < BONE_HU || !cells.body[[z, y, x]] {
                continue;
            }
            let p = cells.geometry.patient_from_index([z, y, x].map(|i| i as f64));
            let beside = p[0] - middle;
            if beside.abs() > BESIDE_MM {
                let side = usize::from(beside > 0.0);
                sums[side] = plus(sums[side], p);
                counts[side] += 1.0;
            }
        }
    }
    let enough = counts.iter().all(|n| n * cell_cm3 >= LEAST_CM3);
    enough.then(|| [0, 1].map(|side| times(sums[side], 1.0 / counts[side])))
}
