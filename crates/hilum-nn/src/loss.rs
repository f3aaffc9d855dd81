//! Losses on logits: binary cross-entropy, soft Dice, and their weighted sum.

use serde::{Deserialize, Serialize};

use crate::kernels::pointwise::sigmoid_of;
use crate::kernels::pool::Pool;

/// `bce * BCE + dice * Dice` on the input of the network's last sigmoid, with targets in 0..=1.
///
/// BCE is the mean over all elements of the batch. Dice is `1 - (2 sum(p t) + smooth) / (sum(p) + sum(t) + smooth)` with the sums over
/// batch, height and width of one channel ("batch Dice"), and the mean over channels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// Weight of the binary cross-entropy.
    pub bce: f32,
    /// Weight of the soft Dice loss.
    pub dice: f32,
    /// Added to numerator and denominator of Dice; decides the loss of an empty batch.
    #[serde(default = "one")]
    pub smooth: f32,
}

fn one() -> f32 {
    1.0
}

impl Default for LossConfig {
    fn default() -> Self {
        Self { bce: 1.0, dice: 1.0, smooth: 1.0 }
    }
}

#[derive(Clone, Copy, Default)]
struct ChannelSums {
    bce: f64,
    product: f64,
    predicted: f64,
    target: f64,
}

/// Pixels whose sums one job makes; fixed, so that the order of additions does not depend on threads.
const CHUNK: usize = 1 << 13;

impl LossConfig {
    /// The loss of `[n, channels, pixels]` logits against targets of the same shape.
    pub(crate) fn value(
        &self,
        pool: &mut Pool,
        logits: &[f32],
        targets: &[f32],
        channels: usize,
        pixels: usize,
    ) -> f64 {
        self.combine(&channel_sums(pool, logits, targets, channels, pixels), logits.len())
    }

    /// The loss, and its gradient in place of the logits.
    pub(crate) fn gradient(
        &self,
        pool: &mut Pool,
        logits: &mut [f32],
        targets: &[f32],
        channels: usize,
        pixels: usize,
    ) -> f64 {
        let sums = channel_sums(pool, logits, targets, channels, pixels);
        let smooth = f64::from(self.smooth);
        let count = logits.len();
        let bce = (f64::from(self.bce) / count as f64) as f32;
        let mut planes: Vec<_> = logits.chunks_exact_mut(pixels).zip(targets.chunks_exact(pixels)).collect();
        pool.each(&mut planes, |plane, (logits, targets)| {
            let ChannelSums { product, predicted, target, .. } = sums[plane % channels];
            let (numerator, denominator) = (2.0 * product + smooth, predicted + target + smooth);
            let dice = f64::from(self.dice) / channels as f64;
            // d Dice / d p = (numerator - 2 t denominator) / denominator^2.
            let constant = (dice * numerator / (denominator * denominator)) as f32;
            let by_target = (-2.0 * dice / denominator) as f32;
            for (x, &t) in logits.iter_mut().zip(*targets) {
                let p = sigmoid_of(*x);
                *x = bce * (p - t) + (constant + by_target * t) * p * (1.0 - p);
            }
        });
        self.combine(&sums, count)
    }

    fn combine(&self, sums: &[ChannelSums], count: usize) -> f64 {
        let smooth = f64::from(self.smooth);
        let bce = sums.iter().map(|s| s.bce).sum::<f64>() / count as f64;
        let dice = |s: &ChannelSums| 1.0 - (2.0 * s.product + smooth) / (s.predicted + s.target + smooth);
        let dice = sums.iter().map(dice).sum::<f64>() / sums.len() as f64;
        f64::from(self.bce) * bce + f64::from(self.dice) * dice
    }
}

fn channel_sums(pool: &mut Pool, logits: &[f32], targets: &[f32], channels: usize, pixels: usize) -> Vec<ChannelSums> {
    let per_plane = pixels.div_ceil(CHUNK);
    let mut parts = vec![ChannelSums::default(); logits.len() / pixels * per_plane];
    pool.each(&mut parts, |i, part| {
        let first = i / per_plane * pixels + i % per_plane * CHUNK;
        let last = (first + CHUNK).min((i / per_plane + 1) * pixels);
        for (&x, &t) in logits[first..last].iter().zip(&targets[first..last]) {
            let e = (-x.abs()).exp();
            let p = if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
            part.bce += f64::from(x.max(0.0) - x * t + e.ln_1p());
            part.product += f64::from(p * t);
            part.predicted += f64::from(p);
            part.target += f64::from(t);
        }
    });
    let mut sums = vec![ChannelSums::default(); channels];
    for (i, part) in parts.iter().enumerate() {
        let s = &mut sums[i / per_plane % channels];
        s.bce += part.bce;
        s.product += part.product;
        s.predicted += part.predicted;
        s.target += part.target;
    }
    sums
}
