//! Adam (Kingma and Ba 2015).

use serde::{Deserialize, Serialize};

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

/// Adam's state for one parameter.
pub(crate) struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Moments {
    pub(crate) fn new(len: usize) -> Self {
        Self { first: vec![0.0; len], second: vec![0.0; len] }
    }
}

impl AdamConfig {
    /// One update (algorithm 1 of the paper, in the form of `torch.optim.Adam`); `step` counts from 1.
    pub(crate) fn update(&self, weights: &mut [f32], gradient: &[f32], moments: &mut Moments, lr: f32, step: u64) {
        let Self { beta1, beta2, eps, weight_decay } = *self;
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(step as f64);
        let rate = (f64::from(lr) / correction(beta1)) as f32;
        let root = (1.0 / correction(beta2).sqrt()) as f32;
        let moments = moments.first.iter_mut().zip(&mut moments.second);
        for ((w, g), (m, v)) in weights.iter_mut().zip(gradient).zip(moments) {
            let g = g + weight_decay * *w;
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *w -= rate * *m / (v.sqrt() * root + eps);
        }
    }
}
