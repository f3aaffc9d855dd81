//! Looking after a data folder: checking it against damage, making the index again, backing it up.

mod backup;
mod check;
mod configuration;

pub use backup::{BackupError, BackupSummary, RestoreSummary, restore};
pub use check::{CheckOptions, CheckReport, Fault};
