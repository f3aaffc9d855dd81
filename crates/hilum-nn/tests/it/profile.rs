//! Profiles: the parts of a run and the work that they stand for.

use hilum_nn::plan::{Act, Part};
use hilum_nn::{
    AdamConfig, Convolution, Inference, InputShape, LossConfig, Network, Op, Options, Trainer, UNet2d, Weights, unet2d,
};

use crate::reference::noise;

fn work(parts: &[Part], act: Act) -> u64 {
    parts.iter().filter(|part| part.act == act).map(|part| part.multiply_adds).sum()
}

fn networks() -> [Network; 2] {
    let mut net = Network::builder(3);
    net.then("wide", Op::Conv(Convolution::new(20, &[1, 7]).same()));
    net.then("norm", Op::BatchNorm2d);
    net.then("relu", Op::Relu);
    net.then("half", Op::Conv(Convolution::new(9, &[3, 3]).stride(&[2, 2]).with_bias()));
    net.then("score", Op::Sigmoid);
    [unet2d(UNet2d { in_channels: 3, out_channels: 1, base: 16, depth: 2 }).unwrap(), net.build().unwrap()]
}

#[test]
fn the_parts_of_a_profile_are_the_work_that_the_network_costs() {
    let (shape, options) = (InputShape { n: 2, h: 16, w: 16 }, Options { threads: 2, isa: None });
    for network in networks() {
        let weights = Weights::init(&network, 1);
        let cost = network.cost(shape).unwrap();
        let parts = Inference::compile(&network, &weights, shape, options).unwrap().profile(3).unwrap();
        assert_eq!(work(&parts, Act::Forward), cost.multiply_adds);
        assert!(parts.iter().all(|part| part.seconds >= 0.0 && part.seconds < 60.0), "{parts:?}");

        let outputs = shape.n * cost.output.c * cost.output.d * cost.output.h * cost.output.w;
        let (x, y) = (noise(2 * 3 * 16 * 16, 1), vec![1.0; outputs]);
        let train = |weights| {
            let (loss, adam) = (LossConfig::default(), AdamConfig::default());
            Trainer::compile(&network, weights, shape, loss, adam, options).unwrap()
        };
        let mut trainer = train(weights.clone());
        let parts = trainer.profile(&x, &y, 1e-3, 3).unwrap();
        let first = parts.iter().find(|part| part.act == Act::Weights && part.inputs == 3).unwrap();
        assert_eq!(work(&parts, Act::Forward), cost.multiply_adds);
        assert_eq!(work(&parts, Act::Weights), cost.multiply_adds);
        assert_eq!(work(&parts, Act::Data), cost.multiply_adds - first.multiply_adds, "nothing before it learns");
        assert_eq!(parts.iter().filter(|part| part.act == Act::Update).count(), 1);

        let mut other = train(weights);
        (0..3).for_each(|_| assert!(other.step(&x, &y, 1e-3).unwrap().is_finite()));
        assert!(trainer.weights() == other.weights(), "a profile takes steps as they are");
    }
}

#[test]
fn the_bytes_of_a_part_are_those_of_its_maps_and_weights() {
    let mut net = Network::builder(2);
    net.then("a", Op::Conv(Convolution::new(5, &[3, 3]).same()));
    net.then("norm", Op::BatchNorm2d);
    net.then("b", Op::Conv(Convolution::new(1, &[1, 1]).with_bias()));
    net.then("score", Op::Sigmoid);
    let network = net.build().unwrap();
    let shape = InputShape { n: 3, h: 4, w: 6 };
    let (x, y) = (noise(3 * 2 * 24, 1), vec![1.0; 3 * 24]);
    let (loss, adam, weights) = (LossConfig::default(), AdamConfig::default(), Weights::init(&network, 1));
    let mut trainer = Trainer::compile(&network, weights, shape, loss, adam, Options::default()).unwrap();
    let parts = trainer.profile(&x, &y, 1e-3, 1).unwrap();
    let floats = |layer: &str, act: Act| {
        let part = parts.iter().find(|part| part.layer == layer && part.act == act).unwrap();
        assert_eq!(part.bytes % 4, 0);
        part.bytes / 4
    };
    let map = |channels: u64| channels * 3 * 24;
    assert_eq!(floats("a", Act::Forward), map(2) + map(5) + 2 * 5 * 9);
    assert_eq!(floats("a", Act::Weights), map(2) + map(5) + 2 * 5 * 9);
    assert_eq!(floats("b", Act::Data), map(5) + map(1) + 5 + 1);
    // Forward reads its input twice; backward reads input and gradient twice and writes a gradient.
    let parameters = 4 * 5;
    assert_eq!(floats("norm", Act::Forward), 3 * map(5) + parameters);
    assert_eq!(floats("norm", Act::Data), 5 * map(5));
    // Of 90 + 10 + 6 weights: weight and two moments read and written, gradient read.
    assert_eq!(floats("", Act::Update), 7 * 106);
}

#[test]
fn a_part_names_its_layer_window_algorithm_and_shape() {
    let [_, network] = networks();
    let shape = InputShape { n: 2, h: 16, w: 16 };
    let weights = Weights::init(&network, 1);
    let parts = Inference::compile(&network, &weights, shape, Options::default()).unwrap().profile(1).unwrap();
    let found: Vec<_> = parts
        .iter()
        .filter(|part| !part.layer.is_empty())
        .map(|part| {
            let (inputs, out) = (part.inputs, part.output);
            format!("{}: {}, {inputs} -> {} at {}x{}x{}", part.layer, part.kind, out.c, part.n, out.h, out.w)
        })
        .collect();
    assert_eq!(found, ["wide: conv 1x7, window, 3 -> 20 at 2x16x16", "half: conv 3x3/2, window, 20 -> 9 at 2x7x7"]);
}
