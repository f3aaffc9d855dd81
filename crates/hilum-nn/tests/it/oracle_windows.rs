//! ONNX Runtime against networks of operators with random windows.

use hilum_nn::{Convolution, InputShape, Network, Op, Pooling};

use crate::gradients::lively_weights;
use crate::oracle::agree;
use crate::reference::noise;

/// Small numbers in the order of a seed.
struct Draw(std::vec::IntoIter<f32>);

impl Draw {
    fn new(seed: u64) -> Self {
        Self(noise(1000, seed + 77).into_iter())
    }

    /// `from..=to`.
    fn range(&mut self, from: usize, to: usize) -> usize {
        let v = self.0.next().unwrap() * 0.5 + 0.5;
        (from + (v * (to + 1 - from) as f32) as usize).min(to)
    }

    fn sides(&mut self, from: usize, to: usize) -> Vec<usize> {
        vec![self.range(from, to), self.range(from, to)]
    }
}

fn random_network(seed: u64) -> Network {
    let mut d = Draw::new(seed);
    let inp = d.range(1, 20);
    let mut net = Network::builder(inp);
    let groups = if d.range(0, 2) == 0 { inp } else { 1 };
    let mut channels = groups * d.range(1, if groups > 1 { 3 } else { 40 });
    net.then(
        "first",
        Op::Conv(Convolution {
            out_channels: channels,
            kernel: d.sides(1, 7),
            stride: d.sides(1, 3),
            padding: d.sides(3, 6),
            dilation: d.sides(1, 2),
            groups,
            bias: d.range(0, 1) == 1,
        }),
    );
    net.then("norm", Op::BatchNorm { eps: 1e-3 });
    for i in 0..3 {
        let name = |what: &str| format!("{what}{i}");
        match d.range(0, 5) {
            0 => net.then(name("relu"), Op::Relu),
            1 => {
                let (kernel, stride) = (d.sides(2, 3), d.sides(1, 2));
                net.then(name("max"), Op::MaxPool(Pooling::new(&kernel, &stride).padding(&[1, 1])))
            }
            2 => {
                let (kernel, stride) = (d.sides(2, 3), d.sides(1, 2));
                let pooling = Pooling::new(&kernel, &stride).padding(&[1, 1]);
                net.then(name("mean"), Op::AvgPool { pooling, count_padding: d.range(0, 1) == 1 })
            }
            3 => {
                channels = d.range(1, 35);
                let stride = d.sides(1, 3);
                let output_padding = stride.iter().map(|s| d.range(0, s - 1)).collect();
                let conv = Convolution::new(channels, &d.sides(3, 4)).stride(&stride).padding(&[1, 0]);
                net.then(name("up"), Op::ConvTranspose { conv, output_padding })
            }
            4 => {
                let before = net.last().to_owned();
                net.then(name("scale"), Op::Scale { factor: -0.7 });
                let scaled = net.then(name("again"), Op::Scale { factor: 0.4 });
                net.layer(name("add"), &[&before, &scaled, &before], Op::Add)
            }
            _ => {
                channels = d.range(1, 50);
                net.then(name("conv"), Op::Conv(Convolution::new(channels, &[3, 1]).same()))
            }
        };
    }
    if d.range(0, 1) == 1 {
        net.then("pool", Op::GlobalAvgPool);
        net.then("flat", Op::Flatten);
        net.then("drop", Op::Dropout { rate: 0.5, seed: 0 });
        net.then("fc", Op::Linear { out_features: d.range(1, 20), bias: true });
    }
    net.build().unwrap()
}

#[test]
fn onnx_runtime_agrees_on_random_windows_and_odd_shapes() {
    for seed in 0..24 {
        let network = random_network(seed);
        // One-pixel maps included; the first layer's padding covers its dilated kernel.
        let shapes = [(1, 13, 10), (3, 7, 16), (7, 9, 31)].map(|(n, h, w)| InputShape { n, h, w });
        agree(&format!("network {seed}"), &network, &lively_weights(&network, seed), &shapes);
    }
}

#[test]
fn onnx_runtime_agrees_on_windows_over_one_pixel() {
    let mut net = Network::builder(5);
    net.then("a", Op::Conv(Convolution::new(18, &[5, 7]).same().with_bias()));
    net.then("max", Op::MaxPool(Pooling::new(&[3, 3], &[2, 2]).padding(&[1, 1])));
    net.then("mean", Op::AvgPool { pooling: Pooling::new(&[3, 3], &[1, 1]).padding(&[1, 1]), count_padding: true });
    net.then("b", Op::Conv(Convolution::new(3, &[3, 3]).stride(&[2, 2]).padding(&[1, 1])));
    let network = net.build().unwrap();
    let shapes = [(1, 1, 1), (4, 1, 2), (2, 3, 1)].map(|(n, h, w)| InputShape { n, h, w });
    agree("one pixel", &network, &lively_weights(&network, 4), &shapes);
}
