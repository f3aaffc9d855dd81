//! Storage commitment, push model (PS3.4 Annex J): N-ACTION in, N-EVENT-REPORT out, and the reverse.

use std::sync::Arc;

use dicom_core::Tag;
use futures::{StreamExt, stream::FuturesUnordered};
use hilum_dicom::{
    DataSet, TransferSyntaxUid,
    charset::SpecificCharacterSet,
    data_set::{DataSetError, Stated},
};

use crate::{
    association::{Association, Shared},
    command::{CommandSet, Operation},
    negotiation::{Proposal, SCP_ALONE},
    peers::Peer,
    query::MAX_IDENTIFIER,
    requestor::{Requestor, ScuConfig, ScuError, settle},
    service::{Caller, CommitFuture, CommitmentFailure, CommitmentRequest, CommitmentResult, ReferencedInstance},
    sop_class::{STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE},
    status::Status,
    upper_layer::UlError,
};

/// A commitment that is being looked after.
pub(crate) type Pending = CommitFuture;

/// Action Type ID: request storage commitment (PS3.4 Table J.3-1).
const REQUEST: u16 = 1;
/// Event Type IDs: all are committed to, or failures exist (PS3.4 Table J.3-2).
const ALL_COMMITTED: u16 = 1;
const FAILURES_EXIST: u16 = 2;

const TRANSACTION_UID: Tag = Tag(0x0008, 0x1195);
const FAILURE_REASON: Tag = Tag(0x0008, 0x1197);
const FAILED_SOP_SEQUENCE: Tag = Tag(0x0008, 0x1198);
const REFERENCED_SOP_SEQUENCE: Tag = Tag(0x0008, 0x1199);
const REFERENCED_SOP_CLASS_UID: Tag = Tag(0x0008, 0x1150);
const REFERENCED_SOP_INSTANCE_UID: Tag = Tag(0x0008, 0x1155);

/// The information that came with a command, as it is read; `None` where it cannot be.
async fn information<T>(
    association: &mut Association<'_>,
    context_id: u8,
    read: fn(&[u8], &TransferSyntaxUid) -> Option<T>,
) -> Result<Option<T>, UlError> {
    let context = association.context(context_id)?;
    let bytes = association.messages.data_set(MAX_IDENTIFIER).await?;
    Ok(bytes.and_then(|bytes| read(&bytes, &context.transfer_syntax)))
}

/// Answers an N-ACTION-RQ; the result follows as an event report.
pub(crate) async fn serve_action(
    association: &mut Association<'_>,
    context_id: u8,
    command: &CommandSet,
) -> Result<(), UlError> {
    let request = information(association, context_id, read_request).await?;
    let handler = association.shared.services.commitment.as_ref().map(Arc::clone);
    let status = match (handler, request) {
        (None, _) => Status::UNRECOGNIZED_OPERATION,
        _ if command.sop != STORAGE_COMMITMENT_INSTANCE => Status::NO_SUCH_INSTANCE,
        _ if command.kind != Some(REQUEST) => Status::NO_SUCH_ACTION,
        (_, None) => Status::INVALID_ARGUMENT,
        (Some(handler), Some(request)) if handler.note(&association.caller, &request).await => {
            association.commitments.push(handler.commit(&association.caller, request));
            Status::SUCCESS
        }
        (Some(_), Some(_)) => Status::PROCESSING_FAILURE,
    };
    association.answer(context_id, command, status).await
}

/// Answers an N-EVENT-REPORT-RQ: the result of a commitment that we asked for earlier.
pub(crate) async fn serve_report(
    association: &mut Association<'_>,
    context_id: u8,
    command: &CommandSet,
) -> Result<(), UlError> {
    let result = information(association, context_id, read_result).await?;
    let handler = association.shared.services.commitment_results.as_ref().map(Arc::clone);
    let status = match (handler, result) {
        (None, _) => Status::UNRECOGNIZED_OPERATION,
        _ if !matches!(command.kind, Some(ALL_COMMITTED | FAILURES_EXIST)) => Status::NO_SUCH_EVENT,
        (_, None) => Status::INVALID_ARGUMENT,
        (Some(handler), Some(result)) => {
            if handler.take(&association.caller, result).await {
                Status::SUCCESS
            } else {
                Status::INVALID_ARGUMENT
            }
        }
    };
    association.answer(context_id, command, status).await
}

