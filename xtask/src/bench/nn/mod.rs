//! `cargo xtask bench nn`: our engine and its peers in turn (A B A B ...), on the same shapes and thread counts.

mod engine;
mod peers;
mod table;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::{median, page};
use crate::run;
use engine::{Engine, Start};
use peers::{PEERS, Peer};

/// Options of the measurement.
#[derive(clap::Args)]
pub struct Nn {
    /// Install ONNX Runtime and OpenVINO into target/peers-nn first (from the Python Package Index; PyTorch only by --python)
    #[arg(long)]
    install: bool,
    /// A Python that has the peers (numpy and any of PyTorch, ONNX Runtime, OpenVINO), in place of target/peers-nn
    #[arg(long, value_name = "PROGRAM", conflicts_with = "install")]
    python: Option<PathBuf>,
    /// Only the rows of these names
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Inputs so small that the way through is tried in seconds; the figures mean nothing
    #[arg(long)]
    tiny: bool,
}

/// What is done with a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A training step.
    Training,
    /// A forward pass.
    Forward,
}

/// Ratios to reach (peer's time divided by ours).
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Aims {
    /// Against the fastest fp32 peer.
    pub fp32: f64,
    /// Against the fastest bf16 peer, where there is an aim.
    pub bf16: Option<f64>,
    /// Against the fastest fp32 peer, both without AVX-512.
    pub avx2: f64,
}

/// One row, as the measuring program tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct Work {
    /// Its name.
    pub name: String,
    /// What is done.
    pub kind: Kind,
    /// What we want.
    pub aims: Aims,
    /// Batch, channels and sides of the input.
    pub shape: Vec<usize>,
    /// Trainable parameters.
    pub parameters: usize,
    /// Operations of one run by direct convolution.
    pub gflop: f64,
}

#[derive(Deserialize)]
struct Works {
    /// The best instruction set of this machine.
    isa: String,
    work: Vec<Work>,
}

/// Time and memory of one engine.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Median of one run.
    pub seconds: f64,
    /// Highest resident memory of its process.
    pub mib: f64,
    /// What the engine says of itself.
    pub note: String,
}

/// What became of a peer.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was measured.
    Measured(Timing),
    /// It could not be, for that reason.
    Absent(String),
}

/// One row at one instruction set and number of threads.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Threads of every engine.
    pub threads: usize,
    /// Multiply-adds in registers on that many threads, GFLOP/s.
    pub peak: f64,
    /// Our engine.
    pub ours: Timing,
    /// Our engine in bf16, where this machine and the row let it.
    pub ours_bf16: Option<Timing>,
    /// The peers.
    pub peers: Vec<(Peer, Outcome)>,
}

/// Measures all rows and gives the section of the page.
pub fn run(options: &Nn, runs: usize, write: bool) -> anyhow::Result<String> {
    ensure!(!(options.tiny && write), "figures of tiny inputs do not belong into docs/benchmarks.md");
    let machine = page::Machine::now();
    let program = build()?;
    let python = match &options.python {
        Some(python) => Some(python.clone()),
        None => peers::python(options.install)?,
    };
    let Works { isa: best, work } = toml::from_str(&run::output(measuring(&program, options).arg("works"))?)?;
    for name in &options.only {
        ensure!(work.iter().any(|work| work.name == *name), "no row is called {name}");
    }
    let versions = versions(python.as_deref())?;
    let mut tables = String::new();
    let restricted = (best == "avx512").then(|| "avx2".to_owned());
    for work in work.iter().filter(|work| options.only.is_empty() || options.only.contains(&work.name)) {
        let export = run::target().join("bench-nn").join(&work.name);
        run::output(measuring(&program, options).args(["export", &work.name]).arg(&export))?;
        tables.push_str(&table::heading(work));
        for isa in [&best].into_iter().chain(&restricted) {
            let setting = Setting { program: &program, options, python: python.as_deref(), export: &export, isa, runs };
            let avx2_only = restricted.as_ref() == Some(isa);
            let cells: Vec<Cell> =
                threads().map(|threads| setting.measure(work, threads, avx2_only)).collect::<anyhow::Result<_>>()?;
            let table::Table { mut text, missed } = table::render(work, isa, avx2_only, &cells);
            text.push_str(&if missed { setting.layers(work)? } else { setting.scaling(work)? });
            println!("{text}");
            tables.push_str(&text);
        }
    }
    Ok(format!(
        "## Network engine\n\nWritten by `cargo xtask bench nn --write`: {runs} rounds, in each of which every engine takes one sample in turn. {} \
         Best instruction set: {best}. {}\n\n{}{tables}",
        machine_or_tiny(options, &machine)?,
        versions.join(". ") + ".",
        table::EXPLAINED
    ))
}

