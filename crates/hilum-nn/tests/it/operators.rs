//! Activations, normalisation within images, enlargement and dropout: gradients and results against the f64 reference and ONNX Runtime.

use hilum_nn::{
    AdamConfig, Convolution, Inference, InputShape, LossConfig, Network, Op, Options, Tensor, Trainer, VolumeShape,
    Weights,
};

use crate::gradients::{check, lively_weights};
use crate::oracle::agree;
use crate::reference::noise;
use crate::windows::between;

fn operators() -> Vec<(&'static str, Op)> {
    vec![
        ("clipped relu", Op::ClippedRelu { max: 0.4 }),
        ("leaky relu", Op::LeakyRelu { slope: 0.1 }),
        ("gelu", Op::Gelu),
        ("tanh", Op::Tanh),
        ("softmax", Op::Softmax),
        ("nearest", Op::Upsample { factors: vec![2, 3], linear: false }),
        ("bilinear", Op::Upsample { factors: vec![3, 2], linear: true }),
        ("bilinear by 2", Op::Upsample { factors: vec![2, 2], linear: true }),
        ("instance norm", Op::InstanceNorm { eps: 1e-3 }),
        ("group norm", Op::GroupNorm { groups: 3, eps: 1e-5 }),
        ("layer norm", Op::GroupNorm { groups: 1, eps: 1e-5 }),
    ]
}

#[test]
fn operators_match_the_reference() {
    for (what, op) in operators() {
        for (n, h, w) in [(1, 5, 7), (3, 2, 2)] {
            between(what, op.clone(), [2, 21], InputShape { n, h, w });
        }
    }
}

#[test]
fn operators_over_volumes_and_several_readers_match_the_reference() {
    let mut net = Network::volume_builder(2);
    net.then("a", Op::Conv(Convolution::new(18, &[1, 3, 1]).same().with_bias()));
    net.layer("norm", &["a"], Op::InstanceNorm { eps: 1e-5 });
    net.layer("leaky", &["norm"], Op::LeakyRelu { slope: 0.01 });
    net.layer("group", &["a"], Op::GroupNorm { groups: 2, eps: 1e-5 });
    net.layer("gelu", &["a"], Op::Gelu);
    net.layer("soft", &["a"], Op::Softmax);
    net.layer("sum", &["leaky", "group", "gelu", "soft", "a"], Op::Add);
    net.then("up", Op::Upsample { factors: vec![2, 1, 2], linear: true });
    net.then("again", Op::Upsample { factors: vec![1, 2, 1], linear: false });
    net.then("head", Op::Conv(Convolution::new(1, &[1, 1, 1])));
    net.then("score", Op::Sigmoid);
    let network = net.build().unwrap();
    check("volume", &network, VolumeShape { n: 2, d: 3, h: 2, w: 3 });
    let shapes = [(1, 2, 5, 3), (2, 4, 3, 2)].map(|(n, d, h, w)| VolumeShape { n, d, h, w });
    agree("volume", &network, &lively_weights(&network, 5), &shapes);
}

#[test]
fn onnx_runtime_agrees_on_operators() {
    for (what, op) in operators() {
        let mut net = Network::builder(3);
        net.then("a", Op::Conv2d { out_channels: 21, kernel: 1, bias: true });
        net.then("op", op);
        net.then("head", Op::Conv2d { out_channels: 2, kernel: 1, bias: true });
        let network = net.build().unwrap();
        let shapes = [(1, 3, 5), (7, 4, 1), (2, 1, 9)].map(|(n, h, w)| InputShape { n, h, w });
        agree(what, &network, &lively_weights(&network, 8), &shapes);
    }
}

/// Values of large mean: a sum of squares without an origin would lose the variance.
#[test]
fn normalisation_within_images_keeps_its_digits_far_from_zero() {
    let mut net = Network::builder(1);
    net.then("norm", Op::InstanceNorm { eps: 1e-5 });
    let network = net.build().unwrap();
    let shape = InputShape { n: 1, h: 40, w: 50 };
    let x: Vec<f32> = noise(2000, 1).iter().map(|v| 1000.0 + v).collect();
    let mut plan = Inference::compile(&network, &Weights::init(&network, 1), shape, Options::default()).unwrap();
    let mut y = vec![0.0; 2000];
    plan.forward(&x, &mut y).unwrap();
    let power = y.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / 2000.0;
    assert!((power - 1.0).abs() < 1e-3, "variance {power}");
}

/// One 1x1 convolution of weight 1 after the dropout: its weight's gradient shows what was kept, its input's gradient must show the same.
#[test]
fn dropout_keeps_the_right_share_scaled_and_the_same_values_backward_for_one_step() {
    let rate = 0.3;
    let mut net = Network::builder(1);
    net.then("shift", Op::Conv2d { out_channels: 1, kernel: 1, bias: true });
    net.then("drop", Op::Dropout { rate, seed: 7 });
    net.then("head", Op::Conv2d { out_channels: 1, kernel: 1, bias: false });
    net.then("score", Op::Sigmoid);
    let network = net.build().unwrap();
    let shape = InputShape { n: 2, h: 60, w: 50 };
    let weights = |shift: f32| {
        let values = [1.0, shift, 1.0];
        let tensors = Weights::init(&network, 1)
            .tensors()
            .iter()
            .zip(values)
            .map(|(t, v)| Tensor { data: vec![v], ..t.clone() })
            .collect();
        Weights::new(&network, tensors).unwrap()
    };
    let loss = LossConfig { bce: 1.0, dice: 0.0, smooth: 1.0 };
    let compile = |shift| {
        Trainer::compile(&network, weights(shift), shape, loss, AdamConfig::default(), Options::default()).unwrap()
    };
    let (x, y) = (vec![0.0; 6000], vec![1.0; 6000]);
    // Kept values are shift / (1 - rate); with targets of 1 the loss of one is ln(1 + exp(-value)), of a zeroed one ln 2.
    let share = |loss: f32, shift: f64| {
        let (kept, zeroed) = ((1.0 + (-shift / 0.7).exp()).ln(), 2.0_f64.ln());
        (f64::from(loss) - zeroed) / (kept - zeroed)
    };
    let mut trainer = compile(2.0);
    let (first, gradients) = trainer.gradients(&x, &y).unwrap();
    let kept = share(first, 2.0);
    assert!((kept - 0.7).abs() < 0.02, "{kept} kept");
    // d loss / d shift sums over the kept values alone: -sigmoid(-value) / (1 - rate) each.
    let each = -1.0 / (1.0 + (2.0_f64 / 0.7).exp()) / 0.7;
    assert!((f64::from(gradients[1].data[0]) - kept * each).abs() < 1e-5);
    assert_eq!(trainer.gradients(&x, &y).unwrap().0, first, "gradients change nothing");
    assert_eq!(compile(2.0).gradients(&x, &y).unwrap().0, first, "the same seed and step zero the same values");
    trainer.step(&x, &y, 0.0).unwrap();
    assert_ne!(trainer.gradients(&x, &y).unwrap().0, first, "the next step zeroes others");
    let evaluated = f64::from(trainer.evaluate(&x, &y).unwrap());
    assert!((evaluated - (1.0 + (-2.0_f64).exp()).ln()).abs() < 1e-5, "no dropout in evaluation: {evaluated}");
}
