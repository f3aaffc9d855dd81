//! Bytes to UTF-8 (PS3.5 6.1.2.4, 6.1.2.5 and Annexes H to K), tolerant of what hospitals really write.

use dicom_core::VR;
use encoding_rs::{EUC_JP, EUC_KR, Encoding, GB18030, SHIFT_JIS, UTF_8};

use super::guess::{Guess, guess};
use super::plane::{ESCAPES, Escape, Plane, Slot, one_char};
use super::{CharacterSet, PersonName, SpecificCharacterSet};

/// What a tolerant reader had to guess or could not read in a text. Never carries the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum TextFinding {
    /// A term of (0008,0005) is misspelt and was understood all the same.
    #[error("Specific Character Set (0008,0005) has a misspelt term, which was understood")]
    MisspeltTerm,
    /// A term of (0008,0005) is unknown and counts as the default repertoire.
    #[error("Specific Character Set (0008,0005) has an unknown term, read as the default repertoire")]
    UnknownTerm,
    /// A multi-byte set stands as value 1 of (0008,0005) instead of after an empty one.
    #[error(
        "Specific Character Set (0008,0005) names a multi-byte set as value 1; it was taken as active from the start"
    )]
    MultiByteFirst,
    /// Characters of an announced set without its escape sequence.
    #[error("the text leaves out escape sequences; the announced character set was assumed")]
    EscapeOmitted,
    /// An escape sequence to a set that (0008,0005) does not announce.
    #[error("the text invokes a character set that (0008,0005) does not announce")]
    EscapeUndeclared,
    /// An escape that no character set of DICOM has; it stays in the text as U+001B.
    #[error("the text holds an unknown escape sequence, which was kept")]
    EscapeUnknown,
    /// Korean of code page 949 where it is not announced, or beyond KS X 1001.
    #[error("the text was read as Korean code page 949, which (0008,0005) does not announce")]
    AssumedCp949,
    /// UTF-8 where it is not announced.
    #[error("the text was read as UTF-8, which (0008,0005) does not announce")]
    AssumedUtf8,
    /// Shift JIS or EUC-JP where only ISO 2022 escapes are announced.
    #[error("the text was read as Japanese Shift JIS or EUC-JP, which (0008,0005) does not announce")]
    AssumedJapanese,
    /// Latin 1, because nothing announced explains the bytes.
    #[error("the text was read as Latin 1, which (0008,0005) does not announce")]
    AssumedLatin1,
    /// Bytes 0x80 to 0x9F, which are control characters in ISO 8859; kept as U+0080 to U+009F.
    #[error("the text holds control bytes 0x80 to 0x9F, which were kept")]
    ControlBytes,
    /// Characters outside the default repertoire where the value representation allows no other.
    #[error("the value holds characters outside the default repertoire, which its value representation forbids")]
    OutsideRepertoire,
    /// Bytes that no character set explains; each place is U+FFFD.
    #[error("the text holds bytes that no announced character set explains; they show as U+FFFD")]
    InvalidBytes,
}

impl TextFinding {
    /// The text does not hold all that the bytes said.
    pub fn loses_text(self) -> bool {
        self == Self::InvalidBytes
    }
}

/// Text in UTF-8, and what was guessed on the way.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct DecodedText {
    /// The text; what no character set explains is U+FFFD.
    pub text: String,
    /// Each kind of finding once.
    pub findings: Vec<TextFinding>,
}

