//! Objects as received, durable before success.
//!
//! An object's way: appended to the segment that this process writes and synchronised ([`segment`]), then its row committed; a record
//! that is refused is taken out again, one that a crash leaves without a row gets it at the next start. A report is a folder of files: written and synchronised under `incoming/<process>/`, then moved to
//! its place WHILE the catalogue's write lock is held, and the row committed. Whatever a crash leaves behind has an incoming name, and
//! [`Storage::leftovers`] finds it without walking the archive. No file name holds a UID or anything of a patient.

mod bucket;
mod error;
mod folder;
mod holding;
mod leftovers;
mod object_file;
mod object_key;
pub mod segment;

pub use bucket::{BadBucketUrl, BadEndpoint, BucketSettings, BucketUrl, Credentials, Endpoint, StoragePlace};
pub use error::StorageError;
pub use holding::{Found, Holding, Objects};
pub use leftovers::Leftover;
pub use object_file::ObjectFile;
pub use object_key::ObjectKey;
pub(crate) use object_key::hex;

use crate::control::WorkControl;
use bucket::{Bucket, Kept};
pub(crate) use bucket::{Moved, Reading};
use bytes::Bytes;
use hilum_dicom::{LARGEST_IN_MEMORY, ObjectBytes, ObjectDigest, ObjectHasher};
use segment::{Appended, Header, Provenance, Segments};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

/// Digest of an object's bytes from `from` on. Blocks on the store where they are not in memory.
pub(crate) fn digest_by(mut hasher: ObjectHasher, object: &ObjectBytes, from: u64) -> io::Result<ObjectDigest> {
    for piece in object.pieces(from) {
        hasher.update(&piece?);
    }
    Ok(hasher.finish())
}

/// So many objects are asked for before they are read.
const AHEAD: usize = 8;
/// The file that names the data folder.
const FOLDER_ID: &str = "folder.id";

/// An object on its way into the store.
#[derive(Clone, Debug)]
pub struct NewObject {
    /// Stays with it, for whoever finds it without a row.
    pub provenance: Provenance,
    /// Digest of its bytes, where somebody knows it.
    pub digest: Option<ObjectDigest>,
    /// Its bytes.
    pub object: ObjectBytes,
}

/// The data folder of one running process.
#[derive(Debug)]
pub struct Storage {
    root: PathBuf,
    segments: Segments,
    /// Where new objects go, where one is configured; what lies in segments stays there.
    bucket: Option<Arc<Bucket>>,
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
    /// In the bucket.
    Object(Kept),
    /// The files of a folder in the bucket, where its row will say. The marker stays until the row is committed.
    Files {
        bucket: Arc<Bucket>,
        marker: PathBuf,
        placed: AtomicBool,
    },
    /// A folder leaves its incoming name when it moves to its place; the marker stays until the row is committed.
    Folder {
        incoming: PathBuf,
        marker: PathBuf,
    },
    /// It was there before; whatever becomes of it, it stays.
    Found,
}

impl Staged {
    fn new(target: ObjectKey, way: Way) -> Self {
        Self { target, way, recorded: AtomicBool::new(false), stays: AtomicBool::new(false) }
    }

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
            Way::Object(kept) => match (*self.recorded.get_mut(), *self.stays.get_mut()) {
                (true, _) => kept.settled(),
                // As long as its name is not settled, the next start looks for it.
                (false, true) => {}
                (false, false) => kept.discard(),
            },
            Way::Files { bucket, marker, placed } => {
                if !placed.load(Ordering::Acquire) {
                    bucket.take_back_files(self.target.clone(), marker.clone());
                } else if let Err(error) = remove_any(marker) {
                    tracing::warn!(kind = ?error.kind(), "an incoming file stays until the next start");
                }
            }
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
    /// Opens (or creates) the data folder for this process, and the bucket. The folder is readable by its owner only. Blocks on the
    /// disk and the network.
    pub fn open(root: &Path, place: &StoragePlace) -> Result<Self, StorageError> {
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
        // From here on an error takes the folder away again.
        let incoming = Incoming(incoming);
        let segments = Segments::new(root, incoming.0.clone(), process);
        let bucket = match place {
            StoragePlace::Folder => None,
            StoragePlace::Bucket(settings) => Some(Bucket::open(settings, root, incoming.0.clone(), process)?),
        };
        let bucket = bucket.map(Arc::new);
        Ok(Self { root: root.to_owned(), segments, bucket, incoming, process, _alive: alive })
    }

