//! The simulated scanner: grid, table, partial volume, point spread, streaks, rings, noise.

use ndarray::Array3;
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;

use super::dice::{Dice, Purpose};
use super::paint::{Scene, Sheet};
use super::pose::{Pose, gantry_axes};
use super::recipe::{Kernel, PhantomError, PhantomRecipe, Region};
use super::shapes::{Bounds, Point, times};
use super::stones::PlacedStone;
use crate::Affine;

/// Scanner settings of one study.
pub(super) struct Scanner<'r> {
    recipe: &'r PhantomRecipe,
    pub grid: Affine,
    pub field_of_view: f64,
    pub noise: f64,
    /// Radius of the couch arc, patient y of its surface, and whether a blanket lies on the patient.
    couch: (f64, f64, bool),
    /// Of every pixel: share of the noise, and HU of the rings.
    detector: Vec<(f32, f32)>,
    pub side: usize,
    pub slices: usize,
}

/// Gaussian sigma of a full width at half maximum.
const SIGMA_PER_FWHM: f64 = 0.424_661;

impl<'r> Scanner<'r> {
    /// `waist` is the mean diameter of the patient in mm, `width` the greatest, `back` the patient y of the surface that lies on the table.
    pub(super) fn new(
        recipe: &'r PhantomRecipe,
        pose: &Pose,
        waist: f64,
        width: f64,
        back: f64,
    ) -> Result<Self, PhantomError> {
        let mut dice = Dice::new(recipe.seed, Purpose::Scanner);
        let drawn = if matches!(recipe.region, Region::Head | Region::Neck) {
            dice.between(225.0, 255.0)
        } else {
            (width + dice.between(8.0, 40.0)).clamp(320.0, 420.0)
        };
        let field_of_view = recipe.field_of_view_mm.unwrap_or(drawn);
        let kernel = match recipe.kernel {
            Kernel::Soft => 1.0,
            Kernel::Bone => 1.9,
        };
        let dose = dice.between(0.85, 1.3);
        // Heads are scanned with more dose.
        let (share, quietest) = if recipe.region == Region::Head { (0.45, 3.0) } else { (1.0, 6.0) };
        let typical =
            21.0 * (2.0 / recipe.slice_thickness_mm).sqrt() * ((waist - 265.0) / 260.0).exp() * kernel * dose * share;
        let noise = recipe.noise_hu.unwrap_or(typical.clamp(quietest, 60.0));
        let side = recipe.matrix as usize;
        let slices = recipe.slices();
        let pixel = field_of_view / side as f64;
        let [x, y, z] = gantry_axes(recipe.position);
        let spacing = recipe.spacing_mm();
        let [low, high] = recipe.scanned_heights_mm();
        let first = if z[2] > 0.0 { low + spacing / 2.0 } else { high - spacing / 2.0 };
        let half = (side as f64 - 1.0) / 2.0 * pixel;
        let head_offset = if matches!(recipe.region, Region::Head) { -12.0 } else { 0.0 };
        let origin: Point = [-half * x[0], -half * y[1] + head_offset, pose.table_z(recipe) + first];
        let grid = Affine::new(origin, [times(z, spacing), times(y, pixel), times(x, pixel)])?;
        let rings: Vec<(f64, f64)> =
            (0..dice.count(1, 3)).map(|_| (dice.between(8.0, 190.0), dice.between(1.0, 3.0) * dice.sign())).collect();
        let detector = detector(side, &rings);
        let couch = (dice.between(330.0, 480.0), back, dice.chance(0.4));
        Ok(Self { recipe, grid, field_of_view, noise, couch, detector, side, slices })
    }

    /// Whether a patient point lies in the scanned cylinder, at least half a voxel from its ends.
    pub(super) fn sees(&self, p: Point) -> bool {
        let [z, y, x] = self.grid.index_from_patient(p);
        let n = self.side as f64;
        let centre = n / 2.0;
        z > 0.0 && z < self.slices as f64 - 1.0 && (y - centre).hypot(x - centre) < centre - 2.0
    }

    /// Paints and scans all slices.
    pub(super) fn scan(&self, scene: &Scene, pose: &Pose, stones: &[PlacedStone]) -> Array3<i16> {
        let boxes = scene.boxes(pose, &|p| self.grid.index_from_patient(p));
        let mut hu = vec![0_i16; self.slices * self.side * self.side];
        hu.par_chunks_mut(self.side * self.side).enumerate().for_each(|(z, slice)| {
            let image = self.slice(z, scene, &boxes, pose, stones);
            for (voxel, value) in slice.iter_mut().zip(image) {
                *voxel = value.round().clamp(-1024.0, 3071.0) as i16;
            }
        });
        Array3::from_shape_fn((self.slices, self.side, self.side), |(z, y, x)| hu[(z * self.side + y) * self.side + x])
    }

