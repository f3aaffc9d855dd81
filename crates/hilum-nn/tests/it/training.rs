//! Training as a whole: determinism, optimiser, running statistics, and that it learns.

use hilum_nn::{
    AdamConfig, Algorithm, Inference, InputShape, Isa, LossConfig, Network, Op, Options, RunError, Tensor, Trainer,
    UNet2d, Weights, unet2d,
};

use crate::reference::{noise, targets};

/// Bright discs on noise; the target is the disc.
pub fn discs(shape: InputShape, channels: usize, seed: u64) -> (Vec<f32>, Vec<f32>) {
    let InputShape { n, h, w } = shape;
    let mut x: Vec<f32> = noise(n * channels * h * w, seed).into_iter().map(|v| 0.5 * v).collect();
    let mut y = vec![0.0; n * h * w];
    let places = noise(2 * n, seed + 1);
    for i in 0..n {
        let centre = |v: f32, size: usize| size as f32 * (0.5 + 0.25 * v);
        let (cy, cx) = (centre(places[2 * i], h), centre(places[2 * i + 1], w));
        for r in 0..h {
            for c in 0..w {
                if (r as f32 - cy).hypot(c as f32 - cx) < h as f32 / 6.0 {
                    y[(i * h + r) * w + c] = 1.0;
                    (0..channels).for_each(|k| x[((i * channels + k) * h + r) * w + c] += 0.7);
                }
            }
        }
    }
    (x, y)
}

fn trainer(network: &Network, shape: InputShape, options: Options) -> Trainer {
    let weights = Weights::init(network, 3);
    Trainer::compile(network, weights, shape, LossConfig::default(), AdamConfig::default(), options).unwrap()
}

#[test]
fn a_u_net_learns_to_find_discs() {
    let network = unet2d(UNet2d { in_channels: 3, out_channels: 1, base: 8, depth: 2 }).unwrap();
    let shape = InputShape { n: 4, h: 24, w: 32 };
    let mut t = trainer(&network, shape, Options { threads: 2, isa: None });
    let mut losses = Vec::new();
    for step in 0..60 {
        let (x, y) = discs(shape, 3, step);
        losses.push(t.step(&x, &y, 3e-3).unwrap());
    }
    let (x, y) = discs(shape, 3, 1000);
    let unseen = t.evaluate(&x, &y).unwrap();
    assert!(losses[0] > 1.0 && losses[59] < 0.5 * losses[0] && unseen < 0.5 * losses[0], "{losses:?}, unseen {unseen}");
}

#[test]
fn the_same_bits_come_out_whatever_the_thread_count() {
    let network = unet2d(UNet2d { in_channels: 2, out_channels: 1, base: 12, depth: 2 }).unwrap();
    // Large enough that every reduction is cut into several jobs.
    let shape = InputShape { n: 2, h: 100, w: 92 };
    for isa in Isa::ALL.into_iter().filter(|i| i.available()) {
        let result = |threads: usize| {
            let mut t = trainer(&network, shape, Options { threads, isa: Some(isa) });
            let losses: Vec<u32> = (0..2)
                .map(|s| {
                    let (x, y) = discs(shape, 2, s);
                    t.step(&x, &y, 1e-2).unwrap().to_bits()
                })
                .collect();
            let (x, y) = discs(shape, 2, 9);
            let evaluated = t.evaluate(&x, &y).unwrap().to_bits();
            let bits: Vec<Vec<u32>> =
                t.weights().tensors().iter().map(|t| t.data.iter().map(|v| v.to_bits()).collect()).collect();
            (losses, evaluated, bits)
        };
        let one = result(1);
        assert!(one == result(2) && one == result(3), "{isa}");
    }
}

#[test]
fn a_forward_pass_gives_the_same_bits_whatever_the_thread_count() {
    let network = unet2d(UNet2d { in_channels: 3, out_channels: 2, base: 20, depth: 2 }).unwrap();
    let shape = InputShape { n: 2, h: 68, w: 52 };
    let x = noise(2 * 3 * 68 * 52, 4);
    for isa in Isa::ALL.into_iter().filter(|i| i.available()) {
        for algorithm in [Algorithm::Auto, Algorithm::Direct, Algorithm::Winograd] {
            let result = |threads: usize| {
                let options = Options { threads, isa: Some(isa) };
                let weights = Weights::init(&network, 8);
                let mut plan = Inference::compile_with(&network, &weights, shape, options, algorithm).unwrap();
                let mut y = vec![0.0; 2 * 2 * 68 * 52];
                plan.forward(&x, &mut y).unwrap();
                y.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            let one = result(1);
            assert!(one == result(2) && one == result(3), "{isa} {algorithm:?}");
        }
    }
}

#[test]
fn instruction_sets_agree_after_training_steps() {
    let network = unet2d(UNet2d { in_channels: 3, out_channels: 1, base: 16, depth: 2 }).unwrap();
    let shape = InputShape { n: 2, h: 32, w: 24 };
    let losses: Vec<(Isa, Vec<f32>)> = Isa::ALL
        .into_iter()
        .filter(|i| i.available())
        .map(|isa| {
            let mut t = trainer(&network, shape, Options { threads: 2, isa: Some(isa) });
            let step = |s| {
                let (x, y) = discs(shape, 3, s);
                t.step(&x, &y, 1e-3).unwrap()
            };
            (isa, (0..10).map(step).collect())
        })
        .collect();
    for (isa, l) in &losses {
        let worst = l.iter().zip(&losses[0].1).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-3, "{isa} differs from {} by {worst}", losses[0].0);
    }
}

