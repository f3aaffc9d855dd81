//! The plan file: an experiment as TOML, everything that decides the result in one place.

use std::path::{Path, PathBuf};

use hilum_imaging::phantom::{Contrast, Kernel, PatientPosition};
use hilum_imaging::{Recipe, RecipeError};
use hilum_infer::card::{Architecture, PostFilter};
use hilum_infer::model::sha256_hex;
use hilum_nn::{AdamConfig, Loss, NetworkError};
use serde::{Deserialize, Serialize};

use crate::cohort::{Cohort, LeakError};

/// A training experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Name of the model.
    pub name: String,
    /// The card's first line.
    pub statement: String,
    /// Seed of the initial weights, the order of patches and the augmentation.
    pub seed: u64,
    /// Threads of the engine; the result does not depend on it.
    pub threads: usize,
    /// The training ends after this many minutes at the latest.
    pub time_limit_minutes: f64,
    /// The network.
    pub network: Architecture,
    /// How slices become the network's input.
    pub preprocessing: Recipe,
    /// What is made small: `bce`, `dice` and `smooth`, or one `[[loss.term]]` a summand.
    pub loss: Loss,
    /// The optimiser.
    pub adam: AdamConfig,
    /// How long and how fast.
    pub schedule: Schedule,
    /// What is cut from the patients.
    pub patches: PatchPlan,
    /// How patches vary from epoch to epoch.
    pub augmentation: Augmentation,
    /// What turns scores into candidates.
    pub detection: Detection,
    /// Patients to learn from.
    pub training: Cohort,
    /// Patients that end the training and choose the threshold.
    pub validation: Cohort,
    /// Patients for the figures on the card.
    pub test: Cohort,
    /// How training and validation patients are scanned.
    pub protocol: Vec<Protocol>,
}

/// How long and how fast the network learns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Adam's learning rate at the start.
    pub learning_rate: f32,
    /// How it falls.
    pub decay: Decay,
    /// The training ends after this many epochs without a lower validation loss (paper S2: early stopping).
    pub patience: usize,
    /// Most epochs.
    pub max_epochs: usize,
    /// Patches per step.
    pub batch: usize,
    /// Patches per epoch.
    pub patches_per_epoch: usize,
    /// Share of the patches of an epoch that show a stone.
    pub positive_share: f64,
}

impl Schedule {
    /// The learning rate by epoch.
    pub fn course(&self) -> hilum_nn::Schedule {
        let rate = f64::from(self.learning_rate);
        match self.decay {
            Decay::Cosine => {
                hilum_nn::Schedule::Cosine { rate, length: self.max_epochs, floor: 0.0, warm_up: 0, start_factor: 1.0 }
            }
            Decay::OnPlateau { after } => hilum_nn::Schedule::Plateau {
                rate,
                factor: 0.5,
                patience: after.saturating_sub(1),
                threshold: 0.0,
                cooldown: 0,
                floor: 0.0,
            },
        }
    }
}

/// How the learning rate falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decay {
    /// Half a cosine from the start to nothing over `max_epochs` (Loshchilov and Hutter 2017, without restarts).
    Cosine,
    /// Halved after this many epochs without a lower validation loss.
    OnPlateau {
        /// Epochs.
        after: usize,
    },
}

/// What is cut from each patient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchPlan {
    /// Height and width of the network's input in training, in grid pixels.
    pub size: usize,
    /// Rim kept around a patch for scaling, turning and shifting it.
    pub rim: usize,
    /// Slices through each stone.
    pub per_stone: usize,
    /// Patches at each decoy (phlebolith, plaque, ...) within the searched region.
    pub per_decoy: usize,
    /// Patches at edges of bone within the searched region, a patient.
    pub at_bone: usize,
    /// Patches anywhere in the searched region, a patient.
    pub anywhere: usize,
}

/// How patches vary.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Mirror left and right in half of the cases.
    pub mirror: bool,
    /// Largest turn in degrees.
    pub turn_degrees: f64,
    /// Largest relative change of size.
    pub scale: f64,
    /// Largest shift of all HU.
    pub hu_shift: f64,
    /// Largest standard deviation of added noise in HU.
    pub hu_noise: f64,
}

