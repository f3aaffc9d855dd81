//! Recurrent layers: gradients and results against the f64 reference and ONNX Runtime, the way through ONNX, determinism, and that they learn.

use hilum_nn::{
    AdamConfig, CnnGru, CompileError, Convolution, Inference, InputShape, Isa, LossConfig, Network, Op, Options,
    Recurrence, Scores, Trainer, VolumeShape, Weights, cnn_gru, onnx, onnx_in,
};

use crate::gradients::{check, lively_weights};
use crate::oracle::agree;
use crate::reference::noise;

const CELLS: [fn(Recurrence) -> Op; 2] = [Op::Gru, Op::Lstm];

/// Every combination of direction and result.
fn forms(hidden: usize) -> [Recurrence; 4] {
    let one = Recurrence::new(hidden);
    [one, one.last(), one.bidirectional(), one.bidirectional().last()]
}

/// A recurrent layer over the slices of a volume, between two convolutions of one position.
fn over_slices(features: usize, op: Op) -> Network {
    let mut net = Network::volume_builder(2);
    net.then("before", Op::Conv(Convolution::new(features, &[1, 2, 2]).with_bias()));
    net.then("pool", Op::AdaptiveAvgPool { size: vec![0, 1, 1] });
    net.then("rnn", op);
    net.then("head", Op::Conv(Convolution::new(2, &[1, 1, 1]).with_bias()));
    net.then("score", Op::Sigmoid);
    net.build().unwrap()
}

#[test]
fn recurrent_layers_match_the_reference() {
    for (i, [features, hidden, n, d]) in
        [[1, 1, 1, 1], [3, 5, 2, 4], [16, 16, 7, 3], [19, 33, 4, 2], [33, 18, 5, 7], [2, 3, 1, 30]]
            .into_iter()
            .enumerate()
    {
        for (k, cell) in CELLS.into_iter().enumerate() {
            let recurrence = forms(hidden)[(i + 2 * k) % 4];
            let what = format!("{} {features} {recurrence:?}", cell(recurrence));
            check(&what, &over_slices(features, cell(recurrence)), VolumeShape { n, d, h: 3, w: 2 });
        }
    }
}

#[test]
fn every_form_of_a_recurrent_layer_matches_the_reference() {
    for cell in CELLS {
        for recurrence in forms(6) {
            let what = format!("{} {recurrence:?}", cell(recurrence));
            check(&what, &over_slices(5, cell(recurrence)), VolumeShape { n: 2, d: 3, h: 2, w: 2 });
        }
    }
}

#[test]
fn stacked_layers_over_the_rows_of_an_image_that_others_read_too_match_the_reference() {
    let mut net = Network::builder(3);
    net.then("a", Op::Conv2d { out_channels: 7, kernel: 3, bias: true });
    net.layer("first", &["a"], Op::Gru(Recurrence::new(9).bidirectional()));
    net.layer("second", &["first"], Op::Lstm(Recurrence::new(18)));
    net.layer("beside", &["a"], Op::Lstm(Recurrence::new(4)));
    // The directions of a layer lie in blocks of their own: the sum regroups them.
    net.layer("sum", &["second", "first"], Op::Add);
    net.layer("cat", &["sum", "a", "beside"], Op::Concat);
    net.then("head", Op::Conv2d { out_channels: 1, kernel: 1, bias: true });
    net.then("score", Op::Sigmoid);
    check("rows", &net.build().unwrap(), InputShape { n: 3, h: 5, w: 1 });
}

#[test]
fn onnx_runtime_agrees_on_recurrent_layers_of_odd_shapes() {
    let draws = noise(64, 9);
    for seed in 0..8 {
        let draw = |i: usize, most: usize| 1 + ((draws[8 * seed + i] * 0.5 + 0.5) * most as f32) as usize;
        for cell in CELLS {
            let recurrence = forms(draw(0, 40))[seed % 4];
            let network = over_slices(draw(1, 35), cell(recurrence));
            let shapes = [(1, 1), (draw(2, 6), draw(3, 9)), (7, draw(4, 5))];
            let shapes = shapes.map(|(n, d)| VolumeShape { n, d, h: 2, w: draw(5, 2) + 1 });
            let what = format!("{} {recurrence:?}", cell(recurrence));
            agree(&what, &network, &lively_weights(&network, seed as u64), &shapes);
        }
    }
}

