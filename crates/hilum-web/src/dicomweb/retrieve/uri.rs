//! WADO-URI (PS3.18 section 9): one instance, addressed by parameters.

use axum::{
    body::Body,
    http::{HeaderMap, Uri, header},
    response::{IntoResponse, Response},
};
use hilum_dicom::render::{VoiFunction, VoiWindow};
use hilum_dicom::{TransferSyntaxUid, UidError};
use hilum_engine::{Selection, StoredInstance};

use super::super::query::Parameters;
use super::accept::{Accept, Syntax};
use super::instances::{alone, prepared};
use super::rendered::{LARGEST_SIDE, QUALITY, Viewport, encoded, picture_of};
use super::{Resource, aside, is_image, not_acceptable};
use crate::{
    doors::App,
    error::ApiError,
    openapi::{
        Said, bytes,
        schemas::{number, one_of, uid as uid_schema},
    },
};
use serde_json::json;

const OFFERED: &str = "image/jpeg, image/png and application/dicom (contentType)";

/// `GET /wado?requestType=WADO&studyUID=...&seriesUID=...&objectUID=...`
pub(in super::super) async fn retrieve(app: App, headers: HeaderMap, uri: Uri) -> Result<Response, ApiError> {
    let parameters = Parameters::of(uri.query())?;
    if !parameters.first("requestType").is_some_and(|kind| kind.eq_ignore_ascii_case("WADO")) {
        return Err(ApiError::bad_request("parameter requestType is missing or unknown; expected WADO"));
    }
    if parameters.first("anonymize").is_some() {
        return Err(ApiError::bad_request("parameter anonymize is not supported here; leave it out"));
    }
    let selection = Selection::instance(
        uid(&parameters, "studyUID")?,
        uid(&parameters, "seriesUID")?,
        uid(&parameters, "objectUID")?,
    );
    let resource = Resource { selection, frames: None, bulk: None };
    // The parameter goes before the header (PS3.18 9.1.2.1.1).
    let wanted = match parameters.first("contentType").filter(|list| !list.trim().is_empty()) {
        Some(list) => Accept::read(list)?,
        None => Accept::read(headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default())?,
    };
    // What cannot be read is refused, whether it matters for what is given or not.
    let (window, viewport) = (window(&parameters)?, viewport(&parameters)?);
    let quality = match parameters.number("imageQuality")? {
        None => QUALITY,
        Some(quality @ 1..=100) => quality as u8,
        Some(_) => return Err(ApiError::bad_request("parameter imageQuality is out of range; expected 1 to 100")),
    };
    let frame = match parameters.number("frameNumber")? {
        None => 0,
        Some(number) => u32::try_from(number)
            .ok()
            .and_then(|number| number.checked_sub(1))
            .ok_or_else(|| ApiError::bad_request("parameter frameNumber is out of range; expected a number from 1"))?,
    };
    let instance = resource.instance(&app).await?;
    // What is no image comes as it is, where the request leaves that open (PS3.18 9.1.2.1.1).
    let mut offers = ["image/jpeg", "image/png", "application/dicom"];
    if !is_image(&instance) {
        offers.reverse();
    }
    let essence = wanted.0.iter().find_map(|range| offers.into_iter().find(|offer| range.takes(offer)));
    let essence = essence.ok_or_else(|| not_acceptable(OFFERED))?;
    if essence == "application/dicom" {
        return dicom(&app, &parameters, instance).await;
    }
    let bytes = app.engine.open_instance(&instance).await?;
    let file = aside(move || encoded(&picture_of(&bytes, frame, window, viewport)?, essence, quality)).await?;
    Ok(([(header::CONTENT_TYPE, essence)], Body::from(file)).into_response())
}

