//! Objects as received, durable before success.
//!
//! An object's way: appended to the segment that this process writes and synchronised ([`segment`]), then its row committed; a record
//! that is refused is taken out again, one that a crash leaves without a row gets it at the next start. A report is a folder of files: written and synchronised under `incoming/<process>/`, then moved to
//! its place WHILE the catalogue's write lock is held, and the row committed. Whatever a crash leaves behind has an incoming name, and
//! [`Storage::leftovers`] finds it without walking the archive. No file name holds a UID or anything of a patient.

mod leftovers;
mod object_file;
mod object_key;
pub mod segment;

pub use leftovers::Leftover;
pub use object_file::ObjectFile;
pub use object_key::ObjectKey;
pub(crate) use object_key::hex;

use crate::error::ErrorKind;
use bytes::Bytes;
use hilum_dicom::{LARGEST_IN_MEMORY, ObjectBytes};
use segment::{Appended, Header, Provenance, Segments};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

/// The file that names the data folder.
const FOLDER_ID: &str = "folder.id";

/// SHA-256 of bytes as received.
pub type Sha256Digest = [u8; 32];

/// Why an object could not be kept or read back.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The disk is full, or a quota or file-size limit is reached; nothing half-written stays.
    #[error("the disk under the data folder is full: free some space, then send again")]
    DiskFull,
    /// The operating system refused.
    #[error("storage failed while it tried to {act}: {source}")]
    Io {
        /// What was being done.
        act: &'static str,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The stored bytes no longer match their digest.
    #[error("a stored object no longer matches its SHA-256; restore it from a backup")]
    Corrupt,
    /// The object was deleted while it was read.
    #[error("the object was deleted while it was read")]
    Gone,
}

impl StorageError {
    pub(crate) fn during(act: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Self::DiskFull,
            _ => Self::Io { act, source },
        }
    }

    /// For the status tables.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::DiskFull => ErrorKind::OutOfSpace,
            Self::Gone => ErrorKind::NotFound,
            Self::Io { .. } | Self::Corrupt => ErrorKind::Internal,
        }
    }

    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::Io { .. } => "storage_failed",
            Self::Corrupt => "object_corrupt",
            Self::Gone => "object_gone",
        }
    }
}

/// The data folder of one running process.
#[derive(Debug)]
pub struct Storage {
    root: PathBuf,
    segments: Segments,
    incoming: Incoming,
    process: Uuid,
    /// Held as long as this process lives: whoever can lock it knows that the process is gone.
    _alive: File,
}

/// The folder of what this process has under way. Its end comes after that of the segments.
#[derive(Debug)]
struct Incoming(PathBuf);

impl Drop for Incoming {
    fn drop(&mut self) {
        // Only an orderly end comes here; a folder that still holds something is left for the next start to look at.
        let empty = fs::read_dir(&self.0).is_ok_and(|entries| entries.count() <= 1);
        if empty && let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::debug!(kind = ?error.kind(), "the incoming folder stays until the next start");
        }
    }
}

/// Bytes that are durable, on their way to become an object of the archive. Dropped before they are recorded, they go again, unless
/// they are to stay.
#[derive(Debug)]
pub struct Staged {
    target: ObjectKey,
    way: Way,
    recorded: AtomicBool,
    stays: AtomicBool,
}

#[derive(Debug)]
enum Way {
    Record(Appended),
    /// A folder leaves its incoming name when it moves to its place; the marker stays until the row is committed.
    Folder {
        incoming: PathBuf,
        marker: PathBuf,
    },
    /// It was there before; whatever becomes of it, it stays.
    Found,
}

impl Staged {
    /// Where the bytes are, or will be.
    pub fn target(&self) -> &ObjectKey {
        &self.target
    }

    /// Its row is committed.
    pub(crate) fn recorded(&self) {
        self.recorded.store(true, Ordering::Release);
    }

