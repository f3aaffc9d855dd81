//! What people measured in images.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use hilum_dicom::StudyUid;
use hilum_engine::measurement::{MeasurementView, NewMeasurement};

use super::{ApiResult, StudyPath, study_uid};
use crate::{
    doors::App,
    error::ApiError,
    openapi::{Created, Done, Sketch, Takes},
    sent::Sent,
};

/// A measurement of a study.
pub(super) struct MeasurementPath {
    study: StudyUid,
    id: i64,
}

impl<S: Send + Sync> FromRequestParts<S> for MeasurementPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(named) = Path::<BTreeMap<String, String>>::from_request_parts(parts, state).await?;
        let part = |name: &str| named.get(name).map(String::as_str).unwrap_or_default();
        let id = part("id").parse().map_err(|_| ApiError::bad_request("the address names no number"))?;
        Ok(Self { study: study_uid(part("study_uid"))?, id })
    }
}

impl Takes for MeasurementPath {
    fn told(_sketch: &mut Sketch) {}
}

pub(super) async fn list(app: App, StudyPath(study): StudyPath) -> ApiResult<Vec<MeasurementView>> {
    Ok(Json(app.engine.measurements(&app.scope, &study).await?))
}

pub(super) async fn add(
    app: App,
    StudyPath(study): StudyPath,
    Sent(new): Sent<NewMeasurement>,
) -> Result<Created<MeasurementView>, ApiError> {
    Ok(Created(app.engine.add_measurement(&app.scope, &study, &new).await?))
}

pub(super) async fn remove(app: App, path: MeasurementPath) -> Result<Done, ApiError> {
    app.engine.remove_measurement(&app.scope, &path.study, path.id).await?;
    Ok(Done)
}
