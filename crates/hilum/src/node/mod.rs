//! The DICOM network node: the engine behind the services of hilum-dimse.

pub mod advice;
pub mod ask;
pub mod commitment;
pub mod fetch;
mod find;
pub mod forward;
pub mod kept;
pub mod keys;
mod pull;
mod refusals;
mod retrieve;
mod store;
pub mod table;
pub mod worker;

pub use refusals::refusals;

use std::{net::IpAddr, sync::Arc};

use hilum_dicom::AeTitle;
use hilum_dimse::{BindError, Caller, Refusal, Scp, ScpConfig, Scu, ScuConfig, Services};
use hilum_engine::{Engine, EngineError, ErrorKind, Scope, routing::Rules};

use crate::settings::{Peers, Settings};

/// Answers the node's peers out of the engine, each within its institution.
pub struct Node {
    pub engine: Engine,
    pub peers: Peers,
    pub ae_title: AeTitle,
    rules: Rules,
    pub scu: Scu,
}

impl Node {
    /// A node on an engine.
    pub fn new(engine: Engine, settings: &Settings) -> anyhow::Result<Arc<Self>> {
        let spool_folder = engine.spool_folder();
        Ok(Arc::new(Self {
            engine,
            peers: settings.peers.clone(),
            ae_title: settings.ae_title.clone(),
            rules: settings.rules.clone(),
            scu: Scu::new(ScuConfig { spool_folder, ..settings.calling()? }),
        }))
    }

    /// What the node offers.
    pub fn services(self: &Arc<Self>) -> Services {
        Services {
            store: Some(Arc::clone(self) as _),
            find: Some(Arc::clone(self) as _),
            worklist: Some(Arc::clone(self) as _),
            retrieve: Some(Arc::clone(self) as _),
            commitment: Some(Arc::clone(self) as _),
            commitment_results: Some(Arc::clone(self) as _),
        }
    }

    /// Where data of a caller may be: in its own institution, and in those that the rules give its data to.
    fn scope_of_its_data(&self, title: &AeTitle, address: Option<IpAddr>) -> Scope {
        let own = self.peers.scope_of(title, address);
        self.rules.institutions_of(title).fold(own, |scope, code| scope.and(code.clone()))
    }

    /// What a caller may see and add to.
    fn scope_of(&self, caller: &Caller) -> Scope {
        self.peers.scope_of(&caller.calling_ae, caller.address)
    }
}

/// The one table from the engine's failures to why a question is not answered, which has its own table to DIMSE status.
fn refusal_of(error: &EngineError) -> Refusal {
    match error.kind() {
        ErrorKind::NotDicom | ErrorKind::Damaged | ErrorKind::BadRequest => Refusal::CannotUnderstand,
        ErrorKind::Refused | ErrorKind::Forbidden => Refusal::NotAuthorized,
        ErrorKind::OutOfSpace | ErrorKind::Busy => Refusal::OutOfResources,
        ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Internal => Refusal::Failed,
    }
}

/// Listens for what a peer sends because a command asked it to, unless a server does so already at our address.
pub async fn listen(settings: &Settings, engine: &Engine, services: Services) -> anyhow::Result<Option<Scp>> {
    let mut config = scp_config(settings)?;
    config.calling.spool_folder = engine.spool_folder();
    match Scp::bind(config, services).await {
        Ok(scp) => Ok(Some(scp)),
        Err(BindError::Listen { source, .. }) if source.kind() == std::io::ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Serves as long as the work takes.
pub async fn while_listening<T>(listener: Option<Scp>, work: impl Future<Output = T>) -> T {
    let Some(scp) = listener else { return work.await };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let work = async {
        let done = Box::pin(work).await;
        drop(stop);
        done
    };
    tokio::join!(work, scp.serve(async { drop(stopped.await) })).0
}

/// How the node listens and calls.
pub fn scp_config(settings: &Settings) -> anyhow::Result<ScpConfig> {
    Ok(ScpConfig {
        check_called_ae: settings.check_called_ae,
        max_associations: settings.max_associations,
        max_instance_bytes: settings.max_instance_bytes,
        private_storage: settings.private_storage.clone(),
        callers: settings.peers.callers(settings.callers()),
        tls: settings.tls()?.map(|tls| tls.server),
        calling: settings.calling()?,
        ..ScpConfig::new(settings.dimse, settings.ae_title.clone())
    })
}
