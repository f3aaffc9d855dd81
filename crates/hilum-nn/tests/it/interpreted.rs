//! Every kind of step over maps so small that an interpreter gets through them: what Miri runs (the README has the command), and what every test run
//! repeats on the portable kernels.

use hilum_nn::{
    AdamConfig, Algorithm, Convolution, Inference, Isa, LossConfig, Network, Op, Options, Pooling, Recurrence, Trainer,
    VolumeShape, Weights,
};

use crate::reference::{noise, targets};

/// A pass and a step on two threads.
fn passes(network: &Network, [n, d, h, w]: [usize; 4], algorithm: Algorithm) {
    let (shape, options) = (VolumeShape { n, d, h, w }, Options { threads: 2, isa: Some(Isa::Portable) });
    let weights = Weights::init(network, 1);
    let mut plan = Inference::compile_with(network, &weights, shape, options, algorithm).unwrap();
    let out = plan.output_shape();
    let x = noise(n * network.in_channels() * d * h * w, 1);
    let mut y = vec![f32::NAN; n * out.c * out.d * out.h * out.w];
    plan.forward(&x, &mut y).unwrap();
    assert!(y.iter().all(|v| (0.0..=1.0).contains(v)));
    let (loss, adam) = (LossConfig::default(), AdamConfig::default());
    let mut trainer = Trainer::compile_with(network, weights, shape, loss, adam, options, algorithm).unwrap();
    assert!(trainer.step(&x, &targets(y.len(), 2), 1e-3).unwrap().is_finite());
}

#[test]
fn a_small_image_network_runs_by_either_algorithm() {
    let mut net = Network::builder(1);
    net.then("a", Op::Conv2d { out_channels: 17, kernel: 3, bias: true });
    net.then("norm", Op::BatchNorm2d);
    net.then("relu", Op::Relu);
    net.then("pool", Op::MaxPool2d);
    net.then("up", Op::ConvTranspose2d { out_channels: 2, bias: true });
    net.layer("joined", &["relu", "up"], Op::Concat);
    net.then("b", Op::Conv2d { out_channels: 2, kernel: 3, bias: false });
    net.then("head", Op::Conv2d { out_channels: 1, kernel: 1, bias: true });
    net.then("score", Op::Sigmoid);
    let network = net.build().unwrap();
    for algorithm in [Algorithm::Direct, Algorithm::Winograd] {
        passes(&network, [1, 1, 6, 4], algorithm);
    }
}

#[test]
fn windows_over_a_small_volume_run() {
    let mut net = Network::volume_builder(1);
    net.then("a", Op::Conv(Convolution::new(2, &[3, 3, 3]).same()));
    net.then("norm", Op::BatchNorm2d);
    net.then("relu", Op::Relu);
    net.then("pool", Op::MaxPool(Pooling::new(&[2, 2, 2], &[2, 2, 2])));
    let conv = Convolution::new(3, &[2, 2, 2]).stride(&[2, 2, 2]).with_bias();
    net.then("up", Op::ConvTranspose { conv, output_padding: vec![0; 3] });
    net.layer("joined", &["relu", "up"], Op::Concat);
    net.then("head", Op::Conv(Convolution::new(1, &[1, 1, 1]).with_bias()));
    net.then("score", Op::Sigmoid);
    let network = net.build().unwrap();
    for algorithm in [Algorithm::Direct, Algorithm::Winograd] {
        passes(&network, [1, 2, 2, 4], algorithm);
    }
}

#[test]
fn sequences_and_adaptive_pools_run_on_a_small_map() {
    let recurrence = |last| Recurrence { hidden: 3, bidirectional: true, last };
    let mut net = Network::builder(2);
    net.then("max", Op::AdaptiveMaxPool { size: vec![3, 2] });
    net.then("mean", Op::AdaptiveAvgPool { size: vec![0, 1] });
    net.then("gru", Op::Gru(recurrence(false)));
    net.layer("lstm", &["mean"], Op::Lstm(recurrence(false)));
    net.layer("both", &["gru", "lstm"], Op::Concat);
    net.then("last", Op::Gru(recurrence(true)));
    net.layer("flat", &["both"], Op::Flatten);
    net.then("wide", Op::Linear { out_features: 6, bias: true });
    net.layer("narrow", &["last"], Op::Flatten);
    net.layer("sum", &["wide", "narrow"], Op::Add);
    net.then("score", Op::Sigmoid);
    passes(&net.build().unwrap(), [2, 1, 4, 3], Algorithm::Auto);
}

#[test]
fn every_operator_runs_on_a_small_map() {
    let mut net = Network::builder(3);
    let pool = || Pooling::new(&[3, 2], &[2, 1]).padding(&[1, 1]);
    net.then("a", Op::Conv(Convolution::new(18, &[3, 2]).stride(&[2, 1]).padding(&[1, 1]).groups(3).with_bias()));
    net.layer("b", &["input"], Op::MaxPool(pool()));
    net.layer("c", &["input"], Op::AvgPool { pooling: Pooling { ceil: true, ..pool() }, count_padding: false });
    net.layer("d", &["a"], Op::GroupNorm { groups: 2, eps: 1e-5 });
    net.layer("e", &["d", "b", "c"], Op::Concat);
    net.then("f", Op::Dropout { rate: 0.3, seed: 1 });
    net.then("g", Op::Upsample { factors: vec![1, 2], linear: true });
    net.then("h", Op::InstanceNorm { eps: 1e-5 });
    net.then("clipped", Op::ClippedRelu { max: 0.7 });
    net.then("i", Op::LeakyRelu { slope: 0.1 });
    net.then(
        "j",
        Op::ConvTranspose {
            conv: Convolution::new(5, &[3, 2]).stride(&[2, 1]).with_bias(),
            output_padding: vec![1, 0],
        },
    );
    net.then("k", Op::BatchNorm { eps: 1e-3 });
    net.then("l", Op::Gelu);
    net.then("m", Op::Tanh);
    net.then("n", Op::Scale { factor: 0.5 });
    net.layer("o", &["n", "m"], Op::Add);
    net.then("p", Op::Softmax);
    net.then("q", Op::Upsample { factors: vec![2, 1], linear: false });
    net.then("r", Op::Sigmoid);
    net.then("s", Op::GlobalAvgPool);
    net.then("t", Op::Flatten);
    net.then("u", Op::Linear { out_features: 2, bias: true });
    net.then("score", Op::Sigmoid);
    passes(&net.build().unwrap(), [2, 1, 3, 4], Algorithm::Auto);
}
