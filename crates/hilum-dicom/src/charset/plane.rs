//! Code planes: the graphic sets that ISO 2022 escapes put into G0 and G1 (PS3.3 C.12.1.1.2, tables C.12-3 and C.12-4).

use std::collections::HashMap;
use std::sync::LazyLock;

use encoding_rs::{
    EUC_JP, EUC_KR, Encoding, GBK, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6, ISO_8859_7, ISO_8859_8,
    ISO_8859_15, SHIFT_JIS, WINDOWS_874, WINDOWS_1254,
};

use super::CharacterSet;

/// A graphic set of 94 or 96 characters, or of 94 x 94.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plane {
    Ascii,
    /// JIS X 0201 Romaji: ASCII but for the yen sign and the overline.
    Romaji,
    /// JIS X 0201 Katakana.
    Katakana,
    /// The right half of a part of ISO 8859, or of TIS 620.
    RightHalf(CharacterSet),
    JisX0208,
    JisX0212,
    KsX1001,
    Gb2312,
}

/// Where an escape sequence puts a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    G0,
    G1,
}

/// An escape sequence, what it designates, and the set that announces it.
pub(super) struct Escape {
    pub(super) bytes: &'static [u8],
    pub(super) slot: Slot,
    pub(super) plane: Plane,
    /// The defined term it belongs to; `None` for sequences that DICOM does not have but some systems write.
    pub(super) announced_by: Option<CharacterSet>,
}

macro_rules! escapes {
    ($($bytes:literal $slot:ident $plane:expr, $by:expr;)*) => {
        &[$(Escape { bytes: $bytes, slot: Slot::$slot, plane: $plane, announced_by: $by }),*]
    };
}

/// Longer sequences stand before their prefixes.
pub(super) const ESCAPES: &[Escape] = escapes! {
    b"\x1b$)C" G1 Plane::KsX1001, Some(CharacterSet::KsX1001);
    b"\x1b$)A" G1 Plane::Gb2312, Some(CharacterSet::Gb2312);
    b"\x1b$(D" G0 Plane::JisX0212, Some(CharacterSet::JisX0212);
    b"\x1b$(B" G0 Plane::JisX0208, None;
    b"\x1b$(C" G0 Plane::KsX1001, None;
    b"\x1b$(A" G0 Plane::Gb2312, None;
    b"\x1b$B" G0 Plane::JisX0208, Some(CharacterSet::JisX0208);
    b"\x1b$@" G0 Plane::JisX0208, None;
    b"\x1b$A" G0 Plane::Gb2312, None;
    b"\x1b(B" G0 Plane::Ascii, Some(CharacterSet::Ascii);
    b"\x1b(J" G0 Plane::Romaji, Some(CharacterSet::JisX0201);
    b"\x1b(I" G0 Plane::Katakana, None;
    b"\x1b)I" G1 Plane::Katakana, Some(CharacterSet::JisX0201);
    b"\x1b-A" G1 Plane::RightHalf(CharacterSet::Latin1), Some(CharacterSet::Latin1);
    b"\x1b-B" G1 Plane::RightHalf(CharacterSet::Latin2), Some(CharacterSet::Latin2);
    b"\x1b-C" G1 Plane::RightHalf(CharacterSet::Latin3), Some(CharacterSet::Latin3);
    b"\x1b-D" G1 Plane::RightHalf(CharacterSet::Latin4), Some(CharacterSet::Latin4);
    b"\x1b-L" G1 Plane::RightHalf(CharacterSet::Cyrillic), Some(CharacterSet::Cyrillic);
    b"\x1b-G" G1 Plane::RightHalf(CharacterSet::Arabic), Some(CharacterSet::Arabic);
    b"\x1b-F" G1 Plane::RightHalf(CharacterSet::Greek), Some(CharacterSet::Greek);
    b"\x1b-H" G1 Plane::RightHalf(CharacterSet::Hebrew), Some(CharacterSet::Hebrew);
    b"\x1b-M" G1 Plane::RightHalf(CharacterSet::Latin5), Some(CharacterSet::Latin5);
    b"\x1b-b" G1 Plane::RightHalf(CharacterSet::Latin9), Some(CharacterSet::Latin9);
    b"\x1b-T" G1 Plane::RightHalf(CharacterSet::Thai), Some(CharacterSet::Thai);
};

