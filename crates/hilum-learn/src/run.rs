//! The experiment from plan to model folder.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use hilum_infer::card::{Hashes, InputContract, Metrics, Task, TrainingFacts};
use hilum_infer::read::ENGINE;
use hilum_infer::{Model, ModelCard, ModelError};
use hilum_nn::NetworkError;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cohort::{Cohort, data_hash};
use crate::evaluate::{EvaluateError, PatientResult, choose_threshold, evaluate_patient, figures, metrics};
use crate::model_folder::{self, WriteError};
use crate::plan::{Plan, PlanError};
use crate::prepare::{PrepareError, patches};
use crate::train::{Epoch, Fitted, TrainError, fit};

/// What a run tells while it goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// A patient was made, cut or read.
    Patient {
        /// The cohort's name.
        cohort: String,
        /// Patients done.
        done: usize,
        /// Patients in all.
        of: usize,
    },
    /// A step was done.
    Step {
        /// The epoch, from 1.
        epoch: usize,
        /// Steps done in it.
        step: usize,
        /// Its steps.
        of: usize,
    },
    /// An epoch was done.
    Epoch {
        /// The epoch, from 1.
        number: usize,
        /// Its losses.
        epoch: Epoch,
        /// True when its validation loss is the lowest so far.
        lowest: bool,
    },
    /// The threshold was chosen.
    Threshold(f32),
}

/// Why a run ended without a model.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The patients.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The fit.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The evaluation.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The model folder.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The model does not fit its card.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A file of the run.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The clock gives no date.
    #[error("the system's clock: {0}")]
    Clock(#[from] time::error::Format),
    /// The caller asked to stop.
    #[error("the run was cancelled; start it again to go on")]
    Cancelled,
}

