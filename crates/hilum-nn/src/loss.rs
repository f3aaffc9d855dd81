//! Losses on logits: binary cross-entropy, soft Dice, and their weighted sum.

use serde::{Deserialize, Serialize};

use crate::kernels::pointwise::sigmoid_of;

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

impl LossConfig {
    /// The loss of `[n, channels, pixels]` logits against targets of the same shape.
    pub(crate) fn value(&self, logits: &[f32], targets: &[f32], channels: usize, pixels: usize) -> f64 {
        self.combine(&channel_sums(logits, targets, channels, pixels), logits.len())
    }

    /// The loss, and its gradient in place of the logits.
    pub(crate) fn gradient(&self, logits: &mut [f32], targets: &[f32], channels: usize, pixels: usize) -> f64 {
        let sums = channel_sums(logits, targets, channels, pixels);
        let smooth = f64::from(self.smooth);
        let count = logits.len();
        let bce = f64::from(self.bce) / count as f64;
        for (plane, (x, t)) in logits.chunks_exact_mut(pixels).zip(targets.chunks_exact(pixels)).enumerate() {
            let ChannelSums { product, predicted, target, .. } = sums[plane % channels];
            let denominator = predicted + target + smooth;
            let numerator = 2.0 * product + smooth;
            let dice = f64::from(self.dice) / channels as f64;
            // d Dice / d p = (numerator - 2 t denominator) / denominator^2.
            let constant = (dice * numerator / (denominator * denominator)) as f32;
            let by_target = (-2.0 * dice / denominator) as f32;
            for (x, &t) in x.iter_mut().zip(t) {
                let p = sigmoid_of(*x);
                *x = bce as f32 * (p - t) + (constant + by_target * t) * p * (1.0 - p);
            }
        }
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

fn channel_sums(logits: &[f32], targets: &[f32], channels: usize, pixels: usize) -> Vec<ChannelSums> {
    let mut sums = vec![ChannelSums::default(); channels];
    for (plane, (x, t)) in logits.chunks_exact(pixels).zip(targets.chunks_exact(pixels)).enumerate() {
        let s = &mut sums[plane % channels];
        for (&x, &t) in x.iter().zip(t) {
            let e = (-x.abs()).exp();
            let p = if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
            s.bce += f64::from(x.max(0.0) - x * t + e.ln_1p());
            s.product += f64::from(p * t);
            s.predicted += f64::from(p);
            s.target += f64::from(t);
        }
    }
    sums
}
