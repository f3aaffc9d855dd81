//! The DICOM JSON model (PS3.18 Annex F) of an instance's header.
//!
//! Text is UTF-8 whatever the object's character set, so Specific Character Set reads `ISO_IR 192` where it is stated (F.2). Numbers
//! are numbers, with the digits of the object; a text that is no number stays a string. Pixel data and long binary values are
//! `BulkDataURI`s, short ones `InlineBinary` in little endian.

mod number;

use std::fmt::Write;

use dicom_core::{Tag, VR};

use crate::charset::{PersonName, SpecificCharacterSet, decode_values};
use crate::data_set::{DataSet, Value};
use crate::header::{Element, Encoding, HeaderError, Instance, Item, holds_items};
use crate::recode::{little_endian, stated_vr};

const SPECIFIC_CHARACTER_SET: Tag = Tag(0x0008, 0x0005);
const PIXEL_REPRESENTATION: Tag = Tag(0x0028, 0x0103);

/// A binary value longer than this many bytes is bulk.
pub const INLINE_LIMIT: usize = 1024;

/// Appends the instance's header as one JSON object. `bulk` is what a `BulkDataURI` begins with; the path of the attribute follows
/// it: `7FE00010`, or `54000100/0/54001010` for an attribute of the first item of a sequence. Group lengths (PS3.5 7.2) are left out,
/// and a damaged sequence is written as the bytes that it is, of VR UN.
pub fn write(instance: &Instance<'_>, bulk: &str, out: &mut String) {
    let header = instance.header();
    let mut writer = Writer { bytes: instance.bytes(), bulk, path: String::new(), out };
    writer.level(&Level {
        elements: &header.elements,
        encoding: header.encoding,
        character_set: &SpecificCharacterSet::default(),
        signed: false,
        items: &|element| header.items(instance.bytes(), element),
    });
}

/// Appends a data set of texts as one JSON object.
pub fn write_data_set(data_set: &DataSet, out: &mut String) {
    out.push('{');
    for (index, (tag, vr, value)) in data_set.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match value {
            Value::Text(texts) => write_attribute(tag, vr, texts.iter().map(String::as_str), out),
            Value::Items(items) => write_items(tag, items, out),
        }
    }
    out.push('}');
}

/// Appends a sequence, its name before it: a member of the object of a data set.
pub fn write_items(tag: Tag, items: &[DataSet], out: &mut String) {
    start_attribute(tag, VR::SQ, out);
    if !items.is_empty() {
        values(items, out, write_data_set);
    }
    out.push('}');
}

/// Appends one attribute, its name before it, of texts or of numbers in decimal: a member of the object of a data set. It has no
/// `Value` where every value is empty.
pub fn write_attribute<'t>(tag: Tag, vr: VR, texts: impl Iterator<Item = &'t str> + Clone, out: &mut String) {
    start_attribute(tag, vr, out);
    if texts.clone().any(|text| !text.is_empty()) {
        values(texts, out, |text, out| write_value(text, vr, out));
    }
    out.push('}');
}

fn start_attribute(tag: Tag, vr: VR, out: &mut String) {
    push_hex(out, "\"", tag_number(tag), 8);
    out.push_str("\":{\"vr\":\"");
    out.push_str(vr.to_string());
    out.push('"');
}

/// One value of a text or a number in decimal. An empty one among others is null (F.2.5).
fn write_value(text: &str, vr: VR, out: &mut String) {
    use VR::{DS, FD, FL, IS, PN, SL, SS, SV, UL, US, UV};
    match vr {
        _ if text.is_empty() => out.push_str("null"),
        PN => write_person_name(text, out),
        DS | IS | US | SS | UL | SL | UV | SV | FL | FD => number::write(text, out),
        _ => write_text(text, out),
    }
}

fn values<T>(values: impl IntoIterator<Item = T>, out: &mut String, write: impl Fn(T, &mut String)) {
    out.push_str(",\"Value\":[");
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(value, out);
    }
    out.push(']');
}

/// Appends a JSON string.
fn write_text(text: &str, out: &mut String) {
    let is_escaped = |byte| byte < b' ' || byte == b'"' || byte == b'\\';
    out.push('"');
    let mut rest = text;
    // What needs no escaping, nearly always all of it, goes in one piece; looking at all of it, whatever comes, is done many bytes at a time.
    if !text.bytes().fold(false, |any, byte| any | is_escaped(byte)) {
        out.push_str(text);
        rest = "";
    }
    while let Some(at) = rest.bytes().position(is_escaped) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => push_hex(out, "\\u", control.into(), 4),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Appends one value `A=I=P` of a person name (F.2.2), empty groups left out.
fn write_person_name(text: &str, out: &mut String) {
    let names = ["\"Alphabetic\":", "\"Ideographic\":", "\"Phonetic\":"];
    let groups = names.into_iter().zip(PersonName::groups(text)).filter(|(_, group)| !group.is_empty());
    out.push('{');
    for (index, (name, group)) in groups.enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(name);
        write_text(group, out);
    }
    out.push('}');
}

