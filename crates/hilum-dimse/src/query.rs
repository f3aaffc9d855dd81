//! Information models of query and retrieve (PS3.4 C.6) and of the modality worklist (PS3.4 K.6), and their identifiers.

use dicom_core::Tag;
use hilum_dicom::{
    DataSet, TransferSyntaxUid,
    charset::SpecificCharacterSet,
    data_set::{DataSetError, Stated, Value},
    matching::{Level, QueryOptions},
};

use crate::{command::Operation, status::Status};

/// Longest identifier that is read.
pub(crate) const MAX_IDENTIFIER: usize = 4 * 1024 * 1024;

pub(crate) const QUERY_RETRIEVE_LEVEL: Tag = Tag(0x0008, 0x0052);
pub(crate) const FAILED_SOP_INSTANCE_UID_LIST: Tag = Tag(0x0008, 0x0058);
const RETRIEVE_AE_TITLE: Tag = Tag(0x0008, 0x0054);

/// What an identifier is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InformationModel {
    /// Patient Root (PS3.4 C.6.1): patient, study, series, image.
    PatientRoot,
    /// Study Root (PS3.4 C.6.2): study, series, image.
    StudyRoot,
    /// Modality Worklist (PS3.4 K.6.1): one level; queries only.
    Worklist,
}

/// SOP classes of the models by service (PS3.4 C.6.1.3, C.6.2.3, K.7).
const SOP_CLASSES: [(&str, InformationModel, Operation); 7] = [
    ("1.2.840.10008.5.1.4.1.2.1.1", InformationModel::PatientRoot, Operation::Find),
    ("1.2.840.10008.5.1.4.1.2.1.2", InformationModel::PatientRoot, Operation::Move),
    ("1.2.840.10008.5.1.4.1.2.1.3", InformationModel::PatientRoot, Operation::Get),
    ("1.2.840.10008.5.1.4.1.2.2.1", InformationModel::StudyRoot, Operation::Find),
    ("1.2.840.10008.5.1.4.1.2.2.2", InformationModel::StudyRoot, Operation::Move),
    ("1.2.840.10008.5.1.4.1.2.2.3", InformationModel::StudyRoot, Operation::Get),
    ("1.2.840.10008.5.1.4.31", InformationModel::Worklist, Operation::Find),
];

impl InformationModel {
    /// The model and the service that a SOP class stands for.
    pub(crate) fn of_sop_class(uid: &str) -> Option<(Self, Operation)> {
        SOP_CLASSES.iter().find(|(known, ..)| *known == uid).map(|(_, model, operation)| (*model, *operation))
    }

    /// The SOP class of a service on this model; none for a retrieval from a worklist.
    pub(crate) fn sop_class(self, service: Operation) -> Option<&'static str> {
        SOP_CLASSES.iter().find(|(_, model, operation)| (*model, *operation) == (self, service)).map(|(uid, ..)| *uid)
    }

    fn has(self, level: Level) -> bool {
        match self {
            Self::PatientRoot => true,
            Self::StudyRoot => level != Level::Patient,
            Self::Worklist => false,
        }
    }
}

/// An identifier as it came: keys, their level, and the character set that the answer is to use.
pub(crate) struct Identifier {
    pub(crate) keys: DataSet,
    pub(crate) level: Option<Level>,
    pub(crate) character_set: SpecificCharacterSet,
}

/// Reads an identifier; a level that the model does not have is refused (PS3.4 C.4.1.1.4).
pub(crate) fn read_identifier(
    bytes: &[u8],
    transfer_syntax: &TransferSyntaxUid,
    model: InformationModel,
) -> Result<Identifier, Status> {
    let mut keys = DataSet::read(bytes, transfer_syntax).map_err(|error| {
        tracing::debug!(%error, "identifier refused");
        Status::CANNOT_UNDERSTAND
    })?;
    let level = match (model, keys.text(QUERY_RETRIEVE_LEVEL).map(str::to_ascii_uppercase)) {
        (InformationModel::Worklist, _) => None,
        (_, None) => return Err(Status::IDENTIFIER_DOES_NOT_MATCH),
        (model, Some(term)) => {
            Some(Level::read(&term).filter(|level| model.has(*level)).ok_or(Status::IDENTIFIER_DOES_NOT_MATCH)?)
        }
    };
    if level.is_some() {
        keys.remove(QUERY_RETRIEVE_LEVEL);
    }
    let character_set = keys.character_set().clone();
    Ok(Identifier { keys, level, character_set })
}

/// Whether the keys name what is to be retrieved: the unique key of the level has values and no wild cards (PS3.4 C.4.2.1.4.1).
/// Without this check, an empty key would mean everything.
pub(crate) fn names_its_entities(keys: &DataSet, level: Level) -> bool {
    let named = keys.texts(level.unique_key());
    let one_patient = level != Level::Patient || named.len() == 1;
    one_patient && !named.is_empty() && named.iter().all(|key| !key.is_empty() && !key.contains(['*', '?']))
}

/// The identifier of a response: of the match, what the keys asked for; and the level (PS3.4 C.4.1.1.3.2). Says besides whether
/// every key asked for is there.
pub(crate) fn answer(
    found: &DataSet,
    keys: &DataSet,
    level: Option<Level>,
    retrieve_ae: Option<&str>,
) -> (DataSet, bool) {
    let (mut answer, mut all) = project(found, keys);
    if let Some(level) = level {
        answer.set(QUERY_RETRIEVE_LEVEL, level.term());
        if let Some(title) = retrieve_ae
            && (found.get(RETRIEVE_AE_TITLE).is_none() || keys.get(RETRIEVE_AE_TITLE).is_none())
        {
            all |= keys.iter().all(|(tag, ..)| tag == RETRIEVE_AE_TITLE || found.get(tag).is_some());
            answer.set(RETRIEVE_AE_TITLE, title);
        }
    }
    (answer, all)
}

