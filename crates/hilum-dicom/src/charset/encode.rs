//! UTF-8 -> bytes.
use dicom_core::{Tag, VR};

use super::{PersonName, SpecificCharacterSet};

/// A text cannot be written. Names the attribute, never the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A character has no code in the stated character sets.
    #[error("{tag}: character {position} has no code in Specific Character Set {set}; write the object in ISO_IR 192 (UTF-8)")]
    Unencodable {
        /// The attribute.
        tag: Tag,
        /// Index of the character in the text.
        position: usize,
        /// The value of (0008,0005).
        set: String,
    },
}

/// Encodes one text (several values joined by backslashes for VRs that allow them), without padding.
pub fn encode(text: &str, set: &SpecificCharacterSet, vr: VR, tag: Tag) -> Result<Vec<u8>, EncodeError> {
    todo!("{} {set:?} {vr:?} {tag}", text.len())
}

/// Encodes a person name (Annexes H, I, J, K), without padding.
pub fn encode_person_name(name: &PersonName, set: &SpecificCharacterSet, tag: Tag) -> Result<Vec<u8>, EncodeError> {
    encode(&name.to_string(), set, VR::PN, tag)
}
