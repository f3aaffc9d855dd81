//! A data set of texts out of its Native DICOM Model.

use dicom_core::{Tag, VR};
use roxmltree::{Document, Node, ParsingOptions};

use super::NAME;
use crate::DataSet;
use crate::charset::PersonName;
use crate::data_set::Value;
use crate::header::{dictionary_vr, vr_from_letters};

/// Sequences in sequences, at most.
const DEEPEST: usize = 16;
/// Elements, texts and attributes of a document, at most.
const MOST_NODES: u32 = 200_000;

/// Why a text is no data set. Names the attribute, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNative {
    /// It is no XML, has a document type, or is longer than any data set of texts.
    #[error("expected an XML document without a document type")]
    NoXml,
    /// Another document.
    #[error("expected a NativeDicomModel, as PS3.19 A.1 writes a data set")]
    AnotherDocument,
    /// An element without a tag.
    #[error("DicomAttribute {0} has no tag of eight hexadecimal digits")]
    NoTag(usize),
    /// An attribute is not written as PS3.19 A.1 asks.
    #[error("{tag}: expected {expected}")]
    Attribute {
        /// The attribute.
        tag: Tag,
        /// What was due.
        expected: &'static str,
    },
}

/// From the form of PS3.19 A.1, in any name space or none. Bulk values (`InlineBinary`, `BulkData`) are no text and are left out, and so are
/// private attributes, whose blocks it does not state.
pub fn read(text: &str) -> Result<DataSet, NotNative> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|_| NotNative::NoXml)?;
    let root = document.root_element();
    if root.tag_name().name() != "NativeDicomModel" {
        return Err(NotNative::AnotherDocument);
    }
    attributes(root, 0)
}

fn attributes(holder: Node<'_, '_>, depth: usize) -> Result<DataSet, NotNative> {
    let mut data_set = DataSet::new();
    for (index, node) in elements(holder, "DicomAttribute").enumerate() {
        let tag = node.attribute("tag").and_then(tag_of).ok_or(NotNative::NoTag(index + 1))?;
        let wrong = |expected| NotNative::Attribute { tag, expected };
        let vr = match node.attribute("vr") {
            None => dictionary_vr(tag),
            Some(vr) => <[u8; 2]>::try_from(vr.as_bytes())
                .ok()
                .and_then(vr_from_letters)
                .ok_or_else(|| wrong("a value representation of two letters as vr"))?,
        };
        let is_bulk = ["InlineBinary", "BulkData"].iter().any(|name| elements(node, name).next().is_some());
        if is_bulk || !tag.0.is_multiple_of(2) {
            continue;
        }
        let value = match vr {
            VR::SQ if depth == DEEPEST => return Err(wrong("at most 16 sequences in one another")),
            VR::SQ => {
                let items = elements(node, "Item").map(|item| attributes(item, depth + 1));
                Value::Items(items.collect::<Result<_, _>>()?)
            }
            VR::PN => Value::Text(elements(node, "PersonName").map(person_name).collect()),
            _ => Value::Text(elements(node, "Value").map(text_of).collect()),
        };
        if let Value::Text(texts) = &value
            && !matches!(vr, VR::LT | VR::ST | VR::UT | VR::UR)
            && texts.iter().any(|text| text.contains('\\'))
        {
            // It would make two values of one (PS3.5 6.4).
            return Err(wrong("values without a backslash"));
        }
        data_set.insert(tag, vr, value);
    }
    Ok(data_set)
}

fn elements<'a, 'd: 'a>(holder: Node<'a, 'd>, name: &'static str) -> impl Iterator<Item = Node<'a, 'd>> + use<'a, 'd> {
    holder.children().filter(move |node| node.is_element() && node.tag_name().name() == name)
}

fn text_of(node: Node<'_, '_>) -> String {
    node.children().filter_map(|child| child.text()).collect()
}

fn person_name(node: Node<'_, '_>) -> String {
    let group = |name: &'static str| {
        let group = elements(node, name).next()?;
        let parts: Vec<String> =
            NAME.iter().map(|part| elements(group, part).next().map(text_of).unwrap_or_default()).collect();
        Some(parts.join("^").trim_end_matches('^').to_owned())
    };
    let name = PersonName {
        alphabetic: group("Alphabetic").unwrap_or_default(),
        ideographic: group("Ideographic"),
        phonetic: group("Phonetic"),
    };
    name.to_string()
}

fn tag_of(text: &str) -> Option<Tag> {
    let is_tag = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let both = u32::from_str_radix(text, 16).ok().filter(|_| is_tag)?;
    Some(Tag((both >> 16) as u16, both as u16))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn what_is_written_is_read_again() {
        let mut code = DataSet::new();
        code.set(Tag(0x0008, 0x0100), "urinary-stone").set(Tag(0x0008, 0x0104), "a < b & \"c\"");
        let mut data_set = DataSet::new();
        data_set
            .set(Tag(0x0010, 0x0010), "Hong^Gildong=洪^吉洞=홍^길동")
            .set(Tag(0x0010, 0x0040), "")
            .set_all(Tag(0x0008, 0x0061), vec!["CT".to_owned(), "MR".to_owned()])
            .set_items(Tag(0x0040, 0x4018), vec![code, DataSet::new()]);
        let mut text = String::new();
        json::write_data_set(&data_set, &mut text);
        let document = super::super::documents(text.as_bytes()).next().unwrap().unwrap();
        assert_eq!(read(&document), Ok(data_set));
    }

    #[test]
    fn what_is_no_data_set_is_refused_without_its_values() {
        let said = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(said("no"), NotNative::NoXml.to_string());
        assert_eq!(said("<a/>"), NotNative::AnotherDocument.to_string());
        let of = |inner: &str| format!("<NativeDicomModel>{inner}</NativeDicomModel>");
        assert!(said(&of("<DicomAttribute/>")).contains("DicomAttribute 1"));
        assert!(said(&of(r#"<DicomAttribute tag="00100010" vr="name"/>"#)).starts_with("(0010,0010)"));
        let two = r#"<DicomAttribute tag="00100020" vr="LO"><Value number="1">secret\two</Value></DicomAttribute>"#;
        assert!(said(&of(two)).starts_with("(0010,0020)") && !said(&of(two)).contains("secret"));
    }

    #[test]
    fn a_document_that_is_made_to_exhaust_its_reader_is_refused() {
        let entities = "<!DOCTYPE a [<!ENTITY b \"bbbbbbbbbb\">]><NativeDicomModel>&b;</NativeDicomModel>";
        assert_eq!(read(entities), Err(NotNative::NoXml));
        let deep = "<a>".repeat(150_000) + &"</a>".repeat(150_000);
        assert!(read(&deep).is_err());
        let item = r#"<DicomAttribute tag="00404018" vr="SQ"><Item number="1">"#;
        let nested = format!(
            "<NativeDicomModel>{}{}</NativeDicomModel>",
            item.repeat(40),
            "</Item></DicomAttribute>".repeat(40)
        );
        assert!(matches!(read(&nested), Err(NotNative::Attribute { .. })));
    }
}
