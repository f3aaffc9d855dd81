//! The 2D U-Net (Ronneberger, Fischer and Brox 2015) with BatchNorm and same padding.

use serde::{Deserialize, Serialize};

use crate::network::{INPUT, Network, NetworkBuilder, NetworkError, Op};

/// Parameters of [`unet2d`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UNet2d {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output, each with a sigmoid of its own.
    pub out_channels: usize,
    /// Channels of the first level; every pooling doubles them.
    pub base: usize,
    /// Number of poolings: height and width must be multiples of `2^depth`.
    pub depth: usize,
}

/// The U-Net: `depth` levels down (two times 3x3 convolution, BatchNorm, ReLU; then 2x2 max-pool), a bottom level, and `depth` levels up
/// (2x2 transposed convolution, concatenation with the skip, two times 3x3 convolution, BatchNorm, ReLU); a 1x1 convolution and a sigmoid.
///
/// Layer names: `enc{level}.conv{1,2}`, `.bn{1,2}`, `bottom.*`, `up{level}`, `dec{level}.*`, `head`, `score`.
pub fn unet2d(config: UNet2d) -> Result<Network, NetworkError> {
    let UNet2d { in_channels, out_channels, base, depth } = config;
    let channels = |level: usize| base.checked_shl(level as u32).filter(|c| c >> level == base).unwrap_or(usize::MAX);
    let mut net = Network::builder(in_channels);
    let mut last = INPUT.to_owned();
    let mut skips = Vec::new();
    for level in 0..depth.min(usize::BITS as usize) {
        last = double_conv(&mut net, &format!("enc{level}"), &last, channels(level));
        skips.push(last.clone());
        last = net.then(format!("enc{level}.pool"), Op::MaxPool2d);
    }
    last = double_conv(&mut net, "bottom", &last, channels(depth));
    for (level, skip) in skips.iter().enumerate().rev() {
        let c = channels(level);
        let up = net.layer(format!("up{level}"), &[&last], Op::ConvTranspose2d { out_channels: c, bias: true });
        let joined = net.layer(format!("dec{level}.concat"), &[skip, &up], Op::Concat);
        last = double_conv(&mut net, &format!("dec{level}"), &joined, c);
    }
    net.layer("head", &[&last], Op::Conv2d { out_channels, kernel: 1, bias: true });
    net.then("score", Op::Sigmoid);
    net.build()
}

fn double_conv(net: &mut NetworkBuilder, prefix: &str, input: &str, out_channels: usize) -> String {
    net.layer(format!("{prefix}.conv1"), &[input], Op::Conv2d { out_channels, kernel: 3, bias: false });
    net.then(format!("{prefix}.bn1"), Op::BatchNorm2d);
    net.then(format!("{prefix}.relu1"), Op::Relu);
    net.then(format!("{prefix}.conv2"), Op::Conv2d { out_channels, kernel: 3, bias: false });
    net.then(format!("{prefix}.bn2"), Op::BatchNorm2d);
    net.then(format!("{prefix}.relu2"), Op::Relu)
}
