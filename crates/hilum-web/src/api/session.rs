//! Signing in and out, passwords, and links that work once.

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
};
use hilum_engine::accounts::{AccountError, Caller, LinkView, Shown, Signed};
use hilum_engine::{AccountId, InstitutionCode, Permission, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiResult;
use crate::{
    cookie,
    doors::{App, InPerson},
    error::ApiError,
    guard::Arrival,
    openapi::{Done, Typed},
    server::Server,
};

/// `GET /api/v1/session`
#[derive(Serialize, ToSchema)]
pub(super) struct SessionView {
    account: AccountName,
    /// What a page sends as X-Hilum-Csrf with each change; programs with a token need none.
    csrf: Option<String>,
    institutions: Vec<Membership>,
}

#[derive(Serialize, ToSchema)]
struct AccountName {
    id: AccountId,
    login: String,
    name: String,
}

#[derive(Serialize, ToSchema)]
struct Membership {
    code: InstitutionCode,
    name: String,
    roles: Vec<Role>,
    permissions: Vec<Permission>,
}

async fn view(server: &Server, caller: &Caller, csrf: Option<String>) -> Result<SessionView, ApiError> {
    let scope = caller.scope();
    let institutions = server.engine.institutions(&scope).await?.into_iter().map(|institution| {
        let roles = caller.grants.iter().filter(|grant| grant.institution == institution.code).map(|grant| grant.role);
        let permissions = Permission::ALL.into_iter().filter(|one| scope.may(*one, &institution.code)).collect();
        Membership { roles: roles.collect(), permissions, code: institution.code, name: institution.name }
    });
    let account = AccountName { id: caller.id, login: caller.login.clone(), name: caller.name.clone() };
    Ok(SessionView { account, csrf, institutions: institutions.collect() })
}

/// Who is signed in.
pub(super) async fn show(app: App, headers: HeaderMap) -> ApiResult<SessionView> {
    let csrf = match (app.caller.shown, cookie::session(&headers)) {
        (Shown::Session, Some(session)) => app.engine.caller_of_session(session).await?.map(|(_, csrf)| csrf),
        _ => None,
    };
    Ok(Json(view(&app.server, &app.caller, csrf).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    login: String,
    password: String,
}

pub(super) async fn sign_in(
    State(server): State<Server>,
    arrival: Arrival,
    credentials: Result<Json<Credentials>, JsonRejection>,
) -> Result<Opened, ApiError> {
    let Json(Credentials { login, password }) = credentials?;
    let signed = server.engine.sign_in(&login, &password, arrival.whence).await?;
    signed_in(&server, arrival, signed).await
}

/// A session that was opened, with its cookie.
type Opened = Typed<Json<SessionView>>;

async fn signed_in(server: &Server, arrival: Arrival, signed: Signed) -> Result<Opened, ApiError> {
    let shown = view(server, &signed.caller, Some(signed.csrf)).await?;
    let mut response = Typed::of(Json(shown));
    let cookie = cookie::set(&signed.session, arrival.secure);
    let cookie = cookie.ok_or_else(|| ApiError::bad_request("the session cannot be written as a cookie"))?;
    response.0.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

pub(super) async fn sign_out(app: App, headers: HeaderMap) -> Result<Typed<Done>, ApiError> {
    if let Some(session) = cookie::session(&headers) {
        app.engine.sign_out(&app.scope, session).await?;
    }
    let mut response = Typed::of(Done);
    for cookie in cookie::remove() {
        response.0.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    old: String,
    #[schema(min_length = 15, max_length = 256)]
    new: String,
}

/// With a session only: a program's token is no proof of its owner's presence.
pub(super) async fn change_password(
    InPerson(app): InPerson,
    arrival: Arrival,
    passwords: Result<Json<NewPassword>, JsonRejection>,
) -> Result<Opened, ApiError> {
    let Json(NewPassword { old, new }) = passwords?;
    let signed = app.engine.change_password(&app.caller, &old, &new, arrival.whence).await?;
    signed_in(&app.server, arrival, signed).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    link: String,
}

pub(super) async fn check_link(
    State(server): State<Server>,
    link: Result<Json<Link>, JsonRejection>,
) -> ApiResult<LinkView> {
    let Json(Link { link }) = link?;
    Ok(Json(server.engine.check_link(&link).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UsedLink {
    link: String,
    login: Option<String>,
    name: Option<String>,
    #[schema(min_length = 15, max_length = 256)]
    password: String,
}

pub(super) async fn use_link(
    State(server): State<Server>,
    arrival: Arrival,
    link: Result<Json<UsedLink>, JsonRejection>,
) -> Result<Opened, ApiError> {
    let Json(UsedLink { link, login, name, password }) = link?;
    let signed = server.engine.use_link(&link, login.as_deref(), name.as_deref(), &password, arrival.whence).await?;
    signed_in(&server, arrival, signed).await
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let message = error.to_string();
        match error {
            AccountError::WrongCredentials => Self::new(StatusCode::UNAUTHORIZED, "wrong_credentials", message),
            AccountError::Locked(seconds) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", message).retry_after(seconds)
            }
            AccountError::LinkUnknown => Self::new(StatusCode::NOT_FOUND, "link_unknown", message),
            AccountError::WeakPassword(_) => Self::new(StatusCode::BAD_REQUEST, "weak_password", message),
            AccountError::Engine(error) => error.into(),
        }
    }
}
