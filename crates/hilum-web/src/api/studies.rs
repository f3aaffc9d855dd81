//! The study list, one study, and its reading.

use axum::Json;
use hilum_engine::views::{Page, ReadingState, StudyDetail, StudySearch, StudySummary};

use super::{ApiResult, StudyPath};
use crate::{doors::App, sent::Sent};

/// POST, as names never stand in an address.
pub(super) async fn search(app: App, Sent(search): Sent<StudySearch>) -> ApiResult<Page<StudySummary>> {
    Ok(Json(app.engine.studies(&app.scope, &search).await?))
}

pub(super) async fn study(app: App, StudyPath(study): StudyPath) -> ApiResult<StudyDetail> {
    Ok(Json(app.engine.study(&app.scope, &study).await?))
}

pub(super) async fn ask_for_reading(app: App, StudyPath(study): StudyPath) -> ApiResult<ReadingState> {
    Ok(Json(app.engine.ask_for_reading(&app.scope, &study).await?))
}

pub(super) async fn cancel_reading(app: App, StudyPath(study): StudyPath) -> ApiResult<ReadingState> {
    Ok(Json(app.engine.cancel_reading(&app.scope, &study).await?))
}

pub(super) async fn resume_reading(app: App, StudyPath(study): StudyPath) -> ApiResult<ReadingState> {
    Ok(Json(app.engine.resume_reading(&app.scope, &study).await?))
}
