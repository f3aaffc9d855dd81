//! Which ONNX nodes a layer becomes.

use std::borrow::Cow;

use super::message::{Message, float, int, ints, text};
use super::{adaptive, recurrent};
use crate::geometry::Geometry;
use crate::graph::Resolution;
use crate::network::Op;
use crate::op::Cell;
use crate::weights::Tensor;

/// What a node reads.
#[derive(Clone, Copy)]
pub(super) enum Input {
    /// All of the layer's inputs.
    Layer,
    /// The layer's parameter of this number.
    Parameter(usize),
    /// All of the layer's parameters.
    Parameters,
    /// The constant of this number.
    Constant(usize),
    /// The result of the layer's node of this number.
    Node(usize),
    /// An optional input that is not given.
    Nothing,
}

/// Values of a constant.
pub(super) enum Data {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
}

/// A tensor that the layer has besides its parameters; its name follows the layer's.
pub(super) struct Constant {
    pub(super) name: Cow<'static, str>,
    pub(super) shape: Vec<usize>,
    pub(super) data: Data,
}

/// One ONNX node.
pub(super) struct Node {
    pub(super) operator: &'static str,
    pub(super) inputs: Vec<Input>,
    pub(super) attributes: Vec<Message>,
    /// Which of its outputs is used.
    pub(super) output: usize,
}

/// The nodes of one layer; the last one's result is the layer's.
pub(super) struct Emitted {
    pub(super) nodes: Vec<Node>,
    pub(super) constants: Vec<Constant>,
}

pub(super) fn node(operator: &'static str, inputs: &[Input], attributes: Vec<Message>) -> Node {
    Node { operator, inputs: inputs.to_vec(), attributes, output: 0 }
}

fn scalar(name: &'static str, value: f32) -> Constant {
    Constant { name: name.into(), shape: Vec::new(), data: Data::Floats(vec![value]) }
}

pub(super) fn indices(name: impl Into<Cow<'static, str>>, values: Vec<i64>) -> Constant {
    Constant { name: name.into(), shape: vec![values.len()], data: Data::Ints(values) }
}

/// The nodes of a layer in a network of this many axes. `input`: what is known of the size of its input; `tensors`: its parameters.
pub(super) fn emit(op: &Op, axes: usize, input: Resolution, tensors: &[Tensor]) -> Emitted {
    let plain = |operator, attributes| Emitted {
        nodes: vec![node(operator, &[Input::Layer, Input::Parameters], attributes)],
        constants: Vec::new(),
    };
    match op {
        Op::Conv2d { .. } | Op::Conv(_) => plain("Conv", window(op, axes)),
        Op::ConvTranspose2d { .. } => plain("ConvTranspose", window(op, axes)),
        Op::ConvTranspose { output_padding, .. } => {
            let mut attributes = window(op, axes);
            attributes.push(ints("output_padding", output_padding.iter().copied()));
            plain("ConvTranspose", attributes)
        }
        Op::Linear { .. } => plain("Gemm", vec![int("transB", 1)]),
        Op::MaxPool2d => plain("MaxPool", vec![ints("kernel_shape", [2, 2]), ints("strides", [2, 2])]),
        Op::MaxPool(pooling) => {
            let mut attributes = window(op, axes);
            attributes.push(int("ceil_mode", u64::from(pooling.ceil)));
            plain("MaxPool", attributes)
        }
        Op::AvgPool { pooling, count_padding } => {
            let mut attributes = window(op, axes);
            attributes.push(int("ceil_mode", u64::from(pooling.ceil)));
            attributes.push(int("count_include_pad", u64::from(*count_padding)));
            plain("AveragePool", attributes)
        }
        Op::GlobalAvgPool => plain("GlobalAveragePool", Vec::new()),
        Op::AdaptiveAvgPool { size } => adaptive::emit(true, size, axes, input),
        Op::AdaptiveMaxPool { size } => adaptive::emit(false, size, axes, input),
        Op::Gru(recurrence) => recurrent::emit(Cell::Gru, *recurrence, axes, tensors),
        Op::Lstm(recurrence) => recurrent::emit(Cell::Lstm, *recurrence, axes, tensors),
        Op::BatchNorm2d | Op::BatchNorm { .. } => {
            let eps = op.batch_norm_eps().unwrap_or_default() as f32;
            plain("BatchNormalization", vec![float("epsilon", eps)])
        }
        Op::InstanceNorm { eps } => plain("InstanceNormalization", vec![float("epsilon", *eps)]),
        Op::GroupNorm { groups, eps } => group_norm(*groups, *eps, axes),
        Op::Relu => plain("Relu", Vec::new()),
        Op::ClippedRelu { max } => Emitted {
            nodes: vec![node("Clip", &[Input::Layer, Input::Constant(0), Input::Constant(1)], Vec::new())],
            constants: vec![scalar("min", 0.0), scalar("max", *max)],
        },
        Op::LeakyRelu { slope } => plain("LeakyRelu", vec![float("alpha", *slope)]),
        Op::Gelu => gelu(),
        Op::Tanh => plain("Tanh", Vec::new()),
        Op::Softmax => plain("Softmax", vec![int("axis", 1)]),
        Op::Upsample { factors, linear } => upsample(factors, *linear),
        Op::Sigmoid => plain("Sigmoid", Vec::new()),
        Op::Dropout { .. } => plain("Identity", Vec::new()),
        Op::Flatten => plain("Flatten", vec![int("axis", 1)]),
        Op::Concat => plain("Concat", vec![int("axis", 1)]),
        Op::Add => plain("Sum", Vec::new()),
        Op::Scale { factor } => Emitted {
            nodes: vec![node("Mul", &[Input::Layer, Input::Constant(0)], Vec::new())],
            constants: vec![scalar("factor", *factor)],
        },
    }
}

