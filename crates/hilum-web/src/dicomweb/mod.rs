//! DICOMweb (PS3.18): storing.

mod media_type;
mod multipart;
mod store_response;
mod stow;

use axum::{Router, routing::post};

use crate::{error::ApiError, server::App};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/studies", post(stow::store))
        .route("/studies/{study_uid}", post(stow::store_in_study))
        .fallback(|| async { ApiError::not_found() })
}
