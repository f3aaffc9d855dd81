//! Who and what a written series is about.

use time::{Date, Time};

use crate::charset::{PersonName, SpecificCharacterSet};
use crate::uid::{SeriesUid, StudyUid};

/// PatientSex (0010,0040).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatientSex {
    /// `M`
    Male,
    /// `F`
    Female,
    /// `O`
    Other,
}

impl PatientSex {
    pub(super) fn term(self) -> &'static str {
        match self {
            Self::Male => "M",
            Self::Female => "F",
            Self::Other => "O",
        }
    }
}

/// PatientPosition (0018,5100), PS3.3 C.7.3.1.1.2. The written rows, columns and slice numbers run as a scanner's would, the
/// voxels keep their place in the patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatientPosition {
    /// Head first, supine: rows run to the left, columns to the back.
    Hfs,
    /// Head first, prone: rows run to the right, columns to the front.
    Hfp,
    /// Feet first, supine: rows run to the right, columns to the back.
    Ffs,
    /// Feet first, prone: rows run to the left, columns to the front.
    Ffp,
}

impl PatientPosition {
    pub(super) fn term(self) -> &'static str {
        match self {
            Self::Hfs => "HFS",
            Self::Hfp => "HFP",
            Self::Ffs => "FFS",
            Self::Ffp => "FFP",
        }
    }
}

/// The kind of series written, as its ImageType (0008,0008) says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesKind {
    /// `ORIGINAL\PRIMARY\AXIAL`: the volume's slices as they are.
    OriginalAxial,
    /// `DERIVED\SECONDARY\REFORMATTED`: coronal slices of the volume, front to back, head on top.
    CoronalReformat,
    /// `ORIGINAL\PRIMARY\LOCALIZER`: one frontal average projection, head on top.
    Localizer,
}

impl SeriesKind {
    pub(super) fn image_type(self) -> &'static str {
        match self {
            Self::OriginalAxial => "ORIGINAL\\PRIMARY\\AXIAL",
            Self::CoronalReformat => "DERIVED\\SECONDARY\\REFORMATTED",
            Self::Localizer => "ORIGINAL\\PRIMARY\\LOCALIZER",
        }
    }
}

/// Everything a written series says besides its pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct CtSeriesIdentity {
    /// SpecificCharacterSet of every text: [`SpecificCharacterSet::korean`], [`SpecificCharacterSet::utf8`] or another.
    pub character_set: SpecificCharacterSet,
    /// PatientName.
    pub patient_name: PersonName,
    /// PatientID.
    pub patient_id: String,
    /// PatientBirthDate.
    pub birth_date: Option<Date>,
    /// PatientSex.
    pub sex: PatientSex,
    /// PatientAge in years, at most 999.
    pub age_years: Option<u16>,
    /// StudyInstanceUID; the Frame of Reference UID is derived from it, so that all series of a study share one.
    pub study: StudyUid,
    /// SeriesInstanceUID; SOP Instance UIDs are derived from it.
    pub series: SeriesUid,
    /// StudyDate, also of series, acquisition and content.
    pub study_date: Date,
    /// StudyTime, also of series, acquisition and content.
    pub study_time: Time,
    /// StudyDescription.
    pub study_description: String,
    /// SeriesDescription; ` (synthetic)` is added where it says neither "synthetic" nor "합성".
    pub series_description: String,
    /// AccessionNumber.
    pub accession_number: String,
    /// StudyID.
    pub study_id: String,
    /// SeriesNumber.
    pub series_number: u32,
    /// ProtocolName.
    pub protocol: String,
    /// BodyPartExamined, a defined term of PS3.16 Annex L such as `ABDOMEN`.
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
