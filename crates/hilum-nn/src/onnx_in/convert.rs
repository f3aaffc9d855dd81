//! Nodes into layers: one match arm per operator; windows and the other operators with fields of their own have their files.

use std::collections::{HashMap, HashSet};

use super::OnnxError;
use super::attributes::Attributes;
use super::model::{Constant, FLOAT, Input, Model, Node};
use super::patterns;
use crate::network::{INPUT, Network, NetworkBuilder, NetworkError, Op};
use crate::op::Cell;
use crate::weights::{Tensor, Weights};

/// A parameter of a converted node: kind (`weight`, `bias` ...), shape, values.
pub(super) type Parameter = (&'static str, Vec<usize>, Vec<f32>);

/// What an operator becomes.
pub(super) enum Made {
    /// A layer over the node's inputs of these numbers.
    Layer { op: Op, inputs: Vec<usize>, parameters: Vec<Parameter> },
    /// The mean over the node's first input as a matrix: two layers.
    FlatMean,
    /// Nothing: the node's result is its first input.
    Same,
}

impl Made {
    /// A layer over the first input, without parameters.
    pub(super) fn plain(op: Op) -> Self {
        Self::with(op, Vec::new())
    }

    /// A layer over the first input.
    pub(super) fn with(op: Op, parameters: Vec<Parameter>) -> Self {
        Self::Layer { op, inputs: vec![0], parameters }
    }
}

pub(super) struct Converter<'a> {
    pub(super) opset: i64,
    /// Spatial axes.
    pub(super) axes: usize,
    constants: HashMap<&'a str, &'a Constant<'a>>,
    /// The layer that makes a value.
    layer_of: HashMap<&'a str, String>,
    /// Layers whose results are matrices `[n, c]`.
    matrices: HashSet<String>,
    taken: HashSet<String>,
    network: NetworkBuilder,
    tensors: Vec<Tensor>,
}

pub(super) fn convert(model: &mut Model<'_>) -> Result<(Network, Weights), OnnxError> {
    patterns::replace(model);
    let (input, channels, axes) = input(model)?;
    let [output] = model.outputs[..] else {
        return Err(OnnxError::Interface(format!("{} outputs", model.outputs.len())));
    };
    let network = if axes == 3 { Network::volume_builder(channels) } else { Network::builder(channels) };
    let mut converter = Converter {
        opset: model.opset,
        axes,
        constants: model.constants.iter().map(|(name, c)| (*name, c)).collect(),
        layer_of: HashMap::from([(input.name, INPUT.to_owned())]),
        matrices: HashSet::new(),
        taken: HashSet::from([INPUT.to_owned()]),
        network,
        tensors: Vec::new(),
    };
    let needed = needed(model, output)?;
    for (node, _) in model.nodes.iter().zip(needed).filter(|(_, needed)| *needed) {
        converter.add(node)?;
    }
    if !converter.layer_of.contains_key(output) {
        return Err(OnnxError::Interface(format!("no node makes the output {output:?}")));
    }
    let network = build(converter.network, &input.shape)?;
    let weights = Weights::new(&network, converter.tensors)?;
    Ok((network, weights))
}

/// The network for inputs of any size, or where a layer needs to know it, for that of the model, if the model fixes it.
fn build(network: NetworkBuilder, shape: &[Option<i64>]) -> Result<Network, OnnxError> {
    let side = |side: &Option<i64>| side.and_then(|s| usize::try_from(s).ok());
    let size: Option<Vec<usize>> = shape[2..].iter().map(side).collect();
    Ok(match (network.clone().build(), size) {
        (Err(NetworkError::Input { .. }), Some(size)) => network.sized(&size).build()?,
        (other, _) => other?,
    })
}

/// The one input, its channels and its spatial axes.
fn input<'m, 'a>(model: &'m Model<'a>) -> Result<(&'m Input<'a>, usize, usize), OnnxError> {
    let [input] = &model.inputs[..] else {
        return Err(OnnxError::Interface(format!("{} inputs", model.inputs.len())));
    };
    match (input.kind, &input.shape[..]) {
        (FLOAT, [_, Some(channels), sides @ ..]) if matches!(sides.len(), 2 | 3) => match usize::try_from(*channels) {
            Ok(channels) => Ok((input, channels, sides.len())),
            Err(_) => Err(OnnxError::Interface(format!("input {} has {channels} channels", input.name))),
        },
        (kind, shape) => Err(OnnxError::Interface(format!("input {} of type {kind} has shape {shape:?}", input.name))),
    }
}

