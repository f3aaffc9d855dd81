//! Description to ONNX and back: the same graph, up to short forms, and the same bits; spelt-out operators of other programs against ONNX Runtime.

use std::process::Command;

use hilum_nn::{
    Convolution, DenseNet, InceptionResNetV2, Inference, InputShape, Network, Op, Options, Pooling, ResNet, Scores,
    UNet3d, VolumeShape, densenet, inception_resnet_v2, onnx, onnx_in, resnet, unet3d,
};

use crate::gradients::lively_weights;
use crate::onnx_exporters::BUILDER;
use crate::oracle::{python, read, write};
use crate::reference::noise;

fn returns(what: &str, network: &Network, shape: impl Into<VolumeShape>) {
    let shape @ VolumeShape { n, d, h, w } = shape.into();
    let weights = lively_weights(network, 3);
    let (again, read) = onnx_in::decode(&onnx::encode(network, &weights).unwrap()).unwrap();
    assert_eq!(again.axes(), network.axes(), "{what}");
    assert!(read.tensors() == weights.tensors(), "{what}: other weights");
    // ONNX has neither the short forms nor dropout: these layers may come back in another form, all others come back as they were.
    for layer in again.layers() {
        let was = network.layers().iter().find(|l| l.name == layer.name).unwrap();
        let short = matches!(layer.op, Op::Conv2d { .. } | Op::ConvTranspose2d { .. } | Op::BatchNorm2d);
        assert!(short || layer.op == was.op, "{what}: {was:?} came back as {layer:?}");
    }
    let x = noise(n * network.in_channels() * d * h * w, 5);
    let run = |network: &Network| {
        let mut plan = Inference::compile(network, &weights, shape, Options::default()).unwrap();
        let out = plan.output_shape();
        let mut y = vec![0.0; n * out.c * out.d * out.h * out.w];
        plan.forward(&x, &mut y).unwrap();
        y.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
    };
    assert!(run(&again) == run(network), "{what}: other bits");
}

#[test]
fn networks_of_the_papers_come_back_from_onnx_with_the_same_bits() {
    let dense = DenseNet { blocks: vec![2, 3], growth: 5, stem: 6, ..DenseNet::d121(2, 3, Scores::Sigmoid) };
    returns("densenet", &densenet(&dense).unwrap(), InputShape { n: 2, h: 33, w: 40 });
    let residual = ResNet { blocks: vec![1, 2], base: 5, ..ResNet::r50(3, 4, Scores::Logits) };
    returns("resnet", &resnet(&residual).unwrap(), InputShape { n: 2, h: 31, w: 20 });
    let inception =
        InceptionResNetV2 { blocks: [1, 1, 1], dropout: 0.2, ..InceptionResNetV2::new(3, 5, Scores::Logits) };
    returns("inception-resnet-v2", &inception_resnet_v2(&inception).unwrap(), InputShape { n: 1, h: 75, w: 80 });
    let volumes = unet3d(UNet3d { in_channels: 1, out_channels: 2, base: 5, depth: 1 }).unwrap();
    returns("3d u-net", &volumes, VolumeShape { n: 2, d: 4, h: 6, w: 2 });
}

#[test]
fn every_operator_comes_back_from_onnx_with_the_same_bits() {
    let (conv, pool) = (Convolution::new, Pooling::new);
    let pooling = pool(&[3, 2], &[2, 1]).padding(&[1, 1]);
    let ceil = Pooling { ceil: true, ..pool(&[2, 2], &[2, 2]) };
    let transposed = conv(5, &[3, 4]).stride(&[2, 3]).padding(&[1, 0]).with_bias();
    for op in [
        Op::Conv(conv(12, &[1, 7]).padding(&[0, 3]).with_bias()),
        Op::Conv(conv(12, &[3, 3]).stride(&[2, 1]).dilation(&[1, 2]).padding(&[1, 2]).groups(3)),
        Op::Conv(conv(9, &[3, 3]).same()),
        Op::ConvTranspose { conv: transposed, output_padding: vec![1, 2] },
        Op::ConvTranspose { conv: conv(4, &[2, 2]).stride(&[2, 2]), output_padding: vec![0, 0] },
        Op::MaxPool2d,
        Op::MaxPool(pool(&[2, 2], &[2, 2])),
        Op::MaxPool(pooling.clone()),
        Op::MaxPool(ceil.clone()),
        Op::AvgPool { pooling: pooling.clone(), count_padding: true },
        Op::AvgPool { pooling, count_padding: false },
        Op::AvgPool { pooling: ceil, count_padding: false },
        Op::AdaptiveAvgPool { size: vec![0, 1] },
        Op::AdaptiveMaxPool { size: vec![1, 0] },
        Op::AdaptiveMaxPool { size: vec![1, 1] },
        Op::BatchNorm { eps: 1e-3 },
        Op::InstanceNorm { eps: 1e-3 },
        Op::GroupNorm { groups: 2, eps: 1e-4 },
        Op::Relu,
        Op::ClippedRelu { max: 6.0 },
        Op::LeakyRelu { slope: 0.2 },
        Op::Gelu,
        Op::Tanh,
        Op::Softmax,
        Op::Sigmoid,
        Op::Upsample { factors: vec![2, 3], linear: false },
        Op::Upsample { factors: vec![3, 2], linear: true },
        Op::Scale { factor: -0.3 },
    ] {
        let mut net = Network::builder(2);
        net.then("a", Op::Conv2d { out_channels: 6, kernel: 1, bias: true });
        let what = op.to_string();
        net.then("op", op);
        let twice = net.layer("sum", &["op", "op"], Op::Add);
        net.layer("joined", &["op", &twice], Op::Concat);
        net.then("mean", Op::GlobalAvgPool);
        net.then("flat", Op::Flatten);
        net.then("fc", Op::Linear { out_features: 3, bias: true });
        net.then("scores", Op::Softmax);
        returns(&what, &net.build().unwrap(), InputShape { n: 2, h: 6, w: 8 });
    }
}

