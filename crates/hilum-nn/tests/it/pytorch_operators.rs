//! Single operators and losses over awkward shapes against PyTorch: loss and gradients, on every instruction set. Recorded by
//! `oracles/torch_operators.py`, which makes the same weights, inputs and targets from the same numbers.

use std::collections::BTreeSet;
use std::process::Command;

use hilum_nn::{Algorithm, Isa, Loss, LossConfig, Network, Options, SgdConfig, Target, Tensor, Trainer, VolumeShape};
use serde_json::Value;

use crate::pytorch::{difference, python_with_torch};
use crate::pytorch_networks::{extents, noise, shape_of, weights};

const RECORD: &str = include_str!("../oracles/torch_operators.json");

fn record() -> Value {
    serde_json::from_str(RECORD).unwrap()
}

/// How far a gradient may lie from PyTorch's in f64, as a share of its norm: by direct kernels, and where Winograd's transforms round.
const BOUNDS: [(Algorithm, f64); 2] = [(Algorithm::Direct, 2e-6), (Algorithm::Winograd, 2e-5)];

/// The largest difference of a norm or projection, as a share of the norm. A gradient that is zero but for rounding, as that of what a normalisation takes
/// away again, counts by the largest norm.
fn worst(recorded: &Value, gradients: &[Tensor]) -> (f64, String) {
    let recorded = recorded.as_object().unwrap();
    assert_eq!(recorded.len(), gradients.len());
    let figure = |name: &str, i: usize| recorded[name][i].as_f64().unwrap();
    let largest = recorded.keys().map(|name| figure(name, 0)).fold(0.0, f64::max);
    let each = gradients.iter().map(|Tensor { name, data, .. }| {
        let wide: Vec<f64> = data.iter().map(|g| f64::from(*g)).collect();
        let norm = wide.iter().map(|g| g * g).sum::<f64>().sqrt();
        let along = |seed| wide.iter().zip(noise(wide.len(), seed)).map(|(g, n)| g * f64::from(n)).sum::<f64>();
        let got = [norm, along(1003), along(1004), along(1005)];
        let off = got.iter().enumerate().map(|(i, got)| (got - figure(name, i)).abs()).fold(0.0, f64::max);
        let norm = figure(name, 0);
        (off / if norm < 1e-9 * largest { largest } else { norm }, name.clone())
    });
    each.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

/// What the engine makes of a case, on every instruction set and by both algorithms.
fn compare(case: &Value, network: &Network, loss: &Loss, target: Target<'_>, shape: VolumeShape, x: &[f32]) -> f64 {
    let mut most = 0.0_f64;
    for (isa, (algorithm, bound)) in Isa::ALL.into_iter().filter(|i| i.available()).flat_map(|i| BOUNDS.map(|b| (i, b)))
    {
        let what = format!("{} {isa} {algorithm:?}", case["name"]);
        let options = Options { threads: 2, isa: Some(isa) };
        let (start, sgd) = (weights(network, false), SgdConfig::default());
        let mut trainer = Trainer::compile_with(network, start, shape, loss.clone(), sgd, options, algorithm).unwrap();
        let (got, gradients) = trainer.gradients(x, target).unwrap();
        let expected = case["loss"].as_f64().unwrap();
        assert!((f64::from(got) - expected).abs() < 2e-6 * (1.0 + expected), "{what}: loss {got}, PyTorch {expected}");
        let (off, parameter) = worst(&case["gradients"], &gradients);
        assert!(off < bound, "{what} {parameter}: {off} of its norm");
        most = most.max(off / bound);
    }
    most
}

fn described(case: &Value) -> (Network, VolumeShape, Vec<f32>) {
    let network = Network::from_toml(case["network"].as_str().unwrap()).unwrap();
    let extents = extents(&case["shape"]);
    (network, shape_of(extents), noise(extents.iter().product(), 1001))
}

#[test]
fn gradients_through_every_operator_are_pytorchs_on_every_instruction_set() {
    let (record, mut met) = (record(), BTreeSet::new());
    for case in record["operators"].as_array().unwrap() {
        let (network, shape, x) = described(case);
        let out = network.cost(shape).unwrap().output;
        let y = noise(shape.n * out.c * out.d * out.h * out.w, 1002);
        let y: Vec<f32> = y.into_iter().map(|v| f32::from(u8::from(v > 0.4))).collect();
        let bce = LossConfig { bce: 1.0, dice: 0.0, smooth: 1.0 };
        let most = compare(case, &network, &bce.into(), (&y).into(), shape, &x);
        println!("{}: {most:.2} of the bound", case["name"]);
        met.extend(case["network"].as_str().unwrap().lines().filter_map(|line| line.strip_prefix("op = ")));
    }
    // Every operator of a description.
    let all = [
        "adaptive_avg_pool",
        "adaptive_max_pool",
        "add",
        "avg_pool",
        "batch_norm",
        "batch_norm2d",
        "clipped_relu",
        "concat",
        "conv",
        "conv2d",
        "conv_transpose",
        "conv_transpose2d",
        "dropout",
        "flatten",
        "gelu",
        "global_avg_pool",
        "group_norm",
        "gru",
        "instance_norm",
        "leaky_relu",
        "linear",
        "lstm",
        "max_pool",
        "max_pool2d",
        "relu",
        "scale",
        "sigmoid",
        "softmax",
        "tanh",
        "upsample",
    ];
    let met: Vec<String> = met.into_iter().map(|name| name.trim_matches('"').to_owned()).collect();
    assert_eq!(met, all);
    let refused = Network::from_toml("in_channels = 1\n[[layer]]\nname = \"a\"\nop = \"\"").unwrap_err().to_string();
    assert!(all.iter().all(|name| refused.contains(&format!("`{name}`"))), "{refused}");
    assert_eq!(refused.matches('`').count() / 2, 1 + all.len(), "{refused}");
}

#[test]
fn gradients_of_every_loss_are_pytorchs_through_a_trainer_on_every_instruction_set() {
    let record = record();
    let cases = record["losses"].as_array().unwrap();
    for case in cases {
        let (network, shape, x) = described(case);
        let loss: Loss = serde_json::from_value(case["objective"].clone()).unwrap();
        let (classes, pixels) = (network.out_channels(), shape.d * shape.h * shape.w);
        let channels = if case["target"] == "labels" { 1 } else { classes };
        let drawn = noise(shape.n * channels * pixels, 1002).into_iter().map(|v| match case["target"].as_str() {
            Some("hard") => f32::from(u8::from(v > 0.4)),
            Some("soft") => 0.5 * (v + 1.0),
            _ => (f64::from(v + 1.0) / 2.0 * classes as f64).floor() as f32,
        });
        let holes = noise(shape.n * channels * pixels, 1006);
        let y: Vec<f32> =
            drawn.zip(holes).map(|(t, hole)| loss.ignore.filter(|_| hole > 0.5).map_or(t, |i| i as f32)).collect();
        let by_pixel: Vec<f32> = noise(shape.n * pixels, 1007).into_iter().map(|v| v + 1.0).collect();
        let weights = case["weighted"].as_bool().unwrap().then_some(by_pixel.as_slice());
        let most = compare(case, &network, &loss, Target { values: &y, weights }, shape, &x);
        println!("{} {}: {most:.2} of the bound", case["name"], case["shape"]);
    }
    for kind in ["bce", "cross_entropy", "focal", "dice", "tversky"] {
        assert!(cases.iter().any(|case| case["name"].as_str().unwrap().contains(kind)), "{kind}");
    }
}

#[test]
fn the_recorded_operators_are_those_of_a_live_pytorch() {
    let Some(python) = python_with_torch() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracles/torch_operators.py");
    let run = Command::new(&python).arg(script).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let (recorded, live): (Value, Value) = (record(), serde_json::from_slice(&run.stdout).unwrap());
    println!("recorded with {}, live {}", recorded["versions"], live["versions"]);
    for part in ["operators", "losses"] {
        assert_eq!(difference(part, &recorded[part], &live[part], 1e-9), None);
    }
}
