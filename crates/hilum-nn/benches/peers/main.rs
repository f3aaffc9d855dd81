//! The program that `cargo xtask bench nn` measures beside the peers (`peers.py` speaks the same language):
//!
//! - `works [--tiny]`: the rows as TOML;
//! - `export NAME FOLDER [--tiny]`: what a peer needs to run a row;
//! - `run NAME THREADS [--tiny]`: prepares, prints `ready A B` with two figures of the results (forward: mean and root mean square; training: the loss
//!   of the first and of the second step), then answers every line `go` with the seconds of one run;
//! - `run-bf16 NAME THREADS [--tiny]`: the same for a forward pass in bf16; `absent WHY` where it is refused;
//! - `parity NAME [--tiny]`: a line on how far the results in bf16 are from those in f32, empty where bf16 is refused;
//! - `layers NAME [--all]`: where the time of a row goes, as a table of layers on one thread and on two;
//! - `choices NAME`: what kernels chosen by measuring gain over the rule's, on one thread and on two;
//! - `peak THREADS`: the same, answering with GFLOP/s of multiply-adds in registers.
//!
//! The instruction set is the engine's choice: `HILUM_NN_ISA`.

use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use hilum_nn::plan::ISA_VARIABLE;
use hilum_nn::{
    AdamConfig, CompileError, Inference, Isa, LossConfig, Op, Options, Parity, ParityError, Precision, Trainer,
};
use serde::Serialize;

mod layers;
mod limits;
mod works;

use works::{Kind, Told, WORKS, Work, extents};

/// A sample lasts at least this long and is the mean of its runs.
const SAMPLE: Duration = Duration::from_millis(500);
/// The learning rate of the training rows.
const RATE: f32 = 1e-3;

/// Values in -1..1 that every language makes alike.
fn noise(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f32 / 8_388_608.0 - 1.0).collect()
}

/// Where the noise of the targets is positive.
fn targets(len: usize) -> Vec<f32> {
    noise(len + 7)[7..].iter().map(|&v| f32::from(u8::from(v > 0.0))).collect()
}

/// Seconds of one run, in the mean of a sample.
fn sample(mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut runs = 0.0;
    while runs == 0.0 || start.elapsed() < SAMPLE {
        run();
        runs += 1.0;
    }
    start.elapsed().as_secs_f64() / runs
}

/// Says that all is prepared, then answers until nobody asks any more.
fn serve([a, b]: [f64; 2], mut measure: impl FnMut() -> f64) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    writeln!(out, "ready {a:e} {b:e}")?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        match line?.as_str() {
            "go" => writeln!(out, "{:e}", measure())?,
            other => return Err(format!("understood is go, not {other:?}").into()),
        }
        out.flush()?;
    }
    Ok(())
}

fn run(work: &Work, threads: usize, tiny: bool, precision: Precision) -> Result<(), Box<dyn Error>> {
    let (network, weights, shape) = ((work.network)(), work.weights(), work.input(tiny));
    let options = Options { threads, isa: None };
    let x = noise(extents(&network, shape).iter().product());
    match work.kind {
        Kind::Forward => {
            let mut plan = match Inference::compile_with(&network, &weights, shape, options, precision) {
                Err(refused @ CompileError::NoBf16(_)) => {
                    println!("absent {refused}");
                    return Ok(());
                }
                other => other?,
            };
            let out = plan.output_shape();
            let mut y = vec![0.0; shape.n * out.c * out.d * out.h * out.w];
            plan.forward(&x, &mut y)?;
            let count = y.len() as f64;
            let mean = y.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
            let square = y.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / count;
            serve([mean, square.sqrt()], || sample(|| plan.forward(&x, black_box(&mut y)).expect("ran before")))
        }
        Kind::Training => {
            let loss = LossConfig { bce: 1.0, dice: 0.0, ..LossConfig::default() };
            let outputs = targets(work.told(tiny).outputs());
            let mut trainer = Trainer::compile(&network, weights, shape, loss, AdamConfig::default(), options)?;
            let mut step = || trainer.step(&x, &outputs, RATE);
            let losses = [f64::from(step()?), f64::from(step()?)];
            serve(losses, || sample(|| assert!(step().expect("ran before").is_finite())))
        }
    }
}

