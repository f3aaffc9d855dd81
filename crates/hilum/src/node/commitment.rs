//! Storage commitment, on either side.

use std::{sync::Arc, time::Duration};

use hilum_dicom::AeTitle;
use hilum_dimse::{
    Caller, CommitFuture, CommitmentFailure, CommitmentHandler, CommitmentRequest, CommitmentResult, CommitmentResults,
    ReferencedInstance, RequestorFuture, TakeFuture,
};
use hilum_engine::{
    Engine, EngineError, Scope,
    commitment::{CommitmentOutcome, CommitmentReference, Safekeeping, Untold, UntoldCommitment},
};

use super::Node;
use crate::{
    outbox::{Batch, Outbox, Pauses},
    settings::KnownPeer,
};

impl CommitmentHandler for Node {
    fn note<'a>(&'a self, caller: &'a Caller, request: &'a CommitmentRequest) -> TakeFuture<'a> {
        Box::pin(async move {
            let Some((engine, scope, peer)) = self.remembers(caller) else { return true };
            let asked = Untold::Asked { asked: request.instances.iter().map(reference).collect() };
            let noted = engine.keep_untold_commitment(&scope, &request.transaction, &peer, &asked).await;
            if let Err(error) = &noted {
                tracing::warn!(code = error.code(), %peer, "a storage commitment is refused, as it cannot be noted");
            }
            noted.is_ok()
        })
    }

    fn commit(&self, caller: &Caller, request: CommitmentRequest) -> CommitFuture {
        let (engine, scope) = (self.engine.clone(), self.scope_of_its_data(&caller.calling_ae, caller.address));
        Box::pin(async move {
            let asked: Vec<CommitmentReference> = request.instances.iter().map(reference).collect();
            result_of(request.transaction, look_after(&engine, &scope, asked).await)
        })
    }

    fn requestor(&self, caller: &Caller) -> RequestorFuture {
        let peer = self.peers.find(&caller.calling_ae).map(|known| known.peer.clone());
        Box::pin(async move { peer })
    }

    fn told(&self, caller: &Caller, transaction: String) {
        let Some((engine, scope, peer)) = self.remembers(caller) else { return };
        tokio::spawn(async move {
            if let Err(error) = engine.commitment_told(&scope, &transaction, &peer).await {
                tracing::warn!(code = error.code(), %peer, "a told storage commitment will be told again");
            }
        });
    }

    fn undelivered(&self, caller: &Caller, result: CommitmentResult) {
        let Some((engine, scope, peer)) = self.remembers(caller) else { return };
        tokio::spawn(async move {
            let (transaction, outcome) = outcome_of(result);
            let what = Untold::Result(outcome);
            if let Err(error) = engine.keep_untold_commitment(&scope, &transaction, &peer, &what).await {
                tracing::warn!(code = error.code(), %peer, "the result of a storage commitment will be found out again");
            }
        });
    }
}

impl Node {
    /// For whom a transaction is kept beyond its association. Nobody knows where an unknown requestor could be told after that.
    fn remembers(&self, caller: &Caller) -> Option<(Engine, Scope, AeTitle)> {
        self.peers.find(&caller.calling_ae)?;
        Some((self.engine.clone(), self.scope_of(caller), caller.calling_ae.clone()))
    }

    /// The result of a transaction that its requestor has not heard yet.
    async fn untold_result(&self, commitment: UntoldCommitment) -> CommitmentResult {
        let UntoldCommitment { transaction, peer, what, .. } = commitment;
        let outcome = match what {
            Untold::Result(outcome) => outcome,
            Untold::Asked { asked } => look_after(&self.engine, &self.scope_of_its_data(&peer, None), asked).await,
        };
        result_of(transaction, outcome)
    }
}

