//! ONNX in: round trips with our emitter, foreign models with ONNX Runtime as oracle, refusals by name, damaged files.

use std::process::Command;

use hilum_nn::{
    Inference, InputShape, Network, OnnxError, Op, Options, Recurrence, UNet2d, Weights, onnx, onnx_in, unet2d,
};
use proptest::prelude::*;

use crate::gradients::lively_weights;
use crate::oracle::{python, read, write};
use crate::reference::noise;

fn lone_operators() -> Network {
    let mut net = Network::builder(3);
    net.then("a", Op::Conv2d { out_channels: 7, kernel: 3, bias: true });
    net.then("bn", Op::BatchNorm2d);
    net.layer("b", &["a"], Op::Conv2d { out_channels: 5, kernel: 1, bias: false });
    net.layer("cat", &["bn", "b", "input"], Op::Concat);
    net.then("relu", Op::Relu);
    net.then("up", Op::ConvTranspose2d { out_channels: 9, bias: false });
    net.then("mid", Op::Sigmoid);
    net.then("pool", Op::MaxPool2d);
    net.then("out", Op::Conv2d { out_channels: 2, kernel: 3, bias: true });
    net.build().unwrap()
}

#[test]
fn what_our_emitter_writes_comes_back_as_the_same_graph_and_bits() {
    let u_net = unet2d(UNet2d { in_channels: 3, out_channels: 2, base: 6, depth: 3 }).unwrap();
    for network in [u_net, lone_operators()] {
        let weights = lively_weights(&network, 3);
        let (again, read) = onnx_in::decode(&onnx::encode(&network, &weights).unwrap()).unwrap();
        assert_eq!(again.graph(), network.graph());
        assert!(read == weights);
    }
}

/// A model written with ONNX's own helpers in ways that our emitter does not use, and what ONNX Runtime makes of it. Dead nodes, constants by node,
/// float data instead of raw, automatic padding, another epsilon, identities, names that would repeat.
const FOREIGN: &str = "
import sys, numpy as np, onnx, onnxruntime
from onnx import helper, numpy_helper, TensorProto
d = sys.argv[1]
rng = np.random.default_rng(7)
r = lambda *s: rng.standard_normal(s).astype(np.float32)
raw = lambda name, a: numpy_helper.from_array(a, name)
listed = lambda name, a: helper.make_tensor(name, TensorProto.FLOAT, a.shape, a.ravel().tolist())
node = helper.make_node
nodes = [
    node('Constant', [], ['k'], value=listed('', r(6, 2, 3, 3))),
    node('Identity', ['image'], ['same']),
    node('Conv', ['same', 'k'], ['c1'], name='n', auto_pad='SAME_UPPER'),
    node('BatchNormalization', ['c1', 'n.weight', 'n.bias', 'm', 'v'], ['n1'], epsilon=0.003, momentum=0.7),
    node('Relu', ['n1'], ['r1'], name='n1'),
    node('MaxPool', ['r1'], ['p1'], kernel_shape=[2, 2], strides=[2, 2], name='halved'),
    node('Dropout', ['p1'], ['d1']),
    node('Abs', ['p1'], ['dead']),
    node('Conv', ['d1', 'net.mid.weight', 'net.mid.bias'], ['c2'], name='/net/mid/Conv', kernel_shape=[1, 1]),
    node('ConvTranspose', ['c2', 'up'], ['u1'], kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0], dilations=[1, 1], group=1),
    node('Concat', ['u1', 'r1', 'image'], ['j'], axis=1),
    node('Sigmoid', ['j'], ['s']),
    node('Identity', ['s'], ['result']),
]
inits = [raw('n.weight', r(6)), listed('n.bias', r(6)), raw('m', r(6)), raw('v', np.abs(r(6)) + 0.1), raw('net.mid.weight', r(5, 6, 1, 1)), raw('net.mid.bias', r(5)), raw('up', r(5, 3, 2, 2)), raw('unused', r(4))]
image = helper.make_tensor_value_info('image', TensorProto.FLOAT, ['n', 2, 'h', 'w'])
early = helper.make_tensor_value_info('m', TensorProto.FLOAT, [6])
result = helper.make_tensor_value_info('result', TensorProto.FLOAT, ['n', 11, 'h', 'w'])
graph = helper.make_graph(nodes, 'foreign', [image, early], [result], inits)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13), helper.make_opsetid('com.microsoft', 1)], ir_version=7)
onnx.checker.check_model(model)
onnx.save(model, d + '/model.onnx')
x = np.fromfile(d + '/x.f32', dtype='<f4').reshape(2, 2, 6, 10)
session = onnxruntime.InferenceSession(d + '/model.onnx', providers=['CPUExecutionProvider'])
session.run(None, {'image': x})[0].astype('<f4').tofile(d + '/y.f32')
";

