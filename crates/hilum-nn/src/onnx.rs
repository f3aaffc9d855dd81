//! ONNX out: our own protobuf emitter.

use crate::network::Network;
use crate::weights::{Weights, WeightsError};

/// The ONNX model (opset 17, IR 8): input `input` and output `output`, both float `[n, c, h, w]` with `n`, `h`, `w` dynamic.
pub fn encode(network: &Network, weights: &Weights) -> Result<Vec<u8>, WeightsError> {
    todo!("{network:?} {weights:?}")
}
