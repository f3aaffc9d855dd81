//! Storage commitment, on either side.

use hilum_dimse::{
    Caller, CommitFuture, CommitmentFailure, CommitmentHandler, CommitmentRequest, CommitmentResult, CommitmentResults,
    ReferencedInstance, RequestorFuture, TakeFuture,
};
use hilum_engine::commitment::{CommitmentOutcome, CommitmentReference, Safekeeping};

use super::Node;

impl CommitmentHandler for Node {
    fn commit(&self, caller: &Caller, request: CommitmentRequest) -> CommitFuture {
        let (engine, scope) = (self.engine.clone(), self.scope_of_its_data(&caller.calling_ae));
        Box::pin(async move {
            let CommitmentRequest { transaction, instances } = request;
            let asked: Vec<CommitmentReference> = instances.iter().map(reference).collect();
            let known = engine.safekeeping(&scope, &asked).await.unwrap_or_else(|error| {
                tracing::warn!(code = error.code(), "a storage commitment could not be looked after");
                vec![Safekeeping::Damaged; asked.len()]
            });
            let mut result = CommitmentResult { transaction, committed: Vec::new(), failed: Vec::new() };
            for (instance, known) in instances.into_iter().zip(known) {
                match known {
                    Safekeeping::Kept => result.committed.push(instance),
                    Safekeeping::Missing => result.failed.push((instance, CommitmentFailure::NoSuchInstance)),
                    Safekeeping::OtherClass => result.failed.push((instance, CommitmentFailure::ClassConflict)),
                    Safekeeping::Damaged => result.failed.push((instance, CommitmentFailure::ProcessingFailure)),
                }
            }
            result
        })
    }

    fn requestor(&self, caller: &Caller) -> RequestorFuture {
        let peer = self.peers.find(&caller.calling_ae).map(|known| known.peer.clone());
        Box::pin(async move { peer })
    }

    fn undelivered(&self, caller: &Caller, result: CommitmentResult) {
        // Nobody knows where an unknown requestor could be told.
        if self.peers.find(&caller.calling_ae).is_none() {
            return;
        }
        let (engine, scope) = (self.engine.clone(), self.peers.scope_of(&caller.calling_ae));
        let peer = caller.calling_ae.clone();
        tokio::spawn(async move {
            let (transaction, outcome) = outcome_of(result);
            if let Err(error) = engine.keep_untold_commitment(&scope, &transaction, &peer, &outcome).await {
                tracing::error!(code = error.code(), %peer, "the result of a storage commitment is lost; the peer will ask again");
            }
        });
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
pub fn result_of(transaction: String, outcome: CommitmentOutcome) -> CommitmentResult {
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
