//! Where the time of a row goes: layers of one kind and shape together, on one thread and on two, with the share of the processor's peak that they reach.

use std::collections::HashMap;
use std::error::Error;
use std::time::{Duration, Instant};

use hilum_nn::plan::{Act, Part};
use hilum_nn::{AdamConfig, Computation, Inference, LossConfig, Options, Trainer};

use crate::limits::Ceilings;
use crate::works::{Kind, Work, extents};
use crate::{RATE, noise, targets};

/// Rows shown; the others are summed up.
const SHOWN: usize = 14;
/// For each number of threads, at least.
const WATCHED: Duration = Duration::from_secs(4);

/// Layers of one kind and shape.
struct Group {
    name: String,
    act: Act,
    layers: usize,
    /// The first of them.
    first: String,
    gflop: f64,
    /// On every number of threads.
    seconds: Vec<f64>,
}

fn name(part: &Part) -> String {
    if part.layer.is_empty() {
        return "-".to_owned();
    }
    let hilum_nn::Shape { c, d, h, w } = part.output;
    let depth = if d == 1 { String::new() } else { format!("{d}x") };
    format!("{}, {} -> {c} at {}x{depth}{h}x{w}", part.kind, part.inputs, part.n)
}

/// One plan at one number of threads: gives the parts of that many rounds.
type Watched = Box<dyn FnMut(usize) -> Result<Vec<Part>, Box<dyn Error>>>;

fn watched(work: &Work, threads: usize, tiny: bool, computation: &Computation) -> Result<Watched, Box<dyn Error>> {
    let (network, weights, shape) = ((work.network)(), work.weights(), work.input(tiny));
    let options = Options { threads, isa: None };
    Ok(match work.kind {
        Kind::Forward => {
            let mut plan = Inference::compile_with(&network, &weights, shape, options, computation.clone())?;
            Box::new(move |rounds| Ok(plan.profile(rounds)?))
        }
        Kind::Training => {
            let loss = LossConfig { bce: 1.0, dice: 0.0, ..LossConfig::default() };
            let (x, y) = (noise(extents(&network, shape).iter().product()), targets(work.told(tiny).outputs()));
            let (adam, computation) = (AdamConfig::default(), computation.clone());
            let mut trainer = Trainer::compile_with(&network, weights, shape, loss, adam, options, computation)?;
            Box::new(move |rounds| Ok(trainer.profile(&x, &y, RATE, rounds)?))
        }
    })
}

/// The shortest times of all parts for every number of threads, which take turns.
fn measure(work: &Work, threads: &[usize], tiny: bool) -> Result<Vec<Vec<Part>>, Box<dyn Error>> {
    let plan = |&threads: &usize| watched(work, threads, tiny, &Computation::default());
    shortest(threads.iter().map(plan).collect::<Result<_, _>>()?)
}

/// The shortest times of all parts of every plan; plans take turns.
fn shortest(mut plans: Vec<Watched>) -> Result<Vec<Vec<Part>>, Box<dyn Error>> {
    let mut best: Vec<Vec<Part>> = plans.iter_mut().map(|plan| plan(2)).collect::<Result<_, _>>()?;
    let start = Instant::now();
    while start.elapsed() < WATCHED * plans.len() as u32 {
        for (plan, best) in plans.iter_mut().zip(&mut best) {
            for (best, again) in best.iter_mut().zip(plan(2)?) {
                best.seconds = best.seconds.min(again.seconds);
            }
        }
    }
    Ok(best)
}

