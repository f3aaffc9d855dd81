//! Data sets as text: the identifiers of queries and worklists (PS3.4 C.4, K.6) and the lists of storage commitment (PS3.4 J.3).
//!
//! Small data sets whose every value is text in UTF-8, numbers included. Instances are never read this way.

use std::collections::BTreeMap;
use std::fmt;

use dicom_core::{Tag, VR};

use crate::charset::{EncodeError, SpecificCharacterSet, TextFinding, decode_values, encode};
use crate::header::{
    Element, Encoding, Header, HeaderError, Instance, Item, dictionary_vr, has_long_length, holds_items,
};
use crate::uid::TransferSyntaxUid;

const SPECIFIC_CHARACTER_SET: Tag = Tag(0x0008, 0x0005);

/// The value of an attribute.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Values in UTF-8 without padding; none when the attribute is there without a value. Numbers are decimal, attribute tags
    /// are eight hexadecimal digits.
    Text(Vec<String>),
    /// The items of a sequence.
    Items(Vec<DataSet>),
}

impl Value {
    /// Whether the attribute is there without a value.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(values) => values.iter().all(String::is_empty),
            Self::Items(items) => items.is_empty(),
        }
    }
}

/// A data set of texts, in tag order.
///
/// `Debug` shows tags and hides values, so that no identity reaches a log by accident.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DataSet {
    elements: BTreeMap<Tag, (VR, Value)>,
    character_set: SpecificCharacterSet,
}

/// When a written data set states Specific Character Set (0008,0005).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stated {
    /// Only when a text goes beyond the default repertoire: what PS3.4 C.4.1.1.3 asks of responses.
    WhenNeeded,
    /// Always: many providers answer in the character set that the request states.
    Always,
}

/// Why a data set cannot be written. Names the attribute, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataSetError {
    /// A text has no code in the character set.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The value does not fit the length field of explicit VR.
    #[error("{tag}: the value is longer than explicit VR can state (65534 bytes)")]
    TooLong {
        /// The attribute.
        tag: Tag,
    },
    /// The text is no number, or no tag, of the attribute's value representation.
    #[error("{tag}: the value is no number of its value representation {vr}")]
    NotANumber {
        /// The attribute.
        tag: Tag,
        /// Its value representation.
        vr: VR,
    },
    /// A character outside the default repertoire where the value representation allows no other.
    #[error("{tag}: the value holds characters that its value representation {vr} forbids")]
    OutsideRepertoire {
        /// The attribute.
        tag: Tag,
        /// Its value representation.
        vr: VR,
    },
}

impl fmt::Debug for DataSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.elements.keys().map(|tag| format!("{tag}"))).finish()
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(values) => write!(f, "Text({} hidden)", values.len()),
            Self::Items(items) => f.debug_list().entries(items).finish(),
        }
    }
}

