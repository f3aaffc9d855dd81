//! `hilum backup` and `hilum restore`.
//!
//! A backup is a folder: a copy of the catalogue, the segments, the reports, what lies in the bucket, and a manifest that is written last. It may be made while a
//! server runs: the catalogue is copied first, and every object that its rows name was durable before they were. A later backup into
//! the same folder copies what is new; a segment that somebody still wrote is copied again as a whole.

use crate::access::{Actor, Scope};
use crate::audit::{Action, AuditEvent, AuditHead, Detail};
use crate::catalog::{AuditWriter, Catalog, CataloguePlace};
use crate::control::WorkControl;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::keys::KeyPlace;
use crate::storage::{StoragePlace, fill_bucket, segment};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use uuid::Uuid;

const MANIFEST: &str = "backup.json";
const CATALOGUE: &str = crate::catalog::FILE;
/// Segments that were full when they were copied, with their lengths: they do not change any more.
const SEALED: &str = "sealed.json";
const FOLDERS: [&str; 3] = [segment::FOLDER, "reports", "metadata"];
/// What lies in a bucket, as files.
const BUCKET: &str = "bucket";
const FORMAT: u32 = 1;
/// The code of the event at the end of a backup; the one at its beginning has none.
const FINISHED: &str = "finished";

/// Why a backup could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The operating system refused.
    #[error("the backup failed while it tried to {act} {path}: {source}")]
    Io {
        /// What was being done.
        act: &'static str,
        /// To which file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// No backup, or an unfinished one.
    #[error(
        "{0} holds no finished backup: {MANIFEST} is missing or unreadable; make the backup again, or name its folder"
    )]
    NoManifest(PathBuf),
    /// Made by a later version.
    #[error(
        "the backup has format {0}, and this version reads format {FORMAT}: use the version that made it, or a later one"
    )]
    LaterFormat(u32),
    /// The catalogue of the backup is not the one that was written.
    #[error("the catalogue in the backup no longer matches its SHA-256: the backup is damaged")]
    Damaged,
    /// There is something in the way.
    #[error("{0} already holds data; restore into an empty or new folder")]
    NotEmpty(PathBuf),
    /// Objects of a bucket, and no bucket to put them into.
    #[error(
        "the backup holds objects of a bucket: name the bucket that they go to, with url under [storage] in the configuration file"
    )]
    NeedsBucket,
    /// Keys of what is encrypted are not there.
    #[error(
        "the backup needs the keys {keys}, which are not in {place}: put them there first, from where a copy of the key file is kept, or go on \
         without what they encrypt (--without-keys)"
    )]
    KeysMissing {
        /// Their ids.
        keys: String,
        /// Where keys come from.
        place: String,
    },
    /// Stopped by a person.
    #[error("stopped before the end; the same command goes on where it stopped")]
    Cancelled,
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

