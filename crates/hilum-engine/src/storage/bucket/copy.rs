//! The bucket as files of a folder, for backups.

use super::Bucket;
use super::client::{Client, PART};
use crate::control::WorkControl;
use crate::storage::{ObjectKey, StorageError, sync_folder};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use walkdir::WalkDir;

const FOLDERS: [&str; 3] = [ObjectKey::BUCKET_FOLDER, "reports", "metadata"];
const AT_A_TIME: usize = 8;

/// Bytes that were copied, and those that were there before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moved {
    pub(crate) now: u64,
    pub(crate) before: u64,
}

#[derive(Debug, Default)]
struct Tally {
    now: AtomicU64,
    before: AtomicU64,
    folders: Mutex<BTreeSet<PathBuf>>,
}

impl Tally {
    fn moved(&self) -> Moved {
        Moved { now: self.now.load(Ordering::Relaxed), before: self.before.load(Ordering::Relaxed) }
    }
}

impl Bucket {
    /// Copies what the bucket holds and `folder` lacks. What has its name there is whole; objects never change.
    pub(in crate::storage) fn copy_to(&self, folder: &Path, control: &WorkControl) -> Result<Moved, StorageError> {
        let (client, folder, control) = (self.client.clone(), folder.to_owned(), control.clone());
        self.wait(async move {
            let tally = Arc::new(Tally::default());
            for part in FOLDERS {
                let copied = client.list(part).try_for_each_concurrent(AT_A_TIME, |(name, size)| {
                    let (client, folder, control) = (client.clone(), folder.clone(), control.clone());
                    let tally = Arc::clone(&tally);
                    async move {
                        if is_ours(&name) && !control.is_cancelled() {
                            fetch(&client, &name, size, &folder, &tally).await?;
                            control.advance(1);
                        }
                        Ok(())
                    }
                });
                copied.await?;
            }
            let folders = tally.folders.lock().unwrap_or_else(PoisonError::into_inner).clone();
            folders.iter().try_for_each(|folder| sync_folder(folder))?;
            Ok(tally.moved())
        })
    }

    /// Puts what the folder holds and the bucket lacks into the bucket.
    pub(in crate::storage) fn fill_from(&self, folder: &Path, control: &WorkControl) -> Result<Moved, StorageError> {
        let (client, folder, control) = (self.client.clone(), folder.to_owned(), control.clone());
        self.wait(async move {
            let tally = Arc::new(Tally::default());
            let files = FOLDERS.iter().flat_map(|part| WalkDir::new(folder.join(part)).sort_by_file_name());
            let files: Vec<PathBuf> = files.filter_map(Result::ok).map(walkdir::DirEntry::into_path).collect();
            let sent = files.into_iter().filter(|file| file.is_file()).map(|file| {
                let (client, control, tally) = (client.clone(), control.clone(), Arc::clone(&tally));
                let name = file.strip_prefix(&folder).ok().and_then(Path::to_str).map(str::to_owned);
                async move {
                    if let Some(name) = name.filter(|name| is_ours(name) && !control.is_cancelled()) {
                        send(&client, &name, &file, &tally).await?;
                        control.advance(1);
                    }
                    Ok::<(), StorageError>(())
                }
            });
            futures::stream::iter(sent).buffer_unordered(AT_A_TIME).try_collect::<()>().await?;
            Ok(tally.moved())
        })
    }
}

/// A name that becomes a path, or the other way round.
fn is_ours(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    name.split('/').all(part) && FOLDERS.iter().any(|folder| name.split('/').next() == Some(*folder))
}

async fn fetch(client: &Client, name: &str, size: u64, folder: &Path, tally: &Tally) -> Result<(), StorageError> {
    let failed = || StorageError::during("copy an object out of the bucket");
    let target = folder.join(name);
    if fs::metadata(&target).is_ok_and(|there| there.len() == size) {
        tally.before.fetch_add(size, Ordering::Relaxed);
        return Ok(());
    }
    let parent = target.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(failed())?;
    let above = parent.ancestors().take_while(|above| above.starts_with(folder)).map(Path::to_owned);
    tally.folders.lock().unwrap_or_else(PoisonError::into_inner).extend(above);
    // Longer than what names it, so that it is none of ours.
    let unfinished = parent.join(format!(".unfinished.{}", uuid::Uuid::new_v4()));
    let mut file = File::create(&unfinished).map_err(failed())?;
    let mut written = Ok(());
    let streamed = client.stream(name, |piece| {
        if written.is_ok() {
            written = file.write_all(piece);
        }
    });
    let streamed = streamed.await;
    let whole = streamed.and_then(|length| {
        written.and_then(|()| file.sync_all()).map_err(failed())?;
        tally.now.fetch_add(length, Ordering::Relaxed);
        fs::rename(&unfinished, &target).map_err(failed())
    });
    if whole.is_err() {
        fs::remove_file(&unfinished).map_err(failed())?;
    }
    match whole {
        // Deleted since the catalogue was copied.
        Err(StorageError::Gone) => Ok(()),
        whole => whole,
    }
}

async fn send(client: &Client, name: &str, file: &Path, tally: &Tally) -> Result<(), StorageError> {
    let failed = || StorageError::during("read a file of the backup");
    let mut file = File::open(file).map_err(failed())?;
    let size = file.metadata().map_err(failed())?.len();
    if client.size_of(name).await? == Some(size) {
        tally.before.fetch_add(size, Ordering::Relaxed);
        return Ok(());
    }
    if size <= PART as u64 {
        let mut bytes = Vec::with_capacity(size as usize);
        file.read_to_end(&mut bytes).map_err(failed())?;
        client.put(name, Bytes::from(bytes).into()).await?;
    } else {
        let upload = client.begin_parts(name).await?;
        let parts = std::iter::from_fn(|| part(&mut file).transpose().map(|part| part.map_err(failed())));
        if let Err(error) = client.put_parts(name, &upload, parts).await {
            client.abort_parts(name, &upload).await?;
            return Err(error);
        }
    }
    tally.now.fetch_add(size, Ordering::Relaxed);
    Ok(())
}

/// The next part of a file; `None` behind the last one.
fn part(file: &mut File) -> io::Result<Option<Bytes>> {
    let mut part = Vec::with_capacity(PART);
    file.take(PART as u64).read_to_end(&mut part)?;
    Ok((!part.is_empty()).then(|| Bytes::from(part)))
}
