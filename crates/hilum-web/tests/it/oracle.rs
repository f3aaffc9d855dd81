//! Real data and Python; what is absent is said, and is a failure where it is required.

use std::path::{Path, PathBuf};
use std::process::Command;

fn skip(reason: &str, required_by: &str) {
    assert!(std::env::var(required_by).as_deref() != Ok("1"), "{required_by}=1, but {reason}");
    println!("SKIPPED: {reason}");
}

/// A folder of real data.
pub fn shared(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HILUM_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = root.join("data").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    skip(&format!("no real data in {folder} (HILUM_SHARED names their folder)"), "HILUM_REQUIRE_SHARED");
    None
}

/// Every file below a folder, in order of path.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// What a Python script prints, given arguments; `None` where there is no Python with pydicom and dicomweb-client.
pub async fn python(script: &'static str, arguments: Vec<String>) -> Option<String> {
    let Ok(python) = std::env::var("HILUM_ORACLE_PYTHON") else {
        skip("HILUM_ORACLE_PYTHON names no Python with pydicom and dicomweb-client", "HILUM_REQUIRE_ORACLES");
        return None;
    };
    let run = move || Command::new(python).args(["-W", "ignore", "-c", script]).args(arguments).output().unwrap();
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}
