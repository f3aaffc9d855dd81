//! DICOMweb (PS3.18): storing, searching, retrieving.

mod media_type;
mod multipart;
mod qido;
mod query;
mod retrieve;
mod store_response;
mod stow;

use axum::{Router, routing::post};

use crate::{error::ApiError, server::App};

/// WADO-URI, which has an address of its own.
pub(crate) fn wado_uri() -> axum::routing::MethodRouter<App> {
    axum::routing::get(retrieve::retrieve_by_uri)
}

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/studies", post(stow::store))
        .route("/studies/{study_uid}", post(stow::store_in_study))
        .merge(qido::routes())
        .merge(retrieve::routes())
        .fallback(|| async { ApiError::not_found() })
}
