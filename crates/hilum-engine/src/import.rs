//! `hilum import`: files, folders, zips and DICOMDIR go through the same door as the network.

use crate::error::ErrorKind;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What became of the files of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportSummary {
    /// Files looked at (members of zips count as files).
    pub files: u64,
    /// New instances, durable now.
    pub kept: u64,
    /// The same data set was there before.
    pub already_there: u64,
    /// A different object under a known SOP Instance UID.
    pub quarantined: u64,
    /// Files that are no DICOM objects.
    pub not_dicom: u64,
    /// Bytes of the instances kept.
    pub bytes_kept: u64,
    /// Files that are DICOM but were refused, with the reason.
    pub refused: Vec<RefusedFile>,
    /// Stopped before the end.
    pub cancelled: bool,
    /// Studies that received something, for the caller to show (Study Instance UIDs).
    pub studies: Vec<String>,
}

/// A DICOM file that was refused. For the caller's eyes only: a path can hold a name, so it never goes into a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedFile {
    /// The path, as reached from the path that the caller gave.
    pub path: String,
    /// Stable code.
    pub code: String,
    /// One sentence.
    pub text: String,
}

/// Why an import stopped. What had been acknowledged before stays kept.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A path that the caller gave does not exist or cannot be read.
    #[error("path {number} of the call cannot be read: {source}")]
    Path {
        /// 1 is the first path.
        number: usize,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The whole import is impossible, e.g. disk full or the research zone.
    #[error(transparent)]
    Accept(#[from] crate::AcceptError),
}

impl ImportError {
    /// For the status tables.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Path { .. } => ErrorKind::NotFound,
            Self::Accept(error) => error.kind(),
        }
    }

    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Path { .. } => "path_unreadable",
            Self::Accept(error) => error.code(),
        }
    }
}

/// Follows and stops an import: give a clone to [`crate::Engine::import`], keep the other.
#[derive(Clone, Debug, Default)]
pub struct ImportControl {
    shared: Arc<ControlState>,
}

#[derive(Debug, Default)]
struct ControlState {
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

    /// Files in all, once they are counted.
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
}
