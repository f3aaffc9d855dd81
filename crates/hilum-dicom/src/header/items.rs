//! Looking into sequences, one level at a time.

use dicom_core::{Tag, VR};

use super::element::{ElementStart, Elements, ITEM, ITEM_END, SEQUENCE_END, item_encoding, read_start};
use super::walk::MAX_ELEMENTS;
use super::{Element, Encoding, Header, HeaderError, MAX_DEPTH};

/// One item of a sequence: a data set of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// How the item's elements are encoded.
    pub encoding: Encoding,
    /// Its elements in order.
    pub elements: Vec<Element>,
    /// How deep it lies: 1 for the items of a top-level sequence.
    pub depth: usize,
}

impl Item {
    /// The element with this tag.
    pub fn element(&self, tag: Tag) -> Option<&Element> {
        find(&self.elements, tag)
    }

    /// The items of one of this item's sequences.
    pub fn items(&self, bytes: &[u8], sequence: &Element) -> Result<Vec<Item>, HeaderError> {
        items_of(bytes, sequence, self.encoding, self.depth)
    }
}

impl Header {
    /// The top-level element with this tag.
    pub fn element(&self, tag: Tag) -> Option<&Element> {
        find(&self.elements, tag)
    }

    /// The element of the file meta information with this tag.
    pub fn meta_element(&self, tag: Tag) -> Option<&Element> {
        find(&self.meta, tag)
    }

    /// The items of a top-level sequence.
    pub fn items(&self, bytes: &[u8], sequence: &Element) -> Result<Vec<Item>, HeaderError> {
        items_of(bytes, sequence, self.encoding, 0)
    }
}

fn find(elements: &[Element], tag: Tag) -> Option<&Element> {
    match elements.binary_search_by_key(&tag, |e| e.tag) {
        Ok(at) => Some(&elements[at]),
        // Elements out of order are a fault that some writers have.
        Err(_) => elements.iter().find(|e| e.tag == tag),
    }
}

/// Whether the element says of itself that its value is a sequence's items.
pub(crate) fn holds_items(element: &Element) -> bool {
    element.vr == VR::SQ || element.undefined_length
}

fn items_of(bytes: &[u8], sequence: &Element, parent: Encoding, depth: usize) -> Result<Vec<Item>, HeaderError> {
    let &Element { tag, vr, offset, value, .. } = sequence;
    if depth >= MAX_DEPTH {
        return Err(HeaderError::TooDeep { tag, offset, limit: MAX_DEPTH });
    }
    let start = ElementStart { tag, vr, offset, value_offset: value.offset, len: Some(value.len) };
    let encoding = item_encoding(bytes, &start, parent);
    let limit = value.offset.saturating_add(value.len).min(bytes.len());
    let mut items = Vec::new();
    let mut position = value.offset;
    while position < limit {
        let item = read_start(bytes, position, limit, encoding)?;
        let end = match (item.tag, item.len) {
            // Some writers close even a sequence of defined length.
            (SEQUENCE_END, _) => break,
            (ITEM, Some(len)) => {
                let present = limit.saturating_sub(item.value_offset);
                if len > present {
                    return Err(HeaderError::Truncated { tag: ITEM, offset: position, stated: len, present });
                }
                Some(item.value_offset + len)
            }
            (ITEM, None) => None,
            (found, _) => return Err(HeaderError::NotAnItem { tag, offset: position, found }),
        };
        let mut walk = Elements::new(bytes, item.value_offset, end.unwrap_or(limit), encoding, depth + 1);
        let mut elements = Vec::new();
        loop {
            if end.is_none() {
                if walk.position() >= limit {
                    return Err(HeaderError::MissingDelimiter { tag: ITEM, offset: position });
                }
                let next = read_start(bytes, walk.position(), limit, encoding)?;
                if next.tag == ITEM_END {
                    walk.go_to(next.value_offset);
                    break;
                }
            }
            match walk.next()? {
                Some(element) => elements.push(element),
                None => break,
            }
            if elements.len() > MAX_ELEMENTS {
                return Err(HeaderError::TooManyElements { limit: MAX_ELEMENTS });
            }
        }
        position = end.unwrap_or_else(|| walk.position());
        items.push(Item { encoding, elements, depth: depth + 1 });
    }
    Ok(items)
}
