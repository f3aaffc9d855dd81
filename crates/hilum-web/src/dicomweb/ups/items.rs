//! One work item: created, retrieved, updated, claimed and ended, asked to be cancelled (PS3.18 11.4 to 11.8).

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use dicom_dictionary_std::tags;
use hilum_dicom::ups::{StepError, StepState};
use hilum_dicom::{DataSet, SopUid};
use hilum_engine::EngineError;
use serde_json::Value as Json;

use super::body::{Body, as_json, with_addresses};
use super::{Transaction, WorkItemPath, answered, warn};
use crate::{
    dicomweb::{
        qido,
        query::Parameters,
        retrieve::{Accept, DICOM_JSON, MULTIPART_XML, Model, base},
    },
    doors::App,
    error::ApiError,
    openapi::{Said, Sketch, Takes, bytes, schemas},
    server::Server,
};

/// A UID in the query, by this name or alone: PS3.18 writes `?{workitem}` and `?{transaction-uid}`.
fn uid_of_query(uri: &Uri, names: &[&str], what: &str) -> Result<Option<SopUid>, ApiError> {
    let mut found = None;
    for (name, value) in Parameters::of(uri.query())?.iter() {
        let is_named = names.iter().any(|own| own.eq_ignore_ascii_case(name));
        let text = match (is_named, value) {
            (true, value) => value,
            (false, "") if name.starts_with(|c: char| c.is_ascii_digit()) => name,
            (false, _) if ["accept", "charset"].iter().any(|own| own.eq_ignore_ascii_case(name)) => continue,
            (false, _) => {
                let message = format!("parameter {name} is none of this address; expected {} or nothing", names[0]);
                return Err(ApiError::bad_request(message));
            }
        };
        let uid: Result<SopUid, _> = text.parse();
        let uid = uid.map_err(|error| ApiError::bad_request(format!("{what} cannot be read: {error}")))?;
        if found.replace(uid).is_some() {
            return Err(ApiError::bad_request(format!("{what} is given twice")));
        }
    }
    Ok(found)
}

pub(super) fn said_of_creation() -> Said {
    Said::from("Creates a work item (UPS-RS, PS3.18 11.4)")
        .query("workitem", "Its SOP Instance UID; without one it gets one", schemas::uid())
        .gives(201, "", Json::Null)
}

/// `POST /dicom-web/workitems?{workitem}`
pub(super) async fn create(app: App, headers: HeaderMap, uri: Uri, Body(stated): Body) -> Response {
    let created = async {
        let names = ["workitem", "AffectedSOPInstanceUID"];
        let uid = uid_of_query(&uri, &names, "the UID of the work item")?;
        let created = app.engine.create_work_item(&app.scope, uid, &stated).await?;
        let url = format!("{}workitems/{}", base(&headers, app.port), created.uid);
        let mut response = StatusCode::CREATED.into_response();
        if let Ok(url) = HeaderValue::from_str(&url) {
            response.headers_mut().insert(header::LOCATION, url.clone());
            response.headers_mut().insert(header::CONTENT_LOCATION, url);
        }
        if created.modified {
            warn(&mut response, &headers, app.port, "The Workitem was created with modifications.");
        }
        Ok(response)
    };
    answered(Transaction::Other, &headers, app.port, created.await)
}

pub(super) fn said_of_retrieval() -> Said {
    Said::from("A work item (UPS-RS, PS3.18 11.5)")
        .gives(200, DICOM_JSON, schemas::data_sets())
        .gives(200, "application/json", schemas::data_sets())
        .gives(200, MULTIPART_XML, bytes())
}

/// `GET /dicom-web/workitems/{workitem}`
pub(super) async fn retrieve(
    app: App,
    headers: HeaderMap,
    accept: Accept,
    WorkItemPath(uid): WorkItemPath,
) -> Result<Response, ApiError> {
    let model = Model::wanted(&accept)?;
    let item = app.engine.work_item(&app.scope, &uid).await?;
    let mut text = String::new();
    as_json(&with_addresses(item, &base(&headers, app.port)), &mut text);
    qido::body(text, model)
}

