//! What exporters write around our operators: heads in other forms, padding that differs between ends, sizes instead of factors. ONNX Runtime is the
//! oracle of models in the words of tf2onnx and others; what PyTorch's two exporters wrote is recorded with PyTorch's results.

use std::process::Command;

use hilum_nn::{Inference, Network, OnnxError, Op, Options, VolumeShape, Weights, onnx_in};
use serde_json::Value;

use crate::oracle::{python, read, write};
use crate::pytorch::floats;
use crate::reference::noise;

/// A helper for models over `image` `[n, 4, h, w]`, or of the same axes as `shape` if that is given, to `out`.
pub(crate) const BUILDER: &str = "
import sys, json, numpy as np, onnx, onnxruntime
from onnx import helper, numpy_helper, TensorProto
d = sys.argv[1]
rng = np.random.default_rng(7)
r = lambda *s: rng.standard_normal(s).astype(np.float32)
i64 = lambda *v: np.array(v, dtype=np.int64)
f32 = lambda v: np.array(v, dtype=np.float32)
node = helper.make_node
fixed, free = [2, 4, 6, 8], ['n', 4, 'h', 'w']
def save(name, opset, shape, nodes, constants, rank):
    image = helper.make_tensor_value_info('image', TensorProto.FLOAT, shape)
    out = helper.make_tensor_value_info('out', TensorProto.FLOAT, list('abcde'[:rank]))
    inits = [numpy_helper.from_array(v, k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, name, [image], [out], inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, f'{d}/{name}.onnx')
";

const MODELS: &str = "
gap = node('GlobalAveragePool', ['image'], ['g'])
fc = {'w': r(4, 3), 'b': r(3)}
dense = lambda x: [node('MatMul', [x, 'w'], ['mm']), node('Add', ['b', 'mm'], ['out'])]
conv = lambda x, y, **a: node('Conv', [x, 'k'], [y], **a)
k = lambda *sides: {'k': r(5, 4, *sides)}
relu = node('Relu', ['image'], ['a'])
up = lambda *sides: {'k': r(4, 3, *sides)}
models = {
    'dense': (13, free, [gap, node('Squeeze', ['g', 'axes'], ['s'])] + dense('s'), {'axes': i64(2, 3), **fc}, 2),
    'dense 11': (11, free, [gap, node('Squeeze', ['g'], ['s'], axes=[3]), node('Squeeze', ['s'], ['t'], axes=[-1])] + dense('t'), fc, 2),
    'product': (13, free, [node('ReduceMean', ['image'], ['m'], axes=[3], keepdims=0), node('ReduceMean', ['m'], ['n'], axes=[2], keepdims=0),
                           node('MatMul', ['n', 'w'], ['o']), node('Clip', ['o', 'zero'], ['p']), node('MatMul', ['p', 'v'], ['q']),
                           node('Softmax', ['q'], ['out'])], {'w': r(4, 6), 'v': r(6, 3), 'zero': f32(0)}, 2),
    'pixel': (13, free, [gap, node('Squeeze', ['g', 'axes'], ['s']), node('Unsqueeze', ['s', 'axes'], ['u']), conv('u', 'c', kernel_shape=[1, 1]),
                         node('Reshape', ['c', 'shape'], ['out'])], {'axes': i64(2, 3), 'shape': i64(0, -1), **k(1, 1)}, 2),
    'fixed batch': (13, fixed, [gap, node('Reshape', ['g', 'shape'], ['f'])] + dense('f'), {'shape': i64(2, 4), **fc}, 2),
    'fixed channels': (13, free, [gap, node('Reshape', ['g', 'shape'], ['f'])] + dense('f'), {'shape': i64(-1, 4), **fc}, 2),
    'allowzero': (14, free, [gap, node('Reshape', ['g', 'shape'], ['f'], allowzero=1)] + dense('f'), {'shape': i64(-1, 4), **fc}, 2),
    'computed': (13, free, [gap, node('Shape', ['image'], ['sh']), node('Cast', ['sh'], ['sc'], to=6), node('Slice', ['sc', 'zero', 'one'], ['n']),
                            node('Cast', ['n'], ['nl'], to=7), node('Concat', ['nl', 'rest'], ['f'], axis=0), node('Reshape', ['g', 'f'], ['r'])] + dense('r'),
                 {'zero': i64(0), 'one': i64(1), 'rest': i64(4), **fc}, 2),
    'whole pool': (13, fixed, [node('AveragePool', ['image'], ['g'], kernel_shape=[6, 8], strides=[6, 8]), node('Flatten', ['g'], ['f'])] + dense('f'), fc, 2),
    'flat map': (13, fixed, [conv('image', 'c'), node('Flatten', ['c'], ['f']), node('MatMul', ['f', 'v'], ['out'])], {'v': r(120, 3), **k(3, 3)}, 2),
    'view of a map': (13, fixed, [node('MaxPool', ['image'], ['p'], kernel_shape=[2, 2], strides=[2, 2]), node('Reshape', ['p', 'shape'], ['f']),
                                  node('Gemm', ['f', 'v'], ['out'])], {'shape': i64(-1, 48), 'v': r(48, 3)}, 2),
    'score': (13, free, [gap, node('Flatten', ['g'], ['f']), node('Gemm', ['f', 'v'], ['o']), node('Squeeze', ['o', 'one'], ['out'])],
              {'v': r(4, 1), 'one': i64(1)}, 1),
    'sizes': (13, fixed, [node('Resize', ['image', '', '', 'to'], ['out'], mode='linear', coordinate_transformation_mode='half_pixel')],
              {'to': i64(2, 4, 12, 24)}, 4),
    'sizes of axes': (18, fixed, [node('Resize', ['image', '', '', 'to'], ['out'], axes=[-2, -1])], {'to': i64(18, 8)}, 4),
    'scales of axes': (18, free, [node('Resize', ['image', '', 'by'], ['out'], axes=[2, 3])], {'by': f32([2, 3])}, 4),
    'sizes of a map': (13, free, [node('MaxPool', ['image'], ['p'], kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0]),
                                  conv('p', 'c', pads=[1, 1, 1, 1]), node('Shape', ['image'], ['sh']), node('Shape', ['c'], ['sc']),
                                  node('Slice', ['sc', 'zero', 'two'], ['nc']), node('Gather', ['sh', 'two_three'], ['hw']), node('Mul', ['hw', 'two'], ['twice']),
                                  node('Concat', ['nc', 'twice'], ['to'], axis=0), node('Resize', ['c', '', '', 'to'], ['out'])],
                       {'zero': i64(0), 'two': i64(2), 'two_three': i64(2, 3), **k(3, 3)}, 4),
    'conv ends': (13, free, [conv('image', 'out', pads=[0, 2, 1, 0], strides=[2, 1])], k(3, 4), 4),
    'conv dilated': (13, free, [conv('image', 'out', pads=[0, 1, 2, 1], dilations=[2, 1], strides=[1, 2])], k(3, 3), 4),
    'same upper': (13, fixed, [conv('image', 'c', auto_pad='SAME_UPPER', strides=[2, 2]), node('Conv', ['c', 'l'], ['out'], auto_pad='SAME_UPPER', strides=[2, 3])],
                   {'l': r(3, 5, 5, 2), **k(3, 3)}, 4),
    'same lower': (13, fixed, [conv('image', 'out', auto_pad='SAME_LOWER', strides=[2, 3], dilations=[1, 1])], k(3, 4), 4),
    'same even': (13, free, [conv('image', 'c', auto_pad='SAME_UPPER'), node('Conv', ['c', 'l'], ['out'], auto_pad='SAME_LOWER')],
                  {'l': r(3, 5, 4, 2), **k(2, 4)}, 4),
    'pad conv': (13, free, [node('Pad', ['image', 'pads'], ['p']), conv('p', 'out', strides=[2, 2], pads=[0, 1, 0, 0])],
                 {'pads': i64(0, 0, 1, 0, 0, 0, 2, 1), **k(3, 3)}, 4),
    'pad same': (18, fixed, [node('Pad', ['image', 'pads', '', 'axes'], ['p']), conv('p', 'out', strides=[2, 2], auto_pad='SAME_UPPER')],
                 {'pads': i64(1, 2), 'axes': i64(-1), **k(3, 3)}, 4),
    'pad 9': (9, free, [node('Pad', ['image'], ['p'], pads=[0, 0, 1, 1, 0, 0, 1, 1]), node('Pad', ['p'], ['q'], pads=[0] * 8), conv('q', 'out')], k(3, 3), 4),
    'pad max': (13, free, [relu, node('Pad', ['a', 'pads', 'zero'], ['p'], mode='constant'), node('MaxPool', ['p'], ['out'], kernel_shape=[3, 3], strides=[2, 2])],
                {'pads': i64(0, 0, 1, 1, 0, 0, 1, 1), 'zero': f32(0)}, 4),
    'pad mean': (13, free, [node('Pad', ['image', 'pads'], ['p']), node('AveragePool', ['p'], ['out'], kernel_shape=[3, 3], strides=[2, 1])],
                 {'pads': i64(0, 0, 1, 1, 0, 0, 1, 1)}, 4),
    'max same': (13, fixed, [node('MaxPool', ['image'], ['out'], kernel_shape=[3, 3], strides=[2, 2], auto_pad='SAME_UPPER')], {}, 4),
    'max ends': (13, free, [node('MaxPool', ['image'], ['out'], kernel_shape=[3, 2], strides=[2, 2], pads=[0, 0, 1, 1])], {}, 4),
    'mean same': (13, fixed, [node('AveragePool', ['image'], ['out'], kernel_shape=[3, 3], strides=[2, 2], auto_pad='SAME_UPPER')], {}, 4),
    'up ends': (13, free, [node('ConvTranspose', ['image', 'k'], ['out'], strides=[2, 2], pads=[0, 1, 1, 0])], up(3, 3), 4),
    'up further': (13, free, [node('ConvTranspose', ['image', 'k'], ['out'], strides=[2, 3], pads=[1, 0, 0, 2], output_padding=[1, 2])], up(3, 4), 4),
    'up dilated': (13, free, [node('ConvTranspose', ['image', 'k'], ['out'], strides=[2, 1], dilations=[2, 2], pads=[1, 2, 2, 0])], up(3, 2), 4),
    'clip 9': (9, free, [node('Clip', ['image'], ['out'], min=0.0)], {}, 4),
    'clip inf': (13, free, [node('Clip', ['image', 'zero', 'inf'], ['c']), node('Clip', ['c'], ['out'])], {'zero': f32(0), 'inf': f32(np.inf)}, 4),
    'relu6': (13, free, [node('Mul', ['image', 'nine'], ['m']), node('Clip', ['m', 'zero', 'six'], ['out'])], {'nine': f32(9), 'zero': f32(0), 'six': f32(6)}, 4),
    'relu6 of 9': (9, free, [node('Clip', ['image'], ['out'], min=0.0, max=0.6)], {}, 4),
    'transposes': (13, free, [node('Transpose', ['image'], ['a'], perm=[0, 2, 3, 1]), node('Transpose', ['a'], ['b'], perm=[0, 3, 1, 2]), conv('b', 'c'),
                              node('Transpose', ['c'], ['d']), node('Transpose', ['d'], ['e']), node('Transpose', ['e'], ['out'], perm=[0, 1, 2, 3])], k(3, 3), 4),
    'moved pixel': (13, free, [gap, node('Transpose', ['g'], ['t'], perm=[0, 2, 3, 1]), node('Flatten', ['t'], ['f']), node('Gemm', ['f', 'w'], ['out'])],
                    {'w': r(4, 3)}, 2),
    'moved and shaped': (13, free, [gap, node('Transpose', ['g'], ['t'], perm=[0, 3, 1, 2]), node('Reshape', ['t', 'to'], ['f']), node('Gemm', ['f', 'w'], ['out'])],
                         {'w': r(4, 3), 'to': i64(0, -1)}, 2),
    'casts': (13, free, [node('Cast', ['image'], ['a'], to=1), node('Cast', ['a'], ['b'], to=11), node('Cast', ['b'], ['c'], to=1),
                         node('Div', ['c', 'three'], ['out'])], {'three': f32(3)}, 4),
    'biases': (13, free, [conv('image', 'c', pads=[1, 1, 1, 1], strides=[2, 2]), node('Add', ['c', 'bias'], ['d']),
                          node('BatchNormalization', ['d', 's', 't', 'm', 'v'], ['n']), node('Relu', ['n'], ['e']),
                          node('ConvTranspose', ['e', 'l'], ['f'], strides=[2, 2]), node('Add', ['other', 'f'], ['out'])],
               {'bias': r(1, 5, 1, 1), 's': r(5), 't': r(5), 'm': r(5), 'v': np.abs(r(5)) + 0.1, 'l': r(5, 3, 2, 2), 'other': r(3, 1, 1), **k(3, 3)}, 4),
    'constants': (13, free, [node('Constant', [], ['shape'], value_ints=[0, -1]), node('Constant', [], ['half'], value_float=0.5),
                             node('Constant', [], ['b'], value_floats=[1.0, 2.0, 3.0]), gap, node('Mul', ['g', 'half'], ['h']),
                             node('Identity', ['w'], ['v']), node('Reshape', ['h', 'shape'], ['f']), node('Gemm', ['f', 'v', 'b'], ['out'])], {'w': r(4, 3)}, 2),
    'volume': (13, [1, 2, 4, 6, 8], [node('Pad', ['image', 'pads'], ['p']), node('Conv', ['p', 'k'], ['c'], strides=[2, 2, 2], auto_pad='SAME_UPPER'),
                                     node('Resize', ['c', '', '', 'to'], ['u']), node('ConvTranspose', ['u', 'l'], ['t'], pads=[0, 0, 0, 1, 0, 1]),
                                     node('GlobalAveragePool', ['t'], ['g']), node('Squeeze', ['g', 'axes'], ['s'])] + dense('s'),
               {'pads': i64(0, 0, 0, 0, 1, 0, 0, 0, 0, 1), 'k': r(3, 2, 2, 3, 3), 'to': i64(1, 3, 4, 6, 5), 'l': r(3, 4, 2, 2, 2), 'axes': i64(2, 3, 4), **fc}, 2),
}
for name, (opset, shape, nodes, constants, rank) in models.items():
    save(name, opset, shape, nodes, constants, rank)
    size = [e if isinstance(e, int) else {'n': 2, 'h': 6, 'w': 8}[e] for e in shape]
    count = int(np.prod(size))
    x = np.fromfile(d + '/x.f32', dtype='<f4')[:count].reshape(size)
    session = onnxruntime.InferenceSession(f'{d}/{name}.onnx', providers=['CPUExecutionProvider'])
    y = session.run(None, {'image': x})[0]
    y.astype('<f4').tofile(f'{d}/{name}.f32')
    json.dump({'x': size, 'y': list(y.shape)}, open(f'{d}/{name}.json', 'w'))
