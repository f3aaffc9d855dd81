//! The fields of operators: values that mean nothing are refused.

use super::check_channels;
use crate::network::{NetworkError, Op};
use crate::op::{Convolution, Pooling};

/// Longest side of a window, its stride, padding and dilation.
const MAX_SIDE: usize = 1 << 8;

/// Longest side of a network's fixed input.
const MAX_SIZE: usize = 1 << 16;

/// Checks the size that a network fixes for its input.
pub(super) fn check_size(size: &[usize], axes: usize) -> Result<(), NetworkError> {
    if size.len() == axes && size.iter().all(|s| (1..=MAX_SIZE).contains(s)) {
        Ok(())
    } else {
        Err(NetworkError::Size(size.to_vec()))
    }
}

/// Checks an operator's own fields against the network's number of axes and the channels of its input.
pub(super) fn check(layer: &str, op: &Op, axes: usize, channels: usize) -> Result<(), NetworkError> {
    let refuse = |what, got: &dyn ToString, expected| {
        Err(NetworkError::Setting { layer: layer.to_owned(), what, got: got.to_string(), expected })
    };
    let sides = |what: &'static str, given: &[usize], from: usize| {
        let fits = given.len() == axes && given.iter().all(|s| (from..=MAX_SIDE).contains(s));
        let expected = if from == 0 { "one number of 0 to 256 per axis" } else { "one number of 1 to 256 per axis" };
        if fits { Ok(()) } else { refuse(what, &format!("{given:?}"), expected) }
    };
    let conv = |c: &Convolution| {
        check_channels(layer, "out_channels", c.out_channels)?;
        sides("kernel", &c.kernel, 1)?;
        sides("stride", &c.stride, 1)?;
        sides("padding", &c.padding, 0)?;
        sides("dilation", &c.dilation, 1)?;
        if c.groups == 0 || !channels.is_multiple_of(c.groups) || !c.out_channels.is_multiple_of(c.groups) {
            return refuse("groups", &c.groups, "a divisor of the numbers of channels");
        }
        Ok(())
    };
    let pool = |p: &Pooling| {
        sides("kernel", &p.kernel, 1)?;
        sides("stride", &p.stride, 1)?;
        sides("padding", &p.padding, 0)?;
        if p.padding.iter().zip(&p.kernel).any(|(p, k)| 2 * p > *k) {
            return refuse("padding", &format!("{:?}", p.padding), "at most half of the window");
        }
        Ok(())
    };
    let images_only = matches!(op, Op::Conv2d { .. } | Op::ConvTranspose2d { .. } | Op::MaxPool2d);
    if images_only && axes != 2 {
        let problem = "is for images only: use the operator without 2d";
        return Err(NetworkError::Input { layer: layer.to_owned(), op: op.to_string(), problem });
    }
    match op {
        Op::Conv2d { kernel, .. } if !matches!(kernel, 1 | 3) => {
            Err(NetworkError::Kernel { layer: layer.to_owned(), got: *kernel })
        }
        Op::Conv2d { out_channels, .. } | Op::ConvTranspose2d { out_channels, .. } => {
            check_channels(layer, "out_channels", *out_channels)
        }
        Op::Conv(c) => conv(c),
        Op::ConvTranspose { conv: c, output_padding } => {
            conv(c)?;
            sides("output_padding", output_padding, 0)?;
            if output_padding.iter().zip(&c.stride).any(|(p, s)| p >= s) {
                return refuse("output_padding", &format!("{output_padding:?}"), "less than the stride");
            }
            if c.groups != 1 {
                return refuse("groups", &c.groups, "1 for a transposed convolution");
            }
            Ok(())
        }
        Op::Linear { out_features, .. } => check_channels(layer, "out_channels", *out_features),
        Op::MaxPool(p) | Op::AvgPool { pooling: p, .. } => pool(p),
        Op::GroupNorm { groups, .. } if *groups == 0 || !channels.is_multiple_of(*groups) => {
            refuse("groups", groups, "a divisor of the number of channels")
        }
        Op::ClippedRelu { max } if !(*max > 0.0 && max.is_finite()) => refuse("max", max, "a number above 0"),
        Op::LeakyRelu { slope } if !slope.is_finite() => refuse("slope", slope, "a finite number"),
        Op::Upsample { factors, .. } => sides("factors", factors, 1),
        Op::BatchNorm { eps } | Op::InstanceNorm { eps } | Op::GroupNorm { eps, .. } if !(*eps > 0.0 && *eps < 1.0) => {
            refuse("eps", eps, "a number above 0 and below 1")
        }
        Op::Dropout { rate, .. } if !(0.0..1.0).contains(rate) => refuse("rate", rate, "0 to below 1"),
        Op::Scale { factor } if !factor.is_finite() => refuse("factor", factor, "a finite number"),
        Op::AdaptiveAvgPool { size } | Op::AdaptiveMaxPool { size } => sides("size", size, 0),
        Op::Gru(r) | Op::Lstm(r) => check_channels(layer, "hidden", r.hidden.saturating_mul(r.directions())),
        Op::MaxPool2d
        | Op::GlobalAvgPool
        | Op::BatchNorm2d
        | Op::BatchNorm { .. }
        | Op::InstanceNorm { .. }
        | Op::GroupNorm { .. }
        | Op::Relu
        | Op::ClippedRelu { .. }
        | Op::LeakyRelu { .. }
        | Op::Gelu
        | Op::Tanh
        | Op::Softmax
        | Op::Sigmoid
        | Op::Dropout { .. }
        | Op::Flatten
        | Op::Concat
        | Op::Add
        | Op::Scale { .. } => Ok(()),
    }
}
