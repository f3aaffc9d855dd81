//! Specific Character Set (0008,0005): its defined terms (PS3.3 C.12.1.1.2), as written and as misspelt.

use super::TextFinding;

/// One character set with a defined term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CharacterSet {
    /// ISO_IR 6: the default repertoire.
    Ascii,
    /// ISO_IR 100: Latin alphabet No. 1.
    Latin1,
    /// ISO_IR 101: Latin alphabet No. 2.
    Latin2,
    /// ISO_IR 109: Latin alphabet No. 3.
    Latin3,
    /// ISO_IR 110: Latin alphabet No. 4.
    Latin4,
    /// ISO_IR 144: Cyrillic.
    Cyrillic,
    /// ISO_IR 127: Arabic.
    Arabic,
    /// ISO_IR 126: Greek.
    Greek,
    /// ISO_IR 138: Hebrew.
    Hebrew,
    /// ISO_IR 148: Latin alphabet No. 5.
    Latin5,
    /// ISO_IR 203: Latin alphabet No. 9.
    Latin9,
    /// ISO_IR 166: Thai.
    Thai,
    /// ISO_IR 13: JIS X 0201, Romaji and half-width Katakana.
    JisX0201,
    /// ISO 2022 IR 87: JIS X 0208, Kanji.
    JisX0208,
    /// ISO 2022 IR 159: JIS X 0212, supplementary Kanji.
    JisX0212,
    /// ISO 2022 IR 149: KS X 1001, Hangul and Hanja.
    KsX1001,
    /// ISO 2022 IR 58: GB 2312, simplified Chinese.
    Gb2312,
    /// ISO_IR 192: UTF-8.
    Utf8,
    /// GB18030.
    Gb18030,
    /// GBK.
    Gbk,
}

use CharacterSet::{
    Arabic, Ascii, Cyrillic, Gb2312, Gb18030, Gbk, Greek, Hebrew, JisX0201, JisX0208, JisX0212, KsX1001, Latin1,
    Latin2, Latin3, Latin4, Latin5, Latin9, Thai, Utf8,
};

/// ISO-IR registration numbers.
const REGISTRATIONS: [(CharacterSet, &str); 18] = [
    (Ascii, "6"),
    (Latin1, "100"),
    (Latin2, "101"),
    (Latin3, "109"),
    (Latin4, "110"),
    (Cyrillic, "144"),
    (Arabic, "127"),
    (Greek, "126"),
    (Hebrew, "138"),
    (Latin5, "148"),
    (Latin9, "203"),
    (Thai, "166"),
    (JisX0201, "13"),
    (JisX0208, "87"),
    (JisX0212, "159"),
    (KsX1001, "149"),
    (Gb2312, "58"),
    (Utf8, "192"),
];

/// Names of encodings that some writers put in place of a defined term, letters and digits only.
const FOREIGN_NAMES: [(&str, CharacterSet); 22] = [
    ("ASCII", Ascii),
    ("USASCII", Ascii),
    ("LATIN1", Latin1),
    ("ISO88591", Latin1),
    ("ISO88592", Latin2),
    ("ISO88593", Latin3),
    ("ISO88594", Latin4),
    ("ISO88595", Cyrillic),
    ("ISO88596", Arabic),
    ("ISO88597", Greek),
    ("ISO88598", Hebrew),
    ("ISO88599", Latin5),
    ("ISO885915", Latin9),
    ("UTF8", Utf8),
    ("EUCKR", KsX1001),
    ("KSC5601", KsX1001),
    ("CP949", KsX1001),
    ("SHIFTJIS", JisX0201),
    ("SJIS", JisX0201),
    ("ISO2022JP", JisX0208),
    ("GB2312", Gb2312),
    ("ISO2022GBK", Gbk),
];

impl CharacterSet {
    /// Needs no code extensions and allows none: bytes stand for characters by its own rule.
    pub(super) fn stands_alone(self) -> bool {
        matches!(self, Utf8 | Gb18030 | Gbk)
    }

    fn is_multi_byte_extension(self) -> bool {
        matches!(self, JisX0208 | JisX0212 | KsX1001 | Gb2312)
    }

    /// Reads one term: the set, whether it was written `ISO 2022 IR n`, and whether it is spelt as the standard spells it.
    fn read(term: &str) -> Option<(Self, bool, bool)> {
        let squeezed: String =
            term.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
        let registered = |number: &str| REGISTRATIONS.iter().find(|(_, n)| *n == number).map(|(set, _)| *set);
        let (set, extension) = if let Some(set) = squeezed.strip_prefix("ISO2022IR").and_then(registered) {
            (set, true)
        } else if let Some(set) = squeezed.strip_prefix("ISOIR").and_then(registered) {
            (set, false)
        } else if squeezed == "GB18030" {
            (Gb18030, false)
        } else if squeezed == "GBK" {
            (Gbk, false)
        } else {
            let (_, set) = FOREIGN_NAMES.iter().find(|(name, _)| *name == squeezed)?;
            (*set, false)
        };
        // Multi-byte sets of ISO 2022 have no term without code extensions.
        let extension = extension || set.is_multi_byte_extension();
        Some((set, extension, set.term(extension) == term))
    }

    /// The defined term, with or without code extensions.
    fn term(self, extension: bool) -> String {
        match (self, REGISTRATIONS.iter().find(|(set, _)| *set == self)) {
            (Gb18030, _) => "GB18030".to_owned(),
            (Gbk, _) | (_, None) => "GBK".to_owned(),
            (Utf8, _) => "ISO_IR 192".to_owned(),
            (_, Some((_, number))) if extension => format!("ISO 2022 IR {number}"),
            (_, Some((_, number))) => format!("ISO_IR {number}"),
        }
    }
}

