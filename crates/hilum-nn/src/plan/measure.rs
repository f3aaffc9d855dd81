//! Convolutions timed on this machine, and a small file that remembers it.
//!
//! The file is one per processor, instruction set, class of thread counts and version of the kernels: a line with a checksum, then TOML with the
//! microseconds of every candidate by shape of layer. A file that is damaged or another's is ignored and written anew. It is replaced as a whole, so
//! that a reader never sees half of one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::choice::{Choice, Kernel, Tables, Task};
use super::precision::Precision;
use super::profile::Act;
use super::{CompileError, allocate, check_floats};
use crate::graph::Graph;
use crate::kernels::bf16::pair;
use crate::kernels::buffer::{Aligned, Format, LANES, View};
use crate::kernels::conv::Start;
use crate::kernels::method::{Method, WeightMethod};
use crate::kernels::pool::Pool;
use crate::kernels::{Isa, Kernels};

/// Counts changes of kernels that make measurements of before worthless.
const KERNELS: u32 = 1;
/// Every candidate runs at least so often, and so long.
const RUNS: usize = 5;
const SPAN: Duration = Duration::from_millis(6);
/// What a candidate must win over the rule's choice: less is noise.
const MARGIN: f64 = 0.93;

/// What measurements hold for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Machine {
    cpu: String,
    isa: String,
    /// Up to so many threads, a power of two.
    threads: usize,
    engine: String,
}

/// Microseconds of every candidate, by shape of layer.
type Times = BTreeMap<String, BTreeMap<String, f64>>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    machine: Machine,
    layers: Times,
}

/// The measurements of one machine.
pub(super) struct Measurements {
    machine: Machine,
    path: PathBuf,
    times: Times,
    new: bool,
}

/// FNV-1a.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The processor's name as the system gives it.
fn cpu() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = told.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let fields: Vec<String> =
        ["vendor_id", "cpu family", "model", "model name", "stepping"].into_iter().filter_map(field).collect();
    match (fields.is_empty(), std::env::var("PROCESSOR_IDENTIFIER")) {
        (false, _) => fields.join(" "),
        (true, Ok(name)) => name,
        (true, Err(_)) => std::env::consts::ARCH.to_owned(),
    }
}

impl Measurements {
    /// What the folder remembers of this machine.
    pub(super) fn of(folder: &Path, isa: Isa, threads: usize) -> Self {
        let machine = Machine {
            cpu: cpu(),
            isa: isa.to_string(),
            threads: threads.next_power_of_two(),
            engine: format!("{} {KERNELS}", env!("CARGO_PKG_VERSION")),
        };
        let name = format!("{machine:?}");
        let path = folder.join(format!("hilum-nn-{:016x}.measured", checksum(&name)));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let times = read(&text).filter(|file| file.machine == machine).map_or_else(Times::new, |file| file.layers);
        Self { machine, path, times, new: false }
    }

    /// The fastest of the candidates, of which the first is the rule's, and whether it had to be measured now.
    pub(super) fn fastest(
        &mut self,
        task: &Task,
        candidates: &[Choice],
        graph: &Graph,
        tables: Tables,
        pool: &mut Pool,
    ) -> Result<(Choice, bool), CompileError> {
        let key = task.key(candidates[0].precision);
        let known =
            |times: &BTreeMap<String, f64>| candidates.iter().all(|c| times.contains_key(&c.kernel.to_string()));
        let measured = !self.times.get(&key).is_some_and(known);
        if measured {
            let mut times = time(task, candidates, graph, tables, pool)?;
            // Who seems to beat the rule must do so twice: another program may have disturbed the rule's runs alone.
            if best(&times, candidates) != candidates[0] {
                for (kernel, again) in time(task, candidates, graph, tables, pool)? {
                    times.entry(kernel).and_modify(|least| *least = least.min(again));
                }
            }
            self.times.insert(key.clone(), times);
            self.new = true;
        }
        Ok((best(&self.times[&key], candidates), measured))
    }

    /// Writes what is new; the error is for people.
    pub(super) fn save(&self) -> Result<(), String> {
        static FILES: AtomicU64 = AtomicU64::new(0);
        if !self.new {
            return Ok(());
        }
        let say = |problem: &dyn std::fmt::Display| format!("{}: {problem}", self.path.display());
        let file = File { machine: self.machine.clone(), layers: self.times.clone() };
        let body = toml::to_string(&file).map_err(|e| say(&e))?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let unique = format!("hilum-nn-{}-{}.new", std::process::id(), FILES.fetch_add(1, Ordering::Relaxed));
        let fresh = folder.join(unique);
        std::fs::create_dir_all(folder).map_err(|e| say(&e))?;
        let written = std::fs::write(&fresh, format!("{:016x}\n{body}", checksum(&body)))
            .and_then(|()| std::fs::rename(&fresh, &self.path));
        written.map_err(|e| {
            // The half-written file is nobody's; that it stays changes nothing.
            let _left = std::fs::remove_file(&fresh);
            say(&e)
        })
    }
}

