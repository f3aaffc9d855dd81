//! Synthetic patients, read by a model, their stones measured from what the network marked: `measure_read_stones MODEL PATIENTS` prints a table.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use hilum_clinical::urinary_stone::{MeasuredBy, Stone, TractReference, measure};
use hilum_engine::{measured_stones, point_spread};
use hilum_imaging::phantom::{PhantomRecipe, PhantomStudy, StonePlan, StoneTruth, generate};
use hilum_infer::{Model, SliceStack, read_stack};
use ndarray::Axis;

#[path = "../../hilum-clinical/tests/trial/mod.rs"]
#[allow(dead_code, reason = "shared with hilum-clinical's tests and example")]
mod trial;

/// First seed; the shipped model was trained on others.
const SEED: u64 = 880_000;

/// A stone that was found, as measured by density and by counting.
struct Pair {
    truth: StoneTruth,
    stone: Stone,
    counted: Stone,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(model), Some(patients)) = (arguments.first(), arguments.get(1).and_then(|n| n.parse::<u64>().ok()))
    else {
        eprintln!("usage: measure_read_stones MODEL PATIENTS");
        return ExitCode::from(2);
    };
    let model = Model::open(Path::new(model)).expect("a model folder");
    println!("\n## Whole synthetic patients, marked by the shipped network\n");
    println!(
        "{patients} patients for each slice thickness, 8 stones drawn for each; only stones that the network found. Those of 4 mm and more apart.\n"
    );
    println!(
        "| slices, mm | stones | found / n | by density | diameter bias, mm (95 % CI) | counting: diameter bias, mm (95 % CI) | volume bias, % (95 % CI) | counting: volume bias, % (95 % CI) | diameter interval holds the truth, % (95 % CI) | volume interval holds the truth, % (95 % CI) |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for thickness in [1.5, 5.0] {
        let (mut pairs, mut truths) = (Vec::new(), Vec::new());
        for patient in 0..patients {
            eprintln!("{thickness} mm, patient {}", patient + 1);
            let study = generate(&PhantomRecipe {
                seed: SEED + patient,
                slice_thickness_mm: thickness,
                stones: StonePlan::Count(8),
                ..PhantomRecipe::default()
            })
            .expect("a phantom");
            pairs.extend(found(&model, &study));
            truths.extend(study.stones);
        }
        for (name, least) in [("all", 0.0), ("from 4 mm up", 4.0)] {
            let n = truths.iter().filter(|t| t.largest_diameter_mm >= least).count();
            line(
                thickness,
                name,
                n,
                &pairs.iter().filter(|p| p.truth.largest_diameter_mm >= least).collect::<Vec<_>>(),
            );
        }
    }
    ExitCode::SUCCESS
}

fn found(model: &Model, study: &PhantomStudy) -> Vec<Pair> {
    let volume = &study.volume;
    let (slices, rows, columns) = volume.hu.dim();
    let stack = SliceStack { slices, rows, columns, geometry: volume.geometry };
    let slice = |z: usize| Ok::<_, Infallible>(volume.hu.index_axis(Axis(0), z).to_owned());
    let reading = read_stack(model, &stack, slice, &mut |_| ControlFlow::Continue(())).expect("a reading");
    let spread = point_spread(None, &volume.geometry);
    let stones = measured_stones(reading, &stack, spread, slice).expect("slices").stones;
    let nearest = |truth: &StoneTruth| {
        let gap = |stone: &Stone| {
            let centre = stone.centre_mm.expect("a volume has millimetres");
            (0..3).map(|k| (centre[k] - truth.centre_patient_mm[k]).powi(2)).sum::<f64>().sqrt()
        };
        let best = stones.iter().min_by(|a, b| gap(&a.stone).total_cmp(&gap(&b.stone)))?;
        (gap(&best.stone) <= (truth.largest_diameter_mm / 2.0).max(3.0)).then_some(best)
    };
    let pair = |truth: &StoneTruth| {
        let reading = nearest(truth)?;
        let mark = hilum_clinical::urinary_stone::Candidate { voxels: reading.voxels.clone() };
        let counted = measure(vec![mark], Some(&volume.geometry), &TractReference::default()).remove(0).stone;
        Some(Pair { truth: truth.clone(), stone: reading.stone.clone(), counted })
    };
    study.stones.iter().filter_map(pair).collect()
}

fn line(thickness: f64, name: &str, n: usize, pairs: &[&Pair]) {
    let bias = |error: &dyn Fn(&Pair) -> f64, digits: usize| {
        let values: Vec<f64> = pairs.iter().map(|p| error(p)).collect();
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
        let half = 1.96 * (variance / count).sqrt();
        format!("{mean:+.digits$} ({:+.digits$} to {:+.digits$})", mean - half, mean + half)
    };
    let diameter = |stone: &Stone| stone.largest_diameter_mm.expect("a volume has millimetres");
    let volume = |stone: &Stone| stone.volume_mm3.expect("a volume has millimetres");
    let by_density = pairs.iter().filter(|p| p.stone.measured_by == MeasuredBy::Density).count();
    let held = |holds: &dyn Fn(&Pair) -> bool| share(pairs.iter().filter(|p| holds(p)).count(), by_density);
    println!(
        "| {thickness} | {name} | {} / {n} | {by_density} | {} | {} | {} | {} | {} | {} |",
        pairs.len(),
        bias(&|p| diameter(&p.stone) - p.truth.largest_diameter_mm, 2),
        bias(&|p| diameter(&p.counted) - p.truth.largest_diameter_mm, 2),
        bias(&|p| 100.0 * (volume(&p.stone) / p.truth.volume_mm3 - 1.0), 1),
        bias(&|p| 100.0 * (volume(&p.counted) / p.truth.volume_mm3 - 1.0), 1),
        held(&|p| p
            .stone
            .largest_diameter_interval_mm
            .is_some_and(|i| i.low <= p.truth.largest_diameter_mm && p.truth.largest_diameter_mm <= i.high)),
        held(&|p| p
            .stone
            .volume_interval_mm3
            .is_some_and(|i| i.low <= p.truth.volume_mm3 && p.truth.volume_mm3 <= i.high)),
    );
}

/// Share of `n` in per cent with its 95 % interval.
fn share(hits: usize, n: usize) -> String {
    let (p, low, high) = trial::wilson(hits, n.max(1));
    format!("{hits} of {n}: {:.1} ({:.1}-{:.1})", 100.0 * p, 100.0 * low, 100.0 * high)
}
