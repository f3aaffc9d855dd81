//! Where an object lies, under the data folder or in the bucket.

use super::segment::{FOLDER, Place};
use hilum_dicom::ObjectDigest;
use std::fmt::Write;
use uuid::Uuid;

/// Names made of hashes, numbers and row ids only: `objects/<segment>/<offset>-<length>-<digest>` for an object,
/// `reports/<institution>/<number>` for the folder of a report, `metadata/<institution>/<number>` for that of packed metadata. In the
/// bucket, `s3:objects/<process>/<UUID>-<length>-<digest>`, `s3:reports/...` and `s3:metadata/...`; what stands behind `s3:` is the name there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

/// What the key of an object in the bucket begins with.
const IN_BUCKET: &str = "s3:";

/// An object of the bucket, by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BucketPlace<'a> {
    /// Below the prefix.
    pub(super) name: &'a str,
    /// Bytes as received.
    pub(super) length: u64,
    pub(super) digest: ObjectDigest,
}

impl ObjectKey {
    /// The folder of objects in the bucket.
    pub(super) const BUCKET_FOLDER: &str = FOLDER;

    /// An object in the bucket.
    pub(super) fn in_bucket(process: Uuid, uuid: Uuid, length: u64, digest: ObjectDigest) -> Self {
        Self(format!("{IN_BUCKET}{}/{uuid}-{length}-{digest}", Self::bucket_folder_of(process)))
    }

    /// The folder in the bucket of what a process kept.
    pub(super) fn bucket_folder_of(process: Uuid) -> String {
        format!("{FOLDER}/{process}")
    }

    /// The object that has this name in the bucket; `None` where it is not one of ours.
    pub(super) fn from_bucket(name: &str) -> Option<Self> {
        let key = Self(format!("{IN_BUCKET}{name}"));
        key.in_bucket_as().is_some().then_some(key)
    }

    /// Whether it lies in the bucket, whatever it is.
    pub(super) fn lies_in_bucket(&self) -> bool {
        self.0.starts_with(IN_BUCKET)
    }

    /// The object of the bucket that it names; `None` for folders, and for what lies elsewhere.
    pub(super) fn in_bucket_as(&self) -> Option<BucketPlace<'_>> {
        let name = self.0.strip_prefix(IN_BUCKET)?;
        let (process, record) = name.strip_prefix(FOLDER)?.strip_prefix('/')?.split_once('/')?;
        // A UUID has 36 characters.
        let (uuid, rest) = record.split_at_checked(36)?;
        let (length, digest) = rest.strip_prefix('-')?.split_once('-')?;
        (process.parse::<Uuid>().is_ok() && uuid.parse::<Uuid>().is_ok()).then_some(())?;
        Some(BucketPlace { name, length: length.parse().ok()?, digest: digest.parse().ok()? })
    }

    /// The folder of the bucket that it names.
    pub(super) fn in_bucket_folder(&self) -> Option<&str> {
        let name = self.0.strip_prefix(IN_BUCKET)?;
        is_folder(name).then_some(name)
    }

    /// The same folder, in the bucket.
    pub(super) fn moved_to_bucket(&self) -> Self {
        Self(format!("{IN_BUCKET}{}", self.0))
    }

    /// An object in a segment.
    pub(super) fn record(segment: &str, offset: u64, length: u64, digest: ObjectDigest) -> Self {
        Self(format!("{FOLDER}/{segment}/{offset}-{length}-{digest}"))
    }

    /// Where in which segment the object lies; `None` for what is a file or folder of its own.
    pub(super) fn place(&self) -> Option<Place<'_>> {
        let (segment, record) = self.0.strip_prefix(FOLDER)?.strip_prefix('/')?.split_once('/')?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if !segment.ends_with(".segment") || !segment.chars().all(plain) || segment.contains("..") {
            return None;
        }
        let mut parts = record.splitn(3, '-');
        let (offset, length, digest) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Place {
            segment,
            offset: offset.parse().ok()?,
            length: length.parse().ok()?,
            digest: digest.parse().ok()?,
        })
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

    /// Bytes of the object that the name promises; folders promise none.
    pub(super) fn length(&self) -> Option<u64> {
        self.place().map(|place| place.length).or_else(|| self.in_bucket_as().map(|place| place.length))
    }

    /// The digest that the name promises; folders promise none.
    pub fn digest(&self) -> Option<ObjectDigest> {
        self.place().map(|place| place.digest).or_else(|| self.in_bucket_as().map(|place| place.digest))
    }

    /// The name under `incoming/<process>/`, from which [`Self::from_incoming_name`] reads the place.
    pub(super) fn incoming_name(&self, nonce: Uuid) -> String {
        format!("{}+{nonce}", self.0.replace('/', "+"))
    }

    pub(super) fn from_incoming_name(name: &str) -> Option<Self> {
        let (target, _nonce) = name.rsplit_once('+')?;
        let target = target.replace('+', "/");
        is_folder(target.strip_prefix(IN_BUCKET).unwrap_or(&target)).then_some(Self(target))
    }
}

