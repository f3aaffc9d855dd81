//! Why an object could not be kept or read back.

use crate::error::ErrorKind;
use std::io;

/// Why an object could not be kept or read back.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The disk is full, or a quota or file-size limit is reached; nothing half-written stays.
    #[error(
        "the store of objects is full (the disk under the data folder, or a quota): free some space, then send again"
    )]
    DiskFull,
    /// The operating system refused.
    #[error("storage failed while it tried to {act}: {source}")]
    Io {
        /// What was being done.
        act: &'static str,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The stored bytes no longer match their digest.
    #[error("a stored object no longer matches its digest; send it again or restore it from a backup")]
    Corrupt,
    /// The object was deleted while it was read.
    #[error("the object was deleted while it was read")]
    Gone,
    /// The bucket does not exist.
    #[error("there is no such bucket: create it, or correct url and endpoint under [storage]")]
    NoBucket,
    /// The service does not accept the credentials, or they do not allow it.
    #[error(
        "the object store refused access ({code}): check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the \
         file that [storage] credentials names), their rights to get, put, list and delete, and this machine's clock"
    )]
    AccessRefused {
        /// The service's word for it.
        code: String,
    },
    /// The bucket is in another region than requests are signed for.
    #[error("the bucket is in another region or at another address: correct region and endpoint under [storage]")]
    OtherRegion,
    /// Nobody answers, or not in time.
    #[error(
        "the object store did not answer while Hilum tried to {act}: check [storage] endpoint, the network and the service, then \
         send again"
    )]
    Unreachable {
        /// What was being done.
        act: &'static str,
    },
    /// The service asks to come again later.
    #[error("the object store was too busy or failed to {act}; send again later")]
    ServiceBusy {
        /// What was being done.
        act: &'static str,
    },
    /// The service refused for another reason.
    #[error("the object store refused to {act} ({code})")]
    Service {
        /// What was being done.
        act: &'static str,
        /// The service's word for it.
        code: String,
    },
    /// The file with the certificates of authorities cannot be used.
    #[error("the certificates that [storage] ca names cannot be used: {reason}")]
    Authorities {
        /// Why.
        reason: String,
    },
    /// An object lies in a bucket, and none is configured.
    #[error("objects of this data folder lie in a bucket, and none is configured: name it with url under [storage]")]
    BucketNotConfigured,
    /// The bucket and prefix hold another archive.
    #[error(
        "the bucket belongs to the data folder {theirs}, and this one is another: choose another prefix. If that folder is lost, \
         write {theirs} into {file} of this one, then run hilum check --repair"
    )]
    OtherArchive {
        /// The name of the data folder that it belongs to.
        theirs: String,
        /// The file of a data folder that holds its name.
        file: &'static str,
    },
}

impl StorageError {
    pub(crate) fn during(act: &'static str) -> impl FnOnce(io::Error) -> Self {
        // What is read by range may lie in a store whose error came wrapped.
        move |source| source.downcast().unwrap_or_else(|source| Self::of(act, source))
    }

    fn of(act: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Self::DiskFull,
            _ => Self::Io { act, source },
        }
    }

    /// The object is missing or damaged, while its store answers.
    pub(crate) fn is_loss(&self) -> bool {
        match self {
            Self::Gone | Self::Corrupt => true,
            Self::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) || is_bad_block(source)
            }
            _ => false,
        }
    }

    /// For the status tables. What a bucket's keeper can put right is no fault of what was sent: senders are to come again.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::DiskFull => ErrorKind::OutOfSpace,
            Self::Gone => ErrorKind::NotFound,
            Self::NoBucket
            | Self::AccessRefused { .. }
            | Self::OtherRegion
            | Self::Unreachable { .. }
            | Self::ServiceBusy { .. } => ErrorKind::Busy,
            Self::Io { .. }
            | Self::Corrupt
            | Self::Service { .. }
            | Self::Authorities { .. }
            | Self::BucketNotConfigured
            | Self::OtherArchive { .. } => ErrorKind::Internal,
        }
    }

    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::Io { .. } => "storage_failed",
            Self::Corrupt => "object_corrupt",
            Self::Gone => "object_gone",
            Self::NoBucket => "bucket_missing",
            Self::AccessRefused { .. } => "bucket_refused",
            Self::OtherRegion => "bucket_elsewhere",
            Self::Unreachable { .. } => "bucket_unreachable",
            Self::ServiceBusy { .. } => "bucket_busy",
            Self::Service { .. } => "bucket_failed",
            Self::Authorities { .. } => "bucket_authorities",
            Self::BucketNotConfigured => "bucket_not_configured",
            Self::OtherArchive { .. } => "bucket_of_another_archive",
        }
    }
}

/// The disk cannot read what it holds (EIO).
fn is_bad_block(error: &io::Error) -> bool {
    #[cfg(unix)]
    let code = Some(rustix::io::Errno::IO.raw_os_error());
    // ERROR_CRC
    #[cfg(not(unix))]
    let code = Some(23);
    error.raw_os_error() == code
}
