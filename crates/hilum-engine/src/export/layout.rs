//! The names of the files: `DICOM/<study>/<series>/<instance>`, each made of a hash of the UID (PS3.10 8.2).
//!
//! They depend on nothing else, so that a slice that comes late changes no name, and tell nothing of a patient.

use crate::archive::StoredInstance;
use hilum_dicom::dicomdir::{DirectoryError, FileId};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// The folder of the objects.
const OBJECTS: &str = "DICOM";
const LETTERS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const LENGTH: usize = 8;

/// A name for each of the instances.
pub(super) fn file_ids(instances: &[StoredInstance]) -> Result<Vec<FileId>, DirectoryError> {
    let mut taken = HashSet::new();
    let mut files = Vec::with_capacity(instances.len());
    for StoredInstance { study, series, sop, .. } in instances {
        // Two UIDs of a series with one name are as rare as one in many million; the second then has another one.
        let mut attempt = 0;
        let file = loop {
            let names = [study.as_str(), series.as_str()].map(|uid| name(uid, 0));
            let components = [vec![OBJECTS.to_owned()], names.to_vec(), vec![name(sop.as_str(), attempt)]].concat();
            let file = FileId::new(components)?;
            if taken.insert(file.clone()) {
                break file;
            }
            attempt += 1;
        };
        files.push(file);
    }
    Ok(files)
}

fn name(uid: &str, attempt: u32) -> String {
    let digest = Sha256::new().chain_update(uid).chain_update(attempt.to_le_bytes()).finalize();
    let mut number = digest.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte));
    let mut name = String::with_capacity(LENGTH);
    for _ in 0..LENGTH {
        name.push(char::from(LETTERS[(number % 36) as usize]));
        number /= 36;
    }
    name
}
