//! `cargo xtask bench archive`: receiving beside Orthanc, and lists and queries in a large catalogue.

mod catalogue;
mod orthanc;
mod receiving;

use std::process::Command;

use super::{median, page};
use crate::{requirements, run};

/// Options of the verb.
#[derive(clap::Args)]
pub struct Archive {
    /// Synthetic studies in the catalogue
    #[arg(long, default_value_t = 100_000)]
    studies: u64,
    /// Leave out the peer
    #[arg(long)]
    without_orthanc: bool,
}

/// Measures and returns the section of docs/benchmarks.md.
pub fn run(options: &Archive, runs: usize) -> anyhow::Result<String> {
    requirements::ensure(&[requirements::BUILD, requirements::PEERS], false)?;
    let machine = page::Machine::now();
    let hilum = run::build_release()?;
    let scratch = run::target().join("bench-archive");
    let _gone = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch)?;
    let study = scratch.join("study");
    run::step("a synthetic CT of 300 slices");
    run::status(Command::new(&hilum).arg("phantom").arg(&study).args(super::CT_OF_300_SLICES))?;
    let orthanc = if options.without_orthanc { None } else { orthanc::version() };
    let mut section = format!(
        "## Archive\n\nWritten by `cargo xtask bench archive --studies {} --runs {runs} --write`. {{machine}}\n\n",
        options.studies
    );
    section.push_str(&receiving::section(&hilum, &study, &scratch, orthanc.as_deref(), runs)?);
    section.push_str(&catalogue::section(options.studies, &scratch)?);
    std::fs::remove_dir_all(&scratch)?;
    Ok(section.replace("{machine}", &machine.sentence()?))
}