fn during<'a>(act: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> BackupError + 'a {
    move |source| BackupError::Io { act, path: path.to_owned(), source }
}

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    software_version: String,
    finished_at: String,
    catalogue_sha256: String,
    rows: u64,
    /// Ids of the keys that are needed to read what is encrypted; they are not in the backup.
    #[serde(default)]
    keys: Vec<String>,
    /// The last event of the audit trail that is certainly in the backup.
    #[serde(default)]
    audit_head: Option<AuditHead>,
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupSummary {
    /// Rows with an object: instances, objects put aside, reports.
    pub rows: u64,
    /// Bytes copied by this run.
    pub bytes_copied: u64,
    /// Bytes that an earlier run had copied.
    pub bytes_there: u64,
    /// Ids of the keys that what is encrypted needs. They are not in the backup.
    pub keys: Vec<String>,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestoreSummary {
    /// Rows with an object.
    pub rows: u64,
    /// Bytes copied.
    pub bytes_copied: u64,
    /// RFC 3339, when the backup was finished.
    pub made_at: String,
}

impl Engine {
    /// Makes or refreshes the backup in `folder`.
    pub async fn backup(&self, folder: &Path, control: &WorkControl) -> Result<BackupSummary, BackupError> {
        self.caught_up().await;
        self.flush_audit().await?;
        self.audit(AuditEvent::new(Actor::Console, Action::Backup)).await?;
        let audit_head = self.catalog().audit_head().await.map_err(EngineError::from)?;
        fs::create_dir_all(folder).map_err(during("create", folder))?;
        let manifest = folder.join(MANIFEST);
        remove(&manifest)?;
        let fresh = folder.join(format!("{CATALOGUE}.new"));
        remove(&fresh)?;
        // A rotation under way moves rows from one key to another: both are needed.
        let mut keys = self.needed_keys().await?;
        let rows = self.catalog().copy_to(&fresh).await.map_err(EngineError::from)?;
        keys.extend(self.needed_keys().await?);
        let keys: Vec<String> = keys.into_iter().collect();
        let (storage, folder, control) = (self.storage().clone(), folder.to_owned(), control.clone());
        let copying = tokio::task::spawn_blocking(move || {
            File::open(&fresh).and_then(|file| file.sync_all()).map_err(during("sync", &fresh))?;
            let mut copied = Copied::default();
            copy_folders(storage.root(), &folder, &control, &mut copied)?;
            let moved = storage.copy_bucket_to(&folder.join(BUCKET), &control).map_err(EngineError::from)?;
            if control.is_cancelled() {
                return Err(BackupError::Cancelled);
            }
            copied.now += moved.now;
            copied.before += moved.before;
            let target = folder.join(CATALOGUE);
            fs::rename(&fresh, &target).map_err(during("name", &target))?;
            let manifest = Manifest {
                format: FORMAT,
                software_version: env!("CARGO_PKG_VERSION").to_owned(),
                finished_at: crate::catalog::rfc3339(crate::catalog::now()).map_err(EngineError::from)?,
                catalogue_sha256: digest(&target)?,
                rows,
                keys: keys.clone(),
                audit_head,
            };
            write_durably(&folder.join(MANIFEST), &manifest)?;
            sync_folder(&folder)?;
            Ok(BackupSummary { rows, bytes_copied: copied.now, bytes_there: copied.before, keys })
        });
        let copied = copying.await.map_err(|error| EngineError::Internal(format!("a backup ended early: {error}")))?;
        let summary = copied?;
        let detail = Detail { code: Some(FINISHED.into()), ..Detail::default() };
        self.audit(AuditEvent::new(Actor::Console, Action::Backup).with(detail)).await?;
        Ok(summary)
    }

    async fn needed_keys(&self) -> Result<BTreeSet<String>, EngineError> {
        let uses = self.catalog().key_uses(&Scope::local()).await?;
        Ok(uses.into_iter().map(|one| one.key).collect())
    }

    /// When a backup of this archive was last finished, as the audit trail tells.
    pub async fn last_backup(&self, scope: &Scope) -> Result<Option<OffsetDateTime>, EngineError> {
        let at = self.catalog().last_event(scope, Action::Backup, FINISHED).await?;
        Ok(at.and_then(|at| OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000).ok()))
    }

    /// Whether there is anything to lose.
    pub async fn holds_objects(&self) -> Result<bool, EngineError> {
        Ok(self.catalog().count_holders().await? > 0)
    }
}

