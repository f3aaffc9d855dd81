//! Objects in a bucket of an S3 service.
//!
//! An instance is one S3 object: the header that a record of a segment has, then the bytes as received. Its name,
//! `objects/<process>/<time-ordered UUID>-<length>-<SHA-256>`, is made by us, so that a list of names alone says what there is. S3 is
//! durable and consistent once a PUT is answered, so an object is acknowledged then, and its row follows, as with segments. The
//! files of a report are `reports/<institution>/<UUID>/<name>`: written first, found by nobody until the row is committed.

mod client;
mod copy;
mod fault;
mod http;
mod keys;
mod object;
mod parts;
mod settings;
mod soon;
mod walk;

pub(crate) use copy::Moved;
pub(super) use keys::since;
pub(super) use object::BucketObject;
pub use settings::{BadBucketUrl, BadEndpoint, BucketSettings, BucketUrl, Credentials, Endpoint, StoragePlace};
pub(crate) use soon::Reading;
pub(super) use walk::Walk;

use super::object_key::BucketPlace;
use super::segment::{HEADER, Header};
use super::{FOLDER_ID, ObjectKey, StorageError, folder_id, sync_folder};
use bytes::Bytes;
use client::{AT_A_TIME, Client};
use futures::{StreamExt as _, TryStreamExt as _};
use hilum_dicom::{LARGEST_IN_MEMORY, ObjectBytes, ObjectDigest};
use keys::Keys;
use object_store::PutPayload;
use parts::Parts;
use soon::Soon;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

/// Names the data folder that the objects belong to.
const ARCHIVE: &str = "archive.id";
/// What the file that stands for an upload under way begins with.
const UPLOAD: &str = "upload+";

/// The bucket, as one process uses it. Its functions block on the network; they may be called from any thread.
#[derive(Debug)]
pub(super) struct Bucket {
    client: Client,
    keys: Keys,
    process: Uuid,
    incoming: PathBuf,
    soon: Soon,
    runtime: Option<Runtime>,
}

impl Bucket {
    /// Takes the bucket for the data folder, unless it belongs to another one.
    pub(super) fn open(
        settings: &BucketSettings,
        root: &Path,
        incoming: PathBuf,
        process: Uuid,
    ) -> Result<Self, StorageError> {
        let client = Client::new(settings)?;
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("bucket").enable_all().build();
        let runtime = Some(runtime.map_err(StorageError::during("start the thread of the bucket"))?);
        let bucket =
            Self { client, keys: Keys::new(incoming.clone()), process, incoming, soon: Soon::default(), runtime };
        bucket.take_for(folder_id(root)?)?;
        Ok(bucket)
    }

    fn take_for(&self, folder: Uuid) -> Result<(), StorageError> {
        let client = self.client.clone();
        let theirs = self.wait(async move {
            let name = Bytes::from(folder.to_string());
            match client.get(ARCHIVE, None).await {
                Err(StorageError::Gone) if client.create(ARCHIVE, name.clone()).await? => Ok(name),
                // Another process was first.
                Err(StorageError::Gone) => Ok(client.get(ARCHIVE, None).await?.bytes),
                got => Ok(got?.bytes),
            }
        })?;
        let theirs = str::from_utf8(&theirs).ok().and_then(|text| text.trim().parse::<Uuid>().ok());
        match theirs {
            Some(theirs) if theirs == folder => Ok(()),
            Some(theirs) => Err(StorageError::OtherArchive { theirs: theirs.to_string(), file: FOLDER_ID }),
            None => Err(StorageError::Service { act: "name the archive", code: "archive.id is damaged".to_owned() }),
        }
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it goes with the bucket")
    }

