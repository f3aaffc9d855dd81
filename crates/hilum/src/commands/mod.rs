//! One file a command.

use std::time::Duration;

pub mod accounts;
pub mod demo;
pub mod doctor;
pub mod echo;
pub mod evaluate;
pub mod export;
pub mod forwards;
pub mod import;
pub mod model;
pub mod phantom;
pub mod predict;
pub mod query;
pub mod report;
pub mod retrieve;
pub mod send;
pub mod serve;
pub mod train;
pub mod upkeep;
pub mod worklist_import;

/// The default data folder.
pub const DATA: &str = "hilum-data";

/// Runs an async command to its end. What it left running on other threads gets a moment, then the process goes without it.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_secs(2));
    done
}
