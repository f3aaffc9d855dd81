//! Subscriptions to a work item, to the worklist, and to what a filter leaves of it (PS3.18 11.10 to 11.12).

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use hilum_dicom::DataSet;
use hilum_dicom::ups::{FILTERED_WORKLIST, WORKLIST};
use hilum_engine::EngineError;
use hilum_engine::ups::Subscription;
use serde_json::{Value as Json, json};

use super::title::Titled;
use super::work_item_uid;
use crate::{
    dicomweb::{qido, query::Parameters, retrieve::base},
    doors::App,
    error::ApiError,
    openapi::Said,
};

/// What an address subscribes to.
fn resource(titled: &Titled, filter: Option<DataSet>) -> Result<Subscription, ApiError> {
    Ok(match titled.work_item.as_deref().unwrap_or_default() {
        WORKLIST => Subscription::Worklist,
        FILTERED_WORKLIST => Subscription::Filtered(filter.unwrap_or_default()),
        uid => Subscription::Item(work_item_uid(uid)?),
    })
}

pub(super) fn said_of_subscription() -> Said {
    Said::from("An application entity is told of a work item, of the worklist (1.2.840.10008.5.1.4.34.5), or of what a filter leaves of it (1.2.840.10008.5.1.4.34.5.1) (UPS-RS, PS3.18 11.10)")
        .query("deletionlock", "What has ended is kept until the subscription ends", json!({"type": "boolean"}))
        .query("filter", "For the filtered worklist: keys as attribute=value, divided by commas", json!({"type": "string"}))
        .gives(201, "", Json::Null)
}

/// `POST /dicom-web/workitems/{workitem}/subscribers/{ae_title}?deletionlock&filter`
pub(super) async fn subscribe(app: App, headers: HeaderMap, uri: Uri, titled: Titled) -> Result<Response, ApiError> {
    let parameters = Parameters::of(uri.query())?;
    let locked = parameters.flag("deletionlock")?;
    let is_filtered = titled.work_item.as_deref() == Some(FILTERED_WORKLIST);
    let mut keys = DataSet::new();
    for (name, value) in parameters.iter() {
        match name.to_ascii_lowercase().as_str() {
            "deletionlock" | "accept" | "charset" => {}
            "filter" => {
                for pair in value.split(',').filter(|pair| !pair.trim().is_empty()) {
                    let (attribute, wanted) = pair.split_once('=').ok_or_else(|| {
                        ApiError::bad_request(
                            "parameter filter cannot be read; expected attribute=value, divided by commas",
                        )
                    })?;
                    qido::put_key(&mut keys, attribute.trim(), wanted)?;
                }
            }
            // As PS3.18 wrote it until 2019.
            _ => qido::put_key(&mut keys, name, value)?,
        }
    }
    if is_filtered == keys.is_empty() {
        let message = if is_filtered {
            "a filtered subscription needs a filter: filter=attribute=value"
        } else {
            "a filter is for the filtered worklist, 1.2.840.10008.5.1.4.34.5.1"
        };
        return Err(ApiError::bad_request(message));
    }
    app.engine.subscribe_to_work(&app.scope, &resource(&titled, Some(keys))?, &titled.title, locked).await?;
    let channel = base(&headers, app.port).replacen("http", "ws", 1);
    let channel = format!("{channel}subscribers/{}", titled.title.as_str().replace(' ', "%20"));
    let mut response = StatusCode::CREATED.into_response();
    if let Ok(channel) = HeaderValue::from_str(&channel) {
        response.headers_mut().insert(header::CONTENT_LOCATION, channel);
    }
    Ok(response)
}

pub(super) fn said_of_end() -> Said {
    Said::from("An application entity is told of a work item, or of any, no more (UPS-RS, PS3.18 11.11)").gives(
        200,
        "",
        Json::Null,
    )
}

/// `DELETE /dicom-web/workitems/{workitem}/subscribers/{ae_title}`
pub(super) async fn unsubscribe(app: App, titled: Titled) -> Result<Response, ApiError> {
    app.engine.unsubscribe_from_work(&app.scope, &resource(&titled, None)?, &titled.title).await?;
    Ok(StatusCode::OK.into_response())
}

pub(super) fn said_of_suspension() -> Said {
    Said::from("An application entity is subscribed to nothing new (UPS-RS, PS3.18 11.12)").gives(200, "", Json::Null)
}

/// `POST /dicom-web/workitems/{workitem}/subscribers/{ae_title}/suspend`
pub(super) async fn suspend(app: App, titled: Titled) -> Result<Response, ApiError> {
    match resource(&titled, None)? {
        // A single work item brings nothing new that could be suspended (C314).
        Subscription::Item(_) => Err(EngineError::NotFound { what: "worklist" }.into()),
        Subscription::Worklist | Subscription::Filtered(_) => {
            app.engine.suspend_work_subscription(&app.scope, &titled.title).await?;
            Ok(StatusCode::OK.into_response())
        }
    }
}