/// The update of `torch.optim.Adam` and of `torch.nn.BatchNorm2d`, written again from their documentation in f64.
#[test]
fn adam_and_running_statistics_follow_pytorchs_formulas() {
    let mut net = Network::builder(1);
    net.then("a", Op::Conv2d { out_channels: 3, kernel: 3, bias: false });
    net.then("bn", Op::BatchNorm2d);
    net.then("head", Op::Conv2d { out_channels: 1, kernel: 1, bias: true });
    net.then("score", Op::Sigmoid);
    let network = net.build().unwrap();
    let shape = InputShape { n: 2, h: 5, w: 4 };
    let adam = AdamConfig { weight_decay: 0.01, ..AdamConfig::default() };
    let weights = Weights::init(&network, 1);
    let options = Options::default();
    let mut t = Trainer::compile(&network, weights.clone(), shape, LossConfig::default(), adam, options).unwrap();
    let mut expected: Vec<Vec<f64>> =
        weights.tensors().iter().map(|t| t.data.iter().map(|v| f64::from(*v)).collect()).collect();
    let mut m: Vec<Vec<f64>> = expected.iter().map(|e| vec![0.0; e.len()]).collect();
    let mut v = m.clone();
    for step in 1..=5 {
        let (x, y) = (noise(40, step), targets(40, step + 50));
        let lr = 0.01 * step as f64;
        let now = t.weights();
        let conv = crate::reference::run(&network, &crate::reference::parameters(&now), shape, &x, true)["a"].clone();
        for c in 0..3 {
            let values: Vec<f64> =
                (0..2).flat_map(|n| conv.data[(n * 3 + c) * 20..(n * 3 + c + 1) * 20].to_vec()).collect();
            let mean = values.iter().sum::<f64>() / 40.0;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 39.0;
            expected[3][c] = 0.9 * expected[3][c] + 0.1 * mean;
            expected[4][c] = 0.9 * expected[4][c] + 0.1 * variance;
        }
        let (_, gradients) = t.gradients(&x, &y).unwrap();
        for Tensor { name, data: gradient, .. } in gradients {
            let i = now.tensors().iter().position(|t| t.name == name).unwrap();
            for (k, g) in gradient.into_iter().enumerate() {
                let g = f64::from(g) + 0.01 * expected[i][k];
                m[i][k] = 0.9 * m[i][k] + 0.1 * g;
                v[i][k] = 0.999 * v[i][k] + 0.001 * g * g;
                let (mh, vh) =
                    (m[i][k] / (1.0 - 0.9_f64.powi(step as i32)), v[i][k] / (1.0 - 0.999_f64.powi(step as i32)));
                expected[i][k] -= lr * mh / (vh.sqrt() + 1e-8);
            }
        }
        t.step(&x, &y, lr as f32).unwrap();
    }
    for (tensor, expected) in t.weights().tensors().iter().zip(&expected) {
        for (a, b) in tensor.data.iter().zip(expected) {
            assert!((f64::from(*a) - b).abs() < 2e-5, "{}: {a}, expected {b}", tensor.name);
        }
    }
}

#[test]
fn a_nan_in_the_input_is_refused_and_leaves_the_weights_alone() {
    let network = unet2d(UNet2d { in_channels: 1, out_channels: 1, base: 4, depth: 1 }).unwrap();
    let shape = InputShape { n: 1, h: 4, w: 4 };
    let mut t = trainer(&network, shape, Options::default());
    let mut x = noise(16, 1);
    x[3] = f32::NAN;
    let before = t.weights();
    let expected = RunError::Value { what: "input", index: 3, value: "NaN".into() };
    assert_eq!(t.step(&x, &[0.0; 16], 1e-3), Err(expected));
    assert!(t.weights() == before);
    let refused = t.step(&x[1..], &[0.0; 16], 1e-3);
    assert_eq!(refused, Err(RunError::Length { what: "input", got: 15, expected: 16 }));
}
