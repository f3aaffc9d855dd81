//! The files of a study's current report.

use axum::{
    Json,
    extract::{
        Path, Query,
        rejection::{PathRejection, QueryRejection},
    },
    http::header,
    response::{IntoResponse, Response},
};
use hilum_engine::report::UrinaryStoneReport;
use hilum_engine::{Language, ReportPart};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{StudyPath, study_uid};
use crate::{
    doors::App,
    error::ApiError,
    openapi::{Gives, Said, Sketch, bytes},
};

pub(super) const PDF: &str = "application/pdf";
pub(super) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
pub(super) const PNG: &str = "image/png";

/// What is said of a door that gives a file.
pub(super) fn file(summary: &'static str, media_type: &'static str) -> Said {
    Said::from(summary).gives(200, media_type, bytes())
}

/// The document as it was written, which is never read in between.
pub(super) struct Written(Response);

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Gives for Written {
    fn told(sketch: &mut Sketch) {
        Json::<UrinaryStoneReport>::told(sketch);
    }
}

#[derive(Deserialize, IntoParams)]
pub(super) struct ReportQuery {
    /// English when absent.
    #[param(inline)]
    lang: Option<Language>,
}

pub(super) async fn json(app: App, study: StudyPath) -> Result<Written, ApiError> {
    part(&app, study, ReportPart::Json, "application/json", None).await.map(Written)
}

/// English unless `lang=ko` asks for Korean.
pub(super) async fn pdf(
    app: App,
    study: StudyPath,
    query: Result<Query<ReportQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|_| ApiError::bad_request("lang is ko or en"))?;
    let language = query.lang.unwrap_or(Language::En);
    part(&app, study, ReportPart::Pdf(language), PDF, Some("inline; filename=\"report.pdf\"")).await
}

pub(super) async fn xlsx(app: App, study: StudyPath) -> Result<Response, ApiError> {
    part(&app, study, ReportPart::Xlsx, XLSX, Some("attachment; filename=\"report.xlsx\"")).await
}

/// `{n}.png`; 0 is the first.
pub(super) async fn key_image(
    app: App,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path((study, file)) = path?;
    let number = file.strip_suffix(".png").and_then(|number| number.parse::<usize>().ok());
    let number = number.ok_or_else(|| ApiError::bad_request("a key image is <number>.png, and 0.png is the first"))?;
    let study = StudyPath(study_uid(&study)?);
    part(&app, study, ReportPart::KeyImage(number), PNG, None).await
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
