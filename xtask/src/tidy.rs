//! `cargo xtask tidy`: what the compiler does not check about the layout.

mod scoped;

use std::process::Command;

use anyhow::bail;

use crate::run;

/// Which of our crates each crate may use (ARCHITECTURE.md, "Arrows").
const ARROWS: &[(&str, &[&str])] = &[
    ("hilum-imaging", &[]),
    ("hilum-nn", &[]),
    ("hilum-dicom", &["hilum-imaging"]),
    ("hilum-dimse", &["hilum-dicom"]),
    ("hilum-clinical", &["hilum-imaging"]),
    ("hilum-infer", &["hilum-imaging", "hilum-nn"]),
    ("hilum-learn", &["hilum-imaging", "hilum-infer", "hilum-nn"]),
    ("hilum-emr", &["hilum-clinical", "hilum-dicom"]),
    ("hilum-engine", &["hilum-clinical", "hilum-dicom", "hilum-imaging", "hilum-infer"]),
    ("hilum-web", &["hilum-dicom", "hilum-engine"]),
    (
        "hilum",
        &[
            "hilum-clinical",
            "hilum-dicom",
            "hilum-dimse",
            "hilum-emr",
            "hilum-engine",
            "hilum-imaging",
            "hilum-infer",
            "hilum-learn",
            "hilum-nn",
            "hilum-web",
        ],
    ),
];

/// A source file longer than this has outgrown its name.
const LONGEST_FILE: usize = 600;
/// The main path reads like a table of contents.
const LONGEST_JOURNEY: usize = 150;

/// Runs every check and reports all that is wrong at once.
pub fn run() -> anyhow::Result<()> {
    run::step("layout");
    let mut wrong = Vec::new();
    arrows(&mut wrong)?;
    sources(&mut wrong)?;
    scoped::check(&mut wrong)?;
    licences()?;
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("the layout has {} faults:\n{}", wrong.len(), wrong.join("\n"));
}

/// Every crate is in the table and uses only what the table allows.
fn arrows(wrong: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(run::root().join("crates"))? {
        let folder = entry?.path();
        let manifest: toml::Table = toml::from_str(&std::fs::read_to_string(folder.join("Cargo.toml"))?)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            wrong.push(format!("{name}: not in the table of arrows in xtask/src/tidy.rs"));
            continue;
        };
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        for used in dependencies.into_iter().flat_map(|table| table.keys()).filter(|used| used.starts_with("hilum")) {
            if !allowed.contains(&used.as_str()) {
                wrong.push(format!("{name} uses {used}, which the architecture does not allow"));
            }
        }
        if manifest.get("lints").and_then(|lints| lints.get("workspace")).is_none() {
            wrong.push(format!("{name}: [lints] workspace = true is missing"));
        }
    }
    Ok(())
}

/// SQL only in catalog/, HTTP only in hilum-web, sizes, and no forbidden words.
fn sources(wrong: &mut Vec<String>) -> anyhow::Result<()> {
    let root = run::root();
    for entry in walkdir::WalkDir::new(root.join("crates")).into_iter().chain(walkdir::WalkDir::new(root.join("xtask")))
    {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let shown = path.strip_prefix(&root).unwrap_or(path).display().to_string();
        let text = std::fs::read_to_string(path)?;
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            wrong.push(format!("{shown}: {lines} lines; split it by act (at most {LONGEST_FILE})"));
        }
        if shown.ends_with("src/journey.rs") && lines > LONGEST_JOURNEY {
            wrong.push(format!("{shown}: {lines} lines; the main path has at most {LONGEST_JOURNEY}"));
        }
        let test = shown.contains("/tests/") || shown.contains("xtask/");
        let forbidden: &[(&str, bool)] = &[
            ("sea_orm", shown.contains("hilum-engine/src/catalog")),
            ("axum", shown.contains("hilum-web/")),
            ("todo!(", false),
            ("unimplemented!(", false),
        ];
        for (word, allowed) in forbidden {
            let used = text.lines().any(|line| line.contains(word) && !line.trim_start().starts_with("//"));
            if used && !allowed && !test {
                wrong.push(format!("{shown}: `{word}` does not belong here"));
            }
        }
    }
    Ok(())
}

/// Licences and sources of all dependencies, where cargo-deny is installed.
fn licences() -> anyhow::Result<()> {
    if !run::exists("cargo-deny") {
        println!("cargo-deny is not installed: licences are not checked (cargo install --locked cargo-deny)");
        return Ok(());
    }
    // cargo-deny asks for the manifests of every platform, also of those that are not built here.
    run::status(run::cargo().args(["fetch", "--locked", "--quiet"]))?;
    run::status(Command::new("cargo-deny").args([
        "--offline",
        "check",
        "--hide-inclusion-graph",
        "licenses",
        "bans",
        "sources",
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arrow_points_at_a_crate_that_exists() {
        for (from, to) in ARROWS {
            for name in std::iter::once(from).chain(*to) {
                assert!(run::root().join("crates").join(name).is_dir(), "{name} is gone");
            }
        }
    }
}