pub(super) fn said_of_update() -> Said {
    Said::from("Changes what a work item says (UPS-RS, PS3.18 11.6)")
        .query("transaction-uid", "Transaction UID of whoever claimed it; none while it is SCHEDULED", schemas::uid())
        .gives(200, "", Json::Null)
}

/// `POST /dicom-web/workitems/{workitem}?{transaction-uid}`
pub(super) async fn update(
    app: App,
    headers: HeaderMap,
    uri: Uri,
    WorkItemPath(uid): WorkItemPath,
    Body(changes): Body,
) -> Response {
    let updated = async {
        let names = ["transaction-uid", "TransactionUID"];
        let named = uid_of_query(&uri, &names, "the Transaction UID")?.map(String::from);
        let stated = changes.text(tags::TRANSACTION_UID).map(str::to_owned);
        let transaction = named.or(stated);
        app.engine.update_work_item(&app.scope, &uid, transaction.as_deref(), &changes).await?;
        Ok(StatusCode::OK.into_response())
    };
    answered(Transaction::Update, &headers, app.port, updated.await)
}

pub(super) fn said_of_state() -> Said {
    Said::from("Claims a work item, or ends it: Procedure Step State with the Transaction UID (UPS-RS, PS3.18 11.7)")
        .gives(200, "", Json::Null)
}

/// `PUT /dicom-web/workitems/{workitem}/state`
pub(super) async fn change_state(
    app: App,
    headers: HeaderMap,
    WorkItemPath(uid): WorkItemPath,
    Body(action): Body,
) -> Response {
    let changed = async {
        // Who may not know of it learns no more than that it is not there.
        app.engine.work_item(&app.scope, &uid).await?;
        let wanted = action.text(tags::PROCEDURE_STEP_STATE).map(str::parse::<StepState>);
        let expected = "IN PROGRESS, COMPLETED or CANCELED";
        let Some(Ok(wanted)) = wanted else {
            return Err(EngineError::from(StepError::Value { tag: tags::PROCEDURE_STEP_STATE, expected }).into());
        };
        let Some(transaction) = action.text(tags::TRANSACTION_UID) else {
            return Err(EngineError::from(StepError::NoTransaction).into());
        };
        if transaction.parse::<SopUid>().is_err() {
            let error = StepError::Value { tag: tags::TRANSACTION_UID, expected: "a UID (PS3.5 9.1)" };
            return Err(EngineError::from(error).into());
        }
        let already = app.engine.change_work_item_state(&app.scope, &uid, wanted, transaction).await?;
        let mut response = StatusCode::OK.into_response();
        if let Some(state) = already {
            let text = format!("The UPS is already in the requested state of {state}.");
            warn(&mut response, &headers, app.port, &text);
        }
        Ok(response)
    };
    answered(Transaction::ChangeState, &headers, app.port, changed.await)
}

pub(super) fn said_of_cancel() -> Said {
    Said::from("Asks whoever performs a work item to stop (UPS-RS, PS3.18 11.8)").gives(202, "", Json::Null)
}

/// `POST /dicom-web/workitems/{workitem}/cancelrequest`
pub(super) async fn request_cancel(
    app: App,
    headers: HeaderMap,
    WorkItemPath(uid): WorkItemPath,
    OptionalBody(request): OptionalBody,
) -> Response {
    let asked = async {
        let news = app.engine.request_work_item_cancel(&app.scope, &uid, &request).await?;
        let mut response = StatusCode::ACCEPTED.into_response();
        if !news {
            let text = "The UPS is already in the requested state of CANCELED.";
            warn(&mut response, &headers, app.port, text);
        }
        Ok(response)
    };
    answered(Transaction::Cancel, &headers, app.port, asked.await)
}

/// What a request may say, or nothing at all.
pub(super) struct OptionalBody(DataSet);

impl FromRequest<Server> for OptionalBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, server: &Server) -> Result<Self, ApiError> {
        let length = request.headers().get(header::CONTENT_LENGTH).is_none_or(|length| length == "0");
        let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
        if length && !chunked {
            return Ok(Self(DataSet::new()));
        }
        Body::from_request(request, server).await.map(|Body(data_set)| Self(data_set))
    }
}

impl Takes for OptionalBody {
    fn told(sketch: &mut Sketch) {
        Body::told(sketch);
        sketch.body_is_optional();
    }
}
