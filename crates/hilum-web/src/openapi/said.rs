//! What no type of a handler says: in words what it does, and the bodies that are no JSON of ours.

use super::{Sketch, optional};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Said of a door beside its handler.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    summary: &'static str,
    parameters: Vec<Value>,
    body: Vec<(&'static str, Value)>,
    answers: Vec<(u16, &'static str, Value)>,
    refusals: Vec<u16>,
    named: Vec<fn(&mut Sketch)>,
}

impl From<&'static str> for Said {
    fn from(summary: &'static str) -> Self {
        Self { summary, ..Self::default() }
    }
}

impl Said {
    /// It may be refused with this status, too.
    pub(crate) fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend(statuses);
        self
    }

    /// Names the schema of what a generic type is of.
    pub(crate) fn of<T: ToSchema>(mut self) -> Self {
        self.named.push(|sketch| drop(sketch.schema_of::<T>()));
        self
    }

    /// A parameter of the query, which may be left out.
    pub(crate) fn query(mut self, name: &str, description: &str, schema: Value) -> Self {
        self.parameters.push(optional(name, description, &schema));
        self
    }

    /// A parameter of the query, which must be there.
    pub(crate) fn required_query(self, name: &str, description: &str, schema: Value) -> Self {
        let mut said = self.query(name, description, schema);
        if let Some(last) = said.parameters.last_mut() {
            last["required"] = true.into();
        }
        said
    }

    /// A body of this media type.
    pub(crate) fn takes(mut self, media_type: &'static str, schema: Value) -> Self {
        self.body.push((media_type, schema));
        self
    }

    /// It may answer with this, in this media type; `""` for an answer without a body.
    pub(crate) fn gives(mut self, status: u16, media_type: &'static str, schema: Value) -> Self {
        self.answers.push((status, media_type, schema));
        self
    }

    pub(super) fn onto(self, sketch: &mut Sketch) {
        let Self { summary, parameters, body, answers, refusals, named } = self;
        sketch.summary = summary;
        sketch.parameters.extend(parameters);
        for (media_type, schema) in body {
            sketch.body.insert(media_type.to_owned(), json!({"schema": schema}));
        }
        for (status, media_type, schema) in answers {
            sketch.answer(status, media_type, schema);
        }
        sketch.refusals.extend(refusals);
        for name in named {
            name(sketch);
        }
    }
}

/// Bytes that are no text.
pub(crate) fn bytes() -> Value {
    json!({"type": "string", "format": "binary"})
}
