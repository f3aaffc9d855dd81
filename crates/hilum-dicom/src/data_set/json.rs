//! Data sets of texts out of the DICOM JSON model (PS3.18 Annex F); [`crate::json`] writes it.

use dicom_core::{Tag, VR};
use serde_json::Value as Json;

use super::{DataSet, Value};
use crate::charset::PersonName;
use crate::header::{dictionary_vr, vr_from_letters};

/// Sequences in sequences, at most: deeper than anything that is an order or a question.
const DEEPEST: usize = 16;

/// Why a JSON value is no data set. Names the attribute, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// An object of attributes was due.
    #[error("expected a JSON object of attributes by tag, as PS3.18 F.2 writes a data set")]
    NotAnObject,
    /// A member's name is no tag.
    #[error("member {0} of a data set has a name that is no tag of eight hexadecimal digits")]
    NotATag(usize),
    /// An attribute is not written as PS3.18 F.2 asks.
    #[error("{tag}: expected {expected}")]
    Attribute {
        /// The attribute.
        tag: Tag,
        /// What was due.
        expected: &'static str,
    },
}

impl DataSet {
    /// From the form of PS3.18 F.2. Bulk values (`InlineBinary`, `BulkDataURI`) are no text and are left out.
    pub fn from_json(json: &Json) -> Result<Self, JsonError> {
        read(json, 0)
    }
}

fn read(json: &Json, depth: usize) -> Result<DataSet, JsonError> {
    let members = json.as_object().ok_or(JsonError::NotAnObject)?;
    let mut data_set = DataSet::new();
    for (index, (name, attribute)) in members.iter().enumerate() {
        let tag = tag_of(name).ok_or(JsonError::NotATag(index + 1))?;
        let wrong = |expected| JsonError::Attribute { tag, expected };
        let attribute = attribute.as_object().ok_or_else(|| wrong("an object with vr and Value"))?;
        let vr = match attribute.get("vr").map(Json::as_str) {
            None => dictionary_vr(tag),
            Some(vr) => vr
                .and_then(|vr| <[u8; 2]>::try_from(vr.as_bytes()).ok())
                .and_then(vr_from_letters)
                .ok_or_else(|| wrong("a value representation of two letters as vr"))?,
        };
        if attribute.contains_key("InlineBinary") || attribute.contains_key("BulkDataURI") {
            continue;
        }
        let values = match attribute.get("Value") {
            None | Some(Json::Null) => &[][..],
            Some(values) => values.as_array().ok_or_else(|| wrong("a list as Value"))?,
        };
        let value = if vr == VR::SQ {
            if depth == DEEPEST {
                return Err(wrong("at most 16 sequences in one another"));
            }
            Value::Items(values.iter().map(|item| read(item, depth + 1)).collect::<Result<_, _>>()?)
        } else {
            let texts = values.iter().map(|value| {
                value_of_json(vr, value)
                    .ok_or_else(|| wrong("texts, numbers or person names by component group in Value"))
            });
            Value::Text(texts.collect::<Result<_, _>>()?)
        };
        data_set.insert(tag, vr, value);
    }
    Ok(data_set)
}

fn tag_of(name: &str) -> Option<Tag> {
    let is_tag = name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let both = u32::from_str_radix(name, 16).ok().filter(|_| is_tag)?;
    Some(Tag((both >> 16) as u16, both as u16))
}

fn value_of_json(vr: VR, value: &Json) -> Option<String> {
    match value {
        Json::Null => Some(String::new()),
        // A backslash would make two values of one where VM is told by it (PS3.5 6.4).
        Json::String(text) => (!text.contains('\\') || !splits(vr)).then(|| text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Object(groups) if vr == VR::PN => {
            let group = |name: &str| match groups.get(name) {
                None | Some(Json::Null) => Some(None),
                Some(group) => Some(Some(group.as_str().filter(|group| !group.contains('\\'))?.to_owned())),
            };
            let name = PersonName {
                alphabetic: group("Alphabetic")?.unwrap_or_default(),
                ideographic: group("Ideographic")?,
                phonetic: group("Phonetic")?,
            };
            Some(name.to_string())
        }
        _ => None,
    }
}

fn splits(vr: VR) -> bool {
    !matches!(vr, VR::LT | VR::ST | VR::UT | VR::UR)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_data_set_is_written_as_the_standard_writes_it_and_read_again() {
        let mut step = DataSet::new();
        step.set(Tag(0x0008, 0x0060), "CT");
        let mut data_set = DataSet::new();
        data_set
            .set(Tag(0x0010, 0x0010), "Hong^Gildong=洪^吉洞=홍^길동")
            .set(Tag(0x0010, 0x0040), "")
            .set(Tag(0x0010, 0x1030), "71.5")
            .set(Tag(0x0020, 0x1208), "12")
            .set_all(Tag(0x0008, 0x0061), vec!["CT".to_owned(), "MR".to_owned()])
            .set_items(Tag(0x0040, 0x0100), vec![step]);
        let mut written = String::new();
        crate::json::write_data_set(&data_set, &mut written);
        let json: Json = serde_json::from_str(&written).unwrap();
        // PS3.18 F.2.2.
        let name = json!({"Alphabetic": "Hong^Gildong", "Ideographic": "洪^吉洞", "Phonetic": "홍^길동"});
        assert_eq!(json["00100010"], json!({"vr": "PN", "Value": [name]}));
        assert_eq!(DataSet::from_json(&json), Ok(data_set));
    }

    #[test]
    fn what_is_no_data_set_is_named_by_attribute() {
        let said = |json: Json| DataSet::from_json(&json).unwrap_err().to_string();
        assert!(said(json!([])).starts_with("expected a JSON object"));
        assert!(said(json!({"PatientName": {}})).starts_with("member 1"));
        assert!(said(json!({"00100010": {"vr": "PN", "Value": ["A\\B"]}})).starts_with("(0010,0010)"));
        assert!(said(json!({"00100010": {"vr": "PN", "Value": "A"}})).contains("a list"));
        assert!(said(json!({"00100010": {"vr": "person"}})).contains("two letters"));
    }
}
