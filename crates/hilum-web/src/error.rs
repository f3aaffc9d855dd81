//! One table: what a failure of the engine is in HTTP and in a STOW-RS response.

use std::time::Duration;

use axum::{
    Json,
    extract::rejection::{JsonRejection, PathRejection, QueryRejection, RawPathParamsRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use hilum_engine::{EngineError, ErrorKind};
use serde::Serialize;

/// HTTP status, and Failure Reason (0008,1197) of PS3.18 Table 10.5.3-2 (the codes of PS3.4 Table B.2-1 and PS3.7 Annex C).
pub(crate) fn outside(kind: ErrorKind) -> (StatusCode, u16) {
    match kind {
        ErrorKind::NotDicom | ErrorKind::Damaged => (StatusCode::UNPROCESSABLE_ENTITY, 0xC000),
        ErrorKind::BadRequest => (StatusCode::BAD_REQUEST, 0xC000),
        ErrorKind::Refused | ErrorKind::Forbidden => (StatusCode::FORBIDDEN, 0x0124),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, 0x0112),
        ErrorKind::Conflict => (StatusCode::CONFLICT, 0x0110),
        ErrorKind::OutOfSpace => (StatusCode::INSUFFICIENT_STORAGE, 0xA700),
        ErrorKind::Busy => (StatusCode::SERVICE_UNAVAILABLE, 0xA700),
        ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, 0x0110),
    }
}

/// `{code, message}` with its status.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Error)]
pub(crate) struct ApiError {
    #[serde(skip)]
    pub(crate) status: StatusCode,
    /// Stable, for programs.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) message: String,
    /// Seconds after which the same may be asked again (RFC 9110 10.2.3).
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// RFC 6585 4.
    pub(crate) fn too_many_requests(wait: Duration) -> Self {
        let seconds = wait.as_secs() + 1;
        let message = format!("too many requests; go on in {seconds} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message).retry_after(seconds)
    }

    /// What went wrong inside is for the log; the caller can do nothing with it.
    pub(crate) fn internal(what: &str) -> Self {
        tracing::error!(what, "request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "an internal error; the server's log says more")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "nothing is served at this address")
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this address does not take this method")
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let kind = error.kind();
        let (status, _) = outside(kind);
        // What went wrong inside is for the log; the caller can do nothing with it.
        let message = if kind == ErrorKind::Internal {
            tracing::error!(code = error.code(), %error, "request failed");
            "an internal error; the server's log says more".to_owned()
        } else {
            error.to_string()
        };
        Self::new(status, error.code(), message)
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), "bad_request", rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<RawPathParamsRejection> for ApiError {
    fn from(rejection: RawPathParamsRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry_after = self.retry_after;
        let mut response = (self.status, [(header::CACHE_CONTROL, "no-store")], Json(self)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_status_and_its_failure_reason() {
        let table = [
            (ErrorKind::NotDicom, 422, 0xC000),
            (ErrorKind::Damaged, 422, 0xC000),
            (ErrorKind::BadRequest, 400, 0xC000),
            (ErrorKind::Refused, 403, 0x0124),
            (ErrorKind::Forbidden, 403, 0x0124),
            (ErrorKind::NotFound, 404, 0x0112),
            (ErrorKind::Conflict, 409, 0x0110),
            (ErrorKind::OutOfSpace, 507, 0xA700),
            (ErrorKind::Busy, 503, 0xA700),
            (ErrorKind::Internal, 500, 0x0110),
        ];
        for (kind, status, reason) in table {
            let (told_status, told_reason) = outside(kind);
            assert_eq!((told_status.as_u16(), told_reason), (status, reason), "{kind:?}");
        }
    }

    #[test]
    fn what_failed_inside_is_not_told_outside() {
        let error = ApiError::from(EngineError::Internal("row 7 of /home/somebody".into()));
        assert!(!error.message.contains("somebody"), "{}", error.message);
    }
}
