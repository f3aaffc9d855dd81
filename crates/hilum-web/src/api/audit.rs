//! The audit trail, for data stewards.

use axum::{
    Json,
    extract::{Query, rejection::QueryRejection},
};
use hilum_engine::audit::{AuditSearch, AuditView};
use hilum_engine::views::Page;
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::ApiResult;
use crate::{doors::App, error::ApiError};

/// Nothing of it names a patient, so that it may stand in an address.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    action: Option<String>,
    outcome: Option<String>,
    actor_kind: Option<String>,
    actor: Option<String>,
    study: Option<String>,
    from: Option<String>,
    to: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// The last event first; `next` of a page is `after` of the one that follows.
pub(super) async fn list(app: App, query: Result<Query<AuditQuery>, QueryRejection>) -> ApiResult<Page<AuditView>> {
    let Query(query) = query.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    let AuditQuery { action, outcome, actor_kind, actor, study, from, to, after, limit } = query;
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
    text.filter(|text| !text.is_empty()).map(parse).transpose()
}

fn time_of(name: &str, text: Option<String>) -> Result<Option<OffsetDateTime>, ApiError> {
    let parse = |text: String| {
        OffsetDateTime::parse(&text, &Rfc3339)
            .map_err(|_| ApiError::bad_request(format!("{name} is a time as 2026-11-26T08:30:00Z (RFC 3339)")))
    };
    text.filter(|text| !text.is_empty()).map(parse).transpose()
}
