//! Media Storage Directories: what a DICOMDIR says of the objects of a file-set (PS3.3 Annex F, PS3.10 8.6).
//!
//! The keys of a record are the object's own bytes, beside its own Specific Character Set. What an object lacks although its record
//! needs it is filled in, in the directory alone: dates and times from the object's other ones, else 19000101 and 000000, numbers by
//! counting, a Patient ID from the study's UID.

mod keys;
mod record_type;
mod write;

pub use record_type::RecordType;

use std::collections::HashMap;
use std::str::FromStr;

use dicom_core::{Tag, VR};
use sha2::{Digest, Sha256};

use crate::header::{HeaderError, Instance};
use crate::part10::padded;
use crate::recode::Recoder;
use crate::uid::{SeriesUid, SopClassUid, SopUid, StudyUid, TransferSyntaxUid};
use keys::Keys;

/// PS3.10 8.6: the file's name.
pub const NAME: &str = "DICOMDIR";

const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const ISSUER_OF_PATIENT_ID: Tag = Tag(0x0010, 0x0021);

/// Why a directory cannot be made. Names attributes, never their values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// No name of a file-set.
    #[error("a file-set ID has at most 16 characters, of A-Z, 0-9 and underscore (PS3.10 8.1)")]
    FileSetId,
    /// No name of a file in a file-set.
    #[error("a file ID has 1 to 8 components, each of 1 to 8 characters of A-Z, 0-9 and underscore (PS3.10 8.2)")]
    FileId,
    /// The object's header cannot be walked.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Records are pointed to by 32 bits.
    #[error("the directory has more than 4 GiB, which its offsets cannot state: export in several parts")]
    TooLarge,
}

/// File-set ID (0004,1130).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSetId(String);

impl FromStr for FileSetId {
    type Err = DirectoryError;

    fn from_str(text: &str) -> Result<Self, DirectoryError> {
        let right = text.len() <= 16 && text.bytes().all(is_of_a_name);
        right.then(|| Self(text.to_owned())).ok_or(DirectoryError::FileSetId)
    }
}

/// Referenced File ID (0004,1500): where a file lies under the folder of its DICOMDIR.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(Vec<String>);

impl FileId {
    /// Of its components, the file's name last.
    pub fn new(components: Vec<String>) -> Result<Self, DirectoryError> {
        let right = |name: &String| (1..=8).contains(&name.len()) && name.bytes().all(is_of_a_name);
        if (1..=8).contains(&components.len()) && components.iter().all(right) {
            return Ok(Self(components));
        }
        Err(DirectoryError::FileId)
    }

    /// Its components, the file's name last.
    pub fn components(&self) -> &[String] {
        &self.0
    }
}

fn is_of_a_name(character: u8) -> bool {
    character.is_ascii_uppercase() || character.is_ascii_digit() || character == b'_'
}

/// An object of the file-set, as the catalogue knows it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Study Instance UID.
    pub study: &'a StudyUid,
    /// Series Instance UID.
    pub series: &'a SeriesUid,
    /// SOP Instance UID.
    pub sop: &'a SopUid,
    /// SOP Class UID.
    pub sop_class: &'a SopClassUid,
    /// The transfer syntax of its file.
    pub transfer_syntax: &'a TransferSyntaxUid,
    /// Its file.
    pub file: &'a FileId,
}

/// A directory under construction: patients, their studies, series and objects, in the order in which they are added.
#[derive(Clone, Debug)]
pub struct Directory {
    file_set: FileSetId,
    patients: Vec<Record>,
    patient_at: HashMap<Vec<u8>, usize>,
    study_at: HashMap<StudyUid, [usize; 2]>,
    series_at: HashMap<(StudyUid, SeriesUid), usize>,
    content: Sha256,
}

/// A directory record and those below it.
#[derive(Clone, Debug)]
struct Record {
    kind: RecordType,
    /// What follows Directory Record Type, in Explicit VR Little Endian.
    body: Vec<u8>,
    below: Vec<Record>,
}

