//! The independent oracles of the tests: a Python environment of its own, never part of the product.

use std::path::PathBuf;
use std::process::Command;

use crate::run;

/// Packages and versions the tests compare with.
const PACKAGES: &str = include_str!("../oracles.txt");

/// The environment's folder, outside the checkout's sources.
fn folder() -> PathBuf {
    run::target().join("oracles")
}

/// The oracles' Python, installed first when `install` says so; `None` when it is not there.
pub fn python(install: bool) -> anyhow::Result<Option<PathBuf>> {
    let python = folder().join("bin/python");
    let stamp = folder().join("packages.txt");
    let current = std::fs::read_to_string(&stamp).is_ok_and(|have| have == PACKAGES);
    if current && python.is_file() {
        return Ok(Some(python));
    }
    if !install {
        return Ok(None);
    }
    run::step("installing the oracles (pydicom, SciPy, ONNX Runtime ...) into a virtual environment");
    run::status(Command::new("python3").args(["-m", "venv"]).arg(folder()))?;
    let list = folder().join("requirements.txt");
    std::fs::write(&list, PACKAGES)?;
    run::status(
        Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&list),
    )?;
    std::fs::write(stamp, PACKAGES)?;
    Ok(Some(python))
}
