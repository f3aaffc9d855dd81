//! Reading the facts of one instance.

use std::str::FromStr;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::frames::{functional_groups, rescale};
use super::types::{EquipmentFacts, ImageFacts, InstanceFacts, PatientFacts, RequestFacts, SeriesFacts, StudyFacts};
use super::value::{DataSet, Findings};
use crate::header::{Completeness, HeaderError, Instance};
use crate::uid::{SopUid, UidError};

/// Why an instance cannot be told apart from others and therefore cannot be kept as an instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DicomError {
    /// The bytes cannot be walked.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// An identifying attribute is absent or empty.
    #[error(
        "{name} {tag} is absent or empty; an instance cannot be kept without it. Export it again with its identifiers"
    )]
    MissingIdentifier {
        /// The attribute's name.
        name: &'static str,
        /// Its tag.
        tag: Tag,
    },
    /// An identifying attribute is no UID.
    #[error("{name} {tag}: {source}. Export it again with valid identifiers")]
    InvalidIdentifier {
        /// The attribute's name.
        name: &'static str,
        /// Its tag.
        tag: Tag,
        /// What is wrong with it.
        source: UidError,
    },
}

/// Reads the facts of a Part 10 file or bare data set, of whatever transfer syntax. Pixel data is not read and may be cut off.
pub fn read_facts(bytes: &[u8]) -> Result<InstanceFacts, DicomError> {
    InstanceFacts::of(&Instance::parse(bytes)?)
}

/// The SOP Instance UID alone, as [`read_facts`] would read it.
pub fn read_sop_uid(bytes: &[u8]) -> Result<SopUid, DicomError> {
    let instance = Instance::parse(bytes)?;
    identifier(&DataSet::of(&instance, &Findings::default()), "SOP Instance UID", tags::SOP_INSTANCE_UID)
}

impl InstanceFacts {
    /// As [`read_facts`], for an instance already walked.
    pub fn of(instance: &Instance<'_>) -> Result<Self, DicomError> {
        let findings = Findings::default();
        let data_set = DataSet::of(instance, &findings);
        let groups = functional_groups(&data_set);
        let mut facts = Self {
            sop: identifier(&data_set, "SOP Instance UID", tags::SOP_INSTANCE_UID)?,
            sop_class: identifier(&data_set, "SOP Class UID", tags::SOP_CLASS_UID)?,
            transfer_syntax: instance.header().transfer_syntax.clone(),
            patient: patient(&data_set),
            study: study(&data_set)?,
            series: series(&data_set)?,
            equipment: equipment(&data_set),
            image: image(&data_set, instance),
            frames: groups.frames,
            findings: Vec::new(),
        };
        facts.series.kernel = facts.series.kernel.or(groups.kernel);
        let image = &mut facts.image;
        image.orientation = image.orientation.or(groups.first.orientation);
        image.position = image.position.or(groups.first.position);
        image.pixel_spacing = image.pixel_spacing.or(groups.first.pixel_spacing);
        image.slice_thickness = image.slice_thickness.or(groups.first.slice_thickness);
        image.rescale = image.rescale.take().or(groups.first.rescale);
        image.spacing_between_slices = image.spacing_between_slices.or(groups.spacing_between_slices);
        image.gantry_tilt = image.gantry_tilt.or(groups.gantry_tilt);
        facts.findings = findings.take();
        Ok(facts)
    }
}

fn identifier<T: FromStr<Err = UidError>>(
    data_set: &DataSet<'_>,
    name: &'static str,
    tag: Tag,
) -> Result<T, DicomError> {
    data_set
        .uid(tag)
        .ok_or(DicomError::MissingIdentifier { name, tag })?
        .map_err(|source| DicomError::InvalidIdentifier { name, tag, source })
}

fn patient(data_set: &DataSet<'_>) -> PatientFacts {
    PatientFacts {
        id: data_set.key(tags::PATIENT_ID),
        issuer: data_set.key(tags::ISSUER_OF_PATIENT_ID),
        name: data_set.name(tags::PATIENT_NAME),
        birth_date: data_set.date(tags::PATIENT_BIRTH_DATE),
        sex: data_set.text(tags::PATIENT_SEX),
        age: data_set.text(tags::PATIENT_AGE),
    }
}

fn study(data_set: &DataSet<'_>) -> Result<StudyFacts, DicomError> {
    Ok(StudyFacts {
        uid: identifier(data_set, "Study Instance UID", tags::STUDY_INSTANCE_UID)?,
        date: data_set.date(tags::STUDY_DATE),
        time: data_set.time(tags::STUDY_TIME),
        description: data_set.text(tags::STUDY_DESCRIPTION),
        accession: data_set.key(tags::ACCESSION_NUMBER),
        id: data_set.text(tags::STUDY_ID),
        referring_physician: data_set.name(tags::REFERRING_PHYSICIAN_NAME),
    })
}

