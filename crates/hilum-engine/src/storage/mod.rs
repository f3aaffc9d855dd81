//! Objects as received, durable before success.

use crate::error::ErrorKind;

/// Why an object could not be kept or read back.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The disk is full, or a quota or file-size limit is reached; nothing half-written stays.
    #[error("the disk under the data folder is full: free some space, then send again")]
    DiskFull,
    /// The operating system refused.
    #[error("storage failed while it tried to {act}: {source}")]
    Io {
        /// What was being done.
        act: &'static str,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The stored bytes no longer match their digest.
    #[error("a stored object no longer matches its SHA-256; restore it from a backup")]
    Corrupt,
}

impl StorageError {
    /// For the status tables.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::DiskFull => ErrorKind::OutOfSpace,
            Self::Io { .. } | Self::Corrupt => ErrorKind::Internal,
        }
    }

    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::Io { .. } => "storage_failed",
            Self::Corrupt => "object_corrupt",
        }
    }
}
