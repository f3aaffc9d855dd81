//! Data sets as text: the identifiers of queries and worklists (PS3.4 C.4, K.6) and the lists of storage commitment (PS3.4 J.3).
//!
//! Small data sets whose every value is text in UTF-8, numbers included. Instances are never read this way.

mod json;
mod read;
mod write;

use std::collections::BTreeMap;
use std::fmt;

use dicom_core::{Tag, VR};

use crate::charset::{EncodeError, SpecificCharacterSet};
use crate::header::{HeaderError, Instance, dictionary_vr};
use crate::uid::TransferSyntaxUid;
pub use json::JsonError;
use read::Level;
use write::Writer;

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
    /// The attribute is there, of this value representation, without a value.
    pub fn empty(vr: VR) -> Self {
        if vr == VR::SQ { Self::Items(Vec::new()) } else { Self::Text(Vec::new()) }
    }

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
        Writer::new(explicit_vr, character_set).write(self, states)
    }

    /// The data set in explicit VR little endian and UTF-8, which it states, with one bulk value in its place.
    pub(crate) fn write_with_bulk(&self, tag: Tag, vr: VR, value: &[u8]) -> Result<Vec<u8>, DataSetError> {
        let mut before = self.clone();
        let after = Self { elements: before.elements.split_off(&tag), ..Self::default() };
        Writer::new(true, &SpecificCharacterSet::utf8()).write_around(&before, (tag, vr, value), &after)
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
