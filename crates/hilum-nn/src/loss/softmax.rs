//! Losses of channels of which one is right.

use super::region::{self, ClassSums, Slope};
use super::{CHUNK, Extent, Loss, Pointwise, Target, refill};
use crate::kernels::pool::Pool;
use crate::reuse::reuse;

/// Sums of one job, then of the batch, with the probabilities of the pixel at hand.
#[derive(Clone, Default)]
struct Part {
    entropy: f64,
    /// What cross-entropy is divided by.
    weight: f64,
    focal: f64,
    count: usize,
    batch: Vec<ClassSums>,
    p: Vec<f32>,
}

impl Part {
    fn clear(&mut self, classes: usize) {
        let (mut batch, mut p) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.p));
        refill(&mut batch, classes);
        refill(&mut p, classes);
        *self = Self { batch, p, ..Self::default() };
    }

    fn entropy_scale(&self) -> f64 {
        if self.weight > 0.0 { 1.0 / self.weight } else { 0.0 }
    }

    fn focal_scale(&self) -> f64 {
        1.0 / self.count.max(1) as f64
    }
}

/// One stretch of each of an image's planes, with the slopes of the regions, and for the pixel at hand probabilities and slopes by them.
#[derive(Default)]
struct Job<'a> {
    planes: Vec<&'a mut [f32]>,
    slopes: Vec<(f32, f32)>,
    p: Vec<f32>,
    by_p: Vec<f32>,
}

impl Job<'_> {
    fn empty<'b>(self) -> Job<'b> {
        let Self { planes, slopes, p, by_p } = self;
        Job { planes: reuse(planes), slopes, p, by_p }
    }
}

/// Sums over the batch and, for Dice and Tversky, by image and class; with the memory of what finds them.
#[derive(Default)]
pub(super) struct Sums {
    total: Part,
    images: Vec<ClassSums>,
    slopes: Vec<Slope>,
    parts: Vec<Part>,
    jobs: Vec<Job<'static>>,
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
        let (points, total) = (loss.pointwise(), &self.total);
        let regions = region::value(loss, &total.batch, &self.images, extent, &mut self.slopes);
        let entropy = f64::from(points.entropy) * total.entropy * total.entropy_scale();
        entropy + f64::from(points.focal) * total.focal * total.focal_scale() + regions
    }

    fn add_up(&mut self, loss: &Loss, pool: &mut Pool, logits: &[f32], target: Target<'_>, extent: Extent) {
        let Self { total, images: by_image, parts, .. } = self;
        let Extent { images, channels, pixels } = extent;
        let Pointwise { entropy_weights, focal, gamma, alpha, .. } = loss.pointwise();
        let ignore = loss.ignore.map(|i| i as f32);
        let chunks = extent.chunks();
        parts.resize(images * chunks, Part::default());
        pool.each(parts, |i, part| {
            part.clear(channels);
            let (image, chunk) = (i / chunks, extent.chunk(i % chunks));
            let logits = &logits[image * channels * pixels..][..channels * pixels];
            let Part { entropy, weight: weight_sum, focal: focal_sum, count, batch, p } = part;
            for pixel in chunk {
                let t = target.values[image * pixels + pixel];
                if Some(t) == ignore {
                    continue;
                }
                let label = t as usize;
                let log_q = probabilities(p, |k| logits[k * pixels + pixel], label);
                let weight = target.weights.map_or(1.0, |w| w[image * pixels + pixel]);
                let of_class = weight * entropy_weights.get(label).copied().unwrap_or(1.0);
                *entropy -= f64::from(of_class * log_q);
                *weight_sum += f64::from(of_class);
                if focal > 0.0 {
                    let alpha = alpha.get(label).copied().unwrap_or(1.0);
                    *focal_sum += f64::from(weight * alpha * focal_of(log_q, p[label], gamma).0);
                }
                *count += 1;
                batch.iter_mut().zip(p.iter()).for_each(|(sum, p)| sum.predicted += f64::from(*p));
                batch[label].product += f64::from(p[label]);
                batch[label].target += 1.0;
            }
        });
        total.clear(channels);
        refill(by_image, images * channels);
        for (i, part) in parts.iter().enumerate() {
            total.entropy += part.entropy;
            total.weight += part.weight;
            total.focal += part.focal;
            total.count += part.count;
            for (c, class) in part.batch.iter().enumerate() {
                total.batch[c].add(class);
                by_image[i / chunks * channels + c].add(class);
            }
        }
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
        let entropy = (f64::from(entropy) * self.total.entropy_scale()) as f32;
        let focal = (f64::from(focal) * self.total.focal_scale()) as f32;
        let chunks = extent.chunks();
        let mut jobs: Vec<Job<'_>> = std::mem::take(&mut self.jobs);
        jobs.resize_with(extent.images * chunks, Job::default);
        for (image, jobs) in logits.chunks_exact_mut(channels * pixels).zip(jobs.chunks_exact_mut(chunks)) {
            for plane in image.chunks_exact_mut(pixels) {
                jobs.iter_mut().zip(plane.chunks_mut(CHUNK)).for_each(|(job, part)| job.planes.push(part));
            }
        }
        let of_regions = &self.slopes;
        pool.each(&mut jobs, |i, Job { planes, slopes, p, by_p }| {
            let (image, first) = (i / chunks, extent.chunk(i % chunks).start);
            slopes.clear();
            slopes.extend(of_regions[image * channels..][..channels].iter().map(|s| s.floats()));
            refill(p, channels);
            refill(by_p, channels);
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
                let log_q = probabilities(p, |k| planes[k][pixel], label);
                let weight = target.weights.map_or(1.0, |w| w[at]);
                let mut by_log = entropy * weight * entropy_weights.get(label).copied().unwrap_or(1.0);
                if focal > 0.0 {
                    let alpha = alpha.get(label).copied().unwrap_or(1.0);
                    by_log += focal * weight * alpha * focal_of(log_q, p[label], gamma).1;
                }
                let mut mean = 0.0;
                for (k, (by_p, (constant, by_target))) in by_p.iter_mut().zip(slopes.iter()).enumerate() {
                    *by_p = if k == label { constant + by_target } else { *constant };
                    mean += p[k] * *by_p;
                }
                for (k, plane) in planes.iter_mut().enumerate() {
                    let hit = if k == label { 1.0 } else { 0.0 };
                    plane[pixel] = by_log * (p[k] - hit) + p[k] * (by_p[k] - mean);
                }
            }
        });
        self.jobs = jobs.into_iter().map(Job::empty).collect();
        value
    }
}