/// The fastest candidate by these times, or the first, which is the rule's, where none beats it clearly.
fn best(times: &BTreeMap<String, f64>, candidates: &[Choice]) -> Choice {
    let of = |choice: &Choice| times[&choice.kernel.to_string()];
    let mut best = candidates[0];
    for candidate in &candidates[1..] {
        let bar = if best == candidates[0] { MARGIN * of(&best) } else { of(&best) };
        if of(candidate) < bar {
            best = *candidate;
        }
    }
    best
}

/// A file's content, if it is whole.
fn read(text: &str) -> Option<File> {
    let (sum, body) = text.split_once('\n')?;
    if u64::from_str_radix(sum, 16).ok()? != checksum(body) {
        return None;
    }
    let file: File = toml::from_str(body).ok()?;
    file.layers.values().flat_map(BTreeMap::values).all(|t| t.is_finite() && *t > 0.0).then_some(file)
}

/// What is timed.
enum Way {
    Inference(Method),
    /// In training, with its weights' packing: the result or the input's gradient.
    Convolution(Method),
    Gradient(WeightMethod),
}

impl Way {
    fn of(task: &Task, choice: Choice, k: &Kernels, graph: &Graph, x: View, y: View) -> Self {
        let (x, y) = ((x, task.x_lanes.as_slice()), (y, task.y_lanes.as_slice()));
        let forward = || choice.method(k, graph, task.node, x, y);
        match task.training {
            None => Self::Inference(forward()),
            Some(Act::Weights) => Self::Gradient(choice.weight_method(k, &task.geometry, x, y)),
            Some(Act::Data) => Self::Convolution(choice.data_method(k, &task.geometry, y, x)),
            Some(_) => Self::Convolution(forward()),
        }
    }

    /// Floats of packed weights and of scratch.
    fn lens(&self, threads: usize) -> (usize, usize) {
        match self {
            Self::Inference(method) | Self::Convolution(method) => (method.weight_len(), method.scratch_len(threads)),
            Self::Gradient(method) => (0, method.scratch_len(threads)),
        }
    }
}

/// Microseconds of every candidate: the least of several runs, taken in turn.
fn time(
    task: &Task,
    candidates: &[Choice],
    graph: &Graph,
    tables: Tables,
    pool: &mut Pool,
) -> Result<BTreeMap<String, f64>, CompileError> {
    let format = match candidates[0].precision {
        Precision::F32 => Format::F32,
        Precision::Bf16 => Format::Bf16,
    };
    let view = |offset: usize, lanes: &[usize], [d, h, w]: [usize; 3]| {
        let blocks = lanes.len();
        View { offset, n: task.n, image: blocks * d * h * w * format.pixel(), blocks, d, h, w, format }
    };
    let x = view(0, &task.x_lanes, task.x_size);
    let y = view(x.end().next_multiple_of(LANES), &task.y_lanes, task.y_size);
    // Numbers whose products and sums are as ordinary as a network's.
    let usual = if format == Format::F32 { 0.5 } else { pair(0.5, 0.5) };
    check_floats(y.end() as u128)?;
    let mut arena = allocate(y.end())?;
    arena.fill(usual);
    let bias = Aligned::zeroed(task.y_lanes.len() * LANES);
    let parameter = &graph.parameters()[graph.nodes()[task.node].first_parameter];
    let mut tensor = vec![0.5; parameter.shape.iter().product()];
    let mut ready = Vec::new();
    for choice in candidates {
        let k = tables.of(choice.precision);
        let way = Way::of(task, *choice, k, graph, x, y);
        let (weights, scratch) = way.lens(pool.threads());
        let (mut weights, scratch) = (allocate(weights)?, allocate(scratch)?);
        weights.fill(usual);
        ready.push((k, way, weights, scratch, f64::MAX));
    }
    let (start, mut runs) = (Instant::now(), 0);
    // The first run of each only fills the caches.
    while runs <= RUNS || start.elapsed() < SPAN * candidates.len() as u32 {
        for (k, way, weights, scratch, best) in &mut ready {
            let start = Instant::now();
            match way {
                Way::Inference(method) => {
                    method.run(k, pool, &mut arena, weights, &bias, Start::Bias, true, scratch);
                }
                // Every step brings new weights, whose packing differs between kernels as much as their products.
                Way::Convolution(method) => {
                    method.pack(k, pool, &tensor, weights);
                    method.run(k, pool, &mut arena, weights, &bias, Start::Zero, false, scratch);
                }
                Way::Gradient(method) => method.run(k, pool, &mut arena, scratch, &mut tensor),
            }
            if runs > 0 {
                *best = best.min(start.elapsed().as_secs_f64() * 1e6);
            }
        }
        runs += 1;
    }
    // A clock that did not move measured at least something.
    Ok(candidates.iter().zip(ready).map(|(c, (.., best))| (c.kernel.to_string(), best.max(1e-3))).collect())
}

impl std::fmt::Display for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::Winograd => "winograd",
            Self::Window => "window",
        })
    }
}
