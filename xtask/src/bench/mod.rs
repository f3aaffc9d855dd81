//! `cargo xtask bench`: measurements of the release binary, as medians beside a peer or a limit of the same run.
//! `cargo xtask bench nn`: the network engine beside its peers. `cargo xtask bench archive`: the archive beside Orthanc, and its
//! catalogue at scale. `cargo xtask bench sites`: sites of stones and rejected mimics on synthetic patients. `cargo xtask bench stones`: the measures of
//! simulated stones beside their true sizes. `cargo xtask bench ui`: the pages in headless Chromium.

mod archive;
mod arrival;
mod nn;
mod page;
mod process;
mod receive;
mod rest;
mod sites;
mod stones;
mod ui;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{requirements, run};

/// Options of the verb.
#[derive(clap::Args)]
pub struct Bench {
    #[command(subcommand)]
    what: Option<What>,
    /// Runs of each measurement; the median is reported
    #[arg(long, global = true, default_value_t = 3)]
    runs: usize,
    /// Write the figures into docs/benchmarks.md
    #[arg(long, global = true)]
    write: bool,
}

/// What else than the server is measured.
#[derive(clap::Subcommand)]
enum What {
    /// The network engine beside PyTorch, ONNX Runtime and OpenVINO, in turn on the same shapes and threads
    Nn(nn::Nn),
    /// Sites of stones and rejected mimics on synthetic patients; `--write` keeps them in docs/urinary-stone/anatomy.md
    Sites(sites::Sites),
    /// Receiving and DICOMweb beside Orthanc, and lists and queries in a large catalogue of synthetic rows
    Archive(archive::Archive),
    /// Simulated stones, measured, beside their true sizes; `--write` keeps docs/urinary-stone/measurement.md
    Stones(stones::Stones),
    /// The pages in headless Chromium: images, scrolling, memory, the worklist
    Ui(ui::Ui),
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

/// Measures and prints; `--write` keeps the section.
pub fn run(bench: &Bench) -> anyhow::Result<()> {
    let runs = bench.runs.max(1);
    let (page, name, section) = match &bench.what {
        None => (page::BENCHMARKS, "server", server(runs)?),
        Some(What::Archive(options)) => (page::BENCHMARKS, "archive", archive::run(options, runs, bench.write)?),
        Some(What::Nn(options)) => (page::BENCHMARKS, "nn", nn::run(options, runs, bench.write)?),
        Some(What::Sites(options)) => (sites::PAGE, "sites", sites::run(options)?),
        Some(What::Stones(options)) => return stones::run(options, bench.write),
        Some(What::Ui(options)) => (page::BENCHMARKS, "ui", ui::run(options, runs, bench.write)?),
    };
    println!("\n{section}");
    if bench.write {
        page::write(page, name, &section)?;
    }
    Ok(())
}

/// Writes synthetic CT studies of 300 slices each.
fn phantom(hilum: &Path, to: &Path, studies: u32) -> anyhow::Result<()> {
    let recipe = ["--seed", "300", "--stones", "3", "--thickness", "1.5", "--spacing", "1.3"];
    run::status(Command::new(hilum).arg("phantom").arg(to).args(recipe).args(["--studies", &studies.to_string()]))
}

/// The server's section.
fn server(runs: usize) -> anyhow::Result<String> {
    requirements::ensure(&[requirements::BUILD, requirements::PEERS], false)?;
    let machine = page::Machine::now();
    let hilum = run::build_release()?;
    let scratch = run::target().join("bench");
    let _gone = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch)?;
    let study = scratch.join("study");
    run::step("a synthetic CT of 300 slices");
    phantom(&hilum, &study, 1)?;
    let setting = Setting { hilum, study, scratch, runs };
    let mut figures = Vec::new();
    run::step("import");
    figures.extend(receive::import(&setting)?);
    run::step("C-STORE");
    figures.extend(receive::store(&setting)?);
    run::step("arrival to report");
    figures.extend(arrival::arrival(&setting)?);
    let mut section = format!("## Server\n\nWritten by `cargo xtask bench --write`. {}\n\n", machine.sentence()?);
    section.push_str("| what | Hilum | beside it |\n|---|---|---|\n");
    for figure in figures {
        writeln!(section, "| {} | {} | {} |", figure.what, figure.value, figure.beside)?;
    }
    Ok(section)
}

/// The middle of the measured values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// 95 % interval of the median, by order statistics: a value lies on either side of the median like a coin falls. Fewer than six values
/// allow none; the interval is then all of them.
pub fn interval(mut values: Vec<f64>) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    // How likely fewer than `skipped + 1` of n coins show heads.
    let (mut term, mut tail, mut skipped) = (0.5_f64.powi(n as i32), 0.0, 0);
    for at in 0..n / 2 {
        tail += term;
        if tail > 0.025 {
            break;
        }
        skipped = at;
        term *= (n - at) as f64 / (at + 1) as f64;
    }
    [values[skipped], values[n - 1 - skipped]]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From six values on, what is left out at each end is `binom.ppf(0.025, n, 0.5) - 1` of SciPy 1.17.1.
    #[test]
    fn an_interval_leaves_out_at_each_end_what_a_binomial_of_one_half_allows() {
        for (n, out) in [(1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (12, 2), (20, 5), (100, 39)] {
            let values = (0..n).rev().map(f64::from).collect();
            assert_eq!(interval(values), [f64::from(out), f64::from(n - 1 - out)], "{n} values");
        }
    }
}
