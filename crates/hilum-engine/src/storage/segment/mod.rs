//! Segments: files that objects are appended to, one synchronisation for as many as are waiting.
//!
//! A segment belongs to the process that writes it, which holds its name among its incoming ones until it is full; so the next start
//! finds the segments of a process that is gone and compares their records with the catalogue.

mod record;
mod reserve;
mod scan;

pub use record::{Header, Provenance, Purpose};
pub use scan::{Record, Records};

use super::{NewObject, ObjectKey, StorageError, sync_folder};
use hilum_dicom::object_bytes::read_exact_at;
use hilum_dicom::{ObjectBytes, ObjectDigest, ObjectHasher};
pub(super) use record::HEADER;
use record::{MAGIC, extent};
use reserve::{Reserved, give_back};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// Folder of the segments, under the data folder.
pub(crate) const FOLDER: &str = "objects";
pub(crate) const EXTENSION: &str = "segment";
/// A segment that has reached this many bytes is full.
const FULL: u64 = 1 << 30;

/// The segments that this process writes.
#[derive(Debug)]
pub(super) struct Segments {
    folder: PathBuf,
    incoming: PathBuf,
    process: Uuid,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    segment: Option<Arc<Segment>>,
    count: u32,
}

/// One segment that is being written.
#[derive(Debug)]
struct Segment {
    name: String,
    file: File,
    marker: PathBuf,
    state: Mutex<State>,
    synced: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Where the next record begins.
    end: u64,
    /// Blocks that the file system has set aside.
    reserved: Reserved,
    /// Records that were not taken back.
    live: u64,
    /// Records written so far, and how many of them are known to be durable.
    written: u64,
    durable: u64,
    syncing: bool,
    /// A record was promised and has no row: the next start is to look at the segment.
    left: bool,
    /// A synchronisation failed: what the system still holds of this file is unknown, and nothing more is written to it.
    failed: bool,
}

/// A record that is not yet one of the archive's; durable for whoever has it from [`Segments::append`].
#[derive(Debug)]
pub(super) struct Appended {
    segment: Arc<Segment>,
    pub(super) key: ObjectKey,
    pub(super) digest: ObjectDigest,
    offset: u64,
    length: u64,
}

impl Segments {
    pub(super) fn new(root: &Path, incoming: PathBuf, process: Uuid) -> Self {
        Self { folder: root.join(FOLDER), incoming, process, open: Mutex::default() }
    }

    /// Appends objects, synchronised together; those that this names are durable. A digest is computed here where nobody knows it yet. Blocks on
    /// the disk.
    pub(super) fn append(&self, objects: &[NewObject]) -> Vec<Result<Appended, StorageError>> {
        let written: Vec<_> = objects.iter().map(|object| self.write(object)).collect();
        let mut durable: Option<Arc<Segment>> = None;
        let mut synchronised = |record: Appended| {
            // A record before was written to the same segment, and all of them before the first synchronisation.
            if !durable.as_ref().is_some_and(|segment| Arc::ptr_eq(segment, &record.segment)) {
                if let Err(error) = record.segment.make_durable() {
                    record.discard();
                    return Err(error);
                }
                durable = Some(Arc::clone(&record.segment));
            }
            Ok(record)
        };
        written.into_iter().map(|record| synchronised(record?)).collect()
    }

    /// A record that is not durable yet.
    fn write(&self, new: &NewObject) -> Result<Appended, StorageError> {
        let segment = self.segment()?;
        let too_large = || StorageError::during("append an object")(io::ErrorKind::FileTooLarge.into());
        let length = new.object.len();
        let size = extent(length).ok_or_else(too_large)?;
        let offset = {
            let mut state = lock(&segment.state);
            let offset = state.end;
            state.end = offset.checked_add(size).ok_or_else(too_large)?;
            let end = state.end;
            state.reserved.reach(&segment.file, end);
            state.live += 1;
            offset
        };
        match segment.write(new, offset) {
            Ok(digest) => {
                let key = ObjectKey::record(&segment.name, offset, length, digest);
                Ok(Appended { segment, key, digest, offset, length })
            }
            Err(error) => {
                segment.take_back(offset, size);
                Err(error)
            }
        }
    }

