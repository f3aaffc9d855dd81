//! Losses of channels that stand each for itself.

use super::region::{self, ClassSums, Slope};
use super::{CHUNK, Extent, Loss, Pointwise, Target, refill};
use crate::kernels::pointwise::sigmoid_of;
use crate::kernels::pool::Pool;
use crate::reuse::reuse;

/// Sums of one job, then of the batch.
#[derive(Clone, Copy, Default)]
struct Points {
    entropy: f64,
    focal: f64,
    count: usize,
    class: ClassSums,
}

/// Sums over the whole batch and, for Dice and Tversky, by class and by image and class; with the memory of what finds them.
#[derive(Default)]
pub(super) struct Sums {
    entropy: f64,
    focal: f64,
    count: usize,
    batch: Vec<ClassSums>,
    images: Vec<ClassSums>,
    slopes: Vec<Slope>,
    parts: Vec<Points>,
    by_class: Vec<Points>,
    jobs: Vec<(&'static mut [f32], &'static [f32])>,
}

/// An element with what its losses need.
struct Element {
    x: f32,
    t: f32,
    /// `exp(-|x|)`.
    e: f32,
    p: f32,
}

impl Element {
    fn new(x: f32, t: f32) -> Self {
        let e = (-x.abs()).exp();
        Self { x, t, e, p: if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) } }
    }

    /// `-positive t ln p - (1 - t) ln(1 - p)`.
    fn bce(&self, positive: Option<f32>) -> f32 {
        let Self { x, t, e, .. } = *self;
        match positive {
            None => x.max(0.0) - x * t + e.ln_1p(),
            Some(w) => (1.0 - t) * x + (1.0 + (w - 1.0) * t) * ((-x).max(0.0) + e.ln_1p()),
        }
    }

    /// `d bce / d x`.
    fn bce_slope(t: f32, p: f32, positive: Option<f32>) -> f32 {
        match positive {
            None => p - t,
            Some(w) => (1.0 - t) * p - w * t * (1.0 - p),
        }
    }

    /// The focal loss and its derivative by `x`.
    fn focal(&self, gamma: f32, alpha: Option<f32>) -> (f32, f32) {
        let Self { t, p, .. } = *self;
        let balance = alpha.map_or(1.0, |a| a * t + (1.0 - a) * (1.0 - t));
        let wrong = (1.0 - p) * t + p * (1.0 - t);
        let (entropy, power) = (self.bce(None), wrong.powf(gamma));
        // d wrong / d x = (1 - 2 t) p (1 - p); wrong^(gamma - 1) without dividing by zero.
        let by_power =
            if wrong > 0.0 { gamma * power / wrong * (1.0 - 2.0 * t) * p * (1.0 - p) * entropy } else { 0.0 };
        (balance * power * entropy, balance * (by_power + power * (p - t)))
    }
}

impl Sums {
    /// The loss, with the slopes of its regions.
    pub(super) fn value(
        &mut self,
        loss: &Loss,
        pool: &mut Pool,
        logits: &[f32],
        target: Target<'_>,
        extent: Extent,
    ) -> f64 {
        self.add_up(loss, pool, logits, target, extent);
        let points = loss.pointwise();
        let count = self.count.max(1) as f64;
        let regions = region::value(loss, &self.batch, &self.images, extent, &mut self.slopes);
        let entropy = f64::from(points.entropy) * (self.entropy / count);
        entropy + f64::from(points.focal) * (self.focal / count) + regions
    }

