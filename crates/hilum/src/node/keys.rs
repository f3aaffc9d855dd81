//! What a command asks a peer for: keys and return attributes by level (PS3.4 C.6, K.6.1.2), and the columns to print.

use anyhow::bail;
use dicom_core::Tag;
use hilum_dicom::{
    DataSet,
    data_set::Value,
    matching::{Key, Level, QueryOptions},
};
use hilum_dimse::{InformationModel, Question};

use crate::{
    cli::{KeyArguments, QueryLevel, WorklistArguments},
    failure::WrongCall,
};

pub const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
pub const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
pub const BIRTH_DATE: Tag = Tag(0x0010, 0x0030);
pub const SEX: Tag = Tag(0x0010, 0x0040);
pub const STUDY_UID: Tag = Tag(0x0020, 0x000D);
pub const STUDY_DATE: Tag = Tag(0x0008, 0x0020);
const STUDY_TIME: Tag = Tag(0x0008, 0x0030);
pub const ACCESSION: Tag = Tag(0x0008, 0x0050);
pub const STUDY_DESCRIPTION: Tag = Tag(0x0008, 0x1030);
pub const MODALITIES_IN_STUDY: Tag = Tag(0x0008, 0x0061);
const STUDY_SERIES: Tag = Tag(0x0020, 0x1206);
pub const STUDY_INSTANCES: Tag = Tag(0x0020, 0x1208);
pub const SERIES_UID: Tag = Tag(0x0020, 0x000E);
const SERIES_NUMBER: Tag = Tag(0x0020, 0x0011);
pub const MODALITY: Tag = Tag(0x0008, 0x0060);
const SERIES_DESCRIPTION: Tag = Tag(0x0008, 0x103E);
const SERIES_INSTANCES: Tag = Tag(0x0020, 0x1209);
pub const SOP_UID: Tag = Tag(0x0008, 0x0018);
pub const SOP_CLASS: Tag = Tag(0x0008, 0x0016);
const INSTANCE_NUMBER: Tag = Tag(0x0020, 0x0013);
const PROCEDURE_DESCRIPTION: Tag = Tag(0x0032, 0x1060);
const PROCEDURE_ID: Tag = Tag(0x0040, 0x1001);
pub const STEPS: Tag = Tag(0x0040, 0x0100);
const STEP_STATION: Tag = Tag(0x0040, 0x0001);
pub const STEP_DATE: Tag = Tag(0x0040, 0x0002);
const STEP_TIME: Tag = Tag(0x0040, 0x0003);
const STEP_DESCRIPTION: Tag = Tag(0x0040, 0x0007);
pub const STEP_ID: Tag = Tag(0x0040, 0x0009);

/// The columns of a listing: heading and attribute.
pub type Columns = &'static [(&'static str, Tag)];

const PATIENTS: Columns =
    &[("patient id", PATIENT_ID), ("name", PATIENT_NAME), ("birth date", BIRTH_DATE), ("sex", SEX)];
const STUDIES: Columns = &[
    ("patient id", PATIENT_ID),
    ("name", PATIENT_NAME),
    ("date", STUDY_DATE),
    ("modality", MODALITIES_IN_STUDY),
    ("description", STUDY_DESCRIPTION),
    ("accession", ACCESSION),
    ("instances", STUDY_INSTANCES),
    ("study", STUDY_UID),
];
const SERIES: Columns = &[
    ("number", SERIES_NUMBER),
    ("modality", MODALITY),
    ("description", SERIES_DESCRIPTION),
    ("instances", SERIES_INSTANCES),
    ("series", SERIES_UID),
];
const IMAGES: Columns = &[("number", INSTANCE_NUMBER), ("sop class", SOP_CLASS), ("instance", SOP_UID)];
/// Attributes of a Scheduled Procedure Step are looked up in its sequence.
pub const WORKLIST: Columns = &[
    ("start", STEP_DATE),
    ("time", STEP_TIME),
    ("modality", MODALITY),
    ("station", STEP_STATION),
    ("patient id", PATIENT_ID),
    ("name", PATIENT_NAME),
    ("description", STEP_DESCRIPTION),
    ("accession", ACCESSION),
];

