//! The instances of one series, one by one.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use hilum_imaging::{DegenerateAffine, Volume};
use ndarray::{ArrayView2, Axis};
use time::{Date, Time};

use super::elements::Elements;
use super::identity::{CtSeriesIdentity, SeriesKind};
use super::layout::Layout;
use super::seed::uid_bits_from_uid;
use crate::charset::EncodeError;
use crate::data_set::DataSetError;
use crate::uid::{FrameOfReferenceUid, SopUid, UidError};

/// Why a series cannot be written. Attributes are named, their values are not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Nothing to write.
    #[error("the volume is empty; expected at least one voxel along z, y and x")]
    EmptyVolume,
    /// Rows and Columns are 16-bit numbers.
    #[error("the volume is wider than 65,535 voxels; resample it first")]
    TooWide,
    /// The volume's steps do not span space.
    #[error(transparent)]
    Geometry(#[from] DegenerateAffine),
    /// A UID that PS3.5 9.1 does not allow.
    #[error(transparent)]
    Uid(#[from] UidError),
    /// A character that the character set does not have.
    #[error(transparent)]
    Text(#[from] EncodeError),
    /// A value longer than its value representation allows.
    #[error("{tag} is longer than its value representation allows ({limit}); shorten it")]
    TooLong {
        /// The attribute.
        tag: Tag,
        /// Most characters (of a component group for a name), or bytes.
        limit: usize,
    },
    /// A character that the value representation does not allow.
    #[error("{tag}: character {position} is not allowed by its value representation (PS3.5 6.2)")]
    Forbidden {
        /// The attribute.
        tag: Tag,
        /// Index of the character, from 0.
        position: usize,
    },
    /// A data set of texts that cannot be written.
    #[error(transparent)]
    DataSet(#[from] DataSetError),
    /// A result refers to voxels or slices that its series does not have.
    #[error("the result lies outside the series that was read; expected its own slices, rows and columns")]
    NotInTheSource,
    /// A segmentation, or a segment of it, without voxels.
    #[error("a segment has no voxels; a segmentation has at least one segment, and each at least one voxel")]
    EmptySegment,
    /// Segment Number is a 16-bit number.
    #[error("there are more than 65,535 segments; leave some out")]
    TooManySegments,
    /// A number that no decimal string of 16 characters holds.
    #[error("{tag} is no number that 16 characters hold")]
    NotANumber {
        /// The attribute.
        tag: Tag,
    },
}

/// The instances of a series: SOP Instance UID and the whole Part 10 file, in order of InstanceNumber.
pub struct CtSeries<'a> {
    layout: Layout<'a>,
    /// Everything that is the same in all instances.
    common: Elements,
    identity: &'a CtSeriesIdentity,
    next: usize,
}

/// The instances of a series, made one by one (memory of one instance). Head first the first is the uppermost, feet first the
/// lowest slice. Stored values are HU (slope 1, intercept 0).
pub fn ct_series<'a>(volume: &'a Volume, identity: &'a CtSeriesIdentity) -> Result<CtSeries<'a>, WriteError> {
    identity.study.check_for_writing()?;
    identity.series.check_for_writing()?;
    let layout = Layout::of(volume, identity.kind, identity.position)?;
    let mut common = Elements::new(&identity.character_set);
    patient_and_study(&mut common, identity)?;
    series_and_equipment(&mut common, identity)?;
    image(&mut common, identity, &layout)?;
    Ok(CtSeries { layout, common, identity, next: 0 })
}

impl Iterator for CtSeries<'_> {
    type Item = Result<(SopUid, Vec<u8>), WriteError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.layout.hu.len_of(Axis(0)) {
            return None;
        }
        self.next += 1;
        Some(self.instance(self.next - 1))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.layout.hu.len_of(Axis(0)) - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for CtSeries<'_> {}

impl CtSeries<'_> {
    fn instance(&self, slice: usize) -> Result<(SopUid, Vec<u8>), WriteError> {
        let role = format!("instance {}", slice + 1);
        let sop = SopUid::from_u128(uid_bits_from_uid(self.identity.series.as_str(), &role));
        let mut elements = self.common.clone();
        elements.term(tags::SOP_INSTANCE_UID, VR::UI, sop.as_str());
        elements.integer(tags::INSTANCE_NUMBER, slice + 1);
        let position = self.layout.geometry.patient_from_index([slice as f64, 0.0, 0.0]);
        elements.decimals(tags::IMAGE_POSITION_PATIENT, &position)?;
        elements.words(tags::PIXEL_DATA, little_endian(&self.layout.hu.index_axis(Axis(0), slice)));
        let file = elements.into_file(uids::CT_IMAGE_STORAGE, sop.as_str())?;
        Ok((sop, file))
    }
}

fn little_endian(slice: &ArrayView2<'_, i16>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(slice.len() * 2);
    for hu in slice {
        bytes.extend(hu.to_le_bytes());
    }
    bytes
}

fn patient_and_study(elements: &mut Elements, identity: &CtSeriesIdentity) -> Result<(), WriteError> {
    elements.term(tags::SPECIFIC_CHARACTER_SET, VR::CS, &identity.character_set.to_value());
    elements.name(tags::PATIENT_NAME, &identity.patient_name)?;
    elements.text(tags::PATIENT_ID, VR::LO, &identity.patient_id)?;
    elements.term(tags::PATIENT_BIRTH_DATE, VR::DA, &identity.birth_date.map(date).unwrap_or_default());
    elements.term(tags::PATIENT_SEX, VR::CS, identity.sex.term());
    if let Some(years) = identity.age_years {
        elements.text(tags::PATIENT_AGE, VR::AS, &format!("{years:03}Y"))?;
    }
    elements.term(tags::STUDY_INSTANCE_UID, VR::UI, identity.study.as_str());
    elements.text(tags::STUDY_ID, VR::SH, &identity.study_id)?;
    elements.text(tags::STUDY_DESCRIPTION, VR::LO, &identity.study_description)?;
    elements.text(tags::ACCESSION_NUMBER, VR::SH, &identity.accession_number)?;
    elements.term(tags::REFERRING_PHYSICIAN_NAME, VR::PN, "");
    for tag in [tags::STUDY_DATE, tags::SERIES_DATE, tags::ACQUISITION_DATE, tags::CONTENT_DATE] {
        elements.term(tag, VR::DA, &date(identity.study_date));
    }
    for tag in [tags::STUDY_TIME, tags::SERIES_TIME, tags::ACQUISITION_TIME, tags::CONTENT_TIME] {
        elements.term(tag, VR::TM, &time_of_day(identity.study_time));
    }
    Ok(())
}

fn series_and_equipment(elements: &mut Elements, identity: &CtSeriesIdentity) -> Result<(), WriteError> {
    elements.term(tags::SERIES_INSTANCE_UID, VR::UI, identity.series.as_str());
    elements.integer(tags::SERIES_NUMBER, identity.series_number as usize);
    elements.text(tags::SERIES_DESCRIPTION, VR::LO, &said_to_be_synthetic(&identity.series_description))?;
    elements.term(tags::MODALITY, VR::CS, "CT");
    elements.text(tags::PROTOCOL_NAME, VR::LO, &identity.protocol)?;
    elements.text(tags::BODY_PART_EXAMINED, VR::CS, &identity.body_part)?;
    elements.term(tags::PATIENT_POSITION, VR::CS, identity.position.term());
    elements.term(tags::MANUFACTURER, VR::LO, "Hilum");
    elements.term(tags::MANUFACTURER_MODEL_NAME, VR::LO, "synthetic CT");
    elements.term(tags::SOFTWARE_VERSIONS, VR::LO, env!("CARGO_PKG_VERSION"));
    elements.text(tags::CONVOLUTION_KERNEL, VR::SH, &identity.kernel)?;
    elements.decimals(tags::KVP, &[identity.kvp])?;
    if let Some(agent) = &identity.contrast_agent {
        elements.text(tags::CONTRAST_BOLUS_AGENT, VR::LO, agent)?;
    }
    let reference = FrameOfReferenceUid::from_u128(uid_bits_from_uid(identity.study.as_str(), "frame of reference"));
    elements.term(tags::FRAME_OF_REFERENCE_UID, VR::UI, reference.as_str());
    elements.term(tags::POSITION_REFERENCE_INDICATOR, VR::LO, "");
    Ok(())
}

fn image(elements: &mut Elements, identity: &CtSeriesIdentity, layout: &Layout<'_>) -> Result<(), WriteError> {
    elements.term(tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE);
    elements.term(tags::IMAGE_TYPE, VR::CS, identity.kind.image_type());
    if identity.kind == SeriesKind::CoronalReformat {
        elements.term(tags::DERIVATION_DESCRIPTION, VR::ST, "coronal slices of the axial series");
    }
    elements.integer(tags::ACQUISITION_NUMBER, 1);
    elements.term(
        tags::IMAGE_COMMENTS,
        VR::LT,
        "Synthetic CT made by Hilum for tests and demonstration. Not a patient.",
    );
    // A phantom image (PS3.3 C.7.6.1.1.4).
    elements.term(tags::QUALITY_CONTROL_IMAGE, VR::CS, "YES");
    elements.decimals(tags::SLICE_THICKNESS, &[layout.thickness_mm])?;

    let [_, column_step, row_step] = layout.geometry.steps();
    let [_, between_rows, between_columns] = layout.geometry.spacing_mm();
    let along_row = row_step.map(|v| v / between_columns);
    let down_column = column_step.map(|v| v / between_rows);
    elements.decimals(tags::IMAGE_ORIENTATION_PATIENT, &[along_row, down_column].concat())?;
    elements.decimals(tags::PIXEL_SPACING, &[between_rows, between_columns])?;

    let (_, rows, columns) = layout.hu.dim();
    elements.short(tags::ROWS, u16::try_from(rows).map_err(|_| WriteError::TooWide)?);
    elements.short(tags::COLUMNS, u16::try_from(columns).map_err(|_| WriteError::TooWide)?);
    elements.short(tags::SAMPLES_PER_PIXEL, 1);
    elements.term(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
    elements.short(tags::BITS_ALLOCATED, 16);
    elements.short(tags::BITS_STORED, 16);
    elements.short(tags::HIGH_BIT, 15);
    elements.short(tags::PIXEL_REPRESENTATION, 1);
    elements.decimals(tags::WINDOW_CENTER, &[40.0])?;
    elements.decimals(tags::WINDOW_WIDTH, &[400.0])?;
    elements.decimals(tags::RESCALE_INTERCEPT, &[0.0])?;
    elements.decimals(tags::RESCALE_SLOPE, &[1.0])?;
    elements.term(tags::RESCALE_TYPE, VR::LO, "HU");
    Ok(())
}

fn said_to_be_synthetic(description: &str) -> String {
    if description.to_lowercase().contains("synthetic") || description.contains("합성") {
        description.to_owned()
    } else {
        format!("{description} (synthetic)").trim_start().to_owned()
    }
}

pub(super) fn date(date: Date) -> String {
    format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day())
}

pub(super) fn time_of_day(time: Time) -> String {
    format!("{:02}{:02}{:02}", time.hour(), time.minute(), time.second())
}
