//! `cargo xtask demo`: everything from source to four reports on the screen.

use std::path::PathBuf;
use std::process::Command;

use crate::{requirements, run};

/// Options of the verb.
#[derive(clap::Args)]
pub struct Demo {
    /// Where the demonstration keeps its data; a new temporary folder otherwise
    #[arg(long)]
    data: Option<PathBuf>,
    /// Address of the page
    #[arg(long, default_value = "127.0.0.1:8080")]
    http: String,
    /// Install missing Debian packages (as root)
    #[arg(long)]
    install: bool,
}

/// Builds the binary and runs `hilum demo`.
pub fn run(demo: &Demo) -> anyhow::Result<()> {
    requirements::ensure(&[requirements::BUILD], demo.install)?;
    let hilum = run::build_release()?;
    let mut command = Command::new(hilum);
    command.args(["demo", "--http", &demo.http]);
    if let Some(data) = &demo.data {
        command.arg("--data").arg(data);
    }
    run::status(&mut command)
}
