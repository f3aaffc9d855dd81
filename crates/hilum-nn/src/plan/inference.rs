//! The forward plan.

use super::{CompileError, InputShape, Options, RunError};
use crate::network::Network;
use crate::weights::Weights;

/// A network ready to run at one input shape.
pub struct Inference {}

impl Inference {
    /// Plans the network, folds BatchNorm into the convolutions and packs the weights.
    pub fn compile(
        network: &Network,
        weights: &Weights,
        shape: InputShape,
        options: Options,
    ) -> Result<Self, CompileError> {
        todo!("{network:?} {weights:?} {shape:?} {options:?}")
    }

    /// Runs the network: `input` is `[n, c, h, w]`, `output` `[n, out, h', w']`, row-major. Allocates nothing.
    pub fn forward(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), RunError> {
        todo!("{} {}", input.len(), output.len())
    }

    /// Channels, height and width of the output.
    pub fn output_shape(&self) -> crate::Shape {
        todo!()
    }

    /// Bytes of all buffers and packed weights of this plan.
    pub fn peak_bytes(&self) -> usize {
        todo!()
    }
}
