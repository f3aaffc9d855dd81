//! Requests of one bucket, below one prefix.

use super::fault::{during, is_not_implemented, is_passing};
use super::http::Http;
use super::settings::{BucketSettings, BucketUrl};
use crate::storage::StorageError;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{
    BackoffConfig, Error, GetOptions, GetRange, ObjectMeta, ObjectStore as _, ObjectStoreExt as _, PutMode, PutPayload,
    RetryConfig,
};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A request is tried again for so long; a sender waits meanwhile.
const PATIENCE: Duration = Duration::from_secs(15);
const RETRIES: usize = 8;
/// Bytes of one part of a multipart upload. S3 takes 10,000 of them, of 5 MiB at least, and those under way are in memory.
pub(super) const PART: usize = 8 << 20;
const PARTS_AT_A_TIME: usize = 3;
/// A service that says neither yes nor no is given so long to make one object of its parts.
const COMPLETION: Duration = Duration::from_mins(5);
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Small requests under way at a time.
pub(super) const AT_A_TIME: usize = 16;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Client {
    store: AmazonS3,
    prefix: String,
    /// The service knows `If-None-Match` on PUT.
    conditional: Arc<AtomicBool>,
}

/// A part of an object, or all of it.
pub(super) struct Got {
    /// Bytes of the whole object.
    pub(super) size: u64,
    pub(super) bytes: Bytes,
}

