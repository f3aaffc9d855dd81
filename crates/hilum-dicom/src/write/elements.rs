//! Data elements in explicit VR little endian, checked against their value representations (PS3.5 6.2).

use std::collections::BTreeMap;

use dicom_core::{Tag, VR};

use super::WriteError;
use crate::charset::{PersonName, SpecificCharacterSet, encode, encode_person_name};
use crate::part10::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};

/// Most characters of a value (of a component group for PN).
fn limit(vr: VR) -> usize {
    match vr {
        VR::AS => 4,
        VR::CS | VR::SH | VR::DS => 16,
        VR::IS => 12,
        VR::LT => 10240,
        _ => 64,
    }
}

/// A data set under construction, in tag order.
#[derive(Clone, Debug, Default)]
pub(super) struct Elements {
    values: BTreeMap<Tag, (VR, Vec<u8>)>,
    character_set: SpecificCharacterSet,
}

impl Elements {
    pub(super) fn new(character_set: &SpecificCharacterSet) -> Self {
        Self { values: BTreeMap::new(), character_set: character_set.clone() }
    }

    /// A value whose bytes are known to be right.
    fn bytes(&mut self, tag: Tag, vr: VR, mut value: Vec<u8>) {
        if value.len() % 2 == 1 {
            value.push(if vr == VR::UI { 0 } else { b' ' });
        }
        self.values.insert(tag, (vr, value));
    }

    /// A value of digits and capitals of our own making.
    pub(super) fn term(&mut self, tag: Tag, vr: VR, value: &str) {
        self.bytes(tag, vr, value.as_bytes().to_vec());
    }

    /// A text from outside in the data set's character set; one value.
    pub(super) fn text(&mut self, tag: Tag, vr: VR, text: &str) -> Result<(), WriteError> {
        let most = limit(vr);
        if text.chars().count() > most {
            return Err(WriteError::TooLong { tag, limit: most });
        }
        let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ' || c == '_';
        let allowed = |c: char| if vr == VR::CS { upper(c) } else { !c.is_control() && c != '\\' };
        if let Some(position) = text.chars().position(|c| !allowed(c)) {
            return Err(WriteError::Forbidden { tag, position });
        }
        let value = encode(text, &self.character_set, vr, tag)?;
        self.bytes(tag, vr, value);
        Ok(())
    }

    pub(super) fn name(&mut self, tag: Tag, name: &PersonName) -> Result<(), WriteError> {
        let groups = [Some(&name.alphabetic), name.ideographic.as_ref(), name.phonetic.as_ref()];
        for group in groups.into_iter().flatten() {
            if group.chars().count() > limit(VR::PN) {
                return Err(WriteError::TooLong { tag, limit: limit(VR::PN) });
            }
            if let Some(position) = group.chars().position(|c| c.is_control() || matches!(c, '\\' | '=')) {
                return Err(WriteError::Forbidden { tag, position });
            }
        }
        let value = encode_person_name(name, &self.character_set, tag)?;
        self.bytes(tag, VR::PN, value);
        Ok(())
    }

    pub(super) fn decimals(&mut self, tag: Tag, values: &[f64]) -> Result<(), WriteError> {
        let mut texts = Vec::with_capacity(values.len());
        for value in values {
            texts.push(decimal(*value).ok_or(WriteError::NotANumber { tag })?);
        }
        self.term(tag, VR::DS, &texts.join("\\"));
        Ok(())
    }

    pub(super) fn integer(&mut self, tag: Tag, value: usize) {
        self.term(tag, VR::IS, &value.to_string());
    }

    pub(super) fn short(&mut self, tag: Tag, value: u16) {
        self.bytes(tag, VR::US, value.to_le_bytes().to_vec());
    }

    pub(super) fn words(&mut self, tag: Tag, value: Vec<u8>) {
        self.bytes(tag, VR::OW, value);
    }

