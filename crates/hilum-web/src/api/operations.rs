//! What those look at who run an installation: work, store, models, forwards, deliveries, the node with its peers, health; and fetching from peers.

use axum::{
    Json,
    extract::{FromRequestParts, Path, Query, rejection::QueryRejection},
    http::{StatusCode, request::Parts},
};
use hilum_dicom::AeTitle;
use hilum_engine::deliveries::{DeliverySearch, DeliveryState, DeliveryView, DestinationName};
use hilum_engine::forwarding::{ForwardSearch, ForwardState, ForwardView};
use hilum_engine::operations::{JobsView, ModelView, StorageView};
use hilum_engine::views::Page;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

use super::{ApiResult, Number};
use crate::{
    doors::App,
    error::ApiError,
    openapi::{Created, Sketch, Takes},
    sent::Sent,
    site::{
        EchoView, HealthFinding, NewRetrieval, NodeView, PeerMatches, PeerSearch, Retrieval, SamplesView, Site,
        SiteFault,
    },
};

pub(super) async fn jobs(app: App) -> ApiResult<JobsView> {
    Ok(Json(app.engine.jobs(&app.scope).await?))
}

pub(super) async fn storage(app: App) -> ApiResult<StorageView> {
    Ok(Json(app.engine.storage_facts(&app.scope).await?))
}

