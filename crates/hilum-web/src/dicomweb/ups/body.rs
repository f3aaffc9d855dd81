//! Data sets in requests and answers: DICOM JSON (PS3.18 Annex F) or the Native DICOM Model (PS3.19 A.1).

use axum::{
    extract::{FromRequest, Request},
    http::{StatusCode, header},
};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use hilum_dicom::data_set::Value;
use hilum_dicom::{DataSet, json, native_model};
use serde_json::{Value as Json, json};

use crate::{
    dicomweb::{media_type::MediaType, retrieve::DICOM_JSON, stow::uncompressed},
    error::ApiError,
    limits,
    openapi::{Sketch, Takes},
    server::Server,
};

const EXPECTED: &str = "expected Content-Type: application/dicom+json or application/dicom+xml";

/// The data set that a request carries.
pub(super) struct Body(pub(super) DataSet);

impl FromRequest<Server> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, server: &Server) -> Result<Self, ApiError> {
        let unsupported = || ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", EXPECTED);
        let (parts, body) = request.into_parts();
        uncompressed(&parts.headers)?;
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.and_then(MediaType::read).ok_or_else(unsupported)?;
        let read = match media_type.essence.as_str() {
            DICOM_JSON | "application/json" => of_json,
            native_model::MEDIA_TYPE => of_xml,
            _ => return Err(unsupported()),
        };
        read(&limits::taken_whole(server, body).await?).map(Self)
    }
}

/// One data set, alone or as the only one of a list.
fn of_json(bytes: &[u8]) -> Result<DataSet, ApiError> {
    let broken = |message: String| ApiError::new(StatusCode::BAD_REQUEST, "bad_request", message);
    // What the parser says may quote the body, so that only the place is told.
    let read: Json = serde_json::from_slice(bytes)
        .map_err(|error| broken(format!("the body is no JSON: line {}, column {}", error.line(), error.column())))?;
    let data_set = match &read {
        Json::Array(list) => match list.as_slice() {
            [one] => one,
            _ => return Err(broken("the body is a list; expected one data set, or a list of one".to_owned())),
        },
        one => one,
    };
    DataSet::from_json(data_set).map_err(|error| broken(format!("the body is no data set: {error}")))
}

fn of_xml(bytes: &[u8]) -> Result<DataSet, ApiError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ApiError::bad_request("the body is not in UTF-8"))?;
    native_model::read(text).map_err(|error| ApiError::bad_request(format!("the body is no data set: {error}")))
}

impl Takes for Body {
    fn told(sketch: &mut Sketch) {
        sketch.refuses(&[408, 409, 413, 415]);
        let one = json!({
            "type": "object",
            "description": "A data set in the DICOM JSON model (PS3.18 F.2)",
            "patternProperties": {
                "^[0-9A-Fa-f]{8}$": {
                    "type": "object",
                    "properties": {
                        "vr": {"type": "string", "pattern": "^[A-Z]{2}$"},
                        "Value": {"type": ["array", "null"]}
                    }
                }
            },
            "additionalProperties": false
        });
        let either = json!({"oneOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": 1}]});
        sketch.takes_body(DICOM_JSON, &either);
        sketch.takes_body("application/json", &either);
        sketch.takes_body(native_model::MEDIA_TYPE, &json!({"type": "string"}));
    }
}

/// A data set as DICOM JSON, with its character set where that is needed (PS3.18 F.2).
pub(super) fn as_json(data_set: &DataSet, out: &mut String) {
    let start = out.len();
    json::write_data_set(data_set, out);
    if !data_set.is_ascii() {
        let comma = if data_set.is_empty() { "" } else { "," };
        let stated = format!("\"00080005\":{{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]}}{comma}");
        out.insert_str(start + 1, &stated);
    }
}

/// A work item with where its output is to be had over HTTP, beside what it says of DIMSE: only the server knows how it was called.
pub(super) fn with_addresses(mut item: DataSet, base: &str) -> DataSet {
    let performed = tags::UNIFIED_PROCEDURE_STEP_PERFORMED_PROCEDURE_SEQUENCE;
    let steps: Vec<DataSet> = item
        .items(performed)
        .iter()
        .map(|step| {
            let outputs = step.items(tags::OUTPUT_INFORMATION_SEQUENCE).iter().map(|output| addressed(output, base));
            let outputs: Vec<DataSet> = outputs.collect();
            let mut step = step.clone();
            if !outputs.is_empty() {
                step.set_items(tags::OUTPUT_INFORMATION_SEQUENCE, outputs);
            }
            step
        })
        .collect();
    if !steps.is_empty() && is_ours(&item) {
        item.set_items(performed, steps);
    }
    item
}

/// Whether our station performed it: of what others hand over we do not know where it is.
fn is_ours(item: &DataSet) -> bool {
    let steps = item.items(tags::UNIFIED_PROCEDURE_STEP_PERFORMED_PROCEDURE_SEQUENCE).iter();
    let mut codes = steps.flat_map(|step| step.items(tags::PERFORMED_WORKITEM_CODE_SEQUENCE));
    codes.any(|code| code.text(tags::CODING_SCHEME_DESIGNATOR) == Some(hilum_engine::ups::SERVICE_SCHEME))
}

fn addressed(output: &DataSet, base: &str) -> DataSet {
    const WADO_RS: Tag = tags::WADORS_RETRIEVAL_SEQUENCE;
    let mut output = output.clone();
    let (Some(study), Some(series)) = (output.text(tags::STUDY_INSTANCE_UID), output.text(tags::SERIES_INSTANCE_UID))
    else {
        return output;
    };
    let mut place = DataSet::new();
    let url = format!("{base}studies/{study}/series/{series}");
    place.insert(tags::RETRIEVE_URL, VR::UR, Value::Text(vec![url]));
    if output.items(WADO_RS).is_empty() {
        output.set_items(WADO_RS, vec![place]);
    }
    output
}