fn window(op: &Op, axes: usize) -> Vec<Message> {
    let Some(Geometry { kernel, stride, padding, dilation, groups, .. }) = op.geometry() else { return Vec::new() };
    let used = |sides: [usize; 3]| sides.into_iter().skip(3 - axes);
    let mut attributes = vec![
        ints("kernel_shape", used(kernel)),
        ints("strides", used(stride)),
        ints("pads", used(padding).chain(used(padding))),
    ];
    if dilation != [1; 3] {
        attributes.push(ints("dilations", used(dilation)));
    }
    if groups != 1 {
        attributes.push(int("group", groups as u64));
    }
    attributes
}

/// `x * 0.5 * (1 + erf(x / sqrt(2)))`: ONNX has a Gelu of its own from opset 20 on only.
fn gelu() -> Emitted {
    let binary = |operator, a, b| node(operator, &[a, b], Vec::new());
    Emitted {
        nodes: vec![
            binary("Mul", Input::Layer, Input::Constant(0)),
            node("Erf", &[Input::Node(0)], Vec::new()),
            binary("Add", Input::Node(1), Input::Constant(1)),
            binary("Mul", Input::Node(2), Input::Constant(2)),
            binary("Mul", Input::Layer, Input::Node(3)),
        ],
        constants: vec![scalar("root_half", std::f32::consts::FRAC_1_SQRT_2), scalar("one", 1.0), scalar("half", 0.5)],
    }
}

/// InstanceNormalization over groups as channels, then weight and bias: ONNX's GroupNormalization had a flaw until opset 21.
fn group_norm(groups: usize, eps: f32, axes: usize) -> Emitted {
    let per_group = |name: &'static str, value| Constant {
        name: name.into(),
        shape: vec![groups],
        data: Data::Floats(vec![value; groups]),
    };
    let (constant, result) = (Input::Constant, Input::Node);
    Emitted {
        nodes: vec![
            node("Reshape", &[Input::Layer, constant(0)], Vec::new()),
            node("InstanceNormalization", &[result(0), constant(1), constant(2)], vec![float("epsilon", eps)]),
            node("Shape", &[Input::Layer], Vec::new()),
            node("Reshape", &[result(1), result(2)], Vec::new()),
            node("Unsqueeze", &[Input::Parameter(0), constant(3)], Vec::new()),
            node("Unsqueeze", &[Input::Parameter(1), constant(3)], Vec::new()),
            node("Mul", &[result(3), result(4)], Vec::new()),
            node("Add", &[result(6), result(5)], Vec::new()),
        ],
        constants: vec![
            // 0 keeps the batch.
            indices("grouped", vec![0, groups as i64, -1]),
            per_group("ones", 1.0),
            per_group("zeros", 0.0),
            indices("axes", (1..=axes as i64).collect()),
        ],
    }
}

fn upsample(factors: &[usize], linear: bool) -> Emitted {
    let scales: Vec<f32> = [1.0, 1.0].into_iter().chain(factors.iter().map(|f| *f as f32)).collect();
    let attributes = if linear {
        vec![text("mode", "linear"), text("coordinate_transformation_mode", "half_pixel")]
    } else {
        vec![
            text("mode", "nearest"),
            text("coordinate_transformation_mode", "asymmetric"),
            text("nearest_mode", "floor"),
        ]
    };
    Emitted {
        nodes: vec![node("Resize", &[Input::Layer, Input::Nothing, Input::Constant(0)], attributes)],
        constants: vec![Constant { name: "scales".into(), shape: vec![scales.len()], data: Data::Floats(scales) }],
    }
}
