//! The keys of a record out of the header of its object.

use std::collections::BTreeMap;

use dicom_core::{Tag, VR};

use crate::header::{Element, HeaderError, Instance, Item, dictionary_vr};
use crate::part10::padded;
use crate::recode::{Recoder, little_endian};

use super::RecordType;

/// An attribute, and what a record says where the object does not.
pub(super) type Key = (Tag, Missing);

/// What a record says of an attribute that its object lacks, or has without a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Missing {
    /// Nothing (types 1C and 3).
    LeftOut,
    /// That there is no value (type 2).
    Empty,
    /// This (type 1).
    Text(&'static str),
    /// Another date of the object (type 1).
    Date,
    /// Another time of the object (type 1).
    Time,
    /// Its number among those beside it (type 1).
    Number,
    /// The latest Verification DateTime of those who verified the document (type 1C).
    Verified,
}

const SPECIFIC_CHARACTER_SET: Tag = Tag(0x0008, 0x0005);
const CONTENT_SEQUENCE: Tag = Tag(0x0040, 0xA730);
const VERIFYING_OBSERVERS: Tag = Tag(0x0040, 0xA073);
const VERIFIED_AT: Tag = Tag(0x0040, 0xA030);
const RELATIONSHIP_TYPE: Tag = Tag(0x0040, 0xA010);
/// Content, acquisition, series, study and instance creation.
const DATES: [u16; 5] = [0x0023, 0x0022, 0x0021, 0x0020, 0x0012];
const TIMES: [u16; 5] = [0x0033, 0x0032, 0x0031, 0x0030, 0x0013];
/// What an element of a short length can hold.
const LONGEST: usize = 65534;

pub(super) struct Keys<'a> {
    instance: &'a Instance<'a>,
}

impl<'a> Keys<'a> {
    pub(super) fn of(instance: &'a Instance<'a>) -> Self {
        Self { instance }
    }

    /// An attribute's bytes without padding; none where it is absent.
    pub(super) fn text(&self, tag: Tag) -> &[u8] {
        unpadded(self.instance.value(tag).unwrap_or_default()).trim_ascii_start()
    }

    /// A record's keys in Explicit VR Little Endian; those of `given` have the value given.
    pub(super) fn body(&self, kind: RecordType, number: usize, given: &[(Tag, &str)]) -> Result<Vec<u8>, HeaderError> {
        let mut elements = BTreeMap::new();
        for (tag, missing) in kind.keys() {
            if let Some(element) = self.element(*tag, *missing, number)? {
                elements.insert(*tag, element);
            }
        }
        for (tag, value) in given {
            elements.insert(*tag, text_element(*tag, value));
        }
        // Stated where a key goes beyond the default repertoire (PS3.3 F.3.2.2). What is looked at is the value, or a little more.
        let extended = |byte: &u8| *byte == 0x1B || !byte.is_ascii();
        if elements.values().any(|element: &Vec<u8>| element[8..].iter().any(extended))
            && let Some(stated) = self.copied(SPECIFIC_CHARACTER_SET)?
        {
            elements.insert(SPECIFIC_CHARACTER_SET, stated);
        }
        Ok(elements.into_values().flatten().collect())
    }

    fn element(&self, tag: Tag, missing: Missing, number: usize) -> Result<Option<Vec<u8>>, HeaderError> {
        if let Some(copied) = self.copied(tag)? {
            return Ok(Some(copied));
        }
        Ok(match missing {
            Missing::LeftOut => None,
            Missing::Empty => Some(text_element(tag, "")),
            Missing::Text(text) => Some(text_element(tag, text)),
            Missing::Verified => self.verified()?.map(|text| text_element(tag, &text)),
            Missing::Number => Some(text_element(tag, &number.to_string())),
            Missing::Date => Some(self.other(tag, DATES, "19000101")),
            Missing::Time => Some(self.other(tag, TIMES, "000000")),
        })
    }

    fn verified(&self) -> Result<Option<String>, HeaderError> {
        let (header, bytes) = (self.instance.header(), self.instance.bytes());
        let Some(observers) = header.element(VERIFYING_OBSERVERS) else { return Ok(None) };
        let items = header.items(bytes, observers)?;
        let times = items.iter().filter_map(|item| {
            let value = unpadded(item.element(VERIFIED_AT)?.value.of(bytes));
            str::from_utf8(value).ok().filter(|text| !text.is_empty()).map(str::to_owned)
        });
        Ok(times.max())
    }

    /// The first of the object's dates or times that has a value.
    fn other(&self, tag: Tag, elements: [u16; 5], otherwise: &str) -> Vec<u8> {
        let mut values = elements.into_iter().map(|element| self.text(Tag(0x0008, element)));
        let found = values.find_map(|value| point_in_time(dictionary_vr(tag), value));
        text_element(tag, found.as_deref().unwrap_or(otherwise))
    }

