//! A row as the attributes that C-FIND and QIDO-RS answer with.

use super::Cursor;
use crate::catalog::CatalogError;
use dicom_core::Tag;
use hilum_dicom::matching::Level;
use hilum_dicom::{DataSet, InstanceFacts, PersonName};
use sea_orm::FromQueryResult;

/// One row of any level; what lies below the level is `None`.
#[derive(Debug, FromQueryResult)]
pub(super) struct Row {
    patient_row: i64,
    name_alphabetic: String,
    name_ideographic: Option<String>,
    name_phonetic: Option<String>,
    patient_id: String,
    issuer: String,
    birth_date: Option<String>,
    sex: Option<String>,
    patient_studies: Option<i64>,
    patient_series: Option<i64>,
    patient_instances: Option<i64>,
    study_row: Option<i64>,
    study_uid: Option<String>,
    study_date: Option<String>,
    study_time: Option<String>,
    study_description: Option<String>,
    accession: Option<String>,
    study_id: Option<String>,
    referring_physician: Option<String>,
    modalities: Option<String>,
    series_count: Option<i64>,
    study_instances: Option<i64>,
    series_row: Option<i64>,
    series_uid: Option<String>,
    series_number: Option<i64>,
    series_description: Option<String>,
    modality: Option<String>,
    series_instances: Option<i64>,
    instance_row: Option<i64>,
    sop_uid: Option<String>,
    sop_class_uid: Option<String>,
    transfer_syntax_uid: Option<String>,
    instance_frames: Option<i64>,
    facts: Option<String>,
}

const PATIENT: [Tag; 9] = [
    Tag(0x0008, 0x0056), // Instance Availability
    Tag(0x0010, 0x0010), // Patient's Name
    Tag(0x0010, 0x0020), // Patient ID
    Tag(0x0010, 0x0021), // Issuer of Patient ID
    Tag(0x0010, 0x0030), // Patient's Birth Date
    Tag(0x0010, 0x0040), // Patient's Sex
    Tag(0x0020, 0x1200), // Number of Patient Related Studies
    Tag(0x0020, 0x1202), // Number of Patient Related Series
    Tag(0x0020, 0x1204), // Number of Patient Related Instances
];

const STUDY: [Tag; 10] = [
    Tag(0x0008, 0x0020), // Study Date
    Tag(0x0008, 0x0030), // Study Time
    Tag(0x0008, 0x0050), // Accession Number
    Tag(0x0008, 0x0061), // Modalities in Study
    Tag(0x0008, 0x0090), // Referring Physician's Name
    Tag(0x0008, 0x1030), // Study Description
    Tag(0x0020, 0x000D), // Study Instance UID
    Tag(0x0020, 0x0010), // Study ID
    Tag(0x0020, 0x1206), // Number of Study Related Series
    Tag(0x0020, 0x1208), // Number of Study Related Instances
];

const SERIES: [Tag; 15] = [
    Tag(0x0008, 0x0021), // Series Date
    Tag(0x0008, 0x0031), // Series Time
    Tag(0x0008, 0x0060), // Modality
    Tag(0x0008, 0x0070), // Manufacturer
    Tag(0x0008, 0x0080), // Institution Name
    Tag(0x0008, 0x1010), // Station Name
    Tag(0x0008, 0x103E), // Series Description
    Tag(0x0008, 0x1090), // Manufacturer's Model Name
    Tag(0x0018, 0x0015), // Body Part Examined
    Tag(0x0018, 0x1030), // Protocol Name
    Tag(0x0018, 0x5100), // Patient Position
    Tag(0x0020, 0x000E), // Series Instance UID
    Tag(0x0020, 0x0011), // Series Number
    Tag(0x0020, 0x0060), // Laterality
    Tag(0x0020, 0x1209), // Number of Series Related Instances
];

const IMAGE: [Tag; 11] = [
    Tag(0x0008, 0x0008), // Image Type
    Tag(0x0008, 0x0016), // SOP Class UID
    Tag(0x0008, 0x0018), // SOP Instance UID
    Tag(0x0008, 0x3002), // Available Transfer Syntax UID
    Tag(0x0020, 0x0012), // Acquisition Number
    Tag(0x0020, 0x0013), // Instance Number
    Tag(0x0028, 0x0004), // Photometric Interpretation
    Tag(0x0028, 0x0008), // Number of Frames
    Tag(0x0028, 0x0010), // Rows
    Tag(0x0028, 0x0011), // Columns
    Tag(0x0028, 0x0100), // Bits Allocated
];

/// The attributes that can be asked for and are answered with at a level: its own and those of the levels above.
pub fn attributes(level: Level) -> Vec<Tag> {
    let mut tags = PATIENT.to_vec();
    for (from, more) in [(Level::Study, &STUDY[..]), (Level::Series, &SERIES[..]), (Level::Image, &IMAGE[..])] {
        if level >= from {
            tags.extend(more);
        }
    }
    if level > Level::Patient {
        // Counts of a patient are answered where patients are asked for.
        tags.retain(|tag| !PATIENT[6..].contains(tag));
    }
    tags
}

