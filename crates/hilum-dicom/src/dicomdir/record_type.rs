//! Which record an object gets, and the keys of each (PS3.3 F.4, F.5).

use dicom_core::Tag;

use super::keys::{Key, Missing};
use crate::uid::SopClassUid;

/// Directory Record Type (0004,1430), of those that lie under a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordType {
    /// `PATIENT`.
    Patient,
    /// `STUDY`.
    Study,
    /// `SERIES`.
    Series,
    /// `IMAGE`.
    Image,
    /// `RT DOSE`.
    RtDose,
    /// `RT STRUCTURE SET`.
    RtStructureSet,
    /// `RT PLAN`.
    RtPlan,
    /// `RT TREAT RECORD`.
    RtTreatmentRecord,
    /// `PRESENTATION`.
    Presentation,
    /// `WAVEFORM`.
    Waveform,
    /// `SR DOCUMENT`.
    SrDocument,
    /// `KEY OBJECT DOC`.
    KeyObjectDocument,
    /// `SPECTROSCOPY`.
    Spectroscopy,
    /// `RAW DATA`.
    RawData,
    /// `REGISTRATION`.
    Registration,
    /// `FIDUCIAL`.
    Fiducial,
    /// `ENCAP DOC`.
    EncapsulatedDocument,
    /// `VALUE MAP`.
    ValueMap,
    /// `STEREOMETRIC`.
    Stereometric,
    /// `PLAN`.
    Plan,
    /// `MEASUREMENT`.
    Measurement,
    /// `SURFACE`.
    Surface,
    /// `SURFACE SCAN`.
    SurfaceScan,
    /// `TRACT`.
    Tract,
    /// `ASSESSMENT`.
    Assessment,
    /// `RADIOTHERAPY`.
    Radiotherapy,
    /// `ANNOTATION`.
    Annotation,
}

const STORAGE: &str = "1.2.840.10008.5.1.4.1.1.";

impl RecordType {
    /// That of an object: by its SOP class, and of a class that is not known here (a private one) by whether it has pixel data.
    pub fn of(sop_class: &SopClassUid, has_pixel_data: bool) -> Self {
        if sop_class.as_str().starts_with("1.2.840.10008.5.1.4.34.") {
            return Self::Plan;
        }
        let class = sop_class.as_str().strip_prefix(STORAGE).unwrap_or_default();
        let family = class.split_once('.').map_or(class, |(family, _)| family);
        match (class, family) {
            ("4.2", _) => Self::Spectroscopy,
            ("9.100.1" | "9.100.2" | "131", _) | (_, "11") => Self::Presentation,
            (_, "9") => Self::Waveform,
            ("66", _) => Self::RawData,
            ("66.1" | "66.3", _) => Self::Registration,
            ("66.2", _) => Self::Fiducial,
            ("66.5", _) => Self::Surface,
            ("66.6", _) => Self::Tract,
            ("67", _) => Self::ValueMap,
            (_, "68") => Self::SurfaceScan,
            ("77.1.5.3", _) => Self::Stereometric,
            ("88.59", _) => Self::KeyObjectDocument,
            ("78.6" | "79.1", _) | (_, "88") => Self::SrDocument,
            ("80.1", _) | (_, "78") => Self::Measurement,
            (_, "90") => Self::Assessment,
            ("91.1", _) => Self::Annotation,
            (_, "104") => Self::EncapsulatedDocument,
            ("481.2", _) => Self::RtDose,
            ("481.3", _) => Self::RtStructureSet,
            ("481.5" | "481.8", _) => Self::RtPlan,
            ("481.4" | "481.6" | "481.7" | "481.9", _) => Self::RtTreatmentRecord,
            // RT images, also the enhanced ones.
            ("481.1" | "481.23" | "481.24", _) => Self::Image,
            (_, "481") => Self::Radiotherapy,
            ("", _) if !has_pixel_data => Self::RawData,
            _ => Self::Image,
        }
    }

