//! One association, from its request to its release.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use hilum_dicom::{SopClassUid, SopUid};
use tokio::{net::TcpStream, sync::watch};

use crate::{
    command::{MAX_COMMAND, Operation, Request},
    negotiation::{Agreement, Context, Negotiated, local_limit_exceeded, negotiate, read_request},
    part10::{Meta, put_meta},
    server::ScpConfig,
    service::{ReceivedInstance, StoreHandler},
    sop_class::VERIFICATION,
    status::Status,
    upper_layer::{AbortReason, PduStream, PduType, Pdv, UlError, protocol_error},
};

/// A buffer above this is given back after its instance, so that one huge instance does not stay allocated.
const KEPT_BUFFER: usize = 64 * 1024 * 1024;

/// What all associations of a server share.
pub(crate) struct Shared {
    pub(crate) config: ScpConfig,
    pub(crate) handler: Arc<dyn StoreHandler>,
    /// Bytes of data sets that are being received now, all associations together.
    pub(crate) in_flight: AtomicU64,
}

/// Serves one connection until its end; every end is logged here, none is an error of the server.
pub(crate) async fn serve(socket: TcpStream, shared: Arc<Shared>, shutdown: watch::Receiver<bool>) {
    let mut stream = match PduStream::new(socket, shared.config.pdu_timeout) {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%error, "connection lost before the association"),
    };
    let ended = match establish(&mut stream, &shared).await {
        Ok(Some(agreement)) => Association::new(&mut stream, agreement, &shared, shutdown).run().await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    match ended {
        Ok(()) => stream.close().await,
        Err(error) => {
            tracing::info!(%error, "association ended without release");
            match error {
                UlError::HungUp | UlError::Aborted | UlError::Socket(_) | UlError::StuckWriting(_) => {}
                UlError::TimedOut(_) | UlError::ShuttingDown => stream.abort(AbortReason::NotSpecified).await,
                UlError::Protocol { reason, .. } => stream.abort(reason).await,
            }
        }
    }
}

/// Tells a connection above the limit to come back later.
pub(crate) async fn refuse(socket: TcpStream, pdu_timeout: Duration) {
    let refused = async {
        let mut stream = PduStream::new(socket, pdu_timeout)?;
        stream.wait(pdu_timeout).await?;
        stream.read().await?;
        stream.write_pdu(&local_limit_exceeded()).await?;
        stream.close().await;
        Ok::<_, UlError>(())
    };
    if let Err(error) = refused.await {
        tracing::debug!(%error, "connection above the limit went away");
    }
}

async fn establish(stream: &mut PduStream, shared: &Shared) -> Result<Option<Agreement>, UlError> {
    stream.wait(shared.config.pdu_timeout).await?;
    let raw = stream.read().await?;
    if raw.kind == PduType::Abort {
        return Err(UlError::Aborted);
    }
    if raw.kind != PduType::AssociateRq {
        return Err(protocol_error(AbortReason::UnexpectedPdu, "an association starts with an A-ASSOCIATE-RQ"));
    }
    match negotiate(read_request(&raw)?, &shared.config)? {
        Negotiated::Accepted(agreement, ac) => {
            stream.write_pdu(&ac).await?;
            tracing::info!(calling_ae = %agreement.calling_ae, contexts = agreement.contexts.len(), "association accepted");
            Ok(Some(agreement))
        }
        Negotiated::Rejected(rj) => {
            stream.write_pdu(&rj).await?;
            tracing::info!("association rejected");
            Ok(None)
        }
    }
}

/// Where in a message the association is.
enum Expecting {
    /// The fragments of a command set so far.
    Command { context_id: u8, bytes: BytesMut },
    /// The data set of a request.
    DataSet { context_id: u8, request: Request, target: Target },
}

/// What happens to the data set being received.
enum Target {
    /// It is appended to the association's buffer.
    Keep { sop_class: SopClassUid, sop: SopUid, data_set_offset: usize },
    /// It is read past, then the status is told.
    Discard(Status),
}

struct Association<'a> {
    stream: &'a mut PduStream,
    agreement: Agreement,
    shared: &'a Shared,
    shutdown: watch::Receiver<bool>,
    expecting: Expecting,
    /// File meta information and the data set received so far; the one buffer of this association.
    buffer: BytesMut,
    /// This association's part of `Shared::in_flight`.
    counted: u64,
}