    /// Its sender is told that it is kept, or its row may be committed: it stays, and the next start looks whether it has a row.
    pub(crate) fn stay(&self) {
        self.stays.store(true, Ordering::Release);
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        match &self.way {
            Way::Record(appended) => match (*self.recorded.get_mut(), *self.stays.get_mut()) {
                (true, _) => {}
                (false, true) => appended.leave(),
                (false, false) => appended.discard(),
            },
            Way::Found => {}
            Way::Folder { incoming, marker } => {
                for name in [incoming, marker] {
                    if let Err(error) = remove_any(name) {
                        tracing::warn!(kind = ?error.kind(), "an incoming file stays until the next start");
                    }
                }
            }
        }
    }
}

impl Storage {
    /// Opens (or creates) the data folder for this process. The folder is readable by its owner only.
    pub fn open(root: &Path) -> Result<Self, StorageError> {
        create_private(root).map_err(StorageError::during("create the data folder"))?;
        let process = Uuid::new_v4();
        // Locked before it gets the name that others look at: nobody can take a process that starts for one that is gone.
        let unnamed = root.join("incoming").join(format!(".{process}"));
        fs::create_dir_all(&unnamed).map_err(StorageError::during("create the incoming folder"))?;
        let alive =
            File::create(unnamed.join(leftovers::ALIVE)).map_err(StorageError::during("create the process lock"))?;
        alive.lock().map_err(StorageError::during("lock the incoming folder"))?;
        let incoming = root.join("incoming").join(process.to_string());
        fs::rename(&unnamed, &incoming).map_err(StorageError::during("name the incoming folder"))?;
        let segments = Segments::new(root, incoming.clone(), process);
        Ok(Self { root: root.to_owned(), segments, incoming: Incoming(incoming), process, _alive: alive })
    }

    /// This process, as leases name it.
    pub fn process(&self) -> Uuid {
        self.process
    }

    /// The data folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Appends an object durably. Blocks on the disk.
    pub fn append(
        &self,
        provenance: Provenance,
        sha256: Sha256Digest,
        object: &ObjectBytes,
    ) -> Result<Staged, StorageError> {
        let header = Header { provenance, length: object.len(), sha256 };
        let appended = self.segments.append(&header, object)?;
        Ok(Staged {
            target: appended.key.clone(),
            way: Way::Record(appended),
            recorded: AtomicBool::new(false),
            stays: AtomicBool::new(false),
        })
    }

    /// Writes a folder of files durably under an incoming name: the files of a report. Blocks on the disk.
    pub fn stage_folder(&self, target: ObjectKey, files: &[(String, Vec<u8>)]) -> Result<Staged, StorageError> {
        let name = || self.incoming.0.join(target.incoming_name(Uuid::new_v4()));
        let (incoming, marker) = (name(), name());
        // From here on `staged` removes whatever a failure leaves.
        let way = Way::Folder { incoming: incoming.clone(), marker: marker.clone() };
        let staged = Staged { target, way, recorded: AtomicBool::new(false), stays: AtomicBool::new(false) };
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
            // A record lies at its place from the beginning.
            let Way::Folder { incoming, .. } = &item.way else { continue };
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
    pub fn displace<'a>(&self, placed: impl IntoIterator<Item = &'a ObjectKey>) {
        for key in placed {
            self.remove(key);
        }
    }

    /// Removes an object that has no row; false when it stays behind. That it is gone already is no failure.
    pub fn remove(&self, key: &ObjectKey) -> bool {
        let removed = match key.place() {
            Some(place) => place.remove(&self.root),
            None => remove_any(&self.root.join(key.as_str())),
        };
        if let Err(error) = &removed {
            tracing::warn!(kind = ?error.kind(), "an object without a row stays behind");
        }
        removed.is_ok()
    }

