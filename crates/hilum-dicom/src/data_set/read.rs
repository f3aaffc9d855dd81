//! A data set out of its bytes.

use std::collections::BTreeMap;

use dicom_core::VR;

use super::{DataSet, SPECIFIC_CHARACTER_SET, Value};
use crate::charset::{SpecificCharacterSet, TextFinding, decode_values};
use crate::header::{Element, Encoding, Header, HeaderError, Item, dictionary_vr, holds_items};

/// A level of a data set that is being read.
pub(super) enum Level<'a> {
    Top(&'a Header),
    Item(&'a Item),
}

impl Level<'_> {
    fn elements(&self) -> &[Element] {
        match self {
            Self::Top(header) => &header.elements,
            Self::Item(item) => &item.elements,
        }
    }

    fn encoding(&self) -> Encoding {
        match self {
            Self::Top(header) => header.encoding,
            Self::Item(item) => item.encoding,
        }
    }

    /// An item inherits the character set of what holds it (PS3.5 7.5.3).
    pub(super) fn read(&self, bytes: &[u8], inherited: &SpecificCharacterSet) -> Result<DataSet, HeaderError> {
        let stated = self.elements().iter().find(|element| element.tag == SPECIFIC_CHARACTER_SET);
        let character_set = stated.map_or_else(|| inherited.clone(), |element| well_formed(element.value.of(bytes)));
        let mut elements = BTreeMap::new();
        for element in self.elements() {
            // Group lengths (PS3.5 7.2), pixel data and stray delimiters are nothing that anybody asks for.
            if element.tag == SPECIFIC_CHARACTER_SET || element.tag.1 == 0 || matches!(element.tag.0, 0x7FE0 | 0xFFFE) {
                continue;
            }
            let vr = if element.vr == VR::UN { dictionary_vr(element.tag) } else { element.vr };
            let value = if vr == VR::SQ || (holds_items(element) && vr == VR::UN) {
                let items = match self {
                    Self::Top(header) => header.items(bytes, element)?,
                    Self::Item(item) => item.items(bytes, element)?,
                };
                let items = items.iter().map(|item| Level::Item(item).read(bytes, &character_set));
                Value::Items(items.collect::<Result<_, _>>()?)
            } else {
                match texts(element.value.of(bytes), vr, self.encoding().big_endian, &character_set) {
                    Some(values) => Value::Text(values),
                    None => continue,
                }
            };
            let vr = if matches!(value, Value::Items(_)) { VR::SQ } else { vr };
            elements.insert(element.tag, (vr, value));
        }
        Ok(DataSet { elements, character_set })
    }
}

/// A multi-byte set as value 1 is read as the code extension that the standard makes it, so that an answer states it rightly.
fn well_formed(value: &[u8]) -> SpecificCharacterSet {
    let (set, findings) = SpecificCharacterSet::parse(value);
    if findings.contains(&TextFinding::MultiByteFirst) {
        return SpecificCharacterSet::parse(&[b"\\", value].concat()).0;
    }
    set
}

/// `None` for bulk.
fn texts(value: &[u8], vr: VR, big_endian: bool, set: &SpecificCharacterSet) -> Option<Vec<String>> {
    fn all<const N: usize>(value: &[u8], big_endian: bool, text: fn([u8; N]) -> String) -> Vec<String> {
        let (chunks, _) = value.as_chunks::<N>();
        let ordered = chunks.iter().map(|chunk| {
            let mut chunk = *chunk;
            if big_endian {
                chunk.reverse();
            }
            text(chunk)
        });
        ordered.collect()
    }
    Some(match vr {
        _ if value.is_empty() => Vec::new(),
        VR::US => all(value, big_endian, |b| u16::from_le_bytes(b).to_string()),
        VR::SS => all(value, big_endian, |b| i16::from_le_bytes(b).to_string()),
        VR::UL => all(value, big_endian, |b| u32::from_le_bytes(b).to_string()),
        VR::SL => all(value, big_endian, |b| i32::from_le_bytes(b).to_string()),
        VR::UV => all(value, big_endian, |b| u64::from_le_bytes(b).to_string()),
        VR::SV => all(value, big_endian, |b| i64::from_le_bytes(b).to_string()),
        VR::FL => all(value, big_endian, |b| f32::from_le_bytes(b).to_string()),
        VR::FD => all(value, big_endian, |b| f64::from_le_bytes(b).to_string()),
        VR::AT => {
            let (chunks, _) = value.as_chunks::<4>();
            let half = |a, b| if big_endian { u16::from_be_bytes([a, b]) } else { u16::from_le_bytes([a, b]) };
            chunks.iter().map(|&[a, b, c, d]| format!("{:04X}{:04X}", half(a, b), half(c, d))).collect()
        }
        VR::OB | VR::OW | VR::OF | VR::OD | VR::OL | VR::OV | VR::UN | VR::SQ => return None,
        _ => decode_values(value, set, vr).0,
    })
}
