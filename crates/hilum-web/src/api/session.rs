//! Signing in and out, passwords, and links that work once.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use hilum_engine::accounts::{AccountError, Caller, LinkUsed, LinkView, SecondFactorView, Shown, Signed};
use hilum_engine::{AccountId, InstitutionCode, Permission, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ApiResult, openid::own_address};
use crate::{
    cookie,
    doors::{App, InPerson},
    error::ApiError,
    guard::Arrival,
    openapi::{Done, OneOf, Typed},
    sent::Sent,
    server::Server,
};

/// `GET /api/v1/session`
#[derive(Serialize, ToSchema)]
pub(super) struct SessionView {
    account: AccountName,
    /// What a page sends as X-Hilum-Csrf with each change; programs with a token need none.
    csrf: Option<String>,
    institutions: Vec<Membership>,
    second_factor: SecondFactorView,
    /// Of the sign-in that made the second factor count, alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes: Option<Vec<String>>,
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
    let institutions = institutions.collect();
    let second_factor = server.engine.second_factor(caller).await?;
    Ok(SessionView { account, csrf, institutions, second_factor, recovery_codes: None })
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
    pub(super) login: String,
    pub(super) password: String,
    /// Of the second factor, where the account has one.
    #[serde(default)]
    pub(super) code: Option<String>,
}

pub(super) async fn sign_in(
    State(server): State<Server>,
    arrival: Arrival,
    Sent(Credentials { login, password, code }): Sent<Credentials>,
) -> Result<Opened, ApiError> {
    let signed = server.engine.sign_in(&login, &password, code.as_deref(), arrival.whence).await?;
    signed_in(&server, arrival, signed).await
}

/// A session that was opened, with its cookie.
type Opened = Typed<Json<SessionView>>;

async fn signed_in(server: &Server, arrival: Arrival, signed: Signed) -> Result<Opened, ApiError> {
    let shown = view(server, &signed.caller, Some(signed.csrf)).await?;
    let shown = SessionView { recovery_codes: signed.recovery_codes, ..shown };
    let mut response = Typed::of(Json(shown));
    let cookie = cookie::set(&signed.session, arrival.secure);
    let cookie = cookie.ok_or_else(|| ApiError::bad_request("the session cannot be written as a cookie"))?;
    response.0.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Where the browser goes to sign out at the provider too.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedOut {
    location: String,
}

/// 204; 200 with an address, where the session began by a provider that has one to sign out.
pub(super) async fn sign_out(
    app: App,
    arrival: Arrival,
    headers: HeaderMap,
) -> Result<Typed<OneOf<Json<SignedOut>, Done>>, ApiError> {
    let mut answer = OneOf::Other(Done);
    if let Some(session) = cookie::session(&headers) {
        let issuer = app.engine.issuer_of_session(session).await?;
        app.engine.sign_out(&app.scope, session).await?;
        if let Some(provider) = issuer.and_then(|issuer| app.openid.of_issuer(&issuer).cloned()) {
            let back = format!("{}/sign-in", own_address(&headers, arrival)?);
            if let Some(location) = provider.end_session(&back).await {
                answer = OneOf::One(Json(SignedOut { location }));
            }
        }
    }
    let mut response = Typed::of(answer);
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
    Sent(NewPassword { old, new }): Sent<NewPassword>,
) -> Result<Opened, ApiError> {
    let signed = app.engine.change_password(&app.caller, &old, &new, arrival.whence).await?;
    signed_in(&app.server, arrival, signed).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    link: String,
}

pub(super) async fn check_link(State(server): State<Server>, Sent(Link { link }): Sent<Link>) -> ApiResult<LinkView> {
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
    Sent(UsedLink { link, login, name, password }): Sent<UsedLink>,
) -> Result<OneOf<Opened, Done>, ApiError> {
    let used = server.engine.use_link(&link, login.as_deref(), name.as_deref(), &password, arrival.whence).await?;
    match used {
        LinkUsed::Signed(signed) => Ok(OneOf::One(signed_in(&server, arrival, signed).await?)),
        LinkUsed::PasswordSet => Ok(OneOf::Other(Done)),
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let message = error.to_string();
        match error {
            AccountError::WrongCredentials => Self::new(StatusCode::UNAUTHORIZED, "wrong_credentials", message),
            AccountError::SecondFactorNeeded => Self::new(StatusCode::UNAUTHORIZED, "second_factor_needed", message),
            AccountError::SecondFactorMissing => Self::new(StatusCode::UNAUTHORIZED, "second_factor_missing", message),
            AccountError::WrongSecondFactor => Self::new(StatusCode::UNAUTHORIZED, "wrong_second_factor", message),
            AccountError::Locked(seconds) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", message).retry_after(seconds)
            }
            AccountError::LinkUnknown => Self::new(StatusCode::NOT_FOUND, "link_unknown", message),
            AccountError::Identity(refusal) => Self::new(StatusCode::FORBIDDEN, refusal.code(), message),
            AccountError::WeakPassword(_) => Self::new(StatusCode::BAD_REQUEST, "weak_password", message),
            AccountError::Engine(error) => error.into(),
        }
    }
}
