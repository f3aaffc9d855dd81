//! Text whose bytes contradict Specific Character Set: which encoding a whole value is in.
//!
//! Only asked where the standard gives no answer: bytes of the right half while nothing announced has one, and no escapes.

use encoding_rs::{EUC_KR, Encoding, GBK, UTF_8};

use super::decode::japanese_encoding;
use super::{CharacterSet, SpecificCharacterSet, TextFinding};

pub(super) struct Guess {
    pub(super) encoding: &'static Encoding,
    pub(super) finding: TextFinding,
}

/// The encoding of a value without escapes whose bytes of the right half nothing announced explains; `None` where the
/// ordinary rules shall decide.
pub(super) fn guess(bytes: &[u8], set: &SpecificCharacterSet) -> Option<Guess> {
    let has_right_half = bytes.iter().any(|&b| b >= 0x80);
    let (_, initial_g1) = set.initial.initial_planes();
    if !has_right_half || bytes.contains(&0x1B) {
        return None;
    }
    let explains =
        |encoding: &'static Encoding| encoding.decode_without_bom_handling_and_without_replacement(bytes).is_some();
    let utf8 = || explains(UTF_8).then_some(Guess { encoding: UTF_8, finding: TextFinding::AssumedUtf8 });
    if set.names(CharacterSet::KsX1001) && matches!(set.initial, CharacterSet::Ascii | CharacterSet::KsX1001) {
        // The ordinary rules read Korean without escapes; only what is no Korean at all may be UTF-8.
        return if explains(EUC_KR) { None } else { utf8() };
    }
    if initial_g1.is_some() {
        return None;
    }
    if set.names(CharacterSet::Gb2312) {
        return if explains(GBK) { None } else { utf8() };
    }
    if set.names(CharacterSet::JisX0208) || set.names(CharacterSet::JisX0212) {
        return utf8().or_else(|| {
            let encoding = japanese_encoding(bytes)?;
            Some(Guess { encoding, finding: TextFinding::AssumedJapanese })
        });
    }
    if set.sets().any(|s| s.initial_planes().1.is_some()) {
        return None;
    }
    utf8().or_else(|| is_korean(bytes).then_some(Guess { encoding: EUC_KR, finding: TextFinding::AssumedCp949 }))
}

/// Whether the bytes are code page 949 with Hangul of KS X 1001 (0xB0A1 to 0xC8FE) among them. Words in Latin 1 hardly ever
/// pass: their accented letters stand alone between ASCII letters.
pub(super) fn is_korean(bytes: &[u8]) -> bool {
    let mut hangul = false;
    let mut rest = bytes;
    loop {
        rest = match *rest {
            [] => return hangul,
            [a @ 0xA1..=0xFD, 0xA1..=0xFE, ref rest @ ..] => {
                hangul |= (0xB0..=0xC8).contains(&a);
                rest
            }
            // ASCII, and the Hangul that code page 949 adds.
            [0x00..=0x7F, ref rest @ ..] | [0x81..=0xC6, 0x41..=0x5A | 0x61..=0x7A | 0x81..=0xFE, ref rest @ ..] => {
                rest
            }
            _ => return false,
        };
    }
}
