//! The scene: shapes with a filling, painted in order with soft edges onto one thin slice at a time.

use std::sync::Arc;

use super::dice::{Dice, Purpose};
use super::pose::Pose;
use super::shapes::{Bounds, Loft, Shape, distance};

/// What fills a shape.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fill {
    /// HU with a low-frequency variation of the given amplitude (HU) and grain (mm).
    Tissue { hu: f32, variation: f32, grain: f32 },
    /// Gas above the level, fluid below it; `level` is in anatomy y times the direction of gravity.
    GasFluid { level: f32, fluid: f32 },
    /// Stool: soft content with gas pockets where the lattice exceeds `gas`.
    Stool { hu: f32, gas: f32 },
}

/// One layer of paint.
#[derive(Clone, Debug)]
pub(super) struct Primitive {
    pub shape: Shape,
    pub fill: Fill,
    /// Amplitude (mm) and wavelength (mm) of an irregular outline.
    pub rough: Option<(f32, f32)>,
    /// Paint only inside this loft, shrunk by the margin (mm).
    pub clip: Option<(Arc<Loft>, f32)>,
    offset: [f32; 3],
    bounds: Bounds,
}

/// Periodic lattice of values in -1..1 with trilinear interpolation.
#[derive(Debug)]
pub(super) struct Lattice(Box<[f32; LATTICE * LATTICE * LATTICE]>);

const LATTICE: usize = 32;

/// How far (mm) beyond its outline a shape's bounds reach; a soft edge must be narrower.
const REACH: f64 = 1.5;

impl Lattice {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, Purpose::Texture);
        Self(Box::new(std::array::from_fn(|_| dice.between(-1.0, 1.0) as f32)))
    }

    #[inline]
    fn at(&self, p: [f32; 3], grain: f32, offset: [f32; 3]) -> f32 {
        let per_mm = 1.0 / grain;
        let f = [p[0] * per_mm + offset[0], p[1] * per_mm + offset[1], p[2] * per_mm + offset[2]];
        // Truncation of a positive number: `floor` would be a library call on the portable x86-64 target.
        let whole = [f[0] as u32, f[1] as u32, f[2] as u32];
        let t = [f[0] - whole[0] as f32, f[1] - whole[1] as f32, f[2] - whole[2] as f32];
        let near = |i: usize| whole[i] as usize & (LATTICE - 1);
        let far = |i: usize| (whole[i] as usize + 1) & (LATTICE - 1);
        let row = |z: usize, y: usize| {
            let base = (z * LATTICE + y) * LATTICE;
            let (a, b) = (self.0[base + near(0)], self.0[base + far(0)]);
            a + (b - a) * t[0]
        };
        let plane = |z: usize| {
            let (a, b) = (row(z, near(1)), row(z, far(1)));
            a + (b - a) * t[1]
        };
        let (a, b) = (plane(near(2)), plane(far(2)));
        a + (b - a) * t[2]
    }
}

/// Everything painted, in order.
pub(super) struct Scene {
    primitives: Vec<Primitive>,
    lattice: Lattice,
}

impl Scene {
    pub(super) fn new(seed: u64) -> Self {
        Self { primitives: Vec::new(), lattice: Lattice::new(seed) }
    }

    /// Paints tissue of almost even HU.
    pub(super) fn add(&mut self, shape: Shape, hu: f64) {
        self.push(shape, Fill::Tissue { hu: hu as f32, variation: 4.0, grain: 14.0 }, None, None);
    }

    /// Paints with an irregular outline and a variation inside.
    pub(super) fn add_organ(
        &mut self,
        shape: Shape,
        hu: f64,
        variation: f32,
        grain: f32,
        rough: (f32, f32),
        clip: Option<(Arc<Loft>, f32)>,
    ) {
        self.push(shape, Fill::Tissue { hu: hu as f32, variation, grain }, Some(rough), clip);
    }