fn group(parts: &[Vec<Part>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known: HashMap<(String, Act), usize> = HashMap::new();
    for i in 0..parts[0].len() {
        let part = &parts[0][i];
        let at = *known.entry((name(part), part.act)).or_insert_with(|| {
            let (name, act, first) = (name(part), part.act, part.layer.clone());
            groups.push(Group { name, act, layers: 0, first, gflop: 0.0, seconds: vec![0.0; parts.len()] });
            groups.len() - 1
        });
        groups[at].layers += 1;
        groups[at].gflop += 2.0 * part.multiply_adds as f64 / 1e9;
        groups[at].seconds.iter_mut().zip(parts).for_each(|(sum, parts)| *sum += parts[i].seconds);
    }
    groups
}

/// Prints what two threads gain and what stops them.
pub fn print_scaling(work: &Work, threads: &[usize], tiny: bool) -> Result<(), Box<dyn Error>> {
    println!("- {}", Ceilings::measure(threads)?.sentence(&measure(work, threads, tiny)?));
    Ok(())
}

/// Prints what measured choices of kernels gain over the rule's, part by part where they differ.
pub fn print_choices(work: &Work, threads: &[usize], tiny: bool) -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("hilum-nn-choices-{}", std::process::id()));
    let by_measuring = Computation { measurements: Some(folder.clone()), ..Computation::default() };
    for &threads in threads {
        let plan = |computation: &Computation| watched(work, threads, tiny, computation);
        let parts = shortest(vec![plan(&Computation::default())?, plan(&by_measuring)?])?;
        let total = |parts: &[Part]| 1e3 * parts.iter().map(|part| part.seconds).sum::<f64>();
        let [rule, measured] = [total(&parts[0]), total(&parts[1])];
        let gain = rule / measured;
        println!(
            "- {threads} threads: {rule:.2} ms by the rule, {measured:.2} ms by measuring: {gain:.3} times as fast"
        );
        let convolutions = parts[0].iter().filter(|part| part.multiply_adds > 0).count();
        let mut groups: Vec<Group> = group(&parts);
        let others: HashMap<_, _> = parts[1].iter().map(|part| ((&part.layer, part.act), &part.kind)).collect();
        let chosen = |g: &Group| {
            let part = parts[0].iter().find(|part| part.layer == g.first && part.act == g.act)?;
            others.get(&(&part.layer, part.act)).filter(|kind| **kind != &part.kind && part.multiply_adds > 0)
        };
        groups.retain(|g| chosen(g).is_some());
        let changed: usize = groups.iter().map(|g| g.layers).sum();
        println!("- of {convolutions} products {changed} are chosen differently");
        groups.sort_by(|a, b| (b.seconds[0] - b.seconds[1]).total_cmp(&(a.seconds[0] - a.seconds[1])));
        println!("\n| part by the rule | layers | by measuring | rule, ms | measured, ms |\n|---|---|---|---|---|");
        for g in &groups {
            let kind = chosen(g).map_or("", |kind| kind.as_str());
            let [rule, measured] = [g.seconds[0], g.seconds[1]].map(|s| 1e3 * s);
            println!("| {}: {} | {} | {kind} | {rule:.3} | {measured:.3} |", g.act, g.name, g.layers);
        }
        println!();
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// Prints the row's parts, those that take longest first.
pub fn print(work: &Work, threads: &[usize], tiny: bool, all: bool) -> Result<(), Box<dyn Error>> {
    let (ceilings, parts) = (Ceilings::measure(threads)?, measure(work, threads, tiny)?);
    let peak = ceilings.peaks[0];
    let mut groups = group(&parts);
    let last = threads.len() - 1;
    groups.sort_by(|a, b| b.seconds[last].total_cmp(&a.seconds[last]));
    let total = |act: Option<Act>, i: usize| -> f64 {
        groups.iter().filter(|g| act.is_none_or(|act| g.act == act)).map(|g| g.seconds[i]).sum()
    };
    let columns: Vec<_> = threads.iter().map(|t| format!("{t} thread{}, ms", if *t == 1 { "" } else { "s" })).collect();
    println!("| part | layers | {} | scaling | GFLOP/s | of the peak |", columns.join(" | "));
    println!("|---|---|{}---|---|---|", "---|".repeat(threads.len()));
    let line = |what: &str, layers: usize, seconds: &[f64], gflop: f64| {
        let times: Vec<_> = seconds.iter().map(|s| format!("{:.2}", s * 1e3)).collect();
        let speed = gflop / seconds[last];
        let [speed, share] = if gflop > 0.0 {
            [format!("{speed:.0}"), format!("{:.0} %", 100.0 * speed / (peak * threads[last] as f64))]
        } else {
            ["-".to_owned(), "-".to_owned()]
        };
        let scaling = seconds[0] / seconds[last];
        println!("| {what} | {layers} | {} | {scaling:.2} | {speed} | {share} |", times.join(" | "));
    };
    let shown = if all { groups.len() } else { SHOWN.min(groups.len()) };
    for g in &groups[..shown] {
        let first = if g.layers == 1 && !g.first.is_empty() { format!(" ({})", g.first) } else { String::new() };
        line(&format!("{}: {}{first}", g.act, g.name), g.layers, &g.seconds, g.gflop);
    }
    let sum = |groups: &[Group]| -> (usize, Vec<f64>, f64) {
        let seconds = (0..threads.len()).map(|i| groups.iter().map(|g| g.seconds[i]).sum()).collect();
        (groups.iter().map(|g| g.layers).sum(), seconds, groups.iter().map(|g| g.gflop).sum())
    };
    if shown < groups.len() {
        let (layers, seconds, gflop) = sum(&groups[shown..]);
        line("all others", layers, &seconds, gflop);
    }
    let (layers, seconds, gflop) = sum(&groups);
    line("**all**", layers, &seconds, gflop);
    println!();
    println!("- {}", ceilings.sentence(&parts));
    for sentence in limits(&groups, peak * threads[last] as f64, last) {
        println!("- {sentence}");
    }
    for act in [Act::Forward, Act::Weights, Act::Data, Act::Pack, Act::Update, Act::Loss] {
        let times: Vec<_> = (0..threads.len()).map(|i| format!("{:.2}", 1e3 * total(Some(act), i))).collect();
        if total(Some(act), 0) > 0.0 {
            println!("- {act}: {} ms", times.join(", "));
        }
    }
    Ok(())
}

/// What keeps the row from being faster, in figures.
fn limits(groups: &[Group], peak: f64, last: usize) -> [String; 2] {
    let all: f64 = groups.iter().map(|g| g.seconds[last]).sum();
    let share = |g: &Group| g.gflop / g.seconds[last] / peak;
    let percent = |part: f64| format!("{:.0} %", 100.0 * part);
    let mut far: Vec<&Group> = groups.iter().filter(|g| g.gflop > 0.0 && g.seconds[last] > 0.01 * all).collect();
    far.sort_by(|a, b| share(a).total_cmp(&share(b)));
    let far: Vec<_> = far.iter().take(4).map(|g| format!("{} of {} ({})", g.act, g.name, percent(share(g)))).collect();
    // Winograd does less than the definition: what is above the peak is left as it is.
    let (products, others): (Vec<&Group>, Vec<&Group>) = groups.iter().partition(|g| g.gflop > 0.0);
    let time = |groups: &[&Group], i: usize| groups.iter().map(|g| g.seconds[i]).sum::<f64>();
    let at_peak: f64 = products.iter().map(|g| g.seconds[last].min(g.gflop / peak)).sum();
    let rest = time(&others, last);
    let memory = if rest > 0.0 {
        format!(
            "passes without products (normalisation, sums, pooling, packing, update) take {} and scale {:.2}-fold, since they wait for memory",
            percent(rest / all),
            time(&others, 0) / rest
        )
    } else {
        "there are no other passes".to_owned()
    };
    [
        format!("Farthest from the peak, of parts that take more than 1 % of the time: {}.", far.join("; ")),
        format!(
            "The limit: products take {} of the time, and would take {} if none stayed below the peak; {memory}. \
             Faster tiles alone could bring {:.1} ms to {:.1} ms.",
            percent(time(&products, last) / all),
            percent(at_peak / all),
            1e3 * all,
            1e3 * (at_peak + rest)
        ),
    ]
}