impl DecodedText {
    fn note(&mut self, finding: TextFinding) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

/// One text with all values of the attribute (backslashes kept), trailing spaces and NULs removed.
///
/// What (0008,0005) announces is believed as long as it explains the bytes. Where it does not, in this order: Korean, Chinese or
/// Japanese announced but written without escapes; UTF-8; Korean code page 949 with Hangul in it; Latin 1. Each such guess
/// comes back as a finding.
pub fn decode(bytes: &[u8], set: &SpecificCharacterSet, vr: VR) -> DecodedText {
    let end = bytes.iter().rposition(|b| !matches!(b, b' ' | 0)).map_or(0, |i| i + 1);
    let bytes = &bytes[..end];
    let plain = bytes.iter().all(|&b| b < 0x80 && b != 0x1B);
    if plain && set.initial != CharacterSet::JisX0201 {
        return DecodedText { text: bytes.iter().copied().map(char::from).collect(), findings: Vec::new() };
    }
    let mut decoded = if set.initial.stands_alone() {
        stand_alone(bytes, set.initial)
    } else {
        match guess(bytes, set) {
            Some(Guess { encoding, finding }) => {
                let (text, _) = encoding.decode_without_bom_handling(bytes);
                DecodedText { text: text.into_owned(), findings: vec![finding] }
            }
            None => Decoder::new(set, vr).run(bytes),
        }
    };
    if !uses_character_set(vr) && !decoded.text.is_ascii() {
        decoded.note(TextFinding::OutsideRepertoire);
    }
    decoded
}

/// The values of a text: split at backslashes where the VR allows several values, padding removed.
pub fn decode_values(bytes: &[u8], set: &SpecificCharacterSet, vr: VR) -> (Vec<String>, Vec<TextFinding>) {
    let DecodedText { text, findings } = decode(bytes, set, vr);
    if text.is_empty() {
        return (Vec::new(), findings);
    }
    let values = if !allows_several_values(vr) {
        vec![text]
    } else if matches!(vr, VR::UC) {
        text.split('\\').map(|v| v.trim_end_matches([' ', '\0']).to_owned()).collect()
    } else {
        text.split('\\').map(|v| v.trim_matches([' ', '\0']).to_owned()).collect()
    };
    (values, findings)
}

/// The person names of an attribute of VR PN.
pub fn decode_person_names(bytes: &[u8], set: &SpecificCharacterSet) -> (Vec<PersonName>, Vec<TextFinding>) {
    let (values, findings) = decode_values(bytes, set, VR::PN);
    (values.iter().map(|v| PersonName::from_groups(v)).collect(), findings)
}

/// The VRs that Specific Character Set governs (PS3.5 6.1.2.2).
pub(crate) fn uses_character_set(vr: VR) -> bool {
    matches!(vr, VR::SH | VR::LO | VR::ST | VR::LT | VR::UC | VR::UT | VR::PN)
}

/// Whether a backslash separates values (PS3.5 6.2, 6.4).
pub(super) fn allows_several_values(vr: VR) -> bool {
    !matches!(vr, VR::ST | VR::LT | VR::UT | VR::UR)
}

/// UTF-8, GB 18030 and GBK: bytes by their own rule, without escapes.
fn stand_alone(bytes: &[u8], set: CharacterSet) -> DecodedText {
    let encoding: &'static Encoding = if set == CharacterSet::Utf8 { UTF_8 } else { GB18030 };
    let (text, invalid) = encoding.decode_without_bom_handling(bytes);
    let mut decoded = DecodedText { text: text.into_owned(), findings: Vec::new() };
    if !invalid {
        return decoded;
    }
    if set == CharacterSet::Utf8
        && super::guess::is_korean(bytes)
        && let Some(text) = EUC_KR.decode_without_bom_handling_and_without_replacement(bytes)
    {
        return DecodedText { text: text.into_owned(), findings: vec![TextFinding::AssumedCp949] };
    }
    decoded.note(TextFinding::InvalidBytes);
    decoded
}

/// ISO 2022 with the initial state and the resets of PS3.5 6.1.2.5.3.
struct Decoder<'a> {
    set: &'a SpecificCharacterSet,
    several_values: bool,
    person_name: bool,
    g0: Plane,
    g1: Option<Plane>,
    out: DecodedText,
}

impl<'a> Decoder<'a> {
    fn new(set: &'a SpecificCharacterSet, vr: VR) -> Self {
        let (g0, g1) = set.initial.initial_planes();
        Self {
            set,
            several_values: allows_several_values(vr),
            person_name: vr == VR::PN,
            g0,
            g1,
            out: DecodedText::default(),
        }
    }

    fn run(mut self, bytes: &[u8]) -> DecodedText {
        let mut rest = bytes;
        while let [first, ..] = rest {
            let taken = match first {
                0x1B => self.escape(rest),
                0x00..=0x20 | 0x7F => self.control(*first),
                0x21..=0x7E => self.left_half(rest),
                0x80.. => self.right_half(rest),
            };
            rest = &rest[taken..];
        }
        self.out
    }

    fn reset(&mut self) {
        (self.g0, self.g1) = self.set.initial.initial_planes();
    }

    fn invalid(&mut self) -> usize {
        self.out.text.push(char::REPLACEMENT_CHARACTER);
        self.out.note(TextFinding::InvalidBytes);
        1
    }

    fn escape(&mut self, rest: &[u8]) -> usize {
        let Some(Escape { bytes, slot, plane, announced_by }) = ESCAPES.iter().find(|e| rest.starts_with(e.bytes))
        else {
            self.out.text.push('\u{1B}');
            self.out.note(TextFinding::EscapeUnknown);
            return 1;
        };
        let announced = match announced_by {
            Some(CharacterSet::Ascii) => true,
            // The return to Romaji belongs to Kanji too.
            Some(CharacterSet::JisX0201) if *slot == Slot::G0 => self.set.extends,
            Some(by) => self.set.extends && self.set.names(*by),
            None => false,
        };
        if !announced {
            self.out.note(TextFinding::EscapeUndeclared);
        }
        match slot {
            Slot::G0 => self.g0 = *plane,
            Slot::G1 => self.g1 = Some(*plane),
        }
        bytes.len()
    }

