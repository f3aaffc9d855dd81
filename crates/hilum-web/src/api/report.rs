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
use bytes::Bytes;
use hilum_engine::report::{GuidelineOptions, Inputs, Plane, UrinaryStoneReport};
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
pub(super) const CSV: &str = "text/csv";
pub(super) const PNG: &str = "image/png";
/// File names hold no identity: they end up in download folders.
pub(super) const PDF_NAME: &str = "inline; filename=\"report.pdf\"";
pub(super) const CSV_NAME: &str = "attachment; filename=\"report.csv\"";
pub(super) const XLSX_NAME: &str = "attachment; filename=\"report.xlsx\"";

/// What a query for a key image may say.
pub(super) const PLANES: &str = "plane is axial, coronal or sagittal";

/// What is said of a door that gives a file.
pub(super) fn file(summary: &'static str, media_type: &'static str) -> Said {
    Said::from(summary).gives(200, media_type, bytes())
}

/// The document as it was written, which is never read in between.
pub(super) struct Written(pub(super) Response);

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
    pub(super) lang: Option<Language>,
}

#[derive(Deserialize, IntoParams)]
pub(super) struct KeyImageQuery {
    /// Axial when absent; the first stones of a report have all three.
    #[param(inline)]
    pub(super) plane: Option<Plane>,
}

/// What a physician tells of the patient; what is left out is not known. Of the stone itself, what was measured counts.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ToldQuery {
    /// The urinary tract is obstructed.
    obstruction: Option<bool>,
    /// A urinary infection is there or suspected.
    infection: Option<bool>,
    /// Pain that medication does not control.
    uncontrolled_pain: Option<bool>,
    /// The stone causes symptoms.
    symptoms: Option<bool>,
    /// Renal function is reduced.
    reduced_renal_function: Option<bool>,
    /// The patient is pregnant.
    pregnancy: Option<bool>,
    /// The blood's clotting is impaired, by medication or disease.
    anticoagulation: Option<bool>,
    /// The patient has one kidney.
    solitary_kidney: Option<bool>,
    /// An aneurysm of the aorta is there.
    aortic_aneurysm: Option<bool>,
    /// A steep or long, narrow infundibulum.
    unfavourable_anatomy: Option<bool>,
    /// Hydronephrosis is moderate or severe.
    moderate_hydronephrosis: Option<bool>,
    /// Three calyces or more hold stones.
    three_calyces: Option<bool>,
    /// A stone fills pelvis and calyces (complete staghorn).
    staghorn: Option<bool>,
    /// A stone fills the pelvis and some calyces (partial staghorn).
    partial_staghorn: Option<bool>,
    /// A stone lies in a calyceal diverticulum.
    calyceal_diverticulum: Option<bool>,
    /// Anatomy of kidney or collecting system is not normal.
    abnormal_anatomy: Option<bool>,
    /// Spina bifida or an injury of the spinal cord.
    spinal_malformation: Option<bool>,
}

/// The guideline options, weighed again with what is told of the patient. Nothing is kept.
pub(super) async fn options(
    app: App,
    StudyPath(study): StudyPath,
    query: Result<Query<ToldQuery>, QueryRejection>,
) -> Result<Json<GuidelineOptions>, ApiError> {
    let Query(told) = query.map_err(|_| {
        ApiError::bad_request(
            "what is told of the patient is true or false, by the names that the OpenAPI document gives",
        )
    })?;
    let told = Inputs {
        obstruction: told.obstruction,
        infection: told.infection,
        uncontrolled_pain: told.uncontrolled_pain,
        symptoms: told.symptoms,
        reduced_renal_function: told.reduced_renal_function,
        pregnancy: told.pregnancy,
        anticoagulation: told.anticoagulation,
        solitary_kidney: told.solitary_kidney,
        aortic_aneurysm: told.aortic_aneurysm,
        unfavourable_anatomy: told.unfavourable_anatomy,
        moderate_hydronephrosis: told.moderate_hydronephrosis,
        three_calyces: told.three_calyces,
        staghorn: told.staghorn,
        partial_staghorn: told.partial_staghorn,
        calyceal_diverticulum: told.calyceal_diverticulum,
        abnormal_anatomy: told.abnormal_anatomy,
        spinal_malformation: told.spinal_malformation,
        ..Inputs::default()
    };
    Ok(Json(app.engine.report_options(&app.scope, &study, &told).await?))
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
    part(&app, study, ReportPart::Pdf(language), PDF, Some(PDF_NAME)).await
}

pub(super) async fn xlsx(app: App, study: StudyPath) -> Result<Response, ApiError> {
    part(&app, study, ReportPart::Xlsx, XLSX, Some(XLSX_NAME)).await
}

pub(super) async fn csv(app: App, study: StudyPath) -> Result<Response, ApiError> {
    part(&app, study, ReportPart::Csv, CSV, Some(CSV_NAME)).await
}

/// `{n}.png`; 0 is the first.
pub(super) async fn key_image(
    app: App,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<KeyImageQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Path((study, file)) = path?;
    let Query(KeyImageQuery { plane }) = query.map_err(|_| ApiError::bad_request(PLANES))?;
    let number = key_image_number(&file)?;
    let study = StudyPath(study_uid(&study)?);
    part(&app, study, ReportPart::KeyImage(number, plane.unwrap_or_default()), PNG, None).await
}

/// The number of a key image by its name.
pub(super) fn key_image_number(file: &str) -> Result<usize, ApiError> {
    let number = file.strip_suffix(".png").and_then(|number| number.parse::<usize>().ok());
    number.ok_or_else(|| ApiError::bad_request("a key image is <number>.png, and 0.png is the first"))
}

async fn part(
    app: &App,
    StudyPath(study): StudyPath,
    part: ReportPart,
    media_type: &'static str,
    disposition: Option<&'static str>,
) -> Result<Response, ApiError> {
    let bytes = app.engine.report(&app.scope, &study, part).await?;
    Ok(delivered(bytes, media_type, disposition))
}

/// A file as an answer.
pub(super) fn delivered(bytes: Bytes, media_type: &'static str, disposition: Option<&'static str>) -> Response {
    let typed = ([(header::CONTENT_TYPE, media_type)], bytes);
    match disposition {
        Some(disposition) => ([(header::CONTENT_DISPOSITION, disposition)], typed).into_response(),
        None => typed.into_response(),
    }
}
