//! The description of a network: named layers in order, written in TOML, by serde or with the builder.
//!
//! A [`Network`] is valid or does not exist: every way to make one runs [`crate::graph::Graph`]'s checks.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::graph::Graph;

/// The name by which layers refer to the network's input.
pub const INPUT: &str = "input";

/// What a layer computes. In TOML `op` is the variant in snake case, `bias` is true when left out. Convolutions have stride 1 and "same" zero padding unless the variant says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// 2D convolution, `kernel` 3 (padding 1) or 1 (padding 0), stride 1. Weight `[out, in, kernel, kernel]`.
    Conv2d {
        /// Channels of the result.
        out_channels: usize,
        /// Side of the square kernel: 1 or 3.
        kernel: usize,
        /// Whether the layer adds a bias per output channel.
        bias: bool,
    },
    /// 2D transposed convolution with a 2x2 kernel and stride 2. Weight `[in, out, 2, 2]`.
    ConvTranspose2d {
        /// Channels of the result.
        out_channels: usize,
        /// Whether the layer adds a bias per output channel.
        bias: bool,
    },
    /// Maximum over 2x2 windows with stride 2; height and width must be even.
    MaxPool2d,
    /// Batch normalisation over `[n, h, w]` per channel, eps 1e-5, running momentum 0.1 (Ioffe and Szegedy 2015).
    BatchNorm2d,
    /// `max(x, 0)`.
    Relu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// Concatenation of all inputs along the channel axis.
    Concat,
}

/// One layer: a name, the operator, and the names of what it reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "LayerText", into = "LayerText")]
pub struct Layer {
    /// Unique in the network; the parameters are called `{name}.weight`, `{name}.bias`, ...
    pub name: String,
    /// Names of earlier layers or [`INPUT`]. Left out, the layer reads the one before it.
    pub inputs: Vec<String>,
    /// What the layer computes.
    pub op: Op,
}

/// A layer as it is written: every operator's fields, of which [`Layer`] accepts exactly its operator's.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerText {
    name: String,
    op: OpName,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_channels: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bias: Option<bool>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OpName {
    Conv2d,
    ConvTranspose2d,
    MaxPool2d,
    BatchNorm2d,
    Relu,
    Sigmoid,
    Concat,
}

impl TryFrom<LayerText> for Layer {
    type Error = NetworkError;

    fn try_from(text: LayerText) -> Result<Self, NetworkError> {
        let LayerText { name, op, inputs, out_channels, kernel, bias } = text;
        let field = |field, problem| NetworkError::Field { layer: name.clone(), field, problem };
        let needed = |value: Option<usize>, what| value.ok_or_else(|| field(what, "is missing"));
        let foreign =
            |there: bool, what| if there { Err(field(what, "does not belong to this operator")) } else { Ok(()) };
        let convolution = matches!(op, OpName::Conv2d | OpName::ConvTranspose2d);
        foreign(out_channels.is_some() && !convolution, "out_channels")?;
        foreign(bias.is_some() && !convolution, "bias")?;
        foreign(kernel.is_some() && !matches!(op, OpName::Conv2d), "kernel")?;
        let bias = bias.unwrap_or(true);
        let op = match op {
            OpName::Conv2d => Op::Conv2d {
                out_channels: needed(out_channels, "out_channels")?,
                kernel: needed(kernel, "kernel")?,
                bias,
            },
            OpName::ConvTranspose2d => {
                Op::ConvTranspose2d { out_channels: needed(out_channels, "out_channels")?, bias }
            }
            OpName::MaxPool2d => Op::MaxPool2d,
            OpName::BatchNorm2d => Op::BatchNorm2d,
            OpName::Relu => Op::Relu,
            OpName::Sigmoid => Op::Sigmoid,
            OpName::Concat => Op::Concat,
        };
        Ok(Self { name, inputs, op })
    }
}

impl From<Layer> for LayerText {
    fn from(layer: Layer) -> Self {
        let Layer { name, inputs, op } = layer;
        let (op, out_channels, kernel, bias) = match op {
            Op::Conv2d { out_channels, kernel, bias } => (OpName::Conv2d, Some(out_channels), Some(kernel), Some(bias)),
            Op::ConvTranspose2d { out_channels, bias } => {
                (OpName::ConvTranspose2d, Some(out_channels), None, Some(bias))
            }
            Op::MaxPool2d => (OpName::MaxPool2d, None, None, None),
            Op::BatchNorm2d => (OpName::BatchNorm2d, None, None, None),
            Op::Relu => (OpName::Relu, None, None, None),
            Op::Sigmoid => (OpName::Sigmoid, None, None, None),
            Op::Concat => (OpName::Concat, None, None, None),
        };
        Self { name, op, inputs, out_channels, kernel, bias }
    }
}

/// A validated network: `[n, in_channels, h, w]` to the result of its last layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Description", into = "Description")]
pub struct Network {
    in_channels: usize,
    layers: Vec<Layer>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    in_channels: usize,
    layer: Vec<Layer>,
}

impl TryFrom<Description> for Network {
    type Error = NetworkError;

    fn try_from(description: Description) -> Result<Self, NetworkError> {
        Self::new(description.in_channels, description.layer)
    }
}

