//! Reading facts.
use super::types::InstanceFacts;
use crate::header::{HeaderError, Instance};
use crate::uid::UidError;
use dicom_core::Tag;

/// Why an instance cannot be told apart from others and therefore cannot be kept as an instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DicomError {
    /// The bytes cannot be walked.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// An identifying attribute is absent or empty.
    #[error("{name} {tag} is absent or empty; an instance cannot be kept without it. Export it again with its identifiers")]
    MissingIdentifier {
        /// The attribute's keyword.
        name: &'static str,
        /// Its tag.
        tag: Tag,
    },
    /// An identifying attribute is no UID.
    #[error("{name} {tag}: {source}")]
    InvalidIdentifier {
        /// The attribute's keyword.
        name: &'static str,
        /// Its tag.
        tag: Tag,
        /// What is wrong with it.
        source: UidError,
    },
}

/// Reads the facts of a Part 10 file or bare data set, of whatever transfer syntax. Pixel data is not read and may be cut off.
pub fn read_facts(bytes: &[u8]) -> Result<InstanceFacts, DicomError> {
    InstanceFacts::of(&Instance::parse(bytes)?)
}

impl InstanceFacts {
    /// As [`read_facts`], for an instance already walked.
    pub fn of(instance: &Instance<'_>) -> Result<Self, DicomError> {
        todo!("{}", instance.bytes().len())
    }
}