pub(super) async fn models(app: App) -> ApiResult<Vec<ModelView>> {
    Ok(Json(app.engine.models()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ForwardsQuery {
    /// In this state.
    #[param(inline)]
    state: Option<ForwardState>,
    /// To this peer.
    peer: Option<String>,
    /// `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    after: Option<String>,
    /// Rows a page, 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// The latest first.
pub(super) async fn forwards(
    app: App,
    query: Result<Query<ForwardsQuery>, QueryRejection>,
) -> ApiResult<Page<ForwardView>> {
    let Query(ForwardsQuery { state, peer, after, limit }) = query?;
    bounded(limit)?;
    let Ok(peer) = peer.map(|title| title.parse::<AeTitle>()).transpose() else {
        // No forward goes to what is no AE title.
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    Ok(Json(app.engine.forwards(&app.scope, &ForwardSearch { state, peer, after, limit }).await?))
}

/// How many are due now.
#[derive(Serialize, ToSchema)]
pub(super) struct Retried {
    due: u64,
}

pub(super) async fn retry_forwards(app: App) -> ApiResult<Retried> {
    Ok(Json(Retried { due: app.engine.retry_forwards(&app.scope, None).await? }))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveriesQuery {
    /// In this state.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// To this destination.
    destination: Option<String>,
    /// `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    after: Option<String>,
    /// Rows a page, 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// The latest first.
pub(super) async fn deliveries(
    app: App,
    query: Result<Query<DeliveriesQuery>, QueryRejection>,
) -> ApiResult<Page<DeliveryView>> {
    let Query(DeliveriesQuery { state, destination, after, limit }) = query?;
    bounded(limit)?;
    let Ok(destination) = destination.map(|name| name.parse::<DestinationName>()).transpose() else {
        // Nothing goes to what is no name.
        return Ok(Json(Page { items: Vec::new(), next: None }));
    };
    Ok(Json(app.engine.deliveries(&app.scope, &DeliverySearch { state, destination, after, limit }).await?))
}

pub(super) async fn retry_deliveries(app: App) -> ApiResult<Retried> {
    Ok(Json(Retried { due: app.engine.retry_deliveries(&app.scope, None).await? }))
}

fn bounded(limit: Option<u32>) -> Result<(), ApiError> {
    if limit.is_none_or(|limit| (1..=200).contains(&limit)) {
        Ok(())
    } else {
        Err(ApiError::bad_request("limit is 1 to 200"))
    }
}

pub(super) async fn health(app: App) -> ApiResult<Vec<HealthFinding>> {
    Ok(Json(site(&app)?.examine().await))
}

pub(super) async fn node(app: App) -> ApiResult<NodeView> {
    Ok(Json(site(&app)?.node(&app.scope)))
}

/// The peer of an address.
pub(super) struct PeerPath(String);

impl Takes for PeerPath {
    fn told(_sketch: &mut Sketch) {}
}

impl<S: Send + Sync> FromRequestParts<S> for PeerPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(title) = Path::<String>::from_request_parts(parts, state).await?;
        Ok(Self(title))
    }
}

pub(super) async fn echo(app: App, PeerPath(peer): PeerPath) -> ApiResult<EchoView> {
    Ok(Json(site(&app)?.echo(&app.scope, &peer).await?))
}

pub(super) async fn search(
    app: App,
    PeerPath(peer): PeerPath,
    Sent(search): Sent<PeerSearch>,
) -> ApiResult<PeerMatches> {
    check(&search)?;
    Ok(Json(site(&app)?.search(&app.scope, &peer, &search).await?))
}

/// As the schema says.
fn check(search: &PeerSearch) -> Result<(), ApiError> {
    let PeerSearch { patient_id, name, from, to, modality, description, accession } = search;
    let texts = [
        (patient_id, 64, "patient_id"),
        (name, 64, "name"),
        (modality, 16, "modality"),
        (description, 64, "description"),
        (accession, 16, "accession"),
    ];
    for (text, longest, field) in texts {
        let wrong = |text: &String| text.chars().count() > longest || text.chars().any(|c| c.is_control() || c == '\\');
        if text.as_ref().is_some_and(wrong) {
            let message = format!("{field} is at most {longest} characters, without backslash and control characters");
            return Err(ApiError::bad_request(message));
        }
    }
    for day in [from, to].into_iter().flatten() {
        if !hilum_engine::views::is_day(day) {
            return Err(ApiError::bad_request("from and to are days as YYYY-MM-DD"));
        }
    }
    Ok(())
}

pub(super) async fn retrievals(app: App) -> ApiResult<Vec<Retrieval>> {
    Ok(Json(site(&app)?.retrievals(&app.scope)))
}

pub(super) async fn retrieve(app: App, Sent(new): Sent<NewRetrieval>) -> Result<Created<Retrieval>, ApiError> {
    if !(1..=100).contains(&new.studies.len()) {
        return Err(ApiError::bad_request("studies has 1 to 100 Study Instance UIDs"));
    }
    if let Some(wrong) = new.studies.iter().find_map(|study| study.0.parse::<hilum_dicom::StudyUid>().err()) {
        return Err(ApiError::bad_request(format!("studies: {wrong}")));
    }
    Ok(Created(site(&app)?.retrieve(&app.scope, &new).await?))
}

pub(super) async fn cancel_retrieval(app: App, Number(id): Number) -> ApiResult<Retrieval> {
    let id = u64::try_from(id).map_err(|_| ApiError::from(SiteFault::Unknown("retrieval")))?;
    Ok(Json(site(&app)?.cancel_retrieval(&app.scope, id)?))
}

pub(super) async fn samples(app: App) -> ApiResult<SamplesView> {
    Ok(Json(site(&app)?.samples(&app.scope)))
}

pub(super) async fn make_samples(app: App) -> ApiResult<SamplesView> {
    Ok(Json(site(&app)?.make_samples(&app.scope)))
}

pub(super) async fn cancel_samples(app: App) -> ApiResult<SamplesView> {
    Ok(Json(site(&app)?.cancel_samples(&app.scope)))
}

/// A server that stands alone has no node.
fn site(app: &App) -> Result<&Arc<dyn Site>, ApiError> {
    app.server.site.as_ref().ok_or_else(|| ApiError::from(SiteFault::Unknown("network node")))
}

impl From<SiteFault> for ApiError {
    fn from(fault: SiteFault) -> Self {
        match fault {
            SiteFault::Unknown(what) => {
                Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
            }
            SiteFault::Forbidden => Self::from(hilum_engine::EngineError::Forbidden),
            SiteFault::Peer(message) => Self::new(StatusCode::BAD_GATEWAY, "peer_failed", message),
            SiteFault::Busy(message) => Self::new(StatusCode::CONFLICT, "busy", message),
            SiteFault::Question(message) => Self::bad_request(message),
        }
    }
}
