//! Lists and queries over synthetic rows, by the measuring program of hilum-engine.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::run;

const ROUNDS: &str = "50";

pub fn section(studies: u64, scratch: &Path) -> anyhow::Result<String> {
    let program = build()?;
    run::step(&format!("a catalogue of {studies} synthetic studies"));
    let text = run::output(
        Command::new(program)
            .arg(studies.to_string())
            .arg(scratch.join("catalogue"))
            .arg(ROUNDS)
            .stderr(Stdio::inherit()),
    )?;
    let measured: serde_json::Value = serde_json::from_str(text.trim()).context("the measuring program's answer")?;
    let mib = measured["bytes"].as_f64().unwrap_or(0.0) / (1024.0 * 1024.0);
    let mut out = format!(
        "### Catalogue\n\n{studies} synthetic studies of one instance each, two to a patient, Korean names in three scripts, ten years (SQLite, \
         {mib:.0} MiB, filled in {:.0} s). {ROUNDS} times each (fewer where three seconds were over), in the engine, without HTTP. A page holds \
         100 entities of a query, 50 of the study list. Looking for what is due took {:.1} ms.\n\n\
         | what | hits on the page | p50, ms | p99, ms | slowest, ms |\n|---|---|---|---|---|\n",
        measured["filled_s"].as_f64().unwrap_or(0.0),
        measured["sweep_ms"].as_f64().unwrap_or(0.0),
    );
    for row in measured["rows"].as_array().into_iter().flatten() {
        let kind = if row["kind"] == "list" { "study list: " } else { "" };
        let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
        writeln!(
            out,
            "| {kind}{} | {} | {:.2} | {:.2} | {:.2} |",
            row["what"].as_str().unwrap_or_default(),
            row["hits"],
            number("p50_ms"),
            number("p99_ms"),
            number("max_ms")
        )?;
    }
    out.push('\n');
    Ok(out)
}

/// Builds the measuring program and returns its path. The binary's crate is named too, so that libraries are built once for both.
fn build() -> anyhow::Result<PathBuf> {
    run::step("release build of the measuring program");
    let messages = run::output(
        Command::new(run::cargo())
            .args(["build", "--release", "--locked", "--package", "hilum", "--package", "hilum-engine"])
            .args(["--features", "hilum-engine/bench", "--bench", "catalogue"])
            .args(["--message-format", "json-render-diagnostics"])
            .current_dir(run::root())
            .stderr(Stdio::inherit()),
    )?;
    let built = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut programs = built.filter(|message| message["target"]["name"] == "catalogue");
    let program = programs.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    program.context("cargo did not say where it put the measuring program")
}
