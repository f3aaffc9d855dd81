//! One stone in a small volume: the stones and the scanner of [`super::generate`] without a body around them, for measuring measurements.

use std::f64::consts::PI;

use ndarray::{Array3, Axis};

use super::dice::{Dice, Purpose};
use super::recipe::{Kernel, PhantomError, within};
use super::scanner::{grain, point_spread};
use super::shapes::Point;
use super::stone_shape::StoneShape;
use super::stones::{mark, truth_of};
use super::truth::StoneTruth;
use crate::vector::dot;
use crate::{Affine, Mask, Volume};

/// What lies around the stone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surroundings {
    /// Urine on all sides (5 HU).
    Urine,
    /// Renal parenchyma on all sides (32 HU).
    Kidney,
    /// Renal parenchyma on one side and fat (-95 HU) on the other, the border close to the stone's surface.
    KidneyAndFat,
}

/// Everything [`scan_stone`] needs; equal values give equal bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoneScan {
    /// Seed of shape, place, direction and noise.
    pub seed: u64,
    /// Largest diameter in mm, 1-25.
    pub diameter_mm: f64,
    /// Mean HU of the stone's material, 200-1,700.
    pub hu: f64,
    /// Slice thickness in mm, 0.5-10.
    pub slice_thickness_mm: f64,
    /// Distance of slice centres in mm, 0.5-10.
    pub slice_spacing_mm: f64,
    /// Pixel spacing in mm, 0.4-1.5.
    pub pixel_mm: f64,
    /// Reconstruction kernel.
    pub kernel: Kernel,
    /// Standard deviation of the noise in HU, 0-100.
    pub noise_hu: f64,
    /// What lies around it.
    pub surroundings: Surroundings,
}

/// The scan and what is known about its stone.
#[derive(Clone, Debug)]
pub struct ScannedStone {
    /// HU `[z, y, x]` of an axial stack, feet first.
    pub volume: Volume,
    /// The voxels of which at least half is stone, and the voxel of its centre.
    pub truth: Mask,
    /// The stone as it was made.
    pub stone: StoneTruth,
    /// Largest distance (mm) of two points of its surface within one axial plane.
    pub axial_diameter_mm: f64,
    /// Largest distance (mm) of two points of its surface within one coronal plane.
    pub coronal_diameter_mm: f64,
    /// Largest extent (mm) perpendicular to the largest axial diameter, within its plane.
    pub width_mm: f64,
}

/// Scans one stone. Errors: a number out of its range.
pub fn scan_stone(scan: &StoneScan) -> Result<ScannedStone, PhantomError> {
    within("diameter_mm", scan.diameter_mm, 1.0, 25.0, "1 to 25 mm")?;
    within("hu", scan.hu, 200.0, 1700.0, "200 to 1,700 HU")?;
    within("slice_thickness_mm", scan.slice_thickness_mm, 0.5, 10.0, "0.5 to 10 mm")?;
    within("slice_spacing_mm", scan.slice_spacing_mm, 0.5, 10.0, "0.5 to 10 mm")?;
    within("pixel_mm", scan.pixel_mm, 0.4, 1.5, "0.4 to 1.5 mm")?;
    within("noise_hu", scan.noise_hu, 0.0, 100.0, "0 to 100 HU")?;
    let mut dice = Dice::new(scan.seed, Purpose::StoneScan);
    // The noise is drawn in pairs.
    let side = (((scan.diameter_mm + 26.0) / scan.pixel_mm).ceil() as usize).next_multiple_of(2);
    let slices = ((scan.diameter_mm + 18.0) / scan.slice_spacing_mm).ceil() as usize + 4;
    let spacing = [scan.slice_spacing_mm, scan.pixel_mm, scan.pixel_mm];
    let half = [slices, side, side].map(|n| (n as f64 - 1.0) / 2.0);
    let grid = Affine::axial([-half[2] * spacing[2], -half[1] * spacing[1], -half[0] * spacing[0]], spacing)?;
    // Anywhere between the voxels of the middle.
    let centre: Point = [2, 1, 0].map(|axis| spacing[axis] * dice.between(-0.5, 0.5));
    let (long, slender) = (dice.unit_vector(), dice.between(0.55, 0.95));
    let shape = StoneShape::new(centre, long, slender, scan.diameter_mm, scan.hu, &mut dice);
    let border = (dice.unit_vector(), dice.between(-0.1, 0.6) * scan.diameter_mm);
    let mut hu = Array3::<i16>::zeros((slices, side, side));
    for (z, mut plane) in hu.axis_iter_mut(Axis(0)).enumerate() {
        let mut image = slice(scan, &grid, &shape, centre, border, z, side);
        point_spread(&mut image, side, scan.kernel, scan.pixel_mm);
        let noise = grain(side, scan.noise_hu, scan.kernel, &mut Dice::for_slice(scan.seed, z), scan.pixel_mm);
        for (voxel, (value, n)) in plane.iter_mut().zip(image.into_iter().zip(noise)) {
            *voxel = (value + n).round().clamp(-1024.0, 3071.0) as i16;
        }
    }
    let mut labels = Array3::zeros(hu.dim());
    let voxels = mark(&shape, centre, &grid, &mut labels);
    let surface = shape.surface(20_000);
    let (axial_diameter_mm, width_mm) = largest_in_planes(&surface, 2);
    let (coronal_diameter_mm, _) = largest_in_planes(&surface, 1);
    Ok(ScannedStone {
        volume: Volume { hu, geometry: grid },
        truth: Mask { labels, geometry: grid },
        stone: truth_of(1, None, None, &shape, centre, scan.diameter_mm, voxels),
        axial_diameter_mm,
        coronal_diameter_mm,
        width_mm,
    })
}

