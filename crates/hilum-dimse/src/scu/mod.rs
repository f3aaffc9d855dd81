//! The calling side: C-ECHO, C-STORE, C-FIND, C-MOVE, C-GET and storage commitment as service class user.

mod found;
mod retrieval;

use std::{
    collections::HashSet,
    future::Future,
    sync::atomic::{AtomicBool, AtomicU64},
    time::Duration,
};

use hilum_dicom::{
    AeTitle, DataSet, SopClassUid, TransferSyntaxUid, data_set::Stated, matching::Level, matching::QueryOptions,
};

use crate::{
    command::{CommandSet, Operation, Progress},
    commitment,
    negotiation::{Context, Proposal, SCP_ALONE},
    peers::Peer,
    query::{InformationModel, QUERY_RETRIEVE_LEVEL},
    receive::{Limits, Receiver},
    requestor::{Requestor, ScuConfig, ScuError, settle},
    send::{Sending, SentOutcome, StoreReport},
    service::{Caller, CommitmentRequest, CommitmentResult, InstanceSource, StoreHandler, StoredInstance},
    sop_class::VERIFICATION,
};

pub use found::FoundMatches;
use retrieval::Retrieval;
pub use retrieval::RetrieveReport;

/// Asks other application entities.
#[derive(Debug, Clone)]
pub struct Scu {
    config: ScuConfig,
}

/// A question about entities of an information model.
#[derive(Debug, Clone)]
pub struct Question {
    /// What the keys are about.
    pub model: InformationModel,
    /// Query/Retrieve Level; none for a worklist.
    pub level: Option<Level>,
    /// Keys to match, and attributes to return.
    pub keys: DataSet,
    /// What is proposed beyond the baseline; queries only.
    pub options: QueryOptions,
}

/// Storage that a C-GET proposes: each pair of SOP class and transfer syntax as a context of its own, so that objects come as
/// they are kept.
#[derive(Debug, Clone)]
pub struct StorageContext {
    /// The SOP class.
    pub sop_class: SopClassUid,
    /// Its transfer syntaxes.
    pub transfer_syntaxes: Vec<TransferSyntaxUid>,
}

/// How long an instance of a C-GET may be, and how much of it is in memory.
const LONGEST: u64 = 8 << 30;
const IN_MEMORY: u64 = 64 << 20;

impl Scu {
    /// Calls with this configuration.
    pub fn new(config: ScuConfig) -> Self {
        Self { config }
    }

    /// C-ECHO (PS3.4 Annex A).
    pub async fn echo(&self, peer: &Peer) -> Result<(), ScuError> {
        let mut requestor = Requestor::open(&self.config, peer, &[Proposal::service(VERIFICATION)], None).await?;
        let echoed = async {
            let (context_id, _) = requestor.context(VERIFICATION, "verification")?;
            let message_id = requestor.messages.next_message_id();
            let command = CommandSet::request(Operation::Echo, message_id, VERIFICATION);
            requestor.messages.send(context_id, &command, None).await?;
            let response = requestor.response(Operation::Echo, message_id).await?;
            settle(&response).map(drop)
        };
        let echoed = echoed.await;
        requestor.finish(echoed).await
    }

    /// C-STORE (PS3.4 Annex B) of objects, each in its own transfer syntax. `progress` hears of each, by its place in
    /// `instances`. An association that fails is in the report; objects on others are sent all the same.
    pub async fn store(
        &self,
        peer: &Peer,
        instances: &[StoredInstance],
        source: &dyn InstanceSource,
        progress: impl FnMut(usize, &SentOutcome) + Send,
    ) -> StoreReport {
        let stop = AtomicBool::new(false);
        let sending = Sending { config: &self.config, peer, instances, source, originator: None, stop: &stop };
        sending.run(progress).await
    }

    /// C-FIND (PS3.4 C.4.1, K.4). The matches come as the peer sends them.
    pub async fn find(&self, peer: &Peer, question: &Question) -> Result<FoundMatches, ScuError> {
        let sop_class = question.model.sop_class(Operation::Find).ok_or(ScuError::NoSuchService)?;
        let options = Some((sop_class, question.options));
        let mut requestor = Requestor::open(&self.config, peer, &[Proposal::service(sop_class)], options).await?;
        match self.ask(&mut requestor, Operation::Find, sop_class, question, None).await {
            Ok(((context_id, context), message_id)) => {
                Ok(FoundMatches::new(requestor, context_id, context.transfer_syntax, message_id))
            }
            Err(error) => requestor.finish(Err(error)).await,
        }
    }

