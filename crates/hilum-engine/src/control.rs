//! Following and stopping long work: an import, a check, a backup.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Follows and stops long work: give one to it, keep a clone.
#[derive(Clone, Debug, Default)]
pub struct WorkControl {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    done: AtomicU64,
    total: AtomicU64,
    counted: AtomicBool,
    cancelled: AtomicBool,
}

impl WorkControl {
    /// A control of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Things done so far: files of an import, rows of a check.
    pub fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Relaxed)
    }

    /// Things to do in all, once they are counted; there may come more, as the members of a zip do.
    pub fn total(&self) -> Option<u64> {
        self.shared.counted.load(Ordering::Acquire).then(|| self.shared.total.load(Ordering::Relaxed))
    }

    /// Stops the work after the things in hand; what was done stays done.
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Release);
    }

    /// Whether [`Self::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Acquire)
    }

    pub(crate) fn advance(&self, by: u64) {
        self.shared.done.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn expect(&self, more: u64) {
        self.shared.total.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn counted(&self) {
        self.shared.counted.store(true, Ordering::Release);
    }
}
