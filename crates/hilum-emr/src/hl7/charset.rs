//! Character sets of messages: MSH-18 (HL7 table 0211), and what Korean systems mean by it.

use encoding_rs::EUC_KR;
use thiserror::Error;

/// How the bytes of a message are to be read. MSH itself is ASCII in all of them, and no delimiter is ever the second byte of a character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CharacterSet {
    /// ASCII: the default of the standard where MSH-18 is empty.
    Ascii,
    /// UTF-8.
    #[default]
    Utf8,
    /// KS X 1001 in its usual bytes (EUC-KR, DICOM's ISO-IR 149): 2,350 Hangul syllables, not all 11,172.
    KsX1001,
    /// CP949 (UHC): a superset of KS X 1001 with every Hangul syllable. It has no name in table 0211.
    Cp949,
}

/// Bytes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Characters that the set does not have, each written as `?`.
    pub replaced: usize,
}

/// The bytes are not of the character set that the message names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the message is not in the character set that MSH-18, or the configuration of its sender, names")]
pub struct Undecodable;

/// ESC $ ) C, with which ISO 2022 announces KS X 1001: some carry it over from DICOM.
const ISO_2022_KS_X_1001: &[u8] = b"\x1b$)C";

impl CharacterSet {
    /// The name of MSH-18. CP949 is named as the set that it extends.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ascii => "ASCII",
            Self::Utf8 => "UNICODE UTF-8",
            Self::KsX1001 | Self::Cp949 => "KS X 1001",
        }
    }

    /// The set of a name in MSH-18; those that Korean systems write, too. KS X 1001 is read as CP949, which has it whole.
    pub fn of(name: &str) -> Option<Self> {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
        match plain.as_str() {
            "ASCII" | "ISOIR6" => Some(Self::Ascii),
            "UNICODEUTF8" | "UTF8" | "UNICODE" | "ISOIR192" => Some(Self::Utf8),
            "KSX1001" | "KSC5601" | "KSC56011987" | "ISOIR149" | "ISO2022IR149" | "EUCKR" | "CP949" | "MS949"
            | "UHC" | "WINDOWS949" | "KS5601" => Some(Self::Cp949),
            _ => None,
        }
    }

    /// The set of a message by its MSH-18, or `otherwise` where that is empty.
    pub fn of_message(bytes: &[u8], otherwise: Self) -> Result<Self, Undecodable> {
        let header = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).find(|line| !line.is_empty());
        let Some(header) = header else { return Ok(otherwise) };
        let Some(separator) = header.get(3) else { return Ok(otherwise) };
        // MSH-1 is the separator itself: MSH-18 is the 18th part of what it separates.
        let named = header.split(|byte| byte == separator).nth(17).unwrap_or_default();
        let first = named.split(|byte| matches!(byte, b'~' | b'^')).next().unwrap_or_default();
        let name = std::str::from_utf8(first).map_err(|_| Undecodable)?.trim();
        if name.is_empty() { Ok(otherwise) } else { Self::of(name).ok_or(Undecodable) }
    }

    /// Reads bytes.
    pub fn decode(self, bytes: &[u8]) -> Result<String, Undecodable> {
        match self {
            Self::Ascii if bytes.is_ascii() => String::from_utf8(bytes.to_vec()).map_err(|_| Undecodable),
            Self::Ascii => Err(Undecodable),
            Self::Utf8 => String::from_utf8(bytes.to_vec()).map_err(|_| Undecodable),
            Self::KsX1001 | Self::Cp949 => {
                let mut plain = Vec::with_capacity(bytes.len());
                let mut rest = bytes;
                while !rest.is_empty() {
                    if let Some(after) = rest.strip_prefix(ISO_2022_KS_X_1001) {
                        rest = after;
                    } else {
                        plain.push(rest[0]);
                        rest = &rest[1..];
                    }
                }
                let text = EUC_KR.decode_without_bom_handling_and_without_replacement(&plain);
                text.map(std::borrow::Cow::into_owned).ok_or(Undecodable)
            }
        }
    }

    /// Writes a text.
    pub fn encode(self, text: &str) -> Encoded {
        let mut replaced = 0;
        if self == Self::Utf8 {
            return Encoded { bytes: text.as_bytes().to_vec(), replaced };
        }
        let mut bytes = Vec::with_capacity(text.len());
        let mut utf8 = [0; 4];
        for c in text.chars() {
            let (own, _, unmappable) = EUC_KR.encode(c.encode_utf8(&mut utf8));
            let fits = match self {
                Self::Ascii => c.is_ascii(),
                Self::Cp949 | Self::Utf8 => !unmappable,
                // Of the rows that CP949 adds, one byte at least is below A1H.
                Self::KsX1001 => !unmappable && (c.is_ascii() || own.iter().all(|byte| *byte >= 0xA1)),
            };
            if fits {
                bytes.extend_from_slice(&own);
            } else {
                bytes.push(b'?');
                replaced += 1;
            }
        }
        Encoded { bytes, replaced }
    }
}