impl Drop for Association<'_> {
    fn drop(&mut self) {
        self.uncount();
    }
}

impl<'a> Association<'a> {
    fn new(
        stream: &'a mut PduStream,
        agreement: Agreement,
        shared: &'a Shared,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        let expecting = Expecting::Command { context_id: 0, bytes: BytesMut::new() };
        Self { stream, agreement, shared, shutdown, expecting, buffer: BytesMut::new(), counted: 0 }
    }

    async fn run(mut self) -> Result<(), UlError> {
        loop {
            if self.between_messages() {
                if *self.shutdown.borrow() {
                    return Err(UlError::ShuttingDown);
                }
                tokio::select! {
                    _ = self.shutdown.wait_for(|asked| *asked) => return Err(UlError::ShuttingDown),
                    ready = self.stream.wait(self.shared.config.idle_timeout) => ready?,
                }
            }
            let raw = self.stream.read().await?;
            match raw.kind {
                PduType::PData => {
                    for pdv in raw.pdvs()? {
                        self.take(pdv).await?;
                    }
                }
                PduType::ReleaseRq if self.between_messages() => {
                    return self.stream.write_pdu(&dicom_ul::Pdu::ReleaseRP).await;
                }
                PduType::Abort => return Err(UlError::Aborted),
                PduType::ReleaseRq | PduType::AssociateRq => {
                    return Err(protocol_error(AbortReason::UnexpectedPdu, "this PDU cannot come here"));
                }
            }
        }
    }

    fn between_messages(&self) -> bool {
        matches!(&self.expecting, Expecting::Command { bytes, .. } if bytes.is_empty()) && !self.stream.has_begun()
    }

    async fn take(&mut self, pdv: Pdv) -> Result<(), UlError> {
        match &mut self.expecting {
            Expecting::Command { context_id, bytes } => {
                if !pdv.is_command || (!bytes.is_empty() && *context_id != pdv.context_id) {
                    return Err(protocol_error(AbortReason::UnexpectedParameter, "a command fragment was due"));
                }
                if bytes.len() + pdv.data.len() > MAX_COMMAND {
                    return Err(protocol_error(AbortReason::InvalidParameterValue, "the command set is too long"));
                }
                bytes.put(pdv.data);
                *context_id = pdv.context_id;
                if pdv.is_last {
                    let whole = bytes.split().freeze();
                    self.begin(pdv.context_id, &whole).await?;
                }
                Ok(())
            }
            Expecting::DataSet { context_id, .. } => {
                if pdv.is_command || *context_id != pdv.context_id {
                    return Err(protocol_error(AbortReason::UnexpectedParameter, "a data set fragment was due"));
                }
                self.append(&pdv.data);
                if pdv.is_last { self.finish().await } else { Ok(()) }
            }
        }
    }

    /// A whole command set is there.
    async fn begin(&mut self, context_id: u8, bytes: &Bytes) -> Result<(), UlError> {
        let Some(context) = self.agreement.contexts.get(&context_id).cloned() else {
            return Err(protocol_error(
                AbortReason::InvalidParameterValue,
                "this presentation context was not accepted",
            ));
        };
        let request = Request::read(bytes).map_err(|error| {
            tracing::debug!(%error, "command set refused");
            protocol_error(AbortReason::InvalidParameterValue, "the command set cannot be read")
        })?;
        let target = match request.operation {
            Operation::Cancel => return Ok(()),
            Operation::Echo if context.abstract_syntax == VERIFICATION => Target::Discard(Status::SUCCESS),
            Operation::Echo => Target::Discard(Status::SOP_CLASS_NOT_SUPPORTED),
            Operation::Other => Target::Discard(Status::UNRECOGNIZED_OPERATION),
            Operation::Store => self.begin_store(&request, &context),
        };
        if request.has_data_set {
            self.expecting = Expecting::DataSet { context_id, request, target };
            return Ok(());
        }
        let status = match target {
            Target::Discard(status) => status,
            Target::Keep { .. } => Status::MISTYPED_ARGUMENT,
        };
        self.answer(context_id, &request, status).await
    }

