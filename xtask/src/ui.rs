//! Building and checking the user interface.

use std::process::Command;

use crate::{requirements, run};

fn npm(arguments: &[&str]) -> anyhow::Result<()> {
    run::status(Command::new("npm").current_dir(run::root().join("ui")).args(arguments))
}

/// Fetches the libraries named in package-lock.json, when they are not the ones already there.
fn libraries() -> anyhow::Result<()> {
    let ui = run::root().join("ui");
    let wanted = std::fs::read(ui.join("package-lock.json"))?;
    let stamp = ui.join("node_modules/.hilum-lock");
    if std::fs::read(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    run::step("user interface: libraries");
    npm(&["ci", "--no-audit", "--no-fund"])?;
    std::fs::write(stamp, wanted)?;
    Ok(())
}

/// Builds `ui/dist`.
pub fn build() -> anyhow::Result<()> {
    requirements::ensure(&[requirements::BUILD], false)?;
    requirements::node_is_recent()?;
    libraries()?;
    run::step("user interface: build");
    npm(&["run", "build"])
}

/// Type check and unit tests.
pub fn test() -> anyhow::Result<()> {
    libraries()?;
    run::step("user interface: tests");
    npm(&["test"])
}
