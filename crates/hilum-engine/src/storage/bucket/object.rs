//! One object of the bucket, whole or by range.

use super::client::Client;
use super::{Begun, Bucket, header_of};
use crate::storage::StorageError;
use crate::storage::object_key::BucketPlace;
use crate::storage::segment::HEADER;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// More than this is asked for in several requests at a time.
const PIECE: u64 = 8 << 20;
const PIECES_AT_A_TIME: usize = 4;

/// An object that is there, with the bytes that were read last.
#[derive(Debug)]
pub(in crate::storage) struct BucketObject {
    bucket: Arc<Bucket>,
    name: String,
    length: u64,
    near: Mutex<Near>,
    /// Where the last read ended.
    read_to: AtomicU64,
}

/// Bytes of an object from `start` on.
#[derive(Clone, Debug)]
pub(super) struct Near {
    pub(super) start: u64,
    pub(super) bytes: Bytes,
}

impl Near {
    /// A request brings at least so many bytes: an answer takes longer to begin than these take to come, and the attributes of an
    /// object lie close together.
    pub(super) const LEAST: u64 = 64 << 10;

    fn part(&self, range: &Range<u64>) -> Option<Bytes> {
        let start = usize::try_from(range.start.checked_sub(self.start)?).ok()?;
        let end = start.checked_add(usize::try_from(range.end - range.start).ok()?)?;
        (end <= self.bytes.len()).then(|| self.bytes.slice(start..end))
    }
}

impl Bucket {
    /// Opens an object: it is there, and of the length that its key says.
    pub(in crate::storage) fn open_object(
        self: &Arc<Self>,
        place: &BucketPlace<'_>,
    ) -> Result<BucketObject, StorageError> {
        let near = self.asked_for(place.name).map_or_else(|| self.ask_for_beginning(place).wait(), Ok)?;
        let name = place.name.to_owned();
        Ok(BucketObject {
            bucket: Arc::clone(self),
            name,
            length: place.length,
            near: Mutex::new(near),
            read_to: AtomicU64::new(u64::MAX),
        })
    }

    /// A whole object, compared with the digest in its key.
    pub(in crate::storage) fn read(&self, place: &BucketPlace<'_>) -> Result<Bytes, StorageError> {
        self.whole_asked_for(place.name).map_or_else(|| self.ask_for_whole(place).wait(), Ok)
    }

    pub(super) fn ask_for_beginning(&self, place: &BucketPlace<'_>) -> Begun<Near> {
        let (client, name, length, digest) = (self.client.clone(), place.name.to_owned(), place.length, place.digest);
        self.begin(async move {
            let whole = HEADER as u64 + length;
            let got = client.get(&name, Some(0..whole.min(HEADER as u64 + Near::LEAST))).await?;
            let promised = header_of(&name, &got.bytes).is_some_and(|header| header.digest == digest);
            if got.size != whole || !promised {
                return Err(StorageError::Corrupt);
            }
            Ok(Near { start: 0, bytes: got.bytes.slice(HEADER..) })
        })
    }

    pub(super) fn ask_for_whole(&self, place: &BucketPlace<'_>) -> Begun<Bytes> {
        let (client, name, length, digest) = (self.client.clone(), place.name.to_owned(), place.length, place.digest);
        self.begin(async move {
            let bytes = if length <= PIECE {
                client.get(&name, None).await?.bytes
            } else {
                Bytes::from(pieces(&client, &name, 0..HEADER as u64 + length).await?)
            };
            if bytes.len() as u64 != HEADER as u64 + length {
                return Err(StorageError::Corrupt);
            }
            let object = bytes.slice(HEADER..);
            let check = move || digest.is_of(&object).then_some(object);
            let checked = tokio::task::spawn_blocking(check).await;
            checked.ok().flatten().ok_or(StorageError::Corrupt)
        })
    }
}

impl BucketObject {
    pub(in crate::storage) fn size(&self) -> u64 {
        self.length
    }

    /// The bytes of a range that lies within the object.
    pub(in crate::storage) fn read(&self, range: Range<u64>) -> Result<Bytes, StorageError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let near = || self.near.lock().unwrap_or_else(PoisonError::into_inner);
        // Who goes on where it stopped goes through the object.
        let goes_on = self.read_to.swap(range.end, Ordering::Relaxed) == range.start;
        if let Some(part) = near().part(&range) {
            return Ok(part);
        }
        let least = if goes_on { PIECE } else { Near::LEAST };
        let wanted = range.start..range.end.max((range.start + least).min(self.length));
        let in_bucket = wanted.start + HEADER as u64..wanted.end + HEADER as u64;
        let (client, name, keep) = (self.bucket.client.clone(), self.name.clone(), range.end < wanted.end);
        let bytes = self.bucket.wait(async move {
            if in_bucket.end - in_bucket.start <= PIECE {
                Ok(client.get(&name, Some(in_bucket)).await?.bytes)
            } else {
                Ok(Bytes::from(pieces(&client, &name, in_bucket).await?))
            }
        })?;
        let got = Near { start: wanted.start, bytes };
        let part = got.part(&range).ok_or(StorageError::Corrupt)?;
        if keep {
            *near() = got;
        }
        Ok(part)
    }
}

/// A long range, several requests at a time.
async fn pieces(client: &Client, name: &str, range: Range<u64>) -> Result<Vec<u8>, StorageError> {
    let starts = (range.start..range.end).step_by(PIECE as usize);
    let got = starts.map(|start| client.get(name, Some(start..(start + PIECE).min(range.end))));
    let got = futures::stream::iter(got).buffered(PIECES_AT_A_TIME);
    let bytes = Vec::with_capacity(usize::try_from(range.end - range.start).unwrap_or(0));
    got.try_fold(bytes, |mut bytes, got| async move {
        bytes.extend_from_slice(&got.bytes);
        Ok(bytes)
    })
    .await
}