/// The mean over the slice's thickness, before the point spread. `border` is the unit normal of the tissue border and its distance from `centre`.
fn slice(
    scan: &StoneScan,
    grid: &Affine,
    shape: &StoneShape,
    centre: Point,
    border: (Point, f64),
    z: usize,
    side: usize,
) -> Vec<f32> {
    const THIN: usize = 8;
    let thickness = scan.slice_thickness_mm / scan.slice_spacing_mm;
    let beyond = |index: [f64; 3]| {
        let p = grid.patient_from_index(index);
        let d = dot(border.0, [p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]]) - border.1;
        (0.5 + d / scan.pixel_mm).clamp(0.0, 1.0)
    };
    let tissue = |y: usize, x: usize| match scan.surroundings {
        Surroundings::Urine => 5.0,
        Surroundings::Kidney => 32.0,
        Surroundings::KidneyAndFat => {
            let at = |k: usize| z as f64 + thickness * ((k as f64 + 0.5) / THIN as f64 - 0.5);
            let fat = (0..THIN).map(|k| beyond([at(k), y as f64, x as f64])).sum::<f64>() / THIN as f64;
            32.0 - 127.0 * fat
        }
    };
    let mut image: Vec<f32> = (0..side * side).map(|i| tissue(i / side, i % side) as f32).collect();
    let [zs, ys, xs] = shape.index_box(grid, [usize::MAX >> 12, side, side], scan.slice_thickness_mm);
    if zs.contains(&z) {
        for y in ys {
            for x in xs.clone() {
                let (share, hu) = shape.cover(grid, [z as f64, y as f64, x as f64], [thickness, 1.0, 1.0], 0.0);
                let pixel = &mut image[y * side + x];
                *pixel += (hu as f32 - *pixel) * share as f32;
            }
        }
    }
    image
}

/// The largest extent within one plane across patient axis `normal`, and the extent perpendicular to it there: calipers over slabs of the surface.
fn largest_in_planes(surface: &[Point], normal: usize) -> (f64, f64) {
    const SLABS: usize = 40;
    const ANGLES: usize = 180;
    let [u, v] = [[1, 2], [0, 2], [0, 1]][normal];
    let low = surface.iter().map(|p| p[normal]).fold(f64::INFINITY, f64::min);
    let high = surface.iter().map(|p| p[normal]).fold(f64::NEG_INFINITY, f64::max);
    let mut slabs = vec![Vec::new(); SLABS];
    for p in surface {
        slabs[(((p[normal] - low) / (high - low) * SLABS as f64) as usize).min(SLABS - 1)].push([p[u], p[v]]);
    }
    let mut best = (0.0, 0.0);
    for slab in &slabs {
        let caliper = |angle: usize| {
            let (sin, cos) = (angle as f64 * PI / ANGLES as f64).sin_cos();
            let along = slab.iter().map(|p: &[f64; 2]| p[0] * cos + p[1] * sin);
            let (low, high) = along.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), a| (l.min(a), h.max(a)));
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
