//! `/api/v1`: what the user interface and scripts ask. JSON in the words of `hilum_engine::views`.

mod accounts;
mod audit;
mod identities;
mod openid;
mod report;
mod second_factor;
mod session;
mod studies;

use axum::{Json, extract::Path, http::Method};
use hilum_dicom::StudyUid;
use hilum_engine::Permission;
use hilum_engine::views::{Activity, QuarantineEntry, SystemView};

use crate::{
    doors::{App, Doors, Needs},
    error::ApiError,
    server::Server,
};

type ApiResult<T> = Result<Json<T>, ApiError>;

pub(crate) fn doors(server: &Server) -> Doors {
    let (view, predict, manage) =
        (Needs::May(Permission::View), Needs::May(Permission::Predict), Needs::May(Permission::Manage));
    Doors::below(server, "/api/v1")
        .with_whole_bodies()
        .get("/session", Needs::SignedIn, session::show)
        .post("/session", Needs::Nobody, session::sign_in)
        .delete("/session", Needs::SignedIn, session::sign_out)
        .open(Method::PUT, "/session/password", Needs::SignedIn, session::change_password)
        .post("/session/second-factor", Needs::Nobody, second_factor::begin_at_sign_in)
        .post("/second-factor", Needs::SignedIn, second_factor::begin)
        .open(Method::PUT, "/second-factor", Needs::SignedIn, second_factor::confirm)
        .post("/second-factor/remove", Needs::SignedIn, second_factor::remove)
        .post("/second-factor/recovery-codes", Needs::SignedIn, second_factor::renew_recovery_codes)
        .post("/second-factor/reset-seen", Needs::SignedIn, second_factor::saw_reset)
        .post("/links/check", Needs::Nobody, session::check_link)
        .post("/links/use", Needs::Nobody, session::use_link)
        .get("/accounts", manage, accounts::list)
        .post("/accounts", manage, accounts::add)
        .open(Method::PATCH, "/accounts/{id}", manage, accounts::change)
        .post("/accounts/{id}/link", manage, accounts::link)
        .post("/accounts/{id}/second-factor/reset", manage, second_factor::reset)
        .get("/accounts/{id}/identities", manage, identities::of_account)
        .post("/accounts/{id}/identities", manage, identities::link)
        .delete("/accounts/{id}/identities/{identity}", manage, identities::unlink)
        .get("/identities", Needs::SignedIn, identities::own)
        .post("/identities", Needs::SignedIn, identities::begin_link)
        .delete("/identities/{id}", Needs::SignedIn, identities::unlink_own)
        .get("/openid", Needs::Nobody, openid::list)
        .post("/openid/{provider}", Needs::Nobody, openid::begin)
        .get("/openid/{provider}/callback", Needs::Nobody, openid::callback)
        .get("/institutions", Needs::SignedIn, accounts::institutions)
        .post("/institutions", manage, accounts::add_institution)
        .get("/tokens", Needs::SignedIn, accounts::tokens)
        .post("/tokens", Needs::SignedIn, accounts::add_token)
        .delete("/tokens/{id}", Needs::SignedIn, accounts::revoke_token)
        .get("/system", Needs::SignedIn, system)
        .get("/audit", Needs::May(Permission::Audit), audit::list)
        .get("/activity", view, activity)
        .get("/quarantine", view, quarantine)
        .post("/studies/search", view, studies::search)
        .get("/studies/{study_uid}", view, studies::study)
        .post("/studies/{study_uid}/reading/cancel", predict, studies::cancel_reading)
        .post("/studies/{study_uid}/reading/resume", predict, studies::resume_reading)
        .get("/studies/{study_uid}/report", view, report::json)
        .get("/studies/{study_uid}/report.pdf", view, report::pdf)
        .get("/studies/{study_uid}/report.xlsx", view, report::xlsx)
        .get("/studies/{study_uid}/report/key-images/{file}", view, report::key_image)
}

async fn system(app: App) -> Json<SystemView> {
    Json(SystemView { loopback_only: app.loopback_only, ..app.engine.system() })
}

async fn activity(app: App) -> ApiResult<Activity> {
    Ok(Json(app.engine.activity(&app.scope).await?))
}

async fn quarantine(app: App) -> ApiResult<Vec<QuarantineEntry>> {
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