/// What is encrypted in a backup is lost where its keys are.
fn expect_keys(needed: &[String], place: &KeyPlace) -> Result<(), BackupError> {
    let ring = place.ring().map_err(EngineError::from)?;
    let missing: Vec<&str> = needed.iter().map(String::as_str).filter(|key| ring.find(key).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(BackupError::KeysMissing { keys: missing.join(", "), place: place.to_string() })
}

/// Restores the backup in `backup` into `data`, which is new or empty, into a new catalogue, in the folder or on a server, and what came
/// from a bucket into a bucket. Refused where keys of what is encrypted are not among `keys`; where none are given, nobody looks.
pub async fn restore(
    backup: &Path,
    data: &Path,
    place: &CataloguePlace,
    store: &StoragePlace,
    keys: Option<&KeyPlace>,
    control: &WorkControl,
) -> Result<RestoreSummary, BackupError> {
    let manifest = read_manifest(backup)?;
    let file = data.join(CATALOGUE);
    // An unfinished restore is gone on with: the catalogue comes last, and only then is it a data folder.
    let taken = ["jobs.lock", "queue.sqlite", "incoming"].iter().any(|name| data.join(name).exists());
    if file.exists() || taken {
        return Err(BackupError::NotEmpty(data.to_owned()));
    }
    if let Some(keys) = keys {
        expect_keys(&manifest.keys, keys)?;
    }
    let objects = backup.join(BUCKET);
    if objects.exists() && *store == StoragePlace::Folder {
        return Err(BackupError::NeedsBucket);
    }
    crate::storage::create_private(data).map_err(during("create", data))?;
    let server = match place {
        CataloguePlace::Folder => None,
        CataloguePlace::Server(_) => {
            Some(Box::pin(Catalog::open(place, data, AuditWriter::new(Uuid::new_v4(), None))).await?)
        }
    };
    if let Some(server) = &server {
        server.expect_empty().await.map_err(EngineError::from)?;
    }
    let rows_in = if server.is_some() { file.with_extension("restoring") } else { file };
    let (from, to, copy_of_rows, told) = (backup.to_owned(), data.to_owned(), rows_in.clone(), control.clone());
    let store = store.clone();
    let expected = manifest.catalogue_sha256;
    let copying = tokio::task::spawn_blocking(move || {
        if digest(&from.join(CATALOGUE))? != expected {
            return Err(BackupError::Damaged);
        }
        let mut copied = Copied::default();
        copy_folders(&from, &to, &told, &mut copied)?;
        if objects.exists() {
            copied.now += fill_bucket(&store, &to, &objects, &told).map_err(EngineError::from)?.now;
        }
        if told.is_cancelled() {
            return Err(BackupError::Cancelled);
        }
        copied.now += copy(&from.join(CATALOGUE), &copy_of_rows, &told)?;
        remove(&to.join(SEALED))?;
        sync_folder(&to)?;
        Ok(copied.now)
    });
    let copied = copying.await.map_err(|error| EngineError::Internal(format!("a restore ended early: {error}")))?;
    let bytes_copied = copied?;
    let catalog = match server {
        Some(server) => {
            server.fill_from(&rows_in).await.map_err(EngineError::from)?;
            remove(&rows_in)?;
            server
        }
        None => Box::pin(Catalog::open(place, data, AuditWriter::new(Uuid::new_v4(), None))).await?,
    };
    let told = [AuditEvent::new(Actor::Console, Action::Restore), AuditEvent::new(Actor::System, Action::ProcessEnd)];
    catalog.record_events(&told).await.map_err(EngineError::from)?;
    catalog.close().await;
    Ok(RestoreSummary { rows: manifest.rows, bytes_copied, made_at: manifest.finished_at })
}

#[derive(Default)]
struct Copied {
    now: u64,
    before: u64,
}

fn copy_folders(from: &Path, to: &Path, control: &WorkControl, copied: &mut Copied) -> Result<(), BackupError> {
    let list = to.join(SEALED);
    let mut sealed: BTreeMap<String, u64> =
        fs::read(&list).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let files = files_below(from)?;
    control.expect(files.len() as u64);
    control.counted();
    let mut folders = BTreeSet::from([to.to_owned()]);
    let mut outcome = Ok(());
    for file in files {
        outcome = copy_one(from, &file, to, control, copied, &mut sealed, &mut folders);
        if outcome.is_err() {
            break;
        }
        control.advance(1);
    }
    write_durably(&list, &sealed)?;
    outcome?;
    folders.iter().try_for_each(|folder| sync_folder(folder))
}

fn copy_one(
    from: &Path,
    file: &Path,
    to: &Path,
    control: &WorkControl,
    copied: &mut Copied,
    sealed: &mut BTreeMap<String, u64>,
    folders: &mut BTreeSet<PathBuf>,
) -> Result<(), BackupError> {
    let Ok(name) = file.strip_prefix(from) else { return Ok(()) };
    let target = to.join(name);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(during("create", parent))?;
        folders.extend(parent.ancestors().take_while(|folder| folder.starts_with(to)).map(Path::to_owned));
    }
    let is_segment = file.extension().is_some_and(|extension| extension == segment::EXTENSION);
    let name = name.to_string_lossy().into_owned();
    let full = !is_segment || !is_being_written(from, file);
    let length = match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(during("open", file))?.len(),
    };
    let there = fs::metadata(&target).is_ok_and(|copy| copy.len() == length);
    if there && (!is_segment || sealed.get(&name) == Some(&length)) {
        copied.before += length;
        return Ok(());
    }
    sealed.remove(&name);
    copied.now += copy(file, &target, control)?;
    if is_segment && full {
        sealed.insert(name, length);
    }
    Ok(())
}