    pub(super) fn push(&mut self, shape: Shape, fill: Fill, rough: Option<(f32, f32)>, clip: Option<(Arc<Loft>, f32)>) {
        let margin = rough.map_or(0.0, |(amplitude, _)| f64::from(amplitude));
        let bounds = shape.bounds().grown(margin + REACH);
        let n = self.primitives.len() as f32;
        // Whole periods keep lattice coordinates positive; the fractions keep equal textures apart.
        let offset = [0.37, 0.61, 0.83].map(|k| 1024.0 + (n * k) % LATTICE as f32);
        self.primitives.push(Primitive { shape, fill, rough, clip, offset, bounds });
    }

    /// A tube along a curve: radii per point.
    pub(super) fn add_tube(&mut self, curve: &[super::shapes::Point], radius: impl Fn(usize) -> f64, fill: Fill) {
        for i in 0..curve.len().saturating_sub(1) {
            self.push(Shape::capsule(curve[i], curve[i + 1], radius(i), radius(i + 1)), fill, None, None);
        }
    }

    /// Index boxes of the primitives on the grid that `index_from_patient` describes, for reuse by every slice.
    pub(super) fn boxes(&self, pose: &Pose, index_from_patient: &dyn Fn([f64; 3]) -> [f64; 3]) -> Vec<Bounds> {
        self.primitives
            .iter()
            .map(|primitive| {
                let diagonal = distance(primitive.bounds.low, primitive.bounds.high);
                let mut bounds = Bounds::empty();
                for corner in primitive.bounds.grown((0.12 * diagonal).min(pose.reach())).corners() {
                    bounds.include(index_from_patient(pose.patient_from_anatomy(corner)));
                }
                bounds
            })
            .collect()
    }

    /// Paints one infinitely thin slice. `boxes` are in `[z, y, x]` index space, `z` is this slice's index.
    pub(super) fn paint(&self, sheet: &mut Sheet, boxes: &[Bounds], z: f64, half_slice: f64, down: f64, soft_mm: f32) {
        let n = sheet.side;
        let mut distances = vec![0.0; n];
        for (primitive, bounds) in self.primitives.iter().zip(boxes) {
            if bounds.low[0] > z + half_slice || bounds.high[0] < z - half_slice {
                continue;
            }
            let rows = bounds.low[1].max(0.0) as usize..(bounds.high[1].max(-1.0) + 1.0) as usize;
            let left = (bounds.low[2].max(0.0) as usize).min(n);
            let right = ((bounds.high[2].max(-1.0) + 1.0) as usize).clamp(left, n);
            // Outside its bounds a capsule's distance is never less than that to them; of the other shapes, whose distances are estimates, nobody knows.
            let bounded = matches!(primitive.shape, Shape::Capsule { .. }) && soft_mm < REACH as f32;
            let outline = primitive.rough.map_or(0.5 * soft_mm, |(amplitude, _)| amplitude + soft_mm);
            for row in rows.start..rows.end.min(n) {
                let (left, right) =
                    if bounded { sheet.columns_near(row, left, right, &primitive.bounds) } else { (left, right) };
                let span = row * n + left..row * n + right;
                let distances = &mut distances[..span.len()];
                primitive.shape.distances(
                    &sheet.x[span.clone()],
                    &sheet.y[span.clone()],
                    &sheet.z[span.clone()],
                    distances,
                );
                for (i, &distance) in span.zip(&*distances) {
                    if distance <= outline {
                        self.paint_point(primitive, sheet, i, distance, down as f32, soft_mm);
                    }
                }
            }
        }
    }

    /// Paints the pixel `i`, which lies `d` mm outside the smooth outline of the shape.
    #[inline]
    fn paint_point(&self, primitive: &Primitive, sheet: &mut Sheet, i: usize, mut d: f32, down: f32, soft_mm: f32) {
        let p = [sheet.x[i], sheet.y[i], sheet.z[i]];
        if let Some((amplitude, grain)) = primitive.rough
            && d > -amplitude - soft_mm
        {
            d += amplitude * self.lattice.at(p, grain, primitive.offset);
        }
        if d >= 0.5 * soft_mm {
            return;
        }
        if let Some((loft, margin)) = &primitive.clip {
            d = d.max(loft.distance(p) + margin);
        }
        let cover = (0.5 - d / soft_mm).min(1.0);
        if cover <= 0.0 {
            return;
        }
        let hu = match primitive.fill {
            Fill::Tissue { hu, variation, grain } => {
                hu + if variation > 0.0 { variation * self.lattice.at(p, grain, primitive.offset) } else { 0.0 }
            }
            Fill::GasFluid { level, fluid } => {
                if p[1] * down < level {
                    -950.0
                } else {
                    fluid + 4.0 * self.lattice.at(p, 12.0, primitive.offset)
                }
            }
            Fill::Stool { hu, gas } => {
                let v =
                    self.lattice.at(p, 3.5, primitive.offset) * 0.6 + self.lattice.at(p, 11.0, primitive.offset) * 0.4;
                if v > gas { -700.0 } else { hu + 45.0 * v }
            }
        };
        sheet.hu[i] += (hu - sheet.hu[i]) * cover;
    }
}

