//! Who and what a written series is about.

use crate::charset::PersonName;
use crate::uid::{SeriesUid, StudyUid};

/// PatientSex (0010,0040).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatientSex {
    /// M
    Male,
    /// F
    Female,
    /// O
    Other,
}

/// PatientPosition (0018,5100), PS3.3 C.7.3.1.1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatientPosition {
    /// Head first, supine.
    Hfs,
    /// Head first, prone.
    Hfp,
    /// Feet first, supine.
    Ffs,
    /// Feet first, prone.
    Ffp,
}

/// The kind of series written, as its ImageType says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesKind {
    /// ORIGINAL\PRIMARY\AXIAL: the volume's slices as they are.
    OriginalAxial,
    /// DERIVED\SECONDARY\REFORMATTED: coronal slices of the volume, front to back.
    CoronalReformat,
    /// ORIGINAL\PRIMARY\LOCALIZER: one frontal average projection.
    Localizer,
}

/// SpecificCharacterSet (0008,0005) of the written files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextEncoding {
    /// `ISO_IR 100`
    Latin1,
    /// `\ISO 2022 IR 149`
    Korean,
    /// `ISO_IR 192`
    Utf8,
}

/// Everything a written series says besides its pixels. Dates are `YYYYMMDD`, times `HHMMSS` or `HHMMSS.FFFFFF`.
#[derive(Clone, Debug, PartialEq)]
pub struct CtSeriesIdentity {
    /// Character set of every text.
    pub text_encoding: TextEncoding,
    /// PatientName.
    pub patient_name: PersonName,
    /// PatientID.
    pub patient_id: String,
    /// PatientBirthDate.
    pub birth_date: String,
    /// PatientSex.
    pub sex: PatientSex,
    /// PatientAge in years, where known.
    pub age_years: Option<u32>,
    /// StudyInstanceUID.
    pub study: StudyUid,
    /// SeriesInstanceUID; SOP Instance UIDs are derived from it.
    pub series: SeriesUid,
    /// StudyDate, also of series and acquisition.
    pub study_date: String,
    /// StudyTime, also of series and acquisition.
    pub study_time: String,
    /// StudyDescription.
    pub study_description: String,
    /// SeriesDescription.
    pub series_description: String,
    /// AccessionNumber.
    pub accession_number: String,
    /// StudyID.
    pub study_id: String,
    /// SeriesNumber.
    pub series_number: u32,
    /// ProtocolName.
    pub protocol: String,
    /// BodyPartExamined, a defined term such as `ABDOMEN`.
    pub body_part: String,
    /// ConvolutionKernel.
    pub kernel: String,
    /// KVP.
    pub kvp: f64,
    /// ContrastBolusAgent, where given.
    pub contrast_agent: Option<String>,
    /// PatientPosition.
    pub position: PatientPosition,
    /// Kind of series.
    pub kind: SeriesKind,
}