impl Association<'_> {
    /// Reports a result on the association of its request. The response is taken when it comes, by [`Self::heard`].
    pub(crate) async fn report(&mut self, result: CommitmentResult) -> Result<(), UlError> {
        let mut contexts = self.messages.contexts.iter();
        let context = contexts.find(|(_, c)| c.abstract_syntax == STORAGE_COMMITMENT && c.roles.scu);
        let Some((context_id, transfer_syntax)) = context.map(|(id, c)| (*id, c.transfer_syntax.clone())) else {
            return Ok(());
        };
        let message_id = self.messages.next_message_id();
        match event_report(&result, message_id, &transfer_syntax) {
            Ok((command, data_set)) => {
                self.reports.insert(message_id, result.transaction);
                self.messages.send(context_id, &command, Some(&data_set)).await
            }
            Err(error) => {
                tracing::warn!(%error, "the result of a storage commitment cannot be written");
                Ok(())
            }
        }
    }

    /// A response to an event report: with success, the requestor knows the result.
    pub(crate) fn heard(&mut self, response: &CommandSet) {
        let told = self.reports.remove(&response.message_id).filter(|_| settle(response).is_ok());
        if let (Some(transaction), Some(handler)) = (told, &self.shared.services.commitment) {
            handler.told(&self.caller, transaction);
        }
    }
}

/// Reports results for which the requestor did not wait, each on a new association (PS3.4 J.3.3).
pub(crate) async fn report_later(mut pending: FuturesUnordered<Pending>, caller: &Caller, shared: &Shared) {
    let Some(handler) = &shared.services.commitment else { return };
    while let Some(result) = pending.next().await {
        let told = match handler.requestor(caller).await {
            Some(peer) => report_to(&shared.config.calling, &peer, &result).await.map_err(Some),
            None => Err(None),
        };
        match told {
            Ok(()) => {
                handler.told(caller, result.transaction);
                continue;
            }
            Err(Some(error)) => {
                tracing::warn!(calling_ae = %caller.calling_ae, %error, "a commitment's result was not taken");
            }
            Err(None) => {
                tracing::warn!(calling_ae = %caller.calling_ae, "nobody knows where a commitment's result goes");
            }
        }
        handler.undelivered(caller, result);
    }
}

/// Tells a result on a new association, on which we take the role of the provider.
pub(crate) async fn report_to(config: &ScuConfig, peer: &Peer, result: &CommitmentResult) -> Result<(), ScuError> {
    let proposal = Proposal { roles: SCP_ALONE, ..Proposal::service(STORAGE_COMMITMENT) };
    let mut requestor = Requestor::open(config, peer, &[proposal], None).await?;
    let told = tell(&mut requestor, result).await;
    requestor.finish(told).await
}

async fn tell(requestor: &mut Requestor, result: &CommitmentResult) -> Result<(), ScuError> {
    let (context_id, context) = requestor.context(STORAGE_COMMITMENT, "results of storage commitment")?;
    let message_id = requestor.messages.next_message_id();
    let (command, data_set) = event_report(result, message_id, &context.transfer_syntax)?;
    requestor.messages.send(context_id, &command, Some(&data_set)).await?;
    let response = requestor.response(Operation::EventReport, message_id).await?;
    settle(&response).map(drop)
}

/// Asks a peer to commit. The result, if it comes on the same association within `wait`.
pub(crate) async fn ask(
    config: &ScuConfig,
    peer: &Peer,
    request: &CommitmentRequest,
    wait: std::time::Duration,
) -> Result<Option<CommitmentResult>, ScuError> {
    let mut requestor = Requestor::open(config, peer, &[Proposal::service(STORAGE_COMMITMENT)], None).await?;
    let asked = ask_on(&mut requestor, request, wait).await;
    requestor.finish(asked).await
}

async fn ask_on(
    requestor: &mut Requestor,
    request: &CommitmentRequest,
    wait: std::time::Duration,
) -> Result<Option<CommitmentResult>, ScuError> {
    let (context_id, context) = requestor.context(STORAGE_COMMITMENT, "storage commitment")?;
    let mut list = DataSet::new();
    list.set(TRANSACTION_UID, request.transaction.clone());
    list.set_items(REFERENCED_SOP_SEQUENCE, request.instances.iter().map(write_reference).collect());
    let data_set = write(&list, &context.transfer_syntax)?;
    let message_id = requestor.messages.next_message_id();
    let mut command = CommandSet::request(Operation::Action, message_id, STORAGE_COMMITMENT);
    STORAGE_COMMITMENT_INSTANCE.clone_into(&mut command.sop);
    command.kind = Some(REQUEST);
    command.has_data_set = true;
    requestor.messages.send(context_id, &command, Some(&data_set)).await?;

    // Some peers report before they answer the request.
    let (mut answered, mut result) = (false, None);
    let deadline = tokio::time::Instant::now() + wait;
    while !answered || result.is_none() {
        let next = if answered {
            match tokio::time::timeout_at(deadline, requestor.next()).await {
                Ok(next) => next?,
                Err(_) => break,
            }
        } else {
            requestor.next().await?
        };
        let (context_id, command) = next;
        match command.operation {
            Operation::Action if command.is_response && command.message_id == message_id => {
                settle(&command)?;
                requestor.messages.skip_data_set().await?;
                answered = true;
            }
            Operation::EventReport if !command.is_response => {
                let bytes = requestor.messages.data_set(MAX_IDENTIFIER).await?;
                let read = bytes.and_then(|bytes| read_result(&bytes, &context.transfer_syntax));
                let ours = read.filter(|result| result.transaction == request.transaction);
                let status = if ours.is_some() { Status::SUCCESS } else { Status::INVALID_ARGUMENT };
                result = ours.or(result);
                requestor.messages.send(context_id, &command.response(status), None).await?;
            }
            _ => return Err(ScuError::Protocol("an answer to the request for storage commitment was due")),
        }
    }
    Ok(result)
}