    fn begin_store(&mut self, request: &Request, context: &Context) -> Target {
        if context.abstract_syntax == VERIFICATION || request.sop_class != context.abstract_syntax {
            return Target::Discard(Status::SOP_CLASS_NOT_SUPPORTED);
        }
        let (Ok(sop_class), Ok(sop)) = (request.sop_class.parse::<SopClassUid>(), request.sop.parse::<SopUid>()) else {
            return Target::Discard(Status::INVALID_SOP_INSTANCE);
        };
        self.buffer.clear();
        put_meta(
            &mut self.buffer,
            &Meta {
                sop_class: &request.sop_class,
                sop: &request.sop,
                transfer_syntax: context.transfer_syntax.as_ref(),
                calling_ae: self.agreement.calling_ae.as_ref(),
                called_ae: self.agreement.called_ae.as_ref(),
            },
        );
        Target::Keep { sop_class, sop, data_set_offset: self.buffer.len() }
    }

    fn append(&mut self, data: &Bytes) {
        let Expecting::DataSet { target: target @ Target::Keep { .. }, .. } = &mut self.expecting else { return };
        let added = data.len() as u64;
        let config = &self.shared.config;
        let all = self.shared.in_flight.fetch_add(added, Ordering::Relaxed) + added;
        self.counted += added;
        if self.counted > config.max_instance_bytes || all > config.max_bytes_in_flight {
            *target = Target::Discard(Status::TOO_LARGE);
            self.buffer = BytesMut::new();
            self.uncount();
        } else {
            self.buffer.put_slice(data);
        }
    }

    /// The last fragment of a data set is there.
    async fn finish(&mut self) -> Result<(), UlError> {
        let idle = Expecting::Command { context_id: 0, bytes: BytesMut::new() };
        let Expecting::DataSet { context_id, request, target } = std::mem::replace(&mut self.expecting, idle) else {
            return Ok(());
        };
        let status = match target {
            Target::Discard(status) => status,
            Target::Keep { sop_class, sop, data_set_offset } => {
                self.store(context_id, sop_class, sop, data_set_offset).await?
            }
        };
        self.answer(context_id, &request, status).await
    }

    async fn store(
        &mut self,
        context_id: u8,
        sop_class: SopClassUid,
        sop: SopUid,
        data_set_offset: usize,
    ) -> Result<Status, UlError> {
        let Some(context) = self.agreement.contexts.get(&context_id) else {
            return Err(protocol_error(
                AbortReason::InvalidParameterValue,
                "this presentation context was not accepted",
            ));
        };
        let instance = ReceivedInstance {
            calling_ae: self.agreement.calling_ae.clone(),
            called_ae: self.agreement.called_ae.clone(),
            sop_class,
            sop,
            transfer_syntax: context.transfer_syntax.clone(),
            part10: self.buffer.split().freeze(),
            data_set_offset,
        };
        let size = instance.part10.len();
        let outcome = self.shared.handler.store(instance).await;
        self.uncount();
        // The handler has dropped its bytes, so the next instance is received into the same allocation.
        if size > KEPT_BUFFER {
            self.buffer = BytesMut::new();
        } else {
            self.buffer.reserve(size);
        }
        Ok(Status::from(outcome))
    }

    fn uncount(&mut self) {
        self.shared.in_flight.fetch_sub(self.counted, Ordering::Relaxed);
        self.counted = 0;
    }

    /// Sends a response, in as many fragments as the peer's longest PDU asks for.
    async fn answer(&mut self, context_id: u8, request: &Request, status: Status) -> Result<(), UlError> {
        let command = request.response(status);
        let room = match self.agreement.peer_max_pdu {
            0 => command.len(),
            limit => (limit.max(64) - 6) as usize,
        };
        let mut out = BytesMut::with_capacity(command.len() + 64);
        let last = command.chunks(room).count() - 1;
        for (index, fragment) in command.chunks(room).enumerate() {
            out.put_slice(&[0x04, 0]);
            out.put_u32(fragment.len() as u32 + 6);
            out.put_u32(fragment.len() as u32 + 2);
            out.put_u8(context_id);
            out.put_u8(if index == last { 0b11 } else { 0b01 });
            out.put_slice(fragment);
        }
        self.stream.write(&out).await
    }
}
