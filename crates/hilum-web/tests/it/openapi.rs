//! The OpenAPI document: pinned, served, and as complete as the list of doors.

use std::collections::BTreeSet;
use std::path::Path;

use hilum_engine::Role;
use hilum_web::{Door, Needs};
use serde_json::Value;

use crate::access::session_of;
use crate::client::{Running, start, start_fresh, token};

const PINNED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

/// An operation as the pinned document says it.
pub struct Operation {
    pub method: String,
    /// With parts in braces.
    pub path: String,
    /// `nobody`, `signed in` or a permission.
    pub needs: String,
    pub said: Value,
}

impl Operation {
    /// `GET /api/v1/session`
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Every operation of the pinned document.
pub fn pinned() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&std::fs::read_to_string(PINNED).unwrap()).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, said) in methods.as_object().unwrap() {
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                needs: said["x-hilum-needs"].as_str().unwrap().to_owned(),
                said: said.clone(),
            });
        }
    }
    operations
}

/// What the document says of who may come in.
pub fn told(needs: Needs) -> String {
    match needs {
        Needs::Nobody => "nobody".to_owned(),
        Needs::SignedIn => "signed in".to_owned(),
        Needs::May(permission) => serde_json::to_value(permission).unwrap().as_str().unwrap().to_owned(),
    }
}

async fn served(server: &Running) -> Value {
    let answer = server.send_bare("GET", "/api/v1/openapi.json", &[], b"").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pinned_document_is_the_one_that_is_served_to_anybody() {
    let served = served(&start_fresh().await).await;
    if std::env::var_os("HILUM_WRITE_OPENAPI").is_some() {
        let text = serde_json::to_string_pretty(&served).unwrap() + "\n";
        std::fs::write(Path::new(PINNED), text).unwrap();
    }
    let pinned: Value = serde_json::from_str(&std::fs::read_to_string(PINNED).unwrap()).unwrap();
    for part in ["openapi", "info", "paths", "components"] {
        let differ = differences(&pinned[part], &served[part], part);
        assert!(
            differ.is_empty(),
            "docs/openapi.json is not what the code says; cargo xtask openapi --write: {differ:#?}"
        );
    }
}

fn differences(pinned: &Value, served: &Value, place: &str) -> Vec<String> {
    match (pinned, served) {
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let below = |name: &&String| {
                differences(&pinned[name.as_str()], &served[name.as_str()], &format!("{place} > {name}"))
            };
            names.iter().flat_map(below).collect()
        }
        _ if pinned == served => Vec::new(),
        _ => vec![place.to_owned()],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_has_its_operation_and_every_operation_its_door() {
    let server = start().await;
    let name = |door: &Door| format!("{} {} {}", door.method, door.path.replace("{*", "{"), told(door.needs));
    let doors: BTreeSet<String> = server.doors.iter().map(name).collect();
    let operations: BTreeSet<String> = pinned().iter().map(|one| format!("{} {}", one.name(), one.needs)).collect();
    let difference: Vec<_> = doors.symmetric_difference(&operations).collect();
    assert!(difference.is_empty(), "in one of them alone: {difference:#?}");
}

#[test]
fn every_operation_says_what_it_takes_and_gives_and_who_may_ask() {
    let document: Value = serde_json::from_str(&std::fs::read_to_string(PINNED).unwrap()).unwrap();
    assert!(dangling(&document, &document).is_empty(), "{:?}", dangling(&document, &document));
    let mut ids = BTreeSet::new();
    for operation in pinned() {
        let (name, said) = (operation.name(), &operation.said);
        assert!(ids.insert(said["operationId"].to_string()), "{name}: its id is there twice");
        assert!(said["summary"].as_str().is_some_and(|summary| summary.len() > 5), "{name} has no summary");
        let answers = said["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with(['1', '2', '3'])), "{name} gives nothing");
        assert_eq!(
            answers.contains_key("401"),
            operation.needs != "nobody" || name.starts_with("POST /api/v1/session"),
            "{name}"
        );
        let keys: Vec<&Value> = said["security"].as_array().unwrap().iter().collect();
        assert_eq!(keys.is_empty(), operation.needs == "nobody", "{name}");
        let changes = operation.method != "GET";
        for key in keys.iter().filter(|key| key.get("session").is_some()) {
            assert_eq!(key.get("csrf").is_some(), changes, "{name}: a change with a session needs its token");
        }
        let parts = operation.path.matches('{').count();
        let parameters = said["parameters"].as_array().cloned().unwrap_or_default();
        let in_path: Vec<&Value> = parameters.iter().filter(|parameter| parameter["in"] == "path").collect();
        assert_eq!(in_path.len(), parts, "{name}");
        for parameter in &parameters {
            assert!(parameter["schema"].is_object(), "{name}: {} has no schema", parameter["name"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_door_takes_a_list_for_an_object() {
    let server = start().await;
    token(&server.engine, "lister", &Role::ALL).await;
    let (cookie, csrf) = session_of(&server, "lister").await;
    let headers = [("Cookie", cookie.as_str()), ("X-Hilum-Csrf", csrf.as_str()), ("Content-Type", "application/json")];
    let document: Value = serde_json::from_str(&std::fs::read_to_string(PINNED).unwrap()).unwrap();
    let mut tried = 0;
    for operation in pinned() {
        let Some(body) = operation.said.pointer("/requestBody/content/application~1json/schema/$ref") else { continue };
        let schema = document.pointer(&body.as_str().unwrap()[1..]).unwrap();
        let fields = schema["properties"].as_object().unwrap().len();
        let path = operation.path.replace("{study_uid}", "1.2.3").replace("{peer}", "PACS");
        let path: String = path.split(['{', '}']).enumerate().map(|(at, part)| [part, "1"][at % 2]).collect();
        let list = serde_json::to_vec(&vec![Value::Null; fields]).unwrap();
        let answer = server.send_bare(&operation.method, &path, &headers, &list).await;
        let told = answer.json()["message"].to_string();
        assert_eq!(answer.status, 422, "{}: {told}", operation.name());
        assert!(told.contains("expected an object"), "{}: {told}", operation.name());
        tried += 1;
    }
    assert!(tried > 25, "{tried}");
}

/// References that lead nowhere.
fn dangling(document: &Value, within: &Value) -> Vec<String> {
    match within {
        Value::Object(members) => {
            let own = members
                .get("$ref")
                .and_then(Value::as_str)
                .filter(|reference| document.pointer(reference.trim_start_matches('#')).is_none_or(Value::is_null));
            let below = members.values().flat_map(|value| dangling(document, value));
            own.map(str::to_owned).into_iter().chain(below).collect()
        }
        Value::Array(values) => values.iter().flat_map(|value| dangling(document, value)).collect(),
        _ => Vec::new(),
    }
}
