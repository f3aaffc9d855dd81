//! Callers that were not let in, in the audit trail.

use hilum_dimse::{RefusedCaller, Unrecognised};
use hilum_engine::{
    Actor, Engine,
    audit::{Action, AuditEvent, Detail},
};
use tokio::sync::mpsc;

/// Refusals that wait to be written; whoever is refused meanwhile waits.
const WAITING: usize = 16;

/// Writes what it is told, until nobody tells any more.
pub fn refusals(engine: Engine) -> mpsc::Sender<RefusedCaller> {
    let (refused, mut heard) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        while let Some(RefusedCaller { calling_ae, address, why }) = heard.recv().await {
            let code = match why {
                Unrecognised::Title => "unknown_peer",
                Unrecognised::Host => "unknown_host",
                Unrecognised::Certificate => "unknown_certificate",
            };
            let detail = Detail { code: Some(code.into()), ..Detail::default() };
            let event = AuditEvent::new(Actor::Peer(calling_ae), Action::Admit).from_address(address);
            if let Err(error) = engine.audit_refusal(event.with(detail)).await {
                tracing::error!(code = error.code(), "a refusal could not be written into the audit trail");
            }
        }
    });
    refused
}
