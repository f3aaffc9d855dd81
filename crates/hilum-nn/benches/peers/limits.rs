//! What two threads can gain on this machine: the ceilings of multiply-adds and of memory on one thread and on more, measured beside the layers, and what
//! they leave of a row's scaling.

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use hilum_nn::Isa;
use hilum_nn::plan::Part;

use crate::best_isa;

/// Bytes of the passes through memory that are timed: what stays in a core's own cache, in the shared one, and in none.
const PASSES: [usize; 5] = [1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 28];
/// Rounds, of which the best counts.
const ROUNDS: usize = 6;
/// Bytes that a round passes over at least.
const ROUND: usize = 1 << 28;
/// What two threads shall gain.
const AIM: f64 = 1.85;

/// The machine's ceilings by number of threads.
pub struct Ceilings {
    threads: Vec<usize>,
    /// Multiply-adds in registers, GFLOP/s.
    pub peaks: Vec<f64>,
    /// GB/s of passes that read two arrays and write a third, by [`PASSES`].
    memory: Vec<[f64; PASSES.len()]>,
}

impl Ceilings {
    pub fn measure(threads: &[usize]) -> Result<Self, Box<dyn Error>> {
        let isa = best_isa()?;
        isa.multiply_adds(1).ok_or_else(|| format!("this processor has no {isa}"))?;
        let peaks = threads.iter().map(|&threads| peak(isa, threads)).collect();
        let memory = threads.iter().map(|&threads| PASSES.map(|bytes| stream(bytes, threads))).collect();
        Ok(Self { threads: threads.to_vec(), peaks, memory })
    }

    /// GB/s of a pass over so many bytes: that of the next larger one measured.
    fn bandwidth(&self, at: usize, bytes: u64) -> f64 {
        let pass = PASSES.iter().position(|&pass| bytes <= pass as u64).unwrap_or(PASSES.len() - 1);
        self.memory[at][pass]
    }

    /// The least time of a part on the most threads, and whether memory decides: it takes the share of one thread's time that multiply-adds gain, and no
    /// less than its bytes take on as many threads. What one thread did faster than its bytes pass by lay in a nearer cache, or was not moved at all: of
    /// that, memory is granted its own gain.
    fn least(&self, part: &Part) -> (f64, bool) {
        let last = self.threads.len() - 1;
        let shared = part.seconds * self.peaks[0] / self.peaks[last];
        let [one, more] = [0, last].map(|at| self.bandwidth(at, part.bytes));
        let passed = (part.bytes as f64 / 1e9 / more).min(part.seconds * one / more);
        (shared.max(passed), passed > shared)
    }

    /// In words, what the layers of one thread and of the most threads say of the limit.
    pub fn sentence(&self, parts: &[Vec<Part>]) -> String {
        let last = self.threads.len() - 1;
        if last == 0 {
            return "There is one processor: nothing scales.".to_owned();
        }
        let total = |at: usize| parts[at].iter().map(|part| part.seconds).sum::<f64>();
        let (mut least, mut held) = (0.0, 0.0);
        let mut by_kind: BTreeMap<String, f64> = BTreeMap::new();
        for part in &parts[0] {
            let (time, by_memory) = self.least(part);
            least += time;
            if by_memory {
                held += time;
                let kind = part.kind.split([' ', ',']).next().filter(|kind| !kind.is_empty());
                *by_kind.entry(kind.map_or_else(|| part.act.to_string(), str::to_owned)).or_default() += time;
            }
        }
        let mut kinds: Vec<_> = by_kind.into_iter().collect();
        kinds.sort_by(|a, b| b.1.total_cmp(&a.1));
        let percent = |time: f64| format!("{:.0} %", 100.0 * time / least);
        let kinds: Vec<_> = kinds.iter().take(4).map(|(kind, time)| format!("{kind} {}", percent(*time))).collect();
        let (reached, most) = (total(0) / total(last), total(0) / least);
        let gain = |pass: usize| self.memory[last][pass] / self.memory[0][pass];
        let verdict = match reached {
            _ if reached >= AIM => format!("aim {AIM} times one thread, reached"),
            _ if most < AIM => format!("aim {AIM} times one thread, beyond what this machine lets"),
            _ => format!("aim {AIM} times one thread, MISSED"),
        };
        let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        format!(
            "{} threads: {verdict}: {reached:.2} in the sum of all parts' shortest times. The machine's ceilings allow about {most:.2}: multiply-adds gain {:.2}, passes over \
             {} MB of memory {:.2} ({:.0} and {:.0} GB/s), over {} MB in the shared cache {:.2}; what waits for memory takes {} of that least time{kinds}.",
            self.threads[last],
            self.peaks[last] / self.peaks[0],
            PASSES[4] >> 20,
            gain(4),
            self.memory[0][4],
            self.memory[last][4],
            PASSES[2] >> 20,
            gain(2),
            percent(held),
        )
    }
}

/// GFLOP/s of multiply-adds in registers: the best of many runs, for the system needs a while until each thread has a processor of its own.
fn peak(isa: Isa, threads: usize) -> f64 {
    let all = Barrier::new(threads);
    let run = || {
        all.wait();
        let since = Instant::now();
        let done = isa.multiply_adds(1 << 20).unwrap_or(0);
        all.wait();
        (done, since.elapsed().as_secs_f64())
    };
    let round = || {
        let runs = together(threads, |_| run());
        let longest = runs.iter().map(|(_, seconds)| *seconds).fold(0.0, f64::max);
        runs.iter().map(|(done, _)| *done as f64).sum::<f64>() / 1e9 / longest
    };
    let since = Instant::now();
    let mut best = round();
    while since.elapsed() < Duration::from_millis(500) {
        best = best.max(round());
    }
    best
}

/// GB/s of passes over `bytes` bytes of three arrays, shared out by threads: the best of some rounds.
fn stream(bytes: usize, threads: usize) -> f64 {
    let (floats, passes) = (bytes / 4 / 3 / threads, (ROUND / bytes).max(1));
    let all = Barrier::new(threads);
    let rounds = together(threads, |_| {
        let (a, b, mut c) = (vec![1.0_f32; floats], vec![0.5_f32; floats], vec![0.0_f32; floats]);
        let round = |c: &mut [f32]| {
            all.wait();
            let since = Instant::now();
            for _ in 0..passes {
                for ((c, a), b) in c.iter_mut().zip(&a).zip(&b) {
                    *c = a + 0.5 * b;
                }
                black_box(&mut *c);
            }
            // Whoever is kept waiting by others on the machine keeps the round open: two that ran one after the other are not taken for two at once.
            all.wait();
            since.elapsed().as_secs_f64()
        };
        [(); ROUNDS].map(|()| round(&mut c))
    });
    let longest = |round: usize| rounds.iter().map(|seconds| seconds[round]).fold(0.0, f64::max);
    let best = (0..ROUNDS).map(longest).fold(f64::MAX, f64::min);
    (12 * floats * threads * passes) as f64 / 1e9 / best
}

/// Runs `work` on so many threads at once.
fn together<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads)
            .map(|i| {
                scope.spawn({
                    let work = &work;
                    move || work(i)
                })
            })
            .collect();
        all.into_iter().map(|one| one.join().expect("nothing panics")).collect()
    })
}
