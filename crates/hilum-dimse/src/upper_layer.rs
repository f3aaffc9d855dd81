//! PDUs on a socket (PS3.8 9.3), each within a time limit and a size limit.

use std::{fmt, io, time::Duration};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use dicom_ul::{Pdu, pdu};
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::transport::Transport;

/// Longest P-DATA-TF that we receive: length field, without the six bytes of header (PS3.8 D.1).
pub(crate) const MAX_PDU: u32 = 128 * 1024;
/// Longest A-ASSOCIATE-RQ or -AC: 128 presentation contexts with every transfer syntax there is stay far below.
const MAX_ASSOCIATE: u32 = 1024 * 1024;
const HEADER: usize = 6;
/// The header of a P-DATA-TF and that of its first PDV.
const PDV_HEADER: usize = HEADER + 6;
/// Read at a time where it is not known what comes.
const CHUNK: usize = MAX_PDU as usize / 2;

/// Why an association ends before its release.
#[derive(Debug, Error)]
pub(crate) enum UlError {
    #[error("the peer hung up")]
    HungUp,
    #[error("the peer aborted the association: {0}")]
    Aborted(Abortion),
    #[error("nothing came for {0:?}")]
    TimedOut(Duration),
    #[error("the peer sends a message too slowly")]
    TooSlow,
    #[error("the peer does not take our answer within {0:?}")]
    StuckWriting(Duration),
    #[error("socket: {0}")]
    Socket(#[from] io::Error),
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error("what is being sent cannot be read any further")]
    Unreadable,
    #[error("protocol error: {what}")]
    Protocol { what: &'static str, reason: AbortReason },
}

/// Reason/Diag. of an A-ABORT from the service provider (PS3.8 Table 9-26).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AbortReason {
    NotSpecified = 0,
    UnrecognizedPdu = 1,
    UnexpectedPdu = 2,
    UnexpectedParameter = 5,
    InvalidParameterValue = 6,
}

/// Source and reason of a received A-ABORT (PS3.8 9.3.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Abortion {
    source: u8,
    reason: u8,
}

impl fmt::Display for Abortion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.source, self.reason) {
            (0, _) => "by its application, without a reason",
            (2, 1) => "it does not know the PDU",
            (2, 2) => "it did not expect the PDU",
            (2, 4) => "it does not know a parameter of the PDU",
            (2, 5) => "it did not expect a parameter of the PDU",
            (2, 6) => "a parameter of the PDU has a value that it refuses",
            _ => "no reason given",
        })
    }
}

pub(crate) fn protocol_error(reason: AbortReason, what: &'static str) -> UlError {
    UlError::Protocol { what, reason }
}

/// PDU types (PS3.8 9.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PduType {
    AssociateRq,
    AssociateAc,
    AssociateRj,
    PData,
    ReleaseRq,
    ReleaseRp,
    Abort,
}

/// Which side of the association we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Requestor,
    Acceptor,
}

/// One whole PDU; `bytes` includes the header.
pub(crate) struct RawPdu {
    pub(crate) kind: PduType,
    pub(crate) bytes: Bytes,
}

/// One presentation data value (PS3.8 9.3.5.1 and Annex E).
pub(crate) struct Pdv {
    pub(crate) kind: PdvKind,
    pub(crate) data: Bytes,
}

/// What stands before the bytes of a presentation data value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PdvKind {
    pub(crate) context_id: u8,
    pub(crate) is_command: bool,
    pub(crate) is_last: bool,
}

impl PdvKind {
    fn of(context_id: u8, control: u8) -> Self {
        Self { context_id, is_command: control & 1 != 0, is_last: control & 2 != 0 }
    }
}

impl RawPdu {
    /// Who aborted and why, of an A-ABORT.
    pub(crate) fn abortion(&self) -> Abortion {
        let at = |index| self.bytes.get(index).copied().unwrap_or_default();
        Abortion { source: at(8), reason: at(9) }
    }

