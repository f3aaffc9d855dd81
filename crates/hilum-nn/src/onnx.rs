//! ONNX out: our own emitter of the few protobuf messages that a model needs (field numbers of onnx.proto, IR version 8).

use crate::graph::{Graph, Value};
use crate::network::{Network, Op};
use crate::weights::{Weights, WeightsError};

const IR_VERSION: u64 = 8;
const OPSET: u64 = 17;
/// `TensorProto.DataType.FLOAT`.
const FLOAT: u64 = 1;

/// The ONNX model (opset 17, IR 8): input `input` and output `output`, both float `[n, c, h, w]` with `n`, `h`, `w` dynamic. Layers and
/// parameters keep their names, a layer's result is called `{layer}:0`; BatchNorm stays explicit, in inference mode.
pub fn encode(network: &Network, weights: &Weights) -> Result<Vec<u8>, WeightsError> {
    weights.check(network)?;
    let graph = network.graph();
    let mut model = Message::default();
    model.int(1, IR_VERSION);
    model.text(2, env!("CARGO_PKG_NAME"));
    model.text(3, env!("CARGO_PKG_VERSION"));
    model.message(7, &graph_proto(&graph, weights));
    let mut opset = Message::default();
    opset.text(1, "");
    opset.int(2, OPSET);
    model.message(8, &opset);
    Ok(model.0)
}

fn graph_proto(graph: &Graph, weights: &Weights) -> Message {
    let mut proto = Message::default();
    let last = graph.nodes().len();
    // A suffix of their own keeps the values apart from parameters (`{layer}.weight`) and from "input" and "output".
    let name = |value: usize| match value {
        0 => "input".to_owned(),
        v if v == last => "output".to_owned(),
        v => format!("{}:0", graph.values()[v].name),
    };
    for (i, node) in graph.nodes().iter().enumerate() {
        let layer = graph.values()[i + 1].name.as_str();
        let mut n = Message::default();
        node.inputs.iter().for_each(|&v| n.text(1, &name(v)));
        let next = graph.nodes().get(i + 1).map_or(graph.parameters().len(), |n| n.first_parameter);
        graph.parameters()[node.first_parameter..next].iter().for_each(|p| n.text(1, &p.name));
        n.text(2, &name(i + 1));
        n.text(3, layer);
        n.text(4, operator(&node.op));
        for a in attributes(&node.op) {
            n.message(5, &a);
        }
        proto.message(1, &n);
    }
    proto.text(2, "network");
    for tensor in weights.tensors() {
        let mut t = Message::default();
        tensor.shape.iter().for_each(|d| t.int(1, *d as u64));
        t.int(2, FLOAT);
        t.text(8, &tensor.name);
        t.bytes(9, &tensor.data.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
        proto.message(5, &t);
    }
    proto.message(11, &value_info("input", &graph.values()[0]));
    proto.message(12, &value_info("output", graph.output()));
    proto
}

fn operator(op: &Op) -> &'static str {
    match op {
        Op::Conv2d { .. } => "Conv",
        Op::ConvTranspose2d { .. } => "ConvTranspose",
        Op::MaxPool2d => "MaxPool",
        Op::BatchNorm2d => "BatchNormalization",
        Op::Relu => "Relu",
        Op::Sigmoid => "Sigmoid",
        Op::Concat => "Concat",
    }
}

fn attributes(op: &Op) -> Vec<Message> {
    match op {
        Op::Conv2d { kernel, .. } => {
            let (k, pad) = (*kernel as u64, *kernel as u64 / 2);
            vec![ints("kernel_shape", &[k, k]), ints("pads", &[pad; 4])]
        }
        Op::ConvTranspose2d { .. } | Op::MaxPool2d => vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])],
        Op::BatchNorm2d => {
            let mut a = Message::default();
            a.text(1, "epsilon");
            a.float(2, crate::plan::NORM_EPS as f32);
            a.int(20, 1);
            vec![a]
        }
        Op::Concat => {
            let mut a = Message::default();
            a.text(1, "axis");
            a.int(3, 1);
            a.int(20, 2);
            vec![a]
        }
        Op::Relu | Op::Sigmoid => Vec::new(),
    }
}

/// An attribute of type INTS.
fn ints(name: &str, values: &[u64]) -> Message {
    let mut a = Message::default();
    a.text(1, name);
    for v in values {
        a.int(8, *v);
    }
    a.int(20, 7);
    a
}

fn value_info(name: &str, value: &Value) -> Message {
    let same = value.level == 0;
    let mut shape = Message::default();
    for dim in ["n", "", if same { "h" } else { "h_out" }, if same { "w" } else { "w_out" }] {
        let mut d = Message::default();
        if dim.is_empty() {
            d.int(1, value.channels as u64);
        } else {
            d.text(2, dim);
        }
        shape.message(1, &d);
    }
    let mut tensor = Message::default();
    tensor.int(1, FLOAT);
    tensor.message(2, &shape);
    let mut kind = Message::default();
    kind.message(1, &tensor);
    let mut info = Message::default();
    info.text(1, name);
    info.message(2, &kind);
    info
}

/// A protobuf message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut v: u64) {
        while v >= 0x80 {
            self.0.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.0.push(v as u8);
    }

    fn int(&mut self, field: u64, v: u64) {
        self.varint(field << 3);
        self.varint(v);
    }

    fn float(&mut self, field: u64, v: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(v.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, v: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(v.len() as u64);
        self.0.extend(v);
    }

    fn text(&mut self, field: u64, v: &str) {
        self.bytes(field, v.as_bytes());
    }

    fn message(&mut self, field: u64, v: &Message) {
        self.bytes(field, &v.0);
    }
}