/// A sequence key without an item, or with an empty one, asks for the whole sequence.
fn project(found: &DataSet, keys: &DataSet) -> (DataSet, bool) {
    let mut out = DataSet::new();
    let mut all = true;
    for (tag, _, key) in keys.iter() {
        let Some((_, vr, value)) = found.iter().find(|(known, ..)| *known == tag) else {
            all = false;
            continue;
        };
        match (key, value) {
            (Value::Items(keys), Value::Items(items)) if keys.first().is_some_and(|keys| !keys.is_empty()) => {
                let projected = items.iter().map(|item| project(item, &keys[0]));
                let (items, complete): (Vec<_>, Vec<_>) = projected.unzip();
                all &= complete.into_iter().all(|complete| complete);
                out.set_items(tag, items);
            }
            _ => {
                out.insert(tag, vr, value.clone());
            }
        }
    }
    (out, all)
}

/// A response's data set in the character set of the request where it can say all, else in UTF-8, which is then stated.
pub(crate) fn write_answer(
    answer: &DataSet,
    transfer_syntax: &TransferSyntaxUid,
    asked: &SpecificCharacterSet,
) -> Result<Vec<u8>, DataSetError> {
    let explicit = transfer_syntax.encoding().explicit_vr;
    answer
        .write(explicit, asked, Stated::WhenNeeded)
        .or_else(|_| answer.write(explicit, &SpecificCharacterSet::utf8(), Stated::WhenNeeded))
}

/// Service-class-application-information of the extended negotiation for C-FIND (PS3.4 Table C.5-1): relational queries,
/// combined date and time, fuzzy names, timezone, and behind them enhanced images, priority and empty value matching.
pub(crate) fn read_options(information: &[u8]) -> QueryOptions {
    let asked = |index: usize| information.get(index) == Some(&1);
    QueryOptions {
        combined_date_times: asked(1),
        fuzzy_names: asked(2),
        empty_values: asked(6),
        ..QueryOptions::default()
    }
}

/// The answer: as long as what was proposed, so that old requestors understand it.
pub(crate) fn write_options(options: QueryOptions, length: usize) -> Vec<u8> {
    let all = [0, options.combined_date_times.into(), options.fuzzy_names.into(), 0, 0, 0, options.empty_values.into()];
    all[..length.clamp(1, all.len())].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
    const STUDY_INSTANCE_UID: Tag = Tag(0x0020, 0x000D);
    const STUDY_DATE: Tag = Tag(0x0008, 0x0020);
    const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);

    #[test]
    fn a_level_that_the_model_does_not_have_is_refused() {
        let read = |model, level: &str| {
            let mut keys = DataSet::new();
            keys.set(QUERY_RETRIEVE_LEVEL, level).set(PATIENT_ID, "*");
            let bytes = keys.write(false, &SpecificCharacterSet::default(), Stated::WhenNeeded).expect("ASCII");
            read_identifier(&bytes, &TransferSyntaxUid::implicit_little_endian(), model).map(|read| read.level)
        };
        assert_eq!(read(InformationModel::PatientRoot, "PATIENT").ok(), Some(Some(Level::Patient)));
        assert_eq!(read(InformationModel::StudyRoot, "PATIENT").err(), Some(Status::IDENTIFIER_DOES_NOT_MATCH));
        assert_eq!(read(InformationModel::StudyRoot, "").err(), Some(Status::IDENTIFIER_DOES_NOT_MATCH));
        assert_eq!(read(InformationModel::StudyRoot, "FRAME").err(), Some(Status::IDENTIFIER_DOES_NOT_MATCH));
        assert_eq!(read(InformationModel::Worklist, "").ok(), Some(None));
    }

    #[test]
    fn nothing_is_retrieved_without_naming_it() {
        let keys = |tag, value: &str| {
            let mut keys = DataSet::new();
            keys.set(tag, value);
            keys
        };
        assert!(names_its_entities(&keys(STUDY_INSTANCE_UID, "1.2.3"), Level::Study));
        assert!(!names_its_entities(&keys(STUDY_INSTANCE_UID, ""), Level::Study));
        assert!(!names_its_entities(&keys(STUDY_INSTANCE_UID, "1.2.3"), Level::Series));
        assert!(!names_its_entities(&keys(PATIENT_ID, "*"), Level::Patient));
    }

    #[test]
    fn an_answer_holds_what_was_asked_for_and_says_when_something_is_missing() {
        let mut found = DataSet::new();
        found.set(PATIENT_ID, "KR0001").set(PATIENT_NAME, "홍^길동");
        let mut keys = DataSet::new();
        keys.set(PATIENT_ID, "");
        let (answered, all) = answer(&found, &keys, Some(Level::Study), Some("HILUM"));
        assert!(all && answered.get(PATIENT_NAME).is_none());
        assert_eq!(answered.text(QUERY_RETRIEVE_LEVEL), Some("STUDY"));
        assert_eq!(answered.text(RETRIEVE_AE_TITLE), Some("HILUM"));
        keys.set(STUDY_DATE, "");
        assert!(!answer(&found, &keys, Some(Level::Study), Some("HILUM")).1);
    }
}
