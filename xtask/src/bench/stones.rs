//! `cargo xtask bench stones`: simulated stones, measured; docs/urinary-stone/measurement.md and its plots.

use std::process::Command;

use anyhow::Context;

use crate::run;

/// Options of the verb.
#[derive(clap::Args)]
pub struct Stones {
    /// Simulated stones of each class of slice thickness and size
    #[arg(long, default_value_t = 100)]
    per_class: u32,
    /// Patients that the shipped network reads for each slice thickness; 0 leaves the network out
    #[arg(long, default_value_t = 4)]
    patients: u32,
}

/// Measures, prints the page, and keeps it with its plots where `write` says so.
pub fn run(options: &Stones, write: bool) -> anyhow::Result<()> {
    let folder = run::target().join("bench/stones");
    std::fs::create_dir_all(&folder)?;
    run::step("the measuring programs");
    let mut build = run::cargo();
    build.args(["build", "--locked", "--workspace"]);
    run::status(build.args(["--example", "measure_stones", "--example", "measure_read_stones"]))?;
    let program = |name: &str| Command::new(run::target().join("debug/examples").join(name));
    run::step("simulated stones, measured from their masks");
    run::status(program("measure_stones").arg("page").arg(&folder).arg(options.per_class.to_string()))?;
    let page = folder.join("measurement.md");
    let mut text = std::fs::read_to_string(&page).context("the page")?;
    if options.patients > 0 {
        run::step("synthetic patients, read by the shipped network");
        let model = run::root().join("models/urinary-stone");
        text += &run::output(program("measure_read_stones").arg(model).arg(options.patients.to_string()))?;
        std::fs::write(&page, &text)?;
    }
    println!("\n{text}");
    if write {
        let docs = run::root().join("docs/urinary-stone");
        std::fs::create_dir_all(&docs)?;
        for name in ["measurement.md", "bias-diameter.svg", "bias-volume.svg"] {
            std::fs::copy(folder.join(name), docs.join(name)).with_context(|| name.to_owned())?;
        }
    }
    Ok(())
}
