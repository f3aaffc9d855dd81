//! UPS-RS: the worklist and its work items (PS3.18 11), and the channel on which subscribers are told (PS3.18 8.10).

mod body;
mod channel;
mod items;
mod search;
mod subscriptions;
mod title;

pub(crate) use channel::Channels;
pub(crate) use title::PATTERN as TITLE_PATTERN;

use super::VIEW;
use crate::{
    doors::{Doors, Needs},
    error::ApiError,
};
use axum::{
    extract::{FromRequestParts, Path},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use hilum_dicom::SopUid;
use hilum_engine::Permission;

use super::retrieve::base;
use crate::openapi::{Sketch, Takes};

/// Whoever sends data may send work, too.
const STORE: Needs = Needs::May(Permission::Store);

pub(super) fn doors(doors: Doors) -> Doors {
    const ITEM: &str = "/workitems/{workitem}";
    const SUBSCRIBER: &str = "/workitems/{workitem}/subscribers/{ae_title}";
    doors
        .get("/workitems", VIEW, search::search, search::said())
        .post("/workitems", STORE, items::create, items::said_of_creation())
        .get(ITEM, VIEW, items::retrieve, items::said_of_retrieval())
        .post(ITEM, STORE, items::update, items::said_of_update())
        .open(Method::PUT, &format!("{ITEM}/state"), STORE, items::change_state, items::said_of_state())
        .post(&format!("{ITEM}/cancelrequest"), STORE, items::request_cancel, items::said_of_cancel())
        .post(SUBSCRIBER, STORE, subscriptions::subscribe, subscriptions::said_of_subscription())
        .delete(SUBSCRIBER, STORE, subscriptions::unsubscribe, subscriptions::said_of_end())
        .post(&format!("{SUBSCRIBER}/suspend"), STORE, subscriptions::suspend, subscriptions::said_of_suspension())
        .get("/subscribers/{ae_title}", VIEW, channel::open, channel::said())
        .get("/ws/subscribers/{ae_title}", VIEW, channel::open, channel::said())
}

/// The work item of an address that names nothing else.
pub(super) struct WorkItemPath(SopUid);

impl Takes for WorkItemPath {
    fn told(_sketch: &mut Sketch) {}
}

impl<S: Send + Sync> FromRequestParts<S> for WorkItemPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await?;
        work_item_uid(&text).map(Self)
    }
}

fn work_item_uid(text: &str) -> Result<SopUid, ApiError> {
    text.parse().map_err(|error| ApiError::bad_request(format!("the address names no work item: {error}")))
}

/// What PS3.18 wants said in a Warning header, of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transaction {
    Update,
    ChangeState,
    Cancel,
    Other,
}

/// The text of PS3.18 11.6.3.2, 11.7.3.2 and 11.8.3.2 for a refusal, by its code.
fn warning_of(transaction: Transaction, code: &str) -> Option<&'static str> {
    const BY_STATE: [&str; 5] = [
        "work_item_ended",
        "work_item_in_progress",
        "scheduled_by_creation_only",
        "final_state_not_met",
        "work_item_not_claimed",
    ];
    match (transaction, code) {
        (Transaction::Update, "work_item_not_claimed" | "transaction_uid_missing") => {
            Some("The target URI did not reference a claimed Workitem.")
        }
        (Transaction::Update, code) if code == "transaction_uid_wrong" || BY_STATE.contains(&code) => {
            Some("The submitted request is inconsistent with the current state of the Workitem.")
        }
        (Transaction::ChangeState, "transaction_uid_missing") => Some("The Transaction UID is missing."),
        (Transaction::ChangeState, "transaction_uid_wrong") => Some("The Transaction UID is incorrect."),
        (Transaction::ChangeState, code) if BY_STATE.contains(&code) => {
            Some("The submitted request is inconsistent with the state of the UPS Instance.")
        }
        (Transaction::Cancel, "work_item_ended") => Some("The UPS is already COMPLETED."),
        (Transaction::Cancel, "performer_cannot_be_told") => Some("The performer cannot be contacted."),
        _ => None,
    }
}

/// The answer of a transaction, with its warning where it was refused.
fn answered(transaction: Transaction, headers: &HeaderMap, port: u16, done: Result<Response, ApiError>) -> Response {
    match done {
        Ok(response) => response,
        Err(mut error) => {
            let warning = warning_of(transaction, error.code);
            if (transaction, error.code) == (Transaction::Update, "work_item_ended") {
                // PS3.18 11.6.2, unlike every other transaction.
                error.status = StatusCode::BAD_REQUEST;
            }
            let mut response = error.into_response();
            if let Some(text) = warning {
                warn(&mut response, headers, port, text);
            }
            response
        }
    }
}

/// `299 <service>: text`, as PS3.18 11 writes it.
fn warn(response: &mut Response, headers: &HeaderMap, port: u16, text: &str) {
    let service = base(headers, port);
    if let Ok(value) = HeaderValue::from_str(&format!("299 {}: {text}", service.trim_end_matches('/'))) {
        response.headers_mut().append(header::WARNING, value);
    }
}
