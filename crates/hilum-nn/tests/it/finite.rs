//! NaN and infinity: refused with the place where they arose, and nothing is changed.

use hilum_nn::{
    AdamConfig, Inference, InputShape, Isa, Loss, LossConfig, Network, Op, Options, Pooling, RunError, SgdConfig,
    Target, Tensor, Trainer, UNet2d, Weights, unet2d,
};

use crate::reference::{noise, targets};

const SHAPE: InputShape = InputShape { n: 2, h: 4, w: 8 };

fn trainer(network: &Network, weights: &Weights) -> Trainer {
    let (loss, adam) = (LossConfig::default(), AdamConfig::default());
    Trainer::compile(network, weights.clone(), SHAPE, loss, adam, Options::default()).unwrap()
}

/// What inference, a step, its gradients and an evaluation say; the trainer's weights stay as they were.
fn refusals(network: &Network, weights: &Weights, x: &[f32], y: &[f32]) -> [RunError; 4] {
    let mut plan = Inference::compile(network, weights, SHAPE, Options::default()).unwrap();
    let mut t = trainer(network, weights);
    let refused = [
        plan.forward(x, &mut vec![0.0; y.len()]).unwrap_err(),
        t.step(x, y, 1e-3).unwrap_err(),
        t.gradients(x, y).unwrap_err(),
        t.evaluate(x, y).unwrap_err(),
    ];
    assert!(t.weights() == *weights && t.optimiser_state().steps() == 0);
    refused
}

#[test]
fn an_input_that_is_not_finite_is_refused_by_position() {
    let network = unet2d(UNet2d { in_channels: 2, out_channels: 1, base: 4, depth: 1 }).unwrap();
    let weights = Weights::init(&network, 3);
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        // First, in the middle of an image, last.
        for index in [0, 77, 127] {
            let mut x = noise(128, 1);
            x[index] = value;
            let expected = RunError::Value { what: "input", index, value: value.to_string() };
            assert_eq!(refusals(&network, &weights, &x, &targets(64, 2)), [(); 4].map(|()| expected.clone()));
        }
    }
    let x = [f32::MAX; 128];
    let mut plan = Inference::compile(&network, &weights, SHAPE, Options::default()).unwrap();
    let overflow = plan.forward(&x, &mut [0.0; 64]);
    assert!(matches!(&overflow, Err(RunError::Activation { layer, .. }) if layer == "enc0.conv1"), "{overflow:?}");
    assert!(plan.forward(&noise(128, 1), &mut [0.0; 64]).is_ok(), "a plan that has refused goes on");
}

/// A convolution of 1x1 in two branches and a head, every weight 1 but that of one layer.
fn branches(guilty: &str) -> (Network, Weights) {
    let one = |out_channels| Op::Conv2d { out_channels, kernel: 1, bias: false };
    let mut net = Network::builder(1);
    net.then("first", one(3));
    net.then("relu", Op::Relu);
    net.layer("left", &["relu"], one(3));
    net.layer("right", &["relu"], one(3));
    net.then("norm", Op::InstanceNorm { eps: 0.1 });
    net.layer("joined", &["left", "norm", "first"], Op::Concat);
    net.then("scaled", Op::Scale { factor: 1e30 });
    net.layer("sum", &["scaled", "joined"], Op::Add);
    net.then("head", one(1));
    net.then("score", Op::Sigmoid);
    let network = net.build().unwrap();
    let graph = network.graph();
    let tensors = graph.parameters().iter().map(|p| {
        let value = if p.name == format!("{guilty}.weight") { 1e30 } else { 1.0 };
        Tensor { name: p.name.clone(), shape: p.shape.clone(), data: vec![value; p.shape.iter().product()] }
    });
    let weights = Weights::new(&network, tensors.collect()).unwrap();
    (network, weights)
}

#[test]
fn the_first_layer_whose_result_is_not_finite_is_named() {
    // 1e20 in, times three where channels are summed, 1e30 where a weight or the scale says so.
    for (guilty, layer) in [("first", "first"), ("left", "left"), ("right", "right"), ("head", "sum")] {
        let (network, weights) = branches(guilty);
        let expected = RunError::Activation { layer: layer.into(), value: "inf".into() };
        let refused = refusals(&network, &weights, &[1e20; 64], &[0.0; 64]);
        assert_eq!(refused, [(); 4].map(|()| expected.clone()), "{guilty}");
    }
}

