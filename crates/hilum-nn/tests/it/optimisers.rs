//! Optimisers and clipping against PyTorch, and trainings that are taken up again.

use hilum_nn::{
    AdamConfig, Clipping, CompileError, InputShape, LossConfig, Network, Op, Optimiser, OptimiserState, Options,
    RunError, SgdConfig, StateError, Tensor, Trainer, Update, Weights,
};
use serde_json::Value;

use crate::pytorch::{floats, numbers, record};
use crate::reference::{noise, targets};

/// The network of the record: 3x3 convolution, BatchNorm, ReLU, 1x1 convolution.
fn small(channels: usize) -> Network {
    let mut net = Network::builder(channels);
    net.then("a", Op::Conv2d { out_channels: 3, kernel: 3, bias: false });
    net.then("bn", Op::BatchNorm2d);
    net.then("relu", Op::Relu);
    net.then("head", Op::Conv2d { out_channels: 1, kernel: 1, bias: true });
    net.then("score", Op::Sigmoid);
    net.build().unwrap()
}

fn usizes(list: &Value) -> Vec<usize> {
    list.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

const BCE: LossConfig = LossConfig { bce: 1.0, dice: 0.0, smooth: 1.0 };

#[test]
fn weights_and_losses_follow_pytorchs_for_every_optimiser_and_clipping() {
    let record = record();
    let [n, channels, h, w] = usizes(&record["shape"])[..] else { panic!("a shape has four extents") };
    let network = small(channels);
    let tensor = |(name, t): (&String, &Value)| Tensor {
        name: name.clone(),
        shape: usizes(&t["shape"]),
        data: floats(&t["data"]),
    };
    let start = record["start"].as_object().unwrap().iter().map(tensor).collect();
    let start = Weights::new(&network, start).unwrap();
    let cases = record["optimisers"].as_array().unwrap();
    assert_eq!(cases.len(), 11);
    for case in cases {
        let what = format!("{} {} {}", case["rule"], case["config"], case["clipping"]);
        let mut text = case["config"].clone();
        text["rule"] = case["rule"].clone();
        let optimiser: Optimiser = serde_json::from_value(text).unwrap();
        let clipping: Clipping = serde_json::from_value(case["clipping"].clone()).unwrap();
        let (update, shape) = (Update { optimiser, clipping }, InputShape { n, h, w });
        let mut t = Trainer::compile(&network, start.clone(), shape, BCE, update, Options::default()).unwrap();
        let batches = record["batches"].as_array().unwrap();
        for (batch, expected) in batches.iter().zip(numbers(&case["losses"])) {
            let rate = batch["rate"].as_f64().unwrap() as f32;
            let loss = f64::from(t.step(&floats(&batch["x"]), &floats(&batch["y"]), rate).unwrap());
            assert!((loss - expected).abs() < 1e-5, "{what}: loss {loss}, PyTorch {expected}");
        }
        for got in t.weights().tensors() {
            for (a, b) in got.data.iter().zip(numbers(&case["weights"][&got.name])) {
                assert!((f64::from(*a) - b).abs() < 2e-5, "{what} {}: {a}, PyTorch {b}", got.name);
            }
        }
    }
}

fn batch(step: u64) -> (Vec<f32>, Vec<f32>) {
    (noise(2 * 2 * 48, step + 1), targets(2 * 48, step + 100))
}

const SHAPE: InputShape = InputShape { n: 2, h: 6, w: 8 };

fn bits(weights: &Weights) -> Vec<Vec<u32>> {
    weights.tensors().iter().map(|t| t.data.iter().map(|v| v.to_bits()).collect()).collect()
}

#[test]
fn a_training_taken_up_again_gives_the_bits_of_an_unbroken_one() {
    let network = small(2);
    let rules = ["adam", "adamw", "sgd"];
    let nesterov = "rule = \"sgd\"\nmomentum = 0.9\nnesterov = true".to_owned();
    for text in rules.map(|r| format!("rule = \"{r}\"")).into_iter().chain([nesterov]) {
        let optimiser: Optimiser = toml::from_str(&text).unwrap();
        let trainer = |weights: Weights| {
            Trainer::compile(&network, weights, SHAPE, LossConfig::default(), optimiser, Options::default()).unwrap()
        };
        let run = |t: &mut Trainer, steps: std::ops::Range<u64>| {
            for s in steps {
                let (x, y) = batch(s);
                t.step(&x, &y, 0.01).unwrap();
            }
        };
        let mut unbroken = trainer(Weights::init(&network, 4));
        run(&mut unbroken, 0..7);
        let mut first = trainer(Weights::init(&network, 4));
        run(&mut first, 0..4);
        let (x, y) = batch(50);
        first.evaluate(&x, &y).unwrap();
        let saved = first.optimiser_state().to_safetensors().unwrap();
        let weights = Weights::from_safetensors(&network, &first.weights().to_safetensors().unwrap()).unwrap();
        let state = OptimiserState::from_safetensors(&saved).unwrap();
        assert_eq!((state.steps(), &state), (4, &first.optimiser_state()), "{text}");
        let mut second = trainer(weights);
        second.restore(&state).unwrap();
        run(&mut second, 4..7);
        assert!(bits(&second.weights()) == bits(&unbroken.weights()), "{text}");
        assert_eq!(second.evaluate(&x, &y), unbroken.evaluate(&x, &y), "{text}");
        let again = second.optimiser_state().to_safetensors().unwrap();
        assert!(again == unbroken.optimiser_state().to_safetensors().unwrap(), "{text}: the file has the same bytes");
    }
}

#[test]
fn a_state_of_another_training_is_refused_by_name_and_changes_nothing() {
    let network = small(2);
    let compile = |network: &Network, update: Update| {
        Trainer::compile(network, Weights::init(network, 1), SHAPE, BCE, update, Options::default()).unwrap()
    };
    let mut adam = compile(&network, AdamConfig::default().into());
    let (x, y) = batch(1);
    adam.step(&x, &y, 0.01).unwrap();
    let before = adam.optimiser_state();
    let sgd = compile(&network, SgdConfig { momentum: 0.9, ..SgdConfig::default() }.into());
    let foreign = StateError::Rule { got: "sgd".into(), expected: "adam" };
    assert_eq!(adam.restore(&sgd.optimiser_state()), Err(foreign));
    let mut plain = compile(&network, SgdConfig::default().into());
    let more = plain.restore(&sgd.optimiser_state());
    assert_eq!(more, Err(StateError::Unexpected("a.weight.momentum_buffer".into())));
    let less =
        compile(&network, SgdConfig { momentum: 0.5, ..SgdConfig::default() }.into()).restore(&plain.optimiser_state());
    assert_eq!(less, Err(StateError::Missing("a.weight.momentum_buffer".into())));
    let other = compile_three_channels();
    let expected =
        StateError::Shape { key: "a.weight.exp_avg".into(), got: vec![3, 3, 3, 3], expected: vec![3, 2, 3, 3] };
    assert_eq!(adam.restore(&other), Err(expected));
    assert_eq!(adam.optimiser_state(), before);
    let bytes = before.to_safetensors().unwrap();
    for cut in [0, 9, bytes.len() - 1] {
        assert!(matches!(OptimiserState::from_safetensors(&bytes[..cut]), Err(StateError::Format(_))), "{cut} bytes");
    }
    let weights = adam.weights().to_safetensors().unwrap();
    assert!(matches!(OptimiserState::from_safetensors(&weights), Err(StateError::Format(_))));
}

fn compile_three_channels() -> OptimiserState {
    let network = small(3);
    let weights = Weights::init(&network, 1);
    let t = Trainer::compile(&network, weights, SHAPE, BCE, AdamConfig::default(), Options::default()).unwrap();
    t.optimiser_state()
}

#[test]
fn constants_that_make_no_sense_are_refused_by_field() {
    let network = small(2);
    for (text, field) in [
        ("optimiser = { rule = \"adam\", beta1 = 1.0 }", "beta1"),
        ("optimiser = { rule = \"adamw\", eps = -1.0 }", "eps"),
        ("optimiser = { rule = \"adam\", weight_decay = nan }", "weight_decay"),
        ("optimiser = { rule = \"sgd\", nesterov = true }", "momentum"),
        ("optimiser = { rule = \"sgd\", nesterov = true, momentum = 0.9, dampening = 0.1 }", "dampening"),
        ("optimiser = { rule = \"sgd\" }\nclipping = { norm = 0.0 }", "clipping.norm"),
    ] {
        let update: Update = toml::from_str(text).unwrap();
        let weights = Weights::init(&network, 1);
        let refused = Trainer::compile(&network, weights, SHAPE, BCE, update, Options::default()).err();
        assert!(matches!(refused, Some(CompileError::Optimiser(ref e)) if e.field == field), "{text}: {refused:?}");
    }
    let unknown = toml::from_str::<Update>("optimiser = { rule = \"sgd\", beta1 = 0.9 }").unwrap_err().to_string();
    assert!(unknown.contains("beta1"), "{unknown}");
}

#[test]
fn gradients_whose_norm_is_infinite_are_refused_and_leave_the_weights_alone() {
    let mut net = Network::builder(1);
    net.then("a", Op::Conv2d { out_channels: 1, kernel: 1, bias: false });
    net.then("head", Op::Conv2d { out_channels: 1, kernel: 1, bias: false });
    net.then("score", Op::Sigmoid);
    let network = net.build().unwrap();
    let tensor = |name: &str, value| Tensor { name: name.into(), shape: vec![1, 1, 1, 1], data: vec![value] };
    // The logits are 1e20, the gradient of the first weight is 1e50.
    let weights = Weights::new(&network, vec![tensor("a.weight", 1e-30), tensor("head.weight", 1e25)]).unwrap();
    let (shape, x) = (InputShape { n: 1, h: 2, w: 2 }, [1e25; 4]);
    let step = |clipping: Clipping| {
        let update = Update { optimiser: SgdConfig::default().into(), clipping };
        let mut t = Trainer::compile(&network, weights.clone(), shape, BCE, update, Options::default()).unwrap();
        (t.step(&x, &[0.0; 4], 1e-35), t.weights())
    };
    let (refused, after) = step(Clipping { norm: Some(1.0), value: None });
    // 1e50 has become infinity, and the clipping's factor of 0 has made NaN of it.
    let expected = RunError::Gradient { key: "a.weight".into(), value: "NaN".into() };
    assert!(refused == Err(expected) && after == weights, "{refused:?}");
    let (loss, after) = step(Clipping { norm: Some(1.0), value: Some(1.0) });
    assert!(loss.is_ok() && after != weights, "clipped by value first, the norm is finite: {loss:?}");
}
