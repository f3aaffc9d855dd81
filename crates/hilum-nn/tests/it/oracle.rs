//! ONNX Runtime and the ONNX checker, run live through Python, against our plans.

use std::path::Path;
use std::process::Command;

use hilum_nn::{Inference, InputShape, Network, Op, Options, UNet2d, VolumeShape, Weights, onnx, unet2d};

use crate::gradients::lively_weights;
use crate::reference::noise;

/// Python with numpy, onnx and onnxruntime, or `None` with the reason printed.
pub fn python() -> Option<std::ffi::OsString> {
    let found = std::env::var_os("HILUM_ORACLE_PYTHON");
    if found.is_none() {
        println!("SKIPPED: HILUM_ORACLE_PYTHON does not name a Python with onnx and onnxruntime");
        assert!(std::env::var_os("HILUM_REQUIRE_ORACLES").is_none_or(|v| v != "1"), "oracles are required");
    }
    found
}

const SCRIPT: &str = "
import sys, json, numpy as np, onnx, onnxruntime
d = sys.argv[1]
model = onnx.load(d + '/model.onnx')
onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(d + '/model.onnx', providers=['CPUExecutionProvider'])
for i, shape in enumerate(json.load(open(d + '/shapes.json'))):
    x = np.fromfile(f'{d}/x{i}.f32', dtype='<f4').reshape(shape)
    session.run(['output'], {'input': x})[0].astype('<f4').tofile(f'{d}/y{i}.f32')
";

pub fn write(path: &Path, values: &[f32]) {
    std::fs::write(path, values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>()).unwrap();
}

pub fn read(path: &Path) -> Vec<f32> {
    std::fs::read(path).unwrap().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

pub fn agree(what: &str, network: &Network, weights: &Weights, shapes: &[impl Into<VolumeShape> + Copy]) {
    let Some(python) = python() else { return };
    let shapes: Vec<VolumeShape> = shapes.iter().map(|s| (*s).into()).collect();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("model.onnx"), onnx::encode(network, weights).unwrap()).unwrap();
    let input = |i: usize, s: VolumeShape| noise(s.n * network.in_channels() * s.d * s.h * s.w, i as u64 + 1);
    let list = |s: &VolumeShape| {
        let all = [s.n, network.in_channels(), s.d, s.h, s.w];
        let used = all.iter().enumerate().filter(|(i, _)| network.axes() == 3 || *i != 2);
        used.map(|(_, v)| v.to_string()).collect::<Vec<_>>().join(", ")
    };
    let lists: Vec<String> = shapes.iter().map(|s| format!("[{}]", list(s))).collect();
    std::fs::write(dir.path().join("shapes.json"), format!("[{}]", lists.join(","))).unwrap();
    for (i, s) in shapes.iter().enumerate() {
        write(&dir.path().join(format!("x{i}.f32")), &input(i, *s));
    }
    let run = Command::new(python).args(["-c", SCRIPT]).arg(dir.path()).output().unwrap();
    assert!(run.status.success(), "{what}: {}", String::from_utf8_lossy(&run.stderr));
    for (i, s) in shapes.iter().enumerate() {
        let expected = read(&dir.path().join(format!("y{i}.f32")));
        let mut plan = Inference::compile(network, weights, *s, Options::default()).unwrap();
        let mut got = vec![0.0; expected.len()];
        plan.forward(&input(i, *s), &mut got).unwrap();
        let worst = got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        assert!(worst <= 2e-5 * largest.max(1.0), "{what} {s:?}: differs by {worst}, values up to {largest}");
    }
}

#[test]
fn onnx_runtime_agrees_on_u_nets_of_several_sizes() {
    for (base, depth, inp, out) in [(16, 3, 3, 1), (10, 2, 1, 3), (4, 1, 5, 2)] {
        let network = unet2d(UNet2d { in_channels: inp, out_channels: out, base, depth }).unwrap();
        let shapes = [(1, 32, 48), (3, 40, 16), (2, 8, 8)].map(|(n, h, w)| InputShape { n, h, w });
        agree(&format!("u-net {base} {depth}"), &network, &Weights::init(&network, 7), &shapes);
    }
}

#[test]
fn onnx_runtime_agrees_on_odd_sizes_and_lone_operators() {
    let mut net = Network::builder(3);
    net.then("a", Op::Conv2d { out_channels: 37, kernel: 3, bias: true });
    net.then("bn", Op::BatchNorm2d);
    net.layer("b", &["a"], Op::Conv2d { out_channels: 5, kernel: 1, bias: false });
    net.layer("cat", &["bn", "b", "input"], Op::Concat);
    net.then("relu", Op::Relu);
    net.then("up", Op::ConvTranspose2d { out_channels: 9, bias: true });
    net.then("mid", Op::Sigmoid);
    net.then("pool", Op::MaxPool2d);
    net.then("out", Op::Conv2d { out_channels: 2, kernel: 3, bias: true });
    let network = net.build().unwrap();
    let shapes = [(1, 1, 1), (7, 3, 5), (2, 13, 1), (1, 1, 31)].map(|(n, h, w)| InputShape { n, h, w });
    agree("operators", &network, &lively_weights(&network, 3), &shapes);
}

#[test]
fn onnx_runtime_agrees_where_the_output_is_coarser_than_the_input() {
    let mut net = Network::builder(2);
    net.then("a", Op::Conv2d { out_channels: 16, kernel: 3, bias: true });
    net.then("pool", Op::MaxPool2d);
    net.then("head", Op::Conv2d { out_channels: 1, kernel: 1, bias: true });
    net.then("score", Op::Sigmoid);
    let network = net.build().unwrap();
    agree("coarse", &network, &lively_weights(&network, 3), &[InputShape { n: 2, h: 6, w: 4 }]);
}
