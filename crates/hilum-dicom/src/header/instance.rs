//! Bytes together with their walked header.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::{DeflateDecoder, ZlibDecoder};

use super::walk::Start;
use super::{Header, HeaderError};
use crate::uid::TransferSyntaxUid;

/// A deflated data set may inflate to this many bytes.
pub const MAX_INFLATED: usize = 1 << 30;

/// An instance's bytes with their walked header. For Deflated Explicit VR Little Endian the bytes are the inflated ones, so that
/// every offset of the header holds in [`Instance::bytes`].
#[derive(Clone, Debug)]
pub struct Instance<'a> {
    bytes: Cow<'a, [u8]>,
    header: Header,
}

impl<'a> Instance<'a> {
    /// Walks a Part 10 file (with or without preamble) or a bare data set of any transfer syntax. The bytes may be a prefix
    /// that ends inside the pixel data.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        Self::from_start(bytes, Start::find(bytes)?)
    }

    /// Walks a bare data set whose transfer syntax is known, such as one received over an association.
    pub fn parse_data_set(bytes: &'a [u8], transfer_syntax: &TransferSyntaxUid) -> Result<Self, HeaderError> {
        Self::from_start(bytes, Start::stated(transfer_syntax.clone()))
    }

    fn from_start(bytes: &'a [u8], start: Start) -> Result<Self, HeaderError> {
        let bytes = if start.is_deflated() {
            Cow::Owned(inflate_data_set(bytes, start.data_set_offset)?)
        } else {
            Cow::Borrowed(bytes)
        };
        let header = start.walk_data_set(&bytes)?;
        Ok(Self { bytes, header })
    }

    /// The bytes that the header's offsets count.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The walked header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The raw value of a top-level element, padding included; `None` where the element is absent.
    pub fn value(&self, tag: dicom_core::Tag) -> Option<&[u8]> {
        self.header.element(tag).map(|e| e.value.of(&self.bytes))
    }
}

/// The file meta information as it is, followed by the inflated data set (PS3.5 A.5). A stream that is cut off gives what it
/// holds; the walk then says where the data set ends.
fn inflate_data_set(bytes: &[u8], offset: usize) -> Result<Vec<u8>, HeaderError> {
    let (meta, deflated) = bytes.split_at(offset);
    let mut inflated = meta.to_vec();
    let mut outcome = read_bounded(DeflateDecoder::new(deflated), &mut inflated);
    if outcome.is_err() && deflated.first() == Some(&0x78) {
        // A zlib wrapper, which PS3.5 A.5 does not want.
        inflated.truncate(offset);
        outcome = read_bounded(ZlibDecoder::new(deflated), &mut inflated);
    }
    if inflated.len() - offset > MAX_INFLATED {
        return Err(HeaderError::InflatesTooFar { limit: MAX_INFLATED });
    }
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof || inflated.len() == offset => {
            Err(HeaderError::NotInflatable { offset })
        }
        _ => Ok(inflated),
    }
}

fn read_bounded(from: impl Read, to: &mut Vec<u8>) -> io::Result<usize> {
    from.take(MAX_INFLATED as u64 + 1).read_to_end(to)
}