/// The question of a `hilum query`, and how its answers are listed.
pub fn question(level: QueryLevel, keys: &KeyArguments, fuzzy: bool) -> anyhow::Result<(Question, Columns)> {
    let (level, model, columns) = match level {
        QueryLevel::Patient => (Level::Patient, InformationModel::PatientRoot, PATIENTS),
        QueryLevel::Study => (Level::Study, InformationModel::StudyRoot, STUDIES),
        QueryLevel::Series => (Level::Series, InformationModel::StudyRoot, SERIES),
        QueryLevel::Image => (Level::Image, InformationModel::StudyRoot, IMAGES),
    };
    let options = QueryOptions { fuzzy_names: fuzzy, ..QueryOptions::default() };
    let keys = keys_of(level, keys)?;
    Ok((Question { model, level: Some(level), keys, options }, columns))
}

/// The studies that keys mean; none of them given would mean every study there is.
pub fn studies(keys: &KeyArguments, act: &str) -> anyhow::Result<Question> {
    let asked = keys_of(Level::Study, &KeyArguments { series: None, ..keys.clone() })?;
    if asked.iter().all(|(_, _, value)| value.is_empty()) {
        let message = format!(
            "name what to {act}: --study, --patient-id, --name, --date, --modality, --description or --accession"
        );
        return Err(WrongCall(message).into());
    }
    let options = QueryOptions::default();
    Ok(Question { model: InformationModel::StudyRoot, level: Some(Level::Study), keys: asked, options })
}

/// Keys with a value match, those without are returned. A key below another level than its own would not be looked at by the
/// peer: it is refused here.
fn keys_of(level: Level, given: &KeyArguments) -> anyhow::Result<DataSet> {
    let KeyArguments { patient_id, name, date, modality, description, accession, study, series } = given;
    let mut keys = DataSet::new();
    let returned: &[Tag] = match level {
        Level::Patient => &[PATIENT_ID, PATIENT_NAME, BIRTH_DATE, SEX],
        Level::Study => &[
            PATIENT_ID,
            PATIENT_NAME,
            BIRTH_DATE,
            SEX,
            STUDY_DATE,
            STUDY_TIME,
            ACCESSION,
            MODALITIES_IN_STUDY,
            STUDY_DESCRIPTION,
            STUDY_SERIES,
            STUDY_INSTANCES,
            STUDY_UID,
        ],
        Level::Series => &[SERIES_NUMBER, MODALITY, SERIES_DESCRIPTION, SERIES_INSTANCES, STUDY_UID, SERIES_UID],
        Level::Image => &[INSTANCE_NUMBER, SOP_CLASS, SOP_UID, STUDY_UID, SERIES_UID],
    };
    for tag in returned {
        keys.set(*tag, "");
    }
    let (modality_key, description_key) = match level {
        Level::Series => (MODALITY, SERIES_DESCRIPTION),
        _ => (MODALITIES_IN_STUDY, STUDY_DESCRIPTION),
    };
    let date = date.as_deref().map(checked_date).transpose()?;
    for (argument, tag, text) in [
        ("--patient-id", PATIENT_ID, patient_id.as_deref()),
        ("--name", PATIENT_NAME, name.as_deref()),
        ("--date", STUDY_DATE, date),
        ("--modality", modality_key, modality.as_deref()),
        ("--description", description_key, description.as_deref()),
        ("--accession", ACCESSION, accession.as_deref()),
        ("--study", STUDY_UID, study.as_ref().map(AsRef::as_ref)),
        ("--series", SERIES_UID, series.as_ref().map(AsRef::as_ref)),
    ] {
        let Some(text) = text else { continue };
        if !returned.contains(&tag) {
            let message = format!("{argument} is no key of the {} level", level.term().to_lowercase());
            return Err(WrongCall(message).into());
        }
        keys.set(tag, text);
    }
    let missing = match level {
        Level::Series | Level::Image if study.is_none() => "--study",
        Level::Image if series.is_none() => "--series",
        _ => return Ok(keys),
    };
    Err(WrongCall(format!("--level {} needs {missing}", level.term().to_lowercase())).into())
}