/// One thin slice being painted: HU and the anatomy coordinates of each pixel.
pub(super) struct Sheet {
    pub side: usize,
    pub hu: Vec<f32>,
    x: Vec<f32>,
    y: Vec<f32>,
    z: Vec<f32>,
    /// Anatomy boxes of the tiles of [`COARSE`] by [`COARSE`] pixels, row by row.
    tiles: Vec<Bounds>,
}

/// Pixels between exact evaluations of the deformation.
const COARSE: usize = 16;

impl Sheet {
    pub(super) fn new(side: usize) -> Self {
        let n = side * side;
        Self { side, hu: vec![-1000.0; n], x: vec![0.0; n], y: vec![0.0; n], z: vec![0.0; n], tiles: Vec::new() }
    }

    /// Empties the slice and lays the anatomy coordinates of the plane at index `z` into it.
    pub(super) fn lay(&mut self, pose: &Pose, z: f64, patient_from_index: &dyn Fn([f64; 3]) -> [f64; 3]) {
        self.hu.fill(-1000.0);
        let n = self.side;
        let coarse = n / COARSE + 1;
        let mut knots = vec![[0.0_f32; 3]; coarse * coarse];
        for r in 0..coarse {
            for c in 0..coarse {
                let rigid = pose.rigid_from_patient(patient_from_index([z, (r * COARSE) as f64, (c * COARSE) as f64]));
                let u = pose.displacement(rigid);
                knots[r * coarse + c] = std::array::from_fn(|i| (rigid[i] + u[i]) as f32);
            }
        }
        self.tiles.clear();
        for r in 0..coarse - 1 {
            for c in 0..coarse - 1 {
                let mut tile = Bounds::empty();
                for knot in [r * coarse + c, r * coarse + c + 1, (r + 1) * coarse + c, (r + 1) * coarse + c + 1] {
                    tile.include(knots[knot].map(f64::from));
                }
                // Room for the rounding of the interpolation.
                self.tiles.push(tile.grown(0.01));
            }
        }
        for row in 0..n {
            let (r, tr) = (row / COARSE, (row % COARSE) as f32 / COARSE as f32);
            for column in 0..n {
                let (c, tc) = (column / COARSE, (column % COARSE) as f32 / COARSE as f32);
                let at = |dr: usize, dc: usize| knots[(r + dr) * coarse + c + dc];
                let (a, b, d, e) = (at(0, 0), at(0, 1), at(1, 0), at(1, 1));
                let mix = |i: usize| {
                    let (top, bottom) = (a[i] + (b[i] - a[i]) * tc, d[i] + (e[i] - d[i]) * tc);
                    top + (bottom - top) * tr
                };
                let i = row * n + column;
                self.x[i] = mix(0);
                self.y[i] = mix(1);
                self.z[i] = mix(2);
            }
        }
    }

    /// The part of the columns `left..right` of a row, in whole tiles, whose anatomy can touch `bounds`.
    fn columns_near(&self, row: usize, left: usize, right: usize, bounds: &Bounds) -> (usize, usize) {
        let across = self.side / COARSE;
        let band = &self.tiles[row / COARSE * across..(row / COARSE + 1) * across];
        let tiles = left / COARSE..right.div_ceil(COARSE);
        let near = |c: &usize| band[*c].touches(bounds);
        let Some(first) = tiles.clone().find(near) else { return (left, left) };
        let last = tiles.rev().find(near).unwrap_or(first);
        (left.max(first * COARSE), right.min((last + 1) * COARSE))
    }
}
