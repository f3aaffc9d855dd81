//! UIDs that are the same for the same seed.

use sha2::{Digest, Sha256};

/// 128 bits for a UID under 2.25 (PS3.5 B.2), the same for the same seed and role (such as `study` or `series 2`): a UUID of
/// version 8 (RFC 9562 5.8) from SHA-256. Use as `StudyUid::from_u128(uid_bits_from_seed(seed, "study"))`.
pub fn uid_bits_from_seed(seed: u64, role: &str) -> u128 {
    uuid_8(&[b"seed", &seed.to_le_bytes(), role.as_bytes()])
}

/// As [`uid_bits_from_seed`], from words: the same words in the same order make the same UID.
pub fn uid_bits_from_words(words: &[&str]) -> u128 {
    let parts: Vec<&[u8]> = [b"words".as_slice()].into_iter().chain(words.iter().map(|word| word.as_bytes())).collect();
    uuid_8(&parts)
}

/// As [`uid_bits_from_seed`], from another UID.
pub(super) fn uid_bits_from_uid(uid: &str, role: &str) -> u128 {
    uuid_8(&[b"uid", uid.as_bytes(), role.as_bytes()])
}

fn uuid_8(parts: &[&[u8]]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps the parts apart.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let bits = digest.iter().take(16).fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
    let version = 0xF_u128 << 76;
    let variant = 0b11_u128 << 62;
    (bits & !version & !variant) | (8 << 76) | (0b10 << 62)
}
