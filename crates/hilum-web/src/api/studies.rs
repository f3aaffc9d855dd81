//! The study list, one study, and its reading.

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
};
use hilum_engine::views::{Page, ReadingState, StudyDetail, StudySearch, StudySummary};

use super::{ApiResult, StudyPath};
use crate::server::App;

/// POST, as names never stand in an address.
pub(super) async fn search(
    State(app): State<App>,
    search: Result<Json<StudySearch>, JsonRejection>,
) -> ApiResult<Page<StudySummary>> {
    let Json(search) = search?;
    Ok(Json(app.engine.studies(&app.scope, &search).await?))
}

pub(super) async fn study(State(app): State<App>, StudyPath(study): StudyPath) -> ApiResult<StudyDetail> {
    Ok(Json(app.engine.study(&app.scope, &study).await?))
}

pub(super) async fn cancel_reading(State(app): State<App>, StudyPath(study): StudyPath) -> ApiResult<ReadingState> {
    Ok(Json(app.engine.cancel_reading(&app.scope, &study).await?))
}

pub(super) async fn resume_reading(State(app): State<App>, StudyPath(study): StudyPath) -> ApiResult<ReadingState> {
    Ok(Json(app.engine.resume_reading(&app.scope, &study).await?))
}
