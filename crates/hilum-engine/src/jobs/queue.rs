//! The apalis queue on its own SQLite file.

use super::turns::RETRY_AFTER;
use super::{QUEUED, work};
use crate::catalog::Due;
use crate::engine::Engine;
use crate::error::EngineError;
use apalis::prelude::{BoxDynError, Data, TaskBuilder, TaskSink, WorkerBuilder};
use apalis_sqlite::{Config, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteStorage};
use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use uuid::Uuid;

const FILE: &str = "queue.sqlite";
/// Locked by whoever opens the queue.
const TURN: &str = "queue.lock";
const NAME: &str = "hilum";

#[derive(Clone, Debug)]
pub(super) struct Queue {
    pool: SqlitePool,
    enqueued: Enqueued,
}

/// What this process has enqueued and not yet done, and how many tasks it has pushed.
#[derive(Clone, Debug, Default)]
struct Enqueued {
    open: Arc<Mutex<HashSet<Due>>>,
    pushed: Arc<AtomicU64>,
    /// Told when half of the tasks of one kind are done.
    short: Arc<Notify>,
}

impl Enqueued {
    fn insert(&self, due: Due) -> bool {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(due)
    }

    fn remove(&self, due: Due) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&due);
        let same = |other: &&Due| std::mem::discriminant(*other) == std::mem::discriminant(&due);
        if open.iter().filter(same).count() == QUEUED / 2 {
            self.short.notify_one();
        }
    }
}

impl Queue {
    /// Opens the queue; one that cannot be opened is made anew, for nothing is lost with it. One process at a time: what another is just making
    /// cannot be opened either.
    pub(super) async fn open(folder: &Path) -> Result<Self, EngineError> {
        let file = folder.join(FILE);
        let turn = folder.join(TURN);
        let locked = tokio::task::spawn_blocking(move || {
            let turn = File::options().create(true).truncate(false).write(true).open(turn)?;
            turn.lock().map(|()| turn)
        });
        let failed = |error: &dyn std::fmt::Display| EngineError::Queue(format!("{TURN} cannot be locked: {error}"));
        let _turn = locked.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        match Self::connect(&file).await {
            Ok(queue) => Ok(queue),
            Err(error) => {
                tracing::warn!(%error, "the job queue was unreadable and is made anew");
                for suffix in ["", "-wal", "-shm"] {
                    let part = folder.join(format!("{FILE}{suffix}"));
                    if let Err(error) = std::fs::remove_file(&part)
                        && error.kind() != std::io::ErrorKind::NotFound
                    {
                        return Err(EngineError::Queue(format!("{FILE}{suffix} cannot be replaced: {error}")));
                    }
                }
                Self::connect(&file).await.map_err(|error| EngineError::Queue(error.to_string()))
            }
        }
    }

    async fn connect(file: &Path) -> Result<Self, apalis_sqlite::Error> {
        let options =
            SqliteConnectOptions::new().filename(file).create_if_missing(true).busy_timeout(Duration::from_secs(30));
        let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await?;
        SqliteStorage::setup(&pool).await?;
        Ok(Self { pool, enqueued: Enqueued::default() })
    }

    /// What this process has in the queue, or has in hand.
    pub(super) fn open_tasks(&self) -> HashSet<Due> {
        self.enqueued.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Half of what was in the queue of one kind is done.
    pub(super) async fn runs_short(&self) {
        self.enqueued.short.notified().await;
    }

    fn storage(&self) -> SqliteStorage<Due> {
        let config = Config::default().queue(NAME).heartbeat_interval(Duration::from_secs(5)).persist_results(false);
        SqliteStorage::new(&self.pool).with_config(config)
    }

    /// Enqueues work, unless this process has it enqueued already. The key is (kind, id, revision, attempt) and who pushed it: a restart
    /// does not wait for the tasks of the process that died, and doing one twice changes nothing.
    pub(super) async fn push(&self, due: Due, process: Uuid) -> Result<(), EngineError> {
        if !self.enqueued.insert(due) {
            return Ok(());
        }
        let pushed = self.enqueued.pushed.fetch_add(1, Ordering::Relaxed);
        let key = match due {
            Due::Series { row, revision } => format!("series/{row}/{revision}/{process}/{pushed}"),
            Due::Study { row, revision, attempt } => format!("study/{row}/{revision}/{attempt}/{process}/{pushed}"),
            Due::Results { row, tries } => format!("results/{row}/{tries}/{process}/{pushed}"),
            Due::WorkItem { row, looks } => format!("work/{row}/{looks}/{process}/{pushed}"),
        };
        let task = TaskBuilder::new(due).idempotency_key(key).max_attempts(1).build();
        self.storage().push_task(task).await.map_err(|error| EngineError::Queue(error.to_string()))
    }

    /// Works until told to stop.
    pub(super) async fn work(self, engine: Engine, stop: Arc<Notify>) -> Result<(), EngineError> {
        let worker = WorkerBuilder::new(format!("{NAME}-{}", engine.storage().process()))
            .backend(self.storage())
            .data(engine)
            .data(self.enqueued.clone())
            .build(task);
        let stopped = async move {
            stop.notified().await;
            Ok::<(), std::io::Error>(())
        };
        worker.run_until(stopped).await.map_err(|error| EngineError::Queue(error.to_string()))
    }
}

async fn task(due: Due, engine: Data<Engine>, enqueued: Data<Enqueued>) -> Result<(), BoxDynError> {
    let outcome = work(&engine, due).await;
    match &outcome {
        Ok(()) => enqueued.remove(due),
        Err(error) => {
            tracing::warn!(code = error.code(), ?due, "a job failed; it stays due");
            let enqueued = enqueued.clone();
            tokio::spawn(async move {
                tokio::time::sleep(RETRY_AFTER).await;
                enqueued.remove(due);
            });
        }
    }
    outcome.map_err(Into::into)
}
