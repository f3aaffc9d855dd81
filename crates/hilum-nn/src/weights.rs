//! Parameters by name, in the layouts of PyTorch, in and out of safetensors.

use crate::network::Network;

/// One named tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// `{layer}.weight`, `.bias`, `.running_mean` or `.running_var`.
    pub name: String,
    /// Convolution `[out, in, kh, kw]`, transposed convolution `[in, out, kh, kw]`, everything else `[channels]`.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub data: Vec<f32>,
}

/// All parameters of one network, in the order of its layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    tensors: Vec<Tensor>,
}

impl Weights {
    /// He-normal initialisation (fan-in, gain of ReLU: standard deviation `sqrt(2 / (in * kh * kw))`; a transposed convolution 2x2 with stride 2
    /// adds one tap per output pixel, so its fan-in is `in`); biases 0; BatchNorm weight 1, bias 0, running mean 0, running variance 1.
    /// The same seed gives the same bits on every machine.
    pub fn init(network: &Network, seed: u64) -> Self {
        todo!("{network:?} {seed}")
    }

    /// The tensors in order.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The safetensors file, little endian, dtype F32.
    pub fn to_safetensors(&self) -> Vec<u8> {
        todo!()
    }

    /// Reads a safetensors file and checks it against the network: every key there, right shape, F32, finite.
    pub fn from_safetensors(network: &Network, bytes: &[u8]) -> Result<Self, WeightsError> {
        todo!("{network:?} {bytes:?}")
    }
}

/// Why weights do not fit the network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// Not a safetensors file.
    #[error("weights: not a readable safetensors file: {0}")]
    Format(String),
    /// A parameter of the network is not there.
    #[error("weights: key {0} is missing")]
    Missing(String),
    /// A tensor that no layer has.
    #[error("weights: key {0} belongs to no layer of the network")]
    Unexpected(String),
    /// The shape differs.
    #[error("weights: key {key} has shape {got:?}, the network needs {expected:?}")]
    Shape {
        /// The tensor.
        key: String,
        /// Shape in the file.
        got: Vec<usize>,
        /// Shape of the network's parameter.
        expected: Vec<usize>,
    },
    /// Not 32-bit floats.
    #[error("weights: key {key} has dtype {got}, expected F32")]
    Dtype {
        /// The tensor.
        key: String,
        /// Its dtype.
        got: String,
    },
    /// NaN or infinity, or a negative variance.
    #[error("weights: key {key} holds {value} at position {index}")]
    Value {
        /// The tensor.
        key: String,
        /// Position in row-major order.
        index: usize,
        /// The value as text.
        value: String,
    },
}
