//! Where pixel data lies, native or encapsulated (PS3.5 8 and A.4), also when it is cut off.

use dicom_core::Tag;

use super::element::{ElementStart, ITEM, SEQUENCE_END, read_start};
use super::{Completeness, Element, Encoding, HeaderError, PixelDataLocation, PixelDataValue, Span};

pub(super) struct WalkedPixelData {
    pub(super) element: Element,
    pub(super) location: PixelDataLocation,
    pub(super) completeness: Completeness,
    /// Where the next element begins, when complete.
    pub(super) next: usize,
}

pub(super) fn walk_pixel_data(
    bytes: &[u8],
    start: &ElementStart,
    encoding: Encoding,
) -> Result<WalkedPixelData, HeaderError> {
    match start.len {
        Some(len) => Ok(native(bytes, start, len)),
        None => encapsulated(bytes, start, encoding),
    }
}

fn native(bytes: &[u8], start: &ElementStart, stated_len: usize) -> WalkedPixelData {
    let offset = start.value_offset;
    let len = stated_len.min(bytes.len().saturating_sub(offset));
    let present = Span { offset, len };
    let completeness = if len == stated_len {
        Completeness::Complete
    } else {
        Completeness::TruncatedInPixelData { offset, stated: Some(stated_len), present: len }
    };
    walked(start, present, PixelDataValue::Native { present, stated_len }, completeness, offset + len)
}

fn encapsulated(bytes: &[u8], start: &ElementStart, encoding: Encoding) -> Result<WalkedPixelData, HeaderError> {
    let mut items: Vec<Span> = Vec::new();
    let mut position = start.value_offset;
    let (completeness, end, next) = loop {
        let cut = |stated, present| Completeness::TruncatedInPixelData { offset: position, stated, present };
        let remaining = bytes.len().saturating_sub(position);
        if remaining < 8 {
            break (cut(None, remaining), bytes.len(), bytes.len());
        }
        let item = read_start(bytes, position, bytes.len(), encoding)?;
        match (item.tag, item.len) {
            (SEQUENCE_END, _) => break (Completeness::Complete, position, item.value_offset),
            (ITEM, Some(len)) => {
                let present = remaining - 8;
                items.push(Span { offset: item.value_offset, len: len.min(present) });
                if len > present {
                    break (cut(Some(len), present), bytes.len(), bytes.len());
                }
                position = item.value_offset + len;
            }
            (ITEM, None) => return Err(HeaderError::UndefinedLength { tag: ITEM, offset: position }),
            (found, _) => return Err(HeaderError::NotAnItem { tag: start.tag, offset: position, found }),
        }
    };
    let offset_table = if items.is_empty() { Span { offset: start.value_offset, len: 0 } } else { items.remove(0) };
    let value = Span { offset: start.value_offset, len: end - start.value_offset };
    Ok(walked(start, value, PixelDataValue::Encapsulated { offset_table, fragments: items }, completeness, next))
}

fn walked(
    start: &ElementStart,
    value: Span,
    location: PixelDataValue,
    completeness: Completeness,
    next: usize,
) -> WalkedPixelData {
    let &ElementStart { tag, vr, offset, len, .. } = start;
    WalkedPixelData {
        element: Element { tag, vr, undefined_length: len.is_none(), offset, value },
        location: PixelDataLocation { tag, vr, element_offset: offset, value: location },
        completeness,
        next,
    }
}

/// Whether the tag carries pixel data at the top level.
pub(super) fn is_pixel_data(tag: Tag) -> bool {
    matches!(tag, Tag(0x7FE0, 0x0008 | 0x0009 | 0x0010))
}
