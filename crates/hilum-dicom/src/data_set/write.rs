//! A data set into bytes, little endian.

use std::borrow::Cow;

use dicom_core::{Tag, VR};

use super::{DataSet, DataSetError, SPECIFIC_CHARACTER_SET, Value};
use crate::charset::{SpecificCharacterSet, encode, uses_character_set};
use crate::header::has_long_length;

pub(super) struct Writer<'a> {
    explicit_vr: bool,
    character_set: &'a SpecificCharacterSet,
    out: Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(explicit_vr: bool, character_set: &'a SpecificCharacterSet) -> Self {
        Self { explicit_vr, character_set, out: Vec::new() }
    }

    /// The data set's bytes; with `states`, Specific Character Set stands in its place.
    pub(super) fn write(mut self, data_set: &DataSet, states: bool) -> Result<Vec<u8>, DataSetError> {
        self.level(data_set, states)?;
        Ok(self.out)
    }

    /// Two data sets with a bulk value between them; Specific Character Set stands in its place in the first.
    pub(super) fn write_around(
        mut self,
        before: &DataSet,
        (tag, vr, value): (Tag, VR, &[u8]),
        after: &DataSet,
    ) -> Result<Vec<u8>, DataSetError> {
        self.level(before, true)?;
        let mut value = Cow::Borrowed(value);
        if value.len() % 2 == 1 {
            value.to_mut().push(0);
        }
        self.element(tag, vr, &value)?;
        self.level(after, false)?;
        Ok(self.out)
    }

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
        let mut inner = Writer::new(self.explicit_vr, self.character_set);
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
        let mut bytes = if uses_character_set(vr) {
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