    /// The presentation data values of a P-DATA-TF; slices of the received bytes, nothing is copied.
    pub(crate) fn pdvs(&self) -> Result<Vec<Pdv>, UlError> {
        let malformed = || protocol_error(AbortReason::InvalidParameterValue, "a PDV's length does not fit its PDU");
        let mut rest = self.bytes.slice(HEADER..);
        let mut pdvs = Vec::with_capacity(1);
        while rest.has_remaining() {
            let length = rest.try_get_u32().map_err(|_| malformed())? as usize;
            if length < 2 || length > rest.len() {
                return Err(malformed());
            }
            let mut item = rest.split_to(length);
            let kind = PdvKind::of(item.get_u8(), item.get_u8());
            pdvs.push(Pdv { kind, data: item });
        }
        Ok(pdvs)
    }
}

/// What bytes come from, and whether it had no more of them the last time.
struct Inlet {
    socket: Transport,
    dry: bool,
}

impl Inlet {
    /// Appends what the socket has, `most` bytes of it. Linux forgets TCP_QUICKACK after a while, so it is set again before every read that
    /// may have to wait: without it Nagle's algorithm on the peer's side and our delayed acknowledgements cost 40 ms an instance.
    async fn receive(&mut self, into: &mut BytesMut, most: usize) -> Result<(), UlError> {
        if self.dry {
            self.socket.acknowledge_at_once()?;
        }
        into.reserve(most);
        let received = self.socket.read_buf(&mut into.limit(most)).await?;
        self.dry = received < most;
        if received == 0 { Err(UlError::HungUp) } else { Ok(()) }
    }
}

/// A socket that speaks whole PDUs.
pub(crate) struct PduStream {
    inlet: Inlet,
    side: Side,
    inbound: BytesMut,
    /// A whole PDU, once begun, must arrive within this; an answer must be taken within this.
    pdu_timeout: Duration,
}

impl PduStream {
    pub(crate) fn new(socket: Transport, side: Side, pdu_timeout: Duration) -> Self {
        Self { inlet: Inlet { socket, dry: true }, side, inbound: BytesMut::new(), pdu_timeout }
    }

