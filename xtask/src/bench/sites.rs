//! Sites and rejections on synthetic patients that had no part in the design.

use super::page;
use crate::run;

/// Where the section stands.
pub const PAGE: &str = "docs/urinary-stone/anatomy.md";

/// Options of the measurement.
#[derive(clap::Args)]
pub struct Sites {
    /// Seed of the first patient; the seeds 40000 to 50039 were looked at in the design
    #[arg(long, default_value_t = 60_000)]
    first_seed: u64,
    /// Patients whose truth is judged
    #[arg(long, default_value_t = 100)]
    patients: usize,
    /// Patients, after those, that the shipped network reads: half a minute each
    #[arg(long, default_value_t = 30)]
    network: usize,
    /// Build profile: the figures are the same, the time is not
    #[arg(long, default_value = "bench")]
    profile: String,
}

/// The section.
pub fn run(options: &Sites) -> anyhow::Result<String> {
    let machine = page::Machine::now();
    let numbers = [options.first_seed, options.patients as u64, options.network as u64];
    let tables = run::output(
        run::cargo()
            .args(["bench", "--package", "hilum-clinical", "--bench", "sites", "--profile", &options.profile, "--"])
            .args(numbers.map(|number| number.to_string())),
    )?;
    let machine = machine.sentence()?;
    let tables = tables.trim();
    Ok(format!(
        "## Measured on synthetic patients\n\nWritten by `cargo xtask bench sites --write`. {machine}\n\n{tables}\n"
    ))
}
