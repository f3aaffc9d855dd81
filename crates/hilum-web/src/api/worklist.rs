//! The worklist beyond the list itself: how urgent a study is, kept filters, how its series were taken, and what changes.

use axum::Json;
use hilum_engine::acquisition::Acquisition;
use hilum_engine::views::{NewSavedFilter, Priority, SavedFilter, StudySummary};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ApiResult, Number, StudyPath};
use crate::{
    doors::App,
    error::ApiError,
    openapi::{Created, Done},
    sent::Sent,
};

pub(super) async fn acquisition(app: App, StudyPath(study): StudyPath) -> ApiResult<Vec<Acquisition>> {
    Ok(Json(app.engine.acquisition(&app.scope, &study).await?))
}

/// How urgent a study is from now on, whatever orders say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPriority {
    priority: Priority,
}

pub(super) async fn set_priority(
    app: App,
    StudyPath(study): StudyPath,
    Sent(NewPriority { priority }): Sent<NewPriority>,
) -> ApiResult<StudySummary> {
    Ok(Json(app.engine.set_priority(&app.scope, &study, priority).await?))
}

pub(super) async fn filters(app: App) -> ApiResult<Vec<SavedFilter>> {
    Ok(Json(app.engine.saved_filters(&app.scope, &app.caller).await?))
}

pub(super) async fn save_filter(app: App, Sent(new): Sent<NewSavedFilter>) -> Result<Created<SavedFilter>, ApiError> {
    Ok(Created(app.engine.save_filter(&app.scope, &app.caller, &new).await?))
}

pub(super) async fn remove_filter(app: App, Number(id): Number) -> Result<Done, ApiError> {
    app.engine.remove_filter(&app.scope, &app.caller, id).await?;
    Ok(Done)
}
