//! Which ONNX operator a layer becomes, with its attributes.

use super::message::{Message, float, int, ints};
use crate::geometry::Geometry;
use crate::network::Op;

/// One ONNX node; its inputs are the layer's, its parameters and the constant.
pub(super) struct Emitted {
    pub(super) operator: &'static str,
    pub(super) attributes: Vec<Message>,
    /// Name and value of a scalar that the layer has besides its parameters.
    pub(super) constant: Option<(&'static str, f32)>,
}

/// The node of a layer in a network of this many axes.
pub(super) fn emit(op: &Op, axes: usize) -> Emitted {
    let plain = |operator, attributes| Emitted { operator, attributes, constant: None };
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
        Op::BatchNorm2d | Op::BatchNorm { .. } => {
            let eps = op.batch_norm_eps().unwrap_or_default() as f32;
            plain("BatchNormalization", vec![float("epsilon", eps)])
        }
        Op::Relu => plain("Relu", Vec::new()),
        Op::Sigmoid => plain("Sigmoid", Vec::new()),
        Op::Dropout { .. } => plain("Identity", Vec::new()),
        Op::Flatten => plain("Flatten", vec![int("axis", 1)]),
        Op::Concat => plain("Concat", vec![int("axis", 1)]),
        Op::Add => plain("Sum", Vec::new()),
        Op::Scale { factor } => {
            Emitted { operator: "Mul", attributes: Vec::new(), constant: Some(("factor", *factor)) }
        }
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
