//! Identities at OpenID providers that belong to accounts: one's own, and those of accounts that one manages.

use axum::{
    Json,
    extract::{Path, rejection::PathRejection},
    http::HeaderMap,
};
use hilum_engine::AccountId;
use hilum_engine::accounts::IdentityView;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    ApiResult, Number,
    openid::{Location, SETTINGS, depart, unknown_provider},
};
use crate::{
    cookie,
    doors::{App, InPerson},
    error::ApiError,
    guard::Arrival,
    openapi::{Created, Done, Typed},
    sent::Sent,
};

pub(super) async fn own(app: App) -> ApiResult<Vec<IdentityView>> {
    Ok(Json(app.engine.own_identities(&app.caller).await?))
}

/// `POST /api/v1/identities`
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnIdentity {
    /// The provider that is to say who one is there.
    provider: String,
}

/// The way to a provider whose identity is linked to the caller's account, on the way back.
pub(super) async fn begin_link(
    InPerson(app): InPerson,
    arrival: Arrival,
    headers: HeaderMap,
    Sent(OwnIdentity { provider }): Sent<OwnIdentity>,
) -> Result<Typed<Json<Location>>, ApiError> {
    let session = cookie::session(&headers).ok_or_else(crate::doors::not_signed_in)?;
    depart(&app.server, &provider, arrival, &headers, SETTINGS, Some((app.caller.id, session))).await
}

pub(super) async fn unlink_own(
    InPerson(app): InPerson,
    Number(id): Number,
    arrival: Arrival,
) -> Result<Done, ApiError> {
    app.engine.unlink_own_identity(&app.caller, id, arrival.whence).await?;
    Ok(Done)
}

pub(super) async fn of_account(app: App, Number(id): Number) -> ApiResult<Vec<IdentityView>> {
    Ok(Json(app.engine.identities(&app.scope, AccountId(id)).await?))
}

/// `POST /api/v1/accounts/{id}/identities`
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewIdentity {
    /// The provider's id.
    provider: String,
    /// Whom the provider calls so (`sub`).
    subject: String,
}

pub(super) async fn link(
    InPerson(app): InPerson,
    Number(id): Number,
    Sent(NewIdentity { provider, subject }): Sent<NewIdentity>,
) -> Result<Created<IdentityView>, ApiError> {
    let issuer = app.openid.find(&provider).ok_or_else(unknown_provider)?.settings.issuer.as_str().to_owned();
    let view = app.engine.link_identity(&app.scope, AccountId(id), &issuer, &subject).await?;
    Ok(Created(view))
}

pub(super) async fn unlink(
    InPerson(app): InPerson,
    path: Result<Path<(i64, i64)>, PathRejection>,
) -> Result<Done, ApiError> {
    let Path((id, identity)) = path?;
    app.engine.unlink_identity(&app.scope, AccountId(id), identity).await?;
    Ok(Done)
}
