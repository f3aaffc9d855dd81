//! Building and checking the user interface.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

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

/// Builds `ui/dist`. A file that comes out as it was is not touched: the binary that embeds it need not be compiled again.
pub fn build() -> anyhow::Result<()> {
    requirements::ensure(&[requirements::BUILD], false)?;
    requirements::node_is_recent()?;
    libraries()?;
    run::step("user interface: build");
    let fresh = run::target().join("ui-dist");
    let out = fresh.to_str().context("the target folder's name is not UTF-8")?;
    npm(&["run", "build", "--", "--outDir", out, "--emptyOutDir"])?;
    let dist = run::root().join("ui/dist");
    let before = files(&dist)?;
    let after = files(&fresh)?;
    for name in before.difference(&after) {
        std::fs::remove_file(dist.join(name))?;
    }
    for name in &after {
        let (bytes, place) = (std::fs::read(fresh.join(name))?, dist.join(name));
        if std::fs::read(&place).is_ok_and(|have| have == bytes) {
            continue;
        }
        place.parent().map(std::fs::create_dir_all).transpose()?;
        std::fs::write(place, bytes)?;
    }
    Ok(())
}

/// The files below a folder, by their names in it; none where there is no such folder.
fn files(folder: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let entries = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    let names = entries.filter(|entry| entry.file_type().is_file()).map(|entry| {
        let name = entry.path().strip_prefix(folder)?;
        anyhow::Ok(name.to_owned())
    });
    names.collect()
}

/// Type check and unit tests.
pub fn test() -> anyhow::Result<()> {
    libraries()?;
    run::step("user interface: tests");
    npm(&["test"])
}
