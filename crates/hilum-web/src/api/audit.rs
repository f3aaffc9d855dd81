//! The audit trail, for data stewards.

use axum::{
    Json,
    extract::{Query, rejection::QueryRejection},
};
use hilum_engine::audit::{Action, ActorKind, AuditSearch, AuditView, Outcome};
use hilum_engine::views::Page;
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::IntoParams;

use super::ApiResult;
use crate::{doors::App, error::ApiError};

/// Nothing of it names a patient, so that it may stand in an address.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    /// Of this action.
    #[param(value_type = Option<Action>, inline)]
    action: Option<String>,
    /// That ended so.
    #[param(value_type = Option<Outcome>, inline)]
    outcome: Option<String>,
    /// By actors of this kind.
    #[param(value_type = Option<ActorKind>, inline)]
    actor_kind: Option<String>,
    /// By this one: number of an account or AE title of a peer.
    actor: Option<String>,
    /// That name this study.
    #[param(pattern = r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*$", max_length = 64)]
    study: Option<String>,
    /// Then or later, RFC 3339.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Before then, RFC 3339.
    #[param(format = DateTime)]
    to: Option<String>,
    /// `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    after: Option<String>,
    /// Rows a page; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// The last event first; `next` of a page is `after` of the one that follows.
pub(super) async fn list(app: App, query: Result<Query<AuditQuery>, QueryRejection>) -> ApiResult<Page<AuditView>> {
    let Query(AuditQuery { action, outcome, actor_kind, actor, study, from, to, after, limit }) = query?;
    let search = AuditSearch {
        action: parsed("action", action)?,
        outcome: parsed("outcome", outcome)?,
        actor_kind: parsed("actor_kind", actor_kind)?,
        actor,
        study: parsed("study", study)?,
        from: time_of("from", from)?,
        to: time_of("to", to)?,
        after,
        limit,
    };
    Ok(Json(app.engine.audit_trail(&app.scope, &search).await?))
}

fn parsed<T: std::str::FromStr>(name: &str, text: Option<String>) -> Result<Option<T>, ApiError>
where
    T::Err: std::fmt::Display,
{
    let parse =
        |text: String| text.parse().map_err(|error| ApiError::bad_request(format!("{name} cannot be read: {error}")));
    text.map(parse).transpose()
}

fn time_of(name: &str, text: Option<String>) -> Result<Option<OffsetDateTime>, ApiError> {
    let parse = |text: String| {
        OffsetDateTime::parse(&text, &Rfc3339)
            .map_err(|_| ApiError::bad_request(format!("{name} is a time as 2026-11-26T08:30:00Z (RFC 3339)")))
    };
    text.map(parse).transpose()
}