#[test]
fn recurrent_layers_come_back_from_onnx_as_they_were() {
    for cell in CELLS {
        for recurrence in forms(5) {
            let mut net = Network::builder(2);
            net.then("a", Op::Conv2d { out_channels: 4, kernel: 1, bias: true });
            net.then("rows", Op::AdaptiveMaxPool { size: vec![0, 1] });
            net.then("rnn", cell(recurrence));
            net.then("b", Op::Conv2d { out_channels: 1, kernel: 1, bias: true });
            let volumes = over_slices(3, cell(recurrence));
            for network in [net.build().unwrap(), volumes] {
                let weights = lively_weights(&network, 3);
                let (again, read) = onnx_in::decode(&onnx::encode(&network, &weights).unwrap()).unwrap();
                assert!(read == weights, "{recurrence:?}");
                for (was, is) in network.layers().iter().zip(again.layers()) {
                    let short = matches!(is.op, Op::Conv2d { .. });
                    assert!(was.name == is.name && (short || was.op == is.op), "{was:?} came back as {is:?}");
                }
            }
        }
    }
}

#[test]
fn maps_that_are_no_sequence_are_refused_by_layer() {
    let gru = Op::Gru(Recurrence::new(2));
    let mut net = Network::volume_builder(1);
    net.then("gru", gru.clone());
    let network = net.build().unwrap();
    let weights = Weights::init(&network, 1);
    let compile =
        |d, h, w| Inference::compile(&network, &weights, VolumeShape { n: 1, d, h, w }, Options::default()).err();
    assert_eq!(compile(3, 1, 1), None);
    assert_eq!(compile(3, 1, 2), Some(CompileError::Sequence { layer: "gru".into(), size: [3, 1, 2] }));
    let mut net = Network::builder(1);
    net.then("pool", Op::AdaptiveAvgPool { size: vec![4, 2] });
    net.then("gru", gru);
    let error = net.build().unwrap_err().to_string();
    assert_eq!(error, "layer gru (gru) reads a map with more than one position beside the sequence: pool it to one");
    let long = VolumeShape { n: 1 << 16, d: 1 << 16, h: 1, w: 1 };
    let large = Inference::compile(&network, &weights, long, Options::default()).err();
    assert!(matches!(large, Some(CompileError::TooLarge { .. })), "{large:?}");
}

fn small(scores: Scores) -> CnnGru {
    CnnGru { in_channels: 1, channels: vec![5, 6], hidden: 7, bidirectional: true, classes: 2, scores }
}

#[test]
fn a_small_cnn_gru_matches_the_reference_and_onnx_runtime() {
    check("cnn-gru", &cnn_gru(&small(Scores::Sigmoid)).unwrap(), VolumeShape { n: 2, d: 3, h: 7, w: 6 });
    let network = cnn_gru(&small(Scores::Logits)).unwrap();
    let shapes = [(1, 1, 1, 1), (3, 5, 9, 6), (2, 12, 5, 16)].map(|(n, d, h, w)| VolumeShape { n, d, h, w });
    agree("cnn-gru", &network, &lively_weights(&network, 4), &shapes);
}

#[test]
fn a_cnn_gru_is_described_in_toml() {
    let network = cnn_gru(&small(Scores::Sigmoid)).unwrap();
    let text = network.to_toml().unwrap();
    assert!(text.contains("op = \"gru\"\nhidden = 7\nbidirectional = true\nlast = true"), "{text}");
    assert_eq!(Network::from_toml(&text).unwrap(), network);
    let config: CnnGru = toml::from_str(
        "in_channels = 1\nchannels = [5, 6]\nhidden = 7\nbidirectional = true\nclasses = 2\nscores = \"sigmoid\"",
    )
    .unwrap();
    assert_eq!(config, small(Scores::Sigmoid));
}

