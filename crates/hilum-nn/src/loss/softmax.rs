//! Losses of channels of which one is right.

use super::region::{self, ClassSums, Slope};
use super::{CHUNK, Extent, Loss, Pointwise, Target};
use crate::kernels::pool::Pool;

/// Sums of one job, then of the batch.
#[derive(Default)]
pub(super) struct Sums {
    entropy: f64,
    /// What cross-entropy is divided by.
    weight: f64,
    focal: f64,
    count: usize,
    batch: Vec<ClassSums>,
    images: Vec<ClassSums>,
}

impl Sums {
    fn of_classes(classes: usize) -> Self {
        Self { batch: vec![ClassSums::default(); classes], ..Self::default() }
    }

    fn entropy_scale(&self) -> f64 {
        if self.weight > 0.0 { 1.0 / self.weight } else { 0.0 }
    }

    fn focal_scale(&self) -> f64 {
        1.0 / self.count.max(1) as f64
    }

    /// The loss and the slopes of its regions.
    pub(super) fn value(&self, loss: &Loss, extent: Extent) -> (f64, Vec<Slope>) {
        let points = loss.pointwise();
        let (regions, slopes) = region::value(loss, &self.batch, &self.images, extent);
        let entropy = f64::from(points.entropy) * self.entropy * self.entropy_scale();
        (entropy + f64::from(points.focal) * self.focal * self.focal_scale() + regions, slopes)
    }
}

/// Probabilities of one pixel's classes; returns the logarithm of the label's.
fn probabilities(p: &mut [f32], logit: impl Fn(usize) -> f32, label: usize) -> f32 {
    let mut largest = f32::NEG_INFINITY;
    for (k, p) in p.iter_mut().enumerate() {
        *p = logit(k);
        largest = largest.max(*p);
    }
    let shifted = p[label] - largest;
    let mut sum = 0.0;
    for p in p.iter_mut() {
        *p = (*p - largest).exp();
        sum += *p;
    }
    for p in p.iter_mut() {
        *p /= sum;
    }
    shifted - sum.ln()
}

/// The focal loss of a pixel and its derivative by `-ln q`, where `log_q` is `ln q`.
fn focal_of(log_q: f32, q: f32, gamma: f32) -> (f32, f32) {
    let wrong = 1.0 - q;
    let power = wrong.powf(gamma);
    let by_power = if wrong > 0.0 { gamma * power / wrong * q * log_q } else { 0.0 };
    (-power * log_q, power - by_power)
}

pub(super) fn sums(loss: &Loss, pool: &mut Pool, logits: &[f32], target: Target<'_>, extent: Extent) -> Sums {
    let Extent { images, channels, pixels } = extent;
    let Pointwise { entropy_weights, focal, gamma, alpha, .. } = loss.pointwise();
    let ignore = loss.ignore.map(|i| i as f32);
    let chunks = extent.chunks();
    let mut parts: Vec<Sums> = (0..images * chunks).map(|_| Sums::of_classes(channels)).collect();
    pool.each(&mut parts, |i, part| {
        let (image, chunk) = (i / chunks, extent.chunk(i % chunks));
        let logits = &logits[image * channels * pixels..][..channels * pixels];
        let mut p = vec![0.0; channels];
        for pixel in chunk {
            let t = target.values[image * pixels + pixel];
            if Some(t) == ignore {
                continue;
            }
            let label = t as usize;
            let log_q = probabilities(&mut p, |k| logits[k * pixels + pixel], label);
            let weight = target.weights.map_or(1.0, |w| w[image * pixels + pixel]);
            let of_class = weight * entropy_weights.get(label).copied().unwrap_or(1.0);
            part.entropy -= f64::from(of_class * log_q);
            part.weight += f64::from(of_class);
            if focal > 0.0 {
                let alpha = alpha.get(label).copied().unwrap_or(1.0);
                part.focal += f64::from(weight * alpha * focal_of(log_q, p[label], gamma).0);
            }
            part.count += 1;
            part.batch.iter_mut().zip(&p).for_each(|(sum, p)| sum.predicted += f64::from(*p));
            part.batch[label].product += f64::from(p[label]);
            part.batch[label].target += 1.0;
        }
    });
    let mut sums = Sums::of_classes(channels);
    sums.images = vec![ClassSums::default(); images * channels];
    for (i, part) in parts.iter().enumerate() {
        sums.entropy += part.entropy;
        sums.weight += part.weight;
        sums.focal += part.focal;
        sums.count += part.count;
        for (c, class) in part.batch.iter().enumerate() {
            sums.batch[c].add(class);
            sums.images[i / chunks * channels + c].add(class);
        }
    }
    sums
}

pub(super) fn gradient(loss: &Loss, pool: &mut Pool, logits: &mut [f32], target: Target<'_>, extent: Extent) -> f64 {
    let Extent { channels, pixels, .. } = extent;
    let Pointwise { entropy, entropy_weights, focal, gamma, alpha } = loss.pointwise();
    let sums = sums(loss, pool, logits, target, extent);
    let (value, slopes) = sums.value(loss, extent);
    let ignore = loss.ignore.map(|i| i as f32);
    let entropy = (f64::from(entropy) * sums.entropy_scale()) as f32;
    let focal = (f64::from(focal) * sums.focal_scale()) as f32;
    let chunks = extent.chunks();
    // Every job has one stretch of each of an image's planes.
    let mut jobs: Vec<Vec<&mut [f32]>> = Vec::new();
    for image in logits.chunks_exact_mut(channels * pixels) {
        let first = jobs.len();
        jobs.extend((0..chunks).map(|_| Vec::with_capacity(channels)));
        for plane in image.chunks_exact_mut(pixels) {
            jobs[first..].iter_mut().zip(plane.chunks_mut(CHUNK)).for_each(|(job, part)| job.push(part));
        }
    }
    pool.each(&mut jobs, |i, planes| {
        let (image, first) = (i / chunks, extent.chunk(i % chunks).start);
        let slopes: Vec<_> = slopes[image * channels..][..channels].iter().map(|s| s.floats()).collect();
        let (mut p, mut by_p) = (vec![0.0; channels], vec![0.0; channels]);
        for pixel in 0..planes[0].len() {
            let at = image * pixels + first + pixel;
            let t = target.values[at];
            if Some(t) == ignore {
                for plane in planes.iter_mut() {
                    plane[pixel] = 0.0;
                }
                continue;
            }
            let label = t as usize;
            let log_q = probabilities(&mut p, |k| planes[k][pixel], label);
            let weight = target.weights.map_or(1.0, |w| w[at]);
            let mut by_log = entropy * weight * entropy_weights.get(label).copied().unwrap_or(1.0);
            if focal > 0.0 {
                let alpha = alpha.get(label).copied().unwrap_or(1.0);
                by_log += focal * weight * alpha * focal_of(log_q, p[label], gamma).1;
            }
            let mut mean = 0.0;
            for (k, (by_p, (constant, by_target))) in by_p.iter_mut().zip(&slopes).enumerate() {
                *by_p = if k == label { constant + by_target } else { *constant };
                mean += p[k] * *by_p;
            }
            for (k, plane) in planes.iter_mut().enumerate() {
                let hit = if k == label { 1.0 } else { 0.0 };
                plane[pixel] = by_log * (p[k] - hit) + p[k] * (by_p[k] - mean);
            }
        }
    });
    value
}
