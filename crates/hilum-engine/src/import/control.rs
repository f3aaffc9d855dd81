//! Following and stopping an import.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Follows and stops an import: give one to [`crate::Engine::import`], keep a clone.
#[derive(Clone, Debug, Default)]
pub struct ImportControl {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    done: AtomicU64,
    total: AtomicU64,
    counted: AtomicBool,
    cancelled: AtomicBool,
}

impl ImportControl {
    /// A control of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Files looked at so far.
    pub fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Relaxed)
    }

    /// Files in all, once they are counted; opening a zip adds its members.
    pub fn total(&self) -> Option<u64> {
        self.shared.counted.load(Ordering::Acquire).then(|| self.shared.total.load(Ordering::Relaxed))
    }

    /// Stops the import after the files in hand; what was kept stays kept.
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Release);
    }

    /// Whether [`Self::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Acquire)
    }

    pub(super) fn advance(&self) {
        self.shared.done.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn expect(&self, files: u64) {
        self.shared.total.fetch_add(files, Ordering::Relaxed);
    }

    pub(super) fn counted(&self) {
        self.shared.counted.store(true, Ordering::Release);
    }
}
