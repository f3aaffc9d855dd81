//! Accounts, institutions, and one's own tokens.

use axum::{
    Json,
    extract::{Path, rejection::JsonRejection},
    http::StatusCode,
};
use hilum_engine::accounts::{AccountPatch, AccountView, InstitutionView, NewAccount, TokenView};
use hilum_engine::{AccountId, Grant};
use serde::{Deserialize, Serialize};

use super::{ApiResult, session::with_session};
use crate::{doors::App, error::ApiError, guard::Arrival};

pub(super) async fn list(app: App) -> ApiResult<Vec<AccountView>> {
    Ok(Json(app.engine.accounts(&app.scope).await?))
}

/// An account that was added, and the link that its holder gets; it is shown once.
#[derive(Serialize)]
pub(super) struct Added {
    account: AccountView,
    link: String,
}

pub(super) async fn add(
    app: App,
    new: Result<Json<NewAccount>, JsonRejection>,
) -> Result<(StatusCode, Json<Added>), ApiError> {
    let Json(new) = new?;
    with_session(&app)?;
    let (account, link) = app.engine.add_account(&app.scope, &new).await?;
    Ok((StatusCode::CREATED, Json(Added { account, link })))
}

pub(super) async fn change(
    app: App,
    Path(id): Path<i64>,
    patch: Result<Json<AccountPatch>, JsonRejection>,
) -> ApiResult<AccountView> {
    let Json(patch) = patch?;
    with_session(&app)?;
    Ok(Json(app.engine.change_account(&app.scope, AccountId(id), &patch).await?))
}

#[derive(Serialize)]
pub(super) struct NewLink {
    link: String,
}

pub(super) async fn link(app: App, Path(id): Path<i64>) -> ApiResult<NewLink> {
    with_session(&app)?;
    Ok(Json(NewLink { link: app.engine.account_link(&app.scope, AccountId(id)).await? }))
}

pub(super) async fn institutions(app: App) -> ApiResult<Vec<InstitutionView>> {
    Ok(Json(app.engine.institutions(&app.scope).await?))
}

pub(super) async fn add_institution(
    app: App,
    new: Result<Json<InstitutionView>, JsonRejection>,
) -> Result<(StatusCode, Json<InstitutionView>), ApiError> {
    let Json(new) = new?;
    with_session(&app)?;
    app.engine.add_institution(&app.scope, &new).await?;
    Ok((StatusCode::CREATED, Json(new)))
}

pub(super) async fn tokens(app: App) -> ApiResult<Vec<TokenView>> {
    Ok(Json(app.engine.tokens(&app.scope, &app.caller).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    name: String,
    days: u32,
    roles: Vec<Grant>,
    /// Of the second factor, where the account has one: a session that was left open makes no key that outlives it.
    #[serde(default)]
    code: Option<String>,
}

/// A token that was made; its secret is shown once.
#[derive(Serialize)]
pub(super) struct MadeToken {
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

pub(super) async fn add_token(
    app: App,
    arrival: Arrival,
    new: Result<Json<NewToken>, JsonRejection>,
) -> Result<(StatusCode, Json<MadeToken>), ApiError> {
    let Json(NewToken { name, days, roles, code }) = new?;
    with_session(&app)?;
    app.engine.show_second_factor(&app.caller, code.as_deref(), arrival.whence).await?;
    let (token, view) = app.engine.add_token(&app.scope, app.caller.id, &name, &roles, days).await?;
    Ok((StatusCode::CREATED, Json(MadeToken { token, view })))
}

pub(super) async fn revoke_token(app: App, Path(id): Path<i64>) -> Result<StatusCode, ApiError> {
    with_session(&app)?;
    app.engine.revoke_token(&app.scope, app.caller.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