    fn segment(&self) -> Result<Arc<Segment>, StorageError> {
        let mut open = lock(&self.open);
        if let Some(segment) = &open.segment {
            let state = lock(&segment.state);
            if state.end < FULL && !state.failed {
                drop(state);
                return Ok(Arc::clone(segment));
            }
        }
        open.count += 1;
        let name = format!("{}-{}.{EXTENSION}", self.process, open.count);
        let marker = self.incoming.join(format!("{MARKER}{name}"));
        File::create_new(&marker).map_err(StorageError::during("mark a segment as being written"))?;
        sync_folder(&self.incoming)?;
        fs::create_dir_all(&self.folder).map_err(StorageError::during("create the folder of objects"))?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.folder.join(&name))
            .map_err(StorageError::during("create a segment"))?;
        sync_folder(&self.folder)?;
        if let Some(root) = self.folder.parent() {
            sync_folder(root)?;
        }
        let segment = Arc::new(Segment { name, file, marker, state: Mutex::default(), synced: Condvar::new() });
        open.segment = Some(Arc::clone(&segment));
        Ok(segment)
    }
}

/// What the incoming name of a segment begins with.
pub(crate) const MARKER: &str = "segment+";

impl Segment {
    fn write(&self, new: &NewObject, offset: u64) -> Result<ObjectDigest, StorageError> {
        let failed = || StorageError::during("append an object");
        let start = offset + HEADER as u64;
        let NewObject { provenance, digest: promised, object } = new;
        let digest = match object {
            ObjectBytes::Held(bytes) => {
                write_all_at(&self.file, bytes, start).map_err(failed())?;
                promised.unwrap_or_else(|| ObjectDigest::of(bytes))
            }
            ObjectBytes::ByRange(_) => {
                let (mut hasher, mut at) =
                    (promised.map_or_else(ObjectHasher::default, |promised| promised.hasher()), start);
                for piece in object.pieces(0) {
                    let piece = piece.map_err(failed())?;
                    write_all_at(&self.file, &piece, at).map_err(failed())?;
                    at += piece.len() as u64;
                    hasher.update(&piece);
                }
                let found = hasher.finish();
                // What lies elsewhere can have changed since its digest was computed.
                if at - start != object.len() || promised.is_some_and(|promised| promised != found) {
                    return Err(failed()(io::Error::other("the object changed while it was read")));
                }
                found
            }
        };
        let header = Header { provenance: provenance.clone(), length: object.len(), digest };
        write_all_at(&self.file, &header.write(&self.name, offset), offset).map_err(failed())?;
        Ok(digest)
    }

    /// Waits until everything written so far is durable. One of those who wait synchronises for all of them.
    fn make_durable(&self) -> Result<(), StorageError> {
        self.make_durable_by(|| self.file.sync_data())
    }

    fn make_durable_by(&self, synchronise: impl FnOnce() -> io::Result<()>) -> Result<(), StorageError> {
        let mut state = lock(&self.state);
        state.written += 1;
        let mine = state.written;
        while state.syncing && state.durable < mine {
            state = self.synced.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.failed {
            return Err(StorageError::during("sync a segment")(io::Error::other("an earlier one failed")));
        }
        if state.durable >= mine {
            return Ok(());
        }
        state.syncing = true;
        let up_to = state.written;
        drop(state);
        let outcome = synchronise();
        state = lock(&self.state);
        state.syncing = false;
        match outcome {
            Ok(()) => state.durable = state.durable.max(up_to),
            Err(_) => state.failed = true,
        }
        self.synced.notify_all();
        outcome.map_err(StorageError::during("sync a segment"))
    }

    /// Frees the space of a record that did not become one. Its place is not used again: a copy that somebody makes meanwhile stays true
    /// for all that was there when it began.
    fn take_back(&self, offset: u64, size: u64) {
        lock(&self.state).live -= 1;
        if let Err(error) = punch(&self.file, offset, size) {
            tracing::warn!(kind = ?error.kind(), "the space of a refused object stays taken");
        }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // Nobody holds an appended record any more: what has no row was taken back.
        let State { live, left, .. } = *lock(&self.state);
        give_back(&self.file);
        if left {
            return;
        }
        let empty = live == 0;
        let removed = fs::remove_file(&self.marker);
        if let Err(error) = removed {
            tracing::debug!(kind = ?error.kind(), "a segment stays marked until the next start");
        }
        if empty && let Some(root) = self.marker.parent().and_then(Path::parent).and_then(Path::parent) {
            let gone = fs::remove_file(root.join(FOLDER).join(&self.name));
            tracing::debug!(removed = gone.is_ok(), "an empty segment is not kept");
        }
    }
}

impl Appended {
    /// The record stays without a row, for the next start to find.
    pub(super) fn leave(&self) {
        lock(&self.segment.state).left = true;
    }

    /// Takes the record out again: it has no row.
    pub(super) fn discard(&self) {
        if let Some(size) = extent(self.length) {
            self.segment.take_back(self.offset, size);
        }
    }
}

/// A record by its key: `objects/<segment>/<offset>-<length>-<digest>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) segment: &'a str,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) digest: ObjectDigest,
}