fn series(data_set: &DataSet<'_>) -> Result<SeriesFacts, DicomError> {
    Ok(SeriesFacts {
        uid: identifier(data_set, "Series Instance UID", tags::SERIES_INSTANCE_UID)?,
        modality: data_set.key(tags::MODALITY),
        number: data_set.whole(tags::SERIES_NUMBER),
        description: data_set.text(tags::SERIES_DESCRIPTION),
        date: data_set.date(tags::SERIES_DATE),
        time: data_set.time(tags::SERIES_TIME),
        body_part: data_set.text(tags::BODY_PART_EXAMINED),
        laterality: data_set.text(tags::LATERALITY),
        protocol: data_set.text(tags::PROTOCOL_NAME),
        kernel: data_set.text(tags::CONVOLUTION_KERNEL),
        contrast_agent: data_set.text(tags::CONTRAST_BOLUS_AGENT),
        patient_position: data_set.text(tags::PATIENT_POSITION),
        performed_date: data_set.date(tags::PERFORMED_PROCEDURE_STEP_START_DATE),
        performed_time: data_set.time(tags::PERFORMED_PROCEDURE_STEP_START_TIME),
        requests: requests(data_set),
    })
}

/// A series may answer several requests; items that name neither step nor procedure say nothing here.
fn requests(data_set: &DataSet<'_>) -> Vec<RequestFacts> {
    let items = data_set.items(tags::REQUEST_ATTRIBUTES_SEQUENCE).into_iter();
    let of = |item: DataSet<'_>| RequestFacts {
        step: item.text(tags::SCHEDULED_PROCEDURE_STEP_ID),
        procedure: item.text(tags::REQUESTED_PROCEDURE_ID),
    };
    items.map(of).filter(|request| *request != RequestFacts::default()).collect()
}

fn equipment(data_set: &DataSet<'_>) -> EquipmentFacts {
    EquipmentFacts {
        manufacturer: data_set.text(tags::MANUFACTURER),
        model: data_set.text(tags::MANUFACTURER_MODEL_NAME),
        institution: data_set.text(tags::INSTITUTION_NAME),
        station: data_set.text(tags::STATION_NAME),
    }
}

fn image(data_set: &DataSet<'_>, instance: &Instance<'_>) -> ImageFacts {
    let signed = data_set.whole::<u16>(tags::PIXEL_REPRESENTATION).map(|representation| representation == 1);
    let sample = |tag| data_set.sample(tag, signed == Some(true));
    let frame_of_reference = match data_set.uid(tags::FRAME_OF_REFERENCE_UID) {
        Some(Err(_)) => data_set.unreadable(tags::FRAME_OF_REFERENCE_UID),
        read => read.and_then(Result::ok),
    };
    ImageFacts {
        instance_number: data_set.whole(tags::INSTANCE_NUMBER),
        acquisition_number: data_set.whole(tags::ACQUISITION_NUMBER),
        image_type: data_set.texts(tags::IMAGE_TYPE),
        comments: data_set.text(tags::IMAGE_COMMENTS),
        rows: data_set.whole(tags::ROWS),
        columns: data_set.whole(tags::COLUMNS),
        frames: data_set.whole(tags::NUMBER_OF_FRAMES).unwrap_or(1),
        samples_per_pixel: data_set.whole(tags::SAMPLES_PER_PIXEL),
        photometric_interpretation: data_set.text(tags::PHOTOMETRIC_INTERPRETATION),
        bits_allocated: data_set.whole(tags::BITS_ALLOCATED),
        bits_stored: data_set.whole(tags::BITS_STORED),
        high_bit: data_set.whole(tags::HIGH_BIT),
        signed,
        pixel_padding_value: sample(tags::PIXEL_PADDING_VALUE),
        pixel_padding_range_limit: sample(tags::PIXEL_PADDING_RANGE_LIMIT),
        frame_of_reference,
        orientation: data_set.vector(tags::IMAGE_ORIENTATION_PATIENT),
        position: data_set.vector(tags::IMAGE_POSITION_PATIENT),
        pixel_spacing: data_set.vector(tags::PIXEL_SPACING),
        slice_thickness: data_set.number(tags::SLICE_THICKNESS),
        spacing_between_slices: data_set.number(tags::SPACING_BETWEEN_SLICES),
        gantry_tilt: data_set.number(tags::GANTRY_DETECTOR_TILT),
        rescale: rescale(data_set),
        lossy: data_set.text(tags::LOSSY_IMAGE_COMPRESSION).is_some_and(|lossy| lossy == "01"),
        truncated: instance.header().completeness != Completeness::Complete,
        has_pixel_data: instance.header().pixel_data.is_some(),
    }
}
