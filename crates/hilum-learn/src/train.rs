//! The training loop: Adam on random patches, early stopping on the lowest validation loss (paper S2), resumable by epoch.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hilum_nn::{
    CompileError, InputShape, Network, OptimiserState, Options, StateError, Trainer, Weights, WeightsError,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::augment::{View, render};
use crate::patch::{Patch, stored_edge};
use crate::plan::Plan;
use crate::run::Progress;

/// What the training came to.
pub(crate) struct Fitted {
    /// The weights of the best epoch.
    pub weights: Weights,
    /// How it went.
    pub history: History,
}

/// The state that a stopped training goes on from, beside the weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct History {
    /// Every epoch so far.
    pub epochs: Vec<Epoch>,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Why it ended; absent while it goes on.
    pub stopped_because: Option<String>,
}

/// One epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Mean training loss.
    pub training_loss: f64,
    /// Validation loss.
    pub validation_loss: f64,
    /// Learning rate.
    pub learning_rate: f32,
    /// Seconds.
    pub seconds: f64,
}

impl History {
    /// Position of the epoch with the lowest validation loss.
    pub fn best(&self) -> Option<usize> {
        let loss = |i: &usize| self.epochs[*i].validation_loss;
        (0..self.epochs.len()).min_by(|a, b| loss(a).total_cmp(&loss(b)))
    }

    /// Epochs since then.
    fn waiting(&self) -> usize {
        self.best().map_or(0, |best| self.epochs.len() - 1 - best)
    }

    /// The rate of the next epoch.
    fn learning_rate(&self, plan: &Plan) -> f32 {
        let losses: Vec<f64> = self.epochs.iter().map(|e| e.validation_loss).collect();
        plan.schedule.course().rate(losses.len(), &losses)
    }
}

