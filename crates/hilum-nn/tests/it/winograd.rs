//! Winograd's F(4x4, 3x3) in training and over volumes, against the direct kernels and against the f64 reference.

use hilum_nn::{
    AdamConfig, Algorithm, Convolution, Inference, InputShape, Isa, LossConfig, Network, Op, Options, Tensor, Trainer,
    UNet2d, VolumeShape, Weights, unet2d,
};

use crate::gradients::{check, lively_weights};
use crate::reference::{self, noise, targets};
use crate::training::discs;

fn conv(out_channels: usize, bias: bool) -> Op {
    Op::Conv2d { out_channels, kernel: 3, bias }
}

/// `a` feeds two layers, so that one of their gradients is added to the other; a concatenation keeps a partial block in its middle.
fn branches(inp: usize, mid: usize, out: usize) -> Network {
    let mut net = Network::builder(inp);
    net.then("a", conv(mid, true));
    net.layer("b", &["a"], conv(out, false));
    net.layer("c", &["a"], conv(out, true));
    net.layer("cat", &["b", "c", "a"], Op::Concat);
    net.layer("d", &["cat"], conv(mid, true));
    net.then("head", Op::Conv2d { out_channels: 1, kernel: 1, bias: true });
    net.then("score", Op::Sigmoid);
    net.build().unwrap()
}

fn gradients(
    network: &Network,
    shape: impl Into<VolumeShape>,
    isa: Isa,
    threads: usize,
    algorithm: Algorithm,
) -> Vec<Tensor> {
    let shape = shape.into();
    let out = network.cost(shape).unwrap().output;
    let options = Options { threads, isa: Some(isa) };
    let (loss, adam) = (LossConfig::default(), AdamConfig::default());
    let weights = lively_weights(network, 11);
    let mut trainer = Trainer::compile_with(network, weights, shape, loss, adam, options, algorithm).unwrap();
    let pixels = shape.n * shape.d * shape.h * shape.w;
    let outputs = shape.n * out.d * out.h * out.w;
    trainer.gradients(&noise(pixels * network.in_channels(), 5), &targets(outputs, 6)).unwrap().1
}

fn isas() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.available())
}

