//! The wire format of protobuf, as far as ONNX uses it: fields one after the other, borrowed from the file.

use super::OnnxError;

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed32([u8; 4]),
    Fixed64([u8; 8]),
    /// Text, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
}

fn damaged(what: &'static str) -> OnnxError {
    OnnxError::Format(what)
}

impl<'a> Field<'a> {
    pub(super) fn int(self) -> Result<i64, OnnxError> {
        match self {
            Self::Varint(v) => Ok(v as i64),
            _ => Err(damaged("a field that should be a number")),
        }
    }

    pub(super) fn float(self) -> Result<f32, OnnxError> {
        match self {
            Self::Fixed32(v) => Ok(f32::from_le_bytes(v)),
            _ => Err(damaged("a field that should be a float")),
        }
    }

    pub(super) fn bytes(self) -> Result<&'a [u8], OnnxError> {
        match self {
            Self::Bytes(v) => Ok(v),
            _ => Err(damaged("a field that should be bytes")),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, OnnxError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| damaged("a text that is no UTF-8"))
    }

    /// Adds the numbers of a repeated field, packed or single.
    pub(super) fn ints(self, to: &mut Vec<i64>) -> Result<(), OnnxError> {
        match self {
            Self::Varint(v) => to.push(v as i64),
            Self::Bytes(mut bytes) => {
                while !bytes.is_empty() {
                    to.push(varint(&mut bytes)? as i64);
                }
            }
            Self::Fixed32(_) | Self::Fixed64(_) => return Err(damaged("a field that should be numbers")),
        }
        Ok(())
    }

    /// As [`Field::ints`], for floats.
    pub(super) fn floats(self, to: &mut Vec<f32>) -> Result<(), OnnxError> {
        match self {
            Self::Fixed32(v) => to.push(f32::from_le_bytes(v)),
            Self::Bytes(bytes) => match bytes.as_chunks::<4>() {
                (values, []) => to.extend(values.iter().map(|v| f32::from_le_bytes(*v))),
                _ => return Err(damaged("floats that are cut off")),
            },
            Self::Varint(_) | Self::Fixed64(_) => return Err(damaged("a field that should be floats")),
        }
        Ok(())
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, OnnxError> {
    let mut value = 0;
    for i in 0..10 {
        let (first, rest) = bytes.split_first().ok_or(damaged("it ends within a number"))?;
        *bytes = rest;
        value |= u64::from(first & 0x7f).checked_shl(7 * i).unwrap_or(0);
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(damaged("a number of more than ten bytes"))
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], OnnxError> {
    let (head, rest) = bytes.split_at_checked(count).ok_or(damaged("it ends within a field"))?;
    *bytes = rest;
    Ok(head)
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], OnnxError> {
    take(bytes, N)?.try_into().map_err(|_| damaged("it ends within a field"))
}

/// The fields of a message: number and value. Ends after the first error.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Field<'a>), OnnxError> {
        let key = varint(&mut self.0)?;
        let value = match key & 7 {
            0 => Field::Varint(varint(&mut self.0)?),
            1 => Field::Fixed64(array(&mut self.0)?),
            2 => {
                let length = varint(&mut self.0)?;
                Field::Bytes(take(&mut self.0, usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            5 => Field::Fixed32(array(&mut self.0)?),
            _ => return Err(damaged("a wire type that ONNX does not use")),
        };
        Ok((key >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>), OnnxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}
