//! The 3D U-Net (Cicek, Abdulkadir, Lienkamp, Brox and Ronneberger 2016) with same padding.

use serde::{Deserialize, Serialize};

use crate::network::{INPUT, Network, NetworkBuilder, NetworkError};
use crate::op::{Convolution, Op, Pooling};

/// Parameters of [`unet3d`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UNet3d {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output, each with a sigmoid of its own.
    pub out_channels: usize,
    /// Channels of the first level; every pooling doubles them.
    pub base: usize,
    /// Number of poolings: depth, height and width must be multiples of `2^depth`.
    pub depth: usize,
}

/// [`super::unet2d`] with all windows one axis richer: 3x3x3 convolutions, 2x2x2 max-pools and transposed convolutions. Layer names are the same.
pub fn unet3d(config: UNet3d) -> Result<Network, NetworkError> {
    let UNet3d { in_channels, out_channels, base, depth } = config;
    let channels = |level: usize| base.checked_shl(level as u32).filter(|c| c >> level == base).unwrap_or(usize::MAX);
    let mut net = Network::volume_builder(in_channels);
    let mut last = INPUT.to_owned();
    let mut skips = Vec::new();
    for level in 0..depth.min(usize::BITS as usize) {
        last = double_conv(&mut net, &format!("enc{level}"), &last, channels(level));
        skips.push(last.clone());
        last = net.then(format!("enc{level}.pool"), Op::MaxPool(Pooling::new(&[2, 2, 2], &[2, 2, 2])));
    }
    last = double_conv(&mut net, "bottom", &last, channels(depth));
    for (level, skip) in skips.iter().enumerate().rev() {
        let c = channels(level);
        let conv = Convolution::new(c, &[2, 2, 2]).stride(&[2, 2, 2]).with_bias();
        let up = net.layer(format!("up{level}"), &[&last], Op::ConvTranspose { conv, output_padding: vec![0; 3] });
        let joined = net.layer(format!("dec{level}.concat"), &[skip, &up], Op::Concat);
        last = double_conv(&mut net, &format!("dec{level}"), &joined, c);
    }
    net.layer("head", &[&last], Op::Conv(Convolution::new(out_channels, &[1, 1, 1]).with_bias()));
    net.then("score", Op::Sigmoid);
    net.build()
}

fn double_conv(net: &mut NetworkBuilder, prefix: &str, input: &str, out_channels: usize) -> String {
    let conv = || Op::Conv(Convolution::new(out_channels, &[3, 3, 3]).same());
    net.layer(format!("{prefix}.conv1"), &[input], conv());
    net.then(format!("{prefix}.bn1"), Op::BatchNorm2d);
    net.then(format!("{prefix}.relu1"), Op::Relu);
    net.then(format!("{prefix}.conv2"), conv());
    net.then(format!("{prefix}.bn2"), Op::BatchNorm2d);
    net.then(format!("{prefix}.relu2"), Op::Relu)
}
