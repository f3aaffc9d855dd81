//! `cargo xtask interop`: the built binary on this machine's loopback, against the tools of its peers.

pub mod checks;
mod cornerstone;
mod emr;
mod node;
mod openapi;
mod openid;
mod page;
mod results;
pub mod server;
mod ups;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;

use crate::{openid_peer, oracles, requirements, run};
use server::Server;

/// Options of the verb.
#[derive(clap::Args)]
pub struct Interop {
    /// Install missing Debian packages (as root) and the oracles' Python environment
    #[arg(long)]
    install: bool,
    /// Run only the checks whose name holds this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Write docs/interop.md
    #[arg(long, conflicts_with = "only")]
    write: bool,
    /// Keep the pages' screenshots and the reports in this folder
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// What every check may use.
pub struct Bench {
    /// The program under test.
    pub hilum: PathBuf,
    /// Python with the oracles.
    pub python: PathBuf,
    /// Scratch folder, gone afterwards.
    pub scratch: PathBuf,
    /// Where screenshots and reports are left.
    pub keep: PathBuf,
}

/// Builds the binary, then runs every check and counts them.
pub fn run(interop: &Interop) -> anyhow::Result<()> {
    requirements::ensure(
        &[requirements::BUILD, requirements::TEST, requirements::PEERS, requirements::BROWSER],
        interop.install,
    )?;
    let Some(python) = oracles::python(interop.install)? else {
        bail!("the oracles are not installed: cargo xtask interop --install");
    };
    if interop.install {
        openid_peer::folder(true)?;
    }
    crate::ui::build()?;
    run::step("build");
    run::status(run::cargo().args(["build", "--locked", "--workspace", "--bin", "hilum"]))?;
    let scratch = run::target().join("interop");
    let _gone = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch)?;
    let keep = interop.keep.clone().unwrap_or_else(|| scratch.join("kept"));
    std::fs::create_dir_all(&keep)?;
    let bench = Bench { hilum: run::hilum("debug"), python, scratch, keep };
    run::step("interop");
    let (mut passed, mut failed) = (Vec::new(), 0);
    let started = Instant::now();
    let wanted = |name: &str| interop.only.as_deref().is_none_or(|only| name.contains(only));
    for (name, check) in checks::ALL
        .iter()
        .chain(node::ALL)
        .chain(results::ALL)
        .chain(cornerstone::ALL)
        .chain(emr::ALL)
        .chain(ups::ALL)
        .chain(openid::ALL)
        .chain(openapi::ALL)
        .filter(|(name, _)| wanted(name))
    {
        match check(&bench) {
            Ok(said) => {
                println!("ok      {name}{}{said}", if said.is_empty() { "" } else { ": " });
                passed.push((*name, said));
            }
            Err(error) => {
                failed += 1;
                println!("FAILED  {name}: {error:#}");
            }
        }
    }
    println!("{} passed, {failed} failed in {} s", passed.len(), started.elapsed().as_secs());
    if failed > 0 {
        bail!("{failed} checks failed");
    }
    if interop.write { page::write(&bench, &passed) } else { Ok(()) }
}
