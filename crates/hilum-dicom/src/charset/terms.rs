//! Specific Character Set (0008,0005) as stated.

/// One character set with a defined term (PS3.3 C.12.1.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CharacterSet {
    /// Default repertoire.
    Ascii,
}

/// The value of Specific Character Set (0008,0005), parsed once.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SpecificCharacterSet {
    terms: Vec<CharacterSet>,
}

impl SpecificCharacterSet {
    /// From the attribute's raw bytes; misspelt terms are understood and reported, unknown ones reported.
    pub fn parse(value: &[u8]) -> (Self, Vec<super::TextFinding>) {
        todo!("{value:?}")
    }

    /// `ISO_IR 192`: UTF-8.
    pub fn utf8() -> Self {
        todo!()
    }

    /// `\ISO 2022 IR 149`: default repertoire, extended by Korean.
    pub fn korean() -> Self {
        todo!()
    }

    /// The attribute's value as a writer states it.
    pub fn to_value(&self) -> String {
        todo!()
    }
}