#[test]
fn a_foreign_model_gives_what_onnx_runtime_makes_of_it() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let x = noise(2 * 2 * 60, 3);
    write(&dir.path().join("x.f32"), &x);
    let run = Command::new(python).args(["-c", FOREIGN]).arg(dir.path()).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let (network, weights) = onnx_in::decode(&std::fs::read(dir.path().join("model.onnx")).unwrap()).unwrap();
    let names: Vec<&str> = network.layers().iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["n", "n1", "r1", "halved", "net.mid", "u1", "j", "s"]);
    let expected = read(&dir.path().join("y.f32"));
    let shape = InputShape { n: 2, h: 6, w: 10 };
    let mut plan = Inference::compile(&network, &weights, shape, Options::default()).unwrap();
    let mut got = vec![0.0; expected.len()];
    plan.forward(&x, &mut got).unwrap();
    let worst = got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 2e-5, "differs by {worst}");
}

/// The wire format, enough to write small models.
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

    fn int(mut self, field: u64, v: i64) -> Self {
        self.varint(field << 3);
        self.varint(v as u64);
        self
    }

    fn float(mut self, field: u64, v: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(v.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, v: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(v.len() as u64);
        self.0.extend(v);
        self
    }

    fn text(self, field: u64, v: &str) -> Self {
        self.bytes(field, v.as_bytes())
    }
}

fn node(op: &str, inputs: &[&str], output: &str, attributes: Vec<Message>) -> Message {
    let node = inputs.iter().fold(Message::default(), |m, i| m.text(1, i));
    let node = node.text(2, output).text(3, &format!("the {op}")).text(4, op);
    attributes.into_iter().fold(node, |m, a| m.bytes(5, &a.0))
}

fn ints(name: &str, values: &[i64]) -> Message {
    values.iter().fold(Message::default().text(1, name), |m, v| m.int(8, *v))
}

fn constant(name: &str, dims: &[i64], kind: i64, raw: &[u8]) -> Message {
    dims.iter().fold(Message::default(), |m, d| m.int(1, *d)).int(2, kind).text(8, name).bytes(9, raw)
}

fn value(name: &str, extents: &[Option<i64>]) -> Message {
    let dim = |d: &Option<i64>| d.map_or_else(|| Message::default().text(2, "n"), |d| Message::default().int(1, d));
    let shape = extents.iter().fold(Message::default(), |m, d| m.bytes(1, &dim(d).0));
    let tensor = Message::default().int(1, 1).bytes(2, &shape.0);
    Message::default().text(1, name).bytes(2, &Message::default().bytes(1, &tensor.0).0)
}

const IMAGE: [Option<i64>; 4] = [None, Some(1), None, None];

fn model(opset: i64, nodes: Vec<Message>, constants: Vec<Message>, inputs: Vec<Message>) -> Vec<u8> {
    let graph = nodes.into_iter().fold(Message::default(), |m, n| m.bytes(1, &n.0));
    let graph = constants.into_iter().fold(graph, |m, c| m.bytes(5, &c.0));
    let graph = inputs.into_iter().fold(graph, |m, i| m.bytes(11, &i.0)).bytes(12, &value("y", &[]).0);
    Message::default().int(1, 8).bytes(7, &graph.0).bytes(8, &Message::default().int(2, opset).0).0
}

/// One node from `x` to `y`, with a weight `[1, 1, 3, 3]` called `w`.
fn one(op: &str, inputs: &[&str], attributes: Vec<Message>) -> Result<(Network, Weights), OnnxError> {
    let weight = constant("w", &[1, 1, 3, 3], 1, &[0; 36]);
    onnx_in::decode(&model(13, vec![node(op, inputs, "y", attributes)], vec![weight], vec![value("x", &IMAGE)]))
}

