//! What the types of a handler tell: its extractors what it takes, its output what it gives.

use super::Sketch;
use crate::{
    doors::{App, InPerson},
    error::ApiError,
    guard::Arrival,
    sent::Sent,
    server::Server,
};
use axum::{
    Json,
    extract::{
        Extension, Path, Query, RawPathParams, Request, State,
        rejection::{PathRejection, QueryRejection, RawPathParamsRejection},
    },
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::marker::PhantomData;
use utoipa::{IntoParams, ToSchema, openapi::path::ParameterIn};

const JSON: &str = "application/json";

/// A handler, whose types tell what it takes and gives. `X` are its arguments, as in axum's `Handler`.
pub(crate) trait Handles<X> {
    fn told(sketch: &mut Sketch);
}

/// What a handler takes.
pub(crate) trait Takes {
    fn told(sketch: &mut Sketch);
}

/// What a handler gives.
pub(crate) trait Gives {
    fn told(sketch: &mut Sketch);
}

macro_rules! handles {
    ($($argument:ident)*) => {
        impl<F, R, O, $($argument,)*> Handles<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> R,
            R: Future<Output = O>,
            O: Gives,
            $($argument: Takes,)*
        {
            fn told(sketch: &mut Sketch) {
                $($argument::told(sketch);)*
                O::told(sketch);
            }
        }
    };
}

handles!();
handles!(A);
handles!(A B);
handles!(A B C);
handles!(A B C D);
handles!(A B C D E);
handles!(A B C D E G);

macro_rules! takes_nothing_to_tell {
    ($($extractor:ty),*) => {
        $(impl Takes for $extractor {
            fn told(_sketch: &mut Sketch) {}
        })*
    };
}

// Who asks is told by the door's lock; parts of the path by the door's path.
takes_nothing_to_tell!(App, State<Server>, Arrival, HeaderMap, Uri, Request);
takes_nothing_to_tell!(Result<RawPathParams, RawPathParamsRejection>);

impl<T> Takes for Extension<T> {
    fn told(_sketch: &mut Sketch) {}
}

impl<T> Takes for Result<Path<T>, PathRejection> {
    fn told(_sketch: &mut Sketch) {}
}

impl Takes for InPerson {
    fn told(sketch: &mut Sketch) {
        sketch.in_person = true;
        sketch.refusals.insert(StatusCode::FORBIDDEN.as_u16());
    }
}

impl<T: ToSchema> Takes for Sent<T> {
    fn told(sketch: &mut Sketch) {
        let schema = sketch.schema_of::<T>();
        sketch.body.insert(JSON.to_owned(), json!({"schema": schema}));
        sketch.refusals.extend([408, 413, 415, 422]);
    }
}

impl<T: IntoParams> Takes for Result<Query<T>, QueryRejection> {
    fn told(sketch: &mut Sketch) {
        for parameter in T::into_params(|| Some(ParameterIn::Query)) {
            let mut told = json!(parameter);
            without_null(&mut told["schema"]);
            sketch.parameters.push(told);
        }
    }
}

/// A parameter that is not there is no `null`, for which an address has no word.
fn without_null(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|one| one != "null");
        if let [only] = &types[..] {
            schema["type"] = only.clone();
        }
    }
    if let Some([only, null]) = schema.get("oneOf").and_then(Value::as_array).map(Vec::as_slice)
        && null["type"] == "null"
    {
        *schema = only.clone();
    }
}

impl<T: Gives> Gives for Result<T, ApiError> {
    fn told(sketch: &mut Sketch) {
        T::told(sketch);
    }
}

impl<T: ToSchema> Gives for Json<T> {
    fn told(sketch: &mut Sketch) {
        let schema = sketch.schema_of::<T>();
        sketch.answer(StatusCode::OK.as_u16(), JSON, schema);
    }
}

/// What it gives is told beside the door alone.
impl Gives for Response {
    fn told(_sketch: &mut Sketch) {}
}

/// As the probes of orchestrators want it.
impl Gives for &'static str {
    fn told(sketch: &mut Sketch) {
        sketch.answer(StatusCode::OK.as_u16(), "text/plain", json!({"type": "string"}));
    }
}

/// 201, with what was made.
pub(crate) struct Created<T>(pub(crate) T);

impl<T: serde::Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: ToSchema> Gives for Created<T> {
    fn told(sketch: &mut Sketch) {
        let schema = sketch.schema_of::<T>();
        sketch.answer(StatusCode::CREATED.as_u16(), JSON, schema);
    }
}

/// 204.
pub(crate) struct Done;

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Gives for Done {
    fn told(sketch: &mut Sketch) {
        sketch.answer(StatusCode::NO_CONTENT.as_u16(), "", Value::Null);
    }
}

/// Either of two answers.
pub(crate) enum OneOf<A, B> {
    One(A),
    Other(B),
}

impl<A: IntoResponse, B: IntoResponse> IntoResponse for OneOf<A, B> {
    fn into_response(self) -> Response {
        match self {
            Self::One(one) => one.into_response(),
            Self::Other(other) => other.into_response(),
        }
    }
}

impl<A: Gives, B: Gives> Gives for OneOf<A, B> {
    fn told(sketch: &mut Sketch) {
        A::told(sketch);
        B::told(sketch);
    }
}

/// An answer that was made of `T`, and may have got header fields since.
pub(crate) struct Typed<T>(pub(crate) Response, PhantomData<T>);

impl<T: IntoResponse> Typed<T> {
    pub(crate) fn of(what: T) -> Self {
        Self(what.into_response(), PhantomData)
    }
}

impl<T> IntoResponse for Typed<T> {
    fn into_response(self) -> Response {
        self.0
    }
}

impl<T: Gives> Gives for Typed<T> {
    fn told(sketch: &mut Sketch) {
        T::told(sketch);
    }
}
