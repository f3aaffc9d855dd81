//! Application entity titles (PS3.5 6.2, value representation AE).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is no AE title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AeTitleError {
    /// Nothing but spaces.
    #[error("the AE title is empty or all spaces; expected 1 to 16 characters")]
    Empty,
    /// More than 16 significant characters.
    #[error("the AE title has {0} characters; expected 1 to 16")]
    TooLong(usize),
    /// A backslash, a control character or one outside ASCII.
    #[error("the AE title has a forbidden character at position {0}; expected printable ASCII without backslash")]
    ForbiddenCharacter(usize),
}

/// An application entity title: 1 to 16 printable ASCII characters without backslash; leading and trailing spaces carry no
/// meaning and are removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AeTitle(String);

impl AeTitle {
    /// From the 16-byte field of an association PDU (PS3.8 9.3.2) or an AE value; NUL padding is tolerated.
    pub fn from_padded(bytes: &[u8]) -> Result<Self, AeTitleError> {
        let end = bytes.iter().rposition(|&b| b != 0).map_or(0, |i| i + 1);
        match bytes[..end].iter().position(|b| !b.is_ascii()) {
            Some(at) => Err(AeTitleError::ForbiddenCharacter(at)),
            None => String::from_utf8_lossy(&bytes[..end]).parse(),
        }
    }

    /// The 16-byte, space-padded field of an association PDU (PS3.8 9.3.2).
    pub fn to_padded(&self) -> [u8; 16] {
        let mut field = [b' '; 16];
        field[..self.0.len()].copy_from_slice(self.0.as_bytes());
        field
    }

    /// What Hilum is called where nothing else is configured.
    pub fn hilum() -> Self {
        Self("HILUM".to_owned())
    }

    /// The title without padding.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AeTitle {
    type Err = AeTitleError;

    fn from_str(text: &str) -> Result<Self, AeTitleError> {
        if let Some(at) = text.bytes().position(|b| !(0x20..0x7f).contains(&b) || b == b'\\') {
            return Err(AeTitleError::ForbiddenCharacter(at));
        }
        match text.trim_matches(' ') {
            "" => Err(AeTitleError::Empty),
            title if title.len() > 16 => Err(AeTitleError::TooLong(title.len())),
            title => Ok(Self(title.to_owned())),
        }
    }
}

impl TryFrom<String> for AeTitle {
    type Error = AeTitleError;

    fn try_from(text: String) -> Result<Self, AeTitleError> {
        text.parse()
    }
}

impl From<AeTitle> for String {
    fn from(title: AeTitle) -> Self {
        title.0
    }
}

impl AsRef<str> for AeTitle {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AeTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_around_a_title_carry_no_meaning() {
        let title = AeTitle::from_padded(b"  HILUM SCP     ").unwrap();
        assert_eq!(title.as_str(), "HILUM SCP");
        assert_eq!(&title.to_padded(), b"HILUM SCP       ");
        assert_eq!(AeTitle::from_padded(b"HILUM\0\0").unwrap().as_str(), "HILUM");
    }

    #[test]
    fn a_title_of_spaces_of_controls_or_too_long_is_refused() {
        assert_eq!("    ".parse::<AeTitle>(), Err(AeTitleError::Empty));
        assert_eq!("A\\B".parse::<AeTitle>(), Err(AeTitleError::ForbiddenCharacter(1)));
        assert_eq!("A\nB".parse::<AeTitle>(), Err(AeTitleError::ForbiddenCharacter(1)));
        assert_eq!(AeTitle::from_padded(b"A\xb1"), Err(AeTitleError::ForbiddenCharacter(1)));
        assert_eq!("12345678901234567".parse::<AeTitle>(), Err(AeTitleError::TooLong(17)));
    }
}
