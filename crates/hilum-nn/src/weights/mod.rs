//! Parameters by name, in the layouts of PyTorch, in and out of safetensors, and taken over from other sources by key maps.

mod keys;
pub(crate) mod number;

pub use keys::{KeyMap, KeyReport, KeyRule, MisShaped};

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use self::number::Number;
use crate::graph::{Parameter, Role};
use crate::network::Network;

/// One named tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// `{layer}.weight`, `.bias`, `.running_mean`, `.running_var` or, of recurrent layers, PyTorch's kinds ([`crate::Recurrence`]).
    pub name: String,
    /// Convolution `[out, in, kh, kw]`, transposed convolution `[in, out, kh, kw]`, everything else `[channels]`.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub data: Vec<f32>,
}

/// All parameters of one network, in the order of its layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    pub(crate) tensors: Vec<Tensor>,
}

impl Weights {
    /// He-normal initialisation (fan-in, gain of ReLU: standard deviation `sqrt(2 / (in * kh * kw))`; a transposed convolution 2x2 with stride 2
    /// adds one tap per output pixel, so its fan-in is `in`); biases 0; BatchNorm weight 1, bias 0, running mean 0, running variance 1.
    /// (He et al. 2015.) Recurrent layers as in PyTorch: weights and biases uniform within `1 / sqrt(hidden)` of 0. The same seed gives the same bits wherever the platform's `ln`, `sqrt` and `cos` do.
    pub fn init(network: &Network, seed: u64) -> Self {
        let mut normal = Normal { state: seed };
        let graph = network.graph();
        let tensors = graph.parameters().iter().map(|p| {
            let len = p.shape.iter().product();
            let data = match p.role {
                Role::Kernel { fan_in } => {
                    let deviation = (2.0 / fan_in as f64).sqrt();
                    (0..len).map(|_| (normal.next() * deviation) as f32).collect()
                }
                Role::Recurrent { hidden } => {
                    let bound = (1.0 / hidden as f64).sqrt();
                    (0..len).map(|_| ((2.0 * normal.uniform() - 1.0) * bound) as f32).collect()
                }
                Role::Scale | Role::RunningVar => vec![1.0; len],
                Role::Bias | Role::RunningMean => vec![0.0; len],
            };
            Tensor { name: p.name.clone(), shape: p.shape.clone(), data }
        });
        Self { tensors: tensors.collect() }
    }

    /// Tensors in any order, checked against the network: every key there, none besides, right shapes, finite values, no negative variance.
    pub fn new(network: &Network, tensors: Vec<Tensor>) -> Result<Self, WeightsError> {
        let mut by_name: HashMap<String, Tensor> = tensors.into_iter().map(|t| (t.name.clone(), t)).collect();
        let graph = network.graph();
        let take = |p: &Parameter| {
            let tensor = by_name.remove(&p.name).ok_or_else(|| WeightsError::Missing(p.name.clone()))?;
            check(p, &tensor)?;
            Ok(tensor)
        };
        let tensors = graph.parameters().iter().map(take).collect::<Result<_, _>>()?;
        match by_name.into_keys().min() {
            Some(key) => Err(WeightsError::Unexpected(key)),
            None => Ok(Self { tensors }),
        }
    }

    /// Checks that these weights belong to the network.
    pub(crate) fn check(&self, network: &Network) -> Result<(), WeightsError> {
        let graph = network.graph();
        for (i, p) in graph.parameters().iter().enumerate() {
            match self.tensors.get(i) {
                Some(t) if t.name == p.name => check(p, t)?,
                _ => return Err(WeightsError::Missing(p.name.clone())),
            }
        }
        match self.tensors.get(graph.parameters().len()) {
            Some(t) => Err(WeightsError::Unexpected(t.name.clone())),
            None => Ok(()),
        }
    }

    /// The tensors in order.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|t| t.name == name)
    }

    /// The safetensors file, little endian, dtype F32.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, WeightsError> {
        let format = |e: safetensors::SafeTensorError| WeightsError::Format(e.to_string());
        let bytes: Vec<Vec<u8>> =
            self.tensors.iter().map(|t| t.data.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
        let views = self.tensors.iter().zip(&bytes).map(|(t, b)| {
            TensorView::new(Dtype::F32, t.shape.clone(), b).map(|view| (t.name.clone(), view)).map_err(format)
        });
        safetensors::serialize(views.collect::<Result<Vec<_>, _>>()?, None).map_err(format)
    }

    /// Reads a safetensors file and checks it as [`Weights::new`].
    pub fn from_safetensors(network: &Network, bytes: &[u8]) -> Result<Self, WeightsError> {
        Self::new(network, read_safetensors(bytes)?)
    }
}

/// The tensors of a safetensors file, in the order of their names: F32, or F16, BF16 and F64 as F32. Other dtypes are refused by key, but the counters of
/// batches that PyTorch's `BatchNorm` keeps (`num_batches_tracked`) are left out.
pub fn read_safetensors(bytes: &[u8]) -> Result<Vec<Tensor>, WeightsError> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| WeightsError::Format(e.to_string()))?;
    let counter = |name: &str, dtype| dtype == Dtype::I64 && name.ends_with("num_batches_tracked");
    let listed = file.tensors().into_iter().filter(|(name, view)| !counter(name, view.dtype()));
    let tensors = listed.map(|(name, view)| {
        let number = match view.dtype() {
            Dtype::F16 => Number::F16,
            Dtype::BF16 => Number::Bf16,
            Dtype::F32 => Number::F32,
            Dtype::F64 => Number::F64,
            other => return Err(WeightsError::Dtype { key: name, got: format!("{other:?}") }),
        };
        Ok(Tensor { name, shape: view.shape().to_vec(), data: number.values(view.data()) })
    });
    let mut tensors = tensors.collect::<Result<Vec<_>, _>>()?;
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tensors)
}

fn check(parameter: &Parameter, tensor: &Tensor) -> Result<(), WeightsError> {
    let Parameter { name, shape, role } = parameter;
    if tensor.shape != *shape || tensor.data.len() != shape.iter().product::<usize>() {
        return Err(WeightsError::Shape { key: name.clone(), got: tensor.shape.clone(), expected: shape.clone() });
    }
    let bad = |v: &f32| !v.is_finite() || (*role == Role::RunningVar && *v < 0.0);
    match tensor.data.iter().position(bad) {
        Some(index) => Err(WeightsError::Value { key: name.clone(), index, value: tensor.data[index].to_string() }),
        None => Ok(()),
    }
}

/// Standard normal numbers by Box and Muller from SplitMix64 (Steele, Lea and Flood 2014).
struct Normal {
    state: u64,
}

impl Normal {
    /// Uniform in (0, 1].
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((z ^ (z >> 31)) >> 11) as f64 + 1.0) / (1_u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        let (radius, angle) = ((-2.0 * self.uniform().ln()).sqrt(), std::f64::consts::TAU * self.uniform());
        radius * angle.cos()
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
    /// Two tensors have one key after renaming.
    #[error("weights: {foreign} and another key both become {key}")]
    Twice {
        /// The renamed key.
        key: String,
        /// One of the two.
        foreign: String,
    },
    /// Not floats.
    #[error("weights: key {key} has dtype {got}, expected F32, F16, BF16 or F64")]
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
