//! One association that a peer requested, from its request to its release.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use hilum_dicom::matching::QueryOptions;
use tokio::{net::TcpStream, sync::watch, time::timeout};

use crate::{
    command::{CommandSet, Operation},
    commitment::{self, Pending},
    find, get,
    messages::{Incoming, Messages},
    movement,
    negotiation::{Agreement, Context, Negotiated, calling_ae, local_limit_exceeded, negotiate, read_request},
    peers::RefusedCaller,
    places::{AtTheDoor, Place, Places},
    query::{InformationModel, MAX_IDENTIFIER},
    receive::{Limits, Receiver},
    server::ScpConfig,
    service::{Caller, CommitmentResult, Services},
    sop_class::{STORAGE_COMMITMENT, VERIFICATION},
    status::Status,
    transport::Transport,
    upper_layer::{AbortReason, PduStream, PduType, Side, UlError, protocol_error},
};

/// What all associations of a server share.
pub(crate) struct Shared {
    pub(crate) config: ScpConfig,
    pub(crate) services: Services,
    pub(crate) places: Arc<Places>,
    /// Bytes of data sets that are being received now, all associations together.
    pub(crate) in_flight: AtomicU64,
}

/// Serves one connection until its end; every end is logged here, none is an error of the server. `seat` is where it stands before its
/// association is accepted.
pub(crate) async fn serve(
    socket: TcpStream,
    remote: IpAddr,
    shared: Arc<Shared>,
    shutdown: watch::Receiver<bool>,
    mut seat: AtTheDoor,
) {
    let entered = tokio::select! {
        biased;
        entered = enter(socket, remote, &shared) => entered,
        () = seat.sent_away() => return tracing::info!(%remote, "a connection without an association made room for another one"),
    };
    drop(seat);
    let Some((stream, agreement, place)) = entered else { return };
    let caller = Caller {
        calling_ae: agreement.calling_ae.clone(),
        called_ae: agreement.called_ae.clone(),
        address: Some(remote.to_canonical()),
    };
    let query_options = agreement.query_options.clone();
    let mut association = Association {
        messages: Messages::new(stream, agreement),
        caller,
        query_options: &query_options,
        shared: &shared,
        shutdown,
        commitments: FuturesUnordered::new(),
        reports: HashMap::new(),
    };
    let ended = association.run().await;
    let Association { messages, caller, commitments, .. } = association;
    match ended {
        Ok(()) => messages.stream.close().await,
        Err(error) => end(messages.stream, error).await,
    }
    // Looking after instances takes no association.
    drop(place);
    if !commitments.is_empty() {
        commitment::report_later(commitments, &caller, &shared).await;
    }
}

/// From the connection to an accepted association; `None` where there is none, which the caller was told.
async fn enter(socket: TcpStream, remote: IpAddr, shared: &Shared) -> Option<(PduStream, Agreement, Place)> {
    let config = &shared.config;
    // The TLS handshake is part of what must come in time.
    let transport = match timeout(config.pdu_timeout, Transport::accept(socket, config.tls.as_ref())).await {
        Ok(Ok(transport)) => transport,
        Ok(Err(error)) => {
            tracing::debug!(%error, "connection lost before the association");
            return None;
        }
        Err(_) => {
            tracing::debug!("no TLS handshake in time");
            return None;
        }
    };
    let mut stream = PduStream::new(transport, Side::Acceptor, config.pdu_timeout);
    match establish(&mut stream, remote, shared).await {
        Ok(Some((agreement, place))) => return Some((stream, agreement, place)),
        Ok(None) => stream.close().await,
        Err(error) => end(stream, error).await,
    }
    None
}

async fn end(stream: PduStream, error: UlError) {
    tracing::info!(%error, "association ended without release");
    match error {
        UlError::HungUp | UlError::Aborted(_) | UlError::Socket(_) | UlError::StuckWriting(_) => {}
        UlError::TimedOut(_) | UlError::TooSlow | UlError::ShuttingDown | UlError::Unreadable => {
            stream.abort(AbortReason::NotSpecified).await;
        }
        UlError::Protocol { reason, .. } => stream.abort(reason).await,
    }
}