fn machine_or_tiny(options: &Nn, machine: &page::Machine) -> anyhow::Result<String> {
    let sentence = machine.sentence()?;
    Ok(if options.tiny { format!("TINY INPUTS: the figures mean nothing. {sentence}") } else { sentence })
}

/// One and two threads, where there are two processors.
fn threads() -> impl Iterator<Item = usize> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (1..=2).filter(move |&threads| threads <= cores)
}

/// Between two engines' samples.
const QUIET: Duration = Duration::from_millis(400);

/// Builds the measuring program and returns its path.
fn build() -> anyhow::Result<PathBuf> {
    run::step("release build of the measuring program");
    let messages = run::output(
        run::cargo()
            .args(["build", "--release", "--locked", "--package", "hilum-nn", "--bench", "peers"])
            .args(["--message-format", "json-render-diagnostics"])
            .current_dir(run::root())
            .stderr(Stdio::inherit()),
    )?;
    let built = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut programs = built.filter(|message| message["target"]["name"] == "peers");
    let program = programs.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    program.context("cargo did not say where it put the measuring program")
}

fn measuring(program: &Path, options: &Nn) -> Command {
    let mut command = Command::new(program);
    command.env_remove("HILUM_NN_ISA");
    if options.tiny {
        command.arg("--tiny");
    }
    command
}

/// Versions of all, or why they are missing.
fn versions(python: Option<&Path>) -> anyhow::Result<Vec<String>> {
    let Some(python) = python else {
        return Ok(vec!["No peer is installed (cargo xtask bench nn --install)".to_owned()]);
    };
    let told = run::output(peers::script(python).arg("version"))?;
    Ok(told.lines().map(str::to_owned).collect())
}

struct Setting<'a> {
    program: &'a Path,
    options: &'a Nn,
    python: Option<&'a Path>,
    export: &'a Path,
    isa: &'a str,
    runs: usize,
}

impl Setting<'_> {
    /// Where our time goes, for a row that missed an aim.
    fn layers(&self, work: &Work) -> anyhow::Result<String> {
        Ok(format!("\nWhere our time goes, in the shortest times of every part:\n\n{}", self.parts("layers", work)?))
    }

    /// What two threads gain, and what stops them.
    fn scaling(&self, work: &Work) -> anyhow::Result<String> {
        self.parts("scaling", work)
    }

    /// What our program tells of the row's parts.
    fn parts(&self, what: &str, work: &Work) -> anyhow::Result<String> {
        run::step(&format!("{}, {}: {what}", work.name, self.isa));
        let mut command = measuring(self.program, self.options);
        run::output(command.env("HILUM_NN_ISA", self.isa).args([what, &work.name]))
    }

    /// Starts all engines of a cell, then lets them take samples in turn.
    fn measure(&self, work: &Work, threads: usize, avx2_only: bool) -> anyhow::Result<Cell> {
        run::step(&format!("{}, {}, {threads} threads", work.name, self.isa));
        let start = |words: &[&str]| {
            let mut command = measuring(self.program, self.options);
            command.env("HILUM_NN_ISA", self.isa).args(words).arg(threads.to_string());
            Engine::start(words[0], &mut command)
        };
        let ours = |words: &[&str]| match start(words)? {
            Start::Ready(engine) => Ok(engine),
            Start::Absent(why) => bail!("{}: {why}", words[0]),
        };
        let mut engines = vec![ours(&["run", &work.name])?, ours(&["peak"])?];
        let mut bf16 = None;
        if work.kind == Kind::Forward
            && let Start::Ready(engine) = start(&["run-bf16", &work.name])?
        {
            bf16 = Some(engines.len());
            engines.push(engine);
        }
        let mut started = Vec::new();
        for peer in peers_of(work, avx2_only) {
            let Some(python) = self.python else {
                started.push((peer, Err("not installed: cargo xtask bench nn --install".to_owned())));
                continue;
            };
            match Engine::start(peer.name, &mut peer.command(python, self.export, threads, avx2_only))? {
                Start::Ready(engine) => {
                    same_work(work, &peer, engines[0].results, engine.results)?;
                    started.push((peer, Ok(engines.len())));
                    engines.push(engine);
                }
                Start::Absent(why) => started.push((peer, Err(format!("not installed ({why})")))),
            }
        }
        let mut samples = vec![Vec::new(); engines.len()];
        for _ in 0..self.runs {
            for (engine, samples) in engines.iter_mut().zip(&mut samples) {
                // Threads of the engine before may spin for a while after their last work (OpenMP's: 200 ms) and would take a processor from this one.
                std::thread::sleep(QUIET);
                samples.push(engine.measure()?);
            }
        }
        let timing = |at: usize| {
            let (engine, seconds) = (&engines[at], median(samples[at].clone()));
            anyhow::Ok(Timing { seconds, mib: engine.peak_mib()?, note: engine.note.clone() })
        };
        let peers = started.into_iter().map(|(peer, engine)| {
            Ok((
                peer,
                match engine {
                    Ok(at) => Outcome::Measured(timing(at)?),
                    Err(why) => Outcome::Absent(why),
                },
            ))
        });
        let mut ours_bf16 = bf16.map(timing).transpose()?;
        if let Some(timing) = &mut ours_bf16 {
            let mut parity = measuring(self.program, self.options);
            parity.env("HILUM_NN_ISA", self.isa).args(["parity", &work.name]);
            run::output(&mut parity)?.trim().clone_into(&mut timing.note);
        }
        let peers = peers.collect::<anyhow::Result<_>>()?;
        Ok(Cell { threads, peak: timing(1)?.seconds, ours: timing(0)?, ours_bf16, peers })
    }
}

