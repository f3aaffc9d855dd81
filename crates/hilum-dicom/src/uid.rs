//! Unique identifiers (PS3.5 section 9, value representation UI), one newtype per thing named.
//!
//! Tolerant when reading, strict when writing: real files carry leading zeros and trailing NULs or spaces, so `FromStr`
//! accepts those; a writer calls [`check_for_writing`](StudyUid::check_for_writing) first. Whatever is accepted consists of
//! digits and single dots only, so that it is safe in paths and queries.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::header::Encoding;

/// The longest UID that PS3.5 9.1 allows, in characters.
pub const MAX_UID_LENGTH: usize = 64;

/// Why a text is no UID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UidError {
    /// Nothing but padding.
    #[error("the UID is empty; expected digits and dots (PS3.5 9.1)")]
    Empty,
    /// More than 64 characters.
    #[error("the UID has {0} characters; PS3.5 9.1 allows at most 64")]
    TooLong(usize),
    /// A character that is neither a digit nor a dot.
    #[error("the UID has a character other than digits and dots at position {0} (PS3.5 9.1)")]
    ForeignCharacter(usize),
    /// Two dots in a row, or a dot at an end.
    #[error("the UID has an empty component at position {0}; expected digits between dots (PS3.5 9.1)")]
    EmptyComponent(usize),
    /// A component such as `007`; tolerated when reading.
    #[error("component {0} of the UID begins with a zero, which PS3.5 9.1 forbids when writing")]
    LeadingZero(usize),
}

/// Accepts what a reader may meet: trailing NUL and spaces are removed, leading zeros stay.
fn read(text: &str) -> Result<&str, UidError> {
    let uid = text.trim_end_matches(['\0', ' ']).trim_start_matches(' ');
    if uid.is_empty() {
        return Err(UidError::Empty);
    }
    if let Some(at) = uid.bytes().position(|b| !b.is_ascii_digit() && b != b'.') {
        return Err(UidError::ForeignCharacter(at));
    }
    if uid.len() > MAX_UID_LENGTH {
        return Err(UidError::TooLong(uid.len()));
    }
    match uid.split('.').position(str::is_empty) {
        Some(component) => Err(UidError::EmptyComponent(component)),
        None => Ok(uid),
    }
}

/// PS3.5 9.1 to the letter, for a UID already read.
fn check_for_writing(uid: &str) -> Result<(), UidError> {
    match uid.split('.').position(|c| c.len() > 1 && c.starts_with('0')) {
        Some(component) => Err(UidError::LeadingZero(component)),
        None => Ok(()),
    }
}

