//! One data element after the other, at one level (PS3.5 7.1, 7.5).

use dicom_core::{Tag, VR};

use super::vr::{dictionary_vr, has_long_length, vr_from_letters};
use super::{Element, Encoding, HeaderError, Span};

/// Sequences nested deeper than this are refused.
pub const MAX_DEPTH: usize = 64;

pub(super) const ITEM: Tag = Tag(0xFFFE, 0xE000);
pub(super) const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
pub(super) const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

/// An element's tag, VR and length, before its value is looked at.
#[derive(Clone, Copy)]
pub(super) struct ElementStart {
    pub(super) tag: Tag,
    pub(super) vr: VR,
    pub(super) offset: usize,
    pub(super) value_offset: usize,
    /// `None`: undefined.
    pub(super) len: Option<usize>,
}

/// An element and where the next one begins.
pub(super) struct WalkedElement {
    pub(super) tag: Tag,
    vr: VR,
    undefined_length: bool,
    offset: usize,
    pub(super) value: Span,
    pub(super) next: usize,
}

impl WalkedElement {
    pub(super) fn element(&self) -> Element {
        let Self { tag, vr, undefined_length, offset, value, .. } = *self;
        Element { tag, vr, undefined_length, offset, value }
    }

    pub(super) fn end(&self) -> usize {
        self.value.offset + self.value.len
    }
}

fn u16_at(bytes: &[u8], at: usize, big_endian: bool) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
    Some(if big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
}

fn u32_at(bytes: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
}

fn stated(length: u32) -> Option<usize> {
    (length != u32::MAX).then_some(length as usize)
}

/// Reads tag, VR and length at `offset`; nothing beyond `limit` is looked at.
pub(super) fn read_start(
    bytes: &[u8],
    offset: usize,
    limit: usize,
    encoding: Encoding,
) -> Result<ElementStart, HeaderError> {
    let bytes = &bytes[..limit.min(bytes.len())];
    let cut = HeaderError::CutOff { offset };
    let big = encoding.big_endian;
    let (Some(group), Some(element), Some(length)) =
        (u16_at(bytes, offset, big), u16_at(bytes, offset + 2, big), u32_at(bytes, offset + 4, big))
    else {
        return Err(cut);
    };
    let tag = Tag(group, element);
    let implicit = |vr| ElementStart { tag, vr, offset, value_offset: offset + 8, len: stated(length) };
    if group == 0xFFFE {
        // Items and delimiters have neither VR nor reserved bytes in any encoding.
        return Ok(implicit(VR::UN));
    }
    if !encoding.explicit_vr {
        return Ok(implicit(dictionary_vr(tag)));
    }
    let letters = [bytes[offset + 4], bytes[offset + 5]];
    let long = |vr| match u32_at(bytes, offset + 8, big) {
        Some(length) => Ok(ElementStart { tag, vr, offset, value_offset: offset + 12, len: stated(length) }),
        None => Err(cut.clone()),
    };
    let short = |vr| {
        let length = if big { length & 0xFFFF } else { length >> 16 };
        ElementStart { tag, vr, offset, value_offset: offset + 8, len: Some(length as usize) }
    };
    match vr_from_letters(letters) {
        Some(vr) if has_long_length(vr) => long(vr),
        Some(vr) => Ok(short(vr)),
        // A VR of a later edition has the long form (PS3.5 7.1.2).
        None if letters.iter().all(u8::is_ascii_uppercase) && bytes[offset + 6..offset + 8] == [0, 0] => long(VR::UN),
        None if letters.iter().all(u8::is_ascii_uppercase) => Ok(short(VR::UN)),
        // Some writers slip implicit elements into an explicit data set.
        None => Ok(implicit(dictionary_vr(tag))),
    }
}

/// Reads one whole element at `offset`, skipping through a value of undefined length.
pub(super) fn read_element(
    bytes: &[u8],
    offset: usize,
    limit: usize,
    encoding: Encoding,
    depth: usize,
) -> Result<WalkedElement, HeaderError> {
    finish_element(bytes, &read_start(bytes, offset, limit, encoding)?, limit, encoding, depth)
}

fn finish_element(
    bytes: &[u8],
    start: &ElementStart,
    limit: usize,
    encoding: Encoding,
    depth: usize,
) -> Result<WalkedElement, HeaderError> {
    let ElementStart { tag, vr, offset, value_offset, len } = *start;
    if let Some(len) = len {
        let present = limit.saturating_sub(value_offset);
        if len > present {
            return Err(HeaderError::Truncated { tag, offset, stated: len, present });
        }
        let value = Span { offset: value_offset, len };
        return Ok(WalkedElement { tag, vr, undefined_length: false, offset, value, next: value_offset + len });
    }
    let is_first_item = |big| u16_at(bytes, value_offset, big) == Some(0xFFFE);
    if !is_first_item(false) && !is_first_item(true) {
        return Err(if value_offset >= limit {
            HeaderError::MissingDelimiter { tag, offset }
        } else {
            HeaderError::UndefinedLength { tag, offset }
        });
    }
    let contents = if matches!(vr, VR::OB | VR::OW) || tag == Tag(0x7FE0, 0x0010) {
        Contents::Fragments
    } else {
        Contents::DataSets(item_encoding(bytes, start, encoding))
    };
    let (end, next) = skip_items(bytes, start, limit, encoding, contents, depth)?;
    let value = Span { offset: value_offset, len: end - value_offset };
    Ok(WalkedElement { tag, vr, undefined_length: true, offset, value, next })
}