#[test]
fn a_target_that_is_not_finite_is_refused_by_position() {
    let (network, weights) = branches("none");
    let mut t = trainer(&network, &weights);
    let (x, mut y) = ([1e-30; 64], [0.0; 64]);
    y[9] = f32::NAN;
    let expected = RunError::Value { what: "target", index: 9, value: "NaN".into() };
    assert_eq!((t.step(&x, &y, 1.0), t.evaluate(&x, &y)), (Err(expected.clone()), Err(expected)));
    assert!(t.weights() == weights);
}

#[test]
fn a_loss_that_overflows_is_refused() {
    let (network, weights) = branches("none");
    let bce: Loss = toml::from_str("[[term]]\nkind = \"bce\"").unwrap();
    let options = Options::default();
    let mut t = Trainer::compile(&network, weights.clone(), SHAPE, bce, AdamConfig::default(), options).unwrap();
    let (values, pixels) = ([0.0; 64], [3e38; 64]);
    let step = t.step(&[1e-28; 64], Target { values: &values, weights: Some(&pixels) }, 1.0);
    assert_eq!(step, Err(RunError::NotFinite("inf".into())));
    assert!(t.weights() == weights);
}

#[test]
fn the_last_parameter_whose_gradient_is_not_finite_is_named() {
    let one = || Op::Conv2d { out_channels: 1, kernel: 1, bias: false };
    let mut net = Network::builder(1);
    for name in ["a", "b", "head"] {
        net.then(name, one());
    }
    net.then("score", Op::Sigmoid);
    let network = net.build().unwrap();
    let tensor = |name: &str, value| Tensor { name: name.into(), shape: vec![1, 1, 1, 1], data: vec![value] };
    // The logits are 1e30, the gradients of head, b and a are 1, 1e50 and 1e40.
    let tensors = vec![tensor("a.weight", 1e-10), tensor("b.weight", 1e-20), tensor("head.weight", 1e30)];
    let weights = Weights::new(&network, tensors).unwrap();
    let sgd = SgdConfig::default();
    let options = Options::default();
    let mut t = Trainer::compile(&network, weights.clone(), SHAPE, LossConfig::default(), sgd, options).unwrap();
    let (x, y) = ([1e30; 64], [0.0; 64]);
    let expected = RunError::Gradient { key: "b.weight".into(), value: "inf".into() };
    assert_eq!(t.step(&x, &y, 1e-35), Err(expected.clone()));
    assert_eq!(t.gradients(&x, &y), Err(expected));
    assert!(t.weights() == weights);
}

/// Infinity less infinity, where the input is large, at one pixel.
#[test]
fn a_maximum_hands_a_nan_on_wherever_it_lies_in_the_window() {
    for pool in [
        Op::MaxPool2d,
        Op::MaxPool(Pooling::new(&[3, 3], &[2, 2]).padding(&[1, 1])),
        Op::AdaptiveMaxPool { size: vec![2, 2] },
    ] {
        let mut net = Network::builder(2);
        net.then("large", Op::Conv2d { out_channels: 2, kernel: 1, bias: false });
        net.then("sum", Op::Conv2d { out_channels: 1, kernel: 1, bias: false });
        net.then("pool", pool.clone());
        let network = net.build().unwrap();
        let tensor = |name: &str, shape: &[usize], data: &[f32]| Tensor {
            name: name.into(),
            shape: shape.to_vec(),
            data: data.to_vec(),
        };
        let large = tensor("large.weight", &[2, 2, 1, 1], &[1e30, 0.0, 0.0, -1e30]);
        let sum = tensor("sum.weight", &[1, 2, 1, 1], &[1.0, 1.0]);
        let weights = Weights::new(&network, vec![large, sum]).unwrap();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
            for pixel in 0..32 {
                let options = Options { threads: 1, isa: Some(isa) };
                let mut plan = Inference::compile(&network, &weights, SHAPE, options).unwrap();
                let mut x = [0.0; 128];
                // Both channels of the second image.
                [x[64 + pixel], x[96 + pixel]] = [1e20; 2];
                let out = plan.output_shape();
                let refused = plan.forward(&x, &mut vec![0.0; 2 * out.h * out.w]);
                let expected = RunError::Activation { layer: "large".into(), value: "inf".into() };
                assert_eq!(refused, Err(expected), "{pool}, {isa}, pixel {pixel}");
            }
        }
    }
}
