//! What a work item says of its input (PS3.3 C.30.1, Table 10-3b).

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use hilum_dicom::matching::Range;
use hilum_dicom::{AeTitle, DataSet, StudyUid};
use std::collections::BTreeSet;

/// Every study that the input names.
pub(super) fn studies(item: &DataSet) -> BTreeSet<StudyUid> {
    let inputs = item.items(tags::INPUT_INFORMATION_SEQUENCE).iter();
    inputs.filter_map(|input| input.text(tags::STUDY_INSTANCE_UID)?.parse().ok()).collect()
}

/// The one study that a work item is about: of its input, else the one that its results belong to.
pub(crate) fn study_of(item: &DataSet) -> Option<StudyUid> {
    let named = studies(item);
    match named.len() {
        0 => item.text(tags::STUDY_INSTANCE_UID)?.parse().ok(),
        1 => named.into_iter().next(),
        _ => None,
    }
}

/// Application entities that have the input.
pub(crate) fn retrieve_from(item: &DataSet) -> Vec<AeTitle> {
    let mut titles = Vec::new();
    for input in item.items(tags::INPUT_INFORMATION_SEQUENCE) {
        for place in input.items(tags::DICOM_RETRIEVAL_SEQUENCE) {
            titles.extend(place.texts(tags::RETRIEVE_AE_TITLE).iter().filter_map(|title| title.parse().ok()));
        }
    }
    titles.dedup();
    titles
}

/// Whether all of the input is there, by what the requester says.
pub(crate) fn is_ready(item: &DataSet) -> bool {
    item.text(tags::INPUT_READINESS_STATE) == Some("READY")
}

/// When it is to begin, ms since 1970 UTC; a time without an offset is a local one.
pub(super) fn begins_at(item: &DataSet) -> Option<i64> {
    moment(item, tags::SCHEDULED_PROCEDURE_STEP_START_DATE_TIME)?.first.map(|microseconds| microseconds / 1000)
}

/// Until when it is wanted, ms since 1970 UTC.
pub(super) fn expires_at(item: &DataSet) -> Option<i64> {
    moment(item, tags::SCHEDULED_PROCEDURE_STEP_EXPIRATION_DATE_TIME)?.last.map(|microseconds| microseconds / 1000)
}

/// When it was changed last, ms since 1970 UTC.
pub(super) fn changed_at(item: &DataSet) -> Option<i64> {
    moment(item, tags::SCHEDULED_PROCEDURE_STEP_MODIFICATION_DATE_TIME)?.first.map(|microseconds| microseconds / 1000)
}

fn moment(item: &DataSet, tag: Tag) -> Option<Range> {
    let minutes_east = chrono::Local::now().offset().local_minus_utc() / 60;
    Range::read(VR::DT, item.text(tag)?, minutes_east).ok()
}
