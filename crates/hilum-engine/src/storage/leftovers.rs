//! What a process that died left in its incoming folder.

use super::{ObjectKey, Storage, StorageError, remove_any};
use std::fs::{self, File};
use std::path::PathBuf;
use uuid::Uuid;

pub(super) const ALIVE: &str = "alive";

/// The incoming folder of a process that is gone, with the places its files were on their way to.
#[derive(Debug)]
pub struct Leftover {
    folder: PathBuf,
    /// Locked by us now: no third process clears the same folder.
    _dead: File,
    /// The process, as its leases name it.
    pub process: Uuid,
    /// Places that may hold an object without a row.
    pub targets: Vec<ObjectKey>,
}

impl Storage {
    /// The leftovers of every process that is gone. Processes that still run are left alone.
    pub fn leftovers(&self) -> Result<Vec<Leftover>, StorageError> {
        let io = StorageError::during;
        let mut found = Vec::new();
        for entry in fs::read_dir(self.root.join("incoming")).map_err(io("list the incoming folders"))? {
            let folder = entry.map_err(io("list the incoming folders"))?.path();
            let process = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<Uuid>().ok());
            let (Some(process), true) = (process, folder != self.incoming) else { continue };
            let Ok(lock) = File::open(folder.join(ALIVE)) else {
                // Either just being created or already being removed by its owner.
                continue;
            };
            if lock.try_lock().is_err() {
                continue;
            }
            let mut targets = Vec::new();
            for file in fs::read_dir(&folder).map_err(io("list an incoming folder"))? {
                let name = file.map_err(io("list an incoming folder"))?.file_name();
                targets.extend(name.to_str().and_then(ObjectKey::from_incoming_name));
            }
            found.push(Leftover { folder, _dead: lock, process, targets });
        }
        Ok(found)
    }

    /// Removes a leftover's incoming folder, once its targets were compared with the catalogue.
    pub fn clear(&self, leftover: &Leftover) -> Result<(), StorageError> {
        remove_any(&leftover.folder)
            .map_err(StorageError::during("clear the incoming folder of a process that is gone"))
    }
}