/// The value of Specific Character Set (0008,0005), parsed once: the initial set, and those that escapes may invoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecificCharacterSet {
    /// Value 1; the default repertoire when it is empty.
    pub(super) initial: CharacterSet,
    /// Values 2 to n.
    pub(super) further: Vec<CharacterSet>,
    /// Escapes are announced (`ISO 2022 IR n` somewhere).
    pub(super) extends: bool,
    /// Something is stated at all.
    stated: bool,
}

impl Default for SpecificCharacterSet {
    /// Not stated: the default repertoire.
    fn default() -> Self {
        Self { initial: Ascii, further: Vec::new(), extends: false, stated: false }
    }
}

impl SpecificCharacterSet {
    /// From the attribute's raw bytes. Misspelt terms are understood and reported; unknown ones are reported and count as
    /// the default repertoire.
    pub fn parse(value: &[u8]) -> (Self, Vec<TextFinding>) {
        let text = String::from_utf8_lossy(value);
        let text = text.trim_matches([' ', '\0']);
        let mut set = Self { stated: !text.is_empty(), ..Self::default() };
        let mut findings = Vec::new();
        let mut note = |finding| {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        };
        for (index, term) in text.split('\\').map(|t| t.trim_matches([' ', '\0'])).enumerate() {
            let read = match (term, CharacterSet::read(term)) {
                ("", _) => None,
                (_, None) => {
                    note(TextFinding::UnknownTerm);
                    None
                }
                (_, Some((character_set, extension, well_spelt))) => {
                    if !well_spelt {
                        note(TextFinding::MisspeltTerm);
                    }
                    set.extends |= extension;
                    Some(character_set)
                }
            };
            match (index, read) {
                (0, Some(first)) => {
                    if first.is_multi_byte_extension() {
                        note(TextFinding::MultiByteFirst);
                    }
                    set.initial = first;
                }
                (_, Some(further)) if index > 0 => set.further.push(further),
                _ => {}
            }
        }
        (set, findings)
    }

    /// `ISO_IR 192`: UTF-8.
    pub fn utf8() -> Self {
        Self { initial: Utf8, further: Vec::new(), extends: false, stated: true }
    }

    /// `\ISO 2022 IR 149`: the default repertoire, extended by Korean (Annex I).
    pub fn korean() -> Self {
        Self { initial: Ascii, further: vec![KsX1001], extends: true, stated: true }
    }

    /// Whether the attribute says anything.
    pub fn is_stated(&self) -> bool {
        self.stated
    }

    /// The attribute's value as a writer states it, in the standard's spelling.
    pub fn to_value(&self) -> String {
        let first = match (self.stated, self.initial) {
            (false, _) => return String::new(),
            (true, Ascii) if self.extends => String::new(),
            (true, set) => set.term(self.extends),
        };
        let further = self.further.iter().map(|set| set.term(true));
        std::iter::once(first).chain(further).collect::<Vec<_>>().join("\\")
    }

    /// Every set named, value 1 first.
    pub(super) fn sets(&self) -> impl Iterator<Item = CharacterSet> {
        std::iter::once(self.initial).chain(self.further.iter().copied())
    }

    pub(super) fn names(&self, set: CharacterSet) -> bool {
        self.sets().any(|s| s == set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_as_the_standard_writes_them_and_go_back() {
        for value in [
            "",
            "ISO_IR 6",
            "ISO_IR 100",
            "ISO_IR 192",
            "GB18030",
            "GBK",
            "ISO_IR 13",
            "\\ISO 2022 IR 149",
            "ISO 2022 IR 13\\ISO 2022 IR 87",
            "ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126",
        ] {
            let (set, findings) = SpecificCharacterSet::parse(value.as_bytes());
            assert_eq!((set.to_value().as_str(), findings.as_slice()), (value, [].as_slice()));
        }
    }

    #[test]
    fn misspelt_terms_are_understood_and_reported() {
        for (value, meant) in [
            ("ISO IR 100", "ISO_IR 100"),
            ("ISO-IR 192", "ISO_IR 192"),
            ("ISO_IR_100", "ISO_IR 100"),
            ("iso_ir 192", "ISO_IR 192"),
            ("\\ISO_2022_IR_149", "\\ISO 2022 IR 149"),
            ("\\ISO-2022-IR-149", "\\ISO 2022 IR 149"),
            ("\\ISO_IR 149", "\\ISO 2022 IR 149"),
            ("UTF-8", "ISO_IR 192"),
            ("ISO8859-15", "ISO_IR 203"),
        ] {
            let (set, findings) = SpecificCharacterSet::parse(value.as_bytes());
            assert_eq!(set.to_value(), meant, "{value}");
            assert_eq!(findings, [TextFinding::MisspeltTerm], "{value}");
        }
    }

    #[test]
    fn an_unknown_term_is_reported_and_a_multi_byte_first_value_too() {
        assert_eq!(SpecificCharacterSet::parse(b"KLINGON").1, [TextFinding::UnknownTerm]);
        assert_eq!(SpecificCharacterSet::parse(b"ISO 2022 IR 149 ").1, [TextFinding::MultiByteFirst]);
        assert_eq!(
            SpecificCharacterSet::parse(b"ISO_IR 149").1,
            [TextFinding::MisspeltTerm, TextFinding::MultiByteFirst]
        );
    }
}
