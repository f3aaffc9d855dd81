//! Accounts, institutions, and one's own tokens.

use axum::Json;
use hilum_engine::accounts::{AccountPatch, AccountView, InstitutionView, NewAccount, TokenView};
use hilum_engine::views::whole;
use hilum_engine::{AccountId, Grant};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ApiResult, Number};
use crate::{
    doors::{App, InPerson},
    error::ApiError,
    guard::Arrival,
    openapi::{Created, Done},
    sent::Sent,
};

pub(super) async fn list(app: App) -> ApiResult<Vec<AccountView>> {
    Ok(Json(app.engine.accounts(&app.scope).await?))
}

/// An account that was added, and the link that its holder gets; it is shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct Added {
    account: AccountView,
    link: String,
}

pub(super) async fn add(InPerson(app): InPerson, Sent(new): Sent<NewAccount>) -> Result<Created<Added>, ApiError> {
    let (account, link) = app.engine.add_account(&app.scope, &new).await?;
    Ok(Created(Added { account, link }))
}

pub(super) async fn change(
    InPerson(app): InPerson,
    Number(id): Number,
    Sent(patch): Sent<AccountPatch>,
) -> ApiResult<AccountView> {
    Ok(Json(app.engine.change_account(&app.scope, AccountId(id), &patch).await?))
}

#[derive(Serialize, ToSchema)]
pub(super) struct NewLink {
    link: String,
}

pub(super) async fn link(InPerson(app): InPerson, Number(id): Number) -> ApiResult<NewLink> {
    Ok(Json(NewLink { link: app.engine.account_link(&app.scope, AccountId(id)).await? }))
}

pub(super) async fn institutions(app: App) -> ApiResult<Vec<InstitutionView>> {
    Ok(Json(app.engine.institutions(&app.scope).await?))
}

pub(super) async fn add_institution(
    InPerson(app): InPerson,
    Sent(new): Sent<InstitutionView>,
) -> Result<Created<InstitutionView>, ApiError> {
    app.engine.add_institution(&app.scope, &new).await?;
    Ok(Created(new))
}

pub(super) async fn tokens(app: App) -> ApiResult<Vec<TokenView>> {
    Ok(Json(app.engine.tokens(&app.scope, &app.caller).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// What its owner calls it.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\x00-\x20\x7F-\xA0][^\x00-\x1F\x7F-\x9F]*$"
    )]
    name: String,
    /// Valid for so many days.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 366)]
    days: u32,
    /// Which of its owner's roles it lets a program have.
    #[schema(min_items = 1)]
    roles: Vec<Grant>,
    /// Of the second factor, where the account has one: a session that was left open makes no key that outlives it.
    #[serde(default)]
    code: Option<String>,
}

/// A token that was made; its secret is shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeToken {
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

pub(super) async fn add_token(
    InPerson(app): InPerson,
    arrival: Arrival,
    Sent(NewToken { name, days, roles, code }): Sent<NewToken>,
) -> Result<Created<MadeToken>, ApiError> {
    app.engine.show_second_factor(&app.caller, code.as_deref(), arrival.whence).await?;
    let (token, view) = app.engine.add_token(&app.scope, app.caller.id, &name, &roles, days).await?;
    Ok(Created(MadeToken { token, view }))
}

pub(super) async fn revoke_token(InPerson(app): InPerson, Number(id): Number) -> Result<Done, ApiError> {
    app.engine.revoke_token(&app.scope, app.caller.id, id).await?;
    Ok(Done)
}
