//! Versions of a report, what physicians say of them, and signatures.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{FromRequestParts, Path, Query, rejection::QueryRejection},
    http::request::Parts,
    response::Response,
};
use hilum_dicom::StudyUid;
use hilum_engine::accounts::Proof;
use hilum_engine::results::LabelMap;
use hilum_engine::review::{
    Agreement, Judgement, LabelUse, NewConclusion, NewMask, NewQuickText, NewStone, QuickText, ReportVersion,
    ReviewView, Signing,
};
use hilum_engine::views::whole;
use hilum_engine::{Language, ReportPart};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    ApiResult, Number, StudyPath,
    report::{
        CSV, CSV_NAME, KeyImageQuery, PDF, PDF_NAME, PLANES, PNG, ReportQuery, Written, XLSX, XLSX_NAME, delivered,
        key_image_number,
    },
    study_uid,
};
use crate::{
    doors::{App, InPerson},
    error::ApiError,
    guard::Arrival,
    openapi::{Created, Done, Sketch, Takes},
    sent::Sent,
};

/// The parts of an address that names a version of a study's report.
pub(super) struct VersionPath {
    study: StudyUid,
    version: u32,
    rest: BTreeMap<String, String>,
}

impl VersionPath {
    fn part(&self, name: &str) -> &str {
        self.rest.get(name).map(String::as_str).unwrap_or_default()
    }

    fn finding(&self) -> Result<u32, ApiError> {
        self.part("number")
            .parse()
            .map_err(|_| ApiError::bad_request("the address names no finding: a number, from 1 on"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for VersionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(rest) = Path::<BTreeMap<String, String>>::from_request_parts(parts, state).await?;
        let part = |name: &str| rest.get(name).map(String::as_str).unwrap_or_default();
        let version = part("version").parse();
        let version =
            version.map_err(|_| ApiError::bad_request("the address names no version: a number, from 1 on"))?;
        Ok(Self { study: study_uid(part("study_uid"))?, version, rest })
    }
}

impl Takes for VersionPath {
    fn told(_sketch: &mut Sketch) {}
}

pub(super) async fn versions(app: App, StudyPath(study): StudyPath) -> ApiResult<Vec<ReportVersion>> {
    Ok(Json(app.engine.report_versions(&app.scope, &study).await?))
}

async fn part(
    app: &App,
    path: &VersionPath,
    part: ReportPart,
    media_type: &'static str,
    disposition: Option<&'static str>,
) -> Result<Response, ApiError> {
    let bytes = app.engine.report_of_version(&app.scope, &path.study, path.version, part).await?;
    Ok(delivered(bytes, media_type, disposition))
}

pub(super) async fn json(app: App, path: VersionPath) -> Result<Written, ApiError> {
    part(&app, &path, ReportPart::Json, "application/json", None).await.map(Written)
}

/// English unless `lang=ko` asks for Korean.
pub(super) async fn pdf(
    app: App,
    path: VersionPath,
    query: Result<Query<ReportQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|_| ApiError::bad_request("lang is ko or en"))?;
    let language = query.lang.unwrap_or(Language::En);
    part(&app, &path, ReportPart::Pdf(language), PDF, Some(PDF_NAME)).await
}

pub(super) async fn xlsx(app: App, path: VersionPath) -> Result<Response, ApiError> {
    part(&app, &path, ReportPart::Xlsx, XLSX, Some(XLSX_NAME)).await
}

pub(super) async fn csv(app: App, path: VersionPath) -> Result<Response, ApiError> {
    part(&app, &path, ReportPart::Csv, CSV, Some(CSV_NAME)).await
}

/// `{n}.png`; 0 is the first.
pub(super) async fn key_image(
    app: App,
    path: VersionPath,
    query: Result<Query<KeyImageQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(KeyImageQuery { plane }) = query.map_err(|_| ApiError::bad_request(PLANES))?;
    let number = key_image_number(path.part("file"))?;
    part(&app, &path, ReportPart::KeyImage(number, plane.unwrap_or_default()), PNG, None).await
}

/// The very bytes whose SHA-256 the signature names.
pub(super) async fn signed(app: App, path: VersionPath) -> Result<Response, ApiError> {
    part(&app, &path, ReportPart::Signed, "application/json", Some("attachment; filename=\"signed.json\"")).await
}

pub(super) async fn mask(app: App, path: VersionPath) -> ApiResult<LabelMap> {
    Ok(Json(app.engine.label_map(&app.scope, &path.study, path.version).await?))
}

pub(super) async fn review(app: App, path: VersionPath) -> ApiResult<ReviewView> {
    Ok(Json(app.engine.review(&app.scope, &path.study, path.version).await?))
}

pub(super) async fn judge(app: App, path: VersionPath, Sent(judgement): Sent<Judgement>) -> ApiResult<ReviewView> {
    let number = path.finding()?;
    Ok(Json(app.engine.judge(&app.scope, &path.study, path.version, number, &judgement).await?))
}

pub(super) async fn correct_mask(app: App, path: VersionPath, Sent(mask): Sent<NewMask>) -> ApiResult<ReviewView> {
    let number = path.finding()?;
    Ok(Json(app.engine.correct_mask(&app.scope, &path.study, path.version, number, &mask).await?))
}

pub(super) async fn add_stone(
    app: App,
    path: VersionPath,
    Sent(stone): Sent<NewStone>,
) -> Result<Created<ReviewView>, ApiError> {
    Ok(Created(app.engine.add_stone(&app.scope, &path.study, path.version, &stone).await?))
}

pub(super) async fn conclude(
    app: App,
    path: VersionPath,
    Sent(conclusion): Sent<NewConclusion>,
) -> ApiResult<ReviewView> {
    Ok(Json(app.engine.conclude(&app.scope, &path.study, path.version, &conclusion).await?))
}

/// How a report is signed: by the password, or by a code of the second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SigningBody {
    /// The revision of the review that was seen.
    #[serde(deserialize_with = "whole")]
    revision: u32,
    /// Findings that nobody has judged are accepted as they are.
    #[serde(default)]
    accept_rest: bool,
    /// Why, where the version is a signed one already.
    #[serde(default)]
    #[schema(max_length = 1000, pattern = r"^[^\x00-\x08\x0B-\x1F\x7F-\x9F]*$")]
    reason: String,
    /// The signer's password, once more.
    #[serde(default)]
    password: Option<String>,
    /// Or a code of the signer's second factor.
    #[serde(default)]
    code: Option<String>,
}

