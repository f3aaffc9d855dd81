//! Identity of a data set, transfer syntax aside.
use crate::header::{HeaderError, Instance};

/// SHA-256 identity of a data set, transfer syntax aside.
pub fn data_set_digest(bytes: &[u8]) -> Result<[u8; 32], HeaderError> {
    digest_of(&Instance::parse(bytes)?)
}

/// As [`data_set_digest`], for an instance already walked.
pub fn digest_of(instance: &Instance<'_>) -> Result<[u8; 32], HeaderError> {
    todo!("{}", instance.bytes().len())
}
