//! One file a command.

use std::{path::Path, time::Duration};

use anyhow::Context;
use hilum_engine::Engine;

use crate::settings::Settings;

pub mod accounts;
pub mod audit;
pub mod deliveries;
pub mod demo;
pub mod doctor;
pub mod echo;
pub mod evaluate;
pub mod export;
pub mod forwards;
pub mod import;
pub mod keys;
pub mod model;
pub mod phantom;
pub mod predict;
pub mod quality;
pub mod query;
pub mod report;
pub mod retrieve;
pub mod rules;
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

/// Runs work on an engine, which is closed however the work ends: what was done stands in the audit trail.
async fn with_engine<T>(
    settings: &Settings,
    data_dir: &Path,
    work: impl AsyncFnOnce(&Engine) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let opened = Engine::open(settings.engine(data_dir)).await;
    let engine = opened.with_context(|| format!("data folder {}", data_dir.display()))?;
    let done = work(&engine).await;
    engine.close().await;
    done
}
