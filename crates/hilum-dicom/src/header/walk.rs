//! The walk of a whole object: prefix, file meta information, data set.

use dicom_core::{Tag, VR};

use super::element::{Elements, read_element};
use super::pixel_data::{is_pixel_data, walk_pixel_data};
use super::vr::{dictionary_vr, vr_from_letters};
use super::{Completeness, Element, Encoding, Header, HeaderError};
use crate::uid::TransferSyntaxUid;

/// Data elements at one level beyond this number are refused.
pub const MAX_ELEMENTS: usize = 1_000_000;

const TRANSFER_SYNTAX_UID: Tag = Tag(0x0002, 0x0010);

/// Walks a Part 10 file (with or without preamble and file meta information) or a bare data set. The bytes may be a prefix
/// that ends inside the pixel data.
pub fn walk(bytes: &[u8]) -> Result<Header, HeaderError> {
    let start = Start::find(bytes)?;
    if start.is_deflated() {
        return Err(HeaderError::Deflated);
    }
    start.walk_data_set(bytes)
}

/// Walks a bare data set whose transfer syntax is known, such as one received over an association.
pub fn walk_as(bytes: &[u8], transfer_syntax: &TransferSyntaxUid) -> Result<Header, HeaderError> {
    let start = Start::stated(transfer_syntax.clone());
    if start.is_deflated() {
        return Err(HeaderError::Deflated);
    }
    start.walk_data_set(bytes)
}

/// Where the data set begins and how it is said to be encoded.
pub(super) struct Start {
    meta: Vec<Element>,
    pub(super) data_set_offset: usize,
    transfer_syntax: Option<TransferSyntaxUid>,
    /// A DICM prefix or group 0002 was there.
    is_part_10: bool,
}

impl Start {
    pub(super) fn stated(transfer_syntax: TransferSyntaxUid) -> Self {
        Self { meta: Vec::new(), data_set_offset: 0, transfer_syntax: Some(transfer_syntax), is_part_10: true }
    }

    /// Finds the prefix (PS3.10 7.1) and walks the file meta information.
    pub(super) fn find(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.is_empty() {
            return Err(HeaderError::Empty);
        }
        let meta_offset = if bytes.get(128..132) == Some(b"DICM") {
            132
        } else if bytes.starts_with(b"DICM") {
            4
        } else if matches!(bytes, [2, 0, _, 0, a, b, ..] if vr_from_letters([*a, *b]).is_some()) {
            0
        } else {
            return Ok(Self { meta: Vec::new(), data_set_offset: 0, transfer_syntax: None, is_part_10: false });
        };
        let mut start =
            Self { meta: Vec::new(), data_set_offset: meta_offset, transfer_syntax: None, is_part_10: true };
        start.walk_meta(bytes)?;
        Ok(start)
    }

    /// Group 0002 is always Explicit VR Little Endian (PS3.10 7.1); its group length is not believed.
    fn walk_meta(&mut self, bytes: &[u8]) -> Result<(), HeaderError> {
        let mut stated_end = None;
        while bytes.get(self.data_set_offset..self.data_set_offset + 2) == Some(&[2, 0]) {
            // Deflated data may happen to begin with 02 00.
            if stated_end == Some(self.data_set_offset) && self.is_deflated() {
                break;
            }
            let element = read_element(bytes, self.data_set_offset, bytes.len(), Encoding::EXPLICIT_LE, 0)?;
            let value = element.value.of(bytes);
            match element.tag {
                Tag(0x0002, 0x0000) => {
                    stated_end = value.try_into().ok().map(|v| element.end() + u32::from_le_bytes(v) as usize);
                }
                TRANSFER_SYNTAX_UID => self.transfer_syntax = String::from_utf8_lossy(value).parse().ok(),
                _ => {}
            }
            self.data_set_offset = element.next;
            self.meta.push(element.element());
        }
        Ok(())
    }

    pub(super) fn is_deflated(&self) -> bool {
        self.transfer_syntax.as_ref().is_some_and(TransferSyntaxUid::is_deflated)
    }

