//! The apalis queue on its own SQLite file.

use super::perform;
use crate::catalog::Due;
use crate::engine::Engine;
use crate::error::EngineError;
use apalis::prelude::{BoxDynError, Data, TaskBuilder, TaskSink, WorkerBuilder};
use apalis_sqlite::{Config, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteStorage};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use uuid::Uuid;

const FILE: &str = "queue.sqlite";
const NAME: &str = "hilum";

#[derive(Clone, Debug)]
pub(super) struct Queue {
    pool: SqlitePool,
}

impl Queue {
    /// Opens the queue; one that cannot be opened is made anew, for nothing is lost with it.
    pub(super) async fn open(folder: &Path) -> Result<Self, EngineError> {
        let file = folder.join(FILE);
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
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .busy_timeout(Duration::from_secs(30));
        let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await?;
        SqliteStorage::setup(&pool).await?;
        Ok(Self { pool })
    }

    fn storage(&self) -> SqliteStorage<Due> {
        let config = Config::default().queue(NAME).heartbeat_interval(Duration::from_secs(5)).persist_results(false);
        SqliteStorage::new(&self.pool).with_config(config)
    }

    /// Enqueues work once: the key is (process, kind, id, revision, attempt). The process is part of it so that a restart does not wait for
    /// the tasks of the process that died; doing one twice changes nothing.
    pub(super) async fn push(&self, due: Due, process: Uuid) -> Result<(), EngineError> {
        let key = match due {
            Due::Series { row, revision } => format!("{process}/series/{row}/{revision}"),
            Due::Study { row, revision, attempt } => format!("{process}/study/{row}/{revision}/{attempt}"),
        };
        let task = TaskBuilder::new(due).idempotency_key(key).max_attempts(1).build();
        self.storage().push_task(task).await.map_err(|error| EngineError::Queue(error.to_string()))
    }

    /// Works until told to stop.
    pub(super) async fn work(self, engine: Engine, stop: Arc<Notify>) -> Result<(), EngineError> {
        let worker = WorkerBuilder::new(format!("{NAME}-{}", engine.storage().process()))
            .backend(self.storage())
            .data(engine)
            .build(task);
        let stopped = async move {
            stop.notified().await;
            Ok::<(), std::io::Error>(())
        };
        worker.run_until(stopped).await.map_err(|error| EngineError::Queue(error.to_string()))
    }
}

async fn task(due: Due, engine: Data<Engine>) -> Result<(), BoxDynError> {
    let outcome = perform(&engine, due).await;
    if let Err(error) = &outcome {
        tracing::warn!(code = error.code(), ?due, "a job failed; it stays due");
    }
    outcome.map_err(Into::into)
}
