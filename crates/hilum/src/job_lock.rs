//! One process at a time settles and reads the studies of a data folder.
//!
//! Keeping and cataloguing need no lock: SQLite in WAL mode lets `hilum import` write while a server runs, and the server's jobs
//! then find what is due. The lock is the operating system's, so that it is free again after a crash.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
};

use anyhow::Context;
use hilum_engine::storage::create_private;

/// Held as long as this process runs jobs.
pub struct JobLock {
    _file: File,
}

impl JobLock {
    /// None when another process holds it.
    pub fn acquire(data_dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = data_dir.join("jobs.lock");
        create_private(data_dir).with_context(|| format!("data folder {}", data_dir.display()))?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(|| format!("lock file {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("lock file {}", path.display())),
        }
    }
}