impl DataSet {
    /// An empty data set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a bare data set, such as an identifier. No bytes are an empty data set. Bulk values (OB, OW, UN and the like)
    /// are no text and are left out.
    pub fn read(bytes: &[u8], transfer_syntax: &TransferSyntaxUid) -> Result<Self, HeaderError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let instance = Instance::parse_data_set(bytes, transfer_syntax)?;
        Self::from_instance(&instance)
    }

    /// The texts of an instance's header, pixel data left out.
    pub fn from_instance(instance: &Instance<'_>) -> Result<Self, HeaderError> {
        let level = Level::Top(instance.header());
        level.read(instance.bytes(), &SpecificCharacterSet::default())
    }

    /// The character set that the data set was read in.
    pub fn character_set(&self) -> &SpecificCharacterSet {
        &self.character_set
    }

    /// The attribute's value, if the attribute is there.
    pub fn get(&self, tag: Tag) -> Option<&Value> {
        self.elements.get(&tag).map(|(_, value)| value)
    }

    /// The first value of an attribute that says something.
    pub fn text(&self, tag: Tag) -> Option<&str> {
        self.texts(tag).first().map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The values of an attribute; none where it is absent or empty.
    pub fn texts(&self, tag: Tag) -> &[String] {
        match self.get(tag) {
            Some(Value::Text(values)) => values,
            _ => &[],
        }
    }

    /// The items of a sequence; none where it is absent or empty.
    pub fn items(&self, tag: Tag) -> &[DataSet] {
        match self.get(tag) {
            Some(Value::Items(items)) => items,
            _ => &[],
        }
    }

    /// The attributes in tag order.
    pub fn iter(&self) -> impl Iterator<Item = (Tag, VR, &Value)> {
        self.elements.iter().map(|(tag, (vr, value))| (*tag, *vr, value))
    }

    /// Whether there is no attribute.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Sets one text value, of the dictionary's value representation; an empty text is an attribute without a value.
    pub fn set(&mut self, tag: Tag, text: impl Into<String>) -> &mut Self {
        let text = text.into();
        let values = if text.is_empty() { Vec::new() } else { vec![text] };
        self.insert(tag, dictionary_vr(tag), Value::Text(values))
    }

    /// Sets several text values.
    pub fn set_all(&mut self, tag: Tag, values: Vec<String>) -> &mut Self {
        self.insert(tag, dictionary_vr(tag), Value::Text(values))
    }

    /// Sets a sequence.
    pub fn set_items(&mut self, tag: Tag, items: Vec<DataSet>) -> &mut Self {
        self.insert(tag, VR::SQ, Value::Items(items))
    }

    /// Sets a value of a stated value representation. Specific Character Set is not set this way: [`DataSet::write`] states it.
    pub fn insert(&mut self, tag: Tag, vr: VR, value: Value) -> &mut Self {
        if tag != SPECIFIC_CHARACTER_SET {
            self.elements.insert(tag, (vr, value));
        }
        self
    }

    /// Takes an attribute out.
    pub fn remove(&mut self, tag: Tag) -> Option<Value> {
        self.elements.remove(&tag).map(|(_, value)| value)
    }

    /// Whether every text is of the default repertoire (ISO 646).
    pub fn is_ascii(&self) -> bool {
        self.elements.values().all(|(_, value)| match value {
            Value::Text(values) => values.iter().all(|text| text.is_ascii()),
            Value::Items(items) => items.iter().all(DataSet::is_ascii),
        })
    }

    /// The data set in little endian, in a character set that is stated as `stated` says.
    pub fn write(
        &self,
        explicit_vr: bool,
        character_set: &SpecificCharacterSet,
        stated: Stated,
    ) -> Result<Vec<u8>, DataSetError> {
        let states = character_set.is_stated() && (stated == Stated::Always || !self.is_ascii());
        let mut writer = Writer { explicit_vr, character_set, out: Vec::new() };
        writer.level(self, states)?;
        Ok(writer.out)
    }
}