impl Place<'_> {
    /// The segment's file and where the object begins in it.
    pub(super) fn open(&self, root: &Path) -> io::Result<(File, u64)> {
        Ok((File::open(self.path(root))?, self.offset + HEADER as u64))
    }

    fn path(&self, root: &Path) -> PathBuf {
        root.join(FOLDER).join(self.segment)
    }

    /// Whether the record's header lies there and promises the same object.
    pub(super) fn is_there(&self, root: &Path) -> io::Result<bool> {
        let header = self.header(root)?;
        Ok(header.is_some_and(|header| header.length == self.length && header.digest == self.digest))
    }

    /// The record's header, where one lies there and the file reaches over the object.
    pub(super) fn header(&self, root: &Path) -> io::Result<Option<Header>> {
        let file = match File::open(self.path(root)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let reaches = self.offset.checked_add(HEADER as u64).and_then(|start| start.checked_add(self.length));
        if reaches.is_none_or(|end| file.metadata().is_ok_and(|file| file.len() < end)) {
            return Ok(None);
        }
        let mut bytes = [0; HEADER];
        read_exact_at(&file, &mut bytes, self.offset)?;
        Ok(Header::read(&bytes, self.segment, self.offset))
    }

    /// Frees the record's space. Only what has no row may be removed.
    pub(super) fn remove(&self, root: &Path) -> io::Result<()> {
        let file = match OpenOptions::new().write(true).read(true).open(self.path(root)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        let size = extent(self.length).ok_or(io::ErrorKind::InvalidInput)?;
        punch(&file, self.offset, size)?;
        file.sync_data()
    }
}

/// Whether the object that begins at `start` is still a record: its header goes first when it is taken out.
pub(super) fn is_record(file: &File, start: u64) -> io::Result<bool> {
    let mut magic = [0; 8];
    let at = start.checked_sub(HEADER as u64).ok_or(io::ErrorKind::InvalidInput)?;
    read_exact_at(file, &mut magic, at)?;
    Ok(&magic == MAGIC)
}

/// Gives the blocks back to the file system where it can; everywhere the header goes, so that the record is none.
fn punch(file: &File, offset: u64, size: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if fallocate(file, flags, offset, size).is_ok() {
            return Ok(());
        }
    }
    let zeros = [0; HEADER];
    write_all_at(file, &zeros[..HEADER.min(size as usize)], offset)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::thread;
    use std::time::Duration;

    fn segment() -> Segment {
        let file = tempfile::tempfile().unwrap();
        let (name, marker) = ("1.segment".to_owned(), PathBuf::from("/nowhere/incoming/1"));
        // Something stays, so that nothing is cleared away at its end.
        let state = Mutex::new(State { left: true, ..State::default() });
        Segment { name, file, marker, state, synced: Condvar::new() }
    }

    #[test]
    fn whoever_goes_on_was_written_before_a_synchronisation_began_that_has_ended() {
        let segment = segment();
        let (written, durable) = (Mutex::new(HashSet::new()), Mutex::new(HashSet::new()));
        let synchronisations = Mutex::new(0);
        let synchronise = || {
            let before = lock(&written).clone();
            thread::sleep(Duration::from_micros(200));
            lock(&durable).extend(before);
            *lock(&synchronisations) += 1;
            Ok(())
        };
        thread::scope(|scope| {
            for writer in 0..16 {
                let (segment, written, durable) = (&segment, &written, &durable);
                scope.spawn(move || {
                    for record in 0..50 {
                        lock(written).insert((writer, record));
                        segment.make_durable_by(synchronise).unwrap();
                        assert!(lock(durable).contains(&(writer, record)));
                    }
                });
            }
        });
        let state = lock(&segment.state);
        assert!(!state.syncing && state.durable == 800);
        let synchronisations = *lock(&synchronisations);
        assert!((50..400).contains(&synchronisations), "800 records shared {synchronisations}");
    }

    #[test]
    fn nobody_is_told_success_once_a_synchronisation_has_failed() {
        let segment = segment();
        let (failing, fails) = std::sync::mpsc::channel::<()>();
        thread::scope(|scope| {
            let segment = &segment;
            let first = scope.spawn(move || {
                segment.make_durable_by(|| {
                    let _until = fails.recv();
                    Err(io::Error::other("the disk is gone"))
                })
            });
            while !lock(&segment.state).syncing {
                thread::yield_now();
            }
            let others: Vec<_> = (0..8).map(|_| scope.spawn(move || segment.make_durable_by(|| Ok(())))).collect();
            while lock(&segment.state).written < 9 {
                thread::yield_now();
            }
            drop(failing);
            assert!(first.join().unwrap().is_err());
            assert!(others.into_iter().all(|other| other.join().unwrap().is_err()));
        });
        assert!(segment.make_durable_by(|| Ok(())).is_err());
    }
}