impl From<Network> for Description {
    fn from(network: Network) -> Self {
        let Network { in_channels, layers } = network;
        Self { in_channels, layer: layers }
    }
}

impl Network {
    /// A network of these layers, in order; the last layer's result is the output.
    pub fn new(in_channels: usize, layers: Vec<Layer>) -> Result<Self, NetworkError> {
        let network = Self { in_channels, layers };
        Graph::of(&network)?;
        Ok(network)
    }

    /// Starts a description with the builder.
    pub fn builder(in_channels: usize) -> NetworkBuilder {
        NetworkBuilder { in_channels, layers: Vec::new() }
    }

    /// Reads the TOML form: `in_channels = 3` and one `[[layer]]` table per layer.
    pub fn from_toml(text: &str) -> Result<Self, NetworkError> {
        toml::from_str(text).map_err(|e| NetworkError::Toml(e.to_string()))
    }

    /// Writes the TOML form that [`Network::from_toml`] reads.
    pub fn to_toml(&self) -> Result<String, NetworkError> {
        toml::to_string(self).map_err(|e| NetworkError::Toml(e.to_string()))
    }

    /// Channels of the input.
    pub fn in_channels(&self) -> usize {
        self.in_channels
    }

    /// The layers in order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The typed graph.
    pub fn graph(&self) -> Graph {
        Graph::of(self).expect("checked when the network was made")
    }

    /// Channels of the output.
    pub fn out_channels(&self) -> usize {
        self.graph().output().channels
    }

    /// Height and width of every input must be multiples of this (2 to the number of nested poolings).
    pub fn multiple_of(&self) -> usize {
        self.graph().multiple_of()
    }

    /// Number of trainable parameters.
    pub fn parameter_count(&self) -> usize {
        self.graph().parameters().iter().filter(|p| p.role.trainable()).map(|p| p.shape.iter().product::<usize>()).sum()
    }
}

/// Collects layers; each method returns the layer's name, to be read by later layers.
#[derive(Clone, Debug)]
pub struct NetworkBuilder {
    in_channels: usize,
    layers: Vec<Layer>,
}

impl NetworkBuilder {
    /// Adds a layer that reads the one before it.
    pub fn then(&mut self, name: impl Into<String>, op: Op) -> String {
        self.layer(name, &[], op)
    }

    /// Adds a layer that reads the layers named in `inputs`.
    pub fn layer(&mut self, name: impl Into<String>, inputs: &[&str], op: Op) -> String {
        let name = name.into();
        self.layers.push(Layer { name: name.clone(), inputs: inputs.iter().map(|s| (*s).to_owned()).collect(), op });
        name
    }

    /// Checks the description.
    pub fn build(self) -> Result<Network, NetworkError> {
        Network::new(self.in_channels, self.layers)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conv2d { .. } => "conv2d",
            Self::ConvTranspose2d { .. } => "conv_transpose2d",
            Self::MaxPool2d => "max_pool2d",
            Self::BatchNorm2d => "batch_norm2d",
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Concat => "concat",
        })
    }
}

/// Why a description is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The text is not TOML of the expected form, or describes no valid network.
    #[error("network description: {0}")]
    Toml(String),
    /// There is nothing to compute.
    #[error("the network has no layers")]
    Empty,
    /// A count that must be at least one is zero, or is beyond [`crate::graph::MAX_CHANNELS`].
    #[error("layer {layer}: {what} is {got}, expected 1 to {max}")]
    Channels {
        /// The layer, or "input".
        layer: String,
        /// The field.
        what: &'static str,
        /// Its value.
        got: usize,
        /// The largest accepted.
        max: usize,
    },
    /// Two layers have one name, or a layer is called "input" or nothing.
    #[error("layer name {0:?} is used twice, reserved or empty: give every layer its own name")]
    Name(String),
    /// A layer reads something that does not stand before it.
    #[error("layer {layer} reads {input:?}, which is no earlier layer")]
    UnknownInput {
        /// The reading layer.
        layer: String,
        /// What it names.
        input: String,
    },
    /// A layer has the wrong number of inputs.
    #[error("layer {layer} ({op}) has {got} inputs, expected {expected}")]
    InputCount {
        /// The layer.
        layer: String,
        /// Its operator.
        op: String,
        /// Inputs given.
        got: usize,
        /// Inputs expected.
        expected: &'static str,
    },
    /// A field of the written layer is missing, or is another operator's.
    #[error("layer {layer}: {field} {problem}")]
    Field {
        /// The layer.
        layer: String,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The kernel size is not among those that the engine has.
    #[error("layer {layer}: kernel {got} is not supported, use 1 or 3")]
    Kernel {
        /// The layer.
        layer: String,
        /// The kernel's side.
        got: usize,
    },
    /// The inputs of a concatenation lie at different resolutions.
    #[error("layer {layer} joins inputs at different resolutions (after {a} and {b} halvings of the network's input)")]
    Resolution {
        /// The layer.
        layer: String,
        /// Halvings of the first input.
        a: i32,
        /// Halvings of the input that differs.
        b: i32,
    },
    /// A layer's result is read by nobody and is not the output.
    #[error("the result of layer {0} is not used")]
    Unused(String),
}
