//! A whole training on one small patient a cohort: resumable, deterministic, and a model folder at the end.

use std::ops::ControlFlow;
use std::path::Path;

use hilum_infer::{Model, ModelCard};
use hilum_learn::{Plan, PlanError, Progress, RunError, run};

/// The shipped plan, made small.
fn small_plan(folder: &Path) -> std::path::PathBuf {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plans/urinary-stone-unet.toml"))
            .expect("the shipped plan");
    let mut plan: Plan = toml::from_str(&text).expect("a plan");
    let hilum_infer::card::Architecture::Unet2d(network) = &mut plan.network;
    (network.base, network.depth) = (4, 2);
    (plan.schedule.max_epochs, plan.schedule.patches_per_epoch, plan.schedule.batch) = (3, 16, 4);
    (plan.patches.size, plan.patches.rim) = (32, 4);
    for cohort in [&mut plan.training, &mut plan.validation, &mut plan.test] {
        cohort.patients = 1;
    }
    plan.protocol.truncate(1);
    plan.protocol[0].slice_mm = 5.0;
    plan.protocol[0].heights_mm = Some([140.0, 240.0]);
    let path = folder.join("plan.toml");
    std::fs::write(&path, toml::to_string(&plan).expect("a plan")).expect("written");
    path
}

fn carry_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn a_stopped_run_goes_on_and_ends_in_a_model_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = small_plan(folder.path());
    let out = folder.path().join("model");

    let mut epochs = Vec::new();
    let stopped = run(&plan, &out, &mut |p| {
        if let Progress::Epoch { number, .. } = p {
            epochs.push(number);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(stopped, Err(RunError::Train(_))));
    assert!(!out.exists(), "no model before the end");

    let mut patients_made = 0;
    let card = run(&plan, &out, &mut |p| {
        match p {
            Progress::Epoch { number, .. } => epochs.push(number),
            Progress::Patient { .. } => patients_made += 1,
            _ => {}
        }
        ControlFlow::Continue(())
    })
    .expect("the run ends");
    assert_eq!(epochs, [1, 2, 3]);
    assert_eq!(card.training.epochs, 3);
    assert!(card.synthetic_trained && card.statement.starts_with("Synthetic-trained"));
    assert_eq!((card.metrics.patients, patients_made), (1, 4));
    let model = Model::open(&out).expect("a verified model");
    assert_eq!(model.card, card);
    let first_line = std::fs::read_to_string(out.join("model.toml")).expect("the card");
    assert!(first_line.starts_with("# Synthetic-trained"));

    // The stop has left no trace in the weights, and the same plan gives the same model again.
    let hashes = |card: &ModelCard| (card.hashes.weights.clone(), card.hashes.onnx.clone(), card.hashes.data.clone());
    let unbroken = run(&plan, &folder.path().join("unbroken"), &mut carry_on).expect("the run ends");
    assert_eq!(hashes(&unbroken), hashes(&card));
}

#[test]
fn another_threshold_of_detection_needs_no_new_fit() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = small_plan(folder.path());
    let out = folder.path().join("model");
    let first = run(&plan, &out, &mut carry_on).expect("the run ends");
    let text = std::fs::read_to_string(&plan).expect("the plan");
    let lower = text.replace("mask_threshold = 0.5", "mask_threshold = 0.1");
    assert_ne!(lower, text);
    std::fs::write(&plan, lower).expect("written");
    let second = run(&plan, &out, &mut |p| {
        assert!(!matches!(p, Progress::Step { .. }), "the fit is there");
        ControlFlow::Continue(())
    })
    .expect("the run ends");
    assert_eq!((second.mask_threshold, &second.hashes.weights), (0.1, &first.hashes.weights));
    assert_ne!(second.hashes.plan, first.hashes.plan);
}

#[test]
fn a_plan_that_tests_on_a_training_patient_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = small_plan(folder.path());
    let text = std::fs::read_to_string(&path).expect("the plan");
    std::fs::write(&path, text.replace("first_seed = 9000", "first_seed = 1000")).expect("written");
    let error = Plan::read(&path).expect_err("a leak");
    assert!(matches!(error, PlanError::Leak(_)), "{error}");
}

#[test]
fn plans_that_contradict_themselves_are_refused_by_field() {
    let cases = [
        ("size = 32", "size = 33", "patches.size"),
        ("context_slices = 2", "context_slices = 1", "preprocessing.context_slices"),
        ("positive_share = 0.4", "positive_share = 1.3", "schedule.positive_share"),
        ("patience = ", "patients = ", "no plan"),
    ];
    for (from, to, named) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let path = small_plan(folder.path());
        let text = std::fs::read_to_string(&path).expect("the plan");
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replacen(from, to, 1)).expect("written");
        let error = Plan::read(&path).expect_err(to).to_string();
        assert!(error.contains(named), "{to}: {error}");
    }
}
