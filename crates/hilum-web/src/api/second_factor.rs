//! One's own second factor. All of it is for those who signed in: a program's token is no proof of its owner's presence.

use axum::{Json, extract::State, http::HeaderMap};
use hilum_engine::AccountId;
use hilum_engine::accounts::NewAuthenticator;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ApiResult, Number, session::Credentials};
use crate::{cookie, doors::InPerson, error::ApiError, guard::Arrival, openapi::Done, sent::Sent, server::Server};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnCode {
    code: String,
}

/// Codes that work once in place of the authenticator; shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryCodes {
    recovery_codes: Vec<String>,
}

/// A new secret for an authenticator, which counts once a code of it is shown.
pub(super) async fn begin(
    InPerson(app): InPerson,
    arrival: Arrival,
    Sent(Password { password }): Sent<Password>,
) -> ApiResult<NewAuthenticator> {
    Ok(Json(app.engine.begin_second_factor(&app.caller, &password, arrival.whence).await?))
}

/// The same before there is a session, where nobody signs in without a second factor and the account has none.
pub(super) async fn begin_at_sign_in(
    State(server): State<Server>,
    arrival: Arrival,
    Sent(Credentials { login, password, code: _ }): Sent<Credentials>,
) -> ApiResult<NewAuthenticator> {
    Ok(Json(server.engine.begin_second_factor_at_sign_in(&login, &password, arrival.whence).await?))
}

/// The authenticator counts from now on.
pub(super) async fn confirm(
    InPerson(app): InPerson,
    arrival: Arrival,
    headers: HeaderMap,
    Sent(OwnCode { code }): Sent<OwnCode>,
) -> ApiResult<RecoveryCodes> {
    let session = cookie::session(&headers).unwrap_or_default();
    let recovery_codes = app.engine.confirm_second_factor(&app.caller, session, &code, arrival.whence).await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}

pub(super) async fn remove(
    InPerson(app): InPerson,
    arrival: Arrival,
    Sent(OwnCode { code }): Sent<OwnCode>,
) -> Result<Done, ApiError> {
    app.engine.remove_second_factor(&app.caller, &code, arrival.whence).await?;
    Ok(Done)
}

/// New recovery codes; those from before work no longer.
pub(super) async fn renew_recovery_codes(
    InPerson(app): InPerson,
    arrival: Arrival,
    Sent(OwnCode { code }): Sent<OwnCode>,
) -> ApiResult<RecoveryCodes> {
    let recovery_codes = app.engine.new_recovery_codes(&app.caller, &code, arrival.whence).await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}

/// The account knows that an administrator took its second factor away.
pub(super) async fn saw_reset(InPerson(app): InPerson) -> Result<Done, ApiError> {
    app.engine.saw_second_factor_reset(&app.caller).await?;
    Ok(Done)
}

/// Takes away the second factor of somebody who has lost it.
pub(super) async fn reset(InPerson(app): InPerson, Number(id): Number) -> Result<Done, ApiError> {
    app.engine.reset_second_factor(&app.scope, AccountId(id)).await?;
    Ok(Done)
}
