//! `cargo xtask bench archive`: receiving and DICOMweb beside Orthanc, and lists and queries in a large catalogue.

mod awake;
mod canned;
pub(super) mod catalogue;
mod least;
mod orthanc;
mod receiving;
mod system;
pub(super) mod tiny;
mod web;

use super::{median, page};
use crate::{requirements, run};

/// Options of the verb.
#[derive(clap::Args)]
pub struct Archive {
    /// Synthetic studies in the catalogue
    #[arg(long, default_value_t = 100_000)]
    studies: u64,
    /// Where the catalogue is kept: `folder`, `postgres`, or `both` where PostgreSQL is installed
    #[arg(long, value_enum, default_value = "both")]
    catalogue: catalogue::Places,
    /// Leave out the peer
    #[arg(long)]
    without_orthanc: bool,
    /// Measure one part alone; it is printed, not written
    #[arg(long)]
    part: Option<Part>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// C-STORE
    Receiving,
    /// STOW-RS, WADO-RS, QIDO-RS
    Dicomweb,
    /// Lists and queries in a large catalogue
    Catalogue,
}

/// Measures and returns the section of docs/benchmarks.md.
pub fn run(options: &Archive, runs: usize, write: bool) -> anyhow::Result<String> {
    anyhow::ensure!(options.part.is_none() || !write, "--write needs all parts: leave out --part");
    requirements::ensure(&[requirements::BUILD, requirements::PEERS], false)?;
    let machine = page::Machine::now();
    let hilum = run::build_release()?;
    let scratch = run::target().join("bench-archive");
    let _gone = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch)?;
    let study = scratch.join("study");
    run::step("a synthetic CT of 300 slices");
    super::phantom(&hilum, &study, 1)?;
    let orthanc = if options.without_orthanc { None } else { orthanc::version() };
    let mut section = format!(
        "## Archive\n\nWritten by `cargo xtask bench archive --studies {} --runs {runs} --write`. {{machine}}\n\n",
        options.studies
    );
    let wanted = |part| options.part.is_none_or(|only| only == part);
    if wanted(Part::Receiving) {
        section.push_str(&receiving::section(&hilum, &scratch, orthanc.as_deref(), runs)?);
    }
    if wanted(Part::Dicomweb) {
        let peer = orthanc.as_deref().filter(|_| orthanc::has_dicomweb());
        section.push_str(&web::section(&hilum, &study, &scratch, peer, runs)?);
    }
    if wanted(Part::Catalogue) {
        section.push_str(&catalogue::section(options.studies, &scratch, options.catalogue)?);
    }
    std::fs::remove_dir_all(&scratch)?;
    Ok(section.replace("{machine}", &machine.sentence()?))
}
