//! The catalogue: the only place with SQL.

use crate::error::ErrorKind;

/// Why the catalogue could not answer.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The database file could not be opened or brought up to date.
    #[error("the catalogue could not be opened: {0}")]
    Open(String),
    /// The disk under the database is full.
    #[error("the disk under the catalogue is full: free some space, then send again")]
    DiskFull,
    /// A statement failed.
    #[error("the catalogue failed while it tried to {act}: {source}")]
    Statement {
        /// What was being done.
        act: &'static str,
        /// The database's own words (no values of ours).
        source: sea_orm::DbErr,
    },
    /// A stored value cannot be read back.
    #[error("the catalogue holds an unreadable {what}; run `hilum check`")]
    Corrupt {
        /// Which column.
        what: &'static str,
    },
}

impl CatalogError {
    /// For the status tables.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::DiskFull => ErrorKind::OutOfSpace,
            Self::Open(_) | Self::Statement { .. } | Self::Corrupt { .. } => ErrorKind::Internal,
        }
    }

    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::Open(_) => "catalogue_unavailable",
            Self::Statement { .. } => "catalogue_failed",
            Self::Corrupt { .. } => "catalogue_corrupt",
        }
    }
}
