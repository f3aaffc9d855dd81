//! Asks the Python packages of the field.

use std::io::Write;
use std::process::{Command, Stdio};

/// Runs a Python program with JSON on its standard input; `None` (with a printed reason) where no interpreter is named.
pub fn ask(program: &str, input: &serde_json::Value) -> Option<serde_json::Value> {
    let Ok(python) = std::env::var("HILUM_ORACLE_PYTHON") else {
        let reason = "HILUM_ORACLE_PYTHON names no Python with scikit-image and SciPy";
        assert!(std::env::var("HILUM_REQUIRE_ORACLES").as_deref() != Ok("1"), "{reason}");
        println!("SKIPPED: {reason}");
        return None;
    };
    let mut child = Command::new(python)
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    child.stdin.take().expect("a pipe").write_all(input.to_string().as_bytes()).expect("the program reads");
    let output = child.wait_with_output().expect("the program ends");
    assert!(output.status.success(), "the oracle failed");
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}
