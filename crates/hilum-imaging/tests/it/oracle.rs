//! A live Python oracle.

use std::path::Path;
use std::process::Command;

/// The interpreter named by HILUM_ORACLE_PYTHON; without one the test is skipped (or fails under HILUM_REQUIRE_ORACLES=1).
pub(crate) fn python() -> Option<String> {
    let python = std::env::var("HILUM_ORACLE_PYTHON").ok();
    if python.is_none() {
        assert!(
            std::env::var("HILUM_REQUIRE_ORACLES").is_err(),
            "HILUM_REQUIRE_ORACLES is set but HILUM_ORACLE_PYTHON names no Python with numpy, scipy and scikit-image"
        );
        println!("SKIPPED: HILUM_ORACLE_PYTHON names no Python with numpy, scipy and scikit-image");
    }
    python
}

/// Runs `script` in `folder` and parses what it prints as JSON.
pub(crate) fn ask(python: &str, folder: &Path, script: &str) -> serde_json::Value {
    let output = Command::new(python).arg("-c").arg(script).current_dir(folder).output().expect("the oracle starts");
    assert!(output.status.success(), "oracle: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the oracle prints JSON")
}
