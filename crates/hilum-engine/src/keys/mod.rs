//! The installation's keys: what is secret in the catalogue and must be read again is encrypted with them.
//!
//! They come from a file or from the environment, and never stand in the catalogue; only their ids do. One is current and
//! encrypts, the others still decrypt until nothing needs them any more.

mod envelope;
mod file;
mod manage;

pub use file::KeyPlace;
pub use manage::{KeyView, Rotation, counted};

pub(crate) use envelope::{Binding, Sealed};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{hkdf, hmac};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Bytes of a key.
const LENGTH: usize = 32;
/// Domain of everything that is derived from a key itself (RFC 5869, salt).
const DOMAIN: &[u8] = b"hilum key 1";

/// Which key it is: the first 64 bits of what HKDF derives from it for this, hexadecimal. It says nothing of the key, and tells a
/// mistyped one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

/// A text that names no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of a key is 16 hexadecimal digits, as `hilum key list` prints it")]
pub struct BadKeyId;

impl KeyId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyId {
    type Err = BadKeyId;

    fn from_str(text: &str) -> Result<Self, BadKeyId> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if digits && text.len() == 16 { Ok(Self(text.to_owned())) } else { Err(BadKeyId) }
    }
}

impl TryFrom<String> for KeyId {
    type Error = BadKeyId;

    fn try_from(text: String) -> Result<Self, BadKeyId> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

/// Why something secret cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key is not at hand.
    #[error(
        "{what} cannot be read: they are encrypted with the key {key}, which is not in {place}; put it there, from where keys are kept"
    )]
    Missing {
        /// Which key.
        key: KeyId,
        /// What it is needed for.
        what: &'static str,
        /// Where keys come from.
        place: String,
    },
    /// There is no key at all, and nobody said that there should be one.
    #[error("there is no key in {place}; `hilum key new` makes one")]
    NoKey {
        /// Where keys come from.
        place: String,
    },
    /// A line that holds no key.
    #[error("{place}, line {line}: {reason}")]
    Unreadable {
        /// Where keys come from.
        place: String,
        /// From 1.
        line: usize,
        /// What was expected.
        reason: &'static str,
    },
    /// The operating system refused.
    #[error("the keys cannot be {act}, in {path}: {source}")]
    Io {
        /// Read, written ...
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The environment's keys are somebody else's to change.
    #[error("the keys come from {0}: change them there, and start again")]
    NotOurs(&'static str),
    /// The key encrypts, or something is encrypted with it.
    #[error("the key {key} is {why}; nothing was changed")]
    InUse {
        /// Which key.
        key: KeyId,
        /// What it is needed for.
        why: String,
    },
    /// A ciphertext was changed, or stands at the place of another.
    #[error("{what} cannot be read: what is kept was changed, or moved from another row; restore them from a backup")]
    Forged {
        /// What.
        what: &'static str,
    },
    /// No random numbers.
    #[error("the operating system has no random numbers: {0}")]
    NoRandomNumbers(String),
}

impl KeyError {
    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } | Self::NoKey { .. } => "key_missing",
            Self::Unreadable { .. } | Self::Io { .. } => "keys_unreadable",
            Self::NotOurs(_) | Self::InUse { .. } => "key_in_use",
            Self::Forged { .. } => "secret_forged",
            Self::NoRandomNumbers(_) => "internal",
        }
    }

    /// Whether a call went against the state of the keys, and not the machine against us.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::NotOurs(_) | Self::InUse { .. })
    }
}

/// A master key. Its bytes are wiped when it is dropped.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    bytes: Zeroizing<[u8; LENGTH]>,
}

/// A text that is no key; it is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is 32 bytes in base64, 44 characters, as `hilum key new --print` makes them")]
pub struct BadKey;

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

impl FromStr for Key {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let decoded = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| BadKey)?);
        let bytes = Zeroizing::new(<[u8; LENGTH]>::try_from(decoded.as_slice()).map_err(|_| BadKey)?);
        Ok(Self::of(bytes))
    }
}

impl Key {
    /// A new one.
    pub fn random() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        fill(&mut *bytes)?;
        Ok(Self::of(bytes))
    }

    fn of(bytes: Zeroizing<[u8; LENGTH]>) -> Self {
        let id = derived::<8>(DOMAIN, &bytes[..], b"id");
        Self { id: KeyId(crate::storage::hex(&id[..])), bytes }
    }

    /// Which one it is.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// As it is written down: base64.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(&self.bytes[..]))
    }

    /// Where something is looked for that is only kept encrypted: HMAC-SHA256 with a key derived for this.
    pub(crate) fn index(&self, of: &'static str, parts: &[&str]) -> String {
        let derived = derived::<32>(DOMAIN, &self.bytes[..], of.as_bytes());
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &derived[..]));
        for part in parts {
            // With their lengths, so that no two lists of parts are the same bytes.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        crate::storage::hex(context.sign().as_ref())
    }
}

fn fill(bytes: &mut [u8]) -> Result<(), KeyError> {
    getrandom::fill(bytes).map_err(|error| KeyError::NoRandomNumbers(error.to_string()))
}

/// HKDF-SHA256 (RFC 5869).
fn derived<const N: usize>(salt: &[u8], key: &[u8], info: &[u8]) -> Zeroizing<[u8; N]> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut bytes = Zeroizing::new([0; N]);
    let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key);
    // Only lengths beyond 255 digests fail (2.3).
    let filled = secret.expand(&[info], Length(N)).and_then(|okm| okm.fill(&mut bytes[..]));
    assert!(filled.is_ok(), "at most 8160 bytes");
    bytes
}

/// The keys at hand, the current one first.
#[derive(Clone, Debug, Default)]
pub struct KeyRing(Vec<Key>);

impl KeyRing {
    /// These; the first is the current one.
    pub fn new(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    /// The one that encrypts.
    pub(crate) fn current(&self) -> Option<&Key> {
        self.0.first()
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id.as_str() == id)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_itself_and_shows_nothing() {
        let key = Key::random().unwrap();
        let again: Key = key.text().parse().unwrap();
        assert_eq!(again.id(), key.id());
        assert!(!format!("{key:?}").contains(&key.text()[..40]));
        for bad in ["", "short", &key.text()[..43], &format!("{}AAAA", *key.text())] {
            assert!(bad.parse::<Key>().is_err(), "{bad}");
        }
    }

    /// Against Python's cryptography 50.0.2: HKDF(SHA256, length, salt=b"hilum key 1", info).derive(bytes(range(32))).
    #[test]
    fn what_is_derived_is_what_hkdf_of_another_library_derives() {
        let key: Key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".parse().unwrap();
        assert_eq!(key.id().as_str(), "861b4ea0dd7655f3");
        assert_eq!(
            key.index("pseudonym", &["LOCAL", "", "P1"]),
            "e6550b35dd8fbef18da09272b0467e828ef8831a0d6d298d1bd4e7d776daba8d"
        );
        assert_ne!(key.index("pseudonym", &["LOCAL", "P", "1"]), key.index("pseudonym", &["LOCAL", "", "P1"]));
    }
}
