//! The files of a study's current report.

use axum::{
    extract::{Path, Query, rejection::QueryRejection},
    http::header,
    response::{IntoResponse, Response},
};
use hilum_engine::{Language, ReportPart};
use serde::Deserialize;

use super::{StudyPath, study_uid};
use crate::{doors::App, error::ApiError};

#[derive(Deserialize)]
pub(super) struct ReportQuery {
    lang: Option<Language>,
}

pub(super) async fn json(app: App, study: StudyPath) -> Result<Response, ApiError> {
    part(&app, study, ReportPart::Json, "application/json", None).await
}

/// English unless `lang=ko` asks for Korean.
pub(super) async fn pdf(
    app: App,
    study: StudyPath,
    query: Result<Query<ReportQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|_| ApiError::bad_request("lang is ko or en"))?;
    let language = query.lang.unwrap_or(Language::En);
    part(&app, study, ReportPart::Pdf(language), "application/pdf", Some("inline; filename=\"report.pdf\"")).await
}

pub(super) async fn xlsx(app: App, study: StudyPath) -> Result<Response, ApiError> {
    let media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    part(&app, study, ReportPart::Xlsx, media_type, Some("attachment; filename=\"report.xlsx\"")).await
}

/// `{n}.png`; 0 is the first.
pub(super) async fn key_image(app: App, Path((study, file)): Path<(String, String)>) -> Result<Response, ApiError> {
    let number = file.strip_suffix(".png").and_then(|number| number.parse::<usize>().ok());
    let number = number.ok_or_else(|| ApiError::bad_request("a key image is <number>.png, and 0.png is the first"))?;
    let study = StudyPath(study_uid(&study)?);
    part(&app, study, ReportPart::KeyImage(number), "image/png", None).await
}

/// File names hold no identity: they end up in download folders.
async fn part(
    app: &App,
    StudyPath(study): StudyPath,
    part: ReportPart,
    media_type: &'static str,
    disposition: Option<&'static str>,
) -> Result<Response, ApiError> {
    let bytes = app.engine.report(&app.scope, &study, part).await?;
    let typed = ([(header::CONTENT_TYPE, media_type)], bytes);
    Ok(match disposition {
        Some(disposition) => ([(header::CONTENT_DISPOSITION, disposition)], typed).into_response(),
        None => typed.into_response(),
    })
}
