//! Stochastic gradient descent with momentum, Nesterov's too (Sutskever, Martens, Dahl and Hinton 2013, in the form of `torch.optim.SGD`).

use serde::{Deserialize, Serialize};

use super::Stretch;
use crate::kernels::pool::Pool;

/// SGD's constants; the learning rate is given with every step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// Share of the last update that goes on; 0: none is remembered.
    pub momentum: f32,
    /// Share of the gradient that is kept out of the momentum, from the second step on.
    pub dampening: f32,
    /// L2 penalty added to the gradient.
    pub weight_decay: f32,
    /// Nesterov's momentum: looks one update ahead. Needs momentum and no dampening.
    pub nesterov: bool,
}

/// `b = momentum b + (1 - dampening) g`, `b = g` in the first step; `w -= lr b`, with Nesterov `w -= lr (g + momentum b)`.
pub(super) fn update(pool: &mut Pool, stretches: &mut [Stretch<'_>], config: SgdConfig, lr: f32, step: u64) {
    let SgdConfig { momentum, dampening, weight_decay, nesterov } = config;
    let (carry, fresh) = if step == 1 { (0.0, 1.0) } else { (momentum, 1.0 - dampening) };
    pool.each(stretches, |_, s| {
        let weights = s.weights.iter_mut().zip(s.gradient);
        if momentum == 0.0 {
            weights.for_each(|(w, g)| *w -= lr * (g + weight_decay * *w));
            return;
        }
        for ((w, g), b) in weights.zip(s.slots[0].iter_mut()) {
            let g = g + weight_decay * *w;
            *b = carry * *b + fresh * g;
            *w -= lr * if nesterov { g + momentum * *b } else { *b };
        }
    });
}