async fn look_after(engine: &Engine, scope: &Scope, asked: Vec<CommitmentReference>) -> CommitmentOutcome {
    let known = engine.safekeeping(scope, &asked).await.unwrap_or_else(|error| {
        tracing::warn!(code = error.code(), "a storage commitment could not be looked after");
        vec![Safekeeping::Damaged; asked.len()]
    });
    let mut outcome = CommitmentOutcome::default();
    for (instance, known) in asked.into_iter().zip(known) {
        let failure = match known {
            Safekeeping::Kept => {
                outcome.committed.push(instance);
                continue;
            }
            Safekeeping::Missing => CommitmentFailure::NoSuchInstance,
            Safekeeping::OtherClass => CommitmentFailure::ClassConflict,
            Safekeeping::Damaged => CommitmentFailure::ProcessingFailure,
        };
        outcome.failed.push((instance, failure.code()));
    }
    outcome
}

/// Results that their requestors have not heard yet, told to each by itself.
#[derive(Clone)]
pub struct UntoldResults(pub Arc<Node>);

impl Outbox for UntoldResults {
    type Name = AeTitle;
    /// The peer, where it is still configured: where it is not, its results run out of tries.
    type Receiver = (AeTitle, Option<KnownPeer>);

    const PAUSES: Pauses = Pauses { first: Duration::from_secs(5), longest: Duration::from_mins(1) };

    async fn due(&self) -> Result<Vec<AeTitle>, EngineError> {
        self.0.engine.peers_with_untold_commitments().await
    }

    fn find(&self, name: &AeTitle) -> Option<Self::Receiver> {
        Some((name.clone(), self.0.peers.find(name).cloned()))
    }

    async fn send(&self, (title, known): &Self::Receiver) -> anyhow::Result<Batch> {
        let Self(node) = self;
        let untold = node.engine.untold_commitments(title).await?;
        if untold.is_empty() {
            return Ok(Batch::Empty);
        }
        let mut batch = Batch::NotReached;
        for commitment in untold {
            let row = commitment.row;
            let told = match known {
                Some(known) => {
                    let result = node.untold_result(commitment).await;
                    node.scu.report_commitment(&known.peer, &result).await.is_ok()
                }
                None => false,
            };
            if told {
                batch = Batch::Answered;
            }
            node.engine.end_untold_commitment(row, told).await?;
        }
        Ok(batch)
    }
}

impl CommitmentResults for Node {
    fn take<'a>(&'a self, caller: &'a Caller, result: CommitmentResult) -> TakeFuture<'a> {
        Box::pin(async move {
            let (transaction, outcome) = outcome_of(result);
            let taken = self.engine.take_commitment(&transaction, &caller.calling_ae, &outcome).await;
            taken.unwrap_or_else(|error| {
                tracing::error!(code = error.code(), "the result of a storage commitment could not be kept");
                false
            })
        })
    }
}

fn reference(instance: &ReferencedInstance) -> CommitmentReference {
    let ReferencedInstance { sop_class, sop } = instance.clone();
    CommitmentReference { sop_class, sop }
}

/// As the engine keeps it.
pub fn outcome_of(result: CommitmentResult) -> (String, CommitmentOutcome) {
    let CommitmentResult { transaction, committed, failed } = result;
    let outcome = CommitmentOutcome {
        committed: committed.iter().map(reference).collect(),
        failed: failed.iter().map(|(instance, reason)| (reference(instance), reason.code())).collect(),
    };
    (transaction, outcome)
}

/// As a peer hears it.
fn result_of(transaction: String, outcome: CommitmentOutcome) -> CommitmentResult {
    let instance = |CommitmentReference { sop_class, sop }| ReferencedInstance { sop_class, sop };
    let reason = |code| match code {
        0x0112 => CommitmentFailure::NoSuchInstance,
        0x0119 => CommitmentFailure::ClassConflict,
        0x0110 => CommitmentFailure::ProcessingFailure,
        other => CommitmentFailure::Other(other),
    };
    CommitmentResult {
        transaction,
        committed: outcome.committed.into_iter().map(instance).collect(),
        failed: outcome.failed.into_iter().map(|(failed, code)| (instance(failed), reason(code))).collect(),
    }
}
