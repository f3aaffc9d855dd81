//! Bytes -> UTF-8.
use dicom_core::VR;

use super::{PersonName, SpecificCharacterSet};

/// What a tolerant reader had to guess or could not read in a text. Never carries the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum TextFinding {
    /// A term of (0008,0005) is misspelt and was understood all the same.
    #[error("Specific Character Set (0008,0005) has a misspelt term, which was understood")]
    MisspeltTerm,
}

/// Text in UTF-8, and what was guessed on the way.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct DecodedText {
    /// The text; what no character set explains is U+FFFD.
    pub text: String,
    /// Each kind of finding once.
    pub findings: Vec<TextFinding>,
}

/// One text (all values of the attribute, backslashes kept), trailing padding removed.
pub fn decode(bytes: &[u8], set: &SpecificCharacterSet, vr: VR) -> DecodedText {
    todo!("{} {set:?} {vr:?}", bytes.len())
}

/// The values of a multi-valued text.
pub fn decode_values(bytes: &[u8], set: &SpecificCharacterSet, vr: VR) -> (Vec<String>, Vec<TextFinding>) {
    todo!("{} {set:?} {vr:?}", bytes.len())
}

/// The person names of an attribute of VR PN.
pub fn decode_person_names(bytes: &[u8], set: &SpecificCharacterSet) -> (Vec<PersonName>, Vec<TextFinding>) {
    todo!("{} {set:?}", bytes.len())
}
