//! What a process that died left in its incoming folder.

use super::bucket;
use super::segment::{FOLDER, MARKER, Records};
use super::{ObjectKey, Storage, StorageError, remove_any, sync_folder};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
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
    /// Folders that may have no row.
    pub folders: Vec<ObjectKey>,
    /// Objects that it kept lately; some may have no row.
    pub objects: Vec<ObjectKey>,
    segments: Vec<PathBuf>,
}

impl Storage {
    /// The processes that have an incoming folder: those that run, this one too, and those that left something.
    fn processes(&self) -> Result<Vec<Uuid>, StorageError> {
        let failed = || StorageError::during("list the incoming folders");
        let mut processes = Vec::new();
        for entry in fs::read_dir(self.root.join("incoming")).map_err(failed())? {
            let name = entry.map_err(failed())?.file_name();
            processes.extend(name.to_str().and_then(|name| name.parse::<Uuid>().ok()));
        }
        Ok(processes)
    }

    /// The leftovers of every process that is gone. Processes that still run are left alone.
    pub fn leftovers(&self) -> Result<Vec<Leftover>, StorageError> {
        let io = StorageError::during;
        let mut found = Vec::new();
        for process in self.processes()?.into_iter().filter(|process| *process != self.process) {
            let folder = self.root.join("incoming").join(process.to_string());
            let Ok(lock) = File::open(folder.join(ALIVE)) else {
                // Either just being created or already being removed by its owner.
                continue;
            };
            if lock.try_lock().is_err() {
                continue;
            }
            let (mut folders, mut segments, mut objects) = (Vec::new(), Vec::new(), Vec::new());
            for file in fs::read_dir(&folder).map_err(io("list an incoming folder"))? {
                let name = file.map_err(io("list an incoming folder"))?.file_name();
                let Some(name) = name.to_str() else { continue };
                folders.extend(ObjectKey::from_incoming_name(name));
                segments.extend(name.strip_prefix(MARKER).map(|segment| self.root.join(FOLDER).join(segment)));
            }
            for segment in &segments {
                objects.extend(records_of(segment).map_err(io("read a segment"))?);
            }
            if let Some(since) = bucket::since(&folder) {
                objects.extend(self.bucket()?.kept_since(process, since)?);
            }
            found.push(Leftover { folder, _dead: lock, process, folders, objects, segments });
        }
        Ok(found)
    }

    /// Removes a leftover's incoming folder, once all that it names has a row or is gone.
    pub fn clear(&self, leftover: &Leftover) -> Result<(), StorageError> {
        for segment in &leftover.segments {
            trim(segment).map_err(StorageError::during("trim a segment of a process that is gone"))?;
        }
        if !leftover.segments.is_empty() && self.root.join(FOLDER).is_dir() {
            sync_folder(&self.root.join(FOLDER))?;
        }
        if let Some(bucket) = &self.bucket {
            bucket.give_up_uploads(&leftover.folder)?;
        }
        remove_any(&leftover.folder)
            .map_err(StorageError::during("clear the incoming folder of a process that is gone"))
    }
}

fn records_of(segment: &Path) -> io::Result<Vec<ObjectKey>> {
    let mut records = match Records::open(segment) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut found = Vec::new();
    while let Some(record) = records.next_record()? {
        found.push(record.key);
    }
    Ok(found)
}

/// Cuts off what lies behind the last record: nobody was told that it is there.
fn trim(segment: &Path) -> io::Result<()> {
    let mut records = match Records::open(segment) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    while records.next_record()?.is_some() {}
    if records.end() == 0 {
        return fs::remove_file(segment);
    }
    let file = OpenOptions::new().write(true).open(segment)?;
    file.set_len(records.end())?;
    file.sync_data()
}
