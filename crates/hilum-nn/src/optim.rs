//! Adam (Kingma and Ba 2015).

use serde::{Deserialize, Serialize};

use crate::kernels::pool::Pool;
use crate::weights::Tensor;

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

/// Parameters that one job updates.
const CHUNK: usize = 1 << 14;

/// A stretch of one tensor with its gradient and moments.
struct Stretch<'a> {
    weights: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl AdamConfig {
    /// One update of all parameters that have moments (algorithm 1 of the paper, in the form of `torch.optim.Adam`); `step` counts from 1.
    pub(crate) fn update(
        &self,
        pool: &mut Pool,
        tensors: &mut [Tensor],
        gradients: &[Vec<f32>],
        moments: &mut [Option<Moments>],
        lr: f32,
        step: u64,
    ) {
        let Self { beta1, beta2, eps, weight_decay } = *self;
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(step as f64);
        let rate = (f64::from(lr) / correction(beta1)) as f32;
        let root = (1.0 / correction(beta2).sqrt()) as f32;
        let mut stretches: Vec<Stretch<'_>> = tensors
            .iter_mut()
            .zip(gradients)
            .zip(moments)
            .filter_map(|((tensor, gradient), moments)| Some((tensor, gradient, moments.as_mut()?)))
            .flat_map(|(tensor, gradient, moments)| {
                let weights = tensor.data.chunks_mut(CHUNK).zip(gradient.chunks(CHUNK));
                let moments = moments.first.chunks_mut(CHUNK).zip(moments.second.chunks_mut(CHUNK));
                weights.zip(moments).map(|((weights, gradient), (first, second))| Stretch {
                    weights,
                    gradient,
                    first,
                    second,
                })
            })
            .collect();
        pool.each(&mut stretches, |_, s| {
            let moments = s.first.iter_mut().zip(s.second.iter_mut());
            for ((w, g), (m, v)) in s.weights.iter_mut().zip(s.gradient).zip(moments) {
                let g = g + weight_decay * *w;
                *m = beta1 * *m + (1.0 - beta1) * g;
                *v = beta2 * *v + (1.0 - beta2) * g * g;
                *w -= rate * *m / (v.sqrt() * root + eps);
            }
        });
    }
}
