//! `cargo xtask e2e`: the pages as people use them, in headless Chromium. The flows stand in `ui/e2e/*.e2e.ts`.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::interop::server::{LOGIN, PASSWORD, Server};
use crate::{oracles, requirements, run};

/// Options of the verb.
#[derive(clap::Args)]
pub struct EndToEnd {
    /// Play only the flows whose name holds this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Leave the flows' screenshots in this folder
    #[arg(long, value_name = "DIR")]
    screenshots: Option<PathBuf>,
    /// Install missing Debian packages (as root)
    #[arg(long)]
    install: bool,
}

/// Builds page and binary, and plays the flows against a demonstration on a fresh data folder.
pub fn run(options: &EndToEnd) -> anyhow::Result<()> {
    requirements::ensure(&[requirements::BUILD, requirements::BROWSER], options.install)?;
    crate::ui::build()?;
    run::step("build");
    run::status(run::cargo().args(["build", "--locked", "--workspace", "--bin", "hilum"]))?;
    let scratch = run::target().join("e2e");
    let _gone = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch)?;
    run::step("flows");
    demo(&run::hilum("debug"), &scratch, options.only.as_deref(), options.screenshots.as_deref())?;
    Ok(())
}

/// Starts a demonstration and plays its flows.
pub fn demo(hilum: &Path, scratch: &Path, only: Option<&str>, pictures: Option<&Path>) -> anyhow::Result<String> {
    let data = scratch.join("demo");
    let server = Server::start_demo(hilum, &data)?;
    Scene { name: "demo", hilum, data: &data, server: server.http, only, pictures }.play()
}

/// What stands before a flow begins.
pub struct Scene<'a> {
    /// The flows of this name are played.
    pub name: &'a str,
    /// The program under test.
    pub hilum: &'a Path,
    /// Its data folder.
    pub data: &'a Path,
    /// Where it answers.
    pub server: SocketAddr,
    /// Only flows whose name holds this.
    pub only: Option<&'a str>,
    /// Where screenshots go.
    pub pictures: Option<&'a Path>,
}

impl Scene<'_> {
    /// Plays the flows, prints what each came to, and says how many there were.
    pub fn play(&self) -> anyhow::Result<String> {
        let mut flows = Command::new("node");
        flows.current_dir(run::root().join("ui")).arg("e2e/run.mjs").stderr(Stdio::inherit());
        flows
            .env("HILUM_E2E_SCENE", self.name)
            .env("HILUM_E2E_BINARY", self.hilum)
            .env("HILUM_E2E_DATA", self.data)
            .env("HILUM_E2E_SERVER", format!("http://{}", self.server))
            .env("HILUM_E2E_LOGIN", LOGIN)
            .env("HILUM_E2E_PASSWORD", PASSWORD)
            .env("HILUM_E2E_ONLY", self.only.unwrap_or_default());
        if let Some(pictures) = self.pictures {
            std::fs::create_dir_all(pictures)?;
            flows.env("HILUM_E2E_PICTURES", std::path::absolute(pictures)?);
        }
        if let Some(shared) = run::shared() {
            flows.env("HILUM_SHARED", shared);
        }
        if let Some(python) = oracles::python(false)? {
            flows.env("HILUM_ORACLE_PYTHON", python);
        }
        let mut playing = flows.stdout(Stdio::piped()).spawn().context("could not start node")?;
        let mut well = 0;
        for line in BufReader::new(playing.stdout.take().context("what the flows say")?).lines() {
            let line = line?;
            println!("{line}");
            well += usize::from(line.starts_with("ok "));
        }
        if !playing.wait()?.success() {
            bail!("a flow of the scene \"{}\" failed (it is named above)", self.name);
        }
        Ok(format!("{well} flows"))
    }
}
