//! ResNet (He, Zhang, Ren and Sun 2016), with the stride in the 3x3 convolution as torchvision has it.

use serde::{Deserialize, Serialize};

use super::{Scores, classifier, convolution};
use crate::network::{INPUT, Network, NetworkBuilder, NetworkError};
use crate::op::{Op, Pooling};

/// Parameters of [`resnet`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNet {
    /// Channels of the input.
    pub in_channels: usize,
    /// Classes.
    pub classes: usize,
    /// Blocks of every stage.
    pub blocks: Vec<usize>,
    /// Three convolutions a block with four times as wide results, or two.
    pub bottleneck: bool,
    /// Channels of the stem and the first stage; every stage doubles them.
    pub base: usize,
    /// What comes out.
    pub scores: Scores,
}

impl ResNet {
    /// ResNet-18.
    pub fn r18(in_channels: usize, classes: usize, scores: Scores) -> Self {
        Self { in_channels, classes, blocks: vec![2, 2, 2, 2], bottleneck: false, base: 64, scores }
    }

    /// ResNet-34.
    pub fn r34(in_channels: usize, classes: usize, scores: Scores) -> Self {
        Self { blocks: vec![3, 4, 6, 3], ..Self::r18(in_channels, classes, scores) }
    }

    /// ResNet-50.
    pub fn r50(in_channels: usize, classes: usize, scores: Scores) -> Self {
        Self { bottleneck: true, ..Self::r34(in_channels, classes, scores) }
    }

    /// ResNet-101.
    pub fn r101(in_channels: usize, classes: usize, scores: Scores) -> Self {
        Self { blocks: vec![3, 4, 23, 3], ..Self::r50(in_channels, classes, scores) }
    }
}

/// The ResNet. Height and width of any size; layer names and so parameter keys are torchvision's.
pub fn resnet(config: &ResNet) -> Result<Network, NetworkError> {
    let ResNet { in_channels, classes, ref blocks, bottleneck, base, scores } = *config;
    let mut net = Network::builder(in_channels);
    net.layer("conv1", &[INPUT], convolution(base, [7, 7], 2, [3, 3]));
    net.then("bn1", Op::BatchNorm2d);
    net.then("relu", Op::Relu);
    let mut last = net.then("maxpool", Op::MaxPool(Pooling::new(&[3, 3], &[2, 2]).padding(&[1, 1])));
    let mut channels = base;
    for (s, &count) in blocks.iter().enumerate() {
        let width = base.saturating_mul(1 << s.min(16));
        for b in 0..count {
            let stride = if s > 0 && b == 0 { 2 } else { 1 };
            let out = if bottleneck { width.saturating_mul(4) } else { width };
            let block = Block { name: format!("layer{}.{b}", s + 1), bottleneck, width, out, stride };
            last = block.add(&mut net, &last, channels);
            channels = out;
        }
    }
    classifier(&mut net, "fc", None, classes, scores);
    net.build()
}

struct Block {
    name: String,
    bottleneck: bool,
    width: usize,
    out: usize,
    stride: usize,
}

impl Block {
    fn add(&self, net: &mut NetworkBuilder, input: &str, channels: usize) -> String {
        let Self { name, bottleneck, width, out, stride } = self;
        let layer = |what: &str| format!("{name}.{what}");
        let (one, three) = (
            |out, stride| convolution(out, [1, 1], stride, [0, 0]),
            |out, stride| convolution(out, [3, 3], stride, [1, 1]),
        );
        let convolutions = if *bottleneck {
            vec![one(*width, 1), three(*width, *stride), one(*out, 1)]
        } else {
            vec![three(*width, *stride), three(*out, 1)]
        };
        let count = convolutions.len();
        let mut last = input.to_owned();
        for (i, conv) in (1..).zip(convolutions) {
            net.layer(layer(&format!("conv{i}")), &[&last], conv);
            last = net.then(layer(&format!("bn{i}")), Op::BatchNorm2d);
            if i < count {
                last = net.then(layer(&format!("relu{i}")), Op::Relu);
            }
        }
        let shortcut = if *stride == 1 && channels == *out {
            input.to_owned()
        } else {
            net.layer(layer("downsample.0"), &[input], one(*out, *stride));
            net.then(layer("downsample.1"), Op::BatchNorm2d)
        };
        net.layer(layer("add"), &[&last, &shortcut], Op::Add);
        net.then(layer("relu"), Op::Relu)
    }
}
