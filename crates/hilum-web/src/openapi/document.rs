//! The document itself.

use super::refusals::{EVERYWHERE, meaning};
use super::{Sketch, schemas};
use crate::cookie;
use crate::doors::{Door, Needs};
use axum::http::Method;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ABOUT: &str = "Everything below /api/v1, and the DICOMweb services (PS3.18). Refusals are `Error`: a stable `code` for programs and a \
     message for people. What somebody may not know of is not found (404); what they may see and not do is refused (403). x-hilum-needs \
     says what a caller must be allowed somewhere: `nobody`, `signed in`, or a permission.";

/// The document as it is served.
#[derive(Clone)]
pub(crate) struct Document(pub(crate) Bytes);

/// OpenAPI 3.1 of all doors.
pub(crate) fn document(doors: &[(Door, Sketch)]) -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut named = BTreeMap::from([("DicomDataSet".to_owned(), schemas::data_set())]);
    let mut error = Sketch::default();
    error.schema_of::<crate::error::ApiError>();
    named.extend(error.schemas);
    let mut statuses = BTreeSet::new();
    for (door, sketch) in doors {
        let refusals = refusals(door, sketch);
        let methods = paths.entry(plain_path(&door.path)).or_default();
        methods.insert(door.method.as_str().to_lowercase(), operation(door, sketch, &refusals));
        for (name, schema) in &sketch.schemas {
            let known = named.insert(name.clone(), schema.clone());
            debug_assert!(known.is_none_or(|known| known == *schema), "two types have the schema name {name}");
        }
        statuses.extend(refusals);
    }
    let refusals: Map<String, Value> = statuses
        .into_iter()
        .map(|status| {
            let content = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}});
            (format!("Refused{status}"), json!({"description": meaning(status), "content": content}))
        })
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hilum",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": named,
            "responses": refusals,
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "A token of a program: it may do what its owner lets it, and never what needs its owner in person"
                },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": cookie::PLAIN,
                    "description": "Of whoever signed in; over HTTPS the name has the prefix __Host-"
                },
                "csrf": {
                    "type": "apiKey", "in": "header", "name": cookie::CSRF,
                    "description": "With every change that comes with a session: what GET /api/v1/session tells"
                }
            }
        }
    })
}

/// `{*path}` takes slashes too, for which OpenAPI has no word.
fn plain_path(path: &str) -> String {
    path.replace("{*", "{")
}

/// Statuses that are answered with an error.
fn refusals(door: &Door, sketch: &Sketch) -> BTreeSet<u16> {
    let mut refusals: BTreeSet<u16> = EVERYWHERE.into();
    refusals.extend(&sketch.refusals);
    let changes = door.method != Method::GET;
    if door.needs != Needs::Nobody {
        refusals.insert(401);
    }
    if changes || matches!(door.needs, Needs::May(_)) {
        refusals.insert(403);
    }
    if changes {
        refusals.insert(507);
    }
    if door.path.contains('{') {
        refusals.insert(404);
    }
    refusals.retain(|status| !sketch.answers.contains_key(status));
    refusals
}

fn operation(door: &Door, sketch: &Sketch, refusals: &BTreeSet<u16>) -> Value {
    let mut responses: BTreeMap<u16, Value> = refusals
        .iter()
        .map(|status| (*status, json!({"$ref": format!("#/components/responses/Refused{status}")})))
        .collect();
    for (status, answer) in &sketch.answers {
        let mut told = json!({"description": answer.description});
        if !answer.content.is_empty() {
            told["content"] = Value::Object(answer.content.clone());
        }
        responses.insert(*status, told);
    }
    let responses: Map<String, Value> =
        responses.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect();
    let mut operation = json!({
        "operationId": operation_id(door),
        "summary": sketch.summary,
        "tags": [tag(&door.path)],
        "security": security(door, sketch),
        "x-hilum-needs": needs(door.needs),
        "responses": responses
    });
    let parameters: Vec<Value> = parts_of(&door.path).chain(sketch.parameters.iter().cloned()).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if !sketch.body.is_empty() {
        operation["requestBody"] = json!({"required": !sketch.optional_body, "content": sketch.body});
    }
    operation
}

fn parts_of(path: &str) -> impl Iterator<Item = Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let name = name.trim_start_matches('*');
        let (description, schema) = schemas::part_of_path(name).unwrap_or_default();
        json!({"name": name, "in": "path", "required": true, "description": description, "schema": schema})
    })
}

/// `get_api_v1_studies_study_uid_report_pdf`
fn operation_id(door: &Door) -> String {
    let path = door.path.replace(['/', '.', '-'], "_").replace(['{', '}', '*'], "");
    format!("{}{path}", door.method.as_str().to_lowercase())
}

fn tag(path: &str) -> &str {
    match path.strip_prefix("/api/v1/") {
        Some(below) => below.split('/').next().unwrap_or(below),
        None if path.starts_with("/dicom-web") => "DICOMweb",
        None if path == "/wado" => "WADO-URI",
        None => "health",
    }
}

fn needs(needs: Needs) -> Value {
    match needs {
        Needs::Nobody => "nobody".into(),
        Needs::SignedIn => "signed in".into(),
        Needs::May(permission) => json!(permission),
    }
}

/// A token, or a session, whose changes need the page's own token beside it.
fn security(door: &Door, sketch: &Sketch) -> Value {
    if door.needs == Needs::Nobody {
        return json!([]);
    }
    let session = if door.method == Method::GET { json!({"session": []}) } else { json!({"session": [], "csrf": []}) };
    if sketch.in_person { json!([session]) } else { json!([{"bearer": []}, session]) }
}
