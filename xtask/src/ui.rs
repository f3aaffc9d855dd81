//! Building and checking the user interface.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::{requirements, run};

fn npm(arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(run::root().join("ui")).args(arguments);
    command
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
    run::status(&mut npm(&["ci", "--no-audit", "--no-fund"]))?;
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
    run::status(&mut npm(&["run", "build", "--", "--outDir", out, "--emptyOutDir"]))?;
    let weight = weight_of_the_list(&fresh)?;
    println!("the worklist's page loads {} kB of scripts and styles (gzip)", weight / 1000);
    anyhow::ensure!(
        weight <= HEAVIEST,
        "the worklist's page loads {weight} bytes of scripts and styles (gzip), more than {HEAVIEST}: let a page of its own \
         bring what the list does not need (lazy in ui/src/app/routes.tsx)"
    );
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

/// Scripts, styles and texts that the page of the worklist loads before it shows a row, bytes in gzip.
const HEAVIEST: u64 = 300_000;

/// What the first page names in its head: its script with all that this imports, and its styles; and one language's texts, of which the
/// longest counts. Fonts come by their own and when needed.
fn weight_of_the_list(dist: &Path) -> anyhow::Result<u64> {
    let page = std::fs::read_to_string(dist.join("index.html")).context("the built page")?;
    let named: BTreeSet<&str> = page
        .split('"')
        .filter(|text| text.starts_with("/assets/") && (is_a(text, "js") || is_a(text, "css")))
        .collect();
    anyhow::ensure!(named.iter().any(|name| is_a(name, "js")), "the built page names no script");
    let mut texts = 0;
    for file in files(&dist.join("assets"))? {
        let name = file.to_string_lossy();
        if ["ko-", "en-"].iter().any(|language| name.starts_with(language)) && is_a(&name, "js") {
            texts = texts.max(gzip_length(&dist.join("assets").join(&file))?);
        }
    }
    anyhow::ensure!(texts > 0, "the built interface has no texts of its own");
    named.iter().try_fold(texts, |sum, name| Ok(sum + gzip_length(&dist.join(name.trim_start_matches('/')))?))
}

fn is_a(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

fn gzip_length(file: &Path) -> anyhow::Result<u64> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, &bytes)?;
    Ok(gzip.finish()?.len() as u64)
}

/// Where the types of the API lie that the interface is compiled with.
const TYPES: &str = "ui/src/api/__generated__/openapi.ts";

/// Writes the types of docs/openapi.json, or says that those which are there are not of it.
pub fn api_types(write: bool) -> anyhow::Result<()> {
    libraries()?;
    let place = run::root().join(TYPES);
    let fresh = if write { place.clone() } else { run::target().join("openapi-types.ts") };
    let out = fresh.to_str().context("the target folder's name is not UTF-8")?;
    run::status(&mut npm(&["run", "--silent", "types", "--", "--output", out]))?;
    anyhow::ensure!(
        std::fs::read(&fresh)? == std::fs::read(&place)?,
        "{TYPES} is not made of docs/openapi.json: cargo xtask openapi --write"
    );
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

/// Type check and unit tests, beside the oracles' Python where there is one.
pub fn test(python: Option<&Path>) -> anyhow::Result<()> {
    libraries()?;
    run::step("user interface: types of the API");
    api_types(false)?;
    run::step("user interface: tests");
    let mut tests = npm(&["test"]);
    if let Some(python) = python {
        tests.env("HILUM_ORACLE_PYTHON", python);
    }
    run::status(&mut tests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_weighs_what_it_names_and_nothing_that_comes_later() {
        let dist = tempfile::tempdir().unwrap();
        let assets = dist.path().join("assets");
        std::fs::create_dir(&assets).unwrap();
        // Marsaglia's xorshift: nothing that gzip could make shorter.
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        });
        let noise: Vec<u8> = noise.take(20_000).collect();
        for name in ["index.js", "shared.js", "index.css", "later.js", "ko-1.js", "en-1.js"] {
            std::fs::write(assets.join(name), &noise).unwrap();
        }
        let page = r#"<script src="/assets/index.js"></script><link rel="modulepreload" href="/assets/shared.js"><link href="/assets/index.css">"#;
        std::fs::write(dist.path().join("index.html"), page).unwrap();
        let weight = weight_of_the_list(dist.path()).unwrap();
        let one = weight / 4;
        assert!((19_000..21_000).contains(&one), "{weight}");
        std::fs::write(dist.path().join("index.html"), "<p>").unwrap();
        assert!(weight_of_the_list(dist.path()).is_err());
    }
}