/// Why the training failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// There is nothing to learn from.
    #[error("the {0} cohort has no patches {1}: raise its number of patients or what is cut from them")]
    NoPatches(&'static str, &'static str),
    /// The network does not compile for training.
    #[error("network for training: {0}")]
    Compile(#[from] CompileError),
    /// A step failed.
    #[error("training step: {0}")]
    Step(#[from] hilum_nn::RunError),
    /// The checkpoint's weights do not fit.
    #[error("checkpoint: {0}")]
    Weights(#[from] WeightsError),
    /// The checkpoint's optimiser state does not fit.
    #[error("checkpoint: {0}")]
    Optimiser(#[from] StateError),
    /// A file of the run cannot be written or read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The caller asked to stop.
    #[error("the training was cancelled; run it again to go on from the last whole epoch")]
    Cancelled,
}

/// Fits the network, or goes on with a fit that was stopped.
pub(crate) fn fit(
    plan: &Plan,
    network: &Network,
    training: &[Patch],
    validation: &[Patch],
    folder: &Path,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Fitted, TrainError> {
    let (with, without): (Vec<&Patch>, Vec<&Patch>) = training.iter().partition(|p| p.shows_stone());
    if with.is_empty() || validation.is_empty() {
        let which = if with.is_empty() { ("training", "with a stone") } else { ("validation", "at all") };
        return Err(TrainError::NoPatches(which.0, which.1));
    }
    let checkpoint = Checkpoint::new(folder);
    let (mut history, weights, optimiser) = match checkpoint.load(network)? {
        Some((history, weights, optimiser)) => (history, weights, Some(optimiser)),
        None => (History::default(), Weights::init(network, plan.seed), None),
    };
    let n = plan.schedule.batch;
    let shape = InputShape { n, h: plan.patches.size, w: plan.patches.size };
    let options = Options { threads: plan.threads, isa: None };
    let mut trainer = Trainer::compile(network, weights, shape, plan.loss.clone(), plan.adam, options)?;
    if let Some(optimiser) = &optimiser {
        trainer.restore(optimiser)?;
    }
    let mut batch = Batch::new(plan);
    let limit = Duration::from_secs_f64(plan.time_limit_minutes * 60.0);
    let steps = plan.schedule.patches_per_epoch / n;

    while history.stopped_because.is_none() {
        let started = Instant::now();
        let epoch = history.epochs.len();
        let learning_rate = history.learning_rate(plan);
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed.wrapping_add(1 + epoch as u64));
        let mut total = 0.0;
        for step in 0..steps {
            let drawn: Vec<Seen> = (0..n)
                .map(|_| {
                    let positive = without.is_empty() || rng.random_range(0.0..1.0) < plan.schedule.positive_share;
                    let pool = if positive { &with } else { &without };
                    let patch = pool[rng.random_range(0..pool.len())];
                    let view = View::draw(&plan.augmentation, plan.patches.rim, &mut rng);
                    Seen { patch, view, noise_seed: rng.random() }
                })
                .collect();
            batch.fill(&drawn);
            total += f64::from(trainer.step(&batch.x, &batch.y, learning_rate)?);
            let told = progress(Progress::Step { epoch: epoch + 1, step: step + 1, of: steps });
            if told.is_break() {
                return Err(TrainError::Cancelled);
            }
        }
        let validation_loss = validate(&mut trainer, validation, &mut batch)?;
        let seconds = started.elapsed().as_secs_f64();
        let done = Epoch { training_loss: total / steps as f64, validation_loss, learning_rate, seconds };
        history.epochs.push(done);
        history.seconds += seconds;
        history.stopped_because = reason_to_stop(plan, &history, limit);
        checkpoint.save(&history, &trainer.weights(), &trainer.optimiser_state())?;
        let told = progress(Progress::Epoch { number: epoch + 1, epoch: done, lowest: history.waiting() == 0 });
        if told.is_break() && history.stopped_because.is_none() {
            return Err(TrainError::Cancelled);
        }
    }
    Ok(Fitted { weights: checkpoint.best(network)?, history })
}

fn reason_to_stop(plan: &Plan, history: &History, limit: Duration) -> Option<String> {
    let schedule = &plan.schedule;
    let mean = history.seconds / history.epochs.len() as f64;
    if history.waiting() >= schedule.patience {
        Some(format!("early stopping: no lower validation loss for {} epochs", schedule.patience))
    } else if history.epochs.len() >= schedule.max_epochs {
        Some(format!("all {} epochs done", schedule.max_epochs))
    } else if history.seconds + mean > limit.as_secs_f64() {
        Some(format!("time limit of {} minutes", plan.time_limit_minutes))
    } else {
        None
    }
}

/// Mean validation loss over whole batches; the last one is filled up from the start.
fn validate(trainer: &mut Trainer, patches: &[Patch], batch: &mut Batch) -> Result<f64, hilum_nn::RunError> {
    let batches = patches.len().div_ceil(batch.n);
    let mut total = 0.0;
    for b in 0..batches {
        let plain = |slot: usize| Seen {
            patch: &patches[(b * batch.n + slot) % patches.len()],
            view: View::PLAIN,
            noise_seed: 0,
        };
        let drawn: Vec<Seen> = (0..batch.n).map(plain).collect();
        batch.fill(&drawn);
        total += f64::from(trainer.evaluate(&batch.x, &batch.y)?);
    }
    Ok(total / batches as f64)
}

/// One patch of a batch, and how it is seen this time.
struct Seen<'a> {
    patch: &'a Patch,
    view: View,
    noise_seed: u64,
}

/// The buffers of one batch.
struct Batch<'a> {
    plan: &'a Plan,
    n: usize,
    x: Vec<f32>,
    y: Vec<f32>,
}

impl<'a> Batch<'a> {
    fn new(plan: &'a Plan) -> Self {
        let (n, area) = (plan.schedule.batch, plan.patches.size * plan.patches.size);
        Self { plan, n, x: vec![0.0; n * plan.preprocessing.channels() * area], y: vec![0.0; n * area] }
    }

    /// Renders one patch a slot, on all cores; each slot has its own noise, so that the number of cores makes no difference.
    fn fill(&mut self, drawn: &[Seen]) {
        let (size, stored) = (self.plan.patches.size, stored_edge(&self.plan.patches));
        let (area, window) = (size * size, self.plan.preprocessing.window);
        let slots = self.x.par_chunks_mut(self.plan.preprocessing.channels() * area).zip(self.y.par_chunks_mut(area));
        slots.zip(drawn).for_each(|((x, y), seen)| {
            let mut rng = ChaCha8Rng::seed_from_u64(seen.noise_seed);
            render(seen.patch, stored, size, window, &seen.view, &mut rng, x, y);
        });
    }
}

/// The files of a training: history, the weights and the optimiser's state after the last epoch, the best weights. A training taken up again gives the
/// bits of an unbroken one.
struct Checkpoint<'a> {
    folder: &'a Path,
}

impl<'a> Checkpoint<'a> {
    const HISTORY: &'static str = "history.json";
    const BEST: &'static str = "best.safetensors";

    fn new(folder: &'a Path) -> Self {
        Self { folder }
    }

    /// Names carry the epoch, so that the history never tells of another epoch's files.
    fn last(epoch: usize) -> [String; 2] {
        [format!("last-{epoch}.safetensors"), format!("optimiser-{epoch}.safetensors")]
    }

