//! Independent programs to compare with; what is absent is said, and is a failure where it is required.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Runs a Python script in a folder and reads what it prints as JSON; `None` where no Python with hl7apy and fhir.resources is named.
pub fn ask(folder: &Path, script: &str) -> Option<Value> {
    let Ok(python) = std::env::var("HILUM_ORACLE_PYTHON") else {
        let reason = "HILUM_ORACLE_PYTHON names no Python with hl7apy and fhir.resources";
        assert!(std::env::var("HILUM_REQUIRE_ORACLES").as_deref() != Ok("1"), "HILUM_REQUIRE_ORACLES=1, but {reason}");
        println!("SKIPPED: {reason}");
        return None;
    };
    let output = Command::new(python).args(["-W", "ignore", "-c", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}
