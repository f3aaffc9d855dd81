//! DIMSE messages on an established association, for both sides: commands and data sets out of and into PDVs (PS3.7 6.3, PS3.8
//! Annex E).

use std::{
    collections::{HashMap, VecDeque},
    io,
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use hilum_dicom::ObjectBytes;
use tokio::task::spawn_blocking;

use crate::{
    command::{CommandSet, MAX_COMMAND},
    negotiation::{Agreement, Context},
    upper_layer::{AbortReason, PduStream, PduType, Pdv, PdvKind, UlError, protocol_error},
};

/// PDUs are gathered up to this before they are handed to the socket.
const GATHERED: usize = 256 * 1024;

/// A message may take this many times as long as a PDU, and a second for each of these bytes besides: whoever sends tiny PDUs just
/// in time holds an association no longer than that.
const PATIENCE: u32 = 4;
const SLOWEST: u64 = 4096;

/// What comes next on an association.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A command on an accepted presentation context.
    Command { context_id: u8, command: CommandSet },
    /// The peer asks to release.
    Release,
}

/// An established association as a sequence of messages.
pub(crate) struct Messages {
    pub(crate) stream: PduStream,
    pub(crate) contexts: HashMap<u8, Context>,
    /// Longest fragment that the peer takes.
    room: usize,
    /// What is left of the last P-DATA-TF.
    queue: VecDeque<Pdv>,
    /// The fragments of a command set so far, and their presentation context.
    begun: Option<(u8, BytesMut)>,
    /// A data set that a command announced is still to be read.
    data_set_due: Option<u8>,
    last_message_id: u16,
    /// When the message that is coming in began, and how many bytes of it are there.
    coming: Option<(Instant, u64)>,
}

impl Messages {
    pub(crate) fn new(stream: PduStream, agreement: Agreement) -> Self {
        let room = match agreement.peer_max_pdu {
            0 => crate::upper_layer::MAX_PDU as usize,
            limit => limit.clamp(64, crate::upper_layer::MAX_PDU) as usize,
        };
        Self {
            stream,
            contexts: agreement.contexts,
            room: room - 6,
            queue: VecDeque::new(),
            begun: None,
            data_set_due: None,
            last_message_id: 0,
            coming: None,
        }
    }

    /// Nothing of a message is there yet.
    pub(crate) fn is_between(&self) -> bool {
        self.queue.is_empty() && self.begun.is_none() && self.data_set_due.is_none() && !self.stream.has_begun()
    }

    /// Message IDs count from 1 and are never 0.
    pub(crate) fn next_message_id(&mut self) -> u16 {
        self.last_message_id = self.last_message_id.checked_add(1).unwrap_or(1);
        self.last_message_id
    }

    /// The next command, at most `idle` from now. Loses nothing when cancelled.
    pub(crate) async fn next(&mut self, idle: Duration) -> Result<Incoming, UlError> {
        if self.data_set_due.is_some() {
            self.skip_data_set().await?;
        }
        loop {
            while let Some(pdv) = self.queue.pop_front() {
                self.came(pdv.data.len());
                if let Some(incoming) = self.take(pdv)? {
                    self.coming = self.coming.filter(|_| self.data_set_due.is_some());
                    return Ok(incoming);
                }
            }
            if self.fill(idle).await? {
                return Ok(Incoming::Release);
            }
        }
    }

    /// Reads one PDU; true when it asks for release.
    async fn fill(&mut self, idle: Duration) -> Result<bool, UlError> {
        self.in_time()?;
        self.stream.wait(idle).await?;
        let raw = self.stream.read().await?;
        match raw.kind {
            PduType::PData => self.queue.extend(raw.pdvs()?),
            PduType::ReleaseRq if self.begun.is_none() && self.data_set_due.is_none() => return Ok(true),
            PduType::Abort => return Err(UlError::Aborted(raw.abortion())),
            _ => return Err(protocol_error(AbortReason::UnexpectedPdu, "this PDU cannot come here")),
        }
        Ok(false)
    }

    fn in_time(&self) -> Result<(), UlError> {
        let Some((began, bytes)) = self.coming else { return Ok(()) };
        let limit = self.stream.pdu_timeout() * PATIENCE + Duration::from_secs(bytes / SLOWEST);
        if began.elapsed() > limit { Err(UlError::TooSlow) } else { Ok(()) }
    }

    fn came(&mut self, added: usize) {
        let (_, bytes) = self.coming.get_or_insert_with(|| (Instant::now(), 0));
        *bytes += added as u64;
    }

    fn take(&mut self, pdv: Pdv) -> Result<Option<Incoming>, UlError> {
        let Pdv { kind: PdvKind { context_id, is_command, is_last }, data } = pdv;
        let (begun_on, mut bytes) = self.begun.take().unwrap_or_else(|| (context_id, BytesMut::new()));
        if !is_command || begun_on != context_id {
            return Err(protocol_error(AbortReason::UnexpectedParameter, "a command fragment was due"));
        }
        if bytes.len() + data.len() > MAX_COMMAND {
            return Err(protocol_error(AbortReason::InvalidParameterValue, "the command set is too long"));
        }
        bytes.put(data);
        if !is_last {
            self.begun = Some((context_id, bytes));
            return Ok(None);
        }
        if !self.contexts.contains_key(&context_id) {
            let what = "this presentation context was not accepted";
            return Err(protocol_error(AbortReason::InvalidParameterValue, what));
        }
        let command = CommandSet::read(&bytes).map_err(|error| {
            tracing::debug!(%error, "command set refused");
            protocol_error(AbortReason::InvalidParameterValue, "the command set cannot be read")
        })?;
        if command.has_data_set {
            self.data_set_due = Some(context_id);
        }
        Ok(Some(Incoming::Command { context_id, command }))
    }

