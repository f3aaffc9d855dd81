//! Objects that somebody is about to read, asked for before.
//!
//! A request of a bucket takes many times as long to begin as the bytes of a slice take to come; who goes through a series says what
//! comes next, and several requests are under way at a time.

use super::object::Near;
use super::{Begun, Bucket};
use crate::storage::StorageError;
use crate::storage::object_key::BucketPlace;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How an object is going to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// All of it.
    Whole,
    /// Its attributes.
    Beginning,
}

/// Larger objects are read in several pieces at a time anyway.
const LARGEST: u64 = 8 << 20;
/// About so many bytes wait at most to be taken; what was asked for longest ago and never taken goes first.
const BYTES: u64 = 64 << 20;

#[derive(Debug, Default)]
pub(super) struct Soon {
    waiting: Mutex<VecDeque<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    name: String,
    bytes: u64,
    begun: Asked,
}

#[derive(Debug)]
enum Asked {
    Whole(Begun<Bytes>),
    Beginning(Begun<Near>),
}

impl Soon {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, name: &str, wanted: fn(&Asked) -> bool) -> Option<Asked> {
        let mut waiting = self.waiting();
        let at = waiting.iter().position(|waiting| waiting.name == name && wanted(&waiting.begun))?;
        waiting.remove(at).map(|waiting| waiting.begun)
    }
}

impl Bucket {
    /// Asks for an object that is about to be read, unless that was done.
    pub(in crate::storage) fn will_read(self: &Arc<Self>, place: &BucketPlace<'_>, reading: Reading) {
        let mut waiting = self.soon.waiting();
        if place.length > LARGEST || waiting.iter().any(|waiting| waiting.name == place.name) {
            return;
        }
        let (bytes, begun) = match reading {
            Reading::Whole => (place.length, Asked::Whole(self.ask_for_whole(place))),
            Reading::Beginning => (Near::LEAST.min(place.length), Asked::Beginning(self.ask_for_beginning(place))),
        };
        waiting.push_back(Waiting { name: place.name.to_owned(), bytes, begun });
        while waiting.iter().map(|waiting| waiting.bytes).sum::<u64>() > BYTES {
            waiting.pop_front();
        }
    }

    /// The whole object, where it was asked for and came.
    pub(super) fn whole_asked_for(&self, name: &str) -> Option<Bytes> {
        match self.soon.take(name, |asked| matches!(asked, Asked::Whole(_)))? {
            Asked::Whole(begun) => came(begun.wait()),
            Asked::Beginning(_) => None,
        }
    }

    /// The object or its beginning, where it was asked for and came.
    pub(super) fn asked_for(&self, name: &str) -> Option<Near> {
        match self.soon.take(name, |_| true)? {
            Asked::Whole(begun) => came(begun.wait()).map(|bytes| Near { start: 0, bytes }),
            Asked::Beginning(begun) => came(begun.wait()),
        }
    }
}

/// What failed is asked for again by whoever wants it, and fails for them.
fn came<T>(outcome: Result<T, StorageError>) -> Option<T> {
    outcome.inspect_err(|error| tracing::debug!(code = error.code(), "what was asked for ahead did not come")).ok()
}