/// What no type says of WADO-URI.
pub(in super::super) fn said() -> Said {
    let side = || number(1, LARGEST_SIDE.into());
    Said::from("One instance, by parameters (WADO-URI, PS3.18 9)")
        .required_query("requestType", "WADO", one_of(&["WADO"]))
        .required_query("studyUID", "Study Instance UID", uid_schema())
        .required_query("seriesUID", "Series Instance UID", uid_schema())
        .required_query("objectUID", "SOP Instance UID", uid_schema())
        .query(
            "contentType",
            "Media types that are taken",
            one_of(&["image/jpeg", "image/png", "application/dicom", "*/*"]),
        )
        .query("transferSyntax", "Of application/dicom", one_of(&["1.2.840.10008.1.2.1", "*"]))
        .query("frameNumber", "From 1", number(1, 1))
        .query("imageQuality", "Of a JPEG", number(1, 100))
        .query("rows", "Largest height, pixels", side())
        .query("columns", "Largest width, pixels", side())
        .query("windowCenter", "With windowWidth", json!({"type": "number"}))
        .query("windowWidth", "With windowCenter", json!({"type": "number", "minimum": 1}))
        .gives(200, "image/jpeg", bytes())
        .gives(200, "image/png", bytes())
        .gives(200, "application/dicom", bytes())
        .refuses(&[404, 406, 422])
}

async fn dicom(app: &App, parameters: &Parameters, instance: StoredInstance) -> Result<Response, ApiError> {
    let wanted = match parameters.first("transferSyntax") {
        None => Syntax::Default,
        Some("*") => Syntax::Kept,
        Some(text) => {
            let uid: TransferSyntaxUid = text.parse().map_err(|error| no_uid("transferSyntax", error))?;
            Syntax::Uid(uid.to_string())
        }
    };
    Ok(alone(prepared(app, instance, &[wanted]).await?))
}

fn no_uid(parameter: &str, error: UidError) -> ApiError {
    ApiError::bad_request(format!("parameter {parameter} cannot be read: {error}"))
}

fn uid<T: std::str::FromStr<Err = UidError>>(parameters: &Parameters, name: &str) -> Result<T, ApiError> {
    let text = parameters
        .first(name)
        .ok_or_else(|| ApiError::bad_request(format!("parameter {name} is missing; expected a UID")))?;
    text.parse().map_err(|error| no_uid(name, error))
}

/// Both or none (PS3.18 9.1.2.1.4).
fn window(parameters: &Parameters) -> Result<Option<VoiWindow>, ApiError> {
    let number = |name: &str| {
        let text = parameters.first(name);
        text.map(|text| {
            text.parse::<f64>()
                .map_err(|_| ApiError::bad_request(format!("parameter {name} cannot be read; expected a number")))
        })
        .transpose()
    };
    match (number("windowCenter")?, number("windowWidth")?) {
        (None, None) => Ok(None),
        (Some(center), Some(width)) => VoiWindow::new(center, width, VoiFunction::Linear)
            .map(Some)
            .ok_or_else(|| ApiError::bad_request("parameter windowWidth is out of range; expected a number from 1")),
        _ => Err(ApiError::bad_request("windowCenter and windowWidth go together; one of them is missing")),
    }
}

/// `rows` and `columns` bound the picture (PS3.18 9.1.2.1.5, 9.1.2.1.6).
fn viewport(parameters: &Parameters) -> Result<Option<Viewport>, ApiError> {
    if parameters.first("region").is_some() {
        return Err(ApiError::bad_request("parameter region is not supported here; use /rendered with viewport"));
    }
    let side = |name: &str| match parameters.number(name)? {
        None => Ok(None),
        Some(length) => {
            u32::try_from(length).ok().filter(|length| (1..=LARGEST_SIDE).contains(length)).map(Some).ok_or_else(|| {
                ApiError::bad_request(format!("parameter {name} is out of range; expected 1 to {LARGEST_SIDE}"))
            })
        }
    };
    Ok(match (side("rows")?, side("columns")?) {
        (None, None) => None,
        (rows, columns) => {
            Some(Viewport { width: columns.unwrap_or(LARGEST_SIDE), height: rows.unwrap_or(LARGEST_SIDE), part: None })
        }
    })
}