/// The nodes on which the output depends.
fn needed(model: &Model<'_>, output: &str) -> Result<Vec<bool>, OnnxError> {
    let mut maker: HashMap<&str, usize> = HashMap::new();
    for (i, node) in model.nodes.iter().enumerate() {
        for value in node.outputs.iter().filter(|v| !v.is_empty()) {
            if maker.insert(value, i).is_some() {
                return Err(OnnxError::Twice((*value).to_owned()));
            }
        }
    }
    let mut needed = vec![false; model.nodes.len()];
    let mut open = vec![output];
    while let Some(value) = open.pop() {
        if let Some(&i) = maker.get(value)
            && !needed[i]
        {
            needed[i] = true;
            open.extend(&model.nodes[i].inputs);
        }
    }
    Ok(needed)
}

impl<'a> Converter<'a> {
    fn add(&mut self, node: &'a Node<'a>) -> Result<(), OnnxError> {
        let result = node.outputs.first().copied().unwrap_or_default();
        if let ("Constant", Some(value)) = (node.op, node.attributes.iter().find_map(|a| a.tensor.as_ref())) {
            self.constants.insert(result, value);
            return Ok(());
        }
        match self.operator(node)? {
            Made::Same => {
                if let Some(constant) = node.inputs.first().and_then(|i| self.constants.get(i)) {
                    self.constants.insert(result, constant);
                } else {
                    let layer = self.read(node, 0)?;
                    self.layer_of.insert(result, layer);
                }
            }
            Made::Layer { op, inputs, parameters } => {
                let inputs = inputs.into_iter().map(|i| self.read(node, i)).collect::<Result<Vec<_>, _>>()?;
                let name = self.name(node);
                for (kind, shape, data) in parameters {
                    self.tensors.push(Tensor { name: format!("{name}.{kind}"), shape, data });
                }
                self.layer(&name, &inputs, op);
                self.layer_of.insert(result, name);
            }
            Made::FlatMean => {
                let input = self.read(node, 0)?;
                let name = self.name(node);
                let mean = self.free(&[&format!("{name}.mean")]);
                self.layer(&mean, &[input], Op::GlobalAvgPool);
                self.layer(&name, &[mean], Op::Flatten);
                self.layer_of.insert(result, name);
            }
        }
        Ok(())
    }