    /// This process, as leases name it.
    pub fn process(&self) -> Uuid {
        self.process
    }

    /// The data folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// New objects go to the folder: keeping one waits for a disk, never for a network.
    pub(crate) fn is_folder(&self) -> bool {
        self.bucket.is_none()
    }

    fn bucket(&self) -> Result<&Arc<Bucket>, StorageError> {
        self.bucket.as_ref().ok_or(StorageError::BucketNotConfigured)
    }

    /// Keeps objects durably, in a segment or in the bucket; the digest of each is told too, computed where nobody knew it. Blocks on the store.
    pub fn append(&self, objects: &[NewObject]) -> Vec<Result<(Staged, ObjectDigest), StorageError>> {
        let Some(bucket) = &self.bucket else {
            let staged = |record: Appended| {
                let digest = record.digest;
                (Staged::new(record.key.clone(), Way::Record(record)), digest)
            };
            return self.segments.append(objects).into_iter().map(|record| record.map(staged)).collect();
        };
        let kept = objects.iter().map(|NewObject { provenance, digest, object }| {
            let failed = StorageError::during("read a received object again");
            let digest = digest.map_or_else(|| digest_by(ObjectHasher::default(), object, 0), Ok).map_err(failed)?;
            let header = Header { provenance: provenance.clone(), length: object.len(), digest };
            let kept = bucket.keep(&header, object)?;
            Ok((Staged::new(kept.key.clone(), Way::Object(kept)), digest))
        });
        kept.collect()
    }

    /// Removes objects that have no row; says of each whether it is gone. That it was gone already is no failure.
    pub fn remove(&self, keys: &[ObjectKey]) -> Vec<bool> {
        let (far, near): (Vec<_>, Vec<_>) = keys.iter().cloned().partition(ObjectKey::lies_in_bucket);
        let mut far = match &self.bucket {
            Some(bucket) if !far.is_empty() => bucket.remove(&far),
            _ => vec![false; far.len()],
        }
        .into_iter();
        let mut near = near.iter().map(|key| self.remove_here(key));
        let gone = keys.iter().map(|key| if key.lies_in_bucket() { far.next() } else { near.next() });
        gone.map(|gone| gone == Some(true)).collect()
    }

    fn remove_here(&self, key: &ObjectKey) -> bool {
        let removed = match key.place() {
            Some(place) => place.remove(&self.root),
            None => remove_any(&self.root.join(key.as_str())),
        };
        if let Err(error) = &removed {
            tracing::warn!(kind = ?error.kind(), "an object without a row stays behind");
        }
        removed.is_ok()
    }

    /// A whole object, compared with the digest that its key promises. Blocks on the store.
    pub fn read(&self, key: &ObjectKey) -> Result<Bytes, StorageError> {
        if let Some(place) = key.in_bucket_as() {
            return self.bucket()?.read(&place);
        }
        let object = self.open_object(key)?;
        let bytes = object.read_vec(0..object.size())?;
        match key.digest() {
            Some(digest) if !digest.is_of(&bytes) => Err(StorageError::Corrupt),
            _ => Ok(Bytes::from(bytes)),
        }
    }

    /// An object checked against the digest in its name, in memory where it is not too long for that.
    pub fn load(&self, key: &ObjectKey) -> Result<ObjectBytes, StorageError> {
        if key.length().is_some_and(|length| length <= LARGEST_IN_MEMORY) {
            return Ok(self.read(key)?.into());
        }
        let file = self.open_object(key)?;
        let object = ObjectBytes::ByRange(Arc::new(file));
        let Some(digest) = key.digest() else { return Ok(object) };
        let found = digest_by(digest.hasher(), &object, 0).map_err(StorageError::during("read an object"))?;
        if found == digest { Ok(object) } else { Err(StorageError::Corrupt) }
    }