    fn add_up(&mut self, loss: &Loss, pool: &mut Pool, logits: &[f32], target: Target<'_>, extent: Extent) {
        let Self { batch, images: by_image, parts, by_class, .. } = self;
        let Extent { images, channels, pixels } = extent;
        let Pointwise { entropy_weights, focal, gamma, alpha, .. } = loss.pointwise();
        let ignore = loss.ignore.map(|i| i as f32);
        let chunks = extent.chunks();
        refill(parts, images * channels * chunks);
        pool.each(parts, |i, part| {
            let (plane, chunk) = (i / chunks, extent.chunk(i % chunks));
            let (image, channel) = (plane / channels, plane % channels);
            let (positive, alpha) = (entropy_weights.get(channel).copied(), alpha.get(channel).copied());
            let of_plane = plane * pixels + chunk.start..plane * pixels + chunk.end;
            let weights = target.weights.map(|w| &w[image * pixels..][chunk]);
            for (k, (&x, &t)) in logits[of_plane.clone()].iter().zip(&target.values[of_plane]).enumerate() {
                if Some(t) == ignore {
                    continue;
                }
                let element = Element::new(x, t);
                let weight = weights.map_or(1.0, |w| w[k]);
                part.entropy += f64::from(weight * element.bce(positive));
                if focal > 0.0 {
                    part.focal += f64::from(weight * element.focal(gamma, alpha).0);
                }
                part.count += 1;
                part.class.product += f64::from(element.p * t);
                part.class.predicted += f64::from(element.p);
                part.class.target += f64::from(t);
            }
        });
        refill(by_class, channels);
        refill(by_image, images * channels);
        for (i, part) in parts.iter().enumerate() {
            let plane = i / chunks;
            let sum = &mut by_class[plane % channels];
            sum.entropy += part.entropy;
            sum.focal += part.focal;
            sum.count += part.count;
            sum.class.add(&part.class);
            by_image[plane].add(&part.class);
        }
        batch.clear();
        batch.extend(by_class.iter().map(|s| s.class));
        self.entropy = by_class.iter().map(|s| s.entropy).sum();
        self.focal = by_class.iter().map(|s| s.focal).sum();
        self.count = by_class.iter().map(|s| s.count).sum();
    }

    /// The loss, and its gradient in place of the logits.
    pub(super) fn gradient(
        &mut self,
        loss: &Loss,
        pool: &mut Pool,
        logits: &mut [f32],
        target: Target<'_>,
        extent: Extent,
    ) -> f64 {
        let Extent { channels, pixels, .. } = extent;
        let Pointwise { entropy, entropy_weights, focal, gamma, alpha } = loss.pointwise();
        let value = self.value(loss, pool, logits, target, extent);
        let ignore = loss.ignore.map(|i| i as f32);
        let count = self.count.max(1) as f64;
        let (entropy, focal) = ((f64::from(entropy) / count) as f32, (f64::from(focal) / count) as f32);
        let chunks = extent.chunks();
        let planes = logits.chunks_exact_mut(pixels).zip(target.values.chunks_exact(pixels));
        let mut jobs: Vec<(&mut [f32], &[f32])> = std::mem::take(&mut self.jobs);
        jobs.extend(planes.flat_map(|(x, t)| x.chunks_mut(CHUNK).zip(t.chunks(CHUNK))));
        let slopes = &self.slopes;
        pool.each(&mut jobs, |i, (logits, targets)| {
            let (plane, chunk) = (i / chunks, extent.chunk(i % chunks));
            let (image, channel) = (plane / channels, plane % channels);
            let (positive, alpha) = (entropy_weights.get(channel).copied(), alpha.get(channel).copied());
            let (constant, by_target) = slopes[plane].floats();
            let weights = target.weights.map(|w| &w[image * pixels..][chunk]);
            for (k, (x, &t)) in logits.iter_mut().zip(*targets).enumerate() {
                if Some(t) == ignore {
                    *x = 0.0;
                    continue;
                }
                let weight = weights.map_or(1.0, |w| w[k]);
                let by_focal =
                    if focal > 0.0 { focal * weight * Element::new(*x, t).focal(gamma, alpha).1 } else { 0.0 };
                let p = sigmoid_of(*x);
                *x = entropy * weight * Element::bce_slope(t, p, positive)
                    + (constant + by_target * t) * p * (1.0 - p)
                    + by_focal;
            }
        });
        self.jobs = reuse(jobs);
        value
    }
}