async fn establish(
    stream: &mut PduStream,
    remote: IpAddr,
    shared: &Shared,
) -> Result<Option<(Agreement, Place)>, UlError> {
    stream.wait(shared.config.pdu_timeout).await?;
    let raw = stream.read().await?;
    if raw.kind == PduType::Abort {
        return Err(UlError::Aborted(raw.abortion()));
    }
    if raw.kind != PduType::AssociateRq {
        return Err(protocol_error(AbortReason::UnexpectedPdu, "an association starts with an A-ASSOCIATE-RQ"));
    }
    let request = read_request(&raw)?;
    let allowed = match calling_ae(&request) {
        Some(title) => {
            let recognised = shared.config.callers.recognise(&title, remote, stream.peer_certificate()).await;
            if let Err(why) = recognised {
                tracing::warn!(calling_ae = %title, %remote, %why, "caller not recognised");
                note_refusal(&shared.config, RefusedCaller { calling_ae: title, address: remote, why }).await;
            }
            recognised.ok()
        }
        None => None,
    };
    match negotiate(request, &shared.config, &shared.services, allowed)? {
        Negotiated::Accepted(agreement, ac) => {
            let Ok(place) = shared.places.take(&agreement.calling_ae) else {
                tracing::warn!(calling_ae = %agreement.calling_ae, "no association left for this caller");
                stream.write_pdu(&local_limit_exceeded()).await?;
                return Ok(None);
            };
            stream.write_pdu(&ac).await?;
            tracing::info!(calling_ae = %agreement.calling_ae, contexts = agreement.contexts.len(), "association accepted");
            Ok(Some((agreement, place)))
        }
        Negotiated::Rejected(rj) => {
            stream.write_pdu(&rj).await?;
            tracing::info!("association rejected");
            Ok(None)
        }
    }
}

/// Tells who wants to know; whoever does not listen in time does not keep the association for ever.
async fn note_refusal(config: &ScpConfig, refused: RefusedCaller) {
    let Some(listener) = &config.refused else { return };
    if timeout(config.pdu_timeout, listener.send(refused)).await.is_err() {
        tracing::error!("nobody took note of a caller that was refused");
    }
}

/// An association being served.
pub(crate) struct Association<'a> {
    pub(crate) messages: Messages,
    pub(crate) caller: Caller,
    query_options: &'a HashMap<String, QueryOptions>,
    pub(crate) shared: &'a Shared,
    pub(crate) shutdown: watch::Receiver<bool>,
    /// Commitments that are being looked after, to be reported here while the association lasts.
    pub(crate) commitments: FuturesUnordered<Pending>,
    /// Transactions whose results were reported here and not yet answered, by message ID.
    pub(crate) reports: HashMap<u16, String>,
}

/// Done when the server stops. Loses nothing when cancelled.
pub(crate) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    drop(shutdown.wait_for(|asked| *asked).await);
}

/// What an association waits for between two requests.
enum Next {
    Incoming(Incoming),
    Shutdown,
    Committed(CommitmentResult),
}