    /// As [`Self::load`], and what stands before the object is looked at, too; `None` where it is missing or damaged. Fails where its store does
    /// not answer.
    pub fn load_whole(&self, key: &ObjectKey) -> Result<Option<ObjectBytes>, StorageError> {
        let load = || {
            let header = self.header(key)?.ok_or(StorageError::Corrupt)?;
            if Some(header.digest) != key.digest() || Some(header.length) != key.length() {
                return Err(StorageError::Corrupt);
            }
            self.load(key)
        };
        match load() {
            Err(error) if error.is_loss() => Ok(None),
            loaded => loaded.map(Some),
        }
    }

    /// Says which objects are about to be read, in this order; those of a bucket are asked for, several at a time. Does not block.
    pub(crate) fn will_read<'a>(&self, keys: impl IntoIterator<Item = &'a ObjectKey>, reading: Reading) {
        let Some(bucket) = &self.bucket else { return };
        for place in keys.into_iter().take(AHEAD).filter_map(ObjectKey::in_bucket_as) {
            bucket.will_read(&place, reading);
        }
    }

    /// What stands before an object's bytes; `None` where it is damaged. Blocks on the store.
    pub fn header(&self, key: &ObjectKey) -> Result<Option<Header>, StorageError> {
        if let Some(place) = key.in_bucket_as() {
            return self.bucket()?.header(&place);
        }
        let Some(place) = key.place() else { return Ok(None) };
        place.header(&self.root).map_err(StorageError::during("read what stands before an object"))
    }

    /// Which of the objects, and folders of reports, lie where their rows say. The bytes are not read. Blocks on the store.
    pub fn are_there(&self, keys: &[ObjectKey]) -> Result<Vec<bool>, StorageError> {
        let far: Vec<_> = keys.iter().filter(|key| key.lies_in_bucket()).cloned().collect();
        let far = if far.is_empty() { Vec::new() } else { self.bucket()?.are_there(&far)? };
        let mut far = far.into_iter();
        let there = keys.iter().map(|key| match key.place() {
            _ if key.lies_in_bucket() => Ok(far.next() == Some(true)),
            Some(place) => place.is_there(&self.root).map_err(StorageError::during("look for an object")),
            None => Ok(self.root.join(key.as_str()).exists()),
        });
        there.collect()
    }

    /// Copies what the bucket holds into a folder of files; nothing where none is configured. Blocks on both.
    pub(crate) fn copy_bucket_to(&self, folder: &Path, control: &WorkControl) -> Result<Moved, StorageError> {
        self.bucket.as_ref().map_or(Ok(Moved::default()), |bucket| bucket.copy_to(folder, control))
    }

    /// A torn record is one whose sync had not come to an end; a bucket has no torn objects.
    pub(crate) fn may_be_torn(key: &ObjectKey) -> bool {
        key.place().is_some()
    }

    /// A record that lies in a segment without a row, on its way to get one.
    pub(crate) fn adopt(key: ObjectKey) -> Staged {
        Staged::new(key, Way::Found)
    }
}

/// Puts such a folder into the bucket, for a data folder that nobody has opened yet. Blocks on both.
pub(crate) fn fill_bucket(
    place: &StoragePlace,
    root: &Path,
    folder: &Path,
    control: &WorkControl,
) -> Result<Moved, StorageError> {
    let StoragePlace::Bucket(settings) = place else { return Err(StorageError::BucketNotConfigured) };
    Bucket::open(settings, root, root.to_owned(), Uuid::new_v4())?.fill_from(folder, control)
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

/// Makes a folder, and those above it that are missing, for its owner alone.
pub fn create_private(folder: &Path) -> io::Result<()> {
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
