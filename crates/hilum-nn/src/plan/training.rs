//! The training plan.

use super::{CompileError, InputShape, Options, RunError};
use crate::loss::LossConfig;
use crate::network::Network;
use crate::optim::AdamConfig;
use crate::weights::Weights;

/// A network in training at one input shape.
pub struct Trainer {}

impl Trainer {
    /// Plans forward, backward and update. The network must end in a sigmoid; the losses take the logits before it.
    pub fn compile(
        network: &Network,
        weights: Weights,
        shape: InputShape,
        loss: LossConfig,
        adam: AdamConfig,
        options: Options,
    ) -> Result<Self, CompileError> {
        todo!("{network:?} {weights:?} {shape:?} {loss:?} {adam:?} {options:?}")
    }

    /// One step of Adam on a batch: `x` `[n, c, h, w]`, `y` `[n, out, h, w]` in 0..=1. Returns the loss before the step.
    pub fn step(&mut self, x: &[f32], y: &[f32], lr: f32) -> Result<f32, RunError> {
        todo!("{} {} {lr}", x.len(), y.len())
    }

    /// The loss in inference mode (running statistics); changes nothing.
    pub fn evaluate(&mut self, x: &[f32], y: &[f32]) -> Result<f32, RunError> {
        todo!("{} {}", x.len(), y.len())
    }

    /// A copy of the current weights, running statistics included.
    pub fn weights(&self) -> Weights {
        todo!()
    }

    /// Bytes of all buffers of this plan.
    pub fn peak_bytes(&self) -> usize {
        todo!()
    }
}