impl Association<'_> {
    async fn run(&mut self) -> Result<(), UlError> {
        let shared = self.shared;
        let config = &shared.config;
        let limits = Limits {
            instance_bytes: config.max_instance_bytes,
            bytes_in_flight: config.max_bytes_in_flight,
            spool_folder: config.calling.spool_folder.clone(),
        };
        let mut receiver = Receiver::new(&shared.in_flight, limits);
        loop {
            if self.messages.is_between() && *self.shutdown.borrow() {
                return Err(UlError::ShuttingDown);
            }
            // A shutdown waits for a message that has begun.
            let begun = !self.messages.is_between();
            let next = tokio::select! {
                biased;
                incoming = self.messages.next(config.idle_timeout) => Next::Incoming(incoming?),
                () = stopped(&mut self.shutdown), if !begun => Next::Shutdown,
                Some(result) = self.commitments.next() => Next::Committed(result),
            };
            match next {
                Next::Incoming(Incoming::Release) => {
                    return self.messages.stream.write_pdu(&dicom_ul::Pdu::ReleaseRP).await;
                }
                Next::Incoming(Incoming::Command { context_id, command }) => {
                    self.dispatch(context_id, command, &mut receiver).await?;
                }
                Next::Shutdown => {}
                Next::Committed(result) => self.report(result).await?,
            }
        }
    }

    async fn dispatch(
        &mut self,
        context_id: u8,
        command: CommandSet,
        receiver: &mut Receiver<'_>,
    ) -> Result<(), UlError> {
        let context = self.context(context_id)?;
        if command.is_response {
            // Responses to our N-EVENT-REPORTs; nothing else is asked here outside a sub-operation.
            if command.operation == Operation::EventReport && context.abstract_syntax == STORAGE_COMMITMENT {
                self.heard(&command);
                return self.messages.skip_data_set().await;
            }
            let what = "a response came where only requests can come";
            return Err(protocol_error(AbortReason::InvalidParameterValue, what));
        }
        let services = &self.shared.services;
        let model = InformationModel::of_sop_class(&context.abstract_syntax);
        let is_commitment = context.abstract_syntax == STORAGE_COMMITMENT;
        let status = match (command.operation, model) {
            // Too late: what it cancels is done.
            (Operation::Cancel, _) => return self.messages.skip_data_set().await,
            (Operation::Echo, _) if context.abstract_syntax == VERIFICATION => Status::SUCCESS,
            (Operation::Store, None) if context.abstract_syntax != VERIFICATION && !is_commitment => {
                match &services.store {
                    Some(handler) if context.roles.scu => {
                        let handler = Arc::clone(handler);
                        receiver.store(&mut self.messages, &context, &command, &self.caller, &*handler).await?
                    }
                    _ => Status::UNRECOGNIZED_OPERATION,
                }
            }
            (Operation::Echo | Operation::Store, _) => Status::SOP_CLASS_NOT_SUPPORTED,
            (Operation::Find, Some((model, Operation::Find))) => {
                let options = self.query_options.get(&context.abstract_syntax).copied().unwrap_or_default();
                return find::serve(self, context_id, &command, model, options).await;
            }
            (Operation::Move, Some((model, Operation::Move))) => {
                return movement::serve(self, context_id, &command, model).await;
            }
            (Operation::Get, Some((model, Operation::Get))) => {
                return get::serve(self, context_id, &command, model).await;
            }
            (Operation::Action, None) if is_commitment && context.roles.scu => {
                return commitment::serve_action(self, context_id, &command).await;
            }
            (Operation::EventReport, None) if is_commitment && context.roles.scp => {
                return commitment::serve_report(self, context_id, &command).await;
            }
            _ => Status::UNRECOGNIZED_OPERATION,
        };
        self.messages.skip_data_set().await?;
        self.answer(context_id, &command, status).await
    }

    pub(crate) fn context(&self, context_id: u8) -> Result<Context, UlError> {
        self.messages.contexts.get(&context_id).cloned().ok_or_else(|| {
            protocol_error(AbortReason::InvalidParameterValue, "this presentation context was not accepted")
        })
    }

    /// Sends a response without a data set.
    pub(crate) async fn answer(&mut self, context_id: u8, request: &CommandSet, status: Status) -> Result<(), UlError> {
        self.messages.send(context_id, &request.response(status), None).await
    }

    /// The identifier of a request; `None` when there is none or it is too long.
    pub(crate) async fn identifier(&mut self, command: &CommandSet) -> Result<Option<bytes::BytesMut>, UlError> {
        let identifier = self.messages.data_set(MAX_IDENTIFIER).await?;
        Ok(identifier.filter(|_| command.has_data_set))
    }

    /// Waits for a C-CANCEL of the request, as long as the request is served. Other requests cannot come in between, as the
    /// asynchronous operations window is 1 (PS3.7 D.3.3.3). Loses nothing when cancelled.
    pub(crate) async fn cancelled(&mut self, message_id: u16) -> Result<(), UlError> {
        // The peer waits for us now: its silence has no limit but ours.
        const NO_LIMIT: Duration = Duration::from_hours(24);
        loop {
            match self.messages.next(NO_LIMIT).await? {
                Incoming::Command { command, .. } if command.operation == Operation::Cancel => {
                    if command.message_id == message_id {
                        return Ok(());
                    }
                }
                Incoming::Command { command, .. }
                    if command.is_response && command.operation == Operation::EventReport =>
                {
                    self.heard(&command);
                }
                Incoming::Command { .. } | Incoming::Release => {
                    let what = "a request came while another one is being served";
                    return Err(protocol_error(AbortReason::UnexpectedParameter, what));
                }
            }
        }
    }
}
