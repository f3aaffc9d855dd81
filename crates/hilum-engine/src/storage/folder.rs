//! Folders of files as objects: the files of a report, packed metadata.

use super::bucket::Bucket;
use super::{ObjectKey, Staged, Storage, StorageError, Way, sync_folder};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

impl Storage {
    /// Writes a folder of files durably: the files of a report. In the data folder they get an incoming name first; in the bucket they
    /// lie where the row will say. Blocks on the store.
    pub fn stage_folder(&self, target: ObjectKey, files: &[(String, Vec<u8>)]) -> Result<Staged, StorageError> {
        if let Some(bucket) = &self.bucket {
            return self.stage_in_bucket(bucket, target.moved_to_bucket(), files);
        }
        let name = || self.incoming.0.join(target.incoming_name(Uuid::new_v4()));
        let (incoming, marker) = (name(), name());
        // From here on `staged` removes whatever a failure leaves.
        let way = Way::Folder { incoming: incoming.clone(), marker: marker.clone() };
        let staged = Staged::new(target, way);
        fs::create_dir(&marker).map_err(StorageError::during("mark a folder as incoming"))?;
        fs::create_dir(&incoming).map_err(StorageError::during("create an incoming folder"))?;
        for (name, bytes) in files {
            let mut file = File::create_new(incoming.join(name))
                .map_err(StorageError::during("create a file of an incoming folder"))?;
            file.write_all(bytes).map_err(StorageError::during("write a file of an incoming folder"))?;
            file.sync_data().map_err(StorageError::during("sync a file of an incoming folder"))?;
        }
        sync_folder(&incoming)?;
        Ok(staged)
    }

    fn stage_in_bucket(
        &self,
        bucket: &Arc<Bucket>,
        target: ObjectKey,
        files: &[(String, Vec<u8>)],
    ) -> Result<Staged, StorageError> {
        let marker = self.incoming.0.join(target.incoming_name(Uuid::new_v4()));
        let way = Way::Files { bucket: Arc::clone(bucket), marker: marker.clone(), placed: AtomicBool::new(false) };
        let staged = Staged::new(target, way);
        fs::create_dir(&marker).map_err(StorageError::during("mark a folder as incoming"))?;
        sync_folder(&self.incoming.0)?;
        bucket.put_files(&staged.target, files)?;
        Ok(staged)
    }

    /// Moves staged folders to their places, durably; returns the places.
    ///
    /// The caller holds the catalogue's write lock and calls [`Self::displace`] with the returned keys if its transaction fails.
    pub fn place<'a>(&self, staged: impl IntoIterator<Item = &'a Staged>) -> Result<Vec<ObjectKey>, StorageError> {
        let mut placed = Vec::new();
        let outcome = self.place_into(staged, &mut placed);
        if outcome.is_err() {
            self.displace(&placed);
        }
        outcome.map(|()| placed)
    }

    fn place_into<'a>(
        &self,
        staged: impl IntoIterator<Item = &'a Staged>,
        placed: &mut Vec<ObjectKey>,
    ) -> Result<(), StorageError> {
        let mut changed = BTreeSet::new();
        for item in staged {
            let incoming = match &item.way {
                Way::Folder { incoming, .. } => incoming,
                Way::Files { placed: done, .. } => {
                    done.store(true, Ordering::Release);
                    placed.push(item.target.clone());
                    continue;
                }
                // They lie at their places from the beginning.
                Way::Record(_) | Way::Object(_) | Way::Found => continue,
            };
            let target = self.root.join(item.target.as_str());
            if let Some(folder) = target.parent() {
                self.create_folders(folder, &mut changed)?;
            }
            fs::rename(incoming, &target).map_err(StorageError::during("move a folder to its place"))?;
            changed.extend(target.parent().map(Path::to_owned));
            placed.push(item.target.clone());
        }
        changed.iter().try_for_each(|folder| sync_folder(folder))
    }

    fn create_folders(&self, folder: &Path, changed: &mut BTreeSet<PathBuf>) -> Result<(), StorageError> {
        if folder == self.root || folder.is_dir() {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.create_folders(parent, changed)?;
            changed.insert(parent.to_owned());
        }
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(StorageError::during("create an object folder")(error))
            }
            _ => Ok(()),
        }
    }

    /// Takes back what [`Self::place`] placed, when the transaction around it failed.
    pub fn displace(&self, placed: &[ObjectKey]) {
        self.remove(placed);
    }

    /// Every file of a folder object, by name. Blocks on the store.
    pub fn files_of(&self, folder: &ObjectKey) -> Result<Vec<(String, Bytes)>, StorageError> {
        let mut files = Vec::new();
        for name in self.names_in(folder)? {
            files.extend(self.read_file_of(folder, &name)?.map(|bytes| (name, bytes)));
        }
        Ok(files)
    }

    fn names_in(&self, folder: &ObjectKey) -> Result<Vec<String>, StorageError> {
        if let Some(folder) = folder.in_bucket_folder() {
            return self.bucket()?.names_in(folder);
        }
        let failed = || StorageError::during("list a report");
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join(folder.as_str())).map_err(failed())? {
            // Names are ours, and ASCII.
            names.extend(entry.map_err(failed())?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    /// One file of a folder object, or `None` when the folder has no such file.
    pub fn read_file_of(&self, folder: &ObjectKey, name: &str) -> Result<Option<Bytes>, StorageError> {
        if let Some(folder) = folder.in_bucket_folder() {
            return self.bucket()?.file(folder, name);
        }
        match fs::read(self.root.join(folder.as_str()).join(name)) {
            Ok(bytes) => Ok(Some(Bytes::from(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::during("read a report")(error)),
        }
    }
}
