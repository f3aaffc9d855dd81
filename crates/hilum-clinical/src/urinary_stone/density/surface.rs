//! Sizes from the surface at half height, interpolated between the voxels.

use std::f64::consts::PI;

use super::ellipsoid::directions;
use super::lattice::Lattice;
use super::linear::{dot, minus};

/// Sizes of one surface.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sizes {
    /// Volume in mm³.
    pub volume: f64,
    /// Largest distance of two points, mm.
    pub diameter: f64,
    /// The same within one axial plane.
    pub axial: f64,
    /// The same within one coronal plane.
    pub coronal: f64,
    /// Extent perpendicular to the largest axial distance, within its plane.
    pub width: f64,
    /// Centre of mass, patient mm.
    pub centre: [f64; 3],
}

/// Distance (mm) of the samples between which the surface is interpolated.
const SAMPLE_MM: f64 = 0.25;
/// Samples along the longest side are so many at most.
const MOST_SAMPLES: f64 = 90.0;
/// Thickness (mm) of the slab that stands for a plane.
const SLAB_MM: f64 = 0.5;
const ANGLES: usize = 90;

/// Sizes of what lies above `level` and is joined with `core`, whose voxels all lie above it. `None` of an empty core.
pub(super) fn sizes(lattice: &Lattice, values: &[f64], core: &[usize], level: f64) -> Option<Sizes> {
    let first = lattice.index(*core.first()?);
    let (mut low, mut high) = (first, first);
    let mut near = vec![false; lattice.len()];
    for v in core {
        near[*v] = true;
        lattice.neighbours(*v, |other| near[other] = true);
        let at = lattice.index(*v);
        for k in 0..3 {
            low[k] = low[k].min(at[k]);
            high[k] = high[k].max(at[k]);
        }
    }
    for k in 0..3 {
        low[k] = low[k].saturating_sub(1);
        high[k] = (high[k] + 1).min(lattice.dim[k] - 1);
    }
    let longest = (0..3).map(|k| (high[k] - low[k]) as f64 * lattice.spacing[k]).fold(0.0, f64::max);
    let step = SAMPLE_MM.max(longest / MOST_SAMPLES);
    let counts: [usize; 3] =
        std::array::from_fn(|k| ((high[k] - low[k]) as f64 * lattice.spacing[k] / step).ceil() as usize + 1);
    let scale: [f64; 3] = std::array::from_fn(|k| (high[k] - low[k]) as f64 / (counts[k] - 1).max(1) as f64);
    let value = |v: usize| if near[v] { values[v] } else { values[v].min(0.0) };
    let samples = resampled(lattice, &value, low, counts, scale);
    let at = |i: [usize; 3]| (i[0] * counts[1] + i[1]) * counts[2] + i[2];
    let place =
        |i: [f64; 3]| lattice.geometry.patient_from_index(std::array::from_fn(|k| low[k] as f64 + i[k] * scale[k]));
    let mut points = Vec::new();
    let (mut inside, mut sum) = (0_usize, [0.0; 3]);
    for z in 0..counts[0] {
        for y in 0..counts[1] {
            for x in 0..counts[2] {
                let here = samples[at([z, y, x])] - level;
                let index = [z as f64, y as f64, x as f64];
                if here >= 0.0 {
                    inside += 1;
                    for k in 0..3 {
                        sum[k] += index[k];
                    }
                }
                for (axis, last) in counts.iter().enumerate() {
                    let mut next = [z, y, x];
                    next[axis] += 1;
                    if next[axis] == *last {
                        continue;
                    }
                    let there = samples[at(next)] - level;
                    if (here >= 0.0) != (there >= 0.0) {
                        let mut crossing = index;
                        crossing[axis] += here / (here - there);
                        points.push(place(crossing));
                    }
                }
            }
        }
    }
    if inside == 0 || points.is_empty() {
        return None;
    }
    let cell = lattice.geometry.voxel_volume_mm3() * scale.iter().product::<f64>();
    Some(Sizes { volume: inside as f64 * cell, centre: place(sum.map(|s| s / inside as f64)), ..extents(&points) })
}

