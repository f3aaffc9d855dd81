//! The folder that is exported into.

use super::ExportError;
use crate::archive::{InstanceBytes, StoredInstance};
use crate::error::EngineError;
use crate::storage::StorageError;
use hilum_dicom::ObjectHasher;
use hilum_dicom::dicomdir::{self, FileId};
use hilum_dicom::header::Instance;
use hilum_dicom::part10::{IMPLEMENTATION_CLASS_UID, missing_prefix};
use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The DICOMDIR until it has its name.
const UNFINISHED: &str = "DICOMDIR.NEW";
/// Files that wait to be synchronised together: the first takes the disk's time, the others hardly any.
const UNSYNCED: usize = 64;
const PART: u64 = 4 << 20;
const IMPLEMENTATION_CLASS: dicom_core::Tag = dicom_core::Tag(0x0002, 0x0012);

/// What became of a file.
pub(super) enum Kept {
    /// Written, of so many bytes.
    Written(u64),
    /// It was there, and is whole.
    ThereBefore,
}

pub(super) struct Folder {
    root: PathBuf,
    /// Written, and not yet synchronised.
    unsynced: Vec<(PathBuf, File)>,
    /// Folders whose entries changed.
    changed: BTreeSet<PathBuf>,
}

impl Folder {
    /// Makes the folder, or looks whether it holds nothing but `files` and a DICOMDIR of ours.
    pub(super) fn open(root: PathBuf, files: &[FileId]) -> Result<Self, ExportError> {
        let mut changed = BTreeSet::new();
        // A folder that is made here is an entry of the one above it.
        changed.extend(root.ancestors().take_while(|folder| !folder.exists()).filter_map(parent));
        fs::create_dir_all(&root).map_err(during("create", &root))?;
        let planned: HashSet<PathBuf> = files.iter().map(relative).collect();
        for entry in walkdir::WalkDir::new(&root).min_depth(1).sort_by_file_name() {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(&root).to_owned();
                let source = error.into_io_error().unwrap_or_else(|| io::ErrorKind::InvalidInput.into());
                ExportError::Io { act: "list", path, source }
            })?;
            let name = entry.path().strip_prefix(&root).unwrap_or(entry.path());
            let ours = match name.to_str() {
                _ if entry.file_type().is_dir() => true,
                // A link could lead anywhere.
                _ if !entry.file_type().is_file() => false,
                Some(dicomdir::NAME) => is_ours(entry.path())?,
                Some(UNFINISHED) => true,
                _ => planned.contains(name),
            };
            if !ours {
                return Err(ExportError::Foreign(entry.into_path()));
            }
        }
        Ok(Self { root, unsynced: Vec::new(), changed })
    }

    /// Writes an object's file, unless it is there with these very bytes.
    pub(super) fn keep(
        &mut self,
        file: &FileId,
        instance: &StoredInstance,
        bytes: &InstanceBytes,
    ) -> Result<Kept, ExportError> {
        let path = self.root.join(relative(file));
        let head = bytes.read_blocking(0..bytes.len().min(132))?;
        let prefix = missing_prefix(&head, &instance.sop_class, &instance.sop, &instance.transfer_syntax);
        let length = prefix.len() as u64 + bytes.len();
        let there = fs::metadata(&path).is_ok_and(|there| there.len() == length);
        if there && self.is_whole(&path, &prefix, instance, bytes)? {
            return Ok(Kept::ThereBefore);
        }
        let folder = self.folder_of(&path);
        fs::create_dir_all(&folder).map_err(during("create", &folder))?;
        self.note(&folder);
        let mut to = File::create(&path).map_err(during("create", &path))?;
        to.write_all(&prefix).map_err(during("write", &path))?;
        each_part(instance, bytes, |part| to.write_all(part).map_err(during("write", &path)))?;
        self.sync_soon(path, to)?;
        Ok(Kept::Written(length))
    }

    fn is_whole(
        &mut self,
        path: &Path,
        prefix: &[u8],
        instance: &StoredInstance,
        bytes: &InstanceBytes,
    ) -> Result<bool, ExportError> {
        let mut file = File::open(path).map_err(during("open", path))?;
        let mut same = true;
        let mut there = vec![0; prefix.len()];
        let mut compare = |part: &[u8]| {
            there.resize(part.len(), 0);
            file.read_exact(&mut there).map_err(during("read", path))?;
            same &= there == part;
            Ok(())
        };
        compare(prefix)?;
        each_part(instance, bytes, compare)?;
        if same {
            // Read back is not yet durable: the run that wrote it may have ended before it synchronised.
            self.note(&self.folder_of(path));
            self.sync_soon(path.to_owned(), file)?;
        }
        Ok(same)
    }

    fn folder_of(&self, file: &Path) -> PathBuf {
        file.parent().unwrap_or(&self.root).to_owned()
    }

    fn sync_soon(&mut self, path: PathBuf, file: File) -> Result<(), ExportError> {
        self.unsynced.push((path, file));
        if self.unsynced.len() >= UNSYNCED { self.settle() } else { Ok(()) }
    }

    /// The folder, and those that it lies in, have entries to be synchronised.
    fn note(&mut self, folder: &Path) {
        self.changed.extend(folder.ancestors().take_while(|above| above.starts_with(&self.root)).map(Path::to_owned));
    }

    /// Makes what is written durable, apart from the entries of folders.
    pub(super) fn settle(&mut self) -> Result<(), ExportError> {
        for (path, file) in self.unsynced.drain(..) {
            file.sync_all().map_err(during("sync", &path))?;
        }
        Ok(())
    }

    /// Takes out what became of an object that cannot be read.
    pub(super) fn forget(&mut self, file: &FileId) -> Result<(), ExportError> {
        let path = self.root.join(relative(file));
        self.unsynced.retain(|(unsynced, _)| *unsynced != path);
        remove(&path)
    }

    /// Makes everything durable, and then names it in a DICOMDIR.
    pub(super) fn finish(mut self, directory: &[u8]) -> Result<(), ExportError> {
        self.settle()?;
        for folder in &self.changed {
            sync_folder(folder)?;
        }
        let (path, unfinished) = (self.root.join(dicomdir::NAME), self.root.join(UNFINISHED));
        if fs::read(&path).is_ok_and(|there| there == directory) {
            remove(&unfinished)?;
        } else {
            let mut file = File::create(&unfinished).map_err(during("create", &unfinished))?;
            file.write_all(directory).and_then(|()| file.sync_all()).map_err(during("write", &unfinished))?;
            fs::rename(&unfinished, &path).map_err(during("name", &path))?;
        }
        sync_folder(&self.root)
    }
}