/// What turns scores into candidates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detection {
    /// Voxels from this score on form components.
    pub mask_threshold: f32,
    /// The lowest threshold on a component's highest score is chosen that keeps wrong candidates on validation patients at this rate.
    pub false_positives_per_patient: f64,
    /// What is rejected afterwards.
    pub post_filter: PostFilter,
}

/// One way to scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// How often, relative to the others.
    pub weight: f64,
    /// Slice thickness and distance in mm.
    pub slice_mm: f64,
    /// Heights scanned, mm above the symphysis; absent: from above the kidneys to below the bladder.
    #[serde(default)]
    pub heights_mm: Option<[f64; 2]>,
    /// Kernel.
    #[serde(default)]
    pub kernel: Kernel,
    /// Contrast phase.
    #[serde(default)]
    pub contrast: Contrast,
    /// Position.
    #[serde(default)]
    pub position: PatientPosition,
}

/// Why a plan cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The file cannot be read.
    #[error("plan {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no plan.
    #[error("{path} is no plan: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// A number of the plan makes no sense.
    #[error("plan: {field} is {value}; expected {expected}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A patient stands in two cohorts.
    #[error(transparent)]
    Leak(#[from] LeakError),
    /// The recipe makes no sense.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The network cannot be built.
    #[error("plan: network: {0}")]
    Network(#[from] NetworkError),
}

impl Plan {
    /// Reads and checks a plan; the second value is the SHA-256 of the file.
    pub fn read(path: &Path) -> Result<(Self, String), PlanError> {
        let bytes = std::fs::read(path).map_err(|source| PlanError::Read { path: path.into(), source })?;
        let parse = |reason: String| PlanError::Parse { path: path.into(), reason };
        let text = std::str::from_utf8(&bytes).map_err(|e| parse(e.to_string()))?;
        let plan: Self = toml::from_str(text).map_err(|e| parse(e.to_string()))?;
        plan.check()?;
        Ok((plan, sha256_hex(&bytes)))
    }

    /// What a fit depends on, as a short name: the plan without what happens to the scores afterwards, so that another threshold needs no new fit.
    pub(crate) fn fit_key(&self) -> String {
        let mut fit = serde_json::to_value(self).expect("a plan is plain data");
        for of_the_results in ["detection", "test", "statement"] {
            fit.as_object_mut().expect("a plan has fields").remove(of_the_results);
        }
        let mut hash = sha256_hex(fit.to_string().as_bytes());
        hash.truncate(12);
        hash
    }

    fn check(&self) -> Result<(), PlanError> {
        self.preprocessing.validate()?;
        let network = self.network.build()?;
        let require = |ok: bool, field, value: String, expected| {
            if ok { Ok(()) } else { Err(PlanError::Field { field, value, expected }) }
        };
        let size = self.patches.size;
        require(
            size > 0 && size.is_multiple_of(network.multiple_of()),
            "patches.size",
            size.to_string(),
            "a multiple of what the network's poolings need",
        )?;
        let channels = self.preprocessing.channels();
        require(
            channels == network.in_channels(),
            "preprocessing.context_slices",
            format!("{channels} channels"),
            "as many channels as the network takes",
        )?;
        require(network.out_channels() == 1, "network.out_channels", network.out_channels().to_string(), "1")?;
        let s = &self.schedule;
        require(
            s.batch > 0 && s.patches_per_epoch >= s.batch,
            "schedule.patches_per_epoch",
            s.patches_per_epoch.to_string(),
            "at least one batch",
        )?;
        require(s.learning_rate > 0.0, "schedule.learning_rate", s.learning_rate.to_string(), "above 0")?;
        require(s.patience > 0, "schedule.patience", s.patience.to_string(), "at least 1")?;
        require(
            (0.0..=1.0).contains(&s.positive_share),
            "schedule.positive_share",
            s.positive_share.to_string(),
            "0 to 1",
        )?;
        require(self.time_limit_minutes > 0.0, "time_limit_minutes", self.time_limit_minutes.to_string(), "above 0")?;
        require(!self.protocol.is_empty(), "protocol", "empty".to_owned(), "at least one [[protocol]]")?;
        require(
            self.protocol.iter().all(|p| p.weight > 0.0),
            "protocol.weight",
            "not positive".to_owned(),
            "weights above 0",
        )?;
        crate::cohort::refuse_leaks([&self.training, &self.validation, &self.test])?;
        Ok(())
    }
}