/// A level of a data set that is being read.
enum Level<'a> {
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
    fn read(&self, bytes: &[u8], inherited: &SpecificCharacterSet) -> Result<DataSet, HeaderError> {
        let stated = self.elements().iter().find(|element| element.tag == SPECIFIC_CHARACTER_SET);
        let character_set = stated.map_or_else(|| inherited.clone(), |element| well_formed(element.value.of(bytes)));
        let mut elements = BTreeMap::new();
        for element in self.elements() {
            // Group lengths are nothing that anybody asks for (PS3.5 7.2).
            if element.tag == SPECIFIC_CHARACTER_SET || element.tag.1 == 0 {
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

struct Writer<'a> {
    explicit_vr: bool,
    character_set: &'a SpecificCharacterSet,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn level(&mut self, data_set: &DataSet, states: bool) -> Result<(), DataSetError> {
        let mut states = states;
        for (tag, vr, value) in data_set.iter() {
            if states && tag > SPECIFIC_CHARACTER_SET {
                states = false;
                self.character_set()?;
            }
            match value {
                Value::Items(items) => self.sequence(tag, items)?,
                Value::Text(values) => {
                    let bytes = self.bytes(tag, vr, values)?;
                    self.element(tag, vr, &bytes)?;
                }
            }
        }
        if states { self.character_set() } else { Ok(()) }
    }

    fn character_set(&mut self) -> Result<(), DataSetError> {
        let mut value = self.character_set.to_value().into_bytes();
        if value.len() % 2 == 1 {
            value.push(b' ');
        }
        self.element(SPECIFIC_CHARACTER_SET, VR::CS, &value)
    }

    /// Items of defined length in a sequence of defined length (PS3.5 7.5.1).
    fn sequence(&mut self, tag: Tag, items: &[DataSet]) -> Result<(), DataSetError> {
        let mut inner = Writer { explicit_vr: self.explicit_vr, character_set: self.character_set, out: Vec::new() };
        for item in items {
            inner.out.extend([0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0]);
            let start = inner.out.len();
            inner.level(item, false)?;
            let length = (inner.out.len() - start) as u32;
            inner.out[start - 4..start].copy_from_slice(&length.to_le_bytes());
        }
        self.element(tag, VR::SQ, &inner.out)
    }

    fn element(&mut self, tag: Tag, vr: VR, value: &[u8]) -> Result<(), DataSetError> {
        let out = &mut self.out;
        out.extend(tag.0.to_le_bytes());
        out.extend(tag.1.to_le_bytes());
        let length = u32::try_from(value.len()).map_err(|_| DataSetError::TooLong { tag })?;
        if self.explicit_vr {
            out.extend(vr.to_bytes());
            if has_long_length(vr) {
                out.extend([0, 0]);
                out.extend(length.to_le_bytes());
            } else {
                let short = u16::try_from(length).map_err(|_| DataSetError::TooLong { tag })?;
                out.extend(short.to_le_bytes());
            }
        } else {
            out.extend(length.to_le_bytes());
        }
        out.extend(value);
        Ok(())
    }

    fn bytes(&self, tag: Tag, vr: VR, values: &[String]) -> Result<Vec<u8>, DataSetError> {
        let number = || DataSetError::NotANumber { tag, vr };
        let mut out = Vec::new();
        for value in values.iter().filter(|value| !value.is_empty()) {
            match vr {
                VR::US => out.extend(value.parse::<u16>().map_err(|_| number())?.to_le_bytes()),
                VR::SS => out.extend(value.parse::<i16>().map_err(|_| number())?.to_le_bytes()),
                VR::UL => out.extend(value.parse::<u32>().map_err(|_| number())?.to_le_bytes()),
                VR::SL => out.extend(value.parse::<i32>().map_err(|_| number())?.to_le_bytes()),
                VR::UV => out.extend(value.parse::<u64>().map_err(|_| number())?.to_le_bytes()),
                VR::SV => out.extend(value.parse::<i64>().map_err(|_| number())?.to_le_bytes()),
                VR::FL => out.extend(value.parse::<f32>().map_err(|_| number())?.to_le_bytes()),
                VR::FD => out.extend(value.parse::<f64>().map_err(|_| number())?.to_le_bytes()),
                VR::AT => {
                    let both = u32::from_str_radix(value, 16).map_err(|_| number())?;
                    out.extend(((both >> 16) as u16).to_le_bytes());
                    out.extend((both as u16).to_le_bytes());
                }
                _ => return self.text(tag, vr, &values.join("\\")),
            }
        }
        Ok(out)
    }

    fn text(&self, tag: Tag, vr: VR, text: &str) -> Result<Vec<u8>, DataSetError> {
        let mut bytes = if crate::charset::uses_character_set(vr) {
            encode(text, self.character_set, vr, tag)?
        } else if text.is_ascii() {
            text.as_bytes().to_vec()
        } else {
            return Err(DataSetError::OutsideRepertoire { tag, vr });
        };
        if bytes.len() % 2 == 1 {
            bytes.push(if vr == VR::UI { 0 } else { b' ' });
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
    const STEPS: Tag = Tag(0x0040, 0x0100);

    fn sample() -> DataSet {
        let mut step = DataSet::new();
        step.set(Tag(0x0008, 0x0060), "CT").set(Tag(0x0040, 0x0007), "복부 CT");
        let mut data_set = DataSet::new();
        data_set
            .set(PATIENT_NAME, "Hong^Gildong=洪^吉洞=홍^길동")
            .set(Tag(0x0020, 0x000D), "1.2.3")
            .set(Tag(0x0020, 0x1208), "12")
            .set(Tag(0x0028, 0x0010), "512")
            .set(Tag(0x0028, 0x0009), "00181063")
            .set(Tag(0x0010, 0x0040), "")
            .set_all(Tag(0x0008, 0x0061), vec!["CT".to_owned(), "MR".to_owned()])
            .set_items(STEPS, vec![step, DataSet::new()]);
        data_set
    }

    #[test]
    fn what_is_written_is_read_again_in_either_encoding_and_character_set() {
        for set in [SpecificCharacterSet::korean(), SpecificCharacterSet::utf8()] {
            for (explicit, syntax) in [
                (true, TransferSyntaxUid::explicit_little_endian()),
                (false, TransferSyntaxUid::implicit_little_endian()),
            ] {
                let bytes = sample().write(explicit, &set, Stated::WhenNeeded).unwrap();
                let read = DataSet::read(&bytes, &syntax).unwrap();
                assert_eq!(read.character_set(), &set);
                let tags = |data_set: &DataSet| data_set.iter().map(|(tag, vr, _)| (tag, vr)).collect::<Vec<_>>();
                assert_eq!(tags(&read), tags(&sample()));
                assert_eq!(read.text(PATIENT_NAME), sample().text(PATIENT_NAME));
                assert_eq!(read.items(STEPS)[0].text(Tag(0x0040, 0x0007)), Some("복부 CT"));
                assert_eq!(read.text(Tag(0x0028, 0x0009)), Some("00181063"));
                assert_eq!(read.texts(Tag(0x0008, 0x0061)).len(), 2);
                assert!(read.get(Tag(0x0010, 0x0040)).is_some_and(Value::is_empty));
            }
        }
    }

    #[test]
    fn the_character_set_is_stated_when_it_is_needed_or_asked_for() {
        let mut ascii = DataSet::new();
        ascii.set(PATIENT_NAME, "Hong^Gildong");
        let stated = |data_set: &DataSet, stated| {
            let bytes = data_set.write(false, &SpecificCharacterSet::utf8(), stated).unwrap();
            DataSet::read(&bytes, &TransferSyntaxUid::implicit_little_endian()).unwrap().character_set().is_stated()
        };
        assert!(!stated(&ascii, Stated::WhenNeeded));
        assert!(stated(&ascii, Stated::Always));
        assert!(stated(&sample(), Stated::WhenNeeded));
        // The tag comes first even where nothing else does.
        assert!(stated(&DataSet::new(), Stated::Always));
    }

    #[test]
    fn a_misplaced_korean_term_is_answered_as_the_standard_writes_it() {
        let bytes = [&[8, 0, 5, 0, 16, 0, 0, 0][..], b"ISO 2022 IR 149 "].concat();
        let read = DataSet::read(&bytes, &TransferSyntaxUid::implicit_little_endian()).unwrap();
        assert_eq!(read.character_set().to_value(), "\\ISO 2022 IR 149");
    }

    #[test]
    fn what_cannot_be_written_names_the_attribute_and_not_the_value() {
        let write = |data_set: &DataSet, set| data_set.write(true, &set, Stated::WhenNeeded).unwrap_err().to_string();
        let latin = SpecificCharacterSet::parse(b"ISO_IR 100").0;
        assert!(write(&sample(), latin).starts_with("(0010,0010): character 13 has no code"));
        let mut wrong = DataSet::new();
        wrong.set(Tag(0x0028, 0x0010), "many");
        assert_eq!(
            write(&wrong, SpecificCharacterSet::utf8()),
            "(0028,0010): the value is no number of its value representation US"
        );
        assert_eq!(format!("{:?}", sample().get(PATIENT_NAME)), "Some(Text(1 hidden))");
    }
}
