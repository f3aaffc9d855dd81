//! Where an object lies under the data folder.

use super::Sha256Digest;
use super::segment::{FOLDER, Place};
use std::fmt::Write;
use uuid::Uuid;

/// Names made of hashes, numbers and row ids only: `objects/<segment>/<offset>-<length>-<SHA-256>` for an object,
/// `reports/<institution>/<number>` for the folder of a report, `metadata/<institution>/<number>` for that of packed metadata.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// An object in a segment.
    pub(super) fn record(segment: &str, offset: u64, length: u64, sha256: &Sha256Digest) -> Self {
        Self(format!("{FOLDER}/{segment}/{offset}-{length}-{}", hex(sha256)))
    }

    /// Where in which segment the object lies; `None` for what is a file or folder of its own.
    pub(super) fn place(&self) -> Option<Place<'_>> {
        let (segment, record) = self.0.strip_prefix(FOLDER)?.strip_prefix('/')?.split_once('/')?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if !segment.ends_with(".segment") || !segment.chars().all(plain) || segment.contains("..") {
            return None;
        }
        let mut parts = record.splitn(3, '-');
        let (offset, length, sha256) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Place { segment, offset: offset.parse().ok()?, length: length.parse().ok()?, sha256: digest(sha256)? })
    }

    /// A new place for the files of a report.
    pub fn report(institution: i64) -> Self {
        Self(format!("reports/{institution}/{}", Uuid::new_v4()))
    }

    /// A new place for the packed metadata of a series.
    pub fn metadata(institution: i64) -> Self {
        Self(format!("metadata/{institution}/{}", Uuid::new_v4()))
    }

    /// As the catalogue stores it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As read back from the catalogue.
    pub(crate) fn from_catalogue(text: String) -> Self {
        Self(text)
    }

    /// The digest that the name promises; folders promise none.
    pub fn sha256(&self) -> Option<Sha256Digest> {
        self.place().map(|place| place.sha256)
    }

    /// The name under `incoming/<process>/`, from which [`Self::from_incoming_name`] reads the place.
    pub(super) fn incoming_name(&self, nonce: Uuid) -> String {
        format!("{}+{nonce}", self.0.replace('/', "+"))
    }

    pub(super) fn from_incoming_name(name: &str) -> Option<Self> {
        let (target, _nonce) = name.rsplit_once('+')?;
        let target = target.replace('+', "/");
        let known = target.starts_with("reports/") || target.starts_with("metadata/");
        (known && !target.contains("..")).then_some(Self(target))
    }
}

fn digest(hexadecimal: &str) -> Option<Sha256Digest> {
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(hexadecimal.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    (hexadecimal.len() == 64).then_some(digest)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incoming_name_leads_back_to_its_place_and_never_out_of_the_data_folder() {
        let key = ObjectKey::report(7);
        assert_eq!(ObjectKey::from_incoming_name(&key.incoming_name(Uuid::new_v4())), Some(key));
        assert_eq!(ObjectKey::from_incoming_name("reports+..+..+etc+passwd+x"), None);
        assert_eq!(ObjectKey::from_incoming_name("objects+a+x"), None);
        assert_eq!(ObjectKey::from_incoming_name("alive"), None);
    }

    #[test]
    fn a_record_is_found_by_its_key_and_nothing_outside_the_segments_is() {
        let key = ObjectKey::record("0b-1.segment", 8192, 528_080, &[0xab; 32]);
        let place = key.place().unwrap();
        assert_eq!((place.segment, place.offset, place.length), ("0b-1.segment", 8192, 528_080));
        assert_eq!(key.sha256(), Some([0xab; 32]));
        let digest = "ab".repeat(32);
        for wrong in ["../x.segment/0-1", "a/../../x.segment/0-1", "..segment/0-1", "a.segment/0", "a.segment/-1-1"] {
            assert_eq!(ObjectKey::from_catalogue(format!("objects/{wrong}-{digest}")).place(), None, "{wrong}");
        }
        assert_eq!(ObjectKey::report(1).place(), None);
    }
}
