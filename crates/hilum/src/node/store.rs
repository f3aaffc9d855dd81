//! C-STORE into the engine.

use hilum_dimse::{ReceivedInstance, StoreFuture, StoreHandler, StoreOutcome};
use hilum_engine::{Accepted, ErrorKind, Zone};

use super::Node;

impl StoreHandler for Node {
    fn store(&self, instance: ReceivedInstance) -> StoreFuture<'_> {
        Box::pin(async move {
            let scope = self.peers.scope_of(&instance.calling_ae);
            let accepted = self.engine.accept_from(&scope, Zone::Clinical, instance.part10, &instance.calling_ae).await;
            match accepted {
                Ok(Accepted::Kept) => StoreOutcome::Kept,
                Ok(Accepted::AlreadyThere) => StoreOutcome::AlreadyThere,
                Ok(Accepted::Quarantined { .. }) => StoreOutcome::Quarantined,
                Err(error) => {
                    tracing::warn!(calling_ae = %instance.calling_ae, code = error.code(), "instance not kept");
                    outcome_of(error.kind())
                }
            }
        })
    }
}

/// The one table from the engine's failures to the network node's outcomes, which have their own table to DIMSE status.
fn outcome_of(kind: ErrorKind) -> StoreOutcome {
    match kind {
        ErrorKind::NotDicom | ErrorKind::Damaged | ErrorKind::BadRequest => StoreOutcome::CannotUnderstand,
        ErrorKind::Refused | ErrorKind::Forbidden => StoreOutcome::NotAuthorized,
        ErrorKind::OutOfSpace | ErrorKind::Busy => StoreOutcome::OutOfResources,
        ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Internal => StoreOutcome::Failed,
    }
}
