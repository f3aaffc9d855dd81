//! Losses on logits: binary cross-entropy, soft Dice, and their weighted sum.

use serde::{Deserialize, Serialize};

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
