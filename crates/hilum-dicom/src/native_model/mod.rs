//! The Native DICOM Model (PS3.19 A.1): a data set as XML, made of its DICOM JSON (PS3.18 Annex F), which says the same.
//!
//! A private attribute stands under the tag with its block left zero and names its creator (PS3.19 Table A.1.5-2). Characters that XML 1.0
//! cannot hold are written as U+FFFD.

mod read;

pub use read::{NotNative, read};

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use serde_json::{Map, Value as Json};

/// PS3.18 Table 8.7.3-1.
pub const MEDIA_TYPE: &str = "application/dicom+xml";

const START: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
    <NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\" xml:space=\"preserve\">";

/// The components of a component group (PS3.19 Table A.1.5-2).
const NAME: [&str; 5] = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"];

/// The document of a data set in DICOM JSON, as [`crate::json`] writes it.
pub fn document(data_set: &Map<String, Json>) -> String {
    let mut out = String::from(START);
    attributes(data_set, &mut out);
    out.push_str("</NativeDicomModel>");
    out
}

fn attributes(data_set: &Map<String, Json>, out: &mut String) {
    for (name, attribute) in data_set {
        let Ok(number) = u32::from_str_radix(name, 16) else { continue };
        let tag = Tag((number >> 16) as u16, number as u16);
        let vr = attribute["vr"].as_str().unwrap_or("UN");
        out.push_str("<DicomAttribute");
        let block = tag.1 >> 8;
        // Below block 10 lie creators and attributes of nobody.
        let is_private = !tag.0.is_multiple_of(2) && block >= 0x10;
        let shown = if is_private { number & 0xFFFF_00FF } else { number };
        attribute_of(out, "tag", &format!("{shown:08X}"));
        attribute_of(out, "vr", vr);
        if is_private {
            let creator = &data_set.get(&format!("{:04X}{block:04X}", tag.0)).unwrap_or(&Json::Null)["Value"][0];
            if let Some(creator) = creator.as_str() {
                attribute_of(out, "privateCreator", creator);
            }
        } else if tag.0.is_multiple_of(2)
            && let Some(entry) = StandardDataDictionary.by_tag(tag)
        {
            attribute_of(out, "keyword", entry.alias());
        }
        out.push('>');
        content(attribute, vr, out);
        out.push_str("</DicomAttribute>");
    }
}

fn content(attribute: &Json, vr: &str, out: &mut String) {
    if let Some(uri) = attribute["BulkDataURI"].as_str() {
        out.push_str("<BulkData");
        attribute_of(out, "uri", uri);
        out.push_str("/>");
    } else if let Some(binary) = attribute["InlineBinary"].as_str() {
        element("InlineBinary", binary, out);
    }
    for (index, value) in attribute["Value"].as_array().into_iter().flatten().enumerate() {
        let kind = match vr {
            "SQ" => "Item",
            "PN" => "PersonName",
            _ => "Value",
        };
        out.push('<');
        out.push_str(kind);
        attribute_of(out, "number", &(index + 1).to_string());
        out.push('>');
        match value {
            Json::Object(item) if vr == "SQ" => attributes(item, out),
            Json::Object(groups) => person_name(groups, out),
            Json::String(text) => escaped(text, out),
            Json::Null => {}
            number => out.push_str(&number.to_string()),
        }
        out.push_str("</");
        out.push_str(kind);
        out.push('>');
    }
}

fn person_name(groups: &Map<String, Json>, out: &mut String) {
    for group in ["Alphabetic", "Ideographic", "Phonetic"] {
        let Some(text) = groups.get(group).and_then(Json::as_str) else { continue };
        out.push('<');
        out.push_str(group);
        out.push('>');
        for (name, component) in NAME.iter().zip(text.split('^')).filter(|(_, component)| !component.is_empty()) {
            element(name, component, out);
        }
        out.push_str("</");
        out.push_str(group);
        out.push('>');
    }
}

fn element(name: &str, text: &str, out: &mut String) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    escaped(text, out);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn attribute_of(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    escaped(value, out);
    out.push('"');
}

/// As character data or the value of an XML attribute (XML 1.0, 2.2, 2.4, 2.11).
fn escaped(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Unescaped, a reader makes a line feed of it, or a space in an attribute.
            '\r' => out.push_str("&#13;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{0}'..'\u{20}' | '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            other => out.push(other),
        }
    }
}

/// The objects of a list of DICOM JSON without its brackets, one after the other, each as its document.
pub fn documents(list: &[u8]) -> impl Iterator<Item = Result<String, serde_json::Error>> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let mut objects = serde_json::Deserializer::from_slice(rest).into_iter::<Map<String, Json>>();
        let object = objects.next()?;
        let read = objects.byte_offset();
        // A comma stands between them; after an error there is nothing to go on with.
        rest = if object.is_ok() { rest.get(read + 1..).unwrap_or_default() } else { &[] };
        Some(object.map(|object| document(&object)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_escaped_or_replaced() {
        let mut out = String::new();
        escaped("a<b>&\"c\"\r\n\u{1b}$)C", &mut out);
        assert_eq!(out, "a&lt;b&gt;&amp;&quot;c&quot;&#13;&#10;\u{FFFD}$)C");
    }

    #[test]
    fn a_list_is_taken_apart_and_damage_in_it_is_told() {
        let list = br#"{"00080060":{"vr":"CS","Value":["CT"]}},{"00100010":{"vr":"PN"}}"#;
        let read: Vec<String> = documents(list).map(Result::unwrap).collect();
        assert_eq!(read.len(), 2);
        assert!(
            read[0]
                .contains(r#"<DicomAttribute tag="00080060" vr="CS" keyword="Modality"><Value number="1">CT</Value>"#)
        );
        assert!(read[1].contains(r#"<DicomAttribute tag="00100010" vr="PN" keyword="PatientName"></DicomAttribute>"#));
        assert!(documents(b"{\"0008").next().unwrap().is_err());
        assert_eq!(documents(b"").count(), 0);
    }
}
