//! `/api/v1`: what the user interface and scripts ask. JSON in the words of `hilum_engine::views`.

mod report;
mod studies;

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use hilum_dicom::StudyUid;
use hilum_engine::views::{Activity, QuarantineEntry, SystemView};

use crate::{error::ApiError, server::App};

type ApiResult<T> = Result<Json<T>, ApiError>;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/system", get(system))
        .route("/activity", get(activity))
        .route("/quarantine", get(quarantine))
        .route("/studies/search", post(studies::search))
        .route("/studies/{study_uid}", get(studies::study))
        .route("/studies/{study_uid}/reading/cancel", post(studies::cancel_reading))
        .route("/studies/{study_uid}/reading/resume", post(studies::resume_reading))
        .route("/studies/{study_uid}/report", get(report::json))
        .route("/studies/{study_uid}/report.pdf", get(report::pdf))
        .route("/studies/{study_uid}/report.xlsx", get(report::xlsx))
        .route("/studies/{study_uid}/report/key-images/{file}", get(report::key_image))
        .fallback(|| async { ApiError::not_found() })
}

async fn system(State(app): State<App>) -> Json<SystemView> {
    Json(app.engine.system())
}

async fn activity(State(app): State<App>) -> ApiResult<Activity> {
    Ok(Json(app.engine.activity(&app.scope).await?))
}

async fn quarantine(State(app): State<App>) -> ApiResult<Vec<QuarantineEntry>> {
    Ok(Json(app.engine.quarantine(&app.scope).await?))
}

/// The study of an address.
fn study_uid(text: &str) -> Result<StudyUid, ApiError> {
    text.parse().map_err(|error| ApiError::bad_request(format!("the address names no study: {error}")))
}

/// The study of an address that names nothing else.
struct StudyPath(StudyUid);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for StudyPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
        study_uid(&text).map(Self)
    }
}
