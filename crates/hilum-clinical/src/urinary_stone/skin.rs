//! Distance from skin to stone.

use hilum_imaging::frame::{Cells, Side};
use hilum_imaging::vector::{Point, plus, times};

/// HU half way from air to soft tissue: the skin's surface.
const SURFACE_HU: f64 = -480.0;
/// Step (mm) along a ray.
const STEP_MM: f64 = 0.5;
/// Angles (degrees) from straight to the back towards the side.
const ANGLES: [f64; 3] = [0.0, 45.0, 90.0];

/// Mean of the distances (mm) to the skin in the axial plane, straight to the back, at 45 degrees and straight to the stone's side (Pareek 2005, as
/// studies of shock-wave lithotripsy use it). `None` where the field of view cuts the skin on one of the three ways.
pub fn skin_to_stone_mm(cells: &Cells, stone: Point, side: Side) -> Option<f64> {
    let mut sum = 0.0;
    for angle in ANGLES {
        let (sin, cos) = angle.to_radians().sin_cos();
        sum += surface_mm(cells, stone, [side.sign() * sin, cos, 0.0])?;
    }
    Some(sum / ANGLES.len() as f64)
}

/// Distance (mm) along a direction to where the body ends; `None` where it goes on to the edge of what was read.
fn surface_mm(cells: &Cells, from: Point, direction: Point) -> Option<f64> {
    let start = cells.at(from)?;
    if !cells.body[start] {
        return None;
    }
    let at = |mm: f64| plus(from, times(direction, mm));
    let mut mm = STEP_MM;
    // Where the last cell of the body lies, then where the density falls through the surface's.
    while cells.body[cells.at(at(mm))?] {
        mm += STEP_MM;
    }
    let density = |mm: f64| cells.hu_at(at(mm));
    let mut back = mm + 3.0;
    while density(back).is_none_or(|hu| hu < SURFACE_HU) && back > mm - 12.0 {
        back -= STEP_MM;
    }
    let (inside, outside) = (density(back)?, density(back + STEP_MM)?);
    let part = if inside > outside { ((inside - SURFACE_HU) / (inside - outside)).clamp(0.0, 1.0) } else { 0.0 };
    Some(back + part * STEP_MM)
}

/// Distance (mm) to the nearest skin in the axial plane, along sixteen directions; `None` where the body reaches the edge in all of them.
pub(super) fn nearest_mm(cells: &Cells, point: Point) -> Option<f64> {
    let directions = (0..16).map(|i| (f64::from(i) * std::f64::consts::TAU / 16.0).sin_cos());
    directions.filter_map(|(sin, cos)| surface_mm(cells, point, [sin, cos, 0.0])).min_by(f64::total_cmp)
}