/// Largest difference of a tensor's gradients as a part of its largest gradient.
fn worst_difference(a: &[Tensor], b: &[Tensor]) -> (f32, String) {
    let of = |(a, b): (&Tensor, &Tensor)| {
        let largest = a.data.iter().fold(1e-9_f32, |m, v| m.max(v.abs()));
        let worst = a.data.iter().zip(&b.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        (worst / largest, a.name.clone())
    };
    a.iter().zip(b).map(of).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

#[test]
fn gradients_agree_with_the_direct_path_over_odd_sizes_partial_blocks_and_batches() {
    for (i, [inp, mid, out]) in
        [[1, 16, 16], [3, 17, 20], [5, 48, 7], [18, 33, 16], [2, 70, 32]].into_iter().enumerate()
    {
        let network = branches(inp, mid, out);
        for [h, w] in [[1, 1], [3, 2], [4, 4], [5, 9], [7, 13], [18, 11]] {
            let shape = InputShape { n: 1 + i, h, w };
            for isa in isas() {
                let [direct, winograd] =
                    [Algorithm::Direct, Algorithm::Winograd].map(|a| gradients(&network, shape, isa, 2, a));
                let (worst, name) = worst_difference(&direct, &winograd);
                assert!(worst < 3e-5, "{inp} {mid} {out} {shape:?} {isa}: {name} differs by {worst}");
            }
        }
    }
}

#[test]
fn gradients_added_to_others_match_the_reference() {
    check("branches", &branches(2, 19, 16), InputShape { n: 2, h: 5, w: 7 });
}

/// 4160 tiles are summed in ranges; wide layers, and those of few tiles, share their chunks of tiles between the threads; others do neither.
#[test]
fn gradients_of_large_maps_and_wide_layers_agree_with_the_direct_path_on_any_number_of_threads() {
    let large = (branches(1, 20, 16), InputShape { n: 1, h: 253, w: 258 });
    let wide = (branches(1, 230, 17), InputShape { n: 2, h: 30, w: 19 });
    let few = (branches(1, 130, 40), InputShape { n: 1, h: 7, w: 13 });
    for (network, shape) in [large, wide, few] {
        for isa in isas() {
            let direct = gradients(&network, shape, isa, 2, Algorithm::Direct);
            let winograd = gradients(&network, shape, isa, 1, Algorithm::Winograd);
            let (worst, name) = worst_difference(&direct, &winograd);
            assert!(worst < 5e-5, "{shape:?} {isa}: {name} differs by {worst}");
            for threads in [2, 3] {
                let again = gradients(&network, shape, isa, threads, Algorithm::Winograd);
                assert!(again == winograd, "{shape:?} {isa}: other bits on {threads} threads");
            }
        }
    }
}

/// Windows that Winograd takes besides those of same padding: without padding, with more than the map needs, and of three slices.
fn squares(axes: usize, inp: usize, mid: usize, padding: usize) -> Network {
    let volume = axes == 3;
    let mut net = if volume { Network::volume_builder(inp) } else { Network::builder(inp) };
    let conv = |out, padding: usize| {
        if volume {
            Op::Conv(Convolution::new(out, &[3, 3, 3]).padding(&[1, padding, padding]).with_bias())
        } else {
            Op::Conv(Convolution::new(out, &[3, 3]).padding(&[padding, padding]).with_bias())
        }
    };
    net.then("a", conv(mid, padding));
    net.then("relu", Op::Relu);
    net.layer("b", &["relu"], conv(18, padding));
    net.layer("c", &["relu"], conv(mid, padding));
    net.layer("cat", &["b", "c"], Op::Concat);
    net.then("head", Op::Conv(Convolution::new(1, &vec![1; axes]).with_bias()));
    net.then("score", Op::Sigmoid);
    net.build().unwrap()
}

fn volume(n: usize, d: usize, h: usize, w: usize) -> VolumeShape {
    VolumeShape { n, d, h, w }
}

#[test]
fn windows_of_other_padding_and_of_three_slices_agree_with_the_direct_path_on_any_number_of_threads() {
    for (axes, inp, mid, padding, shape) in [
        (2, 3, 20, 0, volume(2, 1, 7, 5)),
        (2, 17, 33, 0, volume(1, 1, 13, 22)),
        (2, 5, 16, 2, volume(3, 1, 1, 6)),
        (3, 3, 20, 1, volume(2, 3, 5, 7)),
        (3, 18, 17, 1, volume(1, 1, 4, 4)),
        (3, 2, 40, 0, volume(2, 7, 9, 6)),
        (3, 1, 16, 1, volume(1, 34, 34, 30)),
        (3, 4, 150, 1, volume(1, 6, 8, 9)),
    ] {
        let network = squares(axes, inp, mid, padding);
        for isa in isas() {
            let direct = gradients(&network, shape, isa, 2, Algorithm::Direct);
            let winograd = gradients(&network, shape, isa, 1, Algorithm::Winograd);
            let (worst, name) = worst_difference(&direct, &winograd);
            assert!(worst < 5e-5, "{axes} axes, padding {padding}, {shape:?} {isa}: {name} differs by {worst}");
            for threads in [2, 3] {
                let again = gradients(&network, shape, isa, threads, Algorithm::Winograd);
                assert!(again == winograd, "{shape:?} {isa}: other bits on {threads} threads");
            }
            let forward = |algorithm, threads| {
                let options = Options { threads, isa: Some(isa) };
                let weights = Weights::init(&network, 11);
                let mut plan = Inference::compile_with(&network, &weights, shape, options, algorithm).unwrap();
                let out = plan.output_shape();
                let mut y = vec![0.0; shape.n * out.d * out.h * out.w];
                plan.forward(&noise(shape.n * shape.d * shape.h * shape.w * inp, 5), &mut y).unwrap();
                y
            };
            let [direct, winograd] = [Algorithm::Direct, Algorithm::Winograd].map(|a| forward(a, 2));
            let worst = direct.iter().zip(&winograd).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 2e-5, "{axes} axes, padding {padding}, {shape:?} {isa}: results differ by {worst}");
            assert!(forward(Algorithm::Winograd, 1) == winograd, "{shape:?} {isa}: other bits on one thread");
        }
    }
}

#[test]
fn gradients_of_windows_without_padding_and_of_three_slices_match_the_reference() {
    check("no padding", &squares(2, 2, 19, 0), InputShape { n: 2, h: 9, w: 7 });
    check("three slices", &squares(3, 2, 19, 1), volume(1, 5, 6, 9));
}

/// The yardstick, printed beside it, is what rounding alone does: the same steps, directly, on another instruction set.
#[test]
fn a_hundred_adam_steps_lose_the_same_by_winograd_as_directly() {
    let network = unet2d(UNet2d { in_channels: 3, out_channels: 1, base: 16, depth: 2 }).unwrap();
    let shape = InputShape { n: 2, h: 36, w: 28 };
    let losses = |isa, algorithm| {
        let options = Options { threads: 2, isa: Some(isa) };
        let (loss, adam) = (LossConfig::default(), AdamConfig::default());
        let weights = Weights::init(&network, 3);
        let mut t = Trainer::compile_with(&network, weights, shape, loss, adam, options, algorithm).unwrap();
        let step = |s| {
            let (x, y) = discs(shape, 3, s);
            t.step(&x, &y, 1e-3).unwrap()
        };
        (0..100).map(step).collect::<Vec<f32>>()
    };
    let worst = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let portable = losses(Isa::Portable, Algorithm::Direct);
    for isa in isas() {
        let (direct, winograd) = (losses(isa, Algorithm::Direct), losses(isa, Algorithm::Winograd));
        let (by_algorithm, by_rounding) = (worst(&direct, &winograd), worst(&direct, &portable));
        println!(
            "{isa}: loss {} to {}; Winograd differs by {by_algorithm}, the portable direct path by {by_rounding}",
            direct[0], direct[99]
        );
        assert!(direct[99] < 0.5 * direct[0], "{isa}: {direct:?}");
        assert!(by_algorithm < 2e-3, "{isa}: losses differ by {by_algorithm}");
    }
}

/// Slices beyond the volume count as zeros; deep volumes are cut into runs of slices, and wide layers share their chunks between the threads.
#[test]
fn kernels_of_three_slices_match_the_reference_over_odd_volumes_on_any_number_of_threads() {
    for ([inp, out], [n, d, h, w]) in [
        ([16, 16], [1, 1, 1, 1]),
        ([16, 33], [2, 2, 4, 9]),
        ([3, 20], [3, 17, 6, 5]),
        ([21, 17], [1, 9, 13, 30]),
        ([230, 130], [2, 3, 5, 4]),
    ] {
        let mut net = Network::volume_builder(inp);
        net.then("a", Op::Conv(Convolution::new(out, &[3, 3, 3]).same().with_bias()));
        net.then("relu", Op::Relu);
        let network = net.build().unwrap();
        let (shape, weights) = (VolumeShape { n, d, h, w }, lively_weights(&network, 9));
        let x = noise(n * inp * d * h * w, 10);
        let expected = &reference::run(&network, &reference::parameters(&weights), shape, &x, false)["relu"].data;
        let largest = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        for isa in isas() {
            let run = |threads| {
                let options = Options { threads, isa: Some(isa) };
                let mut plan =
                    Inference::compile_with(&network, &weights, shape, options, Algorithm::Winograd).unwrap();
                let mut y = vec![0.0; expected.len()];
                // Twice: nothing of a run before is left in the way.
                plan.forward(&x, &mut y).unwrap();
                plan.forward(&x, &mut y).unwrap();
                y
            };
            let y = run(1);
            let worst = expected.iter().zip(&y).map(|(a, b)| (a - f64::from(*b)).abs()).fold(0.0, f64::max);
            assert!(worst < 2e-5 * largest, "{inp} {out} {shape:?} {isa}: differs by {worst} of {largest}");
            for threads in [2, 3] {
                assert!(y == run(threads), "{inp} {out} {shape:?} {isa}: other bits on {threads} threads");
            }
        }
    }
}
