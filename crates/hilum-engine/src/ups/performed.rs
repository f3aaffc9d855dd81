//! What a work item says of its performance: how far it is, what was done, what came of it, why it was cancelled (PS3.3 C.30.3, C.30.4).

use super::date_time;
use super::service::{code, station_code, workitem_code};
use crate::StoredInstance;
use crate::catalog::{CatalogError, ReportWork, StudyWork, WorkItem, now};
use crate::error::EngineError;
use crate::views::ReadingStatus;
use dicom_dictionary_std::tags;
use hilum_dicom::ups::{StepState, check_final_state};
use hilum_dicom::{AeTitle, DataSet};
use std::collections::BTreeMap;

/// A reason for discontinuing (PS3.16 CID 9300): value and meaning, of the scheme DCM.
pub(super) type Discontinued = (&'static str, &'static str);

/// PS3.16 CID 9300.
pub(super) const UNSPECIFIED: Discontinued = ("110513", "Discontinued for unspecified reason");
/// PS3.16 CID 9300.
pub(super) const DOCTOR: Discontinued = ("110500", "Doctor canceled procedure");
/// PS3.16 CID 9300.
pub(super) const EQUIPMENT: Discontinued = ("110501", "Equipment failure");
/// PS3.16 CID 9300.
pub(super) const INADEQUATE: Discontinued = ("110527", "Resource inadequate");
/// PS3.16 CID 9300.
pub(super) const EXPIRED: Discontinued = ("110533", "Workitem expired");
/// PS3.16 CID 9300.
pub(super) const WRONG_ORDER: Discontinued = ("110502", "Incorrect procedure ordered");

const PROGRESS: dicom_core::Tag = tags::PROCEDURE_STEP_PROGRESS_INFORMATION_SEQUENCE;
const PERFORMED: dicom_core::Tag = tags::UNIFIED_PROCEDURE_STEP_PERFORMED_PROCEDURE_SEQUENCE;

/// PS3.16 CID 9300.
pub(super) const WRONG_ENTRY: Discontinued = ("110514", "Incorrect worklist entry selected");

/// Why a work item ends without what it asked for.
#[derive(Clone, Debug)]
pub(super) struct Why {
    /// For people.
    text: String,
    /// For programs.
    codes: Vec<DataSet>,
    /// Whom to ask.
    contact: DataSet,
}

impl Why {
    pub(super) fn new(text: impl Into<String>, reason: Discontinued) -> Self {
        let (value, meaning) = reason;
        Self { text: text.into(), codes: vec![code(value, "DCM", meaning)], contact: DataSet::new() }
    }

    /// Because somebody asked for it, in their words and codes where they gave any.
    pub(super) fn asked(request: &DataSet, reason: Discontinued) -> Self {
        let mut why = Self::new(request.text(tags::REASON_FOR_CANCELLATION).unwrap_or_default(), reason);
        let codes = request.items(tags::PROCEDURE_STEP_DISCONTINUATION_REASON_CODE_SEQUENCE);
        if !codes.is_empty() {
            why.codes = codes.to_vec();
        }
        for tag in [tags::CONTACT_URI, tags::CONTACT_DISPLAY_NAME] {
            if let Some(text) = request.text(tag) {
                why.contact.set(tag, text);
            }
        }
        why
    }

    /// By how the reading of its study ended.
    pub(super) fn of_reading(work: &StudyWork) -> Self {
        let reading = &work.reading;
        let said = reading.reason.as_ref().map(|reason| reason.text.clone());
        let (text, reason) = match reading.state {
            ReadingStatus::Cancelled => ("The reading was cancelled.", DOCTOR),
            ReadingStatus::NotApplicable => ("Nothing in the study is read by this service.", WRONG_ORDER),
            ReadingStatus::NoModel => ("No model is installed that reads it.", INADEQUATE),
            ReadingStatus::Refused => ("Nothing was measured.", UNSPECIFIED),
            _ => ("The reading failed.", EQUIPMENT),
        };
        Self::new(said.unwrap_or_else(|| text.to_owned()), reason)
    }
}

/// The word of the audit trail for a state.
pub(super) fn code_of(state: StepState) -> &'static str {
    match state {
        StepState::Scheduled => "created",
        StepState::InProgress => "in_progress",
        StepState::Completed => "completed",
        StepState::Canceled => "canceled",
    }
}

/// It is in this state from now on.
pub(super) fn enter(item: &mut WorkItem, state: StepState) {
    item.state = state;
    item.data_set.set(tags::PROCEDURE_STEP_STATE, state.as_str());
}

/// Our station has begun.
pub(super) fn begin(item: &mut WorkItem, title: &AeTitle) -> Result<(), CatalogError> {
    let mut performed = DataSet::new();
    performed
        .set_items(tags::PERFORMED_STATION_NAME_CODE_SEQUENCE, vec![station_code(title)])
        .set_items(tags::PERFORMED_WORKITEM_CODE_SEQUENCE, vec![workitem_code()])
        .set(tags::PERFORMED_PROCEDURE_STEP_START_DATE_TIME, date_time(now())?)
        .set_items(tags::OUTPUT_INFORMATION_SEQUENCE, Vec::new());
    item.data_set.set_items(PERFORMED, vec![performed]);
    set_progress(item, 0, "claimed");
    Ok(())
}

/// The word for how far it is.
pub(super) fn description(item: &WorkItem) -> Option<&str> {
    item.data_set.items(PROGRESS).first()?.text(tags::PROCEDURE_STEP_PROGRESS_DESCRIPTION)
}

