//! What PyTorch computed, recorded by `oracles/torch_training.py` and `oracles/torch_layers.py`; the same scripts run live where the Python of
//! HILUM_ORACLE_PYTHON has torch.

use std::process::Command;

use hilum_nn::{
    AdamConfig, CnnGru, Isa, LossConfig, Network, Options, Scores, Tensor, Trainer, VolumeShape, Weights, cnn_gru,
};
use serde_json::Value;

const RECORD: &str = include_str!("../oracles/torch_training.json");
const LAYERS: &str = include_str!("../oracles/torch_layers.json");

/// The record as JSON.
pub fn record() -> Value {
    serde_json::from_str(RECORD).unwrap()
}

/// The numbers of a JSON list.
pub fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// As [`numbers`], as the values that the engine takes.
pub fn floats(list: &Value) -> Vec<f32> {
    numbers(list).into_iter().map(|v| v as f32).collect()
}

/// Where two JSON values of one structure differ in a number by more than this share of it, or of 1.
pub fn difference(path: &str, a: &Value, b: &Value, share: f64) -> Option<String> {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            let (x, y) = (x.as_f64()?, y.as_f64()?);
            ((x - y).abs() > share * (1.0 + x.abs())).then(|| format!("{path}: {x} recorded, {y} live"))
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            x.iter().zip(y).enumerate().find_map(|(i, (x, y))| difference(&format!("{path}[{i}]"), x, y, share))
        }
        (Value::Object(x), Value::Object(y)) if x.len() == y.len() => {
            x.iter().find_map(|(k, x)| difference(&format!("{path}.{k}"), x, y.get(k).unwrap_or(&Value::Null), share))
        }
        _ => (a != b).then(|| format!("{path}: {a} recorded, {b} live")),
    }
}

/// Python with torch, or `None` with the reason printed.
pub fn python_with_torch() -> Option<std::ffi::OsString> {
    let has_torch = |p: &std::ffi::OsString| Command::new(p).args(["-c", "import torch"]).output();
    let python = std::env::var_os("HILUM_ORACLE_PYTHON");
    let found = python.filter(|p| has_torch(p).is_ok_and(|o| o.status.success()));
    if found.is_none() {
        println!("SKIPPED: HILUM_ORACLE_PYTHON names no Python with torch");
    }
    found
}

#[test]
fn the_recorded_figures_are_those_of_a_live_pytorch() {
    let Some(python) = python_with_torch() else { return };
    for (script, record) in [("torch_training.py", RECORD), ("torch_layers.py", LAYERS)] {
        let path = format!("{}/tests/oracles/{script}", env!("CARGO_MANIFEST_DIR"));
        let run = Command::new(&python).arg(path).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let mut live: Value = serde_json::from_slice(&run.stdout).unwrap();
        let mut recorded: Value = serde_json::from_str(record).unwrap();
        println!("{script} recorded with {}, live {}", recorded["versions"], live["versions"]);
        recorded["versions"] = Value::Null;
        live["versions"] = Value::Null;
        // The last bits of f64 may differ.
        assert_eq!(difference(script, &recorded, &live, 1e-9), None);
    }
}

fn described(config: &Value) -> CnnGru {
    let number = |key: &str| config[key].as_u64().unwrap() as usize;
    CnnGru {
        in_channels: number("in_channels"),
        channels: config["channels"].as_array().unwrap().iter().map(|c| c.as_u64().unwrap() as usize).collect(),
        hidden: number("hidden"),
        bidirectional: config["bidirectional"].as_bool().unwrap(),
        classes: number("classes"),
        scores: Scores::Sigmoid,
    }
}

#[test]
fn a_cnn_gru_has_as_many_parameters_as_the_module_in_pytorch() {
    let record: Value = serde_json::from_str(LAYERS).unwrap();
    for case in record["cnn_gru"].as_array().unwrap() {
        let network = cnn_gru(&described(&case["config"])).unwrap();
        assert_eq!(network.parameter_count() as u64, case["count"].as_u64().unwrap(), "{}", case["config"]);
    }
}

#[test]
fn losses_and_gradients_through_recurrent_layers_and_adaptive_pools_are_pytorchs() {
    let record: Value = serde_json::from_str(LAYERS).unwrap();
    for case in record["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let network = match &case["network"] {
            Value::String(text) => Network::from_toml(text).unwrap(),
            config => cnn_gru(&described(config)).unwrap(),
        };
        let start = Weights::init(&network, 1);
        let tensor = |t: &Tensor| match &case["weights"][&t.name] {
            // Running statistics, which training does not read.
            Value::Null => t.clone(),
            values => Tensor { data: floats(values), ..t.clone() },
        };
        let weights = Weights::new(&network, start.tensors().iter().map(tensor).collect()).unwrap();
        let shape: Vec<usize> = numbers(&case["shape"]).into_iter().map(|v| v as usize).collect();
        let shape = match shape[..] {
            [n, _, h, w] => VolumeShape { n, d: 1, h, w },
            [n, _, d, h, w] => VolumeShape { n, d, h, w },
            _ => panic!("{name}: {shape:?}"),
        };
        for isa in Isa::ALL.into_iter().filter(|i| i.available()) {
            let (loss, adam) = (LossConfig { bce: 1.0, dice: 0.0, smooth: 1.0 }, AdamConfig::default());
            let options = Options { threads: 2, isa: Some(isa) };
            let mut trainer = Trainer::compile(&network, weights.clone(), shape, loss, adam, options).unwrap();
            let (got, gradients) = trainer.gradients(&floats(&case["x"]), &floats(&case["y"])).unwrap();
            let expected = case["loss"].as_f64().unwrap();
            assert!((f64::from(got) - expected).abs() < 1e-5, "{name} {isa}: loss {got}, PyTorch's {expected}");
            assert_eq!(gradients.len(), case["gradients"].as_object().unwrap().len(), "{name}");
            for t in gradients {
                let expected = numbers(&case["gradients"][&t.name]);
                assert_eq!(t.data.len(), expected.len(), "{name} {}", t.name);
                for (got, expected) in t.data.iter().zip(expected) {
                    let near = (f64::from(*got) - expected).abs() < 5e-6 + 1e-4 * expected.abs();
                    assert!(near, "{name} {isa} {}: {got}, PyTorch's {expected}", t.name);
                }
            }
        }
    }
}
