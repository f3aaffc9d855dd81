//! Training: plan file, patients and patches, training loop, evaluation, model folder.
//!
//! [`run`] reads as the experiment: plan, patients, patches, fit, threshold, test, model folder.

pub mod augment;
pub mod cohort;
pub mod evaluate;
pub use hilum_infer::interval;
pub mod model_folder;
pub mod patch;
pub mod plan;
mod prepare;
mod run;
mod train;

pub use plan::{Plan, PlanError};
pub use run::{Progress, RunError, run};