macro_rules! uids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The UID's characters: digits and dots.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// A UID under the root 2.25 from 128 bits (PS3.5 B.2), for instance a UUID or part of a hash.
            pub fn from_u128(bits: u128) -> Self {
                Self(format!("2.25.{bits}"))
            }

            /// Whether a writer may write it: PS3.5 9.1 without the tolerance of reading.
            pub fn check_for_writing(&self) -> Result<(), UidError> {
                check_for_writing(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = UidError;

            fn from_str(text: &str) -> Result<Self, UidError> {
                read(text).map(|uid| Self(uid.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = UidError;

            fn try_from(text: String) -> Result<Self, UidError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(uid: $name) -> Self {
                uid.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )*};
}

uids! {
    /// Study Instance UID (0020,000D).
    StudyUid;
    /// Series Instance UID (0020,000E).
    SeriesUid;
    /// SOP Instance UID (0008,0018).
    SopUid;
    /// SOP Class UID (0008,0016).
    SopClassUid;
    /// Transfer Syntax UID (0002,0010).
    TransferSyntaxUid;
    /// Frame of Reference UID (0020,0052).
    FrameOfReferenceUid;
}

impl SopClassUid {
    /// Media Storage Directory Storage: the SOP class of a DICOMDIR.
    pub fn media_storage_directory() -> Self {
        Self("1.2.840.10008.1.3.10".to_owned())
    }
}

/// How the pixel data of a transfer syntax is kept, as far as identity and reading depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelCoding {
    /// Uncompressed samples.
    Native,
    /// Encapsulated, the decoded samples are exactly those that were encoded.
    Lossless,
    /// Encapsulated, possibly lossy, or unknown.
    PossiblyLossy,
}

impl TransferSyntaxUid {
    /// Implicit VR Little Endian (PS3.5 A.1).
    pub fn implicit_little_endian() -> Self {
        Self("1.2.840.10008.1.2".to_owned())
    }

    /// Explicit VR Little Endian (PS3.5 A.2).
    pub fn explicit_little_endian() -> Self {
        Self("1.2.840.10008.1.2.1".to_owned())
    }

    /// Explicit VR Big Endian (retired; PS3.5-2016b A.3).
    pub fn explicit_big_endian() -> Self {
        Self("1.2.840.10008.1.2.2".to_owned())
    }

    /// Deflated Explicit VR Little Endian (PS3.5 A.5).
    pub fn deflated_explicit_little_endian() -> Self {
        Self("1.2.840.10008.1.2.1.99".to_owned())
    }

    /// JPEG Lossless, process 14, selection value 1 (PS3.5 A.4.1).
    pub fn jpeg_lossless_sv1() -> Self {
        Self("1.2.840.10008.1.2.4.70".to_owned())
    }

    /// JPEG-LS Lossless (PS3.5 A.4.3).
    pub fn jpeg_ls_lossless() -> Self {
        Self("1.2.840.10008.1.2.4.80".to_owned())
    }

    /// The uncompressed syntax of an encoding.
    pub(crate) fn of(encoding: Encoding) -> Self {
        match encoding {
            Encoding { explicit_vr: false, .. } => Self::implicit_little_endian(),
            Encoding { big_endian: true, .. } => Self::explicit_big_endian(),
            Encoding { .. } => Self::explicit_little_endian(),
        }
    }

    /// How a data set in this syntax is encoded: every syntax but three is Explicit VR Little Endian (PS3.5 Annex A).
    pub fn encoding(&self) -> Encoding {
        match self.0.as_str() {
            "1.2.840.10008.1.2" | "1.2.840.113619.5.2" => Encoding::IMPLICIT_LE,
            "1.2.840.10008.1.2.2" => Encoding::EXPLICIT_BE,
            _ => Encoding::EXPLICIT_LE,
        }
    }

    /// The whole data set is deflated (PS3.5 A.5 and the JPIP Referenced Deflate syntaxes).
    pub fn is_deflated(&self) -> bool {
        matches!(self.0.as_str(), "1.2.840.10008.1.2.1.99" | "1.2.840.10008.1.2.4.95" | "1.2.840.10008.1.2.4.205")
    }

    /// Whether frames in this syntax can be decoded here: the native ones, RLE, JPEG, JPEG-LS, JPEG 2000 and HTJ2K.
    pub fn is_decodable(&self) -> bool {
        self.pixel_coding() == PixelCoding::Native
            || matches!(
                self.0.as_str(),
                "1.2.840.10008.1.2.5"
                    | "1.2.840.10008.1.2.4.50"
                    | "1.2.840.10008.1.2.4.51"
                    | "1.2.840.10008.1.2.4.57"
                    | "1.2.840.10008.1.2.4.70"
                    | "1.2.840.10008.1.2.4.80"
                    | "1.2.840.10008.1.2.4.81"
                    | "1.2.840.10008.1.2.4.90"
                    | "1.2.840.10008.1.2.4.91"
                    | "1.2.840.10008.1.2.4.201"
                    | "1.2.840.10008.1.2.4.202"
                    | "1.2.840.10008.1.2.4.203"
            )
    }

    /// How this syntax keeps pixel data (PS3.5 Annex A).
    pub fn pixel_coding(&self) -> PixelCoding {
        match self.0.as_str() {
            "1.2.840.10008.1.2"
            | "1.2.840.10008.1.2.1"
            | "1.2.840.10008.1.2.1.99"
            | "1.2.840.10008.1.2.2"
            // GE's private implicit little endian with big-endian pixel data.
            | "1.2.840.113619.5.2" => PixelCoding::Native,
            "1.2.840.10008.1.2.5"
            | "1.2.840.10008.1.2.8.1"
            | "1.2.840.10008.1.2.4.57"
            | "1.2.840.10008.1.2.4.70"
            | "1.2.840.10008.1.2.4.80"
            | "1.2.840.10008.1.2.4.90"
            | "1.2.840.10008.1.2.4.110"
            | "1.2.840.10008.1.2.4.201"
            | "1.2.840.10008.1.2.4.202" => PixelCoding::Lossless,
            _ => PixelCoding::PossiblyLossy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_and_leading_zeros_are_tolerated_when_reading() {
        let uid: SopUid = "1.2.840.007\0".parse().unwrap();
        assert_eq!(uid.as_str(), "1.2.840.007");
        assert_eq!(" 1.2 ".parse::<SopUid>().unwrap().as_str(), "1.2");
        assert_eq!(uid.check_for_writing(), Err(UidError::LeadingZero(3)));
        assert_eq!("1.0.20".parse::<SopUid>().unwrap().check_for_writing(), Ok(()));
    }

    #[test]
    fn what_could_leave_a_folder_or_a_query_is_no_uid() {
        for (text, error) in [
            ("", UidError::Empty),
            ("\0", UidError::Empty),
            ("..", UidError::EmptyComponent(0)),
            ("1..2", UidError::EmptyComponent(1)),
            ("1.2.", UidError::EmptyComponent(2)),
            ("1.2/3", UidError::ForeignCharacter(3)),
            ("1.2.\u{ff11}", UidError::ForeignCharacter(4)),
        ] {
            assert_eq!(text.parse::<StudyUid>(), Err(error), "{text:?}");
        }
        assert_eq!("1".repeat(65).parse::<StudyUid>(), Err(UidError::TooLong(65)));
        assert!("1".repeat(64).parse::<StudyUid>().is_ok());
    }

    #[test]
    fn the_largest_uuid_still_fits() {
        let uid = SopUid::from_u128(u128::MAX);
        assert_eq!(uid.as_str(), "2.25.340282366920938463463374607431768211455");
        assert_eq!(uid.as_str().parse::<SopUid>().unwrap(), uid);
        assert_eq!(uid.check_for_writing(), Ok(()));
    }

    #[test]
    fn serde_goes_through_the_same_door() {
        assert_eq!(serde_json::to_string(&SopUid::from_u128(7)).unwrap(), r#""2.25.7""#);
        assert!(serde_json::from_str::<SopUid>(r#""../x""#).is_err());
    }
}
