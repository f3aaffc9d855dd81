//! Nodes into layers: one match arm per operator.

use std::collections::{HashMap, HashSet};

use super::OnnxError;
use super::attributes::Attributes;
use super::model::{Constant, FLOAT, Input, Model, Node};
use crate::network::{INPUT, Layer, Network, Op};
use crate::op::NORM_EPS;
use crate::weights::{Tensor, Weights};

/// A parameter of a converted node: kind (`weight`, `bias` ...), shape, values.
type Parameter = (&'static str, Vec<usize>, Vec<f32>);

/// What an operator becomes.
enum Made {
    /// A layer over the first `inputs` inputs of the node.
    Layer { op: Op, inputs: usize, parameters: Vec<Parameter> },
    /// Nothing: the node's result is its first input.
    Same,
}

struct Converter<'a> {
    constants: HashMap<&'a str, &'a Constant<'a>>,
    /// The layer that makes a value.
    layer_of: HashMap<&'a str, String>,
    taken: HashSet<String>,
    layers: Vec<Layer>,
    tensors: Vec<Tensor>,
}

pub(super) fn convert(model: &Model<'_>) -> Result<(Network, Weights), OnnxError> {
    let (input, channels) = input(model)?;
    let [output] = model.outputs[..] else {
        return Err(OnnxError::Interface(format!("{} outputs", model.outputs.len())));
    };
    let mut converter = Converter {
        constants: model.constants.iter().map(|(name, c)| (*name, c)).collect(),
        layer_of: HashMap::from([(input.name, INPUT.to_owned())]),
        taken: HashSet::from([INPUT.to_owned()]),
        layers: Vec::new(),
        tensors: Vec::new(),
    };
    let needed = needed(model, output)?;
    for (node, _) in model.nodes.iter().zip(needed).filter(|(_, needed)| *needed) {
        converter.add(node)?;
    }
    if !converter.layer_of.contains_key(output) {
        return Err(OnnxError::Interface(format!("no node makes the output {output:?}")));
    }
    let network = Network::new(channels, converter.layers)?;
    let weights = Weights::new(&network, converter.tensors)?;
    Ok((network, weights))
}