/// Who can do this work here: bf16 only where the processor multiplies it, which without AVX-512 none does.
fn peers_of(work: &Work, avx2_only: bool) -> Vec<Peer> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags: BTreeSet<&str> =
        cpu.lines().filter(|line| line.starts_with("flags")).flat_map(str::split_whitespace).collect();
    let bf16 = !avx2_only && ["avx512_bf16", "amx_bf16"].iter().any(|flag| flags.contains(flag));
    let able = |peer: &&Peer| (!peer.bf16 || bf16) && (peer.trains || work.kind == Kind::Forward);
    PEERS.iter().filter(able).copied().collect()
}

/// Refuses a comparison with an engine whose results are others.
fn same_work(work: &Work, peer: &Peer, ours: [f64; 2], theirs: [f64; 2]) -> anyhow::Result<()> {
    // bf16 keeps 8 bits of every value, in fp32 the orders of summation differ.
    // A mean can lie near zero, so both figures of a forward pass are held against the root mean square.
    let size = if work.kind == Kind::Forward { ours[1] } else { ours[0] };
    let close = |i: usize, bound: f64| (ours[i] - theirs[i]).abs() <= bound * size.abs().max(1e-3);
    let near = match work.kind {
        Kind::Forward => (0..2).all(|i| close(i, if peer.bf16 { 0.03 } else { 1e-4 })),
        // The second loss comes after one step of Adam, which goes by the gradient's sign: tiny differences become whole ones, the more so the deeper
        // the network. Both must have moved alike.
        Kind::Training => {
            let [first, share] = if peer.bf16 { [0.2, 0.5] } else { [1e-3, 0.1] };
            close(0, first) && (ours[1] - theirs[1]).abs() <= share * (ours[1] - ours[0]).abs()
        }
    };
    ensure!(near, "{}: {} comes to {theirs:?}, we come to {ours:?}; that is not the same work", work.name, peer.name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(kind: &str) -> Work {
        let text = format!(
            "name = 'row'\nkind = '{kind}'\nshape = [1, 1, 8, 8]\nparameters = 3\ngflop = 2.0\naims = {{ fp32 = 2.0, bf16 = 1.5, avx2 = 1.0 }}"
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn an_engine_with_other_results_is_not_compared() {
        let fp32 = PEERS.iter().find(|peer| !peer.bf16).unwrap();
        let bf16 = PEERS.iter().find(|peer| peer.bf16).unwrap();
        let forward = work("forward");
        same_work(&forward, fp32, [0.5, 0.7], [0.50001, 0.7]).unwrap();
        same_work(&forward, bf16, [0.5, 0.7], [0.505, 0.7]).unwrap();
        let error = same_work(&forward, fp32, [0.5, 0.7], [0.505, 0.7]).unwrap_err().to_string();
        assert!(error.contains("not the same work"), "{error}");
        assert!(same_work(&forward, bf16, [0.5, 0.7], [f64::NAN, 0.7]).is_err());
        let training = work("training");
        same_work(&training, fp32, [0.7, 0.1], [0.7002, 0.12]).unwrap();
        assert!(same_work(&training, fp32, [0.7, 0.1], [0.7002, 0.3]).is_err(), "it moved by two thirds only");
        assert!(same_work(&training, fp32, [0.7, 0.1], [0.71, 0.1]).is_err());
        assert!(same_work(&training, bf16, [0.7, 0.1], [0.71, f64::NAN]).is_err());
    }

    #[test]
    fn only_peers_that_train_stand_beside_a_training_step_and_none_computes_in_bf16_without_avx512() {
        assert!(peers_of(&work("training"), false).iter().all(|peer| peer.trains));
        let restricted = peers_of(&work("forward"), true);
        assert!(restricted.iter().all(|peer| !peer.bf16) && restricted.len() == 3, "{restricted:?}");
    }
}
