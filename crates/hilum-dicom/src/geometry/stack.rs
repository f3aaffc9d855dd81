//! A set of slices checked as one stack.

use std::collections::BTreeSet;

use hilum_imaging::Affine;
use serde::{Deserialize, Serialize};

use super::finding::GeometryFinding;
use super::orientation::{Frame, Orientations};
use super::placement::SlicePlacement;
use super::steps;
use super::vector::{degrees_between, length, minus, scaled};

/// A slice may lie this many millimetres off its even place (positions are decimal text, often rounded) ...
pub const TOLERATED_JITTER_MM: f64 = 0.01;
/// ... or this part of the slice spacing, whichever is more.
pub const TOLERATED_JITTER_SPACINGS: f64 = 0.01;
/// Two orientations within this angle are one.
pub const TOLERATED_ANGLE_DEGREES: f64 = 0.1;
/// A shear below this angle is no gantry tilt; the affine follows it all the same.
pub const TOLERATED_SHEAR_DEGREES: f64 = 0.2;
/// Sideways, a slice may lie this part of a pixel off the line of the stack.
pub const TOLERATED_SHIFT_PIXELS: f64 = 0.1;
/// A stated tilt below this says nothing.
const SMALLEST_STATED_TILT_DEGREES: f64 = 0.5;
/// Two pixel spacings within this are one (decimal text with 4 decimals).
const TOLERATED_PIXEL_MM: f64 = 1e-4;

/// The patient's plane in which the slices lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnatomicalPlane {
    /// Across the long axis of the body.
    Axial,
    /// Parallel to the front of the body.
    Coronal,
    /// Dividing left from right.
    Sagittal,
    /// More than 35 degrees off each of these.
    Oblique,
}

/// What is known about a stack of slices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackCheck {
    /// Indices into the given slices in stack order: along the patient axis nearest to the normal, foot to head (axial),
    /// front to back (coronal), right to left (sagittal), whatever the sign of the orientation. Slices of one place follow
    /// by SOP Instance UID and frame, slices without a place come last.
    pub order: Vec<usize>,
    /// Plane of the slices; absent without one common orientation.
    pub plane: Option<AnatomicalPlane>,
    /// Voxel `[z, y, x]` (z in stack order) to patient mm; present exactly where [`volume_allowed`](Self::volume_allowed).
    pub affine: Option<Affine>,
    /// Distance `[between rows, between columns]` in mm; valid for measures within a slice whatever z does.
    pub in_plane_mm: Option<[f64; 2]>,
    /// Distance between neighbouring slices along the normal in mm, where it is even.
    pub slice_spacing_mm: Option<f64>,
    /// Everything found against the stack; each finding refuses the volume, an empty list allows it.
    pub findings: Vec<GeometryFinding>,
}

impl StackCheck {
    /// Whether 3D measures and volume reading are allowed.
    pub fn volume_allowed(&self) -> bool {
        self.affine.is_some()
    }
}

/// Orders the slices of ONE series and checks that they make an even stack.
pub fn check_stack(slices: &[SlicePlacement]) -> StackCheck {
    let mut findings = Vec::new();
    if slices.len() < 2 {
        findings.push(GeometryFinding::SingleSlice);
    }
    let series: BTreeSet<_> = slices.iter().map(|slice| &slice.series).collect();
    if series.len() > 1 {
        findings.push(GeometryFinding::MixedSeries { series: series.len() });
    }
    check_sizes(slices, &mut findings);
    let in_plane_mm = common_pixel_spacing(slices, &mut findings);
    let orientations = Orientations::of(slices, &mut findings);
    let missing = slices.iter().filter(|slice| position(slice).is_none()).count();
    if missing > 0 {
        findings.push(GeometryFinding::MissingPosition { slices: missing });
    }
    let order = stack_order(slices, &orientations);
    let common = orientations.common();
    let mut check = StackCheck {
        order,
        plane: common.map(|frame| frame.plane()),
        affine: None,
        in_plane_mm,
        slice_spacing_mm: None,
        findings,
    };
    if let Some(frame) = common {
        let placed: Vec<(usize, [f64; 3])> = check
            .order
            .iter()
            .enumerate()
            .filter_map(|(place, &slice)| position(&slices[slice]).map(|position| (place, position)))
            .collect();
        let step = check_positions(&mut check, &frame, &placed);
        check_tilt(&mut check.findings, &frame, slices, step);
        if let (true, Some(step), Some(&(_, origin))) = (check.findings.is_empty(), step, placed.first()) {
            check.affine = affine(&frame, origin, step, in_plane_mm);
        }
    }
    check
}