fn is_folder(name: &str) -> bool {
    (name.starts_with("reports/") || name.starts_with("metadata/")) && !name.contains("..")
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

    const BLAKE3: ObjectDigest = ObjectDigest::Blake3([0xab; 32]);

    #[test]
    fn an_incoming_name_leads_back_to_its_place_and_never_out_of_the_data_folder() {
        let key = ObjectKey::report(7);
        assert_eq!(ObjectKey::from_incoming_name(&key.incoming_name(Uuid::new_v4())), Some(key));
        assert_eq!(ObjectKey::from_incoming_name("reports+..+..+etc+passwd+x"), None);
        assert_eq!(ObjectKey::from_incoming_name("objects+a+x"), None);
        assert_eq!(ObjectKey::from_incoming_name("alive"), None);
    }

    #[test]
    fn a_name_in_the_bucket_is_one_of_ours_or_no_key() {
        let key = ObjectKey::in_bucket(Uuid::new_v4(), Uuid::new_v4(), 528_080, BLAKE3);
        let place = key.in_bucket_as().unwrap();
        assert_eq!((place.length, place.digest), (528_080, BLAKE3));
        assert_eq!(ObjectKey::from_bucket(place.name), Some(key.clone()));
        assert_eq!((key.place(), key.in_bucket_folder(), key.digest()), (None, None, Some(BLAKE3)));
        for wrong in [
            "objects/a/b",
            "archive.id",
            "objects/../x",
            &place.name.replace("-528080-", "--"),
            &format!("{}/x", place.name),
        ] {
            assert_eq!(ObjectKey::from_bucket(wrong), None, "{wrong}");
        }
        let report = ObjectKey::report(7).moved_to_bucket();
        assert_eq!(report.in_bucket_folder(), report.as_str().strip_prefix("s3:"));
        assert_eq!(ObjectKey::from_incoming_name(&report.incoming_name(Uuid::new_v4())), Some(report));
        assert_eq!(ObjectKey::from_incoming_name("s3:reports+..+x+y"), None);
    }

    #[test]
    fn a_record_is_found_by_its_key_and_nothing_outside_the_segments_is() {
        for digest in [BLAKE3, ObjectDigest::Sha256([0xab; 32])] {
            let key = ObjectKey::record("0b-1.segment", 8192, 528_080, digest);
            let place = key.place().unwrap();
            assert_eq!((place.segment, place.offset, place.length), ("0b-1.segment", 8192, 528_080));
            assert_eq!(key.digest(), Some(digest));
        }
        let digest = "ab".repeat(32);
        for wrong in ["../x.segment/0-1", "a/../../x.segment/0-1", "..segment/0-1", "a.segment/0", "a.segment/-1-1"] {
            assert_eq!(ObjectKey::from_catalogue(format!("objects/{wrong}-{digest}")).place(), None, "{wrong}");
        }
        assert_eq!(ObjectKey::report(1).place(), None);
    }
}
