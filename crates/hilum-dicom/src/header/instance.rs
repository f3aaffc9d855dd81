//! Bytes together with their walked header.

use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

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
    if outcome.as_ref().is_err_and(|error| !is_too_large(error)) && deflated.first() == Some(&0x78) {
        // A zlib wrapper, which PS3.5 A.5 does not want.
        inflated.truncate(offset);
        outcome = read_bounded(ZlibDecoder::new(deflated), &mut inflated);
    }
    match outcome {
        Err(error) if is_too_large(&error) => Err(HeaderError::InflatesTooFar { limit: MAX_INFLATED }),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof || inflated.len() == offset => {
            Err(HeaderError::NotInflatable { offset })
        }
        _ => Ok(inflated),
    }
}

fn is_too_large(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::FileTooLarge
}

/// Beyond this, inflating takes turns: so a data set that inflates without end costs [`MAX_INFLATED`] once, however many send one.
const INFLATED_BESIDE_OTHERS: u64 = 64 << 20;
static TURN: Mutex<()> = Mutex::new(());

fn read_bounded(from: impl Read, to: &mut Vec<u8>) -> io::Result<()> {
    let mut from = from.take(MAX_INFLATED as u64 + 1);
    let first = from.by_ref().take(INFLATED_BESIDE_OTHERS).read_to_end(to)?;
    if (first as u64) < INFLATED_BESIDE_OTHERS {
        return Ok(());
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    from.read_to_end(to)?;
    if from.limit() == 0 {
        // One byte more than is allowed; given back before the next one's turn.
        to.truncate(1);
        to.shrink_to_fit();
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(())
}