    fn slice(&self, z: usize, scene: &Scene, boxes: &[Bounds], pose: &Pose, stones: &[PlacedStone]) -> Vec<f32> {
        let thickness = self.recipe.slice_thickness_mm / self.recipe.spacing_mm();
        let thin = (self.recipe.slice_thickness_mm / 1.6).ceil() as usize;
        let pixel = self.field_of_view / self.side as f64;
        let mut sheet = Sheet::new(self.side);
        let mut image = vec![0.0_f32; self.side * self.side];
        for k in 0..thin {
            let at = z as f64 + thickness * ((k as f64 + 0.5) / thin as f64 - 0.5);
            sheet.lay(pose, at, &|index| self.grid.patient_from_index(index));
            self.paint_couch(&mut sheet, at);
            scene.paint(&mut sheet, boxes, at, 0.5, pose.down, (pixel / pose.scale) as f32);
            for (sum, &value) in image.iter_mut().zip(&sheet.hu) {
                *sum += value / thin as f32;
            }
        }
        self.blend_stones(&mut image, z, thickness, stones);
        self.expose(image, z, pixel)
    }

    /// Curved couch with foam inside, and sometimes a blanket, in the frame of the gantry.
    fn paint_couch(&self, sheet: &mut Sheet, z: f64) {
        let n = self.side;
        let (radius, back, blanket) = self.couch;
        let [_, down, _] = gantry_axes(self.recipe.position);
        for row in 0..n {
            // Rows above the couch by more than its sag hold only air and the patient.
            let [_, level, _] = self.grid.patient_from_index([z, row as f64, 0.0]);
            if (level - back) * down[1] + 80.0 < 0.0 {
                continue;
            }
            for column in 0..n {
                let [x, y, _] = self.grid.patient_from_index([z, row as f64, column as f64]);
                // Depth below the couch surface along gravity.
                let sag = radius - (radius * radius - x * x).max(0.0).sqrt();
                let depth = (y - back) * down[1] + sag;
                let wide = x.abs() < 205.0;
                let value = if wide && (4.0..6.0).contains(&depth) {
                    -120.0
                } else if wide && (6.0..38.0).contains(&depth) {
                    -900.0
                } else if wide && (38.0..40.5).contains(&depth) {
                    -60.0
                } else if blanket && (0.0..2.0).contains(&(depth + 8.0 * (x / 23.0).sin() - 1.0)) && x.abs() > 70.0 {
                    -820.0
                } else {
                    continue;
                };
                sheet.hu[row * n + column] = value;
            }
        }
    }

    fn blend_stones(&self, image: &mut [f32], z: usize, thickness: f64, stones: &[PlacedStone]) {
        for stone in stones {
            let margin = self.recipe.slice_thickness_mm;
            let [zs, ys, xs] = stone.shape.index_box(&self.grid, [self.slices, self.side, self.side], margin);
            if !zs.contains(&z) {
                continue;
            }
            for y in ys {
                for x in xs.clone() {
                    let (share, hu) =
                        stone.shape.cover(&self.grid, [z as f64, y as f64, x as f64], [thickness, 1.0, 1.0], 0.0);
                    let pixel = &mut image[y * self.side + x];
                    *pixel += (hu as f32 - *pixel) * share as f32;
                }
            }
        }
    }

    /// Point spread, streaks, rings and noise.
    fn expose(&self, mut image: Vec<f32>, z: usize, pixel: f64) -> Vec<f32> {
        let n = self.side;
        let mut dice = Dice::for_slice(self.recipe.seed, z);
        let streaks = self.streaks(&image, &mut dice);
        point_spread(&mut image, n, self.recipe.kernel, pixel);
        let grain = grain(n, self.noise, self.recipe.kernel, &mut dice, pixel);
        for (i, (value, &(share, ring))) in image.iter_mut().zip(&self.detector).enumerate() {
            // Air around the body is quiet.
            let level = if *value < -600.0 { 0.55 } else { share };
            *value += grain[i] * level + streaks[i / n] * share_of_body(*value) + ring;
        }
        image
    }

