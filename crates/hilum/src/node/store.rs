//! C-STORE into the engine.

use hilum_dimse::{ReceivedInstance, StoreFuture, StoreHandler, StoreOutcome};
use hilum_engine::{AcceptError, Accepted, ErrorKind, Received, Sender, Zone};

use super::Node;

impl StoreHandler for Node {
    fn store(&self, instance: ReceivedInstance) -> StoreFuture<'_> {
        Box::pin(async move {
            let scope = self.peers.scope_of(&instance.calling_ae, instance.address);
            let ReceivedInstance { calling_ae, sop_class, sop, transfer_syntax, part10, digest, may_block, .. } =
                instance;
            let sender = Sender { ae_title: calling_ae.clone(), sop_class, sop };
            let received = Received {
                object: part10,
                digest: Some(digest),
                transfer_syntax: Some(transfer_syntax),
                facts: None,
                may_block,
            };
            let accepted = self.engine.accept_from(&scope, Zone::Clinical, received, sender).await;
            match accepted {
                Ok(Accepted::Kept) => StoreOutcome::Kept,
                Ok(Accepted::AlreadyThere) => StoreOutcome::AlreadyThere,
                Ok(Accepted::Quarantined { .. }) => StoreOutcome::Quarantined,
                Err(error) => {
                    tracing::warn!(%calling_ae, code = error.code(), "instance not kept");
                    match error {
                        AcceptError::NotAsAnnounced => StoreOutcome::DoesNotMatch,
                        error => outcome_of(error.kind()),
                    }
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
