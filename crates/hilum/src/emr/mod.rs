//! Medical records: reports that are due go to them, each destination by itself, so that one that hangs keeps nobody else waiting; what they
//! tell of patients is taken from those that are known.

mod ask;
mod fhir;
mod listener;
mod message;
mod mllp;
mod worker;

pub use listener::Listener;

use hilum_dimse::{TlsClient, TlsServer};
use hilum_engine::Engine;

use crate::settings::{EmrSettings, Settings};

/// The engine with the medical records that it speaks to.
pub struct Emr {
    engine: Engine,
    settings: EmrSettings,
    tls: Option<TlsClient>,
    tls_server: Option<TlsServer>,
}

impl Emr {
    /// By the configuration.
    pub fn new(engine: Engine, settings: &Settings) -> anyhow::Result<Self> {
        let tls = settings.tls()?;
        let tls_server = tls.as_ref().map(|tls| tls.server.clone());
        Ok(Self { engine, settings: settings.emr.clone(), tls: tls.and_then(|tls| tls.client), tls_server })
    }
}
