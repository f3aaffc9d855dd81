//! C-STORE as user: each object in its own transfer syntax, over as many associations as its contexts need (PS3.4 Annex B).
//! An uncompressed object goes in the other little-endian encoding where a peer takes only that (PS3.5 10.1).

use std::{
    collections::HashMap,
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use dicom_ul::pdu::RequestorRoles;
use hilum_dicom::{
    AeTitle, HeaderError, ObjectBytes, TransferSyntaxUid,
    recode::{can_recode, recode},
};
use thiserror::Error;
use tokio::task::{JoinError, spawn_blocking};

use crate::{
    command::{CommandSet, Operation, Progress},
    messages::Messages,
    negotiation::{Proposal, SCU_ALONE},
    part10::{Part10Error, read_meta},
    peers::Peer,
    requestor::{Requestor, ScuConfig, ScuError},
    service::{InstanceSource, StoredInstance},
    status::StatusClass,
    upper_layer::{AbortReason, UlError},
};

/// Presentation contexts of one association: ids are odd and one byte (PS3.8 9.3.2.2).
const CONTEXTS: usize = 128;

/// A peer that breaks off so many objects one after another is sent no more of them now.
const MOST_BROKEN_IN_A_ROW: u32 = 3;

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentOutcome {
    /// The peer has it.
    Stored,
    /// The peer has it, with a reserve.
    StoredWithWarning {
        /// Status (0000,0900).
        code: u16,
    },
    /// The peer does not take it.
    Refused {
        /// Status (0000,0900).
        code: u16,
    },
    /// The peer takes no object of this SOP class in this transfer syntax.
    ContextNotAccepted,
    /// The object cannot be read, or is not what it was said to be.
    NotReadable,
    /// The association broke off while the peer was receiving the object; it may have it or not.
    BrokenOff {
        /// Why, without identity.
        reason: String,
    },
    /// The association did not come about, or ended before the object was begun.
    NotSent,
}

impl SentOutcome {
    fn of(code: u16) -> Self {
        match StatusClass::of(code) {
            StatusClass::Success => Self::Stored,
            StatusClass::Warning => Self::StoredWithWarning { code },
            _ => Self::Refused { code },
        }
    }

    /// The peer does not have the object.
    pub fn is_failure(&self) -> bool {
        !matches!(self, Self::Stored | Self::StoredWithWarning { .. })
    }
}

/// How a sending went.
#[derive(Debug)]
pub struct StoreReport {
    /// What became of each object, in the order given.
    pub outcomes: Vec<SentOutcome>,
    /// Why objects are [`SentOutcome::NotSent`] or [`SentOutcome::BrokenOff`]; the last reason where there are several.
    pub error: Option<ScuError>,
}

impl StoreReport {
    /// Whether the peer has every object.
    pub fn is_complete(&self) -> bool {
        !self.outcomes.iter().any(SentOutcome::is_failure)
    }
}

/// Counts outcomes as the sub-operations of a retrieval.
pub(crate) fn count(progress: &mut Progress, outcome: &SentOutcome) {
    progress.remaining = progress.remaining.saturating_sub(1);
    let counter = match outcome {
        SentOutcome::Stored => &mut progress.completed,
        SentOutcome::StoredWithWarning { .. } => &mut progress.warning,
        _ => &mut progress.failed,
    };
    *counter = counter.saturating_add(1);
}

/// A sending: what, from where, to whom.
pub(crate) struct Sending<'a> {
    pub(crate) config: &'a ScuConfig,
    pub(crate) peer: &'a Peer,
    pub(crate) instances: &'a [StoredInstance],
    pub(crate) source: &'a dyn InstanceSource,
    /// Of a C-MOVE: who asked, and its message id.
    pub(crate) originator: Option<(AeTitle, u16)>,
    /// Set to stop between two objects.
    pub(crate) stop: &'a AtomicBool,
}

