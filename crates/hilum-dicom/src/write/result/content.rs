//! The content tree of a structured report (PS3.3 C.17.3).

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::code::Code;
use super::object::{reference, set_decimals};
use crate::DataSet;
use crate::uid::SopUid;
use crate::write::WriteError;

/// How an item relates to the one that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relationship {
    Contains,
    Modifies,
    Observes,
    Acquired,
}

impl Relationship {
    fn term(self) -> &'static str {
        match self {
            Self::Contains => "CONTAINS",
            Self::Modifies => "HAS CONCEPT MOD",
            Self::Observes => "HAS OBS CONTEXT",
            Self::Acquired => "HAS ACQ CONTEXT",
        }
    }
}

/// What an item says.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A heading; with the template of PS3.16 that it follows.
    Container(Option<&'static str>),
    Code(Code),
    Text(String),
    Uid(String),
    /// A number with its unit.
    Number(f64, Code),
    Image {
        sop_class: String,
        sop: SopUid,
        frame: Option<u32>,
        /// Number of the segment, from 1.
        segment: Option<u16>,
    },
}

/// One content item with what it holds.
#[derive(Clone, Debug)]
pub(super) struct Item {
    relationship: Option<Relationship>,
    name: Option<Code>,
    value: Value,
    holds: Vec<Item>,
}

impl Item {
    /// The root of a tree.
    pub(super) fn root(name: Code, template: &'static str, holds: Vec<Item>) -> Self {
        Self { relationship: None, name: Some(name), value: Value::Container(Some(template)), holds }
    }

    pub(super) fn new(relationship: Relationship, name: Code, value: Value) -> Self {
        Self { relationship: Some(relationship), name: Some(name), value, holds: Vec::new() }
    }

    /// An image; its kind says what it is.
    pub(super) fn image(value: Value) -> Self {
        Self { relationship: Some(Relationship::Contains), name: None, value, holds: Vec::new() }
    }

    pub(super) fn with(mut self, items: impl IntoIterator<Item = Item>) -> Self {
        self.holds.extend(items);
        self
    }

    /// The item as a data set; the root's attributes stand in the document itself.
    pub(super) fn write(&self) -> Result<DataSet, WriteError> {
        let mut out = DataSet::new();
        if let Some(relationship) = self.relationship {
            out.set(tags::RELATIONSHIP_TYPE, relationship.term());
        }
        if let Some(name) = self.name {
            name.set_in(&mut out, tags::CONCEPT_NAME_CODE_SEQUENCE);
        }
        let mut value_type = |term: &str| {
            out.set(tags::VALUE_TYPE, term);
        };
        match &self.value {
            Value::Container(template) => {
                value_type("CONTAINER");
                out.set(tags::CONTINUITY_OF_CONTENT, "SEPARATE");
                if let Some(identifier) = template {
                    let mut item = DataSet::new();
                    item.set(tags::MAPPING_RESOURCE, "DCMR").set(tags::TEMPLATE_IDENTIFIER, *identifier);
                    out.set_items(tags::CONTENT_TEMPLATE_SEQUENCE, vec![item]);
                }
            }
            Value::Code(code) => {
                value_type("CODE");
                code.set_in(&mut out, tags::CONCEPT_CODE_SEQUENCE);
            }
            Value::Text(text) => {
                value_type("TEXT");
                out.set(tags::TEXT_VALUE, text);
            }
            Value::Uid(uid) => {
                value_type("UIDREF");
                out.set(tags::UID, uid);
            }
            Value::Number(number, unit) => {
                value_type("NUM");
                let mut measured = DataSet::new();
                set_decimals(&mut measured, tags::NUMERIC_VALUE, &[*number])?;
                unit.set_in(&mut measured, tags::MEASUREMENT_UNITS_CODE_SEQUENCE);
                out.set_items(tags::MEASURED_VALUE_SEQUENCE, vec![measured]);
            }
            Value::Image { sop_class, sop, frame, segment } => {
                value_type("IMAGE");
                let mut image = reference(sop_class, sop.as_str(), *frame);
                if let Some(segment) = segment {
                    image.set(tags::REFERENCED_SEGMENT_NUMBER, segment.to_string());
                }
                out.set_items(tags::REFERENCED_SOP_SEQUENCE, vec![image]);
            }
        }
        if !self.holds.is_empty() {
            let holds = self.holds.iter().map(Self::write).collect::<Result<_, _>>()?;
            out.set_items(tags::CONTENT_SEQUENCE, holds);
        }
        Ok(out)
    }

    /// Puts the root's attributes into the document.
    pub(super) fn write_into(&self, document: &mut DataSet) -> Result<(), WriteError> {
        let root = self.write()?;
        let taken: Vec<(Tag, _, _)> = root.iter().map(|(tag, vr, value)| (tag, vr, value.clone())).collect();
        for (tag, vr, value) in taken {
            document.insert(tag, vr, value);
        }
        Ok(())
    }
}
