//! The walk itself.
use super::{Header, HeaderError};
use crate::uid::TransferSyntaxUid;

/// Sequences nested deeper than this are refused.
pub const MAX_DEPTH: usize = 64;

/// Walks a Part 10 file (with or without preamble and file meta information) or a bare data set.
pub fn walk(bytes: &[u8]) -> Result<Header, HeaderError> {
    todo!("{}", bytes.len())
}

/// Walks a bare data set whose transfer syntax is known, such as one received over an association.
pub fn walk_as(bytes: &[u8], transfer_syntax: &TransferSyntaxUid) -> Result<Header, HeaderError> {
    todo!("{} {transfer_syntax}", bytes.len())
}
