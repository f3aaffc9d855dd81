//! What PyTorch computed, recorded by `oracles/torch_training.py`; the same script run live where the Python of HILUM_ORACLE_PYTHON has torch.

use std::process::Command;

use serde_json::Value;

const RECORD: &str = include_str!("../oracles/torch_training.json");

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
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracles/torch_training.py");
    let run = Command::new(python).arg(script).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut live: Value = serde_json::from_slice(&run.stdout).unwrap();
    let mut recorded = record();
    println!("recorded with {}, live {}", recorded["versions"], live["versions"]);
    recorded["versions"] = Value::Null;
    live["versions"] = Value::Null;
    // The last bits of f64 may differ.
    assert_eq!(difference("record", &recorded, &live, 1e-9), None);
}
