//! The typed graph: channels, resolution and parameters of every layer, with the checks that make a description a network.

use std::collections::HashMap;

use crate::geometry::sides;
use crate::network::{INPUT, Network, NetworkError, Op};

mod resolution;
mod settings;

pub use resolution::Resolution;

/// Most channels that a layer may have.
pub const MAX_CHANNELS: usize = 1 << 16;

/// Most bytes that the weights of one network may take.
pub const MAX_WEIGHT_BYTES: u128 = 1 << 33;

/// Channels, depth, height and width of one image's or volume's activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Channels.
    pub c: usize,
    /// Depth in slices, 1 for images.
    pub d: usize,
    /// Height in pixels.
    pub h: usize,
    /// Width in pixels.
    pub w: usize,
}

/// What a parameter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Weight of a convolution or linear layer; `fan_in` products are summed into one output value.
    Kernel {
        /// Products per output value.
        fan_in: usize,
    },
    /// Scale of a normalisation.
    Scale,
    /// Bias of a convolution or linear layer, or shift of a normalisation.
    Bias,
    /// Running mean of a BatchNorm.
    RunningMean,
    /// Running variance of a BatchNorm.
    RunningVar,
    /// Weight or bias of a recurrent layer.
    Recurrent {
        /// Features of the state.
        hidden: usize,
    },
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
    /// What is known of its size before there is an input.
    pub resolution: Resolution,
}

impl Value {
    /// Net halvings of the input's size (negative: doublings); 0 where the size does not follow from the input's by halving.
    pub fn level(&self) -> i32 {
        match self.resolution {
            Resolution::Level(level) => level,
            _ => 0,
        }
    }
}

/// A layer with its inputs resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The operator.
    pub op: Op,
    /// Indices of the values read.
    pub inputs: Vec<usize>,
    /// Index of the first of this layer's parameters; they follow each other.
    pub first_parameter: usize,
}

/// A checked network. Node `i` produces value `i + 1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    axes: usize,
    values: Vec<Value>,
    nodes: Vec<Node>,
    parameters: Vec<Parameter>,
}

impl Graph {
    /// Resolves names, infers channels and resolutions, lists parameters.
    pub fn of(network: &Network) -> Result<Self, NetworkError> {
        let mut graph = Self::start(network.axes(), network.in_channels(), network.size())?;
        if network.layers().is_empty() {
            return Err(NetworkError::Empty);
        }
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
        graph.check_weights()?;
        Ok(graph)
    }

    /// The graph of an input alone, of this size if it is fixed.
    pub(crate) fn start(axes: usize, channels: usize, size: Option<&[usize]>) -> Result<Self, NetworkError> {
        check_channels(INPUT, "in_channels", channels)?;
        if !matches!(axes, 2 | 3) {
            return Err(NetworkError::Axes(axes));
        }
        let resolution = match size {
            None => Resolution::Level(0),
            Some(size) => {
                settings::check_size(size, axes)?;
                Resolution::Fixed(sides(size, 1))
            }
        };
        let input = Value { name: INPUT.to_owned(), channels, resolution };
        Ok(Self { axes, values: vec![input], nodes: Vec::new(), parameters: Vec::new() })
    }

    /// Adds a layer that reads these values, without a look at its name.
    pub(crate) fn push(&mut self, name: &str, op: &Op, inputs: Vec<usize>) -> Result<(), NetworkError> {
        if !op.joins() && inputs.len() != 1 {
            let (layer, op, got) = (name.to_owned(), op.to_string(), inputs.len());
            return Err(NetworkError::InputCount { layer, op, got, expected: "one" });
        }
        settings::check(name, op, self.axes, self.values[inputs[0]].channels)?;
        let first_parameter = self.parameters.len();
        let values: Vec<_> = inputs.iter().map(|&i| &self.values[i]).collect();
        let resolution = resolution::after(name, op, &values, self.axes)?;
        let ci = values[0].channels;
        let channels = match op {
            Op::Concat => {
                let channels = values.iter().map(|v| v.channels).sum();
                check_channels(name, "the sum of channels", channels)?;
                channels
            }
            Op::Add if values.iter().any(|v| v.channels != ci) => {
                let problem = "adds inputs of different numbers of channels";
                return Err(NetworkError::Input { layer: name.to_owned(), op: op.to_string(), problem });
            }
            Op::Flatten => {
                // Maps of another resolution were refused.
                let Resolution::Fixed(size) = values[0].resolution else { unreachable!("a flattened map has a size") };
                let channels = size.iter().fold(ci, |c, side| c.saturating_mul(*side));
                check_channels(name, "channels times pixels", channels)?;
                channels
            }
            _ => match op.recurrent() {
                Some((_, recurrence)) => recurrence.directions() * recurrence.hidden,
                None => op.weighted().map_or(ci, |(channels, _)| channels),
            },
        };
        if let (Some((out, bias)), Some(g)) = (op.weighted(), op.geometry()) {
            let taps = || g.kernel[3 - self.axes..].iter().copied();
            let shape: Vec<usize> = match op {
                Op::Linear { .. } => vec![out, ci],
                _ if g.transposed => [ci, out].into_iter().chain(taps()).collect(),
                _ => [out, ci / g.groups].into_iter().chain(taps()).collect(),
            };
            // Every output position of a transposed convolution sums over one tap of each stride by stride.
            let per_output: usize =
                (0..3).map(|a| if g.transposed { g.kernel[a].div_ceil(g.stride[a]) } else { g.kernel[a] }).product();
            self.parameter(name, "weight", shape, Role::Kernel { fan_in: ci / g.groups * per_output });
            if bias {
                self.parameter(name, "bias", vec![out], Role::Bias);
            }
        }
        if let Some((cell, recurrence)) = op.recurrent() {
            let (rows, hidden) = (cell.gates() * recurrence.hidden, recurrence.hidden);
            for suffix in &["", "_reverse"][..recurrence.directions()] {
                for (kind, shape) in [
                    ("weight_ih_l0", vec![rows, ci]),
                    ("weight_hh_l0", vec![rows, hidden]),
                    ("bias_ih_l0", vec![rows]),
                    ("bias_hh_l0", vec![rows]),
                ] {
                    self.parameter(name, &format!("{kind}{suffix}"), shape, Role::Recurrent { hidden });
                }
            }
        }
        if op.batch_norm_eps().is_some() || op.sample_norm().is_some() {
            self.parameter(name, "weight", vec![ci], Role::Scale);
            self.parameter(name, "bias", vec![ci], Role::Bias);
        }
        if op.batch_norm_eps().is_some() {
            self.parameter(name, "running_mean", vec![ci], Role::RunningMean);
            self.parameter(name, "running_var", vec![ci], Role::RunningVar);
        }
        self.values.push(Value { name: name.to_owned(), channels, resolution });
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

    /// Refuses weights that no machine would hold, before anybody makes room for them.
    fn check_weights(&self) -> Result<(), NetworkError> {
        let of = |p: &Parameter| p.shape.iter().fold(4, |n: u128, d| n.saturating_mul(*d as u128));
        let mut bytes = 0_u128;
        for parameter in &self.parameters {
            bytes = bytes.saturating_add(of(parameter));
            if bytes > MAX_WEIGHT_BYTES {
                let (key, limit) = (parameter.name.clone(), MAX_WEIGHT_BYTES);
                return Err(NetworkError::Weights { key, bytes, limit });
            }
        }
        Ok(())
    }

    /// Spatial axes: 2 for images, 3 for volumes.
    pub fn axes(&self) -> usize {
        self.axes
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
        let deepest = self.values.iter().map(Value::level).max().unwrap_or(0);
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