fn checked_date(date: &str) -> anyhow::Result<&str> {
    if Key::read(dicom_core::VR::DA, &[date.to_owned()], 0).is_err() {
        let message = "--date is YYYYMMDD or a range: 20261101-20261130, 20261101- or -20261130";
        return Err(WrongCall(message.to_owned()).into());
    }
    Ok(date)
}

/// The question of a `hilum worklist` (PS3.4 Table K.6-1).
pub fn worklist(given: &WorklistArguments) -> anyhow::Result<Question> {
    let WorklistArguments { date, modality, station, patient_id, name, accession, .. } = given;
    let date = date.as_deref().map(checked_date).transpose()?;
    let mut step = DataSet::new();
    for tag in [STEP_TIME, STEP_DESCRIPTION, STEP_ID] {
        step.set(tag, "");
    }
    step.set(STEP_DATE, date.unwrap_or_default());
    step.set(MODALITY, modality.as_deref().unwrap_or_default());
    step.set(STEP_STATION, station.as_deref().unwrap_or_default());
    let mut keys = DataSet::new();
    for tag in [BIRTH_DATE, SEX, STUDY_UID, PROCEDURE_DESCRIPTION, PROCEDURE_ID] {
        keys.set(tag, "");
    }
    keys.set(PATIENT_ID, patient_id.as_deref().unwrap_or_default());
    keys.set(PATIENT_NAME, name.as_deref().unwrap_or_default());
    keys.set(ACCESSION, accession.as_deref().unwrap_or_default());
    keys.set_items(STEPS, vec![step]);
    Ok(Question { model: InformationModel::Worklist, level: None, keys, options: QueryOptions::default() })
}

/// The series of a study.
pub fn series_of(study: &str) -> Question {
    let mut keys = DataSet::new();
    keys.set(STUDY_UID, study).set(SERIES_UID, "").set(MODALITY, "");
    Question { model: InformationModel::StudyRoot, level: Some(Level::Series), keys, options: QueryOptions::default() }
}

/// The instances of a series.
pub fn images_of(study: &str, series: &str) -> Question {
    let mut keys = DataSet::new();
    keys.set(STUDY_UID, study).set(SERIES_UID, series).set(SOP_UID, "").set(SOP_CLASS, "");
    Question { model: InformationModel::StudyRoot, level: Some(Level::Image), keys, options: QueryOptions::default() }
}

/// What a retrieval names: a study, or one series of it.
pub fn retrieval(study: &str, series: Option<&str>) -> Question {
    let mut keys = DataSet::new();
    keys.set(STUDY_UID, study);
    let level = match series {
        None => Level::Study,
        Some(series) => {
            keys.set(SERIES_UID, series);
            Level::Series
        }
    };
    Question { model: InformationModel::StudyRoot, level: Some(level), keys, options: QueryOptions::default() }
}

/// One UID of an answer. A peer without it cannot be retrieved from.
pub fn uid_of<'a>(found: &'a DataSet, tag: Tag, what: &str) -> anyhow::Result<&'a str> {
    match found.text(tag) {
        Some(uid) => Ok(uid),
        None => bail!("the peer answered without {what}"),
    }
}

/// What a column shows; a Scheduled Procedure Step's attributes stand in its sequence.
pub fn cell(found: &DataSet, tag: Tag) -> String {
    let found = match found.get(tag) {
        None => found.items(STEPS).first().unwrap_or(found),
        Some(_) => found,
    };
    match found.get(tag) {
        Some(Value::Text(values)) => values.join("\\"),
        _ => String::new(),
    }
}
