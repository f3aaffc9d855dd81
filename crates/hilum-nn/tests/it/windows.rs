//! Convolutions and pools of any window, sums, matrices: gradients and results against the f64 reference.

use hilum_nn::{Convolution, InputShape, Network, Op, Pooling};

use crate::gradients::check;

fn image(n: usize, h: usize, w: usize) -> InputShape {
    InputShape { n, h, w }
}

/// The operator between two convolutions, so that gradients go through it and on.
pub fn between(what: &str, op: Op, channels: [usize; 2], shape: InputShape) {
    let mut net = Network::builder(channels[0]);
    net.then("before", Op::Conv2d { out_channels: channels[1], kernel: 1, bias: true });
    net.then("op", op);
    net.then("head", Op::Conv2d { out_channels: 1, kernel: 1, bias: true });
    net.then("score", Op::Sigmoid);
    check(what, &net.build().unwrap(), shape);
}

#[test]
fn convolutions_of_any_window_match_the_reference() {
    let conv = |out, kernel: [usize; 2]| Convolution::new(out, &kernel);
    for (what, c, inp, shape) in [
        ("stem 7x7 stride 2", conv(20, [7, 7]).stride(&[2, 2]).padding(&[3, 3]), 3, image(2, 13, 18)),
        ("one row of seven", conv(17, [1, 7]).same(), 16, image(1, 4, 17)),
        ("one column of seven", conv(33, [7, 1]).same().with_bias(), 5, image(2, 9, 3)),
        ("stride 2 without padding", conv(32, [3, 3]).stride(&[2, 2]), 18, image(1, 9, 8)),
        ("1x1 with stride", conv(9, [1, 1]).stride(&[2, 3]), 16, image(2, 5, 8)),
        ("stride beyond the kernel", conv(4, [2, 2]).stride(&[3, 5]), 3, image(1, 11, 12)),
        ("dilation", conv(18, [3, 3]).dilation(&[2, 3]).padding(&[2, 3]).with_bias(), 7, image(1, 8, 9)),
        ("even kernel", conv(5, [4, 2]).padding(&[1, 1]), 3, image(1, 7, 7)),
        ("more padding than kernel", conv(3, [3, 3]).padding(&[4, 5]), 2, image(1, 2, 3)),
        ("one pixel", conv(6, [5, 5]).padding(&[2, 2]), 4, image(7, 1, 1)),
        ("groups across blocks", conv(24, [3, 3]).groups(3).same(), 30, image(1, 5, 6)),
        ("depthwise", conv(20, [3, 3]).groups(20).same().stride(&[2, 1]), 20, image(2, 6, 5)),
        ("depthwise with multiplier", conv(40, [3, 2]).groups(20), 20, image(1, 5, 5)),
    ] {
        between(what, Op::Conv(c), [2, inp], shape);
    }
}

#[test]
fn every_width_of_a_strided_map_uses_a_right_set_of_tiles() {
    for w in 1..=33 {
        let c = Convolution::new(32, &[1, 3]).stride(&[1, 1 + w % 3]).padding(&[0, 1]);
        between(&format!("width {w}"), Op::Conv(c), [1, 2], image(1, 2, w));
    }
}

#[test]
fn transposed_convolutions_of_any_window_match_the_reference() {
    let conv = |out, kernel: [usize; 2]| Convolution::new(out, &kernel);
    for (what, conv, output_padding, inp) in [
        ("4x4 stride 2", conv(17, [4, 4]).stride(&[2, 2]).padding(&[1, 1]), [0, 0], 5),
        ("3x3 stride 2 with output padding", conv(6, [3, 3]).stride(&[2, 2]).padding(&[1, 1]).with_bias(), [1, 1], 18),
        ("stride 3 over 2", conv(3, [2, 2]).stride(&[3, 3]), [0, 2], 4),
        ("dilated", conv(2, [3, 2]).dilation(&[2, 1]), [0, 0], 3),
    ] {
        let output_padding = output_padding.to_vec();
        between(what, Op::ConvTranspose { conv, output_padding }, [2, inp], image(2, 3, 5));
    }
}

#[test]
fn pools_of_any_window_match_the_reference() {
    let pool = |kernel: [usize; 2], stride: [usize; 2]| Pooling::new(&kernel, &stride);
    for (what, op, shape) in [
        ("3x3 stride 2 padded", Op::MaxPool(pool([3, 3], [2, 2]).padding(&[1, 1])), image(2, 7, 8)),
        ("3x3 stride 2", Op::MaxPool(pool([3, 3], [2, 2])), image(1, 8, 9)),
        ("2x3 apart", Op::MaxPool(pool([2, 3], [3, 4])), image(1, 8, 9)),
        ("ceil", Op::MaxPool(Pooling { ceil: true, ..pool([2, 2], [2, 2]) }), image(1, 5, 7)),
        ("ceil over less than a window", Op::MaxPool(Pooling { ceil: true, ..pool([2, 3], [2, 2]) }), image(2, 1, 2)),
        ("mean 2x2", Op::AvgPool { pooling: pool([2, 2], [2, 2]), count_padding: true }, image(2, 5, 6)),
        (
            "mean 3x3 of the inside",
            Op::AvgPool { pooling: pool([3, 3], [1, 1]).padding(&[1, 1]), count_padding: false },
            image(1, 4, 5),
        ),
        (
            "mean 3x3 with the padding",
            Op::AvgPool {
                pooling: Pooling { ceil: true, ..pool([3, 3], [2, 2]).padding(&[1, 1]) },
                count_padding: true,
            },
            image(1, 6, 5),
        ),
        ("global mean", Op::GlobalAvgPool, image(3, 5, 4)),
    ] {
        between(what, op, [2, 19], shape);
    }
}

#[test]
fn sums_of_scaled_values_and_of_differently_blocked_ones_match_the_reference() {
    let mut net = Network::builder(2);
    let conv = |out_channels| Op::Conv2d { out_channels, kernel: 1, bias: true };
    net.then("a", conv(21));
    net.layer("b", &["input"], conv(5));
    net.layer("c", &["input"], conv(16));
    net.layer("cat", &["b", "c"], Op::Concat);
    net.layer("half", &["a"], Op::Scale { factor: 0.5 });
    net.layer("first", &["cat", "half", "a"], Op::Add);
    net.then("bn", Op::BatchNorm { eps: 1e-3 });
    net.then("relu", Op::Relu);
    net.layer("third", &["first"], Op::Scale { factor: -0.3 });
    net.layer("again", &["relu", "third", "third", "cat"], Op::Add);
    net.then("out", Op::Scale { factor: 2.0 });
    net.then("head", conv(1));
    net.then("score", Op::Sigmoid);
    check("sums", &net.build().unwrap(), image(2, 3, 4));
}

#[test]
fn a_classifier_ends_in_a_matrix() {
    let mut net = Network::builder(3);
    net.then("stem", Op::Conv(Convolution::new(18, &[3, 3]).stride(&[2, 2])));
    net.then("bn", Op::BatchNorm2d);
    net.then("relu", Op::Relu);
    net.then("pool", Op::GlobalAvgPool);
    net.then("flat", Op::Flatten);
    net.then("hidden", Op::Linear { out_features: 20, bias: true });
    net.then("relu2", Op::Relu);
    net.then("drop", Op::Dropout { rate: 0.0, seed: 1 });
    net.then("fc", Op::Linear { out_features: 4, bias: true });
    net.then("score", Op::Sigmoid);
    check("classifier", &net.build().unwrap(), image(5, 7, 9));
}
