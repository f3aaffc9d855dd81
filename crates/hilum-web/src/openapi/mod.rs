//! The OpenAPI document: what each door takes and gives, told by the types of its handler, and by its lock.
//!
//! A door is described where it is made: what its handler takes and gives is read off its types ([`Handles`]), its path and lock off the door
//! itself, and what no type says stands beside it as [`Said`]. So a door without a description does not compile.

mod document;
mod refusals;
mod said;
pub(crate) mod schemas;
mod takes;

pub(crate) use document::{Document, document};
pub(crate) use said::{Said, bytes};
pub(crate) use takes::{Created, Done, Gives, Handles, OneOf, Takes, Typed};

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;

/// What is known of one operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sketch {
    /// Parameters that do not stand in the path.
    parameters: Vec<Value>,
    /// Media types of the body, with their schemas; none where there is none.
    body: Map<String, Value>,
    /// The body may be left out.
    optional_body: bool,
    answers: BTreeMap<u16, Answer>,
    /// Statuses with an [`ApiError`](crate::error::ApiError).
    refusals: BTreeSet<u16>,
    /// Named schemas that are referred to.
    schemas: BTreeMap<String, Value>,
    /// Only with a session: no token does.
    in_person: bool,
    summary: &'static str,
}

#[derive(Clone, Debug, Default)]
struct Answer {
    description: String,
    /// Media types with their schemas.
    content: Map<String, Value>,
}

impl Sketch {
    pub(crate) fn of<H: Handles<X>, X>(said: Said) -> Self {
        let mut sketch = Self::default();
        H::told(&mut sketch);
        said.onto(&mut sketch);
        sketch
    }

    /// It may be refused with these statuses.
    pub(crate) fn refuses(&mut self, statuses: &[u16]) {
        self.refusals.extend(statuses);
    }

    /// It takes a body of this media type.
    pub(crate) fn takes_body(&mut self, media_type: &str, schema: &Value) {
        self.body.insert(media_type.to_owned(), json!({"schema": schema}));
    }

    /// The body may be left out.
    pub(crate) fn body_is_optional(&mut self) {
        self.optional_body = true;
    }

    /// It takes this parameter of the query, which may be left out.
    pub(crate) fn takes_query(&mut self, name: &str, description: &str, schema: &Value) {
        self.parameters.push(optional(name, description, schema));
    }

    /// It answers with this, in this media type; `""` for an answer without a body.
    pub(crate) fn answer(&mut self, status: u16, media_type: &str, schema: Value) {
        let answer = self.answers.entry(status).or_default();
        if answer.description.is_empty() {
            refusals::meaning(status).clone_into(&mut answer.description);
        }
        if !media_type.is_empty() {
            answer.content.insert(media_type.to_owned(), json!({"schema": schema}));
        }
    }

    /// The schema of a type: by reference, with all that it refers to. A list has no name of its own and stands where it is.
    fn schema_of<T: ToSchema>(&mut self) -> Value {
        let mut named = Vec::new();
        T::schemas(&mut named);
        let own = plain(&T::schema());
        let is_list = own["type"] == "array";
        let name = name_of::<T>();
        let shown = if is_list { own } else { self.name(&name, own) };
        for (name, schema) in named {
            self.name(&name, plain(&schema));
        }
        shown
    }

    fn name(&mut self, name: &str, schema: Value) -> Value {
        self.schemas.insert(name.to_owned(), schema);
        json!({"$ref": format!("#/components/schemas/{name}")})
    }
}

/// A parameter of the query, which may be left out.
fn optional(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "required": false, "description": description, "schema": schema})
}

/// The name of a type's schema. utoipa leaves out what a generic type is of.
fn name_of<T: ToSchema>() -> String {
    let last = |path: &'static str| path.rsplit("::").next().unwrap_or(path);
    match std::any::type_name::<T>().split_once('<') {
        Some((_, of)) => format!("{}Of{}", T::name(), last(of.trim_end_matches('>'))),
        None => T::name().into_owned(),
    }
}

fn plain(schema: &RefOr<utoipa::openapi::Schema>) -> Value {
    // These types are made to be serialized; a schema that cannot be is none, which the test of the document sees.
    serde_json::to_value(schema).unwrap_or(Value::Null)
}
