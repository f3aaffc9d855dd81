//! `cargo xtask bench`: measurements of the release binary, as medians beside a peer or a limit of the same run.

mod arrival;
mod process;
mod receive;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::{requirements, run};

/// Options of the verb.
#[derive(clap::Args)]
pub struct Bench {
    /// Runs of each measurement; the median is reported
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Write the figures into docs/benchmarks.md
    #[arg(long)]
    write: bool,
}

/// One line of the table.
pub struct Figure {
    /// What was done.
    pub what: String,
    /// What came out, with its unit.
    pub value: String,
    /// The peer or the limit it stands beside, of the same run.
    pub beside: String,
}

/// What the measurements share.
pub struct Setting {
    /// The program under test, as released.
    pub hilum: PathBuf,
    /// A 300-slice synthetic CT, 512x512.
    pub study: PathBuf,
    /// Scratch folder on the disk that is measured.
    pub scratch: PathBuf,
    /// Runs of each measurement.
    pub runs: usize,
}

/// Measures and prints; `--write` keeps the page.
pub fn run(bench: &Bench) -> anyhow::Result<()> {
    requirements::ensure(&[requirements::BUILD, requirements::PEERS], false)?;
    let hilum = run::build_release()?;
    let scratch = run::target().join("bench");
    let _gone = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch)?;
    let study = scratch.join("study");
    run::step("a synthetic CT of 300 slices");
    run::status(Command::new(&hilum).arg("phantom").arg(&study).args([
        "--seed",
        "300",
        "--studies",
        "1",
        "--stones",
        "3",
        "--thickness",
        "1.5",
        "--spacing",
        "1.3",
    ]))?;
    let setting = Setting { hilum, study, scratch, runs: bench.runs.max(1) };
    let mut figures = Vec::new();
    run::step("import");
    figures.extend(receive::import(&setting)?);
    run::step("C-STORE");
    figures.extend(receive::store(&setting)?);
    run::step("arrival to report");
    figures.extend(arrival::arrival(&setting)?);
    let page = page(&figures)?;
    println!("\n{page}");
    if bench.write {
        let path = run::root().join("docs/benchmarks.md");
        std::fs::create_dir_all(path.parent().context("docs")?)?;
        std::fs::write(path, page)?;
    }
    Ok(())
}

fn page(figures: &[Figure]) -> anyhow::Result<String> {
    let mut page = String::from(
        "# Benchmarks\n\nWritten by `cargo xtask bench --write`. Medians; peers and limits were measured in the same run.\n\n",
    );
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    writeln!(
        page,
        "Machine: {cores} cores,{}. Load average at the end: {}.\n",
        model.trim_start_matches(['\t', ' ', ':']).trim_end(),
        load.split(' ').next().unwrap_or("unknown")
    )?;
    page.push_str("| what | Hilum | beside it |\n|---|---|---|\n");
    for figure in figures {
        writeln!(page, "| {} | {} | {} |", figure.what, figure.value, figure.beside)?;
    }
    Ok(page)
}

/// The middle of the measured values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}