impl Sending<'_> {
    /// Sends all; `progress` hears of each object as it is settled. One that an association breaks on is left behind, and the others go
    /// over a new one. Objects left because of `stop` are [`SentOutcome::NotSent`] and not told.
    pub(crate) async fn run(&self, mut progress: impl FnMut(usize, &SentOutcome) + Send) -> StoreReport {
        let mut report = StoreReport { outcomes: vec![SentOutcome::NotSent; self.instances.len()], error: None };
        let mut broken_in_a_row = 0;
        for batch in batches(self.instances) {
            let mut left = batch.indices.iter().copied().peekable();
            while left.peek().is_some() && !self.stop.load(Ordering::Relaxed) {
                let opened = if broken_in_a_row < MOST_BROKEN_IN_A_ROW {
                    Some(Requestor::open(self.config, self.peer, &batch.proposals, None).await)
                } else {
                    None
                };
                let requestor = match opened {
                    Some(Ok(requestor)) => requestor,
                    not_opened => {
                        if let Some(Err(error)) = not_opened {
                            tracing::info!(peer = %self.peer.ae_title, %error, "objects not sent");
                            report.error = Some(error);
                        }
                        left.by_ref().for_each(|index| progress(index, &SentOutcome::NotSent));
                        break;
                    }
                };
                let settled = |index: usize, outcome: SentOutcome| {
                    match outcome {
                        SentOutcome::BrokenOff { .. } => broken_in_a_row += 1,
                        _ => broken_in_a_row = 0,
                    }
                    progress(index, &outcome);
                    report.outcomes[index] = outcome;
                };
                if let Err(error) = self.send_over(requestor, &mut left, settled).await {
                    tracing::info!(peer = %self.peer.ae_title, %error, "an association broke off in the middle of an object");
                    report.error = Some(error);
                }
            }
        }
        report
    }

    /// One association: as many of `left` as it takes.
    async fn send_over(
        &self,
        mut requestor: Requestor,
        left: &mut (impl Iterator<Item = usize> + Send),
        mut settled: impl FnMut(usize, SentOutcome) + Send,
    ) -> Result<(), ScuError> {
        while !self.stop.load(Ordering::Relaxed) {
            let Some(index) = left.next() else { break };
            match self.send_one(&mut requestor, &self.instances[index]).await {
                Ok(outcome) => settled(index, outcome),
                // A message that has begun cannot be taken back otherwise.
                Err(UlError::Unreadable) => {
                    settled(index, SentOutcome::NotReadable);
                    requestor.messages.stream.abort(AbortReason::NotSpecified).await;
                    return Ok(());
                }
                Err(error) => {
                    let error = ScuError::from(error);
                    settled(index, SentOutcome::BrokenOff { reason: error.to_string() });
                    return requestor.finish(Err(error)).await;
                }
            }
        }
        requestor.release().await;
        Ok(())
    }

    async fn send_one(&self, requestor: &mut Requestor, instance: &StoredInstance) -> Result<SentOutcome, UlError> {
        let sent =
            send_instance(&mut requestor.messages, instance, self.source, |roles| roles.scu, self.originator.clone());
        match sent.await? {
            Err(outcome) => Ok(outcome),
            Ok(message_id) => {
                let response = requestor.response(Operation::Store, message_id).await?;
                requestor.messages.skip_data_set().await?;
                Ok(outcome_of(&response))
            }
        }
    }
}

/// Sends a C-STORE-RQ on the context of the object's SOP class and own transfer syntax on which we may, or on one of the other
/// uncompressed encoding. Gives the message id, or why nothing was sent.
pub(crate) async fn send_instance(
    messages: &mut Messages,
    instance: &StoredInstance,
    source: &dyn InstanceSource,
    may: impl Fn(RequestorRoles) -> bool,
    originator: Option<(AeTitle, u16)>,
) -> Result<Result<u16, SentOutcome>, UlError> {
    let context = |fits: &dyn Fn(&TransferSyntaxUid) -> bool| {
        let mut contexts = messages.contexts.iter();
        let found = contexts.find(|(_, context)| {
            let is_of_class = context.abstract_syntax == instance.sop_class.as_str();
            is_of_class && may(context.roles) && fits(&context.transfer_syntax)
        });
        found.map(|(id, context)| (*id, context.transfer_syntax.clone()))
    };
    let own = context(&|syntax| *syntax == instance.transfer_syntax);
    let Some((context_id, syntax)) = own.or_else(|| context(&|syntax| can_recode(&instance.transfer_syntax, syntax)))
    else {
        return Ok(Err(SentOutcome::ContextNotAccepted));
    };
    let data_set = match read(instance, source, syntax).await {
        Ok(data_set) => data_set,
        Err(error) => {
            tracing::warn!(%error, "an object to be sent cannot be read");
            return Ok(Err(SentOutcome::NotReadable));
        }
    };
    let message_id = messages.next_message_id();
    let mut command = CommandSet::request(Operation::Store, message_id, instance.sop_class.as_str());
    command.sop = instance.sop.as_str().to_owned();
    command.has_data_set = true;
    command.originator = originator;
    if let Err(error) = messages.send_object(context_id, &command, &data_set.object, data_set.from).await? {
        tracing::warn!(kind = ?error.kind(), "an object cannot be read any further while it is sent");
        return Err(UlError::Unreadable);
    }
    Ok(Ok(message_id))
}