/// The affine of a slice that stands alone, for work within it: voxel `[0, y, x]` to patient mm. The step to a next slice is 1 mm along the normal
/// and says nothing about the scan. None where position, orientation or pixel spacing cannot be had.
pub fn lone_slice_affine(slice: &SlicePlacement) -> Option<Affine> {
    let mut findings = Vec::new();
    let alone = std::slice::from_ref(slice);
    let in_plane_mm = common_pixel_spacing(alone, &mut findings);
    let frame = Orientations::of(alone, &mut findings).common()?;
    affine(&frame, position(slice)?, frame.normal, in_plane_mm)
}

fn position(slice: &SlicePlacement) -> Option<[f64; 3]> {
    slice.position.filter(|p| p.iter().all(|v| v.is_finite()))
}

fn affine(frame: &Frame, origin: [f64; 3], step: [f64; 3], in_plane_mm: Option<[f64; 2]>) -> Option<Affine> {
    let [between_rows, between_columns] = in_plane_mm?;
    Affine::new(origin, [step, scaled(frame.down_column, between_rows), scaled(frame.along_row, between_columns)]).ok()
}

fn check_sizes(slices: &[SlicePlacement], findings: &mut Vec<GeometryFinding>) {
    let mut sizes: Vec<[u32; 2]> = Vec::new();
    for slice in slices {
        let size = [slice.rows, slice.columns];
        if !sizes.contains(&size) {
            sizes.push(size);
        }
    }
    if sizes.len() > 1 {
        findings.push(GeometryFinding::DifferentSizes { sizes });
    }
}

fn common_pixel_spacing(slices: &[SlicePlacement], findings: &mut Vec<GeometryFinding>) -> Option<[f64; 2]> {
    let mut different: Vec<[f64; 2]> = Vec::new();
    let mut missing = 0;
    for slice in slices {
        match slice.pixel_spacing.filter(|s| s.iter().all(|v| v.is_finite() && *v > 0.0)) {
            None => missing += 1,
            Some(spacing) => {
                let near =
                    |known: &[f64; 2]| known.iter().zip(spacing).all(|(a, b)| (a - b).abs() <= TOLERATED_PIXEL_MM);
                if !different.iter().any(near) {
                    different.push(spacing);
                }
            }
        }
    }
    if missing > 0 {
        findings.push(GeometryFinding::MissingPixelSpacing { slices: missing });
    }
    match different.as_slice() {
        [spacing] if missing == 0 => return Some(*spacing),
        [] | [_] => {}
        _ => findings.push(GeometryFinding::MixedPixelSpacing { spacings_mm: different }),
    }
    None
}

/// Groups by orientation, then along each group's normal.
fn stack_order(slices: &[SlicePlacement], orientations: &Orientations) -> Vec<usize> {
    let key = |i: usize| {
        let group = orientations.of_slice[i];
        let along = group.and_then(|g| position(&slices[i]).map(|p| orientations.frames[g].along_normal(p)));
        (along.is_none(), group.unwrap_or(usize::MAX), along.unwrap_or(0.0))
    };
    let mut order: Vec<usize> = (0..slices.len()).collect();
    order.sort_by(|&a, &b| {
        let ((a_lost, a_group, a_along), (b_lost, b_group, b_along)) = (key(a), key(b));
        (a_lost, a_group)
            .cmp(&(b_lost, b_group))
            .then(a_along.total_cmp(&b_along))
            .then_with(|| slices[a].sop.as_ref().cmp(slices[b].sop.as_ref()))
            .then(slices[a].frame.cmp(&slices[b].frame))
    });
    order
}