    /// Waits for work on the bucket's own thread. Whoever calls may stand on a thread of another runtime.
    fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StorageError>> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.begin(work).wait()
    }

    fn begin<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StorageError>> + Send + 'static,
    ) -> Begun<T> {
        let (tell, outcome) = mpsc::sync_channel(1);
        self.runtime().spawn(async move {
            if tell.send(work.await).is_err() {
                tracing::debug!("nobody waits for an answer of the bucket any more");
            }
        });
        Begun(outcome)
    }

    /// Keeps an object; when this returns, it is durable.
    pub(super) fn keep(self: &Arc<Self>, header: &Header, object: &ObjectBytes) -> Result<Kept, StorageError> {
        let uuid = self.keys.begin()?;
        let key = ObjectKey::in_bucket(self.process, uuid, header.length, header.digest);
        let kept = Kept { bucket: Arc::clone(self), uuid, key };
        let name = kept.key.in_bucket_as().map(|place| place.name.to_owned()).ok_or(StorageError::Corrupt)?;
        let head = Bytes::copy_from_slice(&header.write(&name, 0));
        let outcome = match object {
            ObjectBytes::Held(bytes) if header.length <= LARGEST_IN_MEMORY => {
                let (client, payload) = (self.client.clone(), PutPayload::from_iter([head, bytes.clone()]));
                self.wait(async move { client.put(&name, payload).await })
            }
            object => self.put_in_parts(name, head, object, header.digest),
        };
        match outcome {
            Ok(()) => Ok(kept),
            Err(error) => {
                // It may have come through all the same.
                kept.discard();
                Err(error)
            }
        }
    }

    fn put_in_parts(
        &self,
        name: String,
        head: Bytes,
        object: &ObjectBytes,
        digest: ObjectDigest,
    ) -> Result<(), StorageError> {
        let (client, named) = (self.client.clone(), name.clone());
        let upload = self.wait(async move { client.begin_parts(&named).await })?;
        let marker = self.incoming.join(format!("{UPLOAD}{}", Uuid::new_v4()));
        note_upload(&marker, &name, &upload)?;
        let (client, parts) = (self.client.clone(), Parts::new(head, object, digest));
        let (outcome, ended) = self.wait(async move {
            let outcome = client.put_parts(&name, &upload, parts).await;
            let ended = outcome.is_ok() || client.abort_parts(&name, &upload).await.is_ok();
            Ok((outcome, ended))
        })?;
        // What could not be given up is at the next start.
        if ended {
            fs::remove_file(&marker).map_err(StorageError::during("forget an upload that has ended"))?;
        }
        outcome
    }

    /// Writes the files of a folder.
    pub(super) fn put_files(&self, folder: &ObjectKey, files: &[(String, Vec<u8>)]) -> Result<(), StorageError> {
        let name = folder.in_bucket_folder().ok_or(StorageError::Corrupt)?;
        let files: Vec<(String, Bytes)> =
            files.iter().map(|(file, bytes)| (format!("{name}/{file}"), Bytes::copy_from_slice(bytes))).collect();
        let client = self.client.clone();
        self.wait(async move {
            let sent = files.into_iter().map(|(name, bytes)| {
                let client = client.clone();
                async move { client.put(&name, bytes.into()).await }
            });
            futures::stream::iter(sent).buffer_unordered(AT_A_TIME).try_collect().await
        })
    }

    /// Names of the files in a folder, in order.
    pub(super) fn names_in(&self, folder: &str) -> Result<Vec<String>, StorageError> {
        let (client, below) = (self.client.clone(), format!("{folder}/"));
        self.wait(async move {
            let listed: Vec<(String, u64)> = client.list(below.trim_end_matches('/')).try_collect().await?;
            Ok(listed.into_iter().filter_map(|(name, _)| Some(name.strip_prefix(&below)?.to_owned())).collect())
        })
    }

    /// One file of a folder.
    pub(super) fn file(&self, folder: &str, name: &str) -> Result<Option<Bytes>, StorageError> {
        let (client, name) = (self.client.clone(), format!("{folder}/{name}"));
        self.wait(async move {
            match client.get(&name, None).await {
                Err(StorageError::Gone) => Ok(None),
                got => got.map(|got| Some(got.bytes)),
            }
        })
    }

    /// Removes objects and folders; says of each whether it is gone.
    pub(super) fn remove(&self, keys: &[ObjectKey]) -> Vec<bool> {
        let (client, owned) = (self.client.clone(), keys.to_vec());
        let removed = self.wait(async move {
            let removed = owned.into_iter().map(|key| {
                let client = client.clone();
                async move { remove(&client, &key).await }
            });
            Ok(futures::stream::iter(removed).buffered(AT_A_TIME).collect::<Vec<bool>>().await)
        });
        removed.unwrap_or_else(|_| vec![false; keys.len()])
    }

    /// Which of the objects and folders are there.
    pub(super) fn are_there(&self, keys: &[ObjectKey]) -> Result<Vec<bool>, StorageError> {
        let (client, keys) = (self.client.clone(), keys.to_vec());
        self.wait(async move {
            let looked = keys.into_iter().map(|key| {
                let client = client.clone();
                async move { is_there(&client, &key).await }
            });
            futures::stream::iter(looked).buffered(AT_A_TIME).try_collect().await
        })
    }

    /// What stands before an object's bytes.
    pub(super) fn header(&self, place: &BucketPlace<'_>) -> Result<Option<Header>, StorageError> {
        let (client, name) = (self.client.clone(), place.name.to_owned());
        self.wait(async move {
            match client.get(&name, Some(0..HEADER as u64)).await {
                Err(StorageError::Gone) => Ok(None),
                got => Ok(header_of(&name, &got?.bytes)),
            }
        })
    }

    /// The objects that a process kept from `since` on, and folders that it noted.
    pub(super) fn kept_since(&self, process: Uuid, since: Uuid) -> Result<Vec<ObjectKey>, StorageError> {
        let client = self.client.clone();
        self.wait(async move {
            let folder = ObjectKey::bucket_folder_of(process);
            // What is listed comes behind the point; the names of objects go on where it ends.
            let listed = client.list_after(&folder, &format!("{folder}/{since}"));
            let keys = listed.map_ok(|(name, _)| ObjectKey::from_bucket(&name));
            Ok(keys.try_collect::<Vec<_>>().await?.into_iter().flatten().collect())
        })
    }

    /// Gives up the large objects that a process which is gone had under way.
    pub(super) fn give_up_uploads(&self, incoming: &Path) -> Result<(), StorageError> {
        let failed = || StorageError::during("list large objects that were under way");
        for file in fs::read_dir(incoming).map_err(failed())? {
            let file = file.map_err(failed())?;
            if !file.file_name().to_str().is_some_and(|name| name.starts_with(UPLOAD)) {
                continue;
            }
            let noted = fs::read_to_string(file.path()).map_err(failed())?;
            let Some((name, upload)) = noted.trim_end().split_once('\n') else { continue };
            let (client, name, upload) = (self.client.clone(), name.to_owned(), upload.to_owned());
            self.wait(async move { client.abort_parts(&name, &upload).await })?;
            fs::remove_file(file.path()).map_err(failed())?;
        }
        Ok(())
    }

    /// Removes a folder that got no row, and then what notes it, while nobody waits.
    pub(super) fn take_back_files(self: &Arc<Self>, folder: ObjectKey, marker: PathBuf) {
        let bucket = Arc::clone(self);
        self.runtime().spawn(async move {
            if remove(&bucket.client, &folder).await
                && let Err(error) = fs::remove_dir(marker)
            {
                tracing::debug!(kind = ?error.kind(), "a folder that is gone stays noted until the next start");
            }
        });
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // The last one to hold it may be a task of its own.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An answer that is on its way.
#[derive(Debug)]
pub(super) struct Begun<T>(mpsc::Receiver<Result<T, StorageError>>);

impl<T> Begun<T> {
    pub(super) fn wait(self) -> Result<T, StorageError> {
        let ended = || StorageError::during("work on the bucket")(io::Error::other("it ended early"));
        self.0.recv().unwrap_or_else(|_| Err(ended()))
    }
}

/// An object that is durable, and not yet one of the archive's.
#[derive(Debug)]
pub(super) struct Kept {
    bucket: Arc<Bucket>,
    uuid: Uuid,
    pub(super) key: ObjectKey,
}

impl Kept {
    /// It has its row.
    pub(super) fn settled(&self) {
        self.bucket.keys.settled(self.uuid);
    }

    /// It has no row: it goes, while nobody waits. As long as it is not known to be gone, the next start would look at it.
    pub(super) fn discard(&self) {
        let (bucket, uuid, key) = (Arc::clone(&self.bucket), self.uuid, self.key.clone());
        self.bucket.runtime().spawn(async move {
            if remove(&bucket.client, &key).await {
                bucket.keys.settled(uuid);
            }
        });
    }
}

async fn remove(client: &Client, key: &ObjectKey) -> bool {
    let removed = match (key.in_bucket_as(), key.in_bucket_folder()) {
        (Some(place), _) => client.remove(place.name).await,
        (None, Some(folder)) => client.remove_folder(folder).await,
        (None, None) => return false,
    };
    if let Err(error) = &removed {
        tracing::warn!(code = error.code(), "an object without a row stays behind in the bucket");
    }
    removed.is_ok()
}

async fn is_there(client: &Client, key: &ObjectKey) -> Result<bool, StorageError> {
    match (key.in_bucket_as(), key.in_bucket_folder()) {
        (Some(place), _) => Ok(client.size_of(place.name).await? == Some(place.length + HEADER as u64)),
        (None, Some(folder)) => Ok(std::pin::pin!(client.list(folder)).next().await.transpose()?.is_some()),
        (None, None) => Ok(false),
    }
}

fn header_of(name: &str, bytes: &[u8]) -> Option<Header> {
    Header::read(bytes.first_chunk()?, name, 0)
}

fn note_upload(marker: &Path, name: &str, upload: &str) -> Result<(), StorageError> {
    let failed = || StorageError::during("note a large object that is under way");
    let mut file = File::create_new(marker).map_err(failed())?;
    write!(file, "{name}\n{upload}\n").and_then(|()| file.sync_all()).map_err(failed())?;
    marker.parent().map_or(Ok(()), sync_folder)
}