/// `None` when it cannot be read or names nothing.
fn read_request(bytes: &[u8], transfer_syntax: &TransferSyntaxUid) -> Option<CommitmentRequest> {
    let list = DataSet::read(bytes, transfer_syntax).ok()?;
    let instances: Option<Vec<_>> = list.items(REFERENCED_SOP_SEQUENCE).iter().map(read_reference).collect();
    let instances = instances.filter(|instances| !instances.is_empty())?;
    Some(CommitmentRequest { transaction: transaction(&list)?, instances })
}

fn read_result(bytes: &[u8], transfer_syntax: &TransferSyntaxUid) -> Option<CommitmentResult> {
    let list = DataSet::read(bytes, transfer_syntax).ok()?;
    let committed: Option<Vec<_>> = list.items(REFERENCED_SOP_SEQUENCE).iter().map(read_reference).collect();
    let failed: Option<Vec<_>> = list
        .items(FAILED_SOP_SEQUENCE)
        .iter()
        .map(|item| {
            let reason = item.text(FAILURE_REASON).and_then(|reason| reason.parse().ok()).unwrap_or(0x0110);
            Some((read_reference(item)?, CommitmentFailure::of(reason)))
        })
        .collect();
    Some(CommitmentResult { transaction: transaction(&list)?, committed: committed?, failed: failed? })
}

/// Digits and dots, as every UID.
fn transaction(list: &DataSet) -> Option<String> {
    let uid: hilum_dicom::SopUid = list.text(TRANSACTION_UID)?.parse().ok()?;
    Some(uid.to_string())
}

fn read_reference(item: &DataSet) -> Option<ReferencedInstance> {
    Some(ReferencedInstance {
        sop_class: item.text(REFERENCED_SOP_CLASS_UID)?.parse().ok()?,
        sop: item.text(REFERENCED_SOP_INSTANCE_UID)?.parse().ok()?,
    })
}

fn write_reference(instance: &ReferencedInstance) -> DataSet {
    let mut item = DataSet::new();
    item.set(REFERENCED_SOP_CLASS_UID, instance.sop_class.as_str());
    item.set(REFERENCED_SOP_INSTANCE_UID, instance.sop.as_str());
    item
}

fn event_report(
    result: &CommitmentResult,
    message_id: u16,
    transfer_syntax: &TransferSyntaxUid,
) -> Result<(CommandSet, Vec<u8>), DataSetError> {
    let mut list = DataSet::new();
    list.set(TRANSACTION_UID, result.transaction.clone());
    if !result.committed.is_empty() {
        list.set_items(REFERENCED_SOP_SEQUENCE, result.committed.iter().map(write_reference).collect());
    }
    if !result.failed.is_empty() {
        let failed = result.failed.iter().map(|(instance, reason)| {
            let mut item = write_reference(instance);
            item.set(FAILURE_REASON, reason.code().to_string());
            item
        });
        list.set_items(FAILED_SOP_SEQUENCE, failed.collect());
    }
    let mut command = CommandSet::request(Operation::EventReport, message_id, STORAGE_COMMITMENT);
    STORAGE_COMMITMENT_INSTANCE.clone_into(&mut command.sop);
    command.kind = Some(if result.failed.is_empty() { ALL_COMMITTED } else { FAILURES_EXIST });
    command.has_data_set = true;
    Ok((command, write(&list, transfer_syntax)?))
}

fn write(list: &DataSet, transfer_syntax: &TransferSyntaxUid) -> Result<Vec<u8>, DataSetError> {
    list.write(transfer_syntax.encoding().explicit_vr, &SpecificCharacterSet::default(), Stated::WhenNeeded)
}