impl CharacterSet {
    /// The planes in G0 and G1 while this set is the initial one.
    pub(super) fn initial_planes(self) -> (Plane, Option<Plane>) {
        use CharacterSet as Set;
        match self {
            Set::JisX0201 => (Plane::Romaji, Some(Plane::Katakana)),
            Set::KsX1001 => (Plane::Ascii, Some(Plane::KsX1001)),
            Set::Gb2312 => (Plane::Ascii, Some(Plane::Gb2312)),
            Set::Ascii | Set::JisX0208 | Set::JisX0212 | Set::Utf8 | Set::Gb18030 | Set::Gbk => (Plane::Ascii, None),
            Set::Latin1
            | Set::Latin2
            | Set::Latin3
            | Set::Latin4
            | Set::Latin5
            | Set::Latin9
            | Set::Cyrillic
            | Set::Arabic
            | Set::Greek
            | Set::Hebrew
            | Set::Thai => (Plane::Ascii, Some(Plane::RightHalf(self))),
        }
    }

    /// The encoding whose right half is this set's; `None` for Latin 1, which is Unicode's own, and for sets without one.
    fn right_half_encoding(self) -> Option<&'static Encoding> {
        use CharacterSet as Set;
        Some(match self {
            Set::Latin2 => ISO_8859_2,
            Set::Latin3 => ISO_8859_3,
            Set::Latin4 => ISO_8859_4,
            Set::Cyrillic => ISO_8859_5,
            Set::Arabic => ISO_8859_6,
            Set::Greek => ISO_8859_7,
            Set::Hebrew => ISO_8859_8,
            // The same from 0xA0 on.
            Set::Latin5 => WINDOWS_1254,
            Set::Latin9 => ISO_8859_15,
            Set::Thai => WINDOWS_874,
            _ => return None,
        })
    }
}

/// The six cells of JIS X 0208 that the web's table gives to compatibility characters, with JIS X 0208's own.
const JIS_NOT_WEB: [(char, char); 6] = [('～', '〜'), ('∥', '‖'), ('－', '−'), ('￠', '¢'), ('￡', '£'), ('￢', '¬')];

/// Decodes exactly one character.
pub(super) fn one_char(encoding: &'static Encoding, bytes: &[u8]) -> Option<char> {
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

impl Plane {
    /// A character takes two bytes.
    pub(super) fn is_double(self) -> bool {
        matches!(self, Self::JisX0208 | Self::JisX0212 | Self::KsX1001 | Self::Gb2312)
    }

    /// The character at a single-byte code, given with its high bit cleared (0x20 to 0x7F).
    pub(super) fn single(self, code: u8) -> Option<char> {
        match self {
            Self::Ascii => Some(char::from(code)),
            Self::Romaji => Some(match code {
                0x5C => '¥',
                0x7E => '‾',
                _ => char::from(code),
            }),
            Self::Katakana => one_char(SHIFT_JIS, &[code | 0x80]),
            Self::RightHalf(set) => match set.right_half_encoding() {
                Some(encoding) => one_char(encoding, &[code | 0x80]),
                None => Some(char::from(code | 0x80)),
            },
            _ => None,
        }
    }

    /// The character at a double-byte code, both bytes in 0x21..=0x7E.
    pub(super) fn double(self, a: u8, b: u8) -> Option<char> {
        let pair = [a | 0x80, b | 0x80];
        match self {
            Self::JisX0208 => {
                let web = one_char(EUC_JP, &pair)?;
                Some(JIS_NOT_WEB.iter().find(|(w, _)| *w == web).map_or(web, |(_, jis)| *jis))
            }
            Self::JisX0212 => one_char(EUC_JP, &[0x8F, pair[0], pair[1]]),
            Self::KsX1001 => one_char(EUC_KR, &pair),
            Self::Gb2312 => one_char(GBK, &pair),
            _ => None,
        }
    }

    /// The code of a character: one or two bytes with their high bits cleared. Strictly the standard's repertoire.
    pub(super) fn code(self, c: char) -> Option<Code> {
        match self {
            Self::Ascii => c.is_ascii().then_some(Code::Single(c as u8)),
            // 0x5C is the delimiter in every set (PS3.5 6.1.2.3), so that neither backslash nor yen sign can be text here.
            Self::Romaji => match c {
                '\\' | '~' | '¥' => None,
                '‾' => Some(Code::Single(0x7E)),
                _ => c.is_ascii().then_some(Code::Single(c as u8)),
            },
            Self::Katakana | Self::RightHalf(_) => {
                (0x20..=0x7F).find(|&code| self.single(code) == Some(c)).map(Code::Single)
            }
            // The web's compatibility characters would come back as JIS X 0208's own.
            Self::JisX0208 if JIS_NOT_WEB.iter().any(|(web, _)| *web == c) => None,
            Self::JisX0208 => {
                let web = JIS_NOT_WEB.iter().find(|(_, jis)| *jis == c).map_or(c, |(web, _)| *web);
                // Rows 9 to 15 and above 84 are vendors' additions.
                encoded_pair(EUC_JP, web).filter(|[a, _]| matches!(a - 0x20, 1..=8 | 16..=84)).map(Code::Double)
            }
            Self::JisX0212 => JIS_X_0212_CODES.get(&c).copied().map(Code::Double),
            Self::KsX1001 => encoded_pair(EUC_KR, c).map(Code::Double),
            Self::Gb2312 => encoded_pair(GBK, c).filter(|code| is_gb2312(*code)).map(Code::Double),
        }
    }
}

/// A character's code in a plane, high bits cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Single(u8),
    Double([u8; 2]),
}

