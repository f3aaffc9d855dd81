//! `cargo xtask models`: the shipped models, trained anew from their plans.

use std::process::Command;

use crate::run;

/// Options of the verb.
#[derive(clap::Args)]
pub struct Models {
    /// Where the new model folders go; the shipped ones stay until they are copied over by hand
    #[arg(long, default_value = "models")]
    out: std::path::PathBuf,
}

/// The shipped models; each has its plan in `plans/<name>-unet.toml`.
const MODELS: &[&str] = &["urinary-stone"];

/// Trains each shipped model.
pub fn run(models: &Models) -> anyhow::Result<()> {
    let hilum = run::build_release()?;
    for name in MODELS {
        run::step(&format!("training {name}"));
        run::status(
            Command::new(&hilum)
                .arg("train")
                .arg(run::root().join(format!("plans/{name}-unet.toml")))
                .arg("--out")
                .arg(models.out.join(name)),
        )?;
    }
    Ok(())
}