    /// The element as the object has it; `None` where it is absent or has no value.
    fn copied(&self, tag: Tag) -> Result<Option<Vec<u8>>, HeaderError> {
        let header = self.instance.header();
        let Some(element) = header.element(tag) else { return Ok(None) };
        let vr = dictionary_vr(tag);
        if vr == VR::SQ {
            let items = header.items(self.instance.bytes(), element)?;
            return self.sequence(tag, &items);
        }
        if matches!(vr, VR::DA | VR::TM) {
            return Ok(point_in_time(vr, self.text(tag)).map(|text| text_element(tag, &text)));
        }
        let value = element.value.of(self.instance.bytes());
        let mut value = match vr {
            VR::CS => match defined_terms(self.text(tag)) {
                Some(terms) => terms,
                None => return Ok(None),
            },
            VR::US | VR::UL => little_endian(value, vr, header.encoding.big_endian).into_owned(),
            _ => unpadded(value).to_vec(),
        };
        if value.is_empty() || value.len() > LONGEST {
            return Ok(None);
        }
        if value.len() % 2 == 1 {
            value.push(if vr == VR::UI { 0 } else { b' ' });
        }
        Ok(Some(whole(tag, vr, &value)))
    }

    /// Of a content sequence a record has what modifies the concept of the document's title (PS3.3 F.5), not the document.
    fn sequence(&self, tag: Tag, items: &[Item]) -> Result<Option<Vec<u8>>, HeaderError> {
        let bytes = self.instance.bytes();
        let is_modifier = |item: &&Item| {
            let relation = item.element(RELATIONSHIP_TYPE).map(|element| element.value.of(bytes));
            tag != CONTENT_SEQUENCE || relation.is_some_and(|value| value.trim_ascii() == b"HAS CONCEPT MOD")
        };
        let mut value = Vec::new();
        for item in items.iter().filter(is_modifier) {
            let mut inner = Recoder { bytes, explicit: true, out: Vec::new() };
            for element in &item.elements {
                let items = |element: &Element| item.items(bytes, element);
                inner.element(element, item.encoding, false, &items)?;
            }
            value.extend([0xFE, 0xFF, 0x00, 0xE0]);
            value.extend((inner.out.len() as u32).to_le_bytes());
            value.extend(inner.out);
        }
        Ok((!value.is_empty()).then(|| whole(tag, VR::SQ, &value)))
    }
}

/// Terms in the capitals that PS3.5 6.2 asks for; `None` where that does not make terms of them.
fn defined_terms(value: &[u8]) -> Option<Vec<u8>> {
    let terms = value.to_ascii_uppercase();
    let allowed = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" _\\".contains(byte);
    terms.iter().all(allowed).then_some(terms)
}

/// A date or time; those of ACR-NEMA 300, as `1997.04.24` and `14:04:38`, in the form of PS3.5 6.2.
fn point_in_time(vr: VR, value: &[u8]) -> Option<String> {
    let text = str::from_utf8(value).ok()?;
    let text = text.replace(if vr == VR::DA { '.' } else { ':' }, "");
    let (whole, fraction) = if vr == VR::DA { (&text[..], "") } else { text.split_once('.').unwrap_or((&text, "")) };
    let digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    // As far as two digits can say what is a month, a day or an hour.
    let pair = |at: usize, from: u32, to: u32| {
        whole.get(at..at + 2).is_none_or(|pair| pair.parse().is_ok_and(|number: u32| (from..=to).contains(&number)))
    };
    let right = if vr == VR::DA {
        whole.len() == 8 && pair(4, 1, 12) && pair(6, 1, 31)
    } else {
        matches!(whole.len(), 2 | 4 | 6) && fraction.len() <= 6 && pair(0, 0, 23) && pair(2, 0, 59) && pair(4, 0, 60)
    };
    (digits && right).then_some(text)
}

/// Without the spaces and NULs at its end.
fn unpadded(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|byte| !matches!(byte, b' ' | 0)).map_or(0, |last| last + 1);
    &value[..end]
}

fn text_element(tag: Tag, text: &str) -> Vec<u8> {
    let vr = dictionary_vr(tag);
    whole(tag, vr, &padded(text, if vr == VR::UI { 0 } else { b' ' }))
}

fn whole(tag: Tag, vr: VR, value: &[u8]) -> Vec<u8> {
    let mut out = Recoder { bytes: &[], explicit: true, out: Vec::new() };
    out.whole(tag, vr, value);
    out.out
}