    /// The certificate of the other side, on TLS.
    pub(crate) fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.inlet.socket.peer_certificate()
    }

    pub(crate) fn pdu_timeout(&self) -> Duration {
        self.pdu_timeout
    }

    /// True when the peer has begun a PDU that is not complete yet.
    pub(crate) fn has_begun(&self) -> bool {
        !self.inbound.is_empty()
    }

    /// Waits until the first byte of the next PDU is there, at most `idle`. Loses nothing when cancelled.
    pub(crate) async fn wait(&mut self, idle: Duration) -> Result<(), UlError> {
        if self.inbound.is_empty() {
            timeout(idle, self.fill(CHUNK)).await.map_err(|_| UlError::TimedOut(idle))??;
        }
        Ok(())
    }

    /// The next whole PDU. A length that lies is refused before anything is allocated for it.
    pub(crate) async fn read(&mut self) -> Result<RawPdu, UlError> {
        let limit = self.pdu_timeout;
        timeout(limit, self.read_whole()).await.map_err(|_| UlError::TimedOut(limit))?
    }

    async fn read_whole(&mut self) -> Result<RawPdu, UlError> {
        while self.inbound.len() < HEADER {
            self.fill(CHUNK).await?;
        }
        let length = u32::from_be_bytes([self.inbound[2], self.inbound[3], self.inbound[4], self.inbound[5]]);
        let (kind, limit) = match (self.inbound[0], self.side) {
            (0x01, Side::Acceptor) => (PduType::AssociateRq, MAX_ASSOCIATE),
            (0x02, Side::Requestor) => (PduType::AssociateAc, MAX_ASSOCIATE),
            (0x03, Side::Requestor) => (PduType::AssociateRj, 4),
            (0x04, _) => (PduType::PData, MAX_PDU),
            (0x05, _) => (PduType::ReleaseRq, 4),
            (0x06, Side::Requestor) => (PduType::ReleaseRp, 4),
            (0x07, _) => (PduType::Abort, 4),
            (0x01..=0x03 | 0x06, _) => {
                return Err(protocol_error(AbortReason::UnexpectedPdu, "a PDU that only the other side sends"));
            }
            _ => return Err(protocol_error(AbortReason::UnrecognizedPdu, "this is not a DICOM PDU")),
        };
        if length > limit {
            return Err(protocol_error(AbortReason::InvalidParameterValue, "a PDU longer than negotiated"));
        }
        let whole = HEADER + length as usize;
        while self.inbound.len() < whole {
            self.fill(CHUNK).await?;
        }
        Ok(RawPdu { kind, bytes: self.inbound.split_to(whole).freeze() })
    }

    /// Appends the one PDV of the next PDU to `out`, straight from the socket; `None` where the next PDU is of another kind, which is
    /// still to be [read](Self::read). When it fails, `out` may have a part of it.
    pub(crate) async fn read_straight(&mut self, out: &mut BytesMut) -> Result<Option<PdvKind>, UlError> {
        let limit = self.pdu_timeout;
        if self.inbound.is_empty() {
            timeout(limit, self.fill(PDV_HEADER)).await.map_err(|_| UlError::TimedOut(limit))??;
        }
        timeout(limit, self.read_straight_whole(out)).await.map_err(|_| UlError::TimedOut(limit))?
    }

    async fn read_straight_whole(&mut self, out: &mut BytesMut) -> Result<Option<PdvKind>, UlError> {
        while self.inbound.len() < HEADER {
            self.fill(PDV_HEADER - self.inbound.len()).await?;
        }
        let Some(&[0x04, _, ref length @ ..]) = self.inbound.first_chunk::<HEADER>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length);
        if !(HEADER as u32..=MAX_PDU).contains(&length) {
            return Ok(None);
        }
        while self.inbound.len() < PDV_HEADER {
            self.fill(PDV_HEADER - self.inbound.len()).await?;
        }
        let mut rest = &self.inbound[HEADER..PDV_HEADER];
        if rest.get_u32() != length - 4 {
            return Ok(None);
        }
        let kind = PdvKind::of(rest.get_u8(), rest.get_u8());
        self.inbound.advance(PDV_HEADER);
        let end = out.len() + length as usize - HEADER;
        let there = self.inbound.len().min(end - out.len());
        out.put_slice(&self.inbound.split_to(there));
        while out.len() < end {
            // What begins the PDU behind it comes along.
            let room = end - out.len() + PDV_HEADER;
            self.inlet.receive(out, room).await?;
        }
        if let Some(behind) = out.get(end..) {
            self.inbound.put_slice(behind);
        }
        out.truncate(end);
        Ok(Some(kind))
    }

    async fn fill(&mut self, most: usize) -> Result<(), UlError> {
        self.inlet.receive(&mut self.inbound, most).await
    }

    /// Sends bytes that are already PDUs.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), UlError> {
        let limit = self.pdu_timeout;
        timeout(limit, async {
            self.inlet.socket.write_all(bytes).await?;
            // TLS keeps what it has encrypted until it is told.
            self.inlet.socket.flush().await
        })
        .await
        .map_err(|_| UlError::StuckWriting(limit))??;
        Ok(())
    }

    /// Sends one PDU.
    pub(crate) async fn write_pdu(&mut self, pdu: &Pdu) -> Result<(), UlError> {
        let mut bytes = Vec::new();
        pdu::write_pdu(&mut bytes, pdu).map_err(io::Error::other)?;
        self.write(&bytes).await
    }

    /// A-ABORT from the service provider, then a short while in which the peer may read it and close (PS3.8 9.2, Sta13).
    /// The peer may be gone already, which is what an abort is for.
    pub(crate) async fn abort(mut self, reason: AbortReason) {
        let pdu = [0x07, 0, 0, 0, 0, 4, 0, 0, 2, reason as u8];
        if self.write(&pdu).await.is_ok() {
            self.close().await;
        }
    }

    /// Half-closes and drains, so that the peer reads our last PDU instead of a reset connection; at most two seconds.
    pub(crate) async fn close(mut self) {
        let drained = timeout(Duration::from_secs(2), async {
            self.inlet.socket.shutdown().await?;
            loop {
                self.inbound.clear();
                if self.inlet.socket.read_buf(&mut self.inbound).await? == 0 {
                    return io::Result::Ok(());
                }
            }
        })
        .await;
        if !matches!(drained, Ok(Ok(()))) {
            tracing::debug!("the peer did not close its side in time");
        }
    }
}
