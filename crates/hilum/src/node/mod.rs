//! The DICOM network node: the engine behind the services of hilum-dimse.

pub mod advice;
pub mod ask;
pub mod fetch;
pub mod keys;
mod store;
pub mod table;

use std::sync::Arc;

use hilum_dimse::{ScpConfig, Services};
use hilum_engine::Engine;

use crate::settings::{Peers, Settings};

/// Answers the node's peers out of the engine, each within its institution.
pub struct Node {
    engine: Engine,
    peers: Peers,
}

impl Node {
    /// A node on an engine.
    pub fn new(engine: Engine, settings: &Settings) -> Arc<Self> {
        Arc::new(Self { engine, peers: settings.peers.clone() })
    }

    /// What the node offers.
    pub fn services(self: &Arc<Self>) -> Services {
        Services::storing(Arc::clone(self) as _)
    }
}

/// How the node listens and calls.
pub fn scp_config(settings: &Settings) -> anyhow::Result<ScpConfig> {
    Ok(ScpConfig {
        check_called_ae: settings.check_called_ae,
        max_associations: settings.max_associations,
        max_instance_bytes: settings.max_instance_bytes,
        max_bytes_in_flight: settings.max_instance_bytes.saturating_mul(2),
        private_storage: settings.private_storage.clone(),
        callers: settings.peers.callers(settings.callers()),
        tls: settings.tls()?.map(|tls| tls.server),
        calling: settings.calling()?,
        ..ScpConfig::new(settings.dimse, settings.ae_title.clone())
    })
}
