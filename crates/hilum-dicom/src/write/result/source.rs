//! The series that was read, as results refer to it.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use crate::data_set::Value;
use crate::header::{HeaderError, Instance};
use crate::uid::{FrameOfReferenceUid, SeriesUid, SopClassUid, SopUid, StudyUid};
use crate::write::WriteError;
use crate::write::seed::uid_bits_from_uid;
use crate::{DataSet, UidError};

/// One slice of the series that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceSlice {
    /// SOP Class UID of its instance.
    pub sop_class: SopClassUid,
    /// SOP Instance UID of its instance.
    pub sop: SopUid,
    /// Number of the frame, from 1, where the instance has several.
    pub frame: Option<u32>,
    /// ImagePositionPatient: centre of the first voxel, patient `[x, y, z]` mm.
    pub position: [f64; 3],
}

/// How the slices lie, as their instances state it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SourceGeometry {
    /// Rows of a slice.
    pub rows: u16,
    /// Columns of a slice.
    pub columns: u16,
    /// ImageOrientationPatient: direction of a row, then of a column.
    pub orientation: [f64; 6],
    /// PixelSpacing in mm: between rows, then between columns.
    pub pixel_spacing: [f64; 2],
    /// SliceThickness in mm.
    pub slice_thickness: f64,
    /// Distance between slices in mm.
    pub slice_spacing: f64,
}

/// The series that was read: what its results say of patient and study, and the slices that they refer to.
///
/// `Debug` hides values, as that of [`DataSet`] does.
#[derive(Clone, Debug)]
pub struct Source {
    /// Attributes of patient, study and lossy compression, as they were stated; text in UTF-8.
    pub(super) words: DataSet,
    /// What the images were made with, where they say it.
    pub(super) scanner: Option<DataSet>,
    pub(super) study: StudyUid,
    pub(super) series: SeriesUid,
    pub(super) frame_of_reference: FrameOfReferenceUid,
    pub(super) modality: String,
    pub(super) geometry: SourceGeometry,
    /// In stack order.
    pub(super) slices: Vec<SourceSlice>,
}

/// Why a series is no source of results.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The first instance's header cannot be walked.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Study or series have no usable UID.
    #[error("the first instance names its study or series by no usable UID: {0}")]
    Uid(#[from] UidError),
    /// Nothing was read.
    #[error("the series has no slices; expected at least one")]
    NoSlices,
}

/// Attributes that results have in common with the images: PS3.3 C.7.1.1, C.7.2.1, C.7.2.2, and the compression that images went
/// through (C.7.6.1.1.5).
const COPIED: [Tag; 22] = [
    tags::TIMEZONE_OFFSET_FROM_UTC,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::ACCESSION_NUMBER,
    tags::INSTITUTION_NAME,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::STUDY_DESCRIPTION,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::ISSUER_OF_PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::PATIENT_AGE,
    tags::PATIENT_SIZE,
    tags::PATIENT_WEIGHT,
    tags::PATIENT_IDENTITY_REMOVED,
    tags::DEIDENTIFICATION_METHOD,
    tags::STUDY_INSTANCE_UID,
    tags::STUDY_ID,
    tags::LOSSY_IMAGE_COMPRESSION,
    tags::LOSSY_IMAGE_COMPRESSION_RATIO,
    tags::LOSSY_IMAGE_COMPRESSION_METHOD,
];

/// Type 2 in every result: there without a value where the images state none (PS3.5 7.4.3).
const TYPE_2: [Tag; 9] = [
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::ACCESSION_NUMBER,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::STUDY_ID,
];

