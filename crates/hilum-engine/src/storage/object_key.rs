//! Where an object lies under the data folder.

use super::Sha256Digest;
use crate::engine::Zone;
use hilum_dicom::StudyUid;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use uuid::Uuid;

/// A path under the data folder made of hashes and row ids only, e.g. `objects/clinical/1/<study hash>/<SHA-256>.dcm`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// The place of a kept instance. The study's hash is salted by institution, so equal UIDs of two institutions differ.
    pub fn instance(zone: Zone, institution: i64, study: &StudyUid, sha256: &Sha256Digest) -> Self {
        let folder = Sha256::digest(format!("{}/{institution}/{study}", zone.as_str()));
        let zone = zone.as_str();
        Self(format!("objects/{zone}/{institution}/{}/{}.dcm", hex(&folder[..16]), hex(sha256)))
    }

    /// The place of an object that was put aside.
    pub fn quarantine(zone: Zone, institution: i64, sha256: &Sha256Digest) -> Self {
        Self(format!("quarantine/{}/{institution}/{}.dcm", zone.as_str(), hex(sha256)))
    }

    /// A new place for the files of a report.
    pub fn report(institution: i64) -> Self {
        Self(format!("reports/{institution}/{}", Uuid::new_v4()))
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
        let name = self.0.rsplit('/').next()?.strip_suffix(".dcm")?;
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(name.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
        }
        (name.len() == 64).then_some(digest)
    }

    /// The name under `incoming/<process>/`, from which [`Self::from_incoming_name`] reads the place.
    pub(super) fn incoming_name(&self, nonce: Uuid) -> String {
        format!("{}+{nonce}", self.0.replace('/', "+"))
    }

    pub(super) fn from_incoming_name(name: &str) -> Option<Self> {
        let (target, _nonce) = name.rsplit_once('+')?;
        let target = target.replace('+', "/");
        let known = ["objects/", "quarantine/", "reports/"].iter().any(|folder| target.starts_with(folder));
        (known && !target.contains("..")).then_some(Self(target))
    }
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
        let study = "1.2.3".parse().unwrap();
        let key = ObjectKey::instance(Zone::Clinical, 7, &study, &[0xab; 32]);
        assert_eq!(ObjectKey::from_incoming_name(&key.incoming_name(Uuid::new_v4())), Some(key.clone()));
        assert_eq!(key.sha256(), Some([0xab; 32]));
        assert!(!key.as_str().contains("1.2.3"), "no UID in a file name");
        assert_eq!(ObjectKey::from_incoming_name("objects+..+..+etc+passwd+x"), None);
        assert_eq!(ObjectKey::from_incoming_name("alive"), None);
        assert_ne!(key, ObjectKey::instance(Zone::Clinical, 8, &study, &[0xab; 32]));
    }
}