    /// The defined term.
    pub fn term(self) -> &'static str {
        match self {
            Self::Patient => "PATIENT",
            Self::Study => "STUDY",
            Self::Series => "SERIES",
            Self::Image => "IMAGE",
            Self::RtDose => "RT DOSE",
            Self::RtStructureSet => "RT STRUCTURE SET",
            Self::RtPlan => "RT PLAN",
            Self::RtTreatmentRecord => "RT TREAT RECORD",
            Self::Presentation => "PRESENTATION",
            Self::Waveform => "WAVEFORM",
            Self::SrDocument => "SR DOCUMENT",
            Self::KeyObjectDocument => "KEY OBJECT DOC",
            Self::Spectroscopy => "SPECTROSCOPY",
            Self::RawData => "RAW DATA",
            Self::Registration => "REGISTRATION",
            Self::Fiducial => "FIDUCIAL",
            Self::EncapsulatedDocument => "ENCAP DOC",
            Self::ValueMap => "VALUE MAP",
            Self::Stereometric => "STEREOMETRIC",
            Self::Plan => "PLAN",
            Self::Measurement => "MEASUREMENT",
            Self::Surface => "SURFACE",
            Self::SurfaceScan => "SURFACE SCAN",
            Self::Tract => "TRACT",
            Self::Assessment => "ASSESSMENT",
            Self::Radiotherapy => "RADIOTHERAPY",
            Self::Annotation => "ANNOTATION",
        }
    }

    /// Its keys, beside those that say where the file is.
    pub(super) fn keys(self) -> &'static [Key] {
        match self {
            Self::Patient => PATIENT,
            Self::Study => STUDY,
            Self::Series => SERIES,
            Self::Image => IMAGE,
            Self::RtDose => RT_DOSE,
            Self::RtStructureSet => RT_STRUCTURE_SET,
            Self::RtPlan => RT_PLAN,
            Self::RtTreatmentRecord => RT_TREATMENT_RECORD,
            Self::Presentation => PRESENTATION,
            Self::SrDocument => SR_DOCUMENT,
            Self::KeyObjectDocument => KEY_OBJECT_DOCUMENT,
            Self::Spectroscopy => SPECTROSCOPY,
            Self::Waveform | Self::RawData => CONTENT,
            Self::Registration
            | Self::Fiducial
            | Self::ValueMap
            | Self::Measurement
            | Self::Surface
            | Self::Tract
            | Self::Annotation => LABELLED_CONTENT,
            Self::EncapsulatedDocument => ENCAPSULATED_DOCUMENT,
            Self::Stereometric | Self::Plan => &[],
            Self::SurfaceScan => SURFACE_SCAN,
            Self::Assessment => ASSESSMENT,
            Self::Radiotherapy => RADIOTHERAPY,
        }
    }
}

const INSTANCE_NUMBER: Key = (Tag(0x0020, 0x0013), Missing::Number);
const CONTENT_DATE: Key = (Tag(0x0008, 0x0023), Missing::Date);
const CONTENT_TIME: Key = (Tag(0x0008, 0x0033), Missing::Time);
const CONTENT_LABEL: Key = (Tag(0x0070, 0x0080), Missing::Text("UNLABELLED"));
const CONTENT_DESCRIPTION: Key = (Tag(0x0070, 0x0081), Missing::Empty);
const CONTENT_CREATOR: Key = (Tag(0x0070, 0x0084), Missing::Empty);
const CONCEPT_NAME: Tag = Tag(0x0040, 0xA043);

const PATIENT: &[Key] = &[
    (Tag(0x0010, 0x0010), Missing::Empty),
    (Tag(0x0010, 0x0020), Missing::LeftOut),
    (Tag(0x0010, 0x0021), Missing::LeftOut),
    (Tag(0x0010, 0x0030), Missing::LeftOut),
    (Tag(0x0010, 0x0040), Missing::LeftOut),
];
const STUDY: &[Key] = &[
    (Tag(0x0008, 0x0020), Missing::Date),
    (Tag(0x0008, 0x0030), Missing::Time),
    (Tag(0x0008, 0x0050), Missing::Empty),
    (Tag(0x0008, 0x1030), Missing::Empty),
    (Tag(0x0020, 0x0010), Missing::Number),
];
const SERIES: &[Key] = &[
    (Tag(0x0008, 0x0060), Missing::Text("OT")),
    (Tag(0x0008, 0x103E), Missing::LeftOut),
    (Tag(0x0020, 0x0011), Missing::Number),
];
// Image Type is none of the keys, but what readers look for first.
const IMAGE: &[Key] = &[(Tag(0x0008, 0x0008), Missing::LeftOut), INSTANCE_NUMBER];
const RT_DOSE: &[Key] = &[INSTANCE_NUMBER, (Tag(0x3004, 0x000A), Missing::Text("PLAN"))];
const RT_STRUCTURE_SET: &[Key] = &[
    INSTANCE_NUMBER,
    (Tag(0x3006, 0x0002), Missing::Text("UNLABELLED")),
    (Tag(0x3006, 0x0008), Missing::Empty),
    (Tag(0x3006, 0x0009), Missing::Empty),
];
const RT_PLAN: &[Key] = &[
    INSTANCE_NUMBER,
    (Tag(0x300A, 0x0002), Missing::Text("UNLABELLED")),
    (Tag(0x300A, 0x0006), Missing::Empty),
    (Tag(0x300A, 0x0007), Missing::Empty),
];
const RT_TREATMENT_RECORD: &[Key] =
    &[INSTANCE_NUMBER, (Tag(0x3008, 0x0250), Missing::Empty), (Tag(0x3008, 0x0251), Missing::Empty)];