impl Row {
    pub(super) fn cursor(&self) -> Cursor {
        Cursor {
            top: self.study_row.unwrap_or(self.patient_row),
            series: self.series_row.unwrap_or(0),
            instance: self.instance_row.unwrap_or(0),
        }
    }

    /// Everything known; an attribute without a value is there and empty.
    pub(super) fn attributes(&self, level: Level) -> Result<DataSet, CatalogError> {
        let facts: Option<InstanceFacts> = self
            .facts
            .as_deref()
            .map(serde_json::from_str)
            .transpose()
            .map_err(|_| CatalogError::Corrupt { what: "header" })?;
        let mut out = DataSet::new();
        self.patient(level, &mut out);
        if level >= Level::Study {
            self.study(&mut out);
        }
        if level >= Level::Series {
            self.series(facts.as_ref(), &mut out);
        }
        if level == Level::Image {
            self.image(facts.as_ref(), &mut out);
        }
        Ok(out)
    }

    fn patient(&self, level: Level, out: &mut DataSet) {
        let name = PersonName {
            alphabetic: self.name_alphabetic.clone(),
            ideographic: self.name_ideographic.clone(),
            phonetic: self.name_phonetic.clone(),
        };
        let values = [
            Some("ONLINE".to_owned()),
            Some(name.to_string()),
            Some(self.patient_id.clone()),
            Some(self.issuer.clone()),
            self.birth_date.as_deref().map(digits),
            self.sex.clone(),
            number(self.patient_studies),
            number(self.patient_series),
            number(self.patient_instances),
        ];
        let said = if level == Level::Patient { PATIENT.len() } else { 6 };
        fill(out, &PATIENT[..said], values);
    }

    fn study(&self, out: &mut DataSet) {
        let values = [
            self.study_date.as_deref().map(digits),
            self.study_time.as_deref().map(digits),
            self.accession.clone(),
            None,
            self.referring_physician.clone(),
            self.study_description.clone(),
            self.study_uid.clone(),
            self.study_id.clone(),
            number(self.series_count),
            number(self.study_instances),
        ];
        fill(out, &STUDY, values);
        let modalities = self.modalities.as_deref().unwrap_or_default();
        out.set_all(STUDY[3], modalities.split('\\').map(str::to_owned).collect());
    }

    fn series(&self, facts: Option<&InstanceFacts>, out: &mut DataSet) {
        let of = |read: fn(&InstanceFacts) -> Option<String>| facts.and_then(read);
        let values = [
            of(|facts| facts.series.date.map(|date| digits(&date.to_string()))),
            of(|facts| {
                facts.series.time.map(|time| format!("{:02}{:02}{:02}", time.hour(), time.minute(), time.second()))
            }),
            self.modality.clone(),
            of(|facts| facts.equipment.manufacturer.clone()),
            of(|facts| facts.equipment.institution.clone()),
            of(|facts| facts.equipment.station.clone()),
            self.series_description.clone(),
            of(|facts| facts.equipment.model.clone()),
            of(|facts| facts.series.body_part.clone()),
            of(|facts| facts.series.protocol.clone()),
            of(|facts| facts.series.patient_position.clone()),
            self.series_uid.clone(),
            number(self.series_number),
            of(|facts| facts.series.laterality.clone()),
            number(self.series_instances),
        ];
        fill(out, &SERIES, values);
    }

    fn image(&self, facts: Option<&InstanceFacts>, out: &mut DataSet) {
        let image = facts.map(|facts| &facts.image);
        let size = |size: Option<u16>| size.map(|size| size.to_string());
        // Number of Frames is an attribute of multi-frame objects only; one frame is no news.
        let frames = self.instance_frames.filter(|frames| *frames > 1);
        let values = [
            None,
            self.sop_class_uid.clone(),
            self.sop_uid.clone(),
            self.transfer_syntax_uid.clone(),
            number(image.and_then(|image| image.acquisition_number)),
            number(image.and_then(|image| image.instance_number)),
            image.and_then(|image| image.photometric_interpretation.clone()),
            number(frames),
            size(image.and_then(|image| image.rows)),
            size(image.and_then(|image| image.columns)),
            size(image.and_then(|image| image.bits_allocated)),
        ];
        fill(out, &IMAGE, values);
        out.set_all(IMAGE[0], image.map(|image| image.image_type.clone()).unwrap_or_default());
    }
}

fn fill<const N: usize>(out: &mut DataSet, tags: &[Tag], values: [Option<String>; N]) {
    for (tag, value) in tags.iter().zip(values) {
        match value.filter(|value| !value.is_empty()) {
            Some(value) => out.set(*tag, value),
            None => out.set_all(*tag, Vec::new()),
        };
    }
}

fn number(value: Option<i64>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// `2026-01-05` as `20260105`, `07:30:00` as `073000`.
fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}