/// An object's bytes, part after part; an error at the end where they are not what was kept.
fn each_part(
    instance: &StoredInstance,
    bytes: &InstanceBytes,
    mut take: impl FnMut(&[u8]) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let kept = instance.object.digest();
    let mut hasher = kept.map_or_else(ObjectHasher::default, |kept| kept.hasher());
    let mut at = 0;
    while at < bytes.len() {
        let part = bytes.read_blocking(at..(at + PART).min(bytes.len()))?;
        hasher.update(&part);
        take(&part)?;
        at += part.len() as u64;
    }
    match kept {
        Some(kept) if kept != hasher.finish() => Err(EngineError::from(StorageError::Corrupt).into()),
        _ => Ok(()),
    }
}

fn relative(file: &FileId) -> PathBuf {
    file.components().iter().collect()
}

/// Whether a DICOMDIR was written by this software: another one is somebody's file-set.
fn is_ours(path: &Path) -> Result<bool, ExportError> {
    let bytes = fs::read(path).map_err(during("read", path))?;
    let Ok(instance) = Instance::parse(&bytes) else { return Ok(false) };
    let writer = instance.header().meta_element(IMPLEMENTATION_CLASS);
    let writer = writer.map(|element| element.value.of(instance.bytes()));
    Ok(writer.is_some_and(|uid| {
        uid.trim_ascii_end().strip_suffix(&[0]).unwrap_or(uid) == IMPLEMENTATION_CLASS_UID.as_bytes()
    }))
}

/// The folder that holds `path`.
fn parent(path: &Path) -> Option<PathBuf> {
    let above = path.parent()?;
    Some(if above.as_os_str().is_empty() { PathBuf::from(".") } else { above.to_owned() })
}

fn during<'a>(act: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> ExportError + 'a {
    move |source| ExportError::Io { act, path: path.to_owned(), source }
}

fn remove(path: &Path) -> Result<(), ExportError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(during("remove", path)(error)),
        _ => Ok(()),
    }
}

fn sync_folder(folder: &Path) -> Result<(), ExportError> {
    File::open(folder).and_then(|handle| handle.sync_all()).map_err(during("sync", folder))
}