/// Checks the places (stack index, position) along the normal and sideways; the step from slice to slice where it is even.
fn check_positions(check: &mut StackCheck, frame: &Frame, placed: &[(usize, [f64; 3])]) -> Option<[f64; 3]> {
    let along: Vec<f64> = placed.iter().map(|(_, p)| frame.along_normal(*p)).collect();
    let positions = steps::duplicates(&along);
    if !positions.is_empty() {
        check.findings.push(GeometryFinding::Duplicate { positions });
    }
    // One slice of each place.
    let mut distinct: Vec<(usize, f64, [f64; 3])> = Vec::new();
    for (&(place, point), &t) in placed.iter().zip(&along) {
        match distinct.last_mut() {
            Some(last) if t - last.1 <= TOLERATED_JITTER_MM => last.0 = place,
            _ => distinct.push((place, t, point)),
        }
    }
    let (&(_, first_t, first), &(_, last_t, last)) = (distinct.first()?, distinct.last()?);
    if distinct.len() < 2 {
        return None;
    }
    let distinct_t: Vec<f64> = distinct.iter().map(|d| d.1).collect();
    check.slice_spacing_mm = steps::even_spacing(&distinct_t);
    if check.slice_spacing_mm.is_none() {
        let places: Vec<usize> = distinct.iter().map(|d| d.0).collect();
        steps::explain(&distinct_t, &places, &mut check.findings);
    }

    let way = minus(last, first);
    let allowed = check.in_plane_mm.map_or(TOLERATED_JITTER_MM, |[rows, columns]| {
        (rows.min(columns) * TOLERATED_SHIFT_PIXELS).max(TOLERATED_JITTER_MM)
    });
    let largest_mm = distinct
        .iter()
        .map(|(_, t, point)| {
            let on_line = scaled(way, (t - first_t) / (last_t - first_t));
            length(minus(minus(*point, first), on_line))
        })
        .fold(0.0_f64, f64::max);
    if largest_mm > allowed {
        check.findings.push(GeometryFinding::LateralShift { largest_mm });
    }
    let degrees = degrees_between(way, frame.normal);
    let sideways = length(minus(way, scaled(frame.normal, last_t - first_t)));
    // Rounded positions of a short stack can point anywhere.
    if degrees > TOLERATED_SHEAR_DEGREES && sideways > 2.0 * TOLERATED_JITTER_MM {
        check.findings.push(GeometryFinding::GantryTilt { degrees });
    }
    Some(scaled(way, 1.0 / (distinct.len() - 1) as f64))
}

/// A stated tilt must be seen: as a shear, or as a plane that leans by it.
fn check_tilt(findings: &mut Vec<GeometryFinding>, frame: &Frame, slices: &[SlicePlacement], step: Option<[f64; 3]>) {
    let sheared = findings.iter().any(|f| matches!(f, GeometryFinding::GantryTilt { .. }));
    let stated_degrees =
        slices.iter().filter_map(|s| s.gantry_tilt).fold(0.0_f64, |a, b| if b.abs() > a.abs() { b } else { a });
    let plane_degrees = frame.degrees_off_axis();
    let unseen = plane_degrees < stated_degrees.abs() / 2.0;
    if step.is_some() && !sheared && stated_degrees.abs() >= SMALLEST_STATED_TILT_DEGREES && unseen {
        findings.push(GeometryFinding::GantryTiltContradicted { stated_degrees, plane_degrees });
    }
}
