//! Running other programs, and where things lie.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The repository's root: of the checkout that cargo was called in, which another one with the same target folder may not have built this for.
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().expect("xtask lies in the repository").to_path_buf()
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The folder with real test data beside the repository, if there.
pub fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("HILUM_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    folder.join("data").is_dir().then(|| folder.canonicalize().unwrap_or(folder))
}

/// The built `hilum` program of a profile.
pub fn hilum(profile: &str) -> PathBuf {
    target().join(profile).join("hilum")
}

/// Builds the release binary with the user interface in it and returns its path.
pub fn build_release() -> anyhow::Result<PathBuf> {
    crate::ui::build()?;
    step("release build");
    status(cargo().args(["build", "--release", "--locked", "--package", "hilum"]))?;
    Ok(hilum("release"))
}

/// The cargo that runs us, without what it told us of our own package: build scripts that look at such variables (ring's)
/// would run anew, and all behind them be compiled anew, whenever cargo is called now by us and now from a shell.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Says which step begins.
pub fn step(name: &str) {
    println!("\n== {name}");
}

/// Runs a command in the repository's root and fails when it fails.
pub fn status(command: &mut Command) -> anyhow::Result<()> {
    command.current_dir(command.get_current_dir().map_or_else(root, Path::to_path_buf));
    let shown = format!("{command:?}");
    let status = command.status().with_context(|| format!("could not start {shown}"))?;
    if !status.success() {
        bail!("{shown} ended with {status}");
    }
    Ok(())
}

/// Runs a command and gives what it printed, or an error with its complaint.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| format!("could not start {shown}"))?;
    if !output.status.success() {
        bail!("{shown} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program can be started.
pub fn exists(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}