/// Whether GB 2312-80 itself has a character there, and not only GBK.
fn is_gb2312([a, b]: [u8; 2]) -> bool {
    match (a - 0x20, b - 0x20) {
        (2, cell) => matches!(cell, 17..=66 | 69..=78 | 81..=92),
        (4, cell) => cell <= 83,
        (5, cell) => cell <= 86,
        (6, cell) => matches!(cell, 1..=24 | 33..=56),
        (7, cell) => matches!(cell, 1..=33 | 49..=81),
        (8, cell) => matches!(cell, 1..=26 | 37..=73),
        (9, cell) => matches!(cell, 4..=79),
        (55, cell) => cell <= 89,
        (row, _) => matches!(row, 1 | 3 | 16..=87),
    }
}

/// The code in the 94 x 94 part of an EUC encoding.
fn encoded_pair(encoding: &'static Encoding, c: char) -> Option<[u8; 2]> {
    let mut utf8 = [0; 4];
    let (bytes, _, unmappable) = encoding.encode(c.encode_utf8(&mut utf8));
    match (unmappable, &*bytes) {
        (false, &[a @ 0xA1..=0xFE, b @ 0xA1..=0xFE]) => Some([a & 0x7F, b & 0x7F]),
        _ => None,
    }
}

/// The web's EUC-JP reads JIS X 0212 but does not write it.
static JIS_X_0212_CODES: LazyLock<HashMap<char, [u8; 2]>> = LazyLock::new(|| {
    let cells = (0x21..=0x7E).flat_map(|a| (0x21..=0x7E).map(move |b| [a, b]));
    cells.filter_map(|[a, b]| Plane::JisX0212.double(a, b).map(|c| (c, [a, b]))).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_a_plane_goes_back_to_its_code() {
        for plane in [Plane::JisX0208, Plane::JisX0212, Plane::KsX1001, Plane::Gb2312] {
            let mut characters = 0;
            for a in 0x21..=0x7E {
                for b in 0x21..=0x7E {
                    let Some(c) = plane.double(a, b) else { continue };
                    match plane.code(c) {
                        Some(Code::Double(code)) if code == [a, b] => characters += 1,
                        // Vendors' rows repeat characters of the standard's.
                        Some(Code::Double([x, y])) => assert_eq!(plane.double(x, y), Some(c), "{plane:?} {c}"),
                        _ => {}
                    }
                }
            }
            // JIS X 0208 has 6,879 characters, JIS X 0212 6,067, KS X 1001 8,226
            // (the euro and registered signs of 1998 with them), GB 2312 7,445.
            let expected = match plane {
                Plane::JisX0208 => 6879,
                Plane::JisX0212 => 6067,
                Plane::KsX1001 => 8226,
                _ => 7445,
            };
            assert_eq!(characters, expected, "{plane:?}");
        }
    }
}