#[test]
fn other_operators_and_other_forms_of_ours_are_refused_by_operator_and_node() {
    let int = |name: &str, v: i64| Message::default().text(1, name).int(3, v);
    assert!(one("Conv", &["x", "w"], vec![ints("pads", &[1; 4])]).is_ok());
    let refused = one("Conv", &["x", "w"], vec![int("group", -1)]).unwrap_err();
    assert_eq!(refused.to_string(), "ONNX: node the Conv (Conv): group is -1, supported is 1 and more");
    let erf = one("Erf", &["x"], vec![]).unwrap_err();
    assert_eq!(erf, OnnxError::Operator { node: "the Erf".into(), op: "Erf".into() });
    let domain = Message(node("Relu", &["x"], "y", vec![]).text(7, "ai.other").0);
    let foreign = onnx_in::decode(&model(13, vec![domain], vec![], vec![value("x", &IMAGE)])).unwrap_err();
    assert_eq!(foreign, OnnxError::Operator { node: "the Relu".into(), op: "ai.other.Relu".into() });
    let attribute = |op: &str, inputs: &[&str], attributes: Vec<Message>| match one(op, inputs, attributes) {
        Err(OnnxError::Attribute { attribute, .. }) => attribute,
        other => panic!("{op}: {other:?}"),
    };
    let auto = |v: &str| Message::default().text(1, "auto_pad").text(4, v);
    for (op, inputs, attributes, expected) in [
        ("Conv", &["x", "w"][..], vec![ints("pads", &[3, 1, 0, 0])], "pads"),
        ("Conv", &["x", "w"], vec![ints("pads", &[1, 1])], "pads"),
        ("Conv", &["x", "w"], vec![ints("pads", &[-1; 4])], "pads"),
        ("Conv", &["x", "w"], vec![ints("strides", &[2])], "strides"),
        ("Conv", &["x", "w"], vec![ints("kernel_shape", &[3, 1])], "kernel_shape"),
        ("Conv", &["x", "w"], vec![auto("HALF")], "auto_pad"),
        ("Conv", &["x", "w"], vec![auto("SAME_UPPER"), ints("strides", &[2, 2])], "auto_pad"),
        ("Conv", &["x", "w"], vec![int("groups", 1)], "groups"),
        ("ConvTranspose", &["x", "w"], vec![int("group", 2)], "group"),
        ("ConvTranspose", &["x", "w"], vec![ints("output_shape", &[2, 2])], "output_shape"),
        ("MaxPool", &["x"], vec![ints("strides", &[2, 2])], "kernel_shape"),
        ("MaxPool", &["x"], vec![ints("kernel_shape", &[2, 2]), ints("dilations", &[2, 2])], "dilations"),
        ("Add", &["x", "w"], vec![], "an input"),
        ("Mul", &["x", "w"], vec![], "factor"),
        ("Reshape", &["x", "w"], vec![], "shape"),
        ("ReduceMean", &["x"], vec![ints("axes", &[1, 2, 3])], "axes"),
        ("ReduceMean", &["x"], vec![ints("axes", &[2]), int("keepdims", 0)], "keepdims"),
        ("ReduceMax", &["x"], vec![ints("axes", &[2, 3]), int("keepdims", 0)], "keepdims"),
        ("ReduceMax", &["x"], vec![], "axes"),
        ("GRU", &["x", "w", "w"], vec![], "its input"),
        ("LSTM", &["x", "w", "w"], vec![int("last", 1), ints("clip", &[1])], "clip"),
        ("LSTM", &["x", "w", "w"], vec![int("last", 1)], "W"),
        ("GRU", &["x", "w", "w"], vec![int("last", 1)], "linear_before_reset"),
        ("Softmax", &["x"], vec![], "axis"),
        ("Gelu", &["x"], vec![Message::default().text(1, "approximate").text(4, "tanh")], "approximate"),
        ("Resize", &["x", "", "w"], vec![Message::default().text(1, "mode").text(4, "cubic")], "mode"),
        ("Resize", &["x", "", "w"], vec![], "scales"),
        ("Concat", &["x", "x"], vec![int("axis", 2)], "axis"),
        ("BatchNormalization", &["x", "w", "w", "w", "w"], vec![int("training_mode", 1)], "training_mode"),
    ] {
        assert_eq!(attribute(op, inputs, attributes), expected, "{op}");
    }
}