impl Source {
    /// From the header of one of the series' instances, and its slices in stack order.
    pub fn new(first: &Instance<'_>, geometry: SourceGeometry, slices: Vec<SourceSlice>) -> Result<Self, SourceError> {
        if slices.is_empty() {
            return Err(SourceError::NoSlices);
        }
        let stated = DataSet::from_instance(first)?;
        let uid = |tag| stated.text(tag).unwrap_or_default();
        let series: SeriesUid = uid(tags::SERIES_INSTANCE_UID).parse()?;
        let frame_of_reference = uid(tags::FRAME_OF_REFERENCE_UID).parse().unwrap_or_else(|_| {
            FrameOfReferenceUid::from_u128(uid_bits_from_uid(series.as_str(), "frame of reference"))
        });
        let mut words = DataSet::new();
        for tag in COPIED {
            if let Some((vr, values)) = usable(&stated, tag) {
                words.insert(tag, vr, Value::Text(values));
            }
        }
        for tag in TYPE_2 {
            if words.get(tag).is_none() {
                words.set(tag, "");
            }
        }
        Ok(Self {
            study: uid(tags::STUDY_INSTANCE_UID).parse()?,
            series,
            frame_of_reference,
            modality: stated.text(tags::MODALITY).unwrap_or("CT").to_owned(),
            scanner: scanner(&stated),
            words,
            geometry,
            slices,
        })
    }

    /// A slice by its index in the stack.
    pub(super) fn slice(&self, index: usize) -> Result<&SourceSlice, WriteError> {
        self.slices.get(index).ok_or(WriteError::NotInTheSource)
    }

    /// Says of a derived image whether its source went through lossy compression, once and for all (PS3.3 C.7.6.1.1.5).
    pub(super) fn say_compression(&self, image: &mut DataSet) {
        let lossy = self.words.text(tags::LOSSY_IMAGE_COMPRESSION) == Some("01");
        image.set(tags::LOSSY_IMAGE_COMPRESSION, if lossy { "01" } else { "00" });
        if lossy {
            for tag in [tags::LOSSY_IMAGE_COMPRESSION_RATIO, tags::LOSSY_IMAGE_COMPRESSION_METHOD] {
                if self.words.text(tag).is_some() {
                    image.set_all(tag, self.words.texts(tag).to_vec());
                }
            }
        }
    }
}

/// The attribute as it was stated, if its value representation allows that. Names and numbers of the patient stay what they are,
/// even where they are too long, because they say who this is.
fn usable(stated: &DataSet, tag: Tag) -> Option<(VR, Vec<String>)> {
    let (_, vr, value) = stated.iter().find(|(at, _, _)| *at == tag)?;
    let Value::Text(values) = value else { return None };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = |text: &String| match vr {
        VR::DA => text.len() == 8 && digits(text),
        VR::TM => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
            matches!(whole.len(), 2 | 4 | 6) && digits(whole) && fraction.len() <= 6 && digits(fraction)
        }
        VR::AS => text.len() == 4 && digits(&text[..3.min(text.len())]) && text.ends_with(['D', 'W', 'M', 'Y']),
        VR::CS => {
            let allowed = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'_');
            text.len() <= 16 && text.bytes().all(allowed)
        }
        VR::DS => text.len() <= 16 && text.trim().parse::<f64>().is_ok_and(f64::is_finite),
        VR::UI => text.parse::<StudyUid>().is_ok(),
        VR::SH | VR::LO | VR::PN => !text.chars().any(char::is_control),
        _ => false,
    };
    let known = matches!(vr, VR::DA | VR::TM | VR::AS | VR::CS | VR::DS | VR::UI | VR::SH | VR::LO | VR::PN);
    (known && values.iter().filter(|text| !text.is_empty()).all(fits)).then(|| (vr, values.clone()))
}

/// The acquisition equipment as an item of Contributing Equipment Sequence (PS3.3 C.12.1.1.5), whose manufacturer is of type 1.
fn scanner(stated: &DataSet) -> Option<DataSet> {
    stated.text(tags::MANUFACTURER)?;
    let mut item = DataSet::new();
    let copied = [
        tags::MANUFACTURER,
        tags::INSTITUTION_NAME,
        tags::STATION_NAME,
        tags::MANUFACTURER_MODEL_NAME,
        tags::DEVICE_SERIAL_NUMBER,
        tags::SOFTWARE_VERSIONS,
    ];
    for tag in copied {
        if let Some((vr, values)) = usable(stated, tag).filter(|(_, values)| values.iter().any(|text| !text.is_empty()))
        {
            item.insert(tag, vr, Value::Text(values));
        }
    }
    Some(item)
}
