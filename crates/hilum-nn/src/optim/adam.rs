//! Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019).

use serde::{Deserialize, Serialize};

use super::Stretch;
use crate::kernels::pool::Pool;

/// Adam's constants; the learning rate is given with every step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// L2 penalty added to the gradient (as `torch.optim.Adam`, not AdamW).
    pub weight_decay: f32,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

/// AdamW's constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWConfig {
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Every step first takes the share `lr * weight_decay` off the weights.
    pub weight_decay: f32,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 }
    }
}

impl AdamWConfig {
    pub(super) fn without_decay(self) -> AdamConfig {
        let Self { beta1, beta2, eps, weight_decay: _ } = self;
        AdamConfig { beta1, beta2, eps, weight_decay: 0.0 }
    }
}

/// Algorithm 1 of the paper, in the form of `torch.optim.Adam`, after the weights were multiplied by `keep`; `step` counts from 1.
pub(super) fn update(
    pool: &mut Pool,
    stretches: &mut [Stretch<'_>],
    config: AdamConfig,
    keep: f32,
    lr: f32,
    step: u64,
) {
    let AdamConfig { beta1, beta2, eps, weight_decay } = config;
    let correction = |beta: f32| 1.0 - f64::from(beta).powf(step as f64);
    let rate = (f64::from(lr) / correction(beta1)) as f32;
    let root = (1.0 / correction(beta2).sqrt()) as f32;
    pool.each(stretches, |_, s| {
        let [first, second] = &mut s.slots;
        let moments = first.iter_mut().zip(second.iter_mut());
        for ((w, g), (m, v)) in s.weights.iter_mut().zip(s.gradient).zip(moments) {
            let g = g + weight_decay * *w;
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *w = keep * *w - rate * *m / (v.sqrt() * root + eps);
        }
    });
}