#[test]
fn models_that_do_not_hold_together_are_refused_by_name() {
    let x = || vec![value("x", &IMAGE)];
    let relu = |from: &str, to: &str| node("Relu", &[from], to, vec![]);
    let shown = |bytes: Vec<u8>| onnx_in::decode(&bytes).unwrap_err().to_string();
    assert_eq!(
        onnx_in::decode(&model(7, vec![relu("x", "y")], vec![], x())),
        Err(OnnxError::Opset { got: 7, oldest: 9 })
    );
    assert!(shown(model(13, vec![relu("x", "z")], vec![], x())).contains("no node makes the output \"y\""));
    assert!(
        shown(model(13, vec![relu("z", "y"), relu("x", "z")], vec![], x())).contains("reads \"z\", which no earlier")
    );
    assert!(shown(model(13, vec![relu("x", "y"), relu("x", "y")], vec![], x())).contains("\"y\" is made twice"));
    assert!(shown(model(13, vec![relu("y", "y")], vec![], x())).contains("reads \"y\""));
    assert!(shown(model(13, vec![relu("x", "y")], vec![], vec![])).contains("0 inputs"));
    let free = vec![value("x", &[None; 4])];
    assert!(shown(model(13, vec![relu("x", "y")], vec![], free)).contains("with a fixed c"));
    let negative = vec![value("x", &[None, Some(-3), None, None])];
    assert!(shown(model(13, vec![relu("x", "y")], vec![], negative)).contains("-3 channels"));
    let conv = |weight: Message| {
        let node = node("Conv", &["x", "w"], "y", vec![ints("pads", &[1; 4])]);
        shown(model(13, vec![node], vec![weight], x()))
    };
    assert!(conv(constant("v", &[1, 1, 3, 3], 1, &[0; 36])).contains("its weight must be a constant"));
    assert!(conv(constant("w", &[1, 1, 3, 3], 6, &[0; 36])).contains("w is not floating-point"));
    assert!(conv(constant("w", &[1, 1, 3, 3], 1, &[0; 35])).contains("no raw data of whole values"));
    assert!(conv(constant("w", &[1, 1, 3, i64::MAX], 1, &[0; 36])).contains("another number of values"));
    assert!(conv(constant("w", &[1, -1, 3, 3], 1, &[0; 36])).contains("negative extent"));
    assert!(conv(constant("w", &[1, 2, 3, 3], 1, &[0; 72])).contains("the network needs [1, 1, 3, 3]"));
    assert!(conv(constant("w", &[1, 1, 3, 3], 1, &[0xff; 36])).contains("NaN"));
    assert!(conv(constant("w", &[1, 1, 3, 3], 1, &[0; 36]).int(14, 1)).contains("lies in another file"));
    for bytes in [
        &b""[..],
        b"\x3a\xff\xff\xff\xff\x0f",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0b",
        b"hello world",
    ] {
        assert!(matches!(onnx_in::decode(bytes), Err(OnnxError::Format(_))), "{bytes:?}");
    }
}

#[test]
fn an_epsilon_other_than_the_default_stays_the_layers_own() {
    let four = |name: &str, v: f32| constant(name, &[1], 1, &v.to_le_bytes());
    let epsilon = Message::default().text(1, "epsilon").float(2, 0.5);
    let norm = node("BatchNormalization", &["x", "s", "b", "m", "v"], "y", vec![epsilon]);
    let constants = vec![four("s", 3.0), four("b", 0.25), four("m", 1.0), four("v", 0.75)];
    let (network, weights) = onnx_in::decode(&model(13, vec![norm], constants, vec![value("x", &IMAGE)])).unwrap();
    assert_eq!(network.layers()[0].op, Op::BatchNorm { eps: 0.5 });
    let mut plan = Inference::compile(&network, &weights, InputShape { n: 1, h: 1, w: 1 }, Options::default()).unwrap();
    let mut y = [0.0];
    plan.forward(&[2.0], &mut y).unwrap();
    let expected = 3.0 * (2.0 - 1.0) / (0.75_f32 + 0.5).sqrt() + 0.25;
    assert!((y[0] - expected).abs() < 1e-6, "{y:?}, expected {expected}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bytes: an error or a network with weights that fit it, never a panic.
    #[test]
    fn damaged_models_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut net = Network::builder(1);
        net.then("a", Op::Conv2d { out_channels: 2, kernel: 3, bias: true });
        net.then("bn", Op::BatchNorm2d);
        net.layer("cat", &["bn", "input"], Op::Concat);
        net.then("pool", Op::MaxPool2d);
        net.then("up", Op::ConvTranspose2d { out_channels: 1, bias: false });
        net.then("scale", Op::Scale { factor: 0.5 });
        net.then("group", Op::GroupNorm { groups: 1, eps: 1e-5 });
        net.then("gelu", Op::Gelu);
        net.then("twice", Op::Upsample { factors: vec![2, 2], linear: true });
        net.then("rows", Op::AdaptiveMaxPool { size: vec![0, 1] });
        net.then("gru", Op::Gru(Recurrence::new(2).bidirectional()));
        net.then("mean", Op::GlobalAvgPool);
        net.then("flat", Op::Flatten);
        net.then("fc", Op::Linear { out_features: 2, bias: true });
        net.then("score", Op::Sigmoid);
        let network = net.build().unwrap();
        let whole = onnx::encode(&network, &Weights::init(&network, 1)).unwrap();
        let mut damaged = whole.clone();
        for (at, v) in &flips {
            damaged[at.index(whole.len())] = *v;
        }
        for bytes in [&damaged[..], &whole[..cut.index(whole.len())], &noise] {
            if let Ok((network, weights)) = onnx_in::decode(bytes) {
                prop_assert!(onnx::encode(&network, &weights).is_ok());
            }
        }
    }
}
