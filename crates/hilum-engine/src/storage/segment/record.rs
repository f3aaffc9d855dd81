//! One record: a header of 512 bytes at a multiple of 4 KiB, and the object behind it.
//!
//! The header says all that a row of the catalogue needs and the object does not say itself, so that an index that was lost is made
//! again from the segments. It ends with a digest over itself, its segment's name and its offset: bytes inside an object that
//! look like a header are none.

use crate::access::{InstitutionCode, Scope};
use crate::engine::{Source, Zone};
use hilum_dicom::ObjectDigest;
use sha2::{Digest, Sha256};

/// Records begin at multiples of this many bytes: the block of the usual file systems, so that one record can be punched out.
pub(super) const BLOCK: u64 = 4096;
/// Bytes of a header.
pub(in crate::storage) const HEADER: usize = 512;
const SEALED: usize = HEADER - 32;
pub(super) const MAGIC: &[u8; 8] = b"HILUMOBJ";
/// Versions of a header, which differ in what the digest of the object is.
const SHA256: u32 = 1;
const BLAKE3: u32 = 2;
const NAME_AT: usize = 102;

/// Why an object was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An instance of the archive.
    Instance,
    /// An object put aside.
    Quarantine,
}

/// Whose an object is and how it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Why it is kept.
    pub purpose: Purpose,
    /// Zone.
    pub zone: Zone,
    /// Institution.
    pub institution: InstitutionCode,
    /// How it came in.
    pub source: Source,
    /// Milliseconds since 1970 UTC.
    pub received_at: i64,
    /// Name of its file, if it was one; longer names are cut.
    pub file_name: Option<String>,
}

impl Provenance {
    /// What comes in now, for the caller's own institution.
    pub(crate) fn now(purpose: Purpose, scope: &Scope, zone: Zone, source: Source, file_name: Option<String>) -> Self {
        let institution = scope.home().clone();
        Self { purpose, zone, institution, source, received_at: crate::catalog::now(), file_name }
    }
}

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose, and how it came in.
    pub provenance: Provenance,
    /// Bytes of the object.
    pub length: u64,
    /// Digest of the object.
    pub digest: ObjectDigest,
}

/// Bytes that a record takes up, padding included; `None` beyond what a file can hold.
pub(super) fn extent(length: u64) -> Option<u64> {
    length.checked_add(HEADER as u64)?.checked_next_multiple_of(BLOCK).filter(|bytes| i64::try_from(*bytes).is_ok())
}

impl Header {
    pub(in crate::storage) fn write(&self, segment: &str, offset: u64) -> [u8; HEADER] {
        let Provenance { purpose, zone, institution, source, received_at, file_name } = &self.provenance;
        let mut out = [0; HEADER];
        out[..8].copy_from_slice(MAGIC);
        let version = match self.digest {
            ObjectDigest::Sha256(_) => SHA256,
            ObjectDigest::Blake3(_) => BLAKE3,
        };
        out[8..12].copy_from_slice(&version.to_le_bytes());
        out[12..16].copy_from_slice(&(HEADER as u32).to_le_bytes());
        out[16..24].copy_from_slice(&self.length.to_le_bytes());
        out[24..56].copy_from_slice(self.digest.as_bytes());
        out[56] = match purpose {
            Purpose::Instance => 1,
            Purpose::Quarantine => 2,
        };
        out[57] = match zone {
            Zone::Clinical => 1,
            Zone::Research => 2,
        };
        out[58] = match source {
            Source::Import => 1,
            Source::Dimse => 2,
            Source::Stow => 3,
            Source::Result => 4,
        };
        let code = institution.as_str().as_bytes();
        out[59] = code.len() as u8;
        out[60..60 + code.len()].copy_from_slice(code);
        out[92..100].copy_from_slice(&received_at.to_le_bytes());
        let name = cut(file_name.as_deref().unwrap_or_default(), SEALED - NAME_AT);
        out[100..102].copy_from_slice(&(name.len() as u16).to_le_bytes());
        out[NAME_AT..NAME_AT + name.len()].copy_from_slice(name.as_bytes());
        let seal = seal(segment, offset, &out[..SEALED]);
        out[SEALED..].copy_from_slice(&seal);
        out
    }

