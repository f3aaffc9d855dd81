//! What all results have in common: patient, study, series, equipment, and how they become files.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use time::PrimitiveDateTime;

use super::code::{Code, OWN_SCHEME};
use super::source::Source;
use crate::DataSet;
use crate::charset::SpecificCharacterSet;
use crate::data_set::{Stated, Value};
use crate::part10::{IMPLEMENTATION_VERSION_NAME, file_meta};
use crate::uid::{SeriesUid, SopClassUid, SopUid, TransferSyntaxUid};
use crate::write::WriteError;
use crate::write::elements::decimal;
use crate::write::series::{date, time_of_day};

/// One result instance: which one it is, and what it says of itself besides its content.
#[derive(Clone, Debug)]
pub struct ResultInstance<'a> {
    /// The series that was read.
    pub source: &'a Source,
    /// Series Instance UID of the result's own series.
    pub series: SeriesUid,
    /// Series Number.
    pub series_number: u32,
    /// Series Description, at most 64 characters.
    pub series_description: String,
    /// SOP Instance UID.
    pub sop: SopUid,
    /// Instance Number, from 1.
    pub instance_number: u32,
    /// When the content was made.
    pub made_at: PrimitiveDateTime,
    /// Version of the software that made it.
    pub software_version: String,
    /// What it was made with is said with it, in one sentence of at most 1,024 characters.
    pub contribution: String,
    /// The algorithm, as equipment that took part.
    pub algorithm: ContributingAlgorithm,
}

/// An algorithm as a contributor (IHE AIR, General Result Encoding Requirements): another model is another device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContributingAlgorithm {
    /// Manufacturer's Model Name: at most 64 characters are written.
    pub name: String,
    /// Software Versions: at most 64 characters are written.
    pub version: String,
    /// Device UID (0018,1002).
    pub device: SopUid,
}

const MANUFACTURER: &str = "Hilum";
const MODEL: &str = "Hilum urinary stone";

impl ResultInstance<'_> {
    /// Patient, study, series, equipment and SOP common modules of an object of this kind.
    pub(super) fn modules(&self, sop_class: &str, modality: &str) -> DataSet {
        let mut out = self.source.words.clone();
        // What the images went through concerns results that are images.
        for tag in
            [tags::LOSSY_IMAGE_COMPRESSION, tags::LOSSY_IMAGE_COMPRESSION_RATIO, tags::LOSSY_IMAGE_COMPRESSION_METHOD]
        {
            out.remove(tag);
        }
        let (day, time) = (date(self.made_at.date()), time_of_day(self.made_at.time()));
        out.set(tags::SOP_CLASS_UID, sop_class)
            .set(tags::SOP_INSTANCE_UID, self.sop.as_str())
            .set(tags::INSTANCE_CREATION_DATE, &day)
            .set(tags::INSTANCE_CREATION_TIME, &time)
            .set(tags::INSTANCE_NUMBER, self.instance_number.to_string())
            .set(tags::CONTENT_DATE, &day)
            .set(tags::CONTENT_TIME, &time)
            .set(tags::MODALITY, modality)
            .set(tags::SERIES_INSTANCE_UID, self.series.as_str())
            .set(tags::SERIES_NUMBER, self.series_number.to_string())
            .set(tags::SERIES_DATE, &day)
            .set(tags::SERIES_TIME, &time)
            .set(tags::SERIES_DESCRIPTION, &self.series_description)
            .set(tags::MANUFACTURER, MANUFACTURER)
            .set(tags::MANUFACTURER_MODEL_NAME, MODEL)
            // Type 1 in enhanced equipment (PS3.3 C.7.5.2), though software has no serial number.
            .set(tags::DEVICE_SERIAL_NUMBER, IMPLEMENTATION_VERSION_NAME)
            .set(tags::SOFTWARE_VERSIONS, &self.software_version)
            // PS3.3 C.8.13.2.1.1: not for clinical use by itself.
            .set(tags::CONTENT_QUALIFICATION, "RESEARCH");
        out.set_items(tags::CONTRIBUTING_EQUIPMENT_SEQUENCE, self.equipment());
        out
    }

    /// PS3.3 C.12.1.1.5: the scanner, us, and the algorithm.
    fn equipment(&self) -> Vec<DataSet> {
        let scanner = self.source.scanner.clone().map(|mut item| {
            Code::dcm("109101", "Acquisition Equipment").set_in(&mut item, tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE);
            item
        });
        let mut own = DataSet::new();
        Code::dcm("109102", "Processing Equipment").set_in(&mut own, tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE);
        own.set(tags::MANUFACTURER, MANUFACTURER)
            .set(tags::MANUFACTURER_MODEL_NAME, MODEL)
            .set(tags::SOFTWARE_VERSIONS, &self.software_version)
            .set(tags::CONTRIBUTION_DESCRIPTION, &self.contribution);
        let mut algorithm = DataSet::new();
        // IHE has asked for a code of DICOM's own and has none yet.
        Code { value: "Newcode1", scheme: "99IHE", meaning: "Processing Algorithm" }
            .set_in(&mut algorithm, tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE);
        algorithm
            .set(tags::MANUFACTURER, MANUFACTURER)
            .set(tags::MANUFACTURER_MODEL_NAME, cut(&self.algorithm.name, 64))
            .set(tags::SOFTWARE_VERSIONS, cut(&self.algorithm.version, 64))
            .set(tags::DEVICE_UID, self.algorithm.device.as_str());
        scanner.into_iter().chain([own, algorithm]).collect()
    }

    /// The object as a Part 10 file, with its bulk value where it has one.
    pub(super) fn file(
        &self,
        content: &DataSet,
        sop_class: &str,
        bulk: Option<(Tag, VR, Vec<u8>)>,
    ) -> Result<Vec<u8>, WriteError> {
        self.sop.check_for_writing()?;
        self.series.check_for_writing()?;
        check(content, &self.source.words)?;
        let class: SopClassUid = sop_class.parse()?;
        let mut file = file_meta(&class, &self.sop, &TransferSyntaxUid::explicit_little_endian());
        file.extend(match bulk {
            Some((tag, vr, value)) => content.write_with_bulk(tag, vr, &value)?,
            None => content.write(true, &SpecificCharacterSet::utf8(), Stated::Always)?,
        });
        Ok(file)
    }
}