fn push_hex(out: &mut String, before: &str, number: u32, digits: usize) {
    let all: [u8; 8] = std::array::from_fn(|at| b"0123456789ABCDEF"[(number >> (28 - 4 * at)) as usize & 15]);
    out.push_str(before);
    // They are ASCII.
    out.push_str(std::str::from_utf8(&all[8 - digits..]).unwrap_or_default());
}

struct Writer<'a> {
    bytes: &'a [u8],
    bulk: &'a str,
    /// Of the sequence and item that are being written, with a slash at its end.
    path: String,
    out: &'a mut String,
}

struct Level<'l> {
    elements: &'l [Element],
    encoding: Encoding,
    /// Of the data set that holds this one.
    character_set: &'l SpecificCharacterSet,
    /// Pixel Representation of the data set that holds this one is 1.
    signed: bool,
    items: &'l dyn Fn(&Element) -> Result<Vec<Item>, HeaderError>,
}

impl Writer<'_> {
    fn level(&mut self, level: &Level<'_>) {
        let find = |tag| level.elements.iter().find(|element| element.tag == tag).map(|e| e.value.of(self.bytes));
        let own_set = find(SPECIFIC_CHARACTER_SET).map(|value| SpecificCharacterSet::parse(value).0);
        let character_set = own_set.as_ref().unwrap_or(level.character_set);
        let one = if level.encoding.big_endian { [0, 1] } else { [1, 0] };
        let signed = find(PIXEL_REPRESENTATION).map_or(level.signed, |value| value.starts_with(&one));
        self.out.push('{');
        let mut first = true;
        let mut highest = None;
        for (index, element) in level.elements.iter().enumerate() {
            if element.tag.1 == 0 || element.tag.0 == 0xFFFE {
                continue;
            }
            // Out of order, it may be there twice; a name stands once in JSON, for the first of them.
            let in_order = highest.is_none_or(|highest| element.tag > highest);
            if in_order {
                highest = Some(element.tag);
            } else if level.elements[..index].iter().any(|earlier| earlier.tag == element.tag) {
                continue;
            }
            if !std::mem::take(&mut first) {
                self.out.push(',');
            }
            push_hex(self.out, "\"", tag_number(element.tag), 8);
            self.out.push_str("\":");
            self.element(element, level, character_set, signed);
        }
        self.out.push('}');
    }

    fn element(&mut self, element: &Element, level: &Level<'_>, character_set: &SpecificCharacterSet, signed: bool) {
        let pixel_data = matches!(element.tag, Tag(0x7FE0, 0x0008..=0x0010));
        let vr = if element.vr == VR::SQ || (element.vr == VR::UN && holds_items(element)) {
            VR::SQ
        } else if !level.encoding.explicit_vr || element.vr == VR::UN {
            stated_vr(element.tag, signed)
        } else {
            element.vr
        };
        let start = self.out.len();
        self.out.push_str("{\"vr\":\"");
        self.out.push_str(vr.to_string());
        self.out.push('"');
        if vr == VR::SQ {
            let path = self.path.len();
            if self.sequence(element, level, character_set, signed).is_err() {
                // A damaged sequence is still there, as the bytes that it is.
                self.path.truncate(path);
                self.out.truncate(start);
                self.out.push_str("{\"vr\":\"UN\"");
                self.value(element, VR::UN, false, character_set);
            }
        } else if pixel_data {
            self.bulk_uri(element.tag);
        } else {
            // A value of UN whose VR the dictionary knows is in little endian (PS3.5 6.2.2).
            let big_endian = level.encoding.big_endian && element.vr != VR::UN;
            self.value(element, vr, big_endian, character_set);
        }
        self.out.push('}');
    }

    fn sequence(
        &mut self,
        element: &Element,
        level: &Level<'_>,
        character_set: &SpecificCharacterSet,
        signed: bool,
    ) -> Result<(), HeaderError> {
        let items = (level.items)(element)?;
        if items.is_empty() {
            return Ok(());
        }
        self.out.push_str(",\"Value\":[");
        let length = self.path.len();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            push_hex(&mut self.path, "", tag_number(element.tag), 8);
            // Writing to a String cannot fail.
            let _infallible = write!(self.path, "/{index}/");
            let bytes = self.bytes;
            self.level(&Level {
                elements: &item.elements,
                encoding: item.encoding,
                character_set,
                signed,
                items: &|element| item.items(bytes, element),
            });
            self.path.truncate(length);
        }
        self.out.push(']');
        Ok(())
    }

    fn bulk_uri(&mut self, tag: Tag) {
        self.out.push_str(",\"BulkDataURI\":\"");
        self.out.push_str(self.bulk);
        self.out.push_str(&self.path);
        push_hex(self.out, "", tag_number(tag), 8);
        self.out.push('"');
    }

    fn value(&mut self, element: &Element, vr: VR, big_endian: bool, character_set: &SpecificCharacterSet) {
        let value = element.value.of(self.bytes);
        if value.is_empty() {
            return;
        }
        match vr {
            VR::OB | VR::OW | VR::OF | VR::OD | VR::OL | VR::OV | VR::UN if value.len() > INLINE_LIMIT => {
                self.bulk_uri(element.tag);
            }
            VR::OB | VR::OW | VR::OF | VR::OD | VR::OL | VR::OV | VR::UN => {
                // Binary values leave in little endian (F.2.7).
                self.out.push_str(",\"InlineBinary\":\"");
                base64(&little_endian(value, vr, big_endian), self.out);
                self.out.push('"');
            }
            VR::US => self.numbers(value, big_endian, |b| u16::from_le_bytes(b).to_string()),
            VR::SS => self.numbers(value, big_endian, |b| i16::from_le_bytes(b).to_string()),
            VR::UL => self.numbers(value, big_endian, |b| u32::from_le_bytes(b).to_string()),
            VR::SL => self.numbers(value, big_endian, |b| i32::from_le_bytes(b).to_string()),
            VR::UV => self.numbers(value, big_endian, |b| u64::from_le_bytes(b).to_string()),
            VR::SV => self.numbers(value, big_endian, |b| i64::from_le_bytes(b).to_string()),
            VR::FL => self.numbers(value, big_endian, |b| number::of(f64::from(f32::from_le_bytes(b)))),
            VR::FD => self.numbers(value, big_endian, |b| number::of(f64::from_le_bytes(b))),
            VR::AT => {
                let half = |a, b| if big_endian { u16::from_be_bytes([a, b]) } else { u16::from_le_bytes([a, b]) };
                let (tags, _) = value.as_chunks::<4>();
                values(tags, self.out, |&[a, b, c, d], out| {
                    push_hex(out, "\"", tag_number(Tag(half(a, b), half(c, d))), 8);
                    out.push('"');
                });
            }
            _ if element.tag == SPECIFIC_CHARACTER_SET => self.out.push_str(",\"Value\":[\"ISO_IR 192\"]"),
            _ => self.texts(value, vr, character_set),
        }
    }

    fn texts(&mut self, value: &[u8], vr: VR, character_set: &SpecificCharacterSet) {
        let (values, _) = decode_values(value, character_set, vr);
        // A value of nothing but padding is empty.
        if values.iter().all(String::is_empty) {
            return;
        }
        self::values(&values, self.out, |text, out| write_value(text, vr, out));
    }

    fn numbers<const N: usize>(&mut self, value: &[u8], big_endian: bool, text: fn([u8; N]) -> String) {
        let (chunks, _) = value.as_chunks::<N>();
        values(chunks, self.out, |chunk, out| {
            let mut chunk = *chunk;
            if big_endian {
                chunk.reverse();
            }
            out.push_str(&text(chunk));
        });
    }
}

fn tag_number(tag: Tag) -> u32 {
    u32::from(tag.0) << 16 | u32::from(tag.1)
}

/// Base64 of RFC 4648 4, behind what `out` holds.
pub fn base64(bytes: &[u8], out: &mut String) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at)) as usize & 63];
            out.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_the_padding_of_the_rfc() {
        let coded = |bytes: &[u8]| {
            let mut out = String::new();
            base64(bytes, &mut out);
            out
        };
        // RFC 4648, section 10.
        for (bytes, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")]
        {
            assert_eq!(coded(bytes.as_bytes()), expected);
        }
    }

    #[test]
    fn names_have_the_groups_that_say_something() {
        let written = |name: &str| {
            let mut out = String::new();
            write_person_name(name, &mut out);
            out
        };
        assert_eq!(written("Hong^Gildong==홍^길동"), r#"{"Alphabetic":"Hong^Gildong","Phonetic":"홍^길동"}"#);
        assert_eq!(written("=山田^太郎"), r#"{"Ideographic":"山田^太郎"}"#);
    }
}
