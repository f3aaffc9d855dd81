//! The geometric shape of one stone and how much of a voxel it fills.

use super::dice::Dice;
use super::shapes::{Bounds, Point, distance, normalised, plus, times};
use crate::Affine;

/// A star-shaped solid: a radius for each direction from a kernel point.
#[derive(Clone, Debug)]
pub(super) struct StoneShape {
    kernel: Point,
    /// Unit direction and half length of the long, middle and short axis.
    axes: [Point; 3],
    half: Point,
    /// Direction, height and sharpness of each bump.
    bumps: Vec<(Point, f64, f64)>,
    size: f64,
    pub reach: f64,
    pub volume: f64,
    pub mean_hu: f64,
}

/// Peak of the stone's own HU relative to its mean: the core is denser than the rind.
pub(super) const PEAK: f64 = 1.15;
const RIND: f64 = 0.25;
const DIRECTIONS: usize = 700;

impl StoneShape {
    /// A stone with its centre of mass at `centre` (patient mm), its long axis along `long`, its width relative to its
    /// length, and its greatest extent `diameter` mm.
    pub(super) fn new(centre: Point, long: Point, slender: f64, diameter: f64, hu: f64, dice: &mut Dice) -> Self {
        let other = normalised(crate::vector::cross(long, dice.unit_vector()));
        let third = crate::vector::cross(long, other);
        let half = [1.0, slender, slender * dice.between(0.82, 1.0)];
        let mut bumps: Vec<(Point, f64, f64)> =
            (0..6).map(|_| (dice.unit_vector(), dice.between(-0.14, 0.14), dice.between(2.0, 7.0))).collect();
        if diameter > 14.0 {
            // Staghorn: branches reach into the calyces.
            let branches = dice.count(2, 4);
            bumps.extend((0..branches).map(|_| (dice.unit_vector(), dice.between(0.5, 1.0), dice.between(9.0, 15.0))));
        }
        let mut shape = Self {
            kernel: centre,
            axes: [long, other, third],
            half,
            bumps,
            size: 1.0,
            reach: 0.0,
            volume: 0.0,
            mean_hu: hu,
        };
        let surface: Vec<Point> = directions(DIRECTIONS).map(|d| times(d, shape.radius(d))).collect();
        let mut extent: f64 = 0.0;
        for (i, &p) in surface.iter().enumerate() {
            for &q in &surface[..i] {
                extent = extent.max(distance(p, q));
            }
        }
        shape.size = diameter / extent;
        let (mut volume, mut moment) = (0.0, [0.0; 3]);
        let solid = 4.0 * std::f64::consts::PI / DIRECTIONS as f64;
        for d in directions(DIRECTIONS) {
            let r = shape.radius(d);
            volume += solid * r.powi(3) / 3.0;
            moment = plus(moment, times(d, solid * r.powi(4) / 4.0));
            shape.reach = shape.reach.max(r);
        }
        shape.volume = volume;
        shape.kernel = plus(centre, times(moment, -1.0 / volume));
        shape
    }

    fn radius(&self, d: Point) -> f64 {
        let along = |axis: Point| axis.iter().zip(d).map(|(a, b)| a * b).sum::<f64>();
        let inverse: f64 = (0..3).map(|i| (along(self.axes[i]) / self.half[i]).powi(2)).sum::<f64>().sqrt();
        let bump: f64 = self.bumps.iter().map(|&(n, height, sharp)| height * (sharp * (along(n) - 1.0)).exp()).sum();
        self.size * (1.0 + bump) / inverse
    }

    /// Points of the surface in evenly spread directions, patient mm.
    pub(super) fn surface(&self, count: usize) -> Vec<Point> {
        directions(count).map(|d| plus(self.kernel, times(d, self.radius(d)))).collect()
    }

    /// HU of the stone's material at a patient point, if the point is inside.
    pub(super) fn hu_at(&self, p: Point) -> Option<f64> {
        let d = [p[0] - self.kernel[0], p[1] - self.kernel[1], p[2] - self.kernel[2]];
        let length = distance(d, [0.0; 3]);
        if length > self.reach {
            return None;
        }
        let share = if length < 1e-9 { 0.0 } else { length / self.radius(times(d, 1.0 / length)) };
        (share <= 1.0).then_some(self.mean_hu * (PEAK - RIND * share * share))
    }

    /// Box around the stone in patient mm.
    pub(super) fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::empty();
        bounds.include(self.kernel);
        bounds.grown(self.reach)
    }

    /// Share of the cell around voxel `index` filled by stone, and the mean HU of that part. `size` is the cell in units
    /// of the voxel steps (`[z, y, x]`), `blur_mm` the standard deviation of an in-plane Gaussian applied on top.
    pub(super) fn cover(&self, grid: &Affine, index: [f64; 3], size: [f64; 3], blur_mm: f64) -> (f64, f64) {
        let spacing = grid.spacing_mm();
        let counts: [usize; 3] = std::array::from_fn(|i| ((spacing[i] * size[i] / 0.22).ceil() as usize).clamp(3, 16));
        let (mut inside, mut hu) = (0.0, 0.0);
        let total = (counts[0] * counts[1] * counts[2]) as f64;
        let mut ordinal = 0_u32;
        for z in 0..counts[0] {
            for y in 0..counts[1] {
                for x in 0..counts[2] {
                    let mut at: [f64; 3] = std::array::from_fn(|i| {
                        let k = [z, y, x][i];
                        index[i] + size[i] * ((k as f64 + 0.5) / counts[i] as f64 - 0.5)
                    });
                    if blur_mm > 0.0 {
                        ordinal += 1;
                        let (u, v) = low_discrepancy(ordinal);
                        let radius = blur_mm * (-2.0 * (1.0 - u).ln()).sqrt();
                        at[1] += radius * (std::f64::consts::TAU * v).cos() / spacing[1];
                        at[2] += radius * (std::f64::consts::TAU * v).sin() / spacing[2];
                    }
                    if let Some(value) = self.hu_at(grid.patient_from_index(at)) {
                        inside += 1.0;
                        hu += value;
                    }
                }
            }
        }
        (inside / total, if inside > 0.0 { hu / inside } else { self.mean_hu })
    }

    /// Index ranges `[z, y, x]` of the grid that the stone, grown by `margin_mm`, can touch.
    pub(super) fn index_box(&self, grid: &Affine, shape: [usize; 3], margin_mm: f64) -> [std::ops::Range<usize>; 3] {
        let mut bounds = Bounds::empty();
        for corner in self.bounds().grown(margin_mm).corners() {
            bounds.include(grid.index_from_patient(corner));
        }
        std::array::from_fn(|i| {
            let low = (bounds.low[i] - 0.5).floor().clamp(0.0, shape[i] as f64) as usize;
            let high = ((bounds.high[i] + 1.5).ceil().max(0.0) as usize).min(shape[i]);
            low..high.max(low)
        })
    }
}

/// Evenly spread directions (Fibonacci sphere).
fn directions(count: usize) -> impl Iterator<Item = Point> {
    (0..count).map(move |i| {
        let z = 1.0 - (2.0 * i as f64 + 1.0) / count as f64;
        let r = (1.0 - z * z).sqrt();
        let angle = i as f64 * 2.399_963_229_728_653;
        [r * angle.cos(), r * angle.sin(), z]
    })
}

/// Point `n` of the R2 sequence in the unit square.
fn low_discrepancy(n: u32) -> (f64, f64) {
    let n = f64::from(n);
    ((0.5 + n * 0.754_877_666_246_693).fract(), (0.5 + n * 0.569_840_290_998_053).fract())
}
