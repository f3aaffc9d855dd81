//! Everything in the bucket, in order of names.

use super::Bucket;
use super::client::{AT_A_TIME, Client};
use crate::storage::segment::{HEADER, Header};
use crate::storage::{Found, ObjectKey, StorageError};
use futures::{StreamExt as _, TryStreamExt as _};
use hilum_dicom::ObjectDigest;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The objects of the bucket, read ahead of whoever asks.
#[derive(Debug)]
pub(in crate::storage) struct Walk {
    found: mpsc::Receiver<Result<Found, StorageError>>,
    /// The thread that reads goes with it.
    _bucket: Arc<Bucket>,
}

impl Bucket {
    /// Begins to walk. Where `quick` says so, only lengths are compared.
    pub(in crate::storage) fn walk(self: &Arc<Self>, quick: bool) -> Walk {
        let (tell, found) = mpsc::channel(AT_A_TIME);
        let client = self.client.clone();
        self.runtime().spawn(async move {
            let listed = client.list(ObjectKey::BUCKET_FOLDER);
            let known = listed.try_filter_map(|(name, size)| {
                let key = ObjectKey::from_bucket(&name);
                async move { Ok(key.map(|key| (key, size))) }
            });
            let looked = known.map_ok(|(key, size)| look(&client, key, size, quick)).try_buffered(AT_A_TIME);
            let looked = looked.try_filter_map(|found| async move { Ok(found) });
            let mut looked = std::pin::pin!(looked);
            while let Some(found) = looked.next().await {
                if tell.send(found).await.is_err() {
                    break;
                }
            }
        });
        Walk { found, _bucket: Arc::clone(self) }
    }
}

impl Walk {
    pub(in crate::storage) fn next_object(&mut self) -> Result<Option<Found>, StorageError> {
        self.found.blocking_recv().transpose()
    }
}

/// `None` where the object was deleted meanwhile.
async fn look(client: &Client, key: ObjectKey, size: u64, quick: bool) -> Result<Option<Found>, StorageError> {
    let Some(place) = key.in_bucket_as() else { return Ok(None) };
    let (length, fits) = (place.length, size == HEADER as u64 + place.length);
    let whole = if quick || !fits { Ok(fits) } else { is_whole(client, place.name, place.digest).await };
    match whole {
        Err(StorageError::Gone) => Ok(None),
        whole => Ok(Some(Found { key, length, whole: whole? })),
    }
}

/// Reads an object once, a piece at a time.
async fn is_whole(client: &Client, name: &str, digest: ObjectDigest) -> Result<bool, StorageError> {
    let (mut head, mut hasher) = (Vec::with_capacity(HEADER), digest.hasher());
    let take = |piece: &[u8]| {
        let (of_head, of_object) = piece.split_at((HEADER - head.len()).min(piece.len()));
        head.extend_from_slice(of_head);
        hasher.update(of_object);
    };
    client.stream(name, take).await?;
    let header = head.first_chunk().and_then(|head| Header::read(head, name, 0));
    Ok(header.is_some_and(|header| header.digest == digest) && hasher.finish() == digest)
}
