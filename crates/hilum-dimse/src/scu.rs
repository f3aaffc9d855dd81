//! The calling side: C-ECHO, C-STORE, C-FIND, C-MOVE, C-GET and storage commitment as service class user.

use std::{
    collections::HashSet,
    future::Future,
    sync::atomic::{AtomicBool, AtomicU64},
    time::Duration,
};

use futures::{Stream, stream};
use hilum_dicom::{AeTitle, DataSet, SopClassUid, SopUid, TransferSyntaxUid, data_set::Stated, matching::QueryOptions};

use crate::{
    command::{CommandSet, Operation, Progress},
    commitment,
    negotiation::{Context, Proposal, SCP_ALONE},
    peers::Peer,
    query::{FAILED_SOP_INSTANCE_UID_LIST, InformationModel, Level, MAX_IDENTIFIER, QUERY_RETRIEVE_LEVEL},
    receive::{Limits, Receiver},
    requestor::{Requestor, ScuConfig, ScuError},
    send::{Sending, SentOutcome, StoreReport},
    service::{Caller, CommitmentRequest, CommitmentResult, InstanceSource, StoreHandler, StoredInstance},
    sop_class::VERIFICATION,
    status::StatusClass,
    upper_layer::UlError,
};

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

/// How a retrieval ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrieveReport {
    /// Status (0000,0900) of the final response.
    pub status: u16,
    /// The peer's last count of its sub-operations.
    pub progress: Progress,
    /// Failed SOP Instance UID List (0008,0058).
    pub failed: Vec<SopUid>,
}

impl RetrieveReport {
    /// Everything came, nothing failed.
    pub fn is_complete(&self) -> bool {
        self.status == 0 && self.progress.failed == 0
    }
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

/// How much a C-GET may bring at a time.
const GET_LIMITS: Limits = Limits { instance_bytes: 2 << 30, bytes_in_flight: 4 << 30 };

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
            settle(&response).map(|_| ())
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
            Ok((context, message_id)) => Ok(FoundMatches {
                requestor: Some(requestor),
                context_id: context.0,
                transfer_syntax: context.1.transfer_syntax,
                message_id,
            }),
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
        let caller = Caller { calling_ae: peer.ae_title.clone(), called_ae: self.config.ae_title.clone() };
        let in_flight = AtomicU64::new(0);
        let mut receiver = Receiver::new(&in_flight, GET_LIMITS);
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

/// The status of a final response that is no failure.
fn settle(response: &CommandSet) -> Result<u16, ScuError> {
    let code = response.status.unwrap_or(0x0110);
    match StatusClass::of(code) {
        StatusClass::Failure => Err(ScuError::Status { code, comment: response.comment.clone() }),
        _ => Ok(code),
    }
}

/// The matches of a C-FIND on their way. Dropping it cuts the connection; [`FoundMatches::cancel`] ends it in order.
pub struct FoundMatches {
    /// None after the final response.
    requestor: Option<Requestor>,
    context_id: u8,
    transfer_syntax: TransferSyntaxUid,
    message_id: u16,
}

impl FoundMatches {
    /// The next match, in UTF-8; `None` after the last, when the association is released. An error is the last item.
    pub async fn next(&mut self) -> Option<Result<DataSet, ScuError>> {
        let mut requestor = self.requestor.take()?;
        match self.read(&mut requestor).await {
            Ok(Some(found)) => {
                self.requestor = Some(requestor);
                Some(Ok(found))
            }
            Ok(None) => {
                requestor.release().await;
                None
            }
            Err(error) => requestor.finish::<DataSet>(Err(error)).await.err().map(Err),
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<DataSet, ScuError>> + Send {
        stream::unfold(self, |mut matches| async move { matches.next().await.map(|found| (found, matches)) })
    }

    /// Sends a C-CANCEL, reads past what was under way, and releases.
    pub async fn cancel(mut self) -> Result<(), ScuError> {
        let Some(mut requestor) = self.requestor.take() else { return Ok(()) };
        let cancelled = async {
            requestor.messages.send(self.context_id, &CommandSet::cancel(self.message_id), None).await?;
            while self.read(&mut requestor).await?.is_some() {}
            Ok(())
        };
        let cancelled = cancelled.await;
        requestor.finish(cancelled).await
    }

    async fn read(&self, requestor: &mut Requestor) -> Result<Option<DataSet>, ScuError> {
        loop {
            let response = requestor.response(Operation::Find, self.message_id).await?;
            let bytes = requestor.messages.data_set(MAX_IDENTIFIER).await?;
            if StatusClass::of(settle(&response)?) != StatusClass::Pending {
                return Ok(None);
            }
            // A pending response without an identifier says nothing.
            match bytes {
                Some(bytes) if response.has_data_set => {
                    return Ok(Some(DataSet::read(&bytes, &self.transfer_syntax)?));
                }
                Some(_) => {}
                None => return Err(ScuError::Protocol("a match is longer than any identifier")),
            }
        }
    }
}

/// A C-MOVE or C-GET under way.
struct Retrieval {
    operation: Operation,
    message_id: u16,
    context: (u8, Context),
    progress: Progress,
    cancelled: bool,
}

impl Retrieval {
    fn new(operation: Operation, message_id: u16, context: (u8, Context)) -> Self {
        Self { operation, message_id, context, progress: Progress::default(), cancelled: false }
    }

    /// The next command; on the way, the C-CANCEL that `cancel` asks for.
    async fn next(
        &mut self,
        requestor: &mut Requestor,
        mut cancel: std::pin::Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> Result<(u8, CommandSet), UlError> {
        loop {
            tokio::select! {
                biased;
                () = &mut cancel, if !self.cancelled => {
                    self.cancelled = true;
                    requestor.messages.send(self.context.0, &CommandSet::cancel(self.message_id), None).await?;
                }
                next = requestor.next() => return next,
            }
        }
    }

    /// Takes a response; the report when it is the final one.
    async fn take(
        &mut self,
        requestor: &mut Requestor,
        command: &CommandSet,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Option<RetrieveReport>, ScuError> {
        if !command.is_response || command.operation != self.operation || command.message_id != self.message_id {
            return Err(ScuError::Protocol("a response to the retrieval was due"));
        }
        let bytes = requestor.messages.data_set(MAX_IDENTIFIER).await?;
        if let Some(told) = command.progress {
            self.progress = told;
        }
        let code = settle(command)?;
        if StatusClass::of(code) == StatusClass::Pending {
            progress(self.progress);
            return Ok(None);
        }
        let failed = match bytes {
            Some(bytes) => {
                let list = DataSet::read(&bytes, &self.context.1.transfer_syntax)?;
                list.texts(FAILED_SOP_INSTANCE_UID_LIST).iter().filter_map(|uid| uid.parse().ok()).collect()
            }
            None => Vec::new(),
        };
        Ok(Some(RetrieveReport { status: code, progress: self.progress, failed }))
    }
}