    /// An object's bytes, checked against the digest in its name.
    pub fn read(&self, key: &ObjectKey) -> Result<Bytes, StorageError> {
        let object = self.open_object(key)?;
        let bytes = object.read_vec(0..object.size())?;
        match key.sha256() {
            Some(digest) if digest != Sha256Digest::from(Sha256::digest(&bytes)) => Err(StorageError::Corrupt),
            _ => Ok(Bytes::from(bytes)),
        }
    }

    /// An object checked against the digest in its name, in memory where it is not too long for that.
    pub fn load(&self, key: &ObjectKey) -> Result<ObjectBytes, StorageError> {
        let file = self.open_object(key)?;
        if file.size() <= LARGEST_IN_MEMORY {
            return Ok(self.read(key)?.into());
        }
        let object = ObjectBytes::ByRange(Arc::new(file));
        let mut digest = Sha256::new();
        for piece in object.pieces(0) {
            digest.update(piece.map_err(StorageError::during("read an object"))?);
        }
        match key.sha256() {
            Some(sha256) if sha256 != Sha256Digest::from(digest.finalize()) => Err(StorageError::Corrupt),
            _ => Ok(object),
        }
    }

    /// The files of the segments, in order of their names.
    pub fn segment_files(&self) -> Result<Vec<PathBuf>, StorageError> {
        let failed = || StorageError::during("list the segments");
        let folder = match fs::read_dir(self.root.join(segment::FOLDER)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(failed())?,
        };
        let paths = folder.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
        let mut paths = paths.map_err(failed())?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == segment::EXTENSION));
        paths.sort();
        Ok(paths)
    }

    /// Whether an object, or the folder of a report, lies where its row says. The bytes are not read.
    pub fn is_there(&self, key: &ObjectKey) -> Result<bool, StorageError> {
        match key.place() {
            Some(place) => place.is_there(&self.root).map_err(StorageError::during("look for an object")),
            None => Ok(self.root.join(key.as_str()).exists()),
        }
    }

    /// A record that lies in a segment without a row, on its way to get one.
    pub(crate) fn adopt(key: ObjectKey) -> Staged {
        Staged { target: key, way: Way::Found, recorded: AtomicBool::new(false), stays: AtomicBool::new(false) }
    }

    /// One file of a folder object, or `None` when the folder has no such file.
    pub fn read_file_of(&self, folder: &ObjectKey, name: &str) -> Result<Option<Bytes>, StorageError> {
        match fs::read(self.root.join(folder.as_str()).join(name)) {
            Ok(bytes) => Ok(Some(Bytes::from(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::during("read a report")(error)),
        }
    }
}

/// The data folder as a catalogue outside of it knows it, in a file of the folder; it is named when it is first asked for.
pub(crate) fn folder_id(root: &Path) -> Result<Uuid, StorageError> {
    let file = root.join(FOLDER_ID);
    let failed = || StorageError::during("name the data folder");
    if !file.exists() {
        let id = Uuid::new_v4();
        let unnamed = root.join(format!(".{id}"));
        let mut new = File::create(&unnamed).map_err(failed())?;
        writeln!(new, "{id}").and_then(|()| new.sync_all()).map_err(failed())?;
        // Of two processes that start at once the first one names it.
        let named = fs::hard_link(&unnamed, &file);
        fs::remove_file(&unnamed).map_err(failed())?;
        match named {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed()(error)),
            _ => sync_folder(root)?,
        }
    }
    let text = fs::read_to_string(&file).map_err(failed())?;
    text.trim().parse().map_err(|_| failed()(io::Error::other(format!("{FOLDER_ID} holds no UUID"))))
}

pub(crate) fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn sync_folder(folder: &Path) -> Result<(), StorageError> {
    File::open(folder).and_then(|handle| handle.sync_all()).map_err(StorageError::during("sync a folder"))
}

/// Removes a file or a folder; that it is already gone is no error.
fn remove_any(path: &Path) -> io::Result<()> {
    let outcome = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