/// How far bf16 is from f32 on the row's input; a map's masks are those of a probability of one half.
fn parity(work: &Work, tiny: bool) -> Result<(), Box<dyn Error>> {
    let (network, weights, shape) = ((work.network)(), work.weights(), work.input(tiny));
    let x = noise(extents(&network, shape).iter().product());
    let threshold = if matches!(network.layers().last().map(|layer| &layer.op), Some(Op::Sigmoid)) { 0.5 } else { 0.0 };
    let bf16 = Precision::Bf16.into();
    match Parity::measure(&network, &weights, shape, Options::default(), &bf16, [x.as_slice()], threshold) {
        Err(ParityError::Compile(CompileError::NoBf16(_))) => {}
        other => {
            let all = other?.all;
            print!("RMS {:.1e}, largest {:.1e} of the RMS in f32", all.rms, all.max);
            let out = network.cost(shape)?.output;
            if out.d * out.h * out.w > 1 {
                print!(", masks {:.2} % alike (Dice {:.4})", 100.0 * all.agreement, all.dice);
            }
            println!();
        }
    }
    Ok(())
}

/// The instruction set that plans take.
fn best_isa() -> Result<Isa, Box<dyn Error>> {
    Ok(match std::env::var(ISA_VARIABLE) {
        Ok(name) if !name.is_empty() => name.parse()?,
        _ => Isa::best(),
    })
}

/// Multiply-adds in registers on that many threads at once.
fn peak(threads: usize) -> Result<(), Box<dyn Error>> {
    let isa = best_isa()?;
    let work = |rounds| isa.multiply_adds(rounds).ok_or_else(|| format!("this processor has no {isa}"));
    let start = Instant::now();
    let first = work(1 << 16)? as f64 / start.elapsed().as_secs_f64();
    let rounds = (first * SAMPLE.as_secs_f64() / work(1)? as f64) as u64;
    serve([0.0; 2], || {
        let start = Instant::now();
        let done: u64 = std::thread::scope(|scope| {
            let all: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(rounds).unwrap_or(0))).collect();
            all.into_iter().map(|one| one.join().unwrap_or(0)).sum()
        });
        done as f64 / 1e9 / start.elapsed().as_secs_f64()
    })
}

fn works(tiny: bool) -> Result<(), Box<dyn Error>> {
    #[derive(Serialize)]
    struct All {
        isa: String,
        work: Vec<Told>,
    }
    let all = All { isa: Isa::best().to_string(), work: WORKS.iter().map(|work| work.told(tiny)).collect() };
    print!("{}", toml::to_string(&all)?);
    Ok(())
}

/// One and two, where there are two processors.
fn threads() -> Vec<usize> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (1..=2).filter(|&threads| threads <= cores).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tiny = arguments.iter().any(|a| a == "--tiny");
    // `cargo bench` adds --bench.
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|a| !a.starts_with("--")).collect();
    let named = |name: &str| Work::named(name).ok_or_else(|| format!("no row is called {name}"));
    match words[..] {
        ["works"] => works(tiny),
        ["export", name, folder] => named(name)?.export(tiny, Path::new(folder)),
        ["run", name, threads] => run(named(name)?, threads.parse()?, tiny, Precision::F32),
        ["run-bf16", name, threads] => run(named(name)?, threads.parse()?, tiny, Precision::Bf16),
        ["parity", name] => parity(named(name)?, tiny),
        ["layers", name] => layers::print(named(name)?, &threads(), tiny, arguments.iter().any(|a| a == "--all")),
        ["scaling", name] => layers::print_scaling(named(name)?, &threads(), tiny),
        ["choices", name] => layers::print_choices(named(name)?, &threads(), tiny),
        ["peak", threads] => peak(threads.parse()?),
        _ => {
            println!(
                "works | export NAME FOLDER | run NAME THREADS | run-bf16 NAME THREADS | parity NAME | layers NAME | \
                 scaling NAME | choices NAME | peak THREADS; \
                 see cargo xtask bench nn"
            );
            Ok(())
        }
    }
}
