//! A secret as it is kept: AES-256-GCM under a key and nonce of its own, which HKDF derives from the master key and 256 random bits.
//! No two envelopes share a key, so that their number has no limit. Base64 of version, salt, ciphertext and tag.

use super::{Key, KeyError, KeyId, KeyRing, derived, fill};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const SALT: usize = 32;
const INFO: &[u8] = b"hilum envelope 1";

/// Where an envelope stands. It is authenticated with it, so that one that was moved to another row is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    /// In messages: `second factors`.
    pub(crate) what: &'static str,
    /// Table and column.
    column: &'static str,
    /// What is the row's own and stays.
    row: String,
}

impl Binding {
    pub(crate) fn new(what: &'static str, column: &'static str, row: impl ToString) -> Self {
        Self { what, column, row: row.to_string() }
    }

    fn bytes(&self) -> Vec<u8> {
        [self.column, self.row.as_str()].join("\0").into_bytes()
    }
}

/// An envelope, and which key opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) key: KeyId,
    pub(crate) text: String,
}

impl Key {
    pub(crate) fn seal(&self, binding: &Binding, secret: &[u8]) -> Result<Sealed, KeyError> {
        let mut envelope = vec![VERSION; 1 + SALT];
        fill(&mut envelope[1..])?;
        let (cipher, nonce) = self.cipher(binding, &envelope[1..])?;
        // Room for the tag, so that the secret is not left behind where the buffer was.
        let mut bytes = Zeroizing::new(Vec::with_capacity(secret.len() + AES_256_GCM.tag_len()));
        bytes.extend_from_slice(secret);
        let sealed = cipher.seal_in_place_append_tag(nonce, Aad::from(binding.bytes()), &mut *bytes);
        sealed.map_err(|_| KeyError::Forged { what: binding.what })?;
        envelope.extend_from_slice(&bytes);
        Ok(Sealed { key: self.id.clone(), text: STANDARD_NO_PAD.encode(envelope) })
    }

    fn open(&self, binding: &Binding, text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let forged = || KeyError::Forged { what: binding.what };
        let envelope = STANDARD_NO_PAD.decode(text).map_err(|_| forged())?;
        let (&VERSION, rest) = envelope.split_first().ok_or_else(forged)? else { return Err(forged()) };
        let (salt, rest) = rest.split_at_checked(SALT).ok_or_else(forged)?;
        let (cipher, nonce) = self.cipher(binding, salt)?;
        let mut bytes = Zeroizing::new(rest.to_vec());
        let opened = cipher.open_in_place(nonce, Aad::from(binding.bytes()), &mut bytes).map_err(|_| forged())?;
        let length = opened.len();
        bytes.truncate(length);
        Ok(bytes)
    }

    fn cipher(&self, binding: &Binding, salt: &[u8]) -> Result<(LessSafeKey, Nonce), KeyError> {
        let derived = derived::<44>(salt, &self.bytes[..], INFO);
        let (key, nonce) = derived.split_at(32);
        let unusable = |_| KeyError::Forged { what: binding.what };
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(unusable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(unusable)?;
        Ok((LessSafeKey::new(key), nonce))
    }
}

impl KeyRing {
    /// Opens an envelope; `place` is where keys come from, for the message.
    pub(crate) fn open(
        &self,
        binding: &Binding,
        key: &str,
        text: &str,
        place: &super::KeyPlace,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let Some(known) = self.find(key) else {
            let key = key.parse().map_err(|_| KeyError::Forged { what: binding.what })?;
            return Err(KeyError::Missing { key, what: binding.what, place: place.to_string() });
        };
        known.open(binding, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(row: i64) -> Binding {
        Binding::new("secrets", "table.column", row)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn an_envelope_opens_at_its_place_with_its_key_and_nowhere_else(
            secret in prop::collection::vec(any::<u8>(), 0..200),
            byte in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let (key, other) = (Key::random().unwrap(), Key::random().unwrap());
            let sealed = key.seal(&at(1), &secret).unwrap();
            prop_assert_eq!(&**key.open(&at(1), &sealed.text).unwrap(), &secret[..]);
            prop_assert_ne!(&key.seal(&at(1), &secret).unwrap().text, &sealed.text);
            prop_assert!(key.open(&at(2), &sealed.text).is_err());
            prop_assert!(key.open(&Binding::new("secrets", "table.other", 1), &sealed.text).is_err());
            prop_assert!(other.open(&at(1), &sealed.text).is_err());
            let mut bytes = STANDARD_NO_PAD.decode(&sealed.text).unwrap();
            let index = byte.index(bytes.len());
            bytes[index] ^= 1 << bit;
            prop_assert!(key.open(&at(1), &STANDARD_NO_PAD.encode(&bytes)).is_err());
            prop_assert!(key.open(&at(1), &STANDARD_NO_PAD.encode(&bytes[..index])).is_err());
        }
    }

    /// Made by Python's cryptography 50.0.2: HKDF-SHA256 with the salt, AESGCM of the first 32 bytes with the last 12 as nonce.
    #[test]
    fn an_envelope_of_another_library_opens() {
        let key: Key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".parse().unwrap();
        let text = "AWRlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn+AgYKDT/3E5g2jCEKMcFYJmWUi3i9j24Thcn/z3E8PQv8";
        let binding = Binding::new("second factors", "second_factor.secret", 7);
        assert_eq!(&key.open(&binding, text).unwrap()[..], "둘째 요소".as_bytes());
    }
}