const PRESENTATION: &[Key] = &[
    INSTANCE_NUMBER,
    (Tag(0x0070, 0x0082), Missing::Date),
    (Tag(0x0070, 0x0083), Missing::Time),
    CONTENT_LABEL,
    CONTENT_DESCRIPTION,
    CONTENT_CREATOR,
    (Tag(0x0008, 0x1115), Missing::LeftOut),
    (Tag(0x0070, 0x0402), Missing::LeftOut),
];
const SR_DOCUMENT: &[Key] = &[
    INSTANCE_NUMBER,
    (Tag(0x0040, 0xA491), Missing::Text("PARTIAL")),
    (Tag(0x0040, 0xA493), Missing::Text("UNVERIFIED")),
    CONTENT_DATE,
    CONTENT_TIME,
    (Tag(0x0040, 0xA030), Missing::Verified),
    (CONCEPT_NAME, Missing::LeftOut),
    (Tag(0x0040, 0xA730), Missing::LeftOut),
];
const KEY_OBJECT_DOCUMENT: &[Key] = &[
    INSTANCE_NUMBER,
    CONTENT_DATE,
    CONTENT_TIME,
    (CONCEPT_NAME, Missing::LeftOut),
    (Tag(0x0040, 0xA730), Missing::LeftOut),
];
const SPECTROSCOPY: &[Key] = &[
    (Tag(0x0008, 0x0008), Missing::LeftOut),
    CONTENT_DATE,
    CONTENT_TIME,
    INSTANCE_NUMBER,
    (Tag(0x0008, 0x9092), Missing::LeftOut),
    (Tag(0x0028, 0x0008), Missing::Text("1")),
    (Tag(0x0028, 0x0010), Missing::LeftOut),
    (Tag(0x0028, 0x0011), Missing::LeftOut),
    (Tag(0x0028, 0x9001), Missing::LeftOut),
    (Tag(0x0028, 0x9002), Missing::LeftOut),
];
const CONTENT: &[Key] = &[INSTANCE_NUMBER, CONTENT_DATE, CONTENT_TIME];
const LABELLED_CONTENT: &[Key] =
    &[INSTANCE_NUMBER, CONTENT_DATE, CONTENT_TIME, CONTENT_LABEL, CONTENT_DESCRIPTION, CONTENT_CREATOR];
const ENCAPSULATED_DOCUMENT: &[Key] = &[
    (Tag(0x0008, 0x0023), Missing::Empty),
    (Tag(0x0008, 0x0033), Missing::Empty),
    INSTANCE_NUMBER,
    (Tag(0x0042, 0x0010), Missing::Empty),
    (Tag(0x0040, 0xE001), Missing::LeftOut),
    (CONCEPT_NAME, Missing::Empty),
    (Tag(0x0042, 0x0012), Missing::Text("application/octet-stream")),
];
const SURFACE_SCAN: &[Key] = &[CONTENT_DATE, CONTENT_TIME];
const ASSESSMENT: &[Key] =
    &[INSTANCE_NUMBER, (Tag(0x0008, 0x0012), Missing::Date), (Tag(0x0008, 0x0013), Missing::Empty)];
const RADIOTHERAPY: &[Key] = &[
    INSTANCE_NUMBER,
    (Tag(0x3010, 0x0033), Missing::LeftOut),
    (Tag(0x3010, 0x0034), Missing::LeftOut),
    CONTENT_DESCRIPTION,
    CONTENT_CREATOR,
];