/// The one input and its channels.
fn input<'m, 'a>(model: &'m Model<'a>) -> Result<(&'m Input<'a>, usize), OnnxError> {
    let [input] = &model.inputs[..] else {
        return Err(OnnxError::Interface(format!("{} inputs", model.inputs.len())));
    };
    match (input.kind, &input.shape[..]) {
        (FLOAT, [_, Some(channels), _, _]) => match usize::try_from(*channels) {
            Ok(channels) => Ok((input, channels)),
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
                let inputs = (0..inputs).map(|i| self.read(node, i)).collect::<Result<Vec<_>, _>>()?;
                let name = self.name(node);
                for (kind, shape, data) in parameters {
                    self.tensors.push(Tensor { name: format!("{name}.{kind}"), shape, data });
                }
                self.layers.push(Layer { name: name.clone(), inputs, op });
                self.layer_of.insert(result, name);
            }
        }
        Ok(())
    }

    /// The layer behind an input of a node.
    fn read(&self, node: &Node<'_>, index: usize) -> Result<String, OnnxError> {
        let input = node.inputs.get(index).copied().unwrap_or_default();
        let unknown = || OnnxError::UnknownInput { node: node.shown(), input: input.to_owned() };
        self.layer_of.get(input).cloned().ok_or_else(unknown)
    }

    /// A free name: that of the weight without `.weight`, of the node, of the result, or one of them with a number.
    fn name(&mut self, node: &Node<'_>) -> String {
        let of_weight = node.inputs.get(1).and_then(|w| w.strip_suffix(".weight"));
        let names = of_weight.into_iter().chain([node.name]).chain(node.outputs.first().copied());
        let wanted: Vec<&str> = names.filter(|n| !n.is_empty()).collect();
        let free = wanted.iter().find(|n| !self.taken.contains(**n)).map(|n| (*n).to_owned());
        let base = wanted.first().copied().unwrap_or("layer");
        let name = free.unwrap_or_else(|| {
            // One more than the names taken: one of these numbers is free.
            let numbered = (2..=self.taken.len() + 2).map(|i| format!("{base}.{i}"));
            numbered.into_iter().find(|n| !self.taken.contains(n)).unwrap_or_default()
        });
        self.taken.insert(name.clone());
        name
    }

    /// A constant input.
    fn constant(&self, node: &Node<'_>, index: usize, what: &'static str) -> Result<(Vec<usize>, Vec<f32>), OnnxError> {
        let name = node.inputs.get(index).copied().unwrap_or_default();
        let missing = || OnnxError::NotConstant { node: node.shown(), op: node.op.to_owned(), what };
        self.constants.get(name).ok_or_else(missing)?.values(name)
    }

    /// Weight and, if there is one, bias of a convolution.
    fn weight_and_bias(&self, node: &Node<'_>) -> Result<Vec<Parameter>, OnnxError> {
        let (shape, data) = self.constant(node, 1, "weight")?;
        let mut parameters = vec![("weight", shape, data)];
        if node.inputs.get(2).is_some_and(|b| !b.is_empty()) {
            let (shape, data) = self.constant(node, 2, "bias")?;
            parameters.push(("bias", shape, data));
        }
        Ok(parameters)
    }

    fn operator(&self, node: &Node<'_>) -> Result<Made, OnnxError> {
        let attributes = Attributes(node);
        let plain = |op: Op| Made::Layer { op, inputs: 1, parameters: Vec::new() };
        if !matches!(node.domain, "" | "ai.onnx") {
            return Err(OnnxError::Operator { node: node.shown(), op: format!("{}.{}", node.domain, node.op) });
        }
        Ok(match node.op {
            "Conv" => self.conv(node, &attributes)?,
            "ConvTranspose" => self.conv_transpose(node, &attributes)?,
            "BatchNormalization" => self.batch_norm(node, &attributes)?,
            "MaxPool" => {
                attributes.only(&[
                    "kernel_shape",
                    "strides",
                    "pads",
                    "dilations",
                    "auto_pad",
                    "ceil_mode",
                    "storage_order",
                ])?;
                two_by_two(&attributes)?;
                attributes.expect_int("ceil_mode", 0, 0, "0")?;
                plain(Op::MaxPool2d)
            }
            "Relu" => plain(Op::Relu),
            "Sigmoid" => plain(Op::Sigmoid),
            "Concat" => {
                attributes.only(&["axis"])?;
                attributes.expect_int("axis", 1, 1, "1, the channels")?;
                Made::Layer { op: Op::Concat, inputs: node.inputs.len().max(1), parameters: Vec::new() }
            }
            "Identity" | "Dropout" => Made::Same,
            other => return Err(OnnxError::Operator { node: node.shown(), op: other.to_owned() }),
        })
    }

    fn conv(&self, node: &Node<'_>, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["kernel_shape", "strides", "pads", "dilations", "group", "auto_pad"])?;
        let parameters = self.weight_and_bias(node)?;
        let shape = &parameters[0].1;
        let &[out_channels, _, kernel, width] = shape.as_slice() else {
            return Err(attributes.refuse("weight", format!("of shape {shape:?}"), "[out, in, k, k]"));
        };
        if kernel != width || !matches!(kernel, 1 | 3) {
            return Err(attributes.refuse("kernel_shape", format!("[{kernel}, {width}]"), "[1, 1] and [3, 3]"));
        }
        attributes.expect_all("kernel_shape", kernel as i64, "that of the weight")?;
        attributes.expect_all("strides", 1, "[1, 1]")?;
        attributes.expect_all("dilations", 1, "[1, 1]")?;
        attributes.expect_int("group", 1, 1, "1")?;
        let pad = (kernel / 2) as i64;
        let (same, zeros) = ([pad; 4], [0; 4]);
        let pads = match (attributes.text("auto_pad"), attributes.ints("pads")) {
            ("SAME_UPPER" | "SAME_LOWER", _) => &same[..],
            ("" | "NOTSET", given) if !given.is_empty() => given,
            ("" | "NOTSET" | "VALID", _) => &zeros[..],
            (other, _) => return Err(attributes.refuse("auto_pad", other.to_owned(), "NOTSET, VALID and SAME")),
        };
        if pads != same {
            return Err(attributes.refuse("pads", format!("{pads:?}"), "half the kernel on every side"));
        }
        let op = Op::Conv2d { out_channels, kernel, bias: parameters.len() == 2 };
        Ok(Made::Layer { op, inputs: 1, parameters })
    }

    fn conv_transpose(&self, node: &Node<'_>, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["kernel_shape", "strides", "pads", "dilations", "group", "auto_pad", "output_padding"])?;
        let parameters = self.weight_and_bias(node)?;
        let shape = &parameters[0].1;
        let &[_, out_channels, 2, 2] = shape.as_slice() else {
            return Err(attributes.refuse("weight", format!("of shape {shape:?}"), "[in, out, 2, 2]"));
        };
        two_by_two(attributes)?;
        attributes.expect_int("group", 1, 1, "1")?;
        attributes.expect_all("output_padding", 0, "none")?;
        let op = Op::ConvTranspose2d { out_channels, bias: parameters.len() == 2 };
        Ok(Made::Layer { op, inputs: 1, parameters })
    }

    fn batch_norm(&self, node: &Node<'_>, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["epsilon", "momentum", "spatial", "training_mode"])?;
        attributes.expect_int("spatial", 1, 1, "1")?;
        attributes.expect_int("training_mode", 0, 0, "0")?;
        let mut parameters = Vec::new();
        for (i, kind) in ["weight", "bias", "running_mean", "running_var"].into_iter().enumerate() {
            let (shape, data) = self.constant(node, i + 1, kind)?;
            parameters.push((kind, shape, data));
        }
        let more = f64::from(attributes.float("epsilon", NORM_EPS)) - f64::from(NORM_EPS);
        if more != 0.0 {
            parameters[3].2.iter_mut().for_each(|v| *v = (f64::from(*v) + more) as f32);
        }
        Ok(Made::Layer { op: Op::BatchNorm2d, inputs: 1, parameters })
    }
}

/// Refuses windows other than 2x2 with stride 2 and no padding.
fn two_by_two(attributes: &Attributes<'_>) -> Result<(), OnnxError> {
    let given = |name| !attributes.ints(name).is_empty();
    if !given("strides") || (attributes.0.op == "MaxPool" && !given("kernel_shape")) {
        return Err(attributes.refuse("strides", "not given".to_owned(), "[2, 2]"));
    }
    attributes.expect_all("kernel_shape", 2, "[2, 2]")?;
    attributes.expect_all("strides", 2, "[2, 2]")?;
    attributes.expect_all("pads", 0, "none")?;
    attributes.expect_all("dilations", 1, "[1, 1]")?;
    match attributes.text("auto_pad") {
        "" | "NOTSET" | "VALID" => Ok(()),
        other => Err(attributes.refuse("auto_pad", other.to_owned(), "NOTSET and VALID")),
    }
}
