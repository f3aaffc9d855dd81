//! Identities at OpenID providers that belong to accounts: one's own, and those of accounts that one manages.

use axum::{
    Json,
    extract::{Path, rejection::JsonRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use hilum_engine::AccountId;
use hilum_engine::accounts::IdentityView;
use serde::Deserialize;

use super::{
    ApiResult,
    openid::{SETTINGS, depart, unknown_provider},
    session::with_session,
};
use crate::{cookie, doors::App, error::ApiError, guard::Arrival};

pub(super) async fn own(app: App) -> ApiResult<Vec<IdentityView>> {
    Ok(Json(app.engine.own_identities(&app.caller).await?))
}

/// `POST /api/v1/identities`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnIdentity {
    /// The provider that is to say who one is there.
    provider: String,
}

/// The way to a provider whose identity is linked to the caller's account, on the way back.
pub(super) async fn begin_link(
    app: App,
    arrival: Arrival,
    headers: HeaderMap,
    own: Result<Json<OwnIdentity>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(OwnIdentity { provider }) = own?;
    with_session(&app)?;
    let session = cookie::session(&headers).ok_or_else(crate::doors::not_signed_in)?;
    depart(&app.server, &provider, arrival, &headers, SETTINGS, Some((app.caller.id, session))).await
}

pub(super) async fn unlink_own(app: App, arrival: Arrival, Path(id): Path<i64>) -> Result<StatusCode, ApiError> {
    with_session(&app)?;
    app.engine.unlink_own_identity(&app.caller, id, arrival.whence).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn of_account(app: App, Path(id): Path<i64>) -> ApiResult<Vec<IdentityView>> {
    Ok(Json(app.engine.identities(&app.scope, AccountId(id)).await?))
}

/// `POST /api/v1/accounts/{id}/identities`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewIdentity {
    /// The provider's id.
    provider: String,
    /// Whom the provider calls so (`sub`).
    subject: String,
}

pub(super) async fn link(
    app: App,
    Path(id): Path<i64>,
    new: Result<Json<NewIdentity>, JsonRejection>,
) -> Result<(StatusCode, Json<IdentityView>), ApiError> {
    let Json(NewIdentity { provider, subject }) = new?;
    with_session(&app)?;
    let issuer = app.openid.find(&provider).ok_or_else(unknown_provider)?.settings.issuer.as_str().to_owned();
    let view = app.engine.link_identity(&app.scope, AccountId(id), &issuer, &subject).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

pub(super) async fn unlink(app: App, Path((id, identity)): Path<(i64, i64)>) -> Result<StatusCode, ApiError> {
    with_session(&app)?;
    app.engine.unlink_identity(&app.scope, AccountId(id), identity).await?;
    Ok(StatusCode::NO_CONTENT)
}
