//! Storage commitment as the archive sees it: what is safely kept, and what must be remembered between two associations.

use crate::access::Scope;
use crate::archive::{Selection, aside};
use crate::engine::{Engine, Zone};
use crate::error::EngineError;
use crate::storage::{ObjectKey, Reading, Storage, StorageError};
use hilum_dicom::{AeTitle, SopClassUid, SopUid};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A sender is answered before the row of its instance is there; by so much later it is.
const ROWS_FOLLOW: Duration = Duration::from_millis(250);
/// So many objects are read before the thread that reads them is anybody's again.
const READ_AT_ONCE: usize = 64;

/// An instance that is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitmentReference {
    /// Referenced SOP Class UID (0008,1150).
    pub sop_class: SopClassUid,
    /// Referenced SOP Instance UID (0008,1155).
    pub sop: SopUid,
}

/// What is known of an instance that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safekeeping {
    /// Its row and its bytes are durable.
    Kept,
    /// There is no such instance.
    Missing,
    /// It is there with another SOP class.
    OtherClass,
    /// Its row is there, its bytes are not, or are others.
    Damaged,
}

/// The result of a storage commitment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitmentOutcome {
    /// Kept for good.
    pub committed: Vec<CommitmentReference>,
    /// Not kept, each with its Failure Reason (0008,1197).
    pub failed: Vec<(CommitmentReference, u16)>,
}

/// What its requestor is still to hear of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Untold {
    /// The result.
    Result(CommitmentOutcome),
    /// It is not known: the process that looked after it has died.
    Asked {
        /// The instances.
        asked: Vec<CommitmentReference>,
    },
}

/// A transaction whose result its requestor has not heard yet.
#[derive(Clone, Debug)]
pub struct UntoldCommitment {
    /// Row id.
    pub row: i64,
    /// Transaction UID.
    pub transaction: String,
    /// Who asked.
    pub peer: AeTitle,
    /// What is known of the result.
    pub what: Untold,
}

/// Whether objects are whole, each with its place in the question and the size that its row says. Blocks on the store.
fn look_at(
    storage: &Arc<Storage>,
    objects: &[(usize, ObjectKey, u64)],
) -> Result<Vec<(usize, Safekeeping)>, StorageError> {
    let look = |(index, (at, object, bytes)): (usize, &(usize, ObjectKey, u64))| {
        storage.will_read(objects[index..].iter().map(|(_, object, _)| object), Reading::Whole);
        let whole = storage.load_whole(object)?.is_some_and(|object| object.len() == *bytes);
        Ok((*at, if whole { Safekeeping::Kept } else { Safekeeping::Damaged }))
    };
    objects.iter().enumerate().map(look).collect()
}

impl Engine {
    /// What is known of each instance, in the order asked. Each is read, and compared with its digest.
    pub async fn safekeeping(
        &self,
        scope: &Scope,
        asked: &[CommitmentReference],
    ) -> Result<Vec<Safekeeping>, EngineError> {
        let selection = Selection {
            instance: Some(asked.iter().map(|reference| reference.sop.clone()).collect()),
            ..Selection::default()
        };
        let mut kept = self.instances(scope, Zone::Clinical, &selection).await?;
        if kept.len() < asked.len() {
            // Another process of this archive may have kept it, whose rows follow in a moment.
            tokio::time::sleep(ROWS_FOLLOW).await;
            kept = self.instances(scope, Zone::Clinical, &selection).await?;
        }
        let kept: HashMap<&str, _> = kept.iter().map(|instance| (instance.sop.as_str(), instance)).collect();
        let mut found = vec![Safekeeping::Missing; asked.len()];
        let mut to_read = Vec::new();
        for (at, reference) in asked.iter().enumerate() {
            match kept.get(reference.sop.as_str()) {
                None => {}
                Some(instance) if instance.sop_class != reference.sop_class => found[at] = Safekeeping::OtherClass,
                Some(instance) => to_read.push((at, instance.object.clone(), instance.bytes)),
            }
        }
        for some in to_read.chunks(READ_AT_ONCE) {
            let (storage, some) = (self.storage().clone(), some.to_vec());
            let read = aside("reading what is asked about", move || Ok(look_at(&storage, &some)?));
            for (at, safekeeping) in read.await? {
                found[at] = safekeeping;
            }
        }
        Ok(found)
    }

    /// Remembers that a peer is asked to commit. Its result may come on any later association.
    pub async fn commitment_asked(&self, scope: &Scope, transaction: &str, peer: &AeTitle) -> Result<(), EngineError> {
        Ok(self.catalog().commitment_asked(scope, transaction, peer).await?)
    }

    /// Takes the result of a transaction that we asked this peer for; false when we did not.
    pub async fn take_commitment(
        &self,
        transaction: &str,
        peer: &AeTitle,
        outcome: &CommitmentOutcome,
    ) -> Result<bool, EngineError> {
        let scope = self.catalog().system_scope().await?;
        Ok(self.catalog().take_commitment(&scope, transaction, peer, outcome).await?)
    }

    /// The result of a transaction that we asked for, once it is there.
    pub async fn commitment_outcome(
        &self,
        scope: &Scope,
        transaction: &str,
    ) -> Result<Option<CommitmentOutcome>, EngineError> {
        Ok(self.catalog().commitment_outcome(scope, transaction).await?)
    }

    /// Keeps what a requestor is still to hear: a result that it did not take, to be told again, or what it asked for, in case that this
    /// process dies before it knows the result.
    pub async fn keep_untold_commitment(
        &self,
        scope: &Scope,
        transaction: &str,
        peer: &AeTitle,
        what: &Untold,
    ) -> Result<(), EngineError> {
        Ok(self.catalog().keep_untold(scope, transaction, peer, what).await?)
    }

    /// The requestor has heard the result of a transaction.
    pub async fn commitment_told(&self, scope: &Scope, transaction: &str, peer: &AeTitle) -> Result<(), EngineError> {
        Ok(self.catalog().commitment_told(scope, transaction, peer).await?)
    }

    /// Results that are to be told now: for this machine's own worker.
    pub async fn untold_commitments(&self) -> Result<Vec<UntoldCommitment>, EngineError> {
        let scope = self.catalog().system_scope().await?;
        Ok(self.catalog().untold(&scope).await?)
    }

    /// Whether a result was told this time.
    pub async fn end_untold_commitment(&self, row: i64, told: bool) -> Result<(), EngineError> {
        let scope = self.catalog().system_scope().await?;
        Ok(self.catalog().end_untold(&scope, row, told).await?)
    }
}