print(json.dumps(list(models)))
";

/// Runs a model over an input `[n, c, h, w]` or `[n, c, d, h, w]`.
fn run(network: &Network, weights: &Weights, size: &[usize], x: &[f32]) -> (Vec<usize>, Vec<f32>) {
    let [n, _, sides @ ..] = size else { panic!("batch and channels") };
    let [d, h, w] = match *sides {
        [h, w] => [1, h, w],
        [d, h, w] => [d, h, w],
        _ => panic!("two or three spatial axes"),
    };
    let mut plan = Inference::compile(network, weights, VolumeShape { n: *n, d, h, w }, Options::default()).unwrap();
    let out = plan.output_shape();
    let mut y = vec![0.0; n * out.c * out.d * out.h * out.w];
    plan.forward(x, &mut y).unwrap();
    (vec![*n, out.c, out.d, out.h, out.w], y)
}

fn usizes(list: &Value) -> Vec<usize> {
    list.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

/// Compares with values of this shape, in which axes of one position may be missing.
fn compare(what: &str, (shape, got): (Vec<usize>, Vec<f32>), expected: &[f32], expected_shape: &[usize]) {
    let wide = |shape: &[usize]| shape.iter().copied().filter(|e| *e != 1).collect::<Vec<_>>();
    assert_eq!(wide(&shape), wide(expected_shape), "{what}");
    let worst = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let largest = expected.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
    assert!(worst <= 2e-5 * largest, "{what} differs by {worst}, values up to {largest}");
}

#[test]
fn models_in_the_words_of_exporters_give_what_onnx_runtime_makes_of_them() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let x = noise(2 * 4 * 48, 3);
    write(&dir.path().join("x.f32"), &x);
    let script = format!("{BUILDER}{MODELS}");
    let made = Command::new(python).args(["-c", &script]).arg(dir.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let names: Vec<String> = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(names.len(), 43);
    for what in names {
        let file = |kind: &str| dir.path().join(format!("{what}.{kind}"));
        let (network, weights) =
            onnx_in::decode(&std::fs::read(file("onnx")).unwrap()).unwrap_or_else(|e| panic!("{what}: {e}"));
        let sizes: Value = serde_json::from_slice(&std::fs::read(file("json")).unwrap()).unwrap();
        let size = usizes(&sizes["x"]);
        let got = run(&network, &weights, &size, &x[..size.iter().product()]);
        compare(&what, got, &read(&file("f32")), &usizes(&sizes["y"]));
    }
}

#[test]
fn what_no_layer_of_ours_does_is_refused_by_node_and_reason() {
    let Some(python) = python() else { return };
    let script = format!(
        "{BUILDER}{}",
        "
gap = node('GlobalAveragePool', ['image'], ['g'])
pads = {'pads': i64(0, 0, 1, 1, 0, 0, 1, 1)}
end = lambda op, *inputs, **a: node(op, list(inputs), ['out'], name='it', **a)
pad = node('Pad', ['image', 'pads'], ['p'])
models = {
    'hard tanh': (free, [end('Clip', 'image', 'low', 'six')], {'low': f32(-1), 'six': f32(6)}, 4),
    'clip 1': (free, [end('Clip', 'image', 'one')], {'one': f32(1)}, 4),
    'pad add': (free, [pad, end('Add', 'p', 'p')], pads, 4),
    'pad out': (free, [end('Pad', 'image', 'pads')], pads, 4),
    'pad max': (free, [pad, end('MaxPool', 'p', kernel_shape=[3, 3])], pads, 4),
    'reflect': (free, [end('Pad', 'image', 'pads', mode='reflect')], pads, 4),
    'ones': (free, [end('Pad', 'image', 'pads', 'one')], {'one': f32(1), **pads}, 4),
    'pad channels': (free, [end('Pad', 'image', 'pads')], {'pads': i64(0, 1, 0, 0, 0, 0, 0, 0)}, 4),
    'crop': (free, [end('Pad', 'image', 'pads')], {'pads': i64(0, 0, -1, 0, 0, 0, 0, 0)}, 4),
    'same': (free, [end('Conv', 'image', 'k', auto_pad='SAME_UPPER', strides=[2, 2])], {'k': r(3, 4, 3, 3)}, 4),
    'far ends': (free, [end('Conv', 'image', 'k', pads=[0, 0, 3, 0])], {'k': r(3, 4, 3, 3)}, 4),
    'odd ends': (free, [end('Conv', 'image', 'k', pads=[0, 0, 1, 0], dilations=[2, 2])], {'k': r(3, 4, 3, 3)}, 4),
    'pool ends': (free, [end('MaxPool', 'image', kernel_shape=[2, 2], pads=[0, 0, 1, 1])], {}, 4),
    'counted ends': (free, [end('AveragePool', 'image', kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1], count_include_pad=1)], {}, 4),
    'flatten': (free, [end('Flatten', 'image')], {}, 2),
    'flatten axis': (free, [gap, end('Flatten', 'g', axis=2)], {}, 2),
    'reshape': (free, [end('Reshape', 'image', 'to')], {'to': i64(0, -1)}, 2),
    'halves': (free, [gap, end('Reshape', 'g', 'to')], {'to': i64(-1, 2)}, 2),
    'no axes': (free, [gap, end('Squeeze', 'g')], {}, 2),
    'three axes': (free, [gap, node('Squeeze', ['g', 'two'], ['s']), end('Relu', 's')], {'two': i64(2)}, 3),
    'unsqueeze': (free, [gap, node('Flatten', ['g'], ['f']), node('Gemm', ['f', 'w'], ['o']), end('Unsqueeze', 'o', 'axes')],
                  {'w': r(4, 3), 'axes': i64(2, 3)}, 4),
    'map product': (free, [end('MatMul', 'image', 'w')], {'w': r(8, 3)}, 4),
    'sizes': (fixed, [end('Resize', 'image', '', '', 'to')], {'to': i64(2, 4, 9, 16)}, 4),
    'free sizes': (free, [end('Resize', 'image', '', '', 'to')], {'to': i64(2, 4, 12, 16)}, 4),
    'corners': (free, [end('Resize', 'image', '', 'by', mode='linear', coordinate_transformation_mode='align_corners')], {'by': f32([1, 1, 2, 2])}, 4),
    'half': (free, [end('Cast', 'image', to=6)], {}, 4),
    'transpose': (free, [end('Transpose', 'image', perm=[0, 2, 3, 1])], {}, 4),
}
for name, (shape, nodes, constants, rank) in models.items():
    save(name, 18, shape, nodes, constants, rank)
"
    );
    let dir = tempfile::tempdir().unwrap();
    let made = Command::new(python).args(["-c", &script]).arg(dir.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let refusals = [
        ("hard tanh", "max is 6, min -1"),
        ("clip 1", "min is 1"),
        ("pad add", "an input is p, padded"),
        ("pad out", "\"out\" is no result of a layer"),
        ("pad max", "padded with zeros"),
        ("reflect", "mode is reflect"),
        ("ones", "value is 1"),
        ("pad channels", "pads is [0, 1, 0"),
        ("crop", "pads is [0, 0, -1"),
        ("same", "auto_pad is SAME_UPPER"),
        ("far ends", "pads is"),
        ("odd ends", "pads is"),
        ("pool ends", "pads is"),
        ("counted ends", "pads is"),
        ("flatten", "an input is a map of more or unknown pixels"),
        ("flatten axis", "axis is 2"),
        ("reshape", "an input is a map of more or unknown pixels"),
        ("halves", "shape is"),
        ("no axes", "axes is []"),
        ("three axes", "an input is of 3 axes"),
        ("unsqueeze", "an input is a matrix made by a linear layer"),
        ("map product", "an input is of 4 axes"),
        ("sizes", "sizes is"),
        ("free sizes", "sizes is"),
        ("corners", "align_corners"),
        ("half", "to is 6"),
        ("transpose", "operator Transpose"),
    ];
    for (what, expected) in refusals {
        let bytes = std::fs::read(dir.path().join(format!("{what}.onnx"))).unwrap();
        let error = onnx_in::decode(&bytes).unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains(expected), "{what}: {shown}");
        let of_the_node = !matches!(error, OnnxError::Interface(_));
        assert!(!of_the_node || shown.contains("node it"), "{what}: {shown}");
    }
}

