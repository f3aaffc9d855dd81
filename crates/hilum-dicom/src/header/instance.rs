//! Bytes and their walked header.
use std::borrow::Cow;

use super::{Header, HeaderError};

/// An instance's bytes with their walked header. For Deflated Explicit VR Little Endian the bytes are the inflated ones, so that
/// every offset of the header holds in [`Instance::bytes`].
#[derive(Clone, Debug)]
pub struct Instance<'a> {
    bytes: Cow<'a, [u8]>,
    header: Header,
}

impl<'a> Instance<'a> {
    /// Walks a Part 10 file or bare data set of any transfer syntax.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        todo!("{}", bytes.len())
    }

    /// The bytes that the header's offsets count.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The walked header.
    pub fn header(&self) -> &Header {
        &self.header
    }
}
