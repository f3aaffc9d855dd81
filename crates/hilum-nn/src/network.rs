//! The description of a network: named layers in order, written in TOML, by serde or with the builder.
//!
//! A [`Network`] is valid or does not exist: every way to make one runs [`crate::graph::Graph`]'s checks.

use serde::{Deserialize, Serialize};

use crate::graph::Graph;
use crate::layer_text::LayerText;
pub use crate::op::Op;

/// The name by which layers refer to the network's input.
pub const INPUT: &str = "input";

/// One layer: a name, the operator, and the names of what it reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "LayerText", into = "LayerText")]
pub struct Layer {
    /// Unique in the network; the parameters are called `{name}.weight`, `{name}.bias`, ...
    pub name: String,
    /// Names of earlier layers or [`INPUT`]. Left out, the layer reads the one before it.
    pub inputs: Vec<String>,
    /// What the layer computes.
    pub op: Op,
}

/// A validated network: `[n, in_channels, h, w]`, or `[n, in_channels, d, h, w]` for one over volumes, to the result of its last layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Description", into = "Description")]
pub struct Network {
    in_channels: usize,
    axes: usize,
    size: Option<Vec<usize>>,
    layers: Vec<Layer>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    in_channels: usize,
    /// 2 for images, 3 for volumes.
    #[serde(default = "images", skip_serializing_if = "is_images")]
    axes: usize,
    /// Sides of every input, where they are fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<Vec<usize>>,
    layer: Vec<Layer>,
}

fn images() -> usize {
    2
}

fn is_images(axes: &usize) -> bool {
    *axes == images()
}

impl TryFrom<Description> for Network {
    type Error = NetworkError;

    fn try_from(description: Description) -> Result<Self, NetworkError> {
        let Description { in_channels, axes, size, layer } = description;
        Self::checked(in_channels, axes, size, layer)
    }
}

impl From<Network> for Description {
    fn from(network: Network) -> Self {
        let Network { in_channels, axes, size, layers } = network;
        Self { in_channels, axes, size, layer: layers }
    }
}

impl Network {
    /// A network over images of these layers, in order; the last layer's result is the output.
    pub fn new(in_channels: usize, layers: Vec<Layer>) -> Result<Self, NetworkError> {
        Self::checked(in_channels, images(), None, layers)
    }

    fn checked(
        in_channels: usize,
        axes: usize,
        size: Option<Vec<usize>>,
        layers: Vec<Layer>,
    ) -> Result<Self, NetworkError> {
        let network = Self { in_channels, axes, size, layers };
        Graph::of(&network)?;
        Ok(network)
    }

    /// Starts the description of a network over images.
    pub fn builder(in_channels: usize) -> NetworkBuilder {
        NetworkBuilder { in_channels, axes: images(), size: None, layers: Vec::new() }
    }

    /// Starts the description of a network over volumes.
    pub fn volume_builder(in_channels: usize) -> NetworkBuilder {
        NetworkBuilder { in_channels, axes: 3, size: None, layers: Vec::new() }
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

    /// Spatial axes: 2 for images, 3 for volumes.
    pub fn axes(&self) -> usize {
        self.axes
    }

    /// The sides of every input, `[h, w]` or `[d, h, w]`, where the network fixes them.
    pub fn size(&self) -> Option<&[usize]> {
        self.size.as_deref()
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

    /// Height and width of every input must be multiples of this: 2 to the number of nested [`Op::MaxPool2d`]; other operators take odd sizes.
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
    axes: usize,
    size: Option<Vec<usize>>,
    layers: Vec<Layer>,
}

impl NetworkBuilder {
    /// Fixes the sides of every input, `[h, w]` or `[d, h, w]`: what [`Op::Flatten`] of a map that no pooling has made of one size needs.
    pub fn sized(self, size: &[usize]) -> Self {
        Self { size: Some(size.to_vec()), ..self }
    }

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

    /// Name of the layer added last, or [`INPUT`].
    pub fn last(&self) -> &str {
        self.layers.last().map_or(INPUT, |l| &l.name)
    }

    /// Checks the description.
    pub fn build(self) -> Result<Network, NetworkError> {
        Network::checked(self.in_channels, self.axes, self.size, self.layers)
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
    /// Networks have 2 or 3 spatial axes.
    #[error("the network has {0} spatial axes, expected 2 (images) or 3 (volumes)")]
    Axes(usize),
    /// The size that the network fixes for its input is none.
    #[error("the network's size is {0:?}, expected one number of 1 to 65536 per axis")]
    Size(Vec<usize>),
    /// A field's value is none that the operator takes.
    #[error("layer {layer}: {what} is {got}, expected {expected}")]
    Setting {
        /// The layer.
        layer: String,
        /// The field.
        what: &'static str,
        /// Its value as text.
        got: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The operator does not take what its input is.
    #[error("layer {layer} ({op}) {problem}")]
    Input {
        /// The layer.
        layer: String,
        /// Its operator.
        op: String,
        /// What is wrong.
        problem: &'static str,
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
    /// The weights would take more memory than a network may.
    #[error("the weights up to {key} need {bytes} bytes, more than the limit of {limit}")]
    Weights {
        /// The first parameter beyond the limit, `{layer}.{kind}`.
        key: String,
        /// Bytes of all parameters up to this one.
        bytes: u128,
        /// The limit.
        limit: u128,
    },
    /// A layer's result is read by nobody and is not the output.
    #[error("the result of layer {0} is not used")]
    Unused(String),
}
