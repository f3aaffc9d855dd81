//! ONNX in: a model of the operators that this engine has becomes a network with its weights; others are refused by operator and node.
//!
//! The file is borrowed, not copied, until a weight is taken from it: work and memory are bounded by its length.

mod attributes;
mod convert;
mod extents;
mod model;
mod operators;
mod padding;
mod patterns;
mod protobuf;
mod recurrent;
mod reshape;
mod windows;

use crate::network::{Network, NetworkError};
use crate::weights::{Weights, WeightsError};

/// Oldest version of the default operator set whose operators mean what ours do (BatchNormalization without `spatial`).
const OLDEST_OPSET: i64 = 9;

/// Reads a model with one float input `[n, c, h, w]` or, of volumes, `[n, c, d, h, w]`, `c` fixed, and one output.
///
/// A layer is called as its weight is (`{layer}.weight`, as PyTorch's exporter and our emitter write it), else as its node, else as its result.
/// `Constant`, `Identity`, `Cast` between floats and `Dropout` (the identity in inference) make no layers, nor do `Squeeze`, `Unsqueeze`, `Reshape` and
/// `Flatten` that only give the pixel of a global pool another form. Operators that have a short form here come back in it; GELU, group normalisation
/// and biases are also read where they are spelt out in several nodes.
///
/// Padding that differs between the ends of an axis, and a `Pad` before a convolution or pool, are read where our windows can do the same: a
/// convolution's weight gets taps of zero. SAME at other strides than 1 and sizes of `Resize` need a model that fixes the size of its input, or in
/// `Resize` a size computed from those of other maps. A network made from such a model takes other sizes too, by the windows of the fixed one; only
/// where a layer depends on the size (a flattening) is it the network's as well. GRU and LSTM are read between the transpositions that our emitter writes.
pub fn decode(bytes: &[u8]) -> Result<(Network, Weights), OnnxError> {
    let mut model = model::Model::read(bytes)?;
    if model.opset < OLDEST_OPSET {
        return Err(OnnxError::Opset { got: model.opset, oldest: OLDEST_OPSET });
    }
    convert::convert(&mut model)
}

/// Why a file is no model that this engine runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnnxError {
    /// The file is damaged or no ONNX.
    #[error("ONNX: not a readable model: {0}")]
    Format(&'static str),
    /// The operator set is too old.
    #[error("ONNX: operator set {got}, expected {oldest} or later")]
    Opset {
        /// Version in the file.
        got: i64,
        /// The oldest that is read.
        oldest: i64,
    },
    /// An operator that this engine lacks.
    #[error("ONNX: node {node}: operator {op} is not supported")]
    Operator {
        /// The node.
        node: String,
        /// Its operator, with its domain if it is not the default one.
        op: String,
    },
    /// An operator in a form that this engine lacks.
    #[error("ONNX: node {node} ({op}): {attribute} is {got}, supported is {supported}")]
    Attribute {
        /// The node.
        node: String,
        /// Its operator.
        op: String,
        /// The attribute.
        attribute: String,
        /// Its value as text.
        got: String,
        /// What is supported.
        supported: &'static str,
    },
    /// A weight that is computed, or missing.
    #[error("ONNX: node {node} ({op}): its {what} must be a constant of the model")]
    NotConstant {
        /// The node.
        node: String,
        /// Its operator.
        op: String,
        /// Which input.
        what: &'static str,
    },
    /// A constant that cannot be read.
    #[error("ONNX: constant {name} {problem}")]
    Constant {
        /// The constant.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The model has another number of inputs or outputs, or an input of another form.
    #[error("ONNX: {0}: expected one float input [n, c, h, w] or [n, c, d, h, w] with a fixed c, and one output")]
    Interface(String),
    /// A node reads what no earlier node makes.
    #[error("ONNX: node {node} reads {input:?}, which no earlier node makes")]
    UnknownInput {
        /// The node.
        node: String,
        /// What it reads.
        input: String,
    },
    /// A value is made twice.
    #[error("ONNX: the value {0:?} is made twice")]
    Twice(String),
    /// The layers are no network.
    #[error("ONNX: {0}")]
    Network(#[from] NetworkError),
    /// The constants do not fit the layers.
    #[error("ONNX: {0}")]
    Weights(#[from] WeightsError),
}
