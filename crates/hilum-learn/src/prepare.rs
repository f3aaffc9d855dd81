//! From a cohort to patches in memory, one patient at a time; what is done is kept, so that a stopped run goes on where it was.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use hilum_imaging::phantom::{PhantomError, PhantomRecipe, generate};
use hilum_infer::model::sha256_hex;
use serde::Serialize;

use crate::cohort::Cohort;
use crate::patch::{CutError, Patch, cut, load, save, stored_edge};
use crate::plan::Plan;
use crate::run::Progress;

/// Why a cohort has no patches.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A patient cannot be made.
    #[error("patient {seed}: {source}")]
    Phantom {
        /// The patient.
        seed: u64,
        /// Why.
        source: PhantomError,
    },
    /// A patient cannot be cut into patches.
    #[error("patient {seed}: {source}")]
    Cut {
        /// The patient.
        seed: u64,
        /// Why.
        source: CutError,
    },
    /// A file of the run cannot be written or read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The caller asked to stop.
    #[error("the training was cancelled while patients were prepared; run it again to go on")]
    Cancelled,
}

/// The patches of a cohort, in the order of its patients.
pub(crate) fn patches(
    plan: &Plan,
    cohort: &Cohort,
    folder: &Path,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<Patch>, PrepareError> {
    let channels = plan.preprocessing.channels();
    let mut all = Vec::new();
    for (done, recipe) in cohort.recipes(&plan.protocol).iter().enumerate() {
        let path = folder.join(format!("{}-{}.patches", recipe.seed, key(plan, recipe)));
        let file = |source| PrepareError::File { path: path.clone(), source };
        let of_patient = if path.exists() {
            load(&path, channels, stored_edge(&plan.patches)).map_err(file)?
        } else {
            let made = make(plan, recipe)?;
            save(&path, &made).map_err(file)?;
            made
        };
        all.extend(of_patient);
        let told = progress(Progress::Patient { cohort: cohort.name.clone(), done: done + 1, of: cohort.patients });
        if told.is_break() {
            return Err(PrepareError::Cancelled);
        }
    }
    Ok(all)
}

fn make(plan: &Plan, recipe: &PhantomRecipe) -> Result<Vec<Patch>, PrepareError> {
    let seed = recipe.seed;
    let study = generate(recipe).map_err(|source| PrepareError::Phantom { seed, source })?;
    cut(&study, &plan.preprocessing, &plan.patches, seed).map_err(|source| PrepareError::Cut { seed, source })
}

/// What the patches of a patient depend on.
fn key(plan: &Plan, recipe: &PhantomRecipe) -> String {
    #[derive(Serialize)]
    struct Key<'a>(&'a PhantomRecipe, &'a hilum_imaging::Recipe, crate::plan::PatchPlan, &'a str);
    let key = Key(recipe, &plan.preprocessing, plan.patches, env!("CARGO_PKG_VERSION"));
    let mut hash = sha256_hex(&serde_json::to_vec(&key).expect("plain data"));
    hash.truncate(12);
    hash
}
