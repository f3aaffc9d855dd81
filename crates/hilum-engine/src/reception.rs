//! The engine's door for what comes in: an instance alone, from an application entity, or several of a request.

use crate::access::{Permission, Scope};
use crate::audit::{Action, AuditEvent};
use crate::engine::{Accepted, Engine, Source, Zone};
use crate::error::AcceptError;
use crate::intake::{Incoming, Receipt, Received, Sender};
use crate::journey;
use std::path::PathBuf;

/// Parts of one request that are made durable together, in a folder.
const PARTS_TOGETHER: usize = 4;

impl Engine {
    /// Where an instance goes while it is received, if it is too long for memory.
    pub fn spool_folder(&self) -> PathBuf {
        self.storage().root().to_owned()
    }

    /// Takes one instance: a whole Part 10 file, or file meta and data set without preamble. Success means durable.
    pub async fn accept_instance(
        &self,
        scope: &Scope,
        zone: Zone,
        object: impl Into<Received>,
        source: Source,
    ) -> Result<Accepted, AcceptError> {
        let incoming = Incoming { received: object.into(), source, file_name: None, sender: None, row_follows: false };
        self.take(scope, zone, incoming).await
    }

    /// As [`Self::accept_instance`], of several of one request of STOW-RS, none of which has the SOP Instance UID of another: they are made
    /// durable together, their rows follow together, and who answers the request waits for those ([`Self::caught_up`]).
    pub async fn accept_parts(
        &self,
        scope: &Scope,
        zone: Zone,
        parts: Vec<Received>,
    ) -> Vec<Result<Accepted, AcceptError>> {
        let source = Source::Stow;
        let incoming = |received| Incoming { received, source, file_name: None, sender: None, row_follows: true };
        let incoming = parts.into_iter().map(incoming).collect();
        let mut accepted = Vec::new();
        for taken in journey::accept_instances(self, scope, zone, incoming).await {
            accepted.push(self.told(scope, source, taken).await);
        }
        accepted
    }

    /// So many parts of a request are best accepted at once: what goes into a bucket takes its time each for itself.
    pub fn parts_together(&self) -> usize {
        if self.storage().is_folder() { PARTS_TOGETHER } else { 1 }
    }

    /// As [`Self::accept_instance`], of what an application entity sent: it must be what the sender said it is, and the rules may give
    /// it to another institution than the caller's. Its row may follow a moment after this returns; who asks this engine for it
    /// waits that long.
    pub async fn accept_from(
        &self,
        scope: &Scope,
        zone: Zone,
        received: impl Into<Received>,
        sender: Sender,
    ) -> Result<Accepted, AcceptError> {
        let received = received.into();
        let sender = Some(sender);
        let incoming = Incoming { received, source: Source::Dimse, file_name: None, sender, row_follows: true };
        self.take(scope, zone, incoming).await
    }

    async fn take(&self, scope: &Scope, zone: Zone, incoming: Incoming) -> Result<Accepted, AcceptError> {
        let source = incoming.source;
        let taken = journey::accept_instance(self, scope, zone, incoming).await;
        self.told(scope, source, taken).await
    }

    /// Puts into the audit trail what became of an instance.
    async fn told(
        &self,
        scope: &Scope,
        source: Source,
        taken: Result<Receipt, AcceptError>,
    ) -> Result<Accepted, AcceptError> {
        let event = AuditEvent::by(scope, Action::Receive).of(scope.home().clone());
        let Receipt { accepted, study, institution } = self.judged(event, Permission::Store, taken).await?;
        let scope = institution.map_or_else(|| scope.clone(), |institution| scope.given_to(institution));
        if let Err(error) = self.note_received(&scope, source, &study).await {
            // It is durable here, and its sender is told so.
            tracing::error!(code = error.code(), "a reception is not in the audit trail");
        }
        Ok(accepted)
    }
}
