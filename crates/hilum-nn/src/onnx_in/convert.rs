//! Nodes into layers: one match arm per operator; windows, reshaping, shapes and the other operators with fields of their own have their files.

use std::collections::{HashMap, HashSet};

use super::OnnxError;
use super::attributes::Attributes;
use super::extents::Extents;
use super::model::{Constant, FLOAT, Input, Model, Node};
use super::operators;
use super::padding::Ends;
use super::patterns;
use crate::graph::{Graph, Resolution};
use crate::network::{INPUT, Network, NetworkBuilder, Op};
use crate::op::Cell;
use crate::plan::VolumeShape;
use crate::plan::sizes;
use crate::weights::{Tensor, Weights};

/// A parameter of a converted node: kind (`weight`, `bias` ...), shape, values.
pub(super) type Parameter = (&'static str, Vec<usize>, Vec<f32>);

/// What stands for a value of the model.
#[derive(Clone)]
pub(super) enum Value {
    /// The result of a layer. The pixel of a global pool may be shown with fewer axes than its layer has; it becomes a matrix, under this name, where
    /// it is read as one.
    Layer { layer: usize, axes: usize, matrix: String },
    /// The result of a layer with zeros around it, which the window that reads it adds.
    Padded { layer: usize, ends: Vec<Ends> },
    /// A shape or a part of one.
    Extents(Extents),
}

/// What an operator becomes.
pub(super) enum Made {
    /// A layer over the node's inputs of these numbers.
    Layer { op: Op, inputs: Vec<usize>, parameters: Vec<Parameter> },
    /// A layer over the first input that has taken over the zeros around it.
    Window { op: Op, parameters: Vec<Parameter> },
    /// The mean over the node's first input, shown with two axes.
    FlatMean,
    /// The node's first input, a pixel, shown with this many axes.
    Shown(usize),
    /// Nothing: the node's result is its first input.
    Same,
    /// No layer: the result is known.
    Known(Value),
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
    /// The batch, where the model fixes it.
    pub(super) batch: Option<i64>,
    /// What has been made so far.
    pub(super) graph: Graph,
    /// Sizes of all layers, where the model fixes that of its input.
    pub(super) sizes: Option<Vec<[usize; 3]>>,
    /// Layers whose results are never negative.
    pub(super) positive: Vec<bool>,
    /// Whether pools that halve the size must do so without remainder: sizes are computed from those of maps that nothing fixes.
    pub(super) halving: bool,
    constants: HashMap<&'a str, &'a Constant<'a>>,
    values: HashMap<&'a str, Value>,
    /// Matrices made of pixels.
    matrices: HashMap<String, usize>,
    taken: HashSet<String>,
    network: NetworkBuilder,
    tensors: Vec<Tensor>,
}

/// The network for inputs of any size, or where a layer needs to know it, for that of the model, if the model fixes it.
pub(super) fn convert(model: &mut Model<'_>) -> Result<(Network, Weights), OnnxError> {
    patterns::replace(model);
    let any_size = attempt(model, false);
    match any_size {
        Err(_) if fixed_size(input(model)?.0).is_some() => attempt(model, true).or(any_size),
        other => other,
    }
}

fn attempt(model: &Model<'_>, sized: bool) -> Result<(Network, Weights), OnnxError> {
    let (input, channels, axes) = input(model)?;
    let [output] = model.outputs[..] else {
        return Err(OnnxError::Interface(format!("{} outputs", model.outputs.len())));
    };
    let size = fixed_size(input);
    let sides = size.as_ref().filter(|_| sized).map(|size| &size[3 - axes..]);
    let network = if axes == 3 { Network::volume_builder(channels) } else { Network::builder(channels) };
    let network = sides.map_or(network.clone(), |sides| network.sized(sides));
    let resized = |n: &Node<'_>| n.op == "Resize" && n.inputs.get(3).is_some_and(|s| !model.constants.contains_key(s));
    let of_input = Value::Layer { layer: 0, axes: axes + 2, matrix: String::new() };
    let mut converter = Converter {
        opset: model.opset,
        axes,
        batch: input.shape[0],
        graph: Graph::start(axes, channels, sides)?,
        sizes: size.map(|size| vec![size]),
        positive: vec![false],
        halving: axes == 2 && size.is_none() && model.nodes.iter().any(resized),
        constants: model.constants.iter().map(|(name, c)| (*name, c)).collect(),
        values: HashMap::from([(input.name, of_input)]),
        matrices: HashMap::new(),
        taken: HashSet::from([INPUT.to_owned()]),
        network,
        tensors: Vec::new(),
    };
    let needed = needed(model, output)?;
    for (node, _) in model.nodes.iter().zip(needed).filter(|(_, needed)| *needed) {
        converter.add(node)?;
    }
    converter.end(output)?;
    let network = converter.network.build()?;
    let weights = Weights::new(&network, converter.tensors)?;
    Ok((network, weights))
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

/// Depth, height and width, where the model fixes them all.
fn fixed_size(input: &Input<'_>) -> Option<[usize; 3]> {
    let sides = &input.shape[2..];
    let mut size = [1; 3];
    for (to, side) in size[3 - sides.len()..].iter_mut().zip(sides) {
        *to = usize::try_from((*side)?).ok().filter(|s| (1..=1 << 16).contains(s))?;
    }
    Some(size)
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
        let value = match self.operator(node)? {
            Made::Same => {
                if let Some(constant) = node.inputs.first().and_then(|i| self.constants.get(i)) {
                    self.constants.insert(result, constant);
                    return Ok(());
                }
                self.value_at(node, 0).cloned().ok_or_else(|| unknown(node, 0))?
            }
            Made::Known(value) => value,
            Made::Shown(axes) => {
                let (layer, _) = self.layer_and_axes(node, 0)?;
                Value::Layer { layer, axes, matrix: self.name(node) }
            }
            Made::Layer { op, inputs, parameters } => {
                let inputs = inputs.into_iter().map(|i| self.read(node, i)).collect::<Result<Vec<_>, _>>()?;
                self.node_layer(node, inputs, op, parameters)?
            }
            Made::Window { op, parameters } => {
                let (layer, _) = self.padded(node)?;
                self.node_layer(node, vec![layer], op, parameters)?
            }
            Made::FlatMean => {
                let input = self.read(node, 0)?;
                let matrix = self.name(node);
                let mean = self.free(&[&format!("{matrix}.mean")]);
                let layer = self.layer(mean, vec![input], Op::GlobalAvgPool)?;
                Value::Layer { layer, axes: 2, matrix }
            }
        };
        self.values.insert(result, value);
        Ok(())
    }

    fn node_layer(
        &mut self,
        node: &Node<'_>,
        inputs: Vec<usize>,
        op: Op,
        parameters: Vec<Parameter>,
    ) -> Result<Value, OnnxError> {
        let name = self.name(node);
        for (kind, shape, data) in parameters {
            self.tensors.push(Tensor { name: format!("{name}.{kind}"), shape, data });
        }
        let layer = self.layer(name, inputs, op)?;
        Ok(Value::Layer { layer, axes: self.natural_axes(layer), matrix: String::new() })
    }

    /// Adds a layer and gives its number.
    fn layer(&mut self, name: String, inputs: Vec<usize>, op: Op) -> Result<usize, OnnxError> {
        let positive = match op {
            Op::Relu | Op::Sigmoid | Op::Softmax => true,
            Op::MaxPool2d
            | Op::MaxPool(_)
            | Op::AvgPool { .. }
            | Op::GlobalAvgPool
            | Op::AdaptiveAvgPool { .. }
            | Op::AdaptiveMaxPool { .. }
            | Op::Upsample { .. }
            | Op::Flatten
            | Op::Concat
            | Op::Add => inputs.iter().all(|&i| self.positive[i]),
            _ => false,
        };
        self.graph.push(&name, &op, inputs.clone())?;
        self.positive.push(positive);
        let number = self.graph.values().len() - 1;
        // A map that does not fit is the plan's to refuse; here its size is unknown from now on.
        let shape = |[d, h, w]: [usize; 3]| VolumeShape { n: 1, d, h, w };
        let sizes = self.sizes.take().and_then(|mut sizes| {
            sizes.push(sizes::after(&self.graph, number - 1, &sizes, shape(sizes[0])).ok()?);
            Some(sizes)
        });
        self.sizes = sizes;
        let inputs: Vec<&str> = inputs.iter().map(|&i| self.graph.values()[i].name.as_str()).collect();
        self.network.layer(name, &inputs, op);
        Ok(number)
    }

    /// The output is what the last layer makes.
    fn end(&mut self, output: &str) -> Result<(), OnnxError> {
        let missing = || OnnxError::Interface(format!("no node makes the output {output:?}"));
        let (layer, axes, matrix) = match self.values.get(output) {
            Some(Value::Layer { layer, axes, matrix }) => (*layer, *axes, matrix.clone()),
            Some(_) => return Err(OnnxError::Interface(format!("the output {output:?} is no result of a layer"))),
            None => return Err(missing()),
        };
        let layer = if axes == 2 { self.matrix(layer, matrix)? } else { layer };
        if layer + 1 == self.graph.values().len() && layer > 0 {
            return Ok(());
        }
        Err(OnnxError::Interface(format!("the output {output:?} is not what the last layer makes")))
    }

    /// A pixel as a matrix.
    fn matrix(&mut self, layer: usize, name: String) -> Result<usize, OnnxError> {
        if self.natural_axes(layer) == 2 {
            return Ok(layer);
        }
        if let Some(made) = self.matrices.get(&name) {
            return Ok(*made);
        }
        let matrix = self.layer(name.clone(), vec![layer], Op::Flatten)?;
        self.matrices.insert(name, matrix);
        Ok(matrix)
    }

    /// Axes of a layer's result, batch and channels among them.
    pub(super) fn natural_axes(&self, layer: usize) -> usize {
        if self.graph.values()[layer].resolution == Resolution::Matrix { 2 } else { self.axes + 2 }
    }

    /// What stands for an input of a node.
    pub(super) fn value_at(&self, node: &Node<'_>, index: usize) -> Option<&Value> {
        self.values.get::<str>(node.inputs.get(index)?)
    }

    /// The layer behind an input of a node, and the axes that it is shown with.
    pub(super) fn layer_and_axes(&self, node: &Node<'_>, index: usize) -> Result<(usize, usize), OnnxError> {
        let input = node.inputs.get(index).copied().unwrap_or_default();
        let refuse = |got: String| Err(Attributes(node).refuse("an input", got, "the result of a layer"));
        if self.constants.contains_key(input) {
            return refuse(format!("the constant {input}"));
        }
        match self.values.get(input) {
            Some(Value::Layer { layer, axes, .. }) => Ok((*layer, *axes)),
            Some(Value::Padded { .. }) => refuse(format!("{input}, padded, which convolutions and pools take")),
            Some(Value::Extents(_)) => refuse(format!("the shape {input}")),
            None => Err(unknown(node, index)),
        }
    }

    /// The layer behind an input of a node, as a map or a matrix.
    fn read(&mut self, node: &Node<'_>, index: usize) -> Result<usize, OnnxError> {
        let (layer, axes) = self.layer_and_axes(node, index)?;
        if axes == self.natural_axes(layer) {
            return Ok(layer);
        }
        match self.value_at(node, index) {
            Some(Value::Layer { matrix, .. }) if axes == 2 => self.matrix(layer, matrix.clone()),
            _ => {
                let got = format!("of {axes} axes");
                Err(Attributes(node).refuse("an input", got, "a map or a matrix of batch and channels"))
            }
        }
    }

    /// The map behind a window's first input, with the zeros around it.
    pub(super) fn padded(&self, node: &Node<'_>) -> Result<(usize, Vec<Ends>), OnnxError> {
        if let Some(Value::Padded { layer, ends }) = self.value_at(node, 0) {
            return Ok((*layer, ends.clone()));
        }
        let (layer, axes) = self.layer_and_axes(node, 0)?;
        if axes != self.axes + 2 || self.natural_axes(layer) != axes {
            return Err(Attributes(node).refuse("an input", format!("of {axes} axes"), "a map"));
        }
        Ok((layer, vec![Ends::default(); self.axes]))
    }

    /// Axes of a node's first input, batch and channels among them.
    pub(super) fn rank(&self, node: &Node<'_>) -> Result<usize, OnnxError> {
        Ok(self.layer_and_axes(node, 0)?.1)
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

    /// Weight and, if there is one, bias of a convolution or linear layer. A bias may have further axes of one position.
    pub(super) fn weight_and_bias(&self, node: &Node<'_>) -> Result<Vec<Parameter>, OnnxError> {
        let (shape, data) = self.constant(node, 1, "weight")?;
        let mut parameters = vec![("weight", shape, data)];
        if node.inputs.get(2).is_some_and(|b| !b.is_empty()) {
            let (mut shape, data) = self.constant(node, 2, "bias")?;
            if shape.iter().filter(|d| **d != 1).count() <= 1 {
                shape = vec![data.len()];
            }
            parameters.push(("bias", shape, data));
        }
        Ok(parameters)
    }

    fn operator(&self, node: &Node<'_>) -> Result<Made, OnnxError> {
        let attributes = &Attributes(node);
        if !matches!(node.domain, "" | "ai.onnx") {
            return Err(OnnxError::Operator { node: node.shown(), op: format!("{}.{}", node.domain, node.op) });
        }
        if let Some(made) = self.computed(attributes)? {
            return Ok(made);
        }
        Ok(match node.op {
            "Conv" => self.conv(attributes)?,
            "ConvTranspose" => self.conv_transpose(attributes)?,
            "MaxPool" => self.max_pool(attributes)?,
            "AveragePool" => self.average_pool(attributes)?,
            "GlobalAveragePool" => Made::plain(Op::GlobalAvgPool),
            "Pad" => self.pad(attributes)?,
            "GlobalMaxPool" => Made::plain(Op::AdaptiveMaxPool { size: vec![1; self.axes] }),
            "ReduceMean" => self.reduce_mean(attributes)?,
            "ReduceMax" => self.reduce_max(attributes)?,
            "GRU" => self.recurrent(attributes, Cell::Gru)?,
            "LSTM" => self.recurrent(attributes, Cell::Lstm)?,
            "BatchNormalization" => self.batch_norm(attributes)?,
            "InstanceNormalization" => self.instance_norm(attributes)?,
            "GroupNormalization" => self.group_norm(attributes)?,
            "Gemm" => self.gemm(attributes)?,
            "MatMul" => self.mat_mul(attributes)?,
            "Flatten" => self.flatten(attributes)?,
            "Squeeze" => self.squeeze(attributes)?,
            "Unsqueeze" => self.unsqueeze(attributes)?,
            "Reshape" => self.reshape(attributes)?,
            "Resize" | "Upsample" => self.resize(attributes)?,
            "Relu" => Made::plain(Op::Relu),
            "Clip" => self.clip(attributes)?,
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
            "Mul" | "Div" => self.scale(attributes)?,
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
            "Cast" => operators::cast(attributes)?,
            "Identity" | "Dropout" => Made::Same,
            other => return Err(OnnxError::Operator { node: node.shown(), op: other.to_owned() }),
        })
    }
}

fn unknown(node: &Node<'_>, index: usize) -> OnnxError {
    let input = node.inputs.get(index).copied().unwrap_or_default();
    OnnxError::UnknownInput { node: node.shown(), input: input.to_owned() }
}