/// Values at even positions between the voxels `low` and `high`, linear along each axis.
fn resampled(
    lattice: &Lattice,
    value: &impl Fn(usize) -> f64,
    low: [usize; 3],
    counts: [usize; 3],
    scale: [f64; 3],
) -> Vec<f64> {
    let place = |k: usize, i: usize| {
        let f = low[k] as f64 + i as f64 * scale[k];
        let base = (f.floor() as usize).min(lattice.dim[k] - 1);
        (base, (base + 1).min(lattice.dim[k] - 1), f - base as f64)
    };
    let mut out = Vec::with_capacity(counts.iter().product());
    for z in 0..counts[0] {
        let (z0, z1, tz) = place(0, z);
        for y in 0..counts[1] {
            let (y0, y1, ty) = place(1, y);
            for x in 0..counts[2] {
                let (x0, x1, tx) = place(2, x);
                let line = |z: usize, y: usize| {
                    value(lattice.flat([z, y, x0])) * (1.0 - tx) + value(lattice.flat([z, y, x1])) * tx
                };
                let plane = |z: usize| line(z, y0) * (1.0 - ty) + line(z, y1) * ty;
                out.push(plane(z0) * (1.0 - tz) + plane(z1) * tz);
            }
        }
    }
    out
}

/// Lengths of a cloud of surface points; volume and centre are left out.
pub(super) fn extents(points: &[[f64; 3]]) -> Sizes {
    // Patient y is the coronal planes' normal, z the axial planes' (PS3.3 C.7.6.2.1.1).
    let (axial, width) = largest_in_planes(points, 2);
    let (coronal, _) = largest_in_planes(points, 1);
    Sizes { diameter: largest_distance(points), axial, coronal, width, ..Sizes::default() }
}

/// The largest distance: from many directions, the farthest pair along each, whose own direction is tried until nothing is gained.
fn largest_distance(points: &[[f64; 3]]) -> f64 {
    let pair = |d: [f64; 3]| {
        let (mut low, mut high) = ((f64::INFINITY, 0), (f64::NEG_INFINITY, 0));
        for (i, p) in points.iter().enumerate() {
            let along = dot(d, *p);
            if along < low.0 {
                low = (along, i);
            }
            if along > high.0 {
                high = (along, i);
            }
        }
        minus(points[high.1], points[low.1])
    };
    let mut best = 0.0_f64;
    for start in directions(80).filter(|d| d[2] >= 0.0) {
        let (mut direction, mut length) = (start, 0.0_f64);
        loop {
            let span = pair(direction);
            let further = dot(span, span).sqrt();
            if further <= length * (1.0 + 1e-9) {
                break;
            }
            length = further;
            direction = span.map(|s| s / further);
        }
        best = best.max(length);
    }
    best
}

/// The largest extent within one plane across patient axis `normal`, and the extent perpendicular to it there.
fn largest_in_planes(points: &[[f64; 3]], normal: usize) -> (f64, f64) {
    let [u, v] = [[1, 2], [0, 2], [0, 1]][normal];
    let low = points.iter().map(|p| p[normal]).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|p| p[normal]).fold(f64::NEG_INFINITY, f64::max);
    let slabs = (((high - low) / SLAB_MM).round() as usize).max(1);
    let mut within = vec![Vec::new(); slabs];
    for p in points {
        let slab = ((p[normal] - low) / (high - low).max(1e-9) * slabs as f64) as usize;
        within[slab.min(slabs - 1)].push([p[u], p[v]]);
    }
    let mut best = (0.0, 0.0);
    for slab in within.iter().filter(|slab| slab.len() > 2) {
        let caliper = |angle: usize| {
            let (sin, cos) = (angle as f64 * PI / ANGLES as f64).sin_cos();
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for p in slab {
                let along = p[0] * cos + p[1] * sin;
                low = f64::min(low, along);
                high = f64::max(high, along);
            }
            high - low
        };
        for angle in 0..ANGLES {
            let length = caliper(angle);
            if length > best.0 {
                best = (length, caliper((angle + ANGLES / 2) % ANGLES));
            }
        }
    }
    best
}