impl Client {
    pub(super) fn new(settings: &BucketSettings) -> Result<Self, StorageError> {
        let BucketSettings { url: BucketUrl { bucket, prefix }, endpoint, region, credentials, ca: _ } = settings;
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(3),
            ..BackoffConfig::default()
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(region)
            .with_access_key_id(&credentials.access_key_id)
            .with_secret_access_key(&credentials.secret_access_key)
            .with_allow_http(true)
            .with_retry(RetryConfig { backoff, max_retries: RETRIES, retry_timeout: PATIENCE })
            .with_http_connector(Http::new(settings)?);
        if let Some(token) = &credentials.session_token {
            builder = builder.with_token(token);
        }
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint.as_str());
        }
        let store = builder.build().map_err(during("use the settings of the bucket"))?;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { store, prefix, conditional: Arc::new(AtomicBool::new(true)) })
    }

    /// Names are made by us, of characters that need no escape.
    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}{name}", self.prefix))
    }

    fn name<'a>(&self, path: &'a Path) -> &'a str {
        path.as_ref().strip_prefix(&self.prefix).unwrap_or_default()
    }

    /// Keeps an object under a name that nobody else makes. When this returns, it is durable.
    pub(super) async fn put(&self, name: &str, payload: PutPayload) -> Result<(), StorageError> {
        let (path, started) = (self.path(name), Instant::now());
        let act = "keep an object";
        loop {
            let mode = if self.conditional.load(Ordering::Relaxed) { PutMode::Create } else { PutMode::Overwrite };
            let fault = match self.store.put_opts(&path, payload.clone(), mode.into()).await {
                Ok(_) => return Ok(()),
                // An attempt before this one came through, and its answer did not.
                Err(Error::AlreadyExists { .. }) => {
                    let there = self.store.head(&path).await.map_err(during(act))?;
                    if there.size == payload.content_length() as u64 {
                        return Ok(());
                    }
                    StorageError::Service { act, code: "AlreadyExists".to_owned() }
                }
                Err(error) if is_not_implemented(&error) && self.conditional.swap(false, Ordering::Relaxed) => continue,
                Err(error) => during(act)(error),
            };
            if !matches!(fault, StorageError::Unreachable { .. }) || started.elapsed() > PATIENCE {
                return Err(fault);
            }
        }
    }

    /// Writes what nobody has written before; false where somebody has.
    pub(super) async fn create(&self, name: &str, bytes: Bytes) -> Result<bool, StorageError> {
        match self.store.put_opts(&self.path(name), bytes.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(during("name the archive in the bucket")(error)),
        }
    }

    pub(super) async fn begin_parts(&self, name: &str) -> Result<String, StorageError> {
        self.store.create_multipart(&self.path(name)).await.map_err(during("begin a large object"))
    }

    /// Uploads the parts, all of [`PART`] bytes but the last, and makes them one object, which is durable when this returns.
    pub(super) async fn put_parts<P: Into<PutPayload>>(
        &self,
        name: &str,
        upload: &str,
        parts: impl Iterator<Item = Result<P, StorageError>>,
    ) -> Result<(), StorageError> {
        let (path, upload, mut size) = (self.path(name), upload.to_owned(), 0);
        let parts = parts.enumerate().map(|(index, part)| {
            let part: PutPayload = part?.into();
            size += part.content_length() as u64;
            Ok((index, part))
        });
        let sent = futures::stream::iter(parts).map_ok(|(index, part)| {
            let sent = self.store.put_part(&path, &upload, index, part);
            async move { sent.await.map_err(during("keep a part of a large object")) }
        });
        let sent: Vec<PartId> = sent.try_buffered(PARTS_AT_A_TIME).try_collect().await?;
        self.complete(name, &upload, sent, size).await
    }

    /// Makes one object of the parts of an upload. A service may take minutes for a large one (S3 user guide, "CompleteMultipartUpload"), and
    /// when an answer was lost there is no such upload any more: whether the object is there with all its bytes is what counts.
    async fn complete(&self, name: &str, upload: &str, parts: Vec<PartId>, size: u64) -> Result<(), StorageError> {
        let (path, upload, started) = (self.path(name), upload.to_owned(), Instant::now());
        loop {
            let fault = match self.store.complete_multipart(&path, &upload, parts.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) => during("complete a large object")(error),
            };
            match self.size_of(name).await? {
                Some(there) if there == size => return Ok(()),
                None if is_passing(&fault) && started.elapsed() < COMPLETION => tokio::time::sleep(LOOK_AGAIN).await,
                _ => return Err(fault),
            }
        }
    }

    /// Gives up the parts of an upload; that it is gone already is no failure.
    pub(super) async fn abort_parts(&self, name: &str, upload: &str) -> Result<(), StorageError> {
        match self.store.abort_multipart(&self.path(name), &upload.to_owned()).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(during("give up a large object")(error)),
        }
    }

    /// The bytes of a range, or all of them.
    pub(super) async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Got, StorageError> {
        let act = "read an object";
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let result = self.store.get_opts(&self.path(name), options).await.map_err(during(act))?;
        let (size, expected) = (result.meta.size, result.range.end - result.range.start);
        let bytes = result.bytes().await.map_err(during(act))?;
        if bytes.len() as u64 != expected {
            return Err(StorageError::Unreachable { act });
        }
        Ok(Got { size, bytes })
    }

    /// Hands an object to `take`, piece by piece; returns its size.
    pub(super) async fn stream(&self, name: &str, mut take: impl FnMut(&[u8])) -> Result<u64, StorageError> {
        let act = "read an object";
        let result = self.store.get_opts(&self.path(name), GetOptions::default()).await.map_err(during(act))?;
        let mut pieces = result.into_stream();
        let mut size = 0;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(during(act))?;
            size += piece.len() as u64;
            take(&piece);
        }
        Ok(size)
    }

    /// The size of an object; `None` where there is none.
    pub(super) async fn size_of(&self, name: &str) -> Result<Option<u64>, StorageError> {
        match self.store.head(&self.path(name)).await {
            Ok(there) => Ok(Some(there.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(during("look for an object")(error)),
        }
    }

    /// Removes an object; that it is gone already is no failure.
    pub(super) async fn remove(&self, name: &str) -> Result<(), StorageError> {
        match self.store.delete(&self.path(name)).await.map_err(during("remove an object")) {
            Err(StorageError::Gone) => Ok(()),
            removed => removed,
        }
    }

    /// Removes everything in a folder.
    pub(super) async fn remove_folder(&self, folder: &str) -> Result<(), StorageError> {
        let names: Vec<(String, u64)> = self.list(folder).try_collect().await?;
        let removed = names.into_iter().map(|(name, _)| {
            let client = self.clone();
            async move { client.remove(&name).await }
        });
        futures::stream::iter(removed).buffer_unordered(AT_A_TIME).try_collect().await
    }

    /// Names and sizes of what lies in a folder, in order.
    pub(super) fn list(
        &self,
        folder: &str,
    ) -> impl futures::Stream<Item = Result<(String, u64), StorageError>> + Send + use<> {
        self.named(self.store.list(Some(&self.path(folder))))
    }

    /// As [`Self::list`], of what comes behind `after`.
    pub(super) fn list_after(
        &self,
        folder: &str,
        after: &str,
    ) -> impl futures::Stream<Item = Result<(String, u64), StorageError>> + Send + use<> {
        self.named(self.store.list_with_offset(Some(&self.path(folder)), &self.path(after)))
    }

    fn named(
        &self,
        listed: futures::stream::BoxStream<'static, object_store::Result<ObjectMeta>>,
    ) -> impl futures::Stream<Item = Result<(String, u64), StorageError>> + Send + use<> {
        let this = self.clone();
        listed.map(move |meta| {
            let meta = meta.map_err(during("list the bucket"))?;
            Ok((this.name(&meta.location).to_owned(), meta.size))
        })
    }
}