    pub(super) fn walk_data_set(self, bytes: &[u8]) -> Result<Header, HeaderError> {
        if bytes.is_empty() {
            return Err(HeaderError::Empty);
        }
        let stated = self.transfer_syntax.as_ref().map(TransferSyntaxUid::encoding);
        let encoding = match (stated, recognise(bytes, self.data_set_offset)) {
            (Some(stated), Some(found)) if stated != found && contradicts(bytes, self.data_set_offset, stated) => found,
            (Some(stated), _) => stated,
            (None, Some(found)) => found,
            (None, None) if self.is_part_10 => guess(bytes, self.data_set_offset),
            (None, None) => return Err(HeaderError::NotDicom),
        };
        let transfer_syntax_stated = self.transfer_syntax.is_some();
        let mut header = Header {
            transfer_syntax: self.transfer_syntax.unwrap_or_else(|| TransferSyntaxUid::of(encoding)),
            transfer_syntax_stated,
            encoding,
            meta: self.meta,
            data_set_offset: self.data_set_offset,
            elements: Vec::with_capacity(128),
            pixel_data: None,
            completeness: Completeness::Complete,
        };
        match walk_top_level(bytes, &mut header) {
            // A recognised bare data set that breaks at once was never one.
            Err(_) if !self.is_part_10 && header.elements.len() < 3 => Err(HeaderError::NotDicom),
            Err(error) => Err(error),
            Ok(()) => Ok(header),
        }
    }
}

fn walk_top_level(bytes: &[u8], header: &mut Header) -> Result<(), HeaderError> {
    let mut elements = Elements::new(bytes, header.data_set_offset, bytes.len(), header.encoding, 0);
    loop {
        // Padding up to a block size. Looked for behind pixel data only, so that it is looked for once.
        if header.pixel_data.is_some() && bytes[elements.position()..].iter().all(|&b| b == 0) {
            return Ok(());
        }
        let Some(start) = elements.peek()? else { return Ok(()) };
        if is_pixel_data(start.tag) && header.pixel_data.is_none() {
            let walked = walk_pixel_data(bytes, &start, header.encoding)?;
            header.elements.push(walked.element);
            header.pixel_data = Some(walked.location);
            header.completeness = walked.completeness;
            if walked.completeness != Completeness::Complete {
                return Ok(());
            }
            elements.go_to(walked.next);
        } else if let Some(element) = elements.next()? {
            header.elements.push(element);
        }
        if header.elements.len() > MAX_ELEMENTS {
            return Err(HeaderError::TooManyElements { limit: MAX_ELEMENTS });
        }
    }
}

/// Recognises the encoding of the data set at `offset` by its first element.
fn recognise(bytes: &[u8], offset: usize) -> Option<Encoding> {
    let head: [u8; 8] = bytes.get(offset..offset + 8)?.try_into().ok()?;
    let little = Tag(u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]]));
    let big = Tag(u16::from_be_bytes([head[0], head[1]]), u16::from_be_bytes([head[2], head[3]]));
    let is_first = |tag: Tag| (0x0004..=0x0050).contains(&tag.0) || tag.0 == 0x7FE0;
    if vr_from_letters([head[4], head[5]]).is_some() {
        if is_first(little) {
            return Some(Encoding::EXPLICIT_LE);
        }
        return is_first(big).then_some(Encoding::EXPLICIT_BE);
    }
    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    let vr = dictionary_vr(little);
    let fits = length as usize <= bytes.len() - offset - 8 || (length == u32::MAX && vr == VR::SQ);
    (is_first(little) && vr != VR::UN && fits).then_some(Encoding::IMPLICIT_LE)
}

/// Of a Part 10 file that states no transfer syntax and begins with an unusual element.
fn guess(bytes: &[u8], offset: usize) -> Encoding {
    match bytes.get(offset + 4..offset + 6) {
        Some(&[a, b]) if vr_from_letters([a, b]).is_none() => Encoding::IMPLICIT_LE,
        _ => Encoding::EXPLICIT_LE,
    }
}

/// Whether the first element shows that the stated encoding is false (a known fault of some senders).
fn contradicts(bytes: &[u8], offset: usize, stated: Encoding) -> bool {
    let Some(&[a, b]) = bytes.get(offset + 4..offset + 6) else { return false };
    let has_letters = vr_from_letters([a, b]).is_some();
    stated.explicit_vr != has_letters
        || stated.big_endian != matches!(recognise(bytes, offset), Some(e) if e.big_endian)
}
