//! DenseNet (Huang, Liu, van der Maaten and Weinberger 2017).

use serde::{Deserialize, Serialize};

use super::{Scores, classifier, convolution};
use crate::network::{INPUT, Network, NetworkBuilder, NetworkError};
use crate::op::{Op, Pooling};

/// Parameters of [`densenet`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenseNet {
    /// Channels of the input.
    pub in_channels: usize,
    /// Classes.
    pub classes: usize,
    /// Layers of every dense block.
    pub blocks: Vec<usize>,
    /// Channels that a layer adds.
    pub growth: usize,
    /// Channels of the stem.
    pub stem: usize,
    /// What comes out.
    pub scores: Scores,
}

impl DenseNet {
    /// DenseNet-121.
    pub fn d121(in_channels: usize, classes: usize, scores: Scores) -> Self {
        Self { in_channels, classes, blocks: vec![6, 12, 24, 16], growth: 32, stem: 64, scores }
    }

    /// DenseNet-169.
    pub fn d169(in_channels: usize, classes: usize, scores: Scores) -> Self {
        Self { blocks: vec![6, 12, 32, 32], ..Self::d121(in_channels, classes, scores) }
    }

    /// DenseNet-201.
    pub fn d201(in_channels: usize, classes: usize, scores: Scores) -> Self {
        Self { blocks: vec![6, 12, 48, 32], ..Self::d121(in_channels, classes, scores) }
    }
}

/// The DenseNet-BC with compression 1/2 and bottlenecks of 4 times the growth. Height and width of 32 and more; layer names and so parameter keys are
/// torchvision's.
pub fn densenet(config: &DenseNet) -> Result<Network, NetworkError> {
    let DenseNet { in_channels, classes, ref blocks, growth, stem, scores } = *config;
    let mut net = Network::builder(in_channels);
    net.layer("features.conv0", &[INPUT], convolution(stem, [7, 7], 2, [3, 3]));
    net.then("features.norm0", Op::BatchNorm2d);
    net.then("features.relu0", Op::Relu);
    let mut last = net.then("features.pool0", Op::MaxPool(Pooling::new(&[3, 3], &[2, 2]).padding(&[1, 1])));
    let mut channels = stem;
    for (b, &layers) in blocks.iter().enumerate() {
        let block = format!("features.denseblock{}", b + 1);
        for l in 1..=layers {
            let layer = format!("{block}.denselayer{l}");
            let new = bottleneck(&mut net, &layer, &last, growth);
            last = net.layer(format!("{layer}.concat"), &[&last, &new], Op::Concat);
        }
        channels = channels.saturating_add(layers.saturating_mul(growth));
        if b + 1 < blocks.len() {
            let transition = format!("features.transition{}", b + 1);
            channels /= 2;
            norm_relu_conv(&mut net, &transition, [".norm", ".relu", ".conv"], &last, channels, 1);
            let pooling = Pooling::new(&[2, 2], &[2, 2]);
            last = net.then(format!("{transition}.pool"), Op::AvgPool { pooling, count_padding: true });
        }
    }
    net.layer("features.norm5", &[&last], Op::BatchNorm2d);
    net.then("relu", Op::Relu);
    classifier(&mut net, "classifier", None, classes, scores);
    net.build()
}

fn bottleneck(net: &mut NetworkBuilder, layer: &str, input: &str, growth: usize) -> String {
    let wide = growth.saturating_mul(4);
    let narrow = norm_relu_conv(net, layer, [".norm1", ".relu1", ".conv1"], input, wide, 1);
    norm_relu_conv(net, layer, [".norm2", ".relu2", ".conv2"], &narrow, growth, 3)
}

fn norm_relu_conv(
    net: &mut NetworkBuilder,
    prefix: &str,
    [norm, relu, conv]: [&str; 3],
    input: &str,
    out_channels: usize,
    kernel: usize,
) -> String {
    net.layer(format!("{prefix}{norm}"), &[input], Op::BatchNorm2d);
    net.then(format!("{prefix}{relu}"), Op::Relu);
    net.then(format!("{prefix}{conv}"), Op::Conv2d { out_channels, kernel, bias: false })
}