/// Trains the model of a plan into `out`. Patches and checkpoints are kept beside it in `<out>.run`, so that a run that was stopped goes
/// on; `progress` may break at any time.
pub fn run(
    plan_path: &Path,
    out: &Path,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<ModelCard, RunError> {
    let (plan, plan_hash) = Plan::read(plan_path)?;
    let network = plan.network.build()?;
    let folder = RunFolder::open(out, &plan)?;

    let training = patches(&plan, &plan.training, &folder.patches, progress)?;
    let validation = patches(&plan, &plan.validation, &folder.patches, progress)?;
    folder.keep("fingerprint.json", &Fingerprint::of(&training, &validation))?;

    let Fitted { weights, history } = fit(&plan, &network, &training, &validation, &folder.fit, progress)?;
    let training_patches = training.len();
    drop((training, validation));

    let mut card = draft(&plan, &plan_hash, training_patches, &history)?;
    let mut model = Model::new(card.clone(), network, weights, String::new())?;
    let on_validation = read_cohort(&plan, &plan.validation, &model, progress)?;
    let detection = &plan.detection;
    card.threshold = choose_threshold(&on_validation, detection.mask_threshold, detection.false_positives_per_patient);
    folder.keep("validation.json", &on_validation)?;
    if progress(Progress::Threshold(card.threshold)).is_break() {
        return Err(RunError::Cancelled);
    }

    model.card = card.clone();
    let on_test = read_cohort(&plan, &plan.test, &model, progress)?;
    folder.keep("test.json", &on_test)?;
    card.metrics = metrics(describe(&plan.test), &on_test, card.threshold);
    Ok(model_folder::write(out, card, &model.network, &model.weights)?)
}

fn describe(cohort: &Cohort) -> String {
    let last = cohort.first_seed + (cohort.patients as u64).saturating_sub(1);
    format!("{} synthetic patients, seeds {} to {last}", cohort.patients, cohort.first_seed)
}

/// Makes and reads every patient of a cohort.
fn read_cohort(
    plan: &Plan,
    cohort: &Cohort,
    model: &Model,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<PatientResult>, RunError> {
    let mut results = Vec::new();
    for recipe in cohort.recipes(&plan.protocol) {
        results.push(evaluate_patient(model, &recipe)?);
        let cohort_name = format!("{}, reading", cohort.name);
        if progress(Progress::Patient { cohort: cohort_name, done: results.len(), of: cohort.patients }).is_break() {
            return Err(RunError::Cancelled);
        }
    }
    Ok(results)
}

/// The card before threshold, figures and file hashes are known.
fn draft(
    plan: &Plan,
    plan_hash: &str,
    training_patches: usize,
    history: &crate::train::History,
) -> Result<ModelCard, RunError> {
    let best = history.best().unwrap_or(0);
    let distances = plan.protocol.iter().map(|p| p.slice_mm);
    let contrast_free = plan.protocol.iter().filter(|p| p.contrast == hilum_imaging::phantom::Contrast::None);
    let share: f64 = contrast_free.map(|p| p.weight).sum::<f64>() / plan.protocol.iter().map(|p| p.weight).sum::<f64>();
    Ok(ModelCard {
        statement: plan.statement.clone(),
        name: plan.name.clone(),
        task: Task::UrinaryStoneSegmentation,
        synthetic_trained: true,
        classes: vec!["urinary_stone".to_owned()],
        threshold: plan.detection.mask_threshold,
        mask_threshold: plan.detection.mask_threshold,
        trained_at: OffsetDateTime::now_utc()
            .replace_nanosecond(0)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .format(&Rfc3339)?,
        training_seconds: history.seconds.round() as u64,
        software_version: env!("CARGO_PKG_VERSION").to_owned(),
        engine: ENGINE.to_owned(),
        input: InputContract {
            modality: "CT".to_owned(),
            plane: "axial".to_owned(),
            unit: "HU".to_owned(),
            slice_distance_mm: [distances.clone().fold(f64::INFINITY, f64::min), distances.fold(0.0, f64::max)],
            suitable_for: format!(
                "abdomen and pelvis of adults; {:.0} % of the training was without contrast",
                100.0 * share
            ),
        },
        preprocessing: plan.preprocessing.clone(),
        network: plan.network,
        post_filter: plan.detection.post_filter.clone(),
        hashes: Hashes {
            plan: plan_hash.to_owned(),
            data: data_hash(plan),
            weights: String::new(),
            onnx: String::new(),
        },
        training: TrainingFacts {
            data: format!(
                "synthetic CT only: {} to learn from, {} to stop and choose the threshold",
                describe(&plan.training),
                describe(&plan.validation)
            ),
            training_patients: plan.training.patients,
            validation_patients: plan.validation.patients,
            training_patches,
            epochs: history.epochs.len(),
            best_epoch: best + 1,
            best_validation_loss: history.epochs.get(best).map_or(f64::NAN, |e| e.validation_loss),
            stopped_because: history.stopped_because.clone().unwrap_or_default(),
        },
        metrics: Metrics {
            patients_from: String::new(),
            matching_rule: String::new(),
            patients: 0,
            stones: 0,
            model: figures(&[], 1.0),
            baseline: figures(&[], 1.0),
        },
    })
}

/// What the patches hold.
#[derive(Serialize)]
struct Fingerprint {
    training_patches: usize,
    training_patches_with_stone: usize,
    validation_patches: usize,
    validation_patches_with_stone: usize,
    /// Share of the training pixels that are stone.
    stone_share: f64,
}

impl Fingerprint {
    fn of(training: &[crate::patch::Patch], validation: &[crate::patch::Patch]) -> Self {
        let with = |patches: &[crate::patch::Patch]| patches.iter().filter(|p| p.shows_stone()).count();
        let pixels: usize = training.iter().map(|p| p.stone.len()).sum();
        let stone: f64 = training.iter().flat_map(|p| &p.stone).map(|s| f64::from(*s) / 255.0).sum();
        Self {
            training_patches: training.len(),
            training_patches_with_stone: with(training),
            validation_patches: validation.len(),
            validation_patches_with_stone: with(validation),
            stone_share: stone / pixels.max(1) as f64,
        }
    }
}

/// `<out>.run`: patches, checkpoints and results, ignored by git.
struct RunFolder {
    root: PathBuf,
    patches: PathBuf,
    /// Checkpoints of this plan's fit.
    fit: PathBuf,
}

impl RunFolder {
    fn open(out: &Path, plan: &Plan) -> Result<Self, RunError> {
        let mut name = out.as_os_str().to_owned();
        name.push(".run");
        let root = PathBuf::from(name);
        let folder = Self { patches: root.join("patches"), fit: root.join(format!("fit-{}", plan.fit_key())), root };
        for path in [&folder.patches, &folder.fit] {
            std::fs::create_dir_all(path).map_err(|source| RunError::File { path: path.clone(), source })?;
        }
        let ignore = folder.root.join(".gitignore");
        std::fs::write(&ignore, "*\n").map_err(|source| RunError::File { path: ignore, source })?;
        Ok(folder)
    }

    fn keep(&self, name: &str, value: &impl Serialize) -> Result<(), RunError> {
        let path = self.fit.join(name);
        let bytes = serde_json::to_vec_pretty(value).expect("plain data");
        std::fs::write(&path, bytes).map_err(|source| RunError::File { path, source })
    }
}