    /// Horizontal streaks where a row passes much dense bone (hips, shoulders, petrous bone): photon starvation.
    fn streaks(&self, image: &[f32], dice: &mut Dice) -> Vec<f32> {
        let n = self.side;
        let pixel = self.field_of_view / n as f64;
        let draws: Vec<f64> = (0..n).map(|_| dice.normal()).collect();
        image
            .chunks(n)
            .zip(draws)
            .map(|(row, draw)| {
                let bone = row.iter().filter(|&&v| v > 250.0).count() as f64 * pixel;
                (draw * (bone / 60.0).min(2.0).powi(2) * 0.28 * self.noise) as f32
            })
            .collect()
    }
}

/// In-plane point spread of the kernel over a square image.
pub(super) fn point_spread(image: &mut [f32], n: usize, kernel: Kernel, pixel: f64) {
    match kernel {
        Kernel::Soft => blur(image, n, 1.15 * SIGMA_PER_FWHM / pixel),
        Kernel::Bone => {
            blur(image, n, 0.8 * SIGMA_PER_FWHM / pixel);
            let mut wide = image.to_vec();
            blur(&mut wide, n, 0.9 / pixel);
            for (value, w) in image.iter_mut().zip(wide) {
                *value += 0.45 * (*value - w);
            }
        }
    }
}

/// Correlated noise of the asked standard deviation (HU): the ramp-like spectrum of filtered backprojection.
pub(super) fn grain(n: usize, noise: f64, kernel: Kernel, dice: &mut Dice, pixel: f64) -> Vec<f32> {
    if noise == 0.0 {
        return vec![0.0; n * n];
    }
    let mut field: Vec<f32> = (0..n * n / 2)
        .flat_map(|_| {
            let bits = dice.bits();
            [bits as u32, (bits >> 32) as u32].map(|b| {
                let sum: u32 = (0..4).map(|k| b >> (8 * k) & 0xff).sum();
                (sum as f32 - 510.0) / 147.8
            })
        })
        .collect();
    let (fine, coarse) = match kernel {
        Kernel::Soft => (0.62, 2.6),
        Kernel::Bone => (0.30, 1.2),
    };
    blur(&mut field, n, fine / pixel);
    let mut slow = field.clone();
    blur(&mut slow, n, coarse / pixel);
    for (value, s) in field.iter_mut().zip(slow) {
        *value -= 0.75 * s;
    }
    let power = field.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / field.len() as f64;
    let gain = (noise / power.sqrt()) as f32;
    for value in &mut field {
        *value *= gain;
    }
    field
}

/// Share of the noise and HU of the rings of every pixel. `rings`: radius (pixels of a 512 matrix) and height (HU).
fn detector(n: usize, rings: &[(f64, f64)]) -> Vec<(f32, f32)> {
    let middle = (n as f64 - 1.0) / 2.0;
    let pixel = |row: usize, column: usize| {
        let radius = (row as f64 - middle).hypot(column as f64 - middle);
        // Rays through the middle are attenuated most.
        let share = (radius / middle).min(1.0);
        let height = |&(at, height): &(f64, f64)| height * (-((radius * 512.0 / n as f64 - at) / 1.2).powi(2)).exp();
        ((1.06 - 0.22 * share * share) as f32, rings.iter().map(height).sum::<f64>() as f32)
    };
    (0..n * n).map(|i| pixel(i / n, i % n)).collect()
}

fn share_of_body(hu: f32) -> f32 {
    if hu < -600.0 { 0.3 } else { 1.0 }
}

/// Separable Gaussian blur of a square image, edges repeated.
fn blur(image: &mut [f32], n: usize, sigma: f64) {
    let reach = (3.0 * sigma).ceil() as usize;
    if reach == 0 {
        return;
    }
    let mut weights: Vec<f32> =
        (0..=2 * reach).map(|i| (-0.5 * ((i as f64 - reach as f64) / sigma).powi(2)).exp() as f32).collect();
    let total: f32 = weights.iter().sum();
    for weight in &mut weights {
        *weight /= total;
    }
    let mut line = vec![0.0_f32; n + 2 * reach];
    for row in image.chunks_mut(n) {
        line[reach..reach + n].copy_from_slice(row);
        line[..reach].fill(row[0]);
        line[reach + n..].fill(row[n - 1]);
        row.fill(0.0);
        for (k, &w) in weights.iter().enumerate() {
            for (out, &v) in row.iter_mut().zip(&line[k..k + n]) {
                *out += w * v;
            }
        }
    }
    let source = image.to_vec();
    for row in 0..n {
        let out = &mut image[row * n..(row + 1) * n];
        out.fill(0.0);
        for (k, &w) in weights.iter().enumerate() {
            let from = (row + k).saturating_sub(reach).min(n - 1);
            for (o, &v) in out.iter_mut().zip(&source[from * n..(from + 1) * n]) {
                *o += w * v;
            }
        }
    }
}