fn trained(network: &Network, options: Options, steps: u64) -> (Weights, Vec<f32>) {
    let shape = VolumeShape { n: 6, d: 5, h: 6, w: 7 };
    let (loss, adam) = (LossConfig { bce: 1.0, dice: 0.0, smooth: 1.0 }, AdamConfig::default());
    let mut trainer = Trainer::compile(network, Weights::init(network, 1), shape, loss, adam, options).unwrap();
    let x = noise(6 * 5 * 42, 3);
    let y: Vec<f32> = (0..12).map(|i| f32::from(u8::from(i % 5 < 2))).collect();
    let losses = (0..steps).map(|_| trainer.step(&x, &y, 1e-2).unwrap()).collect();
    (trainer.weights(), losses)
}

fn cnn_lstm() -> Network {
    let mut layers = cnn_gru(&small(Scores::Sigmoid)).unwrap().layers().to_vec();
    let mut net = Network::volume_builder(1);
    for layer in &mut layers {
        if let Op::Gru(recurrence) = layer.op {
            layer.op = Op::Lstm(recurrence);
        }
        net.layer(layer.name.clone(), &layer.inputs.iter().map(String::as_str).collect::<Vec<_>>(), layer.op.clone());
    }
    net.build().unwrap()
}

#[test]
fn recurrent_layers_give_the_same_bits_whatever_the_thread_count() {
    for network in [cnn_gru(&small(Scores::Sigmoid)).unwrap(), cnn_lstm()] {
        for isa in Isa::ALL.into_iter().filter(|i| i.available()) {
            let result = |threads: usize| trained(&network, Options { threads, isa: Some(isa) }, 3);
            let one = result(1);
            assert!(one == result(2) && one == result(3), "{isa}");
        }
    }
}

#[test]
fn instruction_sets_agree_on_recurrent_layers_after_training_steps() {
    for network in [cnn_gru(&small(Scores::Sigmoid)).unwrap(), cnn_lstm()] {
        let losses = |isa| trained(&network, Options { threads: 2, isa: Some(isa) }, 10).1;
        let portable = losses(Isa::Portable);
        for isa in Isa::ALL.into_iter().filter(|i| i.available()) {
            let worst = losses(isa).iter().zip(&portable).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-3, "{isa} differs from portable by {worst}");
        }
    }
}

/// Whether the third last slice is brighter than the first: no slice alone says so.
#[test]
fn recurrent_layers_learn_what_only_the_order_of_slices_says() {
    let network = cnn_gru(&CnnGru { classes: 1, ..small(Scores::Sigmoid) }).unwrap();
    let shape = VolumeShape { n: 16, d: 6, h: 4, w: 4 };
    let (loss, adam) = (LossConfig { bce: 1.0, dice: 0.0, smooth: 1.0 }, AdamConfig::default());
    let weights = Weights::init(&network, 2);
    let mut trainer = Trainer::compile(&network, weights, shape, loss, adam, Options::default()).unwrap();
    let batch = |seed: u64| {
        let brightness = noise(16 * 6, seed);
        let y: Vec<f32> = (0..16).map(|i| f32::from(u8::from(brightness[6 * i + 3] > brightness[6 * i]))).collect();
        (brightness.iter().flat_map(|v| [*v; 16]).collect::<Vec<f32>>(), y)
    };
    for step in 0..250 {
        let (x, y) = batch(step);
        trainer.step(&x, &y, 1e-2).unwrap();
    }
    let (x, y) = batch(10_000);
    let unseen = trainer.evaluate(&x, &y).unwrap();
    assert!(unseen < 0.35, "loss of unseen studies {unseen}, of guessing 0.69");
}