/// Forms of PyTorch's exporters and of older operator sets; each model is named by what it is about.
const FOREIGN: &str = "
tail = [node('ReduceMean', ['y', 'axes'], ['m'], keepdims=0), node('Gemm', ['m', 'fc.weight', 'fc.bias'], ['out'], transB=0)]
ends = lambda c: {'axes': i64(-1, 2), 'fc.weight': r(c, 3), 'fc.bias': r(1, 3)}
gelu = [node('Div', ['image', 'root'], ['q']), node('Erf', ['q'], ['e']), node('Add', ['e', 'one'], ['s']),
        node('Mul', ['image', 's'], ['p']), node('Mul', ['p', 'half'], ['y'])]
group = [node('Reshape', ['image', 'split'], ['g']), node('InstanceNormalization', ['g', 'ones', 'zeros'], ['i'], epsilon=0.01),
         node('Shape', ['image'], ['sh']), node('Reshape', ['i', 'sh'], ['b']), node('Mul', ['b', 'gn.weight'], ['w']),
         node('Add', ['w', 'gn.bias'], ['y'])]
view = [node('GlobalAveragePool', ['image'], ['g']), node('Shape', ['g'], ['sh']), node('Gather', ['sh', 'zero'], ['n'], axis=0),
        node('Unsqueeze', ['n', 'at'], ['u']), node('Concat', ['u', 'rest'], ['c'], axis=0), node('Reshape', ['g', 'c'], ['f']),
        node('Gemm', ['f', 'w'], ['out'], transB=1)]
flat = [node('AveragePool', ['image'], ['a'], kernel_shape=[2, 3], strides=[1, 2], pads=[1, 1, 1, 1], ceil_mode=1),
        node('Mul', ['factor', 'a'], ['b']), node('GlobalAveragePool', ['b'], ['g']), node('Reshape', ['g', 'shape'], ['f']),
        node('Softmax', ['f'], ['out'], axis=-1)]
resize = dict(coordinate_transformation_mode='pytorch_half_pixel', cubic_coeff_a=-0.75, mode='linear')
models = {
    'gelu': (17, gelu + [node('Conv', ['y', 'k'], ['out'], group=4, strides=[2, 1])],
             {'root': f32(2 ** 0.5), 'one': f32(1), 'half': f32(0.5), 'k': r(8, 1, 3, 2)}),
    'gelu 20': (20, [node('Gelu', ['image'], ['y'])] + tail, ends(4)),
    'group': (18, group + tail, {'split': i64(0, 2, -1), 'ones': np.ones(2, np.float32), 'zeros': np.zeros(2, np.float32),
                                 'gn.weight': r(4, 1, 1), 'gn.bias': r(4, 1, 1), **ends(4)}),
    'view': (17, view, {'zero': np.array(0, dtype=np.int64), 'at': i64(0), 'rest': i64(-1), 'w': r(3, 4)}),
    'flat': (13, flat, {'factor': f32([0.3]), 'shape': i64(0, -1)}),
    'resize': (13, [node('Resize', ['image', '', 'scales'], ['y'], **resize), node('Resize', ['y', '', 'scales'], ['out'])],
               {'scales': f32([1, 1, 2, 3])}),
    'upsample': (9, [node('Upsample', ['image', 'scales'], ['out'], mode='nearest')], {'scales': f32([1, 1, 3, 2])}),
}
x = np.fromfile(d + '/x.f32', dtype='<f4').reshape(2, 4, 6, 7)
for name, (opset, nodes, constants) in models.items():
    save(name, opset, ['n', 4, 'h', 'w'], nodes, constants, 4 if name in ('gelu', 'resize', 'upsample') else 2)
    session = onnxruntime.InferenceSession(f'{d}/{name}.onnx', providers=['CPUExecutionProvider'])
    session.run(None, {'image': x})[0].astype('<f4').tofile(f'{d}/{name}.f32')
";

#[test]
fn forms_of_other_exporters_give_what_onnx_runtime_makes_of_them() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let x = noise(2 * 4 * 42, 3);
    write(&dir.path().join("x.f32"), &x);
    let script = format!("{BUILDER}{FOREIGN}");
    let run = Command::new(python).args(["-c", &script]).arg(dir.path()).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    for what in ["gelu", "gelu 20", "group", "view", "flat", "resize", "upsample"] {
        let bytes = std::fs::read(dir.path().join(format!("{what}.onnx"))).unwrap();
        let (network, weights) = onnx_in::decode(&bytes).unwrap_or_else(|e| panic!("{what}: {e}"));
        let expected = read(&dir.path().join(format!("{what}.f32")));
        let shape = InputShape { n: 2, h: 6, w: 7 };
        let mut plan = Inference::compile(&network, &weights, shape, Options::default()).unwrap();
        let mut got = vec![0.0; expected.len()];
        plan.forward(&x, &mut got).unwrap();
        let worst = got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 2e-5, "{what} differs by {worst}");
    }
}