/// Whether a process, living or gone, has the segment among its incoming names.
fn is_being_written(root: &Path, segment: &Path) -> bool {
    let Some(name) = segment.file_name().and_then(|name| name.to_str()) else { return true };
    let marker = format!("{}{name}", segment::MARKER);
    let Ok(processes) = fs::read_dir(root.join("incoming")) else { return false };
    processes.filter_map(Result::ok).any(|process| process.path().join(&marker).exists())
}

fn files_below(root: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let mut files = Vec::new();
    for entry in FOLDERS.iter().flat_map(|folder| walkdir::WalkDir::new(root.join(folder)).sort_by_file_name()) {
        match entry {
            Ok(entry) if entry.file_type().is_file() => files.push(entry.into_path()),
            Ok(_) => {}
            // A folder that is not there yet, or a file that was removed meanwhile.
            Err(error) if error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) => {}
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                let source = error.into_io_error().unwrap_or_else(|| io::ErrorKind::InvalidInput.into());
                return Err(BackupError::Io { act: "list", path, source });
            }
        }
    }
    Ok(files)
}

/// Copies a file under another name first, so that what has its name is whole. A file that grows meanwhile is copied as long as it was.
fn copy(source: &Path, target: &Path, control: &WorkControl) -> Result<u64, BackupError> {
    let mut from = match File::open(source) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        opened => opened.map_err(during("open", source))?,
    };
    let unfinished = target.with_extension("unfinished");
    let mut to = File::create(&unfinished).map_err(during("create", &unfinished))?;
    let length = from.metadata().map_err(during("open", source))?.len();
    let mut part = vec![0; 4 << 20];
    let mut copied = 0;
    while copied < length {
        if control.is_cancelled() {
            remove(&unfinished)?;
            return Err(BackupError::Cancelled);
        }
        let wanted = (length - copied).min(part.len() as u64) as usize;
        let read = from.read(&mut part[..wanted]).map_err(during("read", source))?;
        if read == 0 {
            break;
        }
        to.write_all(&part[..read]).map_err(during("write", &unfinished))?;
        copied += read as u64;
    }
    to.sync_all().map_err(during("sync", &unfinished))?;
    fs::rename(&unfinished, target).map_err(during("name", target))?;
    Ok(copied)
}

fn read_manifest(backup: &Path) -> Result<Manifest, BackupError> {
    let missing = || BackupError::NoManifest(backup.to_owned());
    let text = fs::read(backup.join(MANIFEST)).map_err(|_| missing())?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|_| missing())?;
    if manifest.format > FORMAT { Err(BackupError::LaterFormat(manifest.format)) } else { Ok(manifest) }
}

fn write_durably(path: &Path, content: &impl Serialize) -> Result<(), BackupError> {
    let text = serde_json::to_vec_pretty(content).map_err(|error| during("write", path)(io::Error::other(error)))?;
    let mut file = File::create(path).map_err(during("create", path))?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(during("write", path))
}

/// SHA-256, so that `sha256sum` tells the same.
fn digest(path: &Path) -> Result<String, BackupError> {
    let mut file = File::open(path).map_err(during("open", path))?;
    let mut digest = Sha256::new();
    let mut part = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut part).map_err(during("read", path))?;
        if read == 0 {
            return Ok(crate::storage::hex(&digest.finalize()));
        }
        digest.update(&part[..read]);
    }
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(during("remove", path)(error)),
        _ => Ok(()),
    }
}

fn sync_folder(folder: &Path) -> Result<(), BackupError> {
    File::open(folder).and_then(|handle| handle.sync_all()).map_err(during("sync", folder))
}