/// What the items of an undefined-length value hold.
#[derive(Clone, Copy)]
pub(super) enum Contents {
    /// Encapsulated pixel data.
    Fragments,
    /// Data sets in this encoding.
    DataSets(Encoding),
}

/// The encoding inside a sequence: the parent's; but UN of undefined length is Implicit VR Little Endian (PS3.5 6.2.2), unless
/// its first element shows letters.
pub(super) fn item_encoding(bytes: &[u8], sequence: &ElementStart, parent: Encoding) -> Encoding {
    if sequence.vr != VR::UN || !parent.explicit_vr {
        return parent;
    }
    let first = sequence.value_offset;
    if u16_at(bytes, first, false) != Some(0xFFFE) {
        return parent;
    }
    match bytes.get(first + 12..first + 14) {
        Some(&[a, b]) if vr_from_letters([a, b]).is_some() => Encoding::EXPLICIT_LE,
        _ => Encoding::IMPLICIT_LE,
    }
}

/// Skips items up to the sequence delimiter; returns where the items end and where the next element begins.
fn skip_items(
    bytes: &[u8],
    sequence: &ElementStart,
    limit: usize,
    encoding: Encoding,
    contents: Contents,
    depth: usize,
) -> Result<(usize, usize), HeaderError> {
    let ElementStart { tag, offset, .. } = *sequence;
    if depth >= MAX_DEPTH {
        return Err(HeaderError::TooDeep { tag, offset, limit: MAX_DEPTH });
    }
    let item_encoding = match contents {
        Contents::Fragments => encoding,
        Contents::DataSets(encoding) => encoding,
    };
    let mut position = sequence.value_offset;
    loop {
        if position >= limit {
            return Err(HeaderError::MissingDelimiter { tag, offset });
        }
        let item = read_start(bytes, position, limit, item_encoding)?;
        match (item.tag, item.len) {
            (SEQUENCE_END, _) => return Ok((position, item.value_offset)),
            (ITEM, Some(len)) => {
                let present = limit.saturating_sub(item.value_offset);
                if len > present {
                    return Err(HeaderError::Truncated { tag: ITEM, offset: position, stated: len, present });
                }
                position = item.value_offset + len;
            }
            (ITEM, None) => {
                let Contents::DataSets(encoding) = contents else {
                    return Err(HeaderError::UndefinedLength { tag: ITEM, offset: position });
                };
                position = skip_data_set(bytes, &item, limit, encoding, depth + 1)?;
            }
            (found, _) => return Err(HeaderError::NotAnItem { tag, offset: position, found }),
        }
    }
}

/// Skips the elements of an item of undefined length; returns where the next item begins.
fn skip_data_set(
    bytes: &[u8],
    item: &ElementStart,
    limit: usize,
    encoding: Encoding,
    depth: usize,
) -> Result<usize, HeaderError> {
    let mut position = item.value_offset;
    loop {
        if position >= limit {
            return Err(HeaderError::MissingDelimiter { tag: ITEM, offset: item.offset });
        }
        let start = read_start(bytes, position, limit, encoding)?;
        if start.tag == ITEM_END {
            return Ok(start.value_offset);
        }
        position = finish_element(bytes, &start, limit, encoding, depth)?.next;
    }
}

/// The elements of one data set, one after the other.
pub(super) struct Elements<'a> {
    bytes: &'a [u8],
    position: usize,
    limit: usize,
    encoding: Encoding,
    depth: usize,
}

impl<'a> Elements<'a> {
    pub(super) fn new(bytes: &'a [u8], position: usize, limit: usize, encoding: Encoding, depth: usize) -> Self {
        Self { bytes, position, limit: limit.min(bytes.len()), encoding, depth }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn go_to(&mut self, position: usize) {
        self.position = position;
    }

    /// The next element's start, delimiters left lying about by some writers skipped; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<ElementStart>, HeaderError> {
        while self.position < self.limit {
            let start = read_start(self.bytes, self.position, self.limit, self.encoding)?;
            if !matches!(start.tag, ITEM_END | SEQUENCE_END) {
                return Ok(Some(start));
            }
            self.position = start.value_offset;
        }
        Ok(None)
    }

    /// The next element; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Element>, HeaderError> {
        let Some(start) = self.peek()? else { return Ok(None) };
        let walked = finish_element(self.bytes, &start, self.limit, self.encoding, self.depth)?;
        self.position = walked.next;
        Ok(Some(walked.element()))
    }
}
