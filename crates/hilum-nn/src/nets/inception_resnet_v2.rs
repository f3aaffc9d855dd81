//! InceptionResNetV2 (Szegedy, Ioffe, Vanhoucke and Alemi 2017), as timm has it.

use serde::{Deserialize, Serialize};

use super::{Scores, classifier, convolution};
use crate::network::{INPUT, Network, NetworkBuilder, NetworkError};
use crate::op::{Convolution, Op, Pooling};

/// Parameters of [`inception_resnet_v2`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InceptionResNetV2 {
    /// Channels of the input.
    pub in_channels: usize,
    /// Classes.
    pub classes: usize,
    /// Residual blocks at 1/8, 1/16 and 1/32 of the input's size, the last one without ReLU not counted: 10, 20 and 9 in the paper.
    pub blocks: [usize; 3],
    /// Probability of zero in the dropout before the classifier.
    pub dropout: f32,
    /// What comes out.
    pub scores: Scores,
}

impl InceptionResNetV2 {
    /// The network of the paper, without dropout.
    pub fn new(in_channels: usize, classes: usize, scores: Scores) -> Self {
        Self { in_channels, classes, blocks: [10, 20, 9], dropout: 0.0, scores }
    }
}

/// The network. Height and width of 75 and more; layer names and so parameter keys are timm's.
pub fn inception_resnet_v2(config: &InceptionResNetV2) -> Result<Network, NetworkError> {
    let InceptionResNetV2 { in_channels, classes, blocks, dropout, scores } = *config;
    let mut net = Network::builder(in_channels);
    let last = stem(&mut net);
    let mut last = mixed_5b(&mut net, &last);
    for i in 0..blocks[0] {
        let branches = [vec![one(32)], vec![one(32), three(32)], vec![one(32), three(48), three(64)]];
        last = residual(&mut net, &format!("repeat.{i}"), &last, &branches, 320, 0.17, true);
    }
    last = reduction(&mut net, "mixed_6a", &last, &[vec![halving(384)], vec![one(256), three(256), halving(384)]]);
    for i in 0..blocks[1] {
        let branches = [vec![one(192)], vec![one(128), wide(160, [1, 7]), wide(192, [7, 1])]];
        last = residual(&mut net, &format!("repeat_1.{i}"), &last, &branches, 1088, 0.10, true);
    }
    let branches =
        [vec![one(256), halving(384)], vec![one(256), halving(288)], vec![one(256), three(288), halving(320)]];
    last = reduction(&mut net, "mixed_7a", &last, &branches);
    let branches = [vec![one(192)], vec![one(192), wide(224, [1, 3]), wide(256, [3, 1])]];
    for i in 0..blocks[2] {
        last = residual(&mut net, &format!("repeat_2.{i}"), &last, &branches, 2080, 0.20, true);
    }
    last = residual(&mut net, "block8", &last, &branches, 2080, 1.0, false);
    basic(&mut net, "conv2d_7b", &last, one(1536));
    classifier(&mut net, "classif", Some(dropout), classes, scores);
    net.build()
}

fn one(out: usize) -> Op {
    convolution(out, [1, 1], 1, [0, 0])
}

fn three(out: usize) -> Op {
    convolution(out, [3, 3], 1, [1, 1])
}

/// 3x3, stride 2, without padding.
fn halving(out: usize) -> Op {
    convolution(out, [3, 3], 2, [0, 0])
}

fn wide(out: usize, kernel: [usize; 2]) -> Op {
    convolution(out, kernel, 1, [kernel[0] / 2, kernel[1] / 2])
}

fn halving_pool() -> Op {
    Op::MaxPool(Pooling::new(&[3, 3], &[2, 2]))
}

/// Convolution, BatchNorm with eps 1e-3, ReLU.
fn basic(net: &mut NetworkBuilder, name: &str, input: &str, conv: Op) -> String {
    net.layer(format!("{name}.conv"), &[input], conv);
    net.then(format!("{name}.bn"), Op::BatchNorm { eps: 1e-3 });
    net.then(format!("{name}.relu"), Op::Relu)
}

/// Convolutions after each other; a lone one has no number in its name.
fn branch(net: &mut NetworkBuilder, name: &str, input: &str, convolutions: &[Op]) -> String {
    if let [only] = convolutions {
        return basic(net, name, input, only.clone());
    }
    let mut last = input.to_owned();
    for (i, conv) in convolutions.iter().enumerate() {
        last = basic(net, &format!("{name}.{i}"), &last, conv.clone());
    }
    last
}

fn stem(net: &mut NetworkBuilder) -> String {
    basic(net, "conv2d_1a", INPUT, halving(32));
    let last = basic(net, "conv2d_2a", "conv2d_1a.relu", convolution(32, [3, 3], 1, [0, 0]));
    basic(net, "conv2d_2b", &last, three(64));
    let last = net.then("maxpool_3a", halving_pool());
    let last = basic(net, "conv2d_3b", &last, one(80));
    basic(net, "conv2d_4a", &last, convolution(192, [3, 3], 1, [0, 0]));
    net.then("maxpool_5a", halving_pool())
}

fn mixed_5b(net: &mut NetworkBuilder, input: &str) -> String {
    let five = convolution(64, [5, 5], 1, [2, 2]);
    let mut parts = vec![
        branch(net, "mixed_5b.branch0", input, &[one(96)]),
        branch(net, "mixed_5b.branch1", input, &[one(48), five]),
        branch(net, "mixed_5b.branch2", input, &[one(64), three(96), three(96)]),
    ];
    let pooling = Pooling::new(&[3, 3], &[1, 1]).padding(&[1, 1]);
    let pooled = net.layer("mixed_5b.branch3.0", &[input], Op::AvgPool { pooling, count_padding: false });
    parts.push(basic(net, "mixed_5b.branch3.1", &pooled, one(64)));
    join(net, "mixed_5b", &parts)
}

/// Branches of convolutions beside a pooling, all of half the size.
fn reduction(net: &mut NetworkBuilder, name: &str, input: &str, branches: &[Vec<Op>]) -> String {
    let mut parts = branches_of(net, name, input, branches);
    parts.push(net.layer(format!("{name}.branch{}", branches.len()), &[input], halving_pool()));
    join(net, name, &parts)
}

/// `input + scale * conv(branches)`, with a ReLU after it where asked.
fn residual(
    net: &mut NetworkBuilder,
    name: &str,
    input: &str,
    branches: &[Vec<Op>],
    channels: usize,
    factor: f32,
    relu: bool,
) -> String {
    let parts = branches_of(net, name, input, branches);
    join(net, name, &parts);
    net.then(format!("{name}.conv2d"), Op::Conv(Convolution::new(channels, &[1, 1]).with_bias()));
    let scaled = net.then(format!("{name}.scale"), Op::Scale { factor });
    let sum = net.layer(format!("{name}.add"), &[input, &scaled], Op::Add);
    if relu { net.then(format!("{name}.relu"), Op::Relu) } else { sum }
}

fn branches_of(net: &mut NetworkBuilder, name: &str, input: &str, branches: &[Vec<Op>]) -> Vec<String> {
    let each = |(i, convolutions): (usize, &Vec<Op>)| branch(net, &format!("{name}.branch{i}"), input, convolutions);
    branches.iter().enumerate().map(each).collect()
}

fn join(net: &mut NetworkBuilder, name: &str, parts: &[String]) -> String {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    net.layer(format!("{name}.concat"), &parts, Op::Concat)
}
