//! Finding and reading files, in one thread, a bounded number of bytes ahead.

use super::{Candidate, Found, ImportError, RefusedFile, archive, dicomdir, sniff};
use crate::control::WorkControl;
use crate::storage::Storage;
use hilum_dicom::{LARGEST_IN_MEMORY, ObjectBytes, Spool, read_sop_uid};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use walkdir::WalkDir;

/// A file larger than this is refused before it is read: no instance of ours comes near it.
pub(super) const LARGEST_FILE: u64 = 4 << 30;

/// The receiver is gone or a person cancelled: stop looking.
pub(super) struct Stopped;

pub(super) struct Finder {
    control: WorkControl,
    found: mpsc::Sender<Found>,
    budget: Arc<Semaphore>,
    budget_kib: usize,
    /// Where an archive inside an archive is unpacked and a long file copied, without a name.
    pub(super) scratch: PathBuf,
}

impl Finder {
    pub(super) fn new(
        control: WorkControl,
        found: mpsc::Sender<Found>,
        budget: Arc<Semaphore>,
        storage: &Storage,
    ) -> Self {
        let budget_kib = budget.available_permits();
        Self { control, found, budget, budget_kib, scratch: storage.root().to_owned() }
    }

    /// Looks through every path of the call, in order.
    pub(super) fn find_all(&self, paths: &[PathBuf]) {
        for path in paths {
            let files = WalkDir::new(path).follow_links(true).into_iter().flatten();
            self.control.expect(files.filter(|entry| entry.file_type().is_file()).count() as u64);
        }
        self.control.counted();
        for (index, path) in paths.iter().enumerate() {
            let outcome = match std::fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => self.folder(path),
                Ok(_) if dicomdir::is_named(path) => dicomdir::find(self, path),
                Ok(_) => self.file(path, true),
                Err(source) => {
                    let stop = Found::Stop(ImportError::Path { number: index + 1, source });
                    self.hand_over(stop).and(Err(Stopped))
                }
            };
            if outcome.is_err() {
                return;
            }
        }
    }

    fn folder(&self, folder: &Path) -> Result<(), Stopped> {
        for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
            match entry {
                // The folder itself is walked, so its index adds nothing.
                Ok(entry) if entry.file_type().is_file() && dicomdir::is_named(entry.path()) => {
                    self.hand_over(Found::NotDicom)?;
                }
                Ok(entry) if entry.file_type().is_file() => self.file(entry.path(), false)?,
                Ok(_) => {}
                Err(error) => {
                    let path = error.path().unwrap_or(folder).display().to_string();
                    self.refuse(path, "unreadable", "this file or folder cannot be read; check its permissions")?;
                }
            }
        }
        Ok(())
    }

    /// One file. `asked_for` by name, it is answered for even when it is no DICOM.
    pub(super) fn file(&self, path: &Path, asked_for: bool) -> Result<(), Stopped> {
        let shown = path.display().to_string();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        match File::open(path).and_then(|file| file.metadata().map(|metadata| (file, metadata.len()))) {
            Ok((mut file, length)) => {
                let Ok(first) = read_prefix(&mut file) else {
                    return self.refuse(shown, "unreadable", "this file cannot be read");
                };
                let zip = asked_for || path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
                if zip && sniff::kind(&first) == sniff::Kind::Zip {
                    return archive::find(self, &shown, file);
                }
                self.content(shown, name, &first, length, &mut file, asked_for)
            }
            Err(_) => self.refuse(shown, "unreadable", "this file cannot be read; check its permissions"),
        }
    }

    /// Hands a file's bytes over if they look like DICOM. `rest` is read behind `first`.
    pub(super) fn content(
        &self,
        path: String,
        file_name: Option<String>,
        first: &[u8],
        length: u64,
        rest: &mut impl Read,
        asked_for: bool,
    ) -> Result<(), Stopped> {
        match sniff::kind(first) {
            sniff::Kind::Empty => {
                self.refuse(path, "empty_file", "this file is empty (0 bytes); copy or export it again")
            }
            sniff::Kind::Dicom if length > LARGEST_FILE => {
                self.refuse(path, "too_large", "this file is larger than 4 GiB")
            }
            sniff::Kind::Dicom => {
                let kib = (length.min(LARGEST_IN_MEMORY) / 1024 + 1).min(self.budget_kib as u64) as u32;
                let budget = tokio::runtime::Handle::current()
                    .block_on(Arc::clone(&self.budget).acquire_many_owned(kib))
                    .map_err(|_| Stopped)?;
                // A member of an archive may state less than it holds.
                match self.spooled(first, length, &mut rest.take(LARGEST_FILE + 1 - first.len() as u64)) {
                    Ok(object) if object.len() > LARGEST_FILE => {
                        self.refuse(path, "too_large", "this file is larger than 4 GiB")
                    }
                    Ok(object) => {
                        let uid = match &object {
                            ObjectBytes::Held(bytes) => read_sop_uid(bytes).ok(),
                            ObjectBytes::ByRange(_) => object.facts().ok().map(|facts| facts.sop),
                        };
                        self.hand_over(Found::Candidate(Candidate { path, file_name, uid, object, budget }))
                    }
                    Err(_) => {
                        self.refuse(path, "unreadable", "this file cannot be read to its end, or the disk is full")
                    }
                }
            }
            sniff::Kind::Zip | sniff::Kind::Other if asked_for => {
                self.refuse(path, "not_dicom", "this file is no DICOM object, zip archive or DICOMDIR")
            }
            sniff::Kind::Zip | sniff::Kind::Other => self.hand_over(Found::NotDicom),
        }
    }

    /// A file's bytes as they are now, whoever changes it meanwhile.
    fn spooled(&self, first: &[u8], length: u64, rest: &mut impl Read) -> io::Result<ObjectBytes> {
        let mut spool = Spool::new(self.scratch.clone());
        spool.memory().reserve(length.min(LARGEST_IN_MEMORY) as usize);
        spool.memory().extend_from_slice(first);
        let mut piece = vec![0; 256 * 1024];
        loop {
            let read = match rest.read(&mut piece) {
                Ok(0) => return spool.take(),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            spool.memory().extend_from_slice(&piece[..read]);
            if spool.is_full() {
                spool = spool.spill()?;
            }
        }
    }

    pub(super) fn refuse(&self, path: String, code: &str, text: &str) -> Result<(), Stopped> {
        self.hand_over(Found::Refused(RefusedFile { path, code: code.to_owned(), text: text.to_owned() }))
    }

    pub(super) fn expect(&self, files: u64) {
        self.control.expect(files);
    }

    fn hand_over(&self, found: Found) -> Result<(), Stopped> {
        if self.control.is_cancelled() {
            return Err(Stopped);
        }
        self.found.blocking_send(found).map_err(|_| Stopped)
    }
}

/// The first bytes of a file, as many as [`sniff::kind`] wants.
pub(super) fn read_prefix(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(sniff::PREFIX);
    file.take(sniff::PREFIX as u64).read_to_end(&mut first)?;
    Ok(first)
}