/// What PyTorch's exporters wrote, by `oracles/torch_exported.py`, and what PyTorch computed.
const EXPORTED: &str = include_str!("../oracles/torch_exported.json");

#[test]
fn what_pytorchs_exporters_wrote_gives_pytorchs_results() {
    let record: Value = serde_json::from_str(EXPORTED).unwrap();
    let cases = record["cases"].as_object().unwrap();
    assert_eq!(cases.len(), 18);
    for (what, case) in cases {
        let path = format!("{}/tests/oracles/exported/{what}.onnx", env!("CARGO_MANIFEST_DIR"));
        let (network, weights) =
            onnx_in::decode(&std::fs::read(path).unwrap()).unwrap_or_else(|e| panic!("{what}: {e}"));
        let model = &record["models"][case.as_str().unwrap()];
        let got = run(&network, &weights, &usizes(&model["x_shape"]), &floats(&model["x"]));
        compare(what, got, &floats(&model["y"]), &usizes(&model["y_shape"]));
    }
}

#[test]
fn zero_taps_are_the_only_change_to_a_weight() {
    let bytes =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracles/exported/padded_script.onnx")).unwrap();
    let (network, weights) = onnx_in::decode(&bytes).unwrap();
    let Op::Conv(conv) = &network.layers()[0].op else { panic!("a convolution") };
    assert_eq!((&conv.kernel[..], &conv.stride[..], &conv.padding[..]), (&[4, 4][..], &[2, 2][..], &[1, 1][..]));
    let weight = weights.get(&format!("{}.weight", network.layers()[0].name)).unwrap();
    // A 3x3 window with a row above and a column to its left.
    let outside = weight.data.chunks_exact(16).all(|w| (0..16).all(|i| (i >= 4 && i % 4 != 0) || w[i] == 0.0));
    assert!(outside && weight.data.iter().filter(|v| **v != 0.0).count() == weight.data.len() / 16 * 9);
}
