//! `hilum evaluate`: a model on freshly made patients, beside a threshold-plus-components baseline.

use anyhow::Context;
use hilum_imaging::phantom::{Contrast, Kernel, PatientPosition, StonePlan};
use hilum_infer::{
    Model,
    card::{DetectionMetrics, Metrics},
};
use hilum_learn::{
    Plan,
    cohort::Cohort,
    evaluate::{evaluate_patient, metrics},
    plan::Protocol,
};

use crate::{cli::EvaluateArguments, failure::WrongCall, progress};

pub fn run(arguments: &EvaluateArguments) -> anyhow::Result<()> {
    let model = Model::open(&arguments.model)?;
    let protocols = match &arguments.plan {
        Some(plan) => Plan::read(plan)?.0.protocol,
        None => vec![plain_protocol()],
    };
    if arguments.patients == 0 {
        return Err(WrongCall("--patients is at least 1".to_owned()).into());
    }
    let cohort = Cohort {
        name: "evaluation".to_owned(),
        first_seed: arguments.seed,
        patients: arguments.patients,
        stones: StonePlan::Random,
    };
    let bar = progress::bar("making and reading patients");
    progress::set_total(&bar, arguments.patients as u64);
    let mut results = Vec::new();
    for recipe in cohort.recipes(&protocols) {
        results.push(evaluate_patient(&model, &recipe)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(details) = &arguments.details {
        let bytes = serde_json::to_vec_pretty(&results)?;
        std::fs::write(details, bytes).with_context(|| format!("details {}", details.display()))?;
    }
    let last = arguments.seed + arguments.patients as u64 - 1;
    let from = format!("{} synthetic patients, seeds {} to {last}", arguments.patients, arguments.seed);
    let metrics = metrics(from, &results, model.card.threshold);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&metrics)?);
    } else {
        println!("{} {}: {}", model.card.name, model.hash, model.card.statement);
        print(&metrics);
    }
    Ok(())
}

/// The stone protocol: 3 mm, soft kernel, supine, no contrast.
fn plain_protocol() -> Protocol {
    Protocol {
        weight: 1.0,
        slice_mm: 3.0,
        heights_mm: None,
        kernel: Kernel::Soft,
        contrast: Contrast::None,
        position: PatientPosition::HeadFirstSupine,
    }
}

/// The figures as a table, model and baseline side by side.
pub(super) fn print(metrics: &Metrics) {
    let Metrics { patients_from, matching_rule, patients: _, stones, model, baseline } = metrics;
    println!("{patients_from}; {stones} stones");
    println!("{:<26} {:<28} {:<28}", "sensitivity by diameter", "model", "threshold + components");
    for (model, baseline) in model.sensitivity.iter().zip(&baseline.sensitivity) {
        let [from, to] = model.diameter_mm;
        let cell = |found: usize, n: usize, value: Option<f64>, ci: Option<[f64; 2]>| match (value, ci) {
            (Some(value), Some([low, high])) => format!("{value:.3} ({low:.3}-{high:.3}) {found}/{n}"),
            _ => "no such stone".to_owned(),
        };
        println!(
            "{:<26} {:<28} {:<28}",
            format!("{from} to under {to} mm"),
            cell(model.found, model.n, model.value, model.ci95),
            cell(baseline.found, baseline.n, baseline.value, baseline.ci95)
        );
    }
    let wrong = |figures: &DetectionMetrics| {
        let [low, high] = figures.false_positives.ci95;
        format!("{:.2} ({low:.2}-{high:.2})", figures.false_positives.per_patient)
    };
    let dice =
        |figures: &DetectionMetrics| figures.dice.map_or_else(|| "-".to_owned(), |dice| format!("{:.3}", dice.mean));
    println!("{:<26} {:<28} {:<28}", "false positives a patient", wrong(model), wrong(baseline));
    println!("{:<26} {:<28} {:<28}", "mean Dice", dice(model), dice(baseline));
    println!("In brackets the 95 % confidence interval. {matching_rule}.");
}
