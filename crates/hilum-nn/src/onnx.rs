//! ONNX out: our own emitter of the few protobuf messages that a model needs (field numbers of onnx.proto, IR version 8).

use crate::graph::{Graph, Resolution, Role, Value};
use crate::network::Network;
use crate::weights::{Weights, WeightsError};

mod adaptive;
mod message;
mod operator;
mod recurrent;

use message::Message;
use operator::{Constant, Data, Emitted, Input};

const IR_VERSION: u64 = 8;
const OPSET: u64 = 17;
/// `TensorProto.DataType.FLOAT`.
const FLOAT: u64 = 1;
/// `TensorProto.DataType.INT64`.
const INT64: u64 = 7;

/// The ONNX model (opset 17, IR 8): input `input` and output `output`, float `[n, c, h, w]` (`[n, c, d, h, w]` for volumes, `[n, c]` after a flattening)
/// with `n` and sizes dynamic. Layers and parameters keep their names, a layer's result is called `{layer}:0`; BatchNorm stays explicit, in inference
/// mode. Recurrent layers become GRU and LSTM nodes between transpositions, their parameters ONNX's `{layer}.W`, `{layer}.R` and `{layer}.B`.
///
/// ONNX has no adaptive pooling: one to a single position along its axes becomes a reduction; one whose windows divide a map of known size evenly becomes
/// a moving pooling; of any other every window is sliced out, along one axis after the other, from where the description or the input's shape says.
pub fn encode(network: &Network, weights: &Weights) -> Result<Vec<u8>, EncodeError> {
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

/// Why a network has no ONNX model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The weights belong to another network.
    #[error(transparent)]
    Weights(#[from] WeightsError),
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
        let next = graph.nodes().get(i + 1).map_or(graph.parameters().len(), |n| n.first_parameter);
        let parameters = &graph.parameters()[node.first_parameter..next];
        let tensors = &weights.tensors()[node.first_parameter..next];
        let resolution = graph.values()[node.inputs[0]].resolution;
        let Emitted { nodes, constants } = operator::emit(&node.op, graph.axes(), resolution, tensors);
        let constant = |c: &Constant| format!("{layer}.{}", c.name);
        let result = |k: usize| if k + 1 == nodes.len() { name(i + 1) } else { format!("{layer}:{}", k + 1) };
        for (k, emitted) in nodes.iter().enumerate() {
            let mut n = Message::default();
            for input in &emitted.inputs {
                match *input {
                    Input::Layer => node.inputs.iter().for_each(|&v| n.text(1, &name(v))),
                    Input::Parameter(p) => n.text(1, &parameters[p].name),
                    Input::Parameters => parameters.iter().for_each(|p| n.text(1, &p.name)),
                    Input::Constant(c) => n.text(1, &constant(&constants[c])),
                    Input::Node(other) => n.text(1, &result(other)),
                    Input::Nothing => n.text(1, ""),
                }
            }
            (0..emitted.output).for_each(|_| n.text(2, ""));
            n.text(2, &result(k));
            n.text(3, &if k + 1 == nodes.len() { layer.to_owned() } else { result(k) });
            n.text(4, emitted.operator);
            emitted.attributes.iter().for_each(|a| n.message(5, a));
            proto.message(1, &n);
        }
        for c in &constants {
            proto.message(5, &tensor_proto(&constant(c), &c.shape, &c.data));
        }
    }
    proto.text(2, "network");
    let roles = graph.parameters().iter().map(|p| p.role);
    // Recurrent layers have written theirs in ONNX's order of gates.
    for (tensor, _) in weights.tensors().iter().zip(roles).filter(|(_, r)| !matches!(r, Role::Recurrent { .. })) {
        proto.message(5, &tensor_proto(&tensor.name, &tensor.shape, &Data::Floats(tensor.data.clone())));
    }
    proto.message(11, &value_info("input", &graph.values()[0], graph.axes()));
    proto.message(12, &value_info("output", graph.output(), graph.axes()));
    proto
}

fn tensor_proto(name: &str, shape: &[usize], data: &Data) -> Message {
    let (kind, bytes): (u64, Vec<u8>) = match data {
        Data::Floats(values) => (FLOAT, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Data::Ints(values) => (INT64, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
    };
    let mut t = Message::default();
    for d in shape {
        t.int(1, *d as u64);
    }
    t.int(2, kind);
    t.text(8, name);
    t.bytes(9, &bytes);
    t
}

/// An extent that the model names or knows.
enum Dim {
    Named(String),
    Known(usize),
}

fn value_info(name: &str, value: &Value, axes: usize) -> Message {
    let suffix = if value.resolution == Resolution::Level(0) { "" } else { "_out" };
    let sides = (3 - axes..3).map(|a| match value.resolution {
        Resolution::Fixed(size) => Dim::Known(size[a]),
        _ => Dim::Named(format!("{}{suffix}", ["d", "h", "w"][a])),
    });
    let sides = sides.filter(|_| value.resolution != Resolution::Matrix);
    let mut shape = Message::default();
    for dim in [Dim::Named("n".to_owned()), Dim::Known(value.channels)].into_iter().chain(sides) {
        let mut d = Message::default();
        match dim {
            Dim::Known(extent) => d.int(1, extent as u64),
            Dim::Named(name) => d.text(2, &name),
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