    fn layer(&mut self, name: &str, inputs: &[String], op: Op) {
        let matrix = matches!(op, Op::Flatten | Op::Linear { .. }) || inputs.iter().any(|i| self.matrices.contains(i));
        if matrix {
            self.matrices.insert(name.to_owned());
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.network.layer(name, &inputs, op);
    }

    /// The layer behind an input of a node.
    fn read(&self, node: &Node<'_>, index: usize) -> Result<String, OnnxError> {
        let input = node.inputs.get(index).copied().unwrap_or_default();
        if self.constants.contains_key(input) {
            return Err(Attributes(node).refuse("an input", format!("the constant {input}"), "the result of a layer"));
        }
        let unknown = || OnnxError::UnknownInput { node: node.shown(), input: input.to_owned() };
        self.layer_of.get(input).cloned().ok_or_else(unknown)
    }

    /// Axes of a node's first input, batch and channels among them.
    pub(super) fn rank(&self, node: &Node<'_>) -> Result<usize, OnnxError> {
        let matrix = self.matrices.contains(&self.read(node, 0)?);
        Ok(if matrix { 2 } else { self.axes + 2 })
    }

    /// A free name: that of the weight without `.weight`, of the node, of the result, or one of them with a number.
    fn name(&mut self, node: &Node<'_>) -> String {
        let of_weight = node.inputs.get(1).and_then(|w| w.strip_suffix(".weight"));
        let names = of_weight.into_iter().chain([node.name]).chain(node.outputs.first().copied());
        let wanted: Vec<&str> = names.filter(|n| !n.is_empty()).collect();
        self.free(&wanted)
    }

    /// The first of these names that is free, else the first with a number.
    fn free(&mut self, wanted: &[&str]) -> String {
        let free = wanted.iter().find(|n| !self.taken.contains(**n)).map(|n| (*n).to_owned());
        let base = wanted.first().copied().unwrap_or("layer");
        let name = free.unwrap_or_else(|| {
            // One more than the names taken: one of these numbers is free.
            let mut numbered = (2..=self.taken.len() + 2).map(|i| format!("{base}.{i}"));
            numbered.find(|n| !self.taken.contains(n)).unwrap_or_default()
        });
        self.taken.insert(name.clone());
        name
    }

    /// The constant behind an input of a node.
    pub(super) fn constant_at(&self, node: &Node<'_>, index: usize) -> Option<&'a Constant<'a>> {
        self.constants.get(node.inputs.get(index)?).copied()
    }

    /// A constant input.
    pub(super) fn constant(
        &self,
        node: &Node<'_>,
        index: usize,
        what: &'static str,
    ) -> Result<(Vec<usize>, Vec<f32>), OnnxError> {
        let name = node.inputs.get(index).copied().unwrap_or_default();
        let missing = || OnnxError::NotConstant { node: node.shown(), op: node.op.to_owned(), what };
        self.constant_at(node, index).ok_or_else(missing)?.values(name)
    }

    /// Weight and, if there is one, bias of a convolution or linear layer.
    pub(super) fn weight_and_bias(&self, node: &Node<'_>) -> Result<Vec<Parameter>, OnnxError> {
        let (shape, data) = self.constant(node, 1, "weight")?;
        let mut parameters = vec![("weight", shape, data)];
        if node.inputs.get(2).is_some_and(|b| !b.is_empty()) {
            let (shape, data) = self.constant(node, 2, "bias")?;
            parameters.push(("bias", shape, data));
        }
        Ok(parameters)
    }

    fn operator(&self, node: &Node<'_>) -> Result<Made, OnnxError> {
        let attributes = &Attributes(node);
        if !matches!(node.domain, "" | "ai.onnx") {
            return Err(OnnxError::Operator { node: node.shown(), op: format!("{}.{}", node.domain, node.op) });
        }
        Ok(match node.op {
            "Conv" => self.conv(attributes)?,
            "ConvTranspose" => self.conv_transpose(attributes)?,
            "MaxPool" => self.max_pool(attributes)?,
            "AveragePool" => self.average_pool(attributes)?,
            "GlobalAveragePool" => Made::plain(Op::GlobalAvgPool),
            "GlobalMaxPool" => Made::plain(Op::AdaptiveMaxPool { size: vec![1; self.axes] }),
            "ReduceMean" => self.reduce_mean(attributes)?,
            "ReduceMax" => self.reduce_max(attributes)?,
            "GRU" => self.recurrent(attributes, Cell::Gru)?,
            "LSTM" => self.recurrent(attributes, Cell::Lstm)?,
            "BatchNormalization" => self.batch_norm(attributes)?,
            "InstanceNormalization" => self.instance_norm(attributes)?,
            "GroupNormalization" => self.group_norm(attributes)?,
            "Gemm" => self.gemm(attributes)?,
            "Flatten" => {
                attributes.only(&["axis"])?;
                self.channel_axis(attributes, 1)?;
                Made::plain(Op::Flatten)
            }
            "Reshape" => self.reshape(attributes)?,
            "Resize" | "Upsample" => self.resize(attributes)?,
            "Relu" => Made::plain(Op::Relu),
            "LeakyRelu" => Made::plain(Op::LeakyRelu { slope: attributes.float("alpha", 0.01) }),
            "Gelu" => {
                if !matches!(attributes.text("approximate"), "" | "none") {
                    let got = attributes.text("approximate").to_owned();
                    return Err(attributes.refuse("approximate", got, "none"));
                }
                Made::plain(Op::Gelu)
            }
            "Tanh" => Made::plain(Op::Tanh),
            "Sigmoid" => Made::plain(Op::Sigmoid),
            "Softmax" => self.softmax(attributes)?,
            "Mul" => self.scale(attributes)?,
            "Add" | "Sum" => {
                let inputs = (0..node.inputs.len().max(1)).collect();
                Made::Layer { op: Op::Add, inputs, parameters: Vec::new() }
            }
            "Concat" => {
                attributes.only(&["axis"])?;
                self.channel_axis(attributes, 1)?;
                let inputs = (0..node.inputs.len().max(1)).collect();
                Made::Layer { op: Op::Concat, inputs, parameters: Vec::new() }
            }
            "Identity" | "Dropout" => Made::Same,
            other => return Err(OnnxError::Operator { node: node.shown(), op: other.to_owned() }),
        })
    }
}
