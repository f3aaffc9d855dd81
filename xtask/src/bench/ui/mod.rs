//! `cargo xtask bench ui`: the pages in headless Chromium. What is measured stands in `ui/e2e/measure`; this starts servers and tells the figures.

mod long;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::{archive, page};
use crate::interop::checks::dicom_files;
use crate::interop::server::{LOGIN, PASSWORD, Server};
use crate::{requirements, run};
use table::Rows;

/// Options of the measurement.
#[derive(clap::Args)]
pub struct Ui {
    /// Only these parts; they are printed, not written
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Synthetic studies in the worklist
    #[arg(long, default_value_t = 100_000)]
    studies: u64,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Time to the first image, and to all of a series
    Opening,
    /// Frames while somebody scrolls
    Scrolling,
    /// Memory of the browser with 1,500 images
    Memory,
    /// Searching, sorting and scrolling the worklist
    List,
}

const PARTS: [Part; 4] = [Part::Opening, Part::Scrolling, Part::Memory, Part::List];

/// One value of one run, as the measuring page tells it.
#[derive(Debug, Deserialize)]
struct Sample {
    row: String,
    value: f64,
    limit: Option<f64>,
}

/// What all parts need.
struct Setting {
    hilum: PathBuf,
    scratch: PathBuf,
    runs: usize,
}

/// Measures and returns the section of docs/benchmarks.md.
pub fn run(options: &Ui, runs: usize, write: bool) -> anyhow::Result<String> {
    ensure!(options.only.is_empty() || !write, "--write needs all parts: leave out --only");
    requirements::ensure(&[requirements::BUILD, requirements::BROWSER], false)?;
    let machine = page::Machine::now();
    let hilum = run::build_release()?;
    let scratch = run::target().join("bench-ui");
    let _gone = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch)?;
    let setting = Setting { hilum, scratch, runs };
    let wanted = |part: &Part| options.only.is_empty() || options.only.contains(part);
    let parts: Vec<Part> = PARTS.into_iter().filter(wanted).collect();
    let mut rows = Rows::default();
    let looking: Vec<Part> =
        parts.iter().copied().filter(|part| matches!(part, Part::Opening | Part::Scrolling)).collect();
    if !looking.is_empty() {
        let server = setting.with_studies()?;
        for part in looking {
            setting.measure(part, &server, &mut rows)?;
        }
    }
    if parts.contains(&Part::Memory) {
        let server = setting.with_a_long_series()?;
        setting.measure(Part::Memory, &server, &mut rows)?;
    }
    if parts.contains(&Part::List) {
        let server = setting.with_a_long_list(options.studies)?;
        setting.measure(Part::List, &server, &mut rows)?;
    }
    std::fs::remove_dir_all(&setting.scratch)?;
    let chromium = run::output(Command::new("chromium").arg("--version"))?;
    let command = format!("cargo xtask bench ui --studies {} --runs {runs} --write", options.studies);
    Ok(table::section(&rows, options.studies, &command, chromium.trim(), &machine.sentence()?))
}

/// Images of the series that is scrolled through from one end to the other.
const LONG: usize = 1500;
/// Studies that open in the viewer: how many images, and the seed of their patient, by which `ui/e2e/measure` finds it.
const OPENED: [(usize, &str); 2] = [(100, "100"), (300, "300")];

impl Setting {
    /// A server whose two studies of 512x512 were read.
    fn with_studies(&self) -> anyhow::Result<Server> {
        let data = self.scratch.join("looked-at");
        for (images, seed) in OPENED {
            run::step(&format!("a synthetic CT of {images} images"));
            let made = self.scratch.join(format!("ct-{images}"));
            self.phantom(
                &made,
                &["--seed", seed, "--studies", "1", "--stones", "3", "--thickness", "1.5", "--spacing", "1.3"],
            )?;
            // A study is the first images of its patient: those of 300 are all there are.
            for spare in dicom_files(&made).iter().skip(images) {
                std::fs::remove_file(spare)?;
            }
            ensure!(dicom_files(&made).len() == images, "the patient has no {images} images");
            self.import(&made, &data)?;
            std::fs::remove_dir_all(&made)?;
        }
        run::step("readings");
        let mut server = Server::start_with(&self.hilum, &data)?;
        server.settled(std::time::Duration::from_mins(20))?;
        let studies = server.studies()?;
        let scrolled = studies.iter().find(|study| study["patient"]["id"] == "SYN-000300").context("the long study")?;
        let found = scrolled["reading"]["stone_count"].as_u64().unwrap_or(0);
        ensure!(found > 0, "no stone was found in the study that is scrolled: {}", scrolled["reading"]);
        Ok(server)
    }

    /// A server with a long series, which nobody reads.
    fn with_a_long_series(&self) -> anyhow::Result<Server> {
        run::step(&format!("a synthetic CT of {LONG} images"));
        let (made, data) = (self.scratch.join("ct-long"), self.scratch.join("long"));
        long::write(&made, LONG)?;
        self.import(&made, &data)?;
        std::fs::remove_dir_all(&made)?;
        Server::start_without_reports(&self.hilum, &data)
    }

    /// A server with rows of so many studies.
    fn with_a_long_list(&self, studies: u64) -> anyhow::Result<Server> {
        run::step(&format!("a catalogue of {studies} synthetic studies"));
        let data = self.scratch.join("listed");
        archive::catalogue::fill(studies, &data)?;
        Server::start_without_reports(&self.hilum, &data)
    }

    fn phantom(&self, to: &Path, arguments: &[&str]) -> anyhow::Result<()> {
        run::status(Command::new(&self.hilum).arg("phantom").arg(to).args(arguments).stdout(Stdio::null()))
    }

    fn import(&self, from: &Path, data: &Path) -> anyhow::Result<()> {
        let mut import = Command::new(&self.hilum);
        run::status(import.arg("import").arg(from).arg("--data").arg(data).stdout(Stdio::null()))
    }

    /// One part against its server.
    fn measure(&self, part: Part, server: &Server, rows: &mut Rows) -> anyhow::Result<()> {
        let name = format!("{part:?}").to_lowercase();
        run::step(&name);
        let mut measuring = Command::new("node");
        measuring.current_dir(run::root().join("ui")).args(["e2e/run.mjs", "measure/main"]).stderr(Stdio::inherit());
        measuring
            .env("HILUM_E2E_SCENE", "measured")
            .env("HILUM_E2E_SERVER", format!("http://{}", server.http))
            .env("HILUM_E2E_LOGIN", LOGIN)
            .env("HILUM_E2E_PASSWORD", PASSWORD)
            .env("HILUM_MEASURE_PART", &name)
            .env("HILUM_MEASURE_RUNS", self.runs.to_string());
        let told = measuring.output().context("could not start node")?;
        ensure!(told.status.success(), "measuring \"{name}\" failed (why is told above)");
        for line in String::from_utf8_lossy(&told.stdout).lines() {
            rows.add(serde_json::from_str(line).with_context(|| format!("what was measured: {line}"))?);
        }
        Ok(())
    }
}
