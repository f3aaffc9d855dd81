//! Lists and queries over synthetic rows, by the measuring program of hilum-engine.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::{postgres, run};

const ROUNDS: &str = "200";

/// 99th percentile of a page, ms.
const AIM: f64 = 20.0;

/// Which databases are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Places {
    Folder,
    Postgres,
    Both,
}

/// One run of the measuring program.
struct Measured {
    database: String,
    told: serde_json::Value,
}

pub fn section(studies: u64, scratch: &Path, places: Places) -> anyhow::Result<String> {
    let program = build()?;
    let mut measured = Vec::new();
    if places != Places::Postgres {
        run::step(&format!("a catalogue of {studies} synthetic studies (SQLite)"));
        let told = measure(&program, studies, &scratch.join("catalogue"), None)?;
        measured.push(Measured { database: "SQLite".to_owned(), told });
    }
    // As Debian sets it up, with its data on the same disk.
    let server = if places == Places::Folder { None } else { postgres::Server::start(&[])? };
    if let Some(server) = server {
        run::step(&format!("a catalogue of {studies} synthetic studies (PostgreSQL)"));
        let version = postgres::query(server.socket(), "postgres", "SHOW server_version")?;
        let url = postgres::create(server.socket(), "catalogue")?;
        let told = measure(&program, studies, &scratch.join("beside-postgres"), Some(&url))?;
        let number = version.split(' ').next().unwrap_or_default();
        measured.push(Measured { database: format!("PostgreSQL {number}"), told });
    } else if places == Places::Postgres {
        bail!("PostgreSQL is not installed: apt-get install postgresql");
    }
    let of = |told: &serde_json::Value, name: &str| told[name].as_f64().unwrap_or(f64::NAN);
    let mut out = format!(
        "### Catalogue\n\n{studies} synthetic studies of one instance each, two to a patient, Korean names in three scripts, ten years. \
         {ROUNDS} times each (fewer where three seconds were over), in the engine, without HTTP. A page holds \
         100 entities of a query, 50 of the study list. PostgreSQL runs on the same machine with the settings of its \
         package and is asked over a UNIX socket. Nothing keeps the processors from halting: beside such a loop PostgreSQL's own \
         processes were late by 10 ms now and then. Directly after each row a loop of \
         mere arithmetic, as long as the row's p50, runs as many times: its p99 is what the machine makes of work that \
         waits for nothing."
    );
    for Measured { database, told } in &measured {
        let (mib, filled) = (of(told, "bytes") / (1024.0 * 1024.0), of(told, "filled_s"));
        write!(
            out,
            " {database}: {mib:.0} MiB, filled in {filled:.0} s; looking for what is due took {:.1} ms.",
            of(told, "sweep_ms")
        )?;
    }
    out.push_str("\n\n| what | hits on the page |");
    for Measured { database, .. } in &measured {
        write!(out, " {database}: p50, ms | p99, ms | p99 of arithmetic, ms |")?;
    }
    writeln!(out, "\n|---|---|{}", "---|---|---|".repeat(measured.len()))?;
    let Some(first) = measured.first() else { return Ok(out) };
    for (index, row) in first.told["rows"].as_array().into_iter().flatten().enumerate() {
        let kind = if row["kind"] == "list" { "study list: " } else { "" };
        write!(out, "| {kind}{} | {} |", row["what"].as_str().unwrap_or_default(), row["hits"])?;
        for Measured { database, told } in &measured {
            let other = &told["rows"][index];
            if other["hits"] != row["hits"] {
                bail!("{database} finds {} for {}, and {} {}", other["hits"], row["what"], first.database, row["hits"]);
            }
            write!(
                out,
                " {:.2} | {:.2} | {:.2} |",
                of(other, "p50_ms"),
                of(other, "p99_ms"),
                of(other, "machine_p99_ms")
            )?;
        }
        out.push('\n');
    }
    out.push('\n');
    for Measured { database, told } in &measured {
        let rows: Vec<_> = told["rows"].as_array().into_iter().flatten().collect();
        let late: Vec<_> = rows.iter().filter(|row| of(row, "p99_ms") > AIM).collect();
        let machine = late.iter().filter(|row| of(row, "machine_p99_ms") > AIM).count();
        let slow = rows.iter().filter(|row| of(row, "p50_ms") > AIM).count();
        writeln!(
            out,
            "- {database}: aim p99 <= {AIM} ms, {} of {} rows reach it; of the {} that do not, mere arithmetic as long misses it in {machine}. \
             {slow} rows have a p50 above it.",
            rows.len() - late.len(),
            rows.len(),
            late.len()
        )?;
    }
    Ok(out)
}

/// Fills a data folder with rows of so many synthetic studies.
pub fn fill(studies: u64, folder: &Path) -> anyhow::Result<()> {
    run::output(Command::new(build()?).arg(studies.to_string()).arg(folder).arg("1").stderr(Stdio::inherit()))?;
    Ok(())
}

fn measure(program: &Path, studies: u64, folder: &Path, server: Option<&str>) -> anyhow::Result<serde_json::Value> {
    let mut command = Command::new(program);
    command.arg(studies.to_string()).arg(folder).arg(ROUNDS).args(server).stderr(Stdio::inherit());
    let text = run::output(&mut command)?;
    serde_json::from_str(text.trim()).context("the measuring program's answer")
}

/// Builds the measuring program and returns its path. The binary's crate is named too, so that libraries are built once for both.
fn build() -> anyhow::Result<PathBuf> {
    run::step("release build of the measuring program");
    let messages = run::output(
        run::cargo()
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