/// How far it is, in percent and in a word; whether that says anything new.
pub(super) fn set_progress(item: &mut WorkItem, percent: u8, description: &str) -> bool {
    let mut progress = item.data_set.items(PROGRESS).first().cloned().unwrap_or_default();
    progress
        .set(tags::PROCEDURE_STEP_PROGRESS, percent.to_string())
        .set(tags::PROCEDURE_STEP_PROGRESS_DESCRIPTION, description);
    let changed = item.data_set.items(PROGRESS).first() != Some(&progress);
    item.data_set.set_items(PROGRESS, vec![progress]);
    changed
}

/// It ends with what came of it.
pub(super) fn complete(
    item: &mut WorkItem,
    report: &ReportWork,
    outputs: &[StoredInstance],
    title: &AeTitle,
) -> Result<(), EngineError> {
    let mut performed = item.data_set.items(PERFORMED).first().cloned().unwrap_or_default();
    let text = |name: &DataSet, kind: &str, tag, value: &str| {
        let mut parameter = DataSet::new();
        parameter
            .set(tags::VALUE_TYPE, kind)
            .set_items(tags::CONCEPT_NAME_CODE_SEQUENCE, vec![name.clone()])
            .set(tag, value);
        parameter
    };
    let series = code("112002", "DCM", "Series Instance UID");
    let version = code("111003", "DCM", "Algorithm Version");
    let parameters = [
        report.series.as_deref().map(|uid| text(&series, "UIDREF", tags::UID, uid)),
        report.model.as_deref().map(|hash| text(&version, "TEXT", tags::TEXT_VALUE, hash)),
    ];
    performed
        .set(tags::PERFORMED_PROCEDURE_STEP_END_DATE_TIME, date_time(now())?)
        .set(tags::PERFORMED_PROCEDURE_STEP_DESCRIPTION, "CT reading for urinary stones")
        .set(
            tags::COMMENTS_ON_THE_PERFORMED_PROCEDURE_STEP,
            format!(
                "Version {} of the report. For research and decision support; not for diagnosis without a physician.",
                report.results.version
            ),
        )
        .set_items(tags::PERFORMED_PROCESSING_PARAMETERS_SEQUENCE, parameters.into_iter().flatten().collect())
        .set_items(tags::OUTPUT_INFORMATION_SEQUENCE, output_items(outputs, title));
    item.data_set.set_items(PERFORMED, vec![performed]);
    set_progress(item, 100, "done");
    end(item, StepState::Completed)
}

/// It ends without.
pub(super) fn cancel(item: &mut WorkItem, why: &Why) -> Result<(), EngineError> {
    let mut progress = item.data_set.items(PROGRESS).first().cloned().unwrap_or_default();
    progress
        .set(tags::PROCEDURE_STEP_CANCELLATION_DATE_TIME, date_time(now())?)
        .set_items(tags::PROCEDURE_STEP_DISCONTINUATION_REASON_CODE_SEQUENCE, why.codes.clone());
    if !why.text.is_empty() {
        progress.set(tags::REASON_FOR_CANCELLATION, why.text.as_str());
    }
    if !why.contact.is_empty() {
        let mut contact = why.contact.clone();
        if contact.text(tags::CONTACT_URI).is_none() {
            contact.set(tags::CONTACT_URI, "");
        }
        progress.set_items(tags::PROCEDURE_STEP_COMMUNICATIONS_URI_SEQUENCE, vec![contact]);
    }
    item.data_set.set_items(PROGRESS, vec![progress]);
    if let Some(mut performed) = item.data_set.items(PERFORMED).first().cloned() {
        performed.set(tags::PERFORMED_PROCEDURE_STEP_END_DATE_TIME, date_time(now())?);
        item.data_set.set_items(PERFORMED, vec![performed]);
    }
    end(item, StepState::Canceled)
}

fn end(item: &mut WorkItem, state: StepState) -> Result<(), EngineError> {
    enter(item, state);
    check_final_state(&item.data_set, state)?;
    (item.transaction, item.next_at) = (None, None);
    Ok(())
}

/// PS3.3 Table 10-3b, one item a series.
fn output_items(outputs: &[StoredInstance], title: &AeTitle) -> Vec<DataSet> {
    let mut series: BTreeMap<&str, (&StoredInstance, Vec<DataSet>)> = BTreeMap::new();
    for instance in outputs {
        let mut reference = DataSet::new();
        reference
            .set(tags::REFERENCED_SOP_CLASS_UID, instance.sop_class.as_str())
            .set(tags::REFERENCED_SOP_INSTANCE_UID, instance.sop.as_str());
        series.entry(instance.series.as_str()).or_insert_with(|| (instance, Vec::new())).1.push(reference);
    }
    let mut items: Vec<(Option<i64>, DataSet)> = series
        .into_values()
        .map(|(first, references)| {
            let mut place = DataSet::new();
            place.set(tags::RETRIEVE_AE_TITLE, title.as_str());
            let mut item = DataSet::new();
            item.set(tags::TYPE_OF_INSTANCES, "DICOM")
                .set(tags::STUDY_INSTANCE_UID, first.study.as_str())
                .set(tags::SERIES_INSTANCE_UID, first.series.as_str())
                .set_items(tags::REFERENCED_SOP_SEQUENCE, references)
                .set_items(tags::DICOM_RETRIEVAL_SEQUENCE, vec![place]);
            (first.series_number, item)
        })
        .collect();
    items.sort_by_key(|(number, _)| *number);
    items.into_iter().map(|(_, item)| item).collect()
}
