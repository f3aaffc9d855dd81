//! What the bytes of an object are known by.
//!
//! BLAKE3, which takes a third of SHA-256's time where a processor has instructions for that, and a tenth where it has none
//! (ARCHITECTURE.md). Objects that were kept before have a SHA-256: each digest says which it is, and whatever is compared with it is computed
//! in the same way.

use std::fmt;
use std::str::FromStr;

/// What a BLAKE3 begins with where it is written; a SHA-256 is 64 hexadecimal digits alone.
const BLAKE3: &str = "b3-";

/// Digest of all bytes of an object. Written `b3-` and 64 hexadecimal digits, or these alone for a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectDigest {
    /// BLAKE3 of 256 bits, without key or context.
    Blake3([u8; 32]),
    /// SHA-256 (FIPS 180-4), of what was kept before.
    Sha256([u8; 32]),
}

impl ObjectDigest {
    /// Of bytes that are all there.
    pub fn of(bytes: &[u8]) -> Self {
        Self::Blake3(blake3::hash(bytes).into())
    }

    /// Whether these bytes have it.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish() == *self
    }

    /// A digest of the same kind, of nothing yet.
    pub fn hasher(&self) -> ObjectHasher {
        match self {
            Self::Blake3(_) => ObjectHasher::default(),
            Self::Sha256(_) => ObjectHasher(Kind::Sha256(Box::new(ring::digest::Context::new(&ring::digest::SHA256)))),
        }
    }

    /// The 256 bits, whichever they are of.
    pub fn as_bytes(&self) -> &[u8; 32] {
        match self {
            Self::Blake3(bytes) | Self::Sha256(bytes) => bytes,
        }
    }
}

impl fmt::Display for ObjectDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = blake3::Hash::from_bytes(*self.as_bytes()).to_hex();
        match self {
            Self::Blake3(_) => write!(f, "{BLAKE3}{digits}"),
            Self::Sha256(_) => f.write_str(&digits),
        }
    }
}

/// A text that is no digest of an object.
#[derive(Debug, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits, behind \"b3-\" where it is a BLAKE3")]
pub struct BadObjectDigest;

impl FromStr for ObjectDigest {
    type Err = BadObjectDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = |digits: &str| blake3::Hash::from_hex(digits).map(Into::into).map_err(|_| BadObjectDigest);
        match text.strip_prefix(BLAKE3) {
            Some(digits) => bytes(digits).map(Self::Blake3),
            None => bytes(text).map(Self::Sha256),
        }
    }
}

/// A digest of bytes as they come.
pub struct ObjectHasher(Kind);

enum Kind {
    Blake3(Box<blake3::Hasher>),
    Sha256(Box<ring::digest::Context>),
}

impl Default for ObjectHasher {
    /// Of the kind that new objects have.
    fn default() -> Self {
        Self(Kind::Blake3(Box::default()))
    }
}

impl ObjectHasher {
    /// Bytes that are taken at a time where more are to come: BLAKE3 takes twice as long over pieces of 16 KiB and odd ends.
    const STEP: usize = 64 << 10;

    /// Goes on with the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Kind::Blake3(hasher) => {
                hasher.update(bytes);
            }
            Kind::Sha256(context) => context.update(bytes),
        }
    }

    /// Goes on with as many of the next bytes as it is good at while more are to come, and says how many.
    pub fn take(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len() / Self::STEP * Self::STEP;
        self.update(&bytes[..taken]);
        taken
    }

    /// The digest of all that came.
    pub fn finish(self) -> ObjectDigest {
        match self.0 {
            Kind::Blake3(hasher) => ObjectDigest::Blake3(hasher.finalize().into()),
            Kind::Sha256(context) => {
                let mut bytes = [0; 32];
                bytes.copy_from_slice(context.finish().as_ref());
                ObjectDigest::Sha256(bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The input of BLAKE3's published test vectors.
    fn vector(length: usize) -> Vec<u8> {
        (0..=250u8).cycle().take(length).collect()
    }

    #[test]
    fn a_digest_is_the_published_one_however_the_bytes_come() {
        // test_vectors.json of BLAKE3 1.8.
        for (length, digits) in [
            (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
            (1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"),
            (102_400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"),
        ] {
            let bytes = vector(length);
            let digest = ObjectDigest::of(&bytes);
            assert_eq!(digest.to_string(), format!("b3-{digits}"));
            for size in [1, 1023, 16_378, 65_536, 70_000] {
                let mut hasher = ObjectHasher::default();
                bytes.chunks(size).for_each(|piece| hasher.update(piece));
                assert_eq!(hasher.finish(), digest, "{length} by {size}");
            }
        }
    }

    #[test]
    fn what_was_kept_with_another_digest_is_compared_by_that() {
        // FIPS 180-4, the example of two blocks.
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        let written = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
        let kept: ObjectDigest = written.parse().unwrap();
        assert!(kept.is_of(two_blocks) && !kept.is_of(b"another") && kept != ObjectDigest::of(two_blocks));
        assert_eq!(kept.to_string(), written);
    }

    #[test]
    fn of_what_comes_in_pieces_whole_steps_are_taken_and_the_rest_at_the_end() {
        let bytes = vector(200_000);
        let (mut hasher, mut taken) = (ObjectHasher::default(), 0);
        for end in (0..=bytes.len()).step_by(16_000) {
            taken += hasher.take(&bytes[taken..end]);
            assert!(taken % ObjectHasher::STEP == 0 && end - taken < ObjectHasher::STEP, "{taken} of {end}");
        }
        hasher.update(&bytes[taken..]);
        assert_eq!(hasher.finish(), ObjectDigest::of(&bytes));
    }

    #[test]
    fn a_written_digest_is_read_as_the_same_and_anything_else_is_none() {
        for digest in [ObjectDigest::of(b"a"), ObjectDigest::Sha256([0xab; 32])] {
            assert_eq!(digest.to_string().parse::<ObjectDigest>().unwrap(), digest);
        }
        let digits = "ab".repeat(32);
        for wrong in [
            "",
            "b3-",
            &digits[1..],
            &format!("b4-{digits}"),
            &format!("{digits}00"),
            &"가".repeat(32),
            &"+a".repeat(32),
        ] {
            assert!(wrong.parse::<ObjectDigest>().is_err(), "{wrong}");
        }
    }
}