/// A reference to an instance (PS3.3 10.3, 10.8).
pub(super) fn reference(sop_class: &str, sop: &str, frame: Option<u32>) -> DataSet {
    let mut item = DataSet::new();
    item.set(tags::REFERENCED_SOP_CLASS_UID, sop_class).set(tags::REFERENCED_SOP_INSTANCE_UID, sop);
    if let Some(frame) = frame {
        item.set(tags::REFERENCED_FRAME_NUMBER, frame.to_string());
    }
    item
}

/// Says what our own coding scheme is (PS3.3 C.12.1).
pub(super) fn name_own_scheme(data_set: &mut DataSet) {
    let mut item = DataSet::new();
    item.set(tags::CODING_SCHEME_DESIGNATOR, OWN_SCHEME)
        .set(tags::CODING_SCHEME_NAME, "Concepts of Hilum that PS3.16 has no code for")
        .set(tags::CODING_SCHEME_RESPONSIBLE_ORGANIZATION, "Hilum");
    data_set.set_items(tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE, vec![item]);
}

/// Numbers as decimal strings of at most 16 characters.
pub(super) fn set_decimals(data_set: &mut DataSet, tag: Tag, values: &[f64]) -> Result<(), WriteError> {
    let texts = values.iter().map(|value| decimal(*value).ok_or(WriteError::NotANumber { tag }));
    data_set.set_all(tag, texts.collect::<Result<_, _>>()?);
    Ok(())
}

/// At most `most` characters of a text.
pub(super) fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// What PS3.5 6.2 allows, of everything but what was copied.
fn check(data_set: &DataSet, copied: &DataSet) -> Result<(), WriteError> {
    for (tag, vr, value) in data_set.iter() {
        if copied.get(tag) == Some(value) {
            continue;
        }
        match value {
            Value::Items(items) => items.iter().try_for_each(|item| check(item, &DataSet::new()))?,
            Value::Text(values) => values.iter().try_for_each(|text| check_text(tag, vr, text))?,
        }
    }
    Ok(())
}

fn check_text(tag: Tag, vr: VR, text: &str) -> Result<(), WriteError> {
    let (limit, lines) = match vr {
        VR::CS | VR::SH | VR::DS => (16, false),
        VR::IS => (12, false),
        VR::LO | VR::PN | VR::UI => (64, false),
        VR::ST => (1024, true),
        VR::LT => (10240, true),
        VR::UT => (usize::MAX, true),
        _ => return Ok(()),
    };
    if text.chars().count() > limit {
        return Err(WriteError::TooLong { tag, limit });
    }
    let capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ' || c == '_';
    let allowed = |c: char| match vr {
        VR::CS => capital(c),
        _ if lines => !c.is_control() || matches!(c, '\n' | '\r'),
        _ => !c.is_control() && c != '\\',
    };
    match text.chars().position(|c| !allowed(c)) {
        Some(position) => Err(WriteError::Forbidden { tag, position }),
        None => Ok(()),
    }
}