    /// The next fragment of the data set that the last command announced; `None` after the last one.
    pub(crate) async fn fragment(&mut self) -> Result<Option<Bytes>, UlError> {
        let Some(due) = self.data_set_due else { return Ok(None) };
        loop {
            if let Some(Pdv { kind, data }) = self.queue.pop_front() {
                self.fragment_came(due, kind, data.len())?;
                return Ok(Some(data));
            }
            let limit = self.stream.pdu_timeout();
            self.fill(limit).await?;
        }
    }

    /// The same, appended to `out`, where it comes straight from the socket if its PDU holds nothing else; its length.
    pub(crate) async fn fragment_into(&mut self, out: &mut BytesMut) -> Result<Option<usize>, UlError> {
        let Some(due) = self.data_set_due else { return Ok(None) };
        if self.queue.is_empty() {
            self.in_time()?;
            let before = out.len();
            if let Some(kind) = self.stream.read_straight(out).await? {
                let added = out.len() - before;
                self.fragment_came(due, kind, added)?;
                return Ok(Some(added));
            }
        }
        let fragment = self.fragment().await?;
        Ok(fragment.map(|fragment| {
            out.put_slice(&fragment);
            fragment.len()
        }))
    }

    fn fragment_came(&mut self, due: u8, kind: PdvKind, added: usize) -> Result<(), UlError> {
        self.came(added);
        if kind.is_command || kind.context_id != due {
            return Err(protocol_error(AbortReason::UnexpectedParameter, "a data set fragment was due"));
        }
        if kind.is_last {
            self.data_set_due = None;
            self.coming = None;
        }
        Ok(())
    }

    /// Reads past the data set that the last command announced, if it announced one.
    pub(crate) async fn skip_data_set(&mut self) -> Result<(), UlError> {
        while self.fragment().await?.is_some() {}
        Ok(())
    }

    /// A small data set whole, such as an identifier; `None` when it is longer than `limit`, after reading past it.
    pub(crate) async fn data_set(&mut self, limit: usize) -> Result<Option<BytesMut>, UlError> {
        let mut whole = BytesMut::new();
        let mut fits = true;
        while let Some(fragment) = self.fragment().await? {
            fits &= whole.len() + fragment.len() <= limit;
            if fits {
                whole.put_slice(&fragment);
            }
        }
        Ok(fits.then_some(whole))
    }

    /// Sends a message, in as many fragments as the peer's longest PDU asks for.
    pub(crate) async fn send(
        &mut self,
        context_id: u8,
        command: &CommandSet,
        data_set: Option<&[u8]>,
    ) -> Result<(), UlError> {
        debug_assert_eq!(command.has_data_set, data_set.is_some());
        let mut out = BytesMut::with_capacity(1024);
        self.put(&mut out, context_id, 0b01, &command.write(), true).await?;
        if let Some(data_set) = data_set {
            self.put(&mut out, context_id, 0b00, data_set, true).await?;
        }
        self.stream.write(&out).await
    }

    /// As [`Self::send`], of an object's data set that begins at `from`, which is read while it is sent. The inner error says that it could
    /// not be read; nothing more can be sent on the association then.
    pub(crate) async fn send_object(
        &mut self,
        context_id: u8,
        command: &CommandSet,
        object: &ObjectBytes,
        from: u64,
    ) -> Result<io::Result<()>, UlError> {
        let mut out = BytesMut::with_capacity(1024);
        self.put(&mut out, context_id, 0b01, &command.write(), true).await?;
        let mut left = object.len().saturating_sub(from);
        if left == 0 {
            self.put(&mut out, context_id, 0b00, &[], true).await?;
        }
        let mut pieces = object.pieces(from);
        let by_range = matches!(object, ObjectBytes::ByRange(_));
        while left > 0 {
            let piece = if by_range {
                let read = spawn_blocking(move || (pieces.next(), pieces)).await;
                let Ok((piece, rest)) = read else { return Ok(Err(io::ErrorKind::Other.into())) };
                pieces = rest;
                piece
            } else {
                pieces.next()
            };
            match piece {
                Some(Ok(piece)) => {
                    left -= piece.len() as u64;
                    self.put(&mut out, context_id, 0b00, &piece, left == 0).await?;
                }
                Some(Err(error)) => return Ok(Err(error)),
                None => return Ok(Err(io::ErrorKind::UnexpectedEof.into())),
            }
        }
        self.stream.write(&out).await.map(Ok)
    }

    /// Appends `bytes` as P-DATA-TF PDUs of one PDV each; what is gathered goes out on the way. `ends`: nothing follows them.
    async fn put(
        &mut self,
        out: &mut BytesMut,
        context_id: u8,
        control: u8,
        bytes: &[u8],
        ends: bool,
    ) -> Result<(), UlError> {
        let mut rest = bytes;
        loop {
            let (fragment, after) = rest.split_at(rest.len().min(self.room));
            let last = if ends && after.is_empty() { 0b10 } else { 0b00 };
            out.put_slice(&[0x04, 0]);
            out.put_u32(fragment.len() as u32 + 6);
            out.put_u32(fragment.len() as u32 + 2);
            out.put_u8(context_id);
            out.put_u8(control | last);
            out.put_slice(fragment);
            if out.len() >= GATHERED {
                self.stream.write(out).await?;
                out.clear();
            }
            if after.is_empty() {
                return Ok(());
            }
            rest = after;
        }
    }
}