/// Why an object cannot be sent.
#[derive(Debug, Error)]
enum Unreadable {
    #[error("{}", .0.kind())]
    File(#[from] io::Error),
    #[error(transparent)]
    Meta(#[from] Part10Error),
    #[error("it is not the object that it was said to be")]
    Another,
    #[error(transparent)]
    DataSet(#[from] HeaderError),
    #[error("it could not be turned into the other encoding")]
    Recoding(#[from] JoinError),
}

/// What is sent: an object's bytes from here on.
struct ToSend {
    object: ObjectBytes,
    from: u64,
}

/// Longest file meta information that is looked for.
const LONGEST_META: u64 = 64 * 1024;

/// The data set in the transfer syntax of its context.
async fn read(
    instance: &StoredInstance,
    source: &dyn InstanceSource,
    syntax: TransferSyntaxUid,
) -> Result<ToSend, Unreadable> {
    let object = source.load(instance).await?;
    let (instance, own) = (instance.clone(), instance.transfer_syntax.clone());
    let begun = move || -> Result<ToSend, Unreadable> {
        let (meta, from) = match &object {
            ObjectBytes::Held(bytes) => read_meta(bytes)?,
            ObjectBytes::ByRange(bytes) => read_meta(&bytes.read_at(0..bytes.size().min(LONGEST_META))?)?,
        };
        if meta != instance {
            return Err(Unreadable::Another);
        }
        Ok(ToSend { object, from: from as u64 })
    };
    let begun = begun()?;
    if syntax == own {
        return Ok(begun);
    }
    // The other encoding is made in memory, however long the object is.
    let recoded = spawn_blocking(move || -> Result<Vec<u8>, Unreadable> {
        let data_set = begun.object.to_memory()?.split_off(begun.from as usize);
        Ok(recode(&data_set, &own, &syntax)?)
    });
    Ok(ToSend { object: recoded.await??.into(), from: 0 })
}

/// What a response to a C-STORE-RQ means.
pub(crate) fn outcome_of(response: &CommandSet) -> SentOutcome {
    SentOutcome::of(response.status.unwrap_or(0x0110))
}

/// The objects that one association takes.
struct Batch {
    proposals: Vec<Proposal>,
    indices: Vec<usize>,
}

/// Objects by the contexts that they need, 128 to an association: one for each SOP class and transfer syntax, and for uncompressed
/// objects one of the other encoding besides.
fn batches(instances: &[StoredInstance]) -> Vec<Batch> {
    let plain = [TransferSyntaxUid::implicit_little_endian(), TransferSyntaxUid::explicit_little_endian()];
    let mut places = HashMap::new();
    let mut batches: Vec<Batch> = Vec::new();
    for (index, instance) in instances.iter().enumerate() {
        let (class, own) = (&instance.sop_class, &instance.transfer_syntax);
        let place = *places.entry((class, own)).or_insert_with(|| {
            let others = plain.iter().filter(|other| *other != own && can_recode(own, other));
            let syntaxes: Vec<&TransferSyntaxUid> = std::iter::once(own).chain(others).collect();
            if batches.last().is_none_or(|batch| batch.proposals.len() + syntaxes.len() > CONTEXTS) {
                batches.push(Batch { proposals: Vec::new(), indices: Vec::new() });
            }
            let place = batches.len() - 1;
            for syntax in syntaxes {
                let proposal = Proposal::storage(class, std::slice::from_ref(syntax), SCU_ALONE);
                if !batches[place].proposals.contains(&proposal) {
                    batches[place].proposals.push(proposal);
                }
            }
            place
        });
        batches[place].indices.push(index);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_contexts_than_an_association_has_are_split_and_no_object_is_lost() {
        let instances: Vec<StoredInstance> = (0..600)
            .map(|index| StoredInstance {
                sop_class: format!("1.2.{}", index % 150).parse().expect("a UID"),
                sop: format!("1.2.3.{index}").parse().expect("a UID"),
                transfer_syntax: if index % 2 == 0 { "1.2.840.10008.1.2.1" } else { "1.2.840.10008.1.2.4.90" }
                    .parse()
                    .expect("a UID"),
            })
            .collect();
        let batches = batches(&instances);
        // 75 classes of uncompressed objects with two contexts each, and 75 of compressed ones with one.
        assert_eq!(batches.iter().map(|batch| batch.proposals.len()).collect::<Vec<_>>(), [128, 97]);
        let mut indices: Vec<usize> = batches.iter().flat_map(|batch| batch.indices.clone()).collect();
        indices.sort_unstable();
        assert_eq!(indices, (0..600).collect::<Vec<_>>());
        for batch in &batches {
            for index in &batch.indices {
                let wanted = instances[*index].sop_class.as_str();
                assert!(batch.proposals.iter().any(|proposal| proposal.abstract_syntax == wanted));
            }
        }
    }
}