    /// `None` when the bytes are no header of this segment at this offset.
    pub(in crate::storage) fn read(bytes: &[u8; HEADER], segment: &str, offset: u64) -> Option<Self> {
        if &bytes[..8] != MAGIC || bytes[SEALED..] != seal(segment, offset, &bytes[..SEALED]) {
            return None;
        }
        let digest = match u32::from_le_bytes(bytes[8..12].try_into().ok()?) {
            SHA256 => ObjectDigest::Sha256,
            BLAKE3 => ObjectDigest::Blake3,
            _ => return None,
        };
        let purpose = match bytes[56] {
            1 => Purpose::Instance,
            2 => Purpose::Quarantine,
            _ => return None,
        };
        let zone = match bytes[57] {
            1 => Zone::Clinical,
            2 => Zone::Research,
            _ => return None,
        };
        let source = match bytes[58] {
            1 => Source::Import,
            2 => Source::Dimse,
            3 => Source::Stow,
            4 => Source::Result,
            _ => return None,
        };
        let code = bytes.get(60..60 + usize::from(bytes[59]).min(32))?;
        let name_length = usize::from(u16::from_le_bytes([bytes[100], bytes[101]]));
        let name = str::from_utf8(bytes.get(NAME_AT..NAME_AT + name_length)?).ok()?;
        Some(Self {
            provenance: Provenance {
                purpose,
                zone,
                institution: str::from_utf8(code).ok()?.parse().ok()?,
                source,
                received_at: i64::from_le_bytes(bytes[92..100].try_into().ok()?),
                file_name: (!name.is_empty()).then(|| name.to_owned()),
            },
            length: u64::from_le_bytes(bytes[16..24].try_into().ok()?),
            digest: digest(bytes[24..56].try_into().ok()?),
        })
    }
}

fn seal(segment: &str, offset: u64, fields: &[u8]) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(segment.as_bytes());
    digest.update(offset.to_le_bytes());
    digest.update(fields);
    digest.finalize().into()
}

/// At most `bytes` bytes of a text, whole characters.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            provenance: Provenance {
                purpose: Purpose::Instance,
                zone: Zone::Clinical,
                institution: InstitutionCode::local(),
                source: Source::Dimse,
                received_at: 1_700_000_000_123,
                file_name: Some("영상.dcm".into()),
            },
            length: 528_080,
            digest: ObjectDigest::Blake3([7; 32]),
        }
    }

    #[test]
    fn a_header_is_one_at_its_own_place_only() {
        let bytes = header().write("a.segment", 4096);
        assert_eq!(Header::read(&bytes, "a.segment", 4096), Some(header()));
        assert_eq!(Header::read(&bytes, "a.segment", 8192), None);
        assert_eq!(Header::read(&bytes, "b.segment", 4096), None);
        for at in [0, 16, 56, 99, NAME_AT, HEADER - 1] {
            let mut damaged = bytes;
            damaged[at] ^= 1;
            assert_eq!(Header::read(&damaged, "a.segment", 4096), None, "byte {at}");
        }
    }

    #[test]
    fn a_header_says_which_digest_its_object_has() {
        for (digest, version) in [(ObjectDigest::Sha256([7; 32]), 1), (ObjectDigest::Blake3([7; 32]), 2)] {
            let bytes = Header { digest, ..header() }.write("a.segment", 0);
            assert_eq!((bytes[8], &bytes[24..56]), (version, &[7; 32][..]));
            assert_eq!(Header::read(&bytes, "a.segment", 0).unwrap().digest, digest);
        }
    }

    #[test]
    fn names_that_are_too_long_are_cut_between_characters() {
        let mut long = header();
        long.provenance.file_name = Some("가".repeat(300));
        let read = Header::read(&long.write("s", 0), "s", 0).unwrap();
        assert_eq!(read.provenance.file_name.unwrap(), "가".repeat(126));
    }

    #[test]
    fn a_record_takes_up_whole_blocks() {
        assert_eq!(extent(0), Some(4096));
        assert_eq!(extent(4096 - 512), Some(4096));
        assert_eq!(extent(4096 - 511), Some(8192));
        assert_eq!(extent(u64::MAX - 3), None);
    }
}