    /// The elements one after the other.
    pub(super) fn write(&self, into: &mut Vec<u8>) -> Result<(), WriteError> {
        for (&tag, (vr, value)) in &self.values {
            into.extend(tag.0.to_le_bytes());
            into.extend(tag.1.to_le_bytes());
            into.extend(vr.to_bytes());
            let length =
                u32::try_from(value.len()).map_err(|_| WriteError::TooLong { tag, limit: u32::MAX as usize })?;
            if matches!(vr, VR::OB | VR::OW) {
                into.extend([0, 0]);
                into.extend(length.to_le_bytes());
            } else {
                let short = u16::try_from(length).map_err(|_| WriteError::TooLong { tag, limit: u16::MAX.into() })?;
                into.extend(short.to_le_bytes());
            }
            into.extend(value);
        }
        Ok(())
    }

    /// A Part 10 file (PS3.10 7.1): preamble, file meta information, this data set.
    pub(super) fn into_file(self, sop_class: &str, sop: &str) -> Result<Vec<u8>, WriteError> {
        let mut meta = Self::default();
        meta.bytes(Tag(0x0002, 0x0001), VR::OB, vec![0, 1]);
        meta.term(Tag(0x0002, 0x0002), VR::UI, sop_class);
        meta.term(Tag(0x0002, 0x0003), VR::UI, sop);
        meta.term(Tag(0x0002, 0x0010), VR::UI, dicom_dictionary_std::uids::EXPLICIT_VR_LITTLE_ENDIAN);
        meta.term(Tag(0x0002, 0x0012), VR::UI, IMPLEMENTATION_CLASS_UID);
        meta.term(Tag(0x0002, 0x0013), VR::SH, IMPLEMENTATION_VERSION_NAME);
        let mut meta_bytes = Vec::new();
        meta.write(&mut meta_bytes)?;
        let mut length = Self::default();
        length.bytes(Tag(0x0002, 0x0000), VR::UL, (meta_bytes.len() as u32).to_le_bytes().to_vec());

        let size: usize = self.values.values().map(|(_, value)| value.len() + 12).sum();
        let mut file = Vec::with_capacity(132 + 12 + meta_bytes.len() + size);
        file.resize(128, 0);
        file.extend(b"DICM");
        length.write(&mut file)?;
        file.extend(meta_bytes);
        self.write(&mut file)?;
        Ok(file)
    }
}

/// A decimal string of at most 16 characters, as exact as they allow.
pub(super) fn decimal(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    // No "-0".
    let value = value + 0.0;
    let shortest = value.to_string();
    if shortest.len() <= limit(VR::DS) {
        return Some(shortest);
    }
    (0..=14).rev().map(|places| format!("{value:.places$}")).find(|text| text.len() <= limit(VR::DS)).map(|text| {
        let trimmed = text.trim_end_matches('0').trim_end_matches('.');
        if text.contains('.') { if trimmed == "-0" { "0".to_owned() } else { trimmed.to_owned() } } else { text }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_fit_sixteen_characters_and_stay_exact() {
        assert_eq!(decimal(-0.0).as_deref(), Some("0"));
        assert_eq!(decimal(0.7).as_deref(), Some("0.7"));
        assert_eq!(decimal(-123.456_789_012_345_6).as_deref(), Some("-123.45678901235"));
        assert_eq!(decimal(-1e-17).as_deref(), Some("0"));
        assert_eq!(decimal(1.0 / 3.0).as_deref(), Some("0.33333333333333"));
        assert_eq!(decimal(1e20), None);
        assert_eq!(decimal(f64::NAN), None);
    }

    #[test]
    fn what_a_value_representation_forbids_is_an_error_that_names_the_attribute() {
        let mut elements = Elements::new(&SpecificCharacterSet::default());
        let tag = Tag(0x0018, 0x0015);
        assert!(matches!(elements.text(tag, VR::CS, "abdomen"), Err(WriteError::Forbidden { position: 0, .. })));
        assert!(matches!(elements.text(tag, VR::SH, "a\\b"), Err(WriteError::Forbidden { position: 1, .. })));
        assert!(matches!(elements.text(tag, VR::SH, "12345678901234567"), Err(WriteError::TooLong { limit: 16, .. })));
    }
}