    /// Control characters and space stand for themselves; all but space end what escapes have invoked.
    fn control(&mut self, byte: u8) -> usize {
        self.out.text.push(char::from(byte));
        if byte < 0x20 {
            self.reset();
        }
        1
    }

    fn left_half(&mut self, rest: &[u8]) -> usize {
        if !self.g0.is_double() {
            let code = rest[0];
            if self.delimits(code) {
                self.out.text.push(char::from(code));
                self.reset();
                return 1;
            }
            return match self.g0.single(code) {
                Some(c) => {
                    self.out.text.push(c);
                    1
                }
                None => self.invalid(),
            };
        }
        match *rest {
            [a, b @ 0x21..=0x7E, ..] => match self.g0.double(a, b) {
                Some(c) => {
                    self.out.text.push(c);
                    2
                }
                None => self.invalid() + 1,
            },
            // A delimiter without the return to ASCII that belongs before it.
            [code, ..] if self.delimits(code) => {
                self.out.note(TextFinding::EscapeOmitted);
                self.out.text.push(char::from(code));
                self.reset();
                1
            }
            _ => self.invalid(),
        }
    }

    fn delimits(&self, code: u8) -> bool {
        (code == b'\\' && self.several_values) || (matches!(code, b'^' | b'=') && self.person_name)
    }

    fn right_half(&mut self, rest: &[u8]) -> usize {
        let plane = self.g1.unwrap_or_else(|| {
            let announced = self.announced_right_half();
            self.out.note(if announced.is_some() { TextFinding::EscapeOmitted } else { TextFinding::AssumedLatin1 });
            announced.unwrap_or(Plane::RightHalf(CharacterSet::Latin1))
        });
        match plane {
            Plane::KsX1001 | Plane::Gb2312 => self.right_pair(rest, plane),
            Plane::Katakana if matches!(rest[0], 0x81..=0x9F | 0xE0..=0xFC) => self.shift_jis_pair(rest),
            _ if rest[0] < 0xA0 => {
                self.out.text.push(char::from(rest[0]));
                self.out.note(TextFinding::ControlBytes);
                1
            }
            _ => match plane.single(rest[0] & 0x7F) {
                Some(c) => {
                    self.out.text.push(c);
                    1
                }
                None => self.invalid(),
            },
        }
    }

    /// KS X 1001 or GB 2312, and what code page 949 and GBK add to them.
    fn right_pair(&mut self, rest: &[u8], plane: Plane) -> usize {
        match *rest {
            [a @ 0xA1..=0xFE, b @ 0xA1..=0xFE, ..] if let Some(c) = plane.double(a & 0x7F, b & 0x7F) => {
                self.out.text.push(c);
                2
            }
            [a, b, ..]
                if plane == Plane::KsX1001
                    && let Some(c) = one_char(EUC_KR, &[a, b]) =>
            {
                self.out.text.push(c);
                self.out.note(TextFinding::AssumedCp949);
                2
            }
            [a, b, ..]
                if plane == Plane::Gb2312
                    && let Some(c) = one_char(GB18030, &[a, b]) =>
            {
                self.out.text.push(c);
                2
            }
            _ => self.invalid(),
        }
    }

    /// Kanji of Shift JIS under ISO_IR 13, which only has Katakana.
    fn shift_jis_pair(&mut self, rest: &[u8]) -> usize {
        if let [a, b, ..] = *rest
            && let Some(c) = one_char(SHIFT_JIS, &[a, b])
        {
            self.out.text.push(c);
            self.out.note(TextFinding::AssumedJapanese);
            return 2;
        }
        self.invalid()
    }

    /// The announced set that a byte of the right half can belong to while none is invoked.
    fn announced_right_half(&self) -> Option<Plane> {
        self.set.further.iter().find_map(|set| set.initial_planes().1)
    }
}

/// Japanese by EUC-JP or Shift JIS: the one that explains the bytes without half-width Katakana first.
pub(super) fn japanese_encoding(bytes: &[u8]) -> Option<&'static Encoding> {
    let half_width = |text: &str| text.chars().any(|c| ('\u{FF61}'..='\u{FF9F}').contains(&c));
    let strict = |encoding: &'static Encoding| encoding.decode_without_bom_handling_and_without_replacement(bytes);
    match (strict(SHIFT_JIS), strict(EUC_JP)) {
        (Some(text), _) if !half_width(&text) => Some(SHIFT_JIS),
        (_, Some(_)) => Some(EUC_JP),
        (Some(_), None) => Some(SHIFT_JIS),
        (None, None) => None,
    }
}
