//! The Search transaction (PS3.18 11.9).

use axum::{
    http::{HeaderMap, Uri},
    response::Response,
};
use dicom_core::Tag;
use dicom_dictionary_std::tags;
use hilum_dicom::DataSet;
use hilum_dicom::data_set::Value;
use serde_json::{Value as Json, json};

use super::body::{as_json, with_addresses};
use crate::{
    dicomweb::{
        qido::{self, Question},
        query::Parameters,
        retrieve::{Accept, DICOM_JSON, MULTIPART_XML, Model, base},
    },
    doors::App,
    error::ApiError,
    openapi::{
        Said, bytes,
        schemas::{self, number},
    },
};

/// What an answer says of a work item where nothing else is asked for (PS3.4 Table CC.2.5-3, return keys of type 1 and 2).
const RETURNED: [Tag; 24] = [
    tags::SOP_CLASS_UID,
    tags::SOP_INSTANCE_UID,
    tags::SCHEDULED_PROCEDURE_STEP_PRIORITY,
    tags::SCHEDULED_PROCEDURE_STEP_MODIFICATION_DATE_TIME,
    tags::PROCEDURE_STEP_LABEL,
    tags::WORKLIST_LABEL,
    tags::SCHEDULED_STATION_NAME_CODE_SEQUENCE,
    tags::SCHEDULED_STATION_CLASS_CODE_SEQUENCE,
    tags::SCHEDULED_STATION_GEOGRAPHIC_LOCATION_CODE_SEQUENCE,
    tags::SCHEDULED_HUMAN_PERFORMERS_SEQUENCE,
    tags::SCHEDULED_PROCEDURE_STEP_START_DATE_TIME,
    tags::EXPECTED_COMPLETION_DATE_TIME,
    tags::SCHEDULED_WORKITEM_CODE_SEQUENCE,
    tags::INPUT_READINESS_STATE,
    tags::INPUT_INFORMATION_SEQUENCE,
    tags::STUDY_INSTANCE_UID,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::ISSUER_OF_PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::ADMISSION_ID,
    tags::REFERENCED_REQUEST_SEQUENCE,
    tags::PROCEDURE_STEP_STATE,
];

pub(super) fn said() -> Said {
    let text = || json!({"type": "string"});
    let flag = || json!({"type": "boolean"});
    Said::from("Searches work items (UPS-RS, PS3.18 11.9)")
        .query("limit", "Matches in the answer; 5000 at most", number(1, u64::MAX))
        .query("offset", "Matches that are passed over", number(0, u64::MAX))
        .query("fuzzymatching", "Names that sound or are written alike", flag())
        .query("includefield", "Attributes that are wanted besides: keywords or tags, separated by commas, or `all`", {
            json!({"type": "string", "pattern": "^(all|[0-9A-F]{8}(,[0-9A-F]{8})*)?$"})
        })
        .query("ProcedureStepState", "Key, as every attribute but the Transaction UID may be one", text())
        .query("ScheduledProcedureStepPriority", "Key", text())
        .query("WorklistLabel", "Key, with * and ? as wildcards", text())
        .query("PatientID", "Key", text())
        .gives(200, DICOM_JSON, schemas::data_sets())
        .gives(200, "application/json", schemas::data_sets())
        .gives(200, MULTIPART_XML, bytes())
        .gives(204, "", Json::Null)
        .refuses(&[406])
}

/// `GET /dicom-web/workitems`
pub(super) async fn search(app: App, uri: Uri, headers: HeaderMap, accept: Accept) -> Result<Response, ApiError> {
    let model = Model::wanted(&accept)?;
    let question = Question::read(&Parameters::of(uri.query())?)?;
    let found = app
        .engine
        .search_work_items(&app.scope, &question.keys, question.options, question.offset, question.limit)
        .await?;
    let base = base(&headers, app.port);
    let mut data_sets = String::new();
    for (index, item) in found.items.into_iter().enumerate() {
        if index > 0 {
            data_sets.push(',');
        }
        as_json(&shown(with_addresses(item, &base), &question), &mut data_sets);
    }
    let mut response = qido::body(data_sets, model)?;
    if found.more {
        let text = "The number of results exceeded the limit. There are more: ask again with offset.";
        super::warn(&mut response, &headers, app.port, text);
    }
    Ok(response)
}

/// The attributes of a work item that an answer has; one that was asked for and is not there is empty (PS3.4 CC.2.8.3).
fn shown(item: DataSet, question: &Question) -> DataSet {
    if question.everything {
        return item;
    }
    let keys = question.keys.iter().map(|(tag, ..)| tag);
    let mut out = DataSet::new();
    for tag in RETURNED.into_iter().chain(question.fields.iter().copied()).chain(keys) {
        let known = item.iter().find(|(own, ..)| *own == tag);
        match known {
            Some((_, vr, value)) => {
                out.insert(tag, vr, value.clone());
            }
            None if tag == tags::TRANSACTION_UID => {}
            None => {
                let vr = hilum_dicom::header::dictionary_vr(tag);
                out.insert(tag, vr, Value::empty(vr));
            }
        }
    }
    out
}