    fn load(&self, network: &Network) -> Result<Option<(History, Weights, OptimiserState)>, TrainError> {
        if !self.folder.join(Self::HISTORY).exists() {
            return Ok(None);
        }
        let history: History = serde_json::from_slice(&self.read(Self::HISTORY)?).map_err(|e| TrainError::File {
            path: self.folder.join(Self::HISTORY),
            source: io::Error::new(io::ErrorKind::InvalidData, e),
        })?;
        let [weights, optimiser] = Self::last(history.epochs.len());
        let weights = Weights::from_safetensors(network, &self.read(&weights)?)?;
        let optimiser = OptimiserState::from_safetensors(&self.read(&optimiser)?)?;
        Ok(Some((history, weights, optimiser)))
    }

    /// The history last: what it tells of is there.
    fn save(&self, history: &History, weights: &Weights, optimiser: &OptimiserState) -> Result<(), TrainError> {
        let epoch = history.epochs.len();
        let bytes = weights.to_safetensors()?;
        if history.waiting() == 0 {
            self.write(Self::BEST, &bytes)?;
        }
        let [last, state] = Self::last(epoch);
        self.write(&last, &bytes)?;
        self.write(&state, &optimiser.to_safetensors()?)?;
        self.write(Self::HISTORY, &serde_json::to_vec_pretty(history).expect("plain data"))?;
        for outdated in Self::last(epoch.saturating_sub(1)) {
            let path = self.folder.join(outdated);
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(TrainError::File { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn best(&self, network: &Network) -> Result<Weights, TrainError> {
        Ok(Weights::from_safetensors(network, &self.read(Self::BEST)?)?)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, TrainError> {
        let path = self.folder.join(name);
        std::fs::read(&path).map_err(|source| TrainError::File { path, source })
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), TrainError> {
        let path = self.folder.join(name);
        let temporary = path.with_extension("part");
        let file = |source| TrainError::File { path: path.clone(), source };
        // On the disk before it takes its name: the epoch before it is deleted afterwards.
        let mut out = std::fs::File::create(&temporary).map_err(file)?;
        out.write_all(bytes).map_err(file)?;
        out.sync_all().map_err(file)?;
        std::fs::rename(&temporary, &path).map_err(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Decay;

    fn history(losses: &[f64]) -> History {
        let epoch = |l: &f64| Epoch { training_loss: 1.0, validation_loss: *l, learning_rate: 1e-3, seconds: 10.0 };
        History {
            epochs: losses.iter().map(epoch).collect(),
            seconds: 10.0 * losses.len() as f64,
            stopped_because: None,
        }
    }

    fn plan() -> Plan {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plans/urinary-stone-unet.toml"));
        let mut plan: Plan = toml::from_str(&text.expect("the shipped plan")).expect("a plan");
        plan.schedule.decay = Decay::OnPlateau { after: 2 };
        plan.schedule.patience = 4;
        plan.schedule.max_epochs = 9;
        plan.schedule.learning_rate = 8e-4;
        plan
    }

    #[test]
    fn the_training_stops_when_the_validation_loss_has_not_fallen_for_the_patience_of_the_plan() {
        let long = Duration::from_secs(10_000);
        let stop = |losses: &[f64], limit| reason_to_stop(&plan(), &history(losses), limit);
        assert_eq!(stop(&[5.0, 4.0, 6.0, 6.0, 6.0], long), None);
        assert!(stop(&[5.0, 4.0, 6.0, 6.0, 6.0, 4.0], long).is_some_and(|r| r.starts_with("early stopping")));
        assert!(stop(&[9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], long).is_some_and(|r| r.contains("9 epochs")));
        assert!(stop(&[3.0, 2.0], Duration::from_secs(29)).is_some_and(|r| r.starts_with("time limit")));
    }

    #[test]
    fn the_cosine_falls_from_the_learning_rate_to_nothing_over_all_epochs() {
        let mut plan = plan();
        plan.schedule.decay = Decay::Cosine;
        plan.schedule.max_epochs = 4;
        let rates: Vec<f32> = (0..=4).map(|n| history(&vec![1.0; n]).learning_rate(&plan)).collect();
        // torch.optim.lr_scheduler.CosineAnnealingLR(lr 8e-4, T_max 4), PyTorch 2.15.
        let expected = [8e-4, 6.828_427e-4, 4e-4, 1.171_573e-4, 0.0];
        for (rate, expected) in rates.iter().zip(expected) {
            assert!((rate - expected).abs() < 1e-9, "{rates:?}");
        }
    }

    #[test]
    fn the_learning_rate_is_halved_on_each_plateau() {
        assert_eq!(history(&[3.0, 2.0, 2.5]).learning_rate(&plan()), 8e-4);
        assert_eq!(history(&[3.0, 2.0, 2.5, 2.5]).learning_rate(&plan()), 4e-4);
        assert_eq!(history(&[3.0, 2.0, 2.5, 2.5, 1.0, 1.5, 1.5]).learning_rate(&plan()), 2e-4);
    }
}