impl Directory {
    /// An empty directory.
    pub fn new(file_set: FileSetId) -> Self {
        Self {
            content: Sha256::new_with_prefix(&file_set.0),
            file_set,
            patients: Vec::new(),
            patient_at: HashMap::new(),
            study_at: HashMap::new(),
            series_at: HashMap::new(),
        }
    }

    /// Adds an object by its header. A study belongs to the patient that its first object names, and a patient is an ID and its issuer.
    pub fn add(&mut self, instance: &Instance<'_>, entry: &Entry<'_>) -> Result<(), DirectoryError> {
        let keys = Keys::of(instance);
        let kind = RecordType::of(entry.sop_class, instance.header().pixel_data.is_some());
        let beside = self.series(entry).map_or(0, |series| series.below.len());
        // First what can fail, so that a refused object leaves nothing.
        let mut body = reference(entry);
        body.extend(keys.body(kind, beside + 1, &[])?);
        let [patient, study] = match self.study_at.get(entry.study) {
            Some(at) => *at,
            None => self.add_study(&keys, entry)?,
        };
        let study_record = &mut self.patients[patient].below[study];
        let series = if let Some(at) = self.series_at.get(&(entry.study.clone(), entry.series.clone())) {
            *at
        } else {
            let number = study_record.below.len() + 1;
            let uid = (Tag(0x0020, 0x000E), entry.series.as_str());
            let body = keys.body(RecordType::Series, number, &[uid])?;
            study_record.below.push(Record { kind: RecordType::Series, body, below: Vec::new() });
            self.series_at.insert((entry.study.clone(), entry.series.clone()), number - 1);
            number - 1
        };
        study_record.below[series].below.push(Record { kind, body, below: Vec::new() });
        self.content.update(entry.sop.as_str());
        self.content.update(b"\\");
        Ok(())
    }

    fn series(&self, entry: &Entry<'_>) -> Option<&Record> {
        let [patient, study] = self.study_at.get(entry.study)?;
        let series = self.series_at.get(&(entry.study.clone(), entry.series.clone()))?;
        Some(&self.patients[*patient].below[*study].below[*series])
    }

    fn add_study(&mut self, keys: &Keys<'_>, entry: &Entry<'_>) -> Result<[usize; 2], DirectoryError> {
        // Of patients without an ID nobody can say that they are one.
        let known = [keys.text(PATIENT_ID), keys.text(ISSUER_OF_PATIENT_ID)];
        let unknown = Sha256::digest(entry.study.as_str())
            .iter()
            .take(4)
            .fold(String::from("NOID_"), |text, byte| text + &format!("{byte:02X}"));
        let key = if known[0].is_empty() { unknown.clone().into_bytes() } else { known.join(&b'\\') };
        let patient = if let Some(at) = self.patient_at.get(&key) {
            *at
        } else {
            let given: &[(Tag, &str)] = if known[0].is_empty() { &[(PATIENT_ID, unknown.as_str())] } else { &[] };
            let body = keys.body(RecordType::Patient, 1, given)?;
            self.patients.push(Record { kind: RecordType::Patient, body, below: Vec::new() });
            self.patient_at.insert(key, self.patients.len() - 1);
            self.patients.len() - 1
        };
        let studies = &mut self.patients[patient].below;
        let uid = (Tag(0x0020, 0x000D), entry.study.as_str());
        let body = keys.body(RecordType::Study, studies.len() + 1, &[uid])?;
        studies.push(Record { kind: RecordType::Study, body, below: Vec::new() });
        let at = [patient, studies.len() - 1];
        self.study_at.insert(entry.study.clone(), at);
        Ok(at)
    }
}

/// Referenced File ID and the UIDs of the file (PS3.3 F.3.2.2).
fn reference(entry: &Entry<'_>) -> Vec<u8> {
    let mut out = Recoder { bytes: &[], explicit: true, out: Vec::new() };
    out.whole(Tag(0x0004, 0x1500), VR::CS, &padded(&entry.file.components().join("\\"), b' '));
    for (element, uid) in
        [(0x1510, entry.sop_class.as_str()), (0x1511, entry.sop.as_str()), (0x1512, entry.transfer_syntax.as_str())]
    {
        out.whole(Tag(0x0004, element), VR::UI, &padded(uid, 0));
    }
    out.out
}