/// With a session only, and by somebody who has just shown again who they are.
pub(super) async fn sign(
    InPerson(app): InPerson,
    arrival: Arrival,
    path: VersionPath,
    Sent(SigningBody { revision, accept_rest, reason, password, code }): Sent<SigningBody>,
) -> Result<Created<ReportVersion>, ApiError> {
    let proof = match (password, code) {
        (Some(password), None) => Proof::Password(password),
        (None, Some(code)) => Proof::Code(code),
        _ => return Err(ApiError::bad_request("send password, or code of the second factor, and not both")),
    };
    app.engine.show_again(&app.caller, &proof, arrival.whence).await?;
    let signing = Signing { revision, accept_rest, reason };
    let signed = app.engine.sign_report(&app.scope, &app.caller, &path.study, path.version, &signing).await?;
    Ok(Created(signed))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLabelUse {
    label_use: LabelUse,
}

pub(super) async fn set_label_use(
    app: App,
    path: VersionPath,
    Sent(NewLabelUse { label_use }): Sent<NewLabelUse>,
) -> ApiResult<ReportVersion> {
    Ok(Json(app.engine.set_label_use(&app.scope, &path.study, path.version, label_use).await?))
}

pub(super) async fn agreement(app: App) -> ApiResult<Vec<Agreement>> {
    Ok(Json(app.engine.agreement(&app.scope).await?))
}

pub(super) async fn quick_texts(app: App) -> ApiResult<Vec<QuickText>> {
    Ok(Json(app.engine.quick_texts(&app.scope, &app.caller).await?))
}

pub(super) async fn add_quick_text(app: App, Sent(new): Sent<NewQuickText>) -> Result<Created<QuickText>, ApiError> {
    Ok(Created(app.engine.add_quick_text(&app.scope, &app.caller, &new).await?))
}

pub(super) async fn remove_quick_text(app: App, Number(id): Number) -> Result<Done, ApiError> {
    app.engine.remove_quick_text(&app.scope, &app.caller, id).await?;
    Ok(Done)
}