    /// C-MOVE (PS3.4 C.4.2) to `destination`. When `cancel` is done, a C-CANCEL is sent, and the peer's final response still
    /// waited for.
    pub async fn retrieve_to(
        &self,
        peer: &Peer,
        question: &Question,
        destination: &AeTitle,
        cancel: impl Future<Output = ()> + Send,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<RetrieveReport, ScuError> {
        let sop_class = question.model.sop_class(Operation::Move).ok_or(ScuError::NoSuchService)?;
        let mut requestor = Requestor::open(&self.config, peer, &[Proposal::service(sop_class)], None).await?;
        let moved = async {
            let (context, message_id) =
                self.ask(&mut requestor, Operation::Move, sop_class, question, Some(destination)).await?;
            let mut retrieval = Retrieval::new(Operation::Move, message_id, context);
            tokio::pin!(cancel);
            loop {
                let (_, command) = retrieval.next(&mut requestor, cancel.as_mut()).await?;
                if let Some(report) = retrieval.take(&mut requestor, &command, &mut progress).await? {
                    return Ok(report);
                }
            }
        };
        let moved = moved.await;
        requestor.finish(moved).await
    }

    /// C-GET (PS3.4 C.4.3): the objects go to `sink` as if they had come over a C-STORE. When `cancel` is done, a C-CANCEL is
    /// sent, and the peer's final response still waited for.
    pub async fn retrieve(
        &self,
        peer: &Peer,
        question: &Question,
        storage: &[StorageContext],
        sink: &dyn StoreHandler,
        cancel: impl Future<Output = ()> + Send,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<RetrieveReport, ScuError> {
        let sop_class = question.model.sop_class(Operation::Get).ok_or(ScuError::NoSuchService)?;
        let mut proposals = vec![Proposal::service(sop_class)];
        proposals.extend(storage_proposals(storage)?);
        let mut requestor = Requestor::open(&self.config, peer, &proposals, None).await?;
        // The peer stores: to us, it is the caller.
        let called_ae = self.config.ae_title.clone();
        let caller = Caller { calling_ae: peer.ae_title.clone(), called_ae, address: None };
        let in_flight = AtomicU64::new(0);
        let spool_folder = self.config.spool_folder.clone();
        let limits = Limits { instance_bytes: LONGEST, bytes_in_flight: IN_MEMORY, spool_folder };
        let mut receiver = Receiver::new(&in_flight, limits);
        let got = async {
            let (context, message_id) = self.ask(&mut requestor, Operation::Get, sop_class, question, None).await?;
            let mut retrieval = Retrieval::new(Operation::Get, message_id, context);
            tokio::pin!(cancel);
            loop {
                let (context_id, command) = retrieval.next(&mut requestor, cancel.as_mut()).await?;
                if command.operation == Operation::Store && !command.is_response {
                    let Some(context) = requestor.messages.contexts.get(&context_id).cloned() else {
                        return Err(ScuError::Protocol("this presentation context was not accepted"));
                    };
                    let status = receiver.store(&mut requestor.messages, &context, &command, &caller, sink).await?;
                    requestor.messages.send(context_id, &command.response(status), None).await?;
                } else if let Some(report) = retrieval.take(&mut requestor, &command, &mut progress).await? {
                    return Ok(report);
                }
            }
        };
        let got = got.await;
        requestor.finish(got).await
    }

    /// Storage commitment (PS3.4 Annex J): asks, and waits up to `wait` for the result on the same association. Without one, the
    /// result comes later to our own [`Scp`](crate::Scp) as [`CommitmentResults`](crate::CommitmentResults).
    pub async fn request_commitment(
        &self,
        peer: &Peer,
        request: &CommitmentRequest,
        wait: Duration,
    ) -> Result<Option<CommitmentResult>, ScuError> {
        commitment::ask(&self.config, peer, request, wait).await
    }

    /// Tells a peer the result of a storage commitment that it asked for on an earlier association (PS3.4 J.3.3).
    pub async fn report_commitment(&self, peer: &Peer, result: &CommitmentResult) -> Result<(), ScuError> {
        commitment::report_to(&self.config, peer, result).await
    }

    /// Sends a request with an identifier; the context and the message id that the answers come on.
    async fn ask(
        &self,
        requestor: &mut Requestor,
        operation: Operation,
        sop_class: &str,
        question: &Question,
        destination: Option<&AeTitle>,
    ) -> Result<((u8, Context), u16), ScuError> {
        let what = match operation {
            Operation::Move => "C-MOVE of this model",
            Operation::Get => "C-GET of this model",
            _ => "C-FIND of this model",
        };
        let (context_id, context) = requestor.context(sop_class, what)?;
        let mut identifier = question.keys.clone();
        if let Some(level) = question.level {
            identifier.set(QUERY_RETRIEVE_LEVEL, level.term());
        }
        let explicit_vr = context.transfer_syntax.encoding().explicit_vr;
        let identifier = identifier.write(explicit_vr, &self.config.character_set, Stated::Always)?;
        let message_id = requestor.messages.next_message_id();
        let mut command = CommandSet::request(operation, message_id, sop_class);
        command.has_data_set = true;
        if let Some(destination) = destination {
            destination.as_str().clone_into(&mut command.move_destination);
        }
        requestor.messages.send(context_id, &command, Some(&identifier)).await?;
        Ok(((context_id, context), message_id))
    }
}

/// At most 127 contexts beside that of the C-GET; where pairs are more, each class has one context with all its syntaxes.
fn storage_proposals(storage: &[StorageContext]) -> Result<Vec<Proposal>, ScuError> {
    const ROOM: usize = 127;
    let pairs: usize = storage.iter().map(|context| context.transfer_syntaxes.len()).sum();
    if pairs <= ROOM {
        let one_each = |context: &StorageContext| {
            context
                .transfer_syntaxes
                .chunks(1)
                .map(|syntax| Proposal::storage(&context.sop_class, syntax, SCP_ALONE))
                .collect::<Vec<_>>()
        };
        return Ok(storage.iter().flat_map(one_each).collect());
    }
    let classes: HashSet<&SopClassUid> = storage.iter().map(|context| &context.sop_class).collect();
    if storage.len() > ROOM || classes.len() < storage.len() {
        return Err(ScuError::Protocol("a C-GET has room for 127 storage SOP classes, each named once"));
    }
    Ok(storage
        .iter()
        .map(|context| Proposal::storage(&context.sop_class, &context.transfer_syntaxes, SCP_ALONE))
        .collect())
}
