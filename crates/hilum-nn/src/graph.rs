//! The typed graph: channels, resolution and parameters of every layer, with the checks that make a description a network.

use std::collections::HashMap;

use crate::network::{INPUT, Network, NetworkError, Op};

/// Most channels that a layer may have.
pub const MAX_CHANNELS: usize = 1 << 16;

/// Channels, height and width of one image's activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Channels.
    pub c: usize,
    /// Height in pixels.
    pub h: usize,
    /// Width in pixels.
    pub w: usize,
}

/// What a parameter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Weight of a convolution; `fan_in` products are summed into one output value.
    Kernel {
        /// Products per output value.
        fan_in: usize,
    },
    /// Scale of a BatchNorm.
    Scale,
    /// Bias of a convolution or shift of a BatchNorm.
    Bias,
    /// Running mean of a BatchNorm.
    RunningMean,
    /// Running variance of a BatchNorm.
    RunningVar,
}

impl Role {
    /// Whether the optimiser changes it.
    pub fn trainable(self) -> bool {
        !matches!(self, Self::RunningMean | Self::RunningVar)
    }
}

/// One parameter tensor of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Key in the weights, `{layer}.{kind}`.
    pub name: String,
    /// Extents.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
}

/// One value of the graph: the input (index 0) or the result of layer `index - 1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Name of the layer, or "input".
    pub name: String,
    /// Channels.
    pub channels: usize,
    /// Net halvings of the input's resolution (negative: doublings).
    pub level: i32,
}

/// A layer with its inputs resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The operator.
    pub op: Op,
    /// Indices of the values read.
    pub inputs: Vec<usize>,
    /// Index of the first of this layer's parameters; they follow each other.
    pub first_parameter: usize,
}

/// A checked network. Node `i` produces value `i + 1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    values: Vec<Value>,
    nodes: Vec<Node>,
    parameters: Vec<Parameter>,
}

impl Graph {
    /// Resolves names, infers channels and resolutions, lists parameters.
    pub fn of(network: &Network) -> Result<Self, NetworkError> {
        check_channels(INPUT, "in_channels", network.in_channels())?;
        if network.layers().is_empty() {
            return Err(NetworkError::Empty);
        }
        let mut graph = Self {
            values: vec![Value { name: INPUT.to_owned(), channels: network.in_channels(), level: 0 }],
            nodes: Vec::new(),
            parameters: Vec::new(),
        };
        let mut by_name = HashMap::from([(INPUT, 0)]);
        for layer in network.layers() {
            let name = layer.name.as_str();
            let previous = graph.values.len() - 1;
            let inputs = if layer.inputs.is_empty() {
                vec![previous]
            } else {
                let find = |input: &String| {
                    by_name
                        .get(input.as_str())
                        .copied()
                        .ok_or_else(|| NetworkError::UnknownInput { layer: name.to_owned(), input: input.clone() })
                };
                layer.inputs.iter().map(find).collect::<Result<_, _>>()?
            };
            graph.push(name, &layer.op, inputs)?;
            if name.is_empty() || by_name.insert(name, previous + 1).is_some() {
                return Err(NetworkError::Name(name.to_owned()));
            }
        }
        graph.check_all_used()?;
        Ok(graph)
    }

    fn push(&mut self, name: &str, op: &Op, inputs: Vec<usize>) -> Result<(), NetworkError> {
        if !matches!(op, Op::Concat) && inputs.len() != 1 {
            let (layer, op, got) = (name.to_owned(), op.to_string(), inputs.len());
            return Err(NetworkError::InputCount { layer, op, got, expected: "one" });
        }
        let first_parameter = self.parameters.len();
        let Value { channels: ci, level, .. } = self.values[inputs[0]];
        let (channels, level) = match op {
            Op::Conv2d { out_channels, kernel, bias } => {
                if !matches!(kernel, 1 | 3) {
                    return Err(NetworkError::Kernel { layer: name.to_owned(), got: *kernel });
                }
                check_channels(name, "out_channels", *out_channels)?;
                let fan_in = ci * kernel * kernel;
                self.parameter(name, "weight", vec![*out_channels, ci, *kernel, *kernel], Role::Kernel { fan_in });
                if *bias {
                    self.parameter(name, "bias", vec![*out_channels], Role::Bias);
                }
                (*out_channels, level)
            }
            Op::ConvTranspose2d { out_channels, bias } => {
                check_channels(name, "out_channels", *out_channels)?;
                self.parameter(name, "weight", vec![ci, *out_channels, 2, 2], Role::Kernel { fan_in: ci });
                if *bias {
                    self.parameter(name, "bias", vec![*out_channels], Role::Bias);
                }
                (*out_channels, level - 1)
            }
            Op::MaxPool2d => (ci, level + 1),
            Op::BatchNorm2d => {
                self.parameter(name, "weight", vec![ci], Role::Scale);
                self.parameter(name, "bias", vec![ci], Role::Bias);
                self.parameter(name, "running_mean", vec![ci], Role::RunningMean);
                self.parameter(name, "running_var", vec![ci], Role::RunningVar);
                (ci, level)
            }
            Op::Relu | Op::Sigmoid => (ci, level),
            Op::Concat => {
                if let Some(other) = inputs.iter().map(|&i| self.values[i].level).find(|&l| l != level) {
                    return Err(NetworkError::Resolution { layer: name.to_owned(), a: level, b: other });
                }
                let channels = inputs.iter().map(|&i| self.values[i].channels).sum();
                check_channels(name, "the sum of channels", channels)?;
                (channels, level)
            }
        };
        self.values.push(Value { name: name.to_owned(), channels, level });
        self.nodes.push(Node { op: op.clone(), inputs, first_parameter });
        Ok(())
    }

    fn parameter(&mut self, layer: &str, kind: &str, shape: Vec<usize>, role: Role) {
        self.parameters.push(Parameter { name: format!("{layer}.{kind}"), shape, role });
    }

    fn check_all_used(&self) -> Result<(), NetworkError> {
        let mut used = vec![false; self.values.len()];
        used[self.values.len() - 1] = true;
        self.nodes.iter().flat_map(|n| &n.inputs).for_each(|&i| used[i] = true);
        match used.iter().position(|u| !u) {
            Some(i) => Err(NetworkError::Unused(self.values[i].name.clone())),
            None => Ok(()),
        }
    }

    /// The values; index 0 is the input.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The layers in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The parameters in the order of the layers.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The last layer's value.
    pub fn output(&self) -> &Value {
        &self.values[self.values.len() - 1]
    }

    /// Height and width of the input must be multiples of this.
    pub fn multiple_of(&self) -> usize {
        let deepest = self.values.iter().map(|v| v.level).max().unwrap_or(0);
        1_usize.checked_shl(deepest.max(0) as u32).unwrap_or(usize::MAX)
    }
}

fn check_channels(layer: &str, what: &'static str, got: usize) -> Result<(), NetworkError> {
    if (1..=MAX_CHANNELS).contains(&got) {
        Ok(())
    } else {
        Err(NetworkError::Channels { layer: layer.to_owned(), what, got, max: MAX_CHANNELS })
    }
}
