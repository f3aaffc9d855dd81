//! An association that we request: connect, negotiate, ask, release (PS3.8 7.1 - 7.3).

use std::{io, path::PathBuf, time::Duration};

use dicom_ul::Pdu;
use hilum_dicom::{AeTitle, charset::SpecificCharacterSet, matching::QueryOptions};
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    command::{CommandSet, Operation},
    messages::{Incoming, Messages},
    negotiation::{Context, Proposal, read_acceptance, request},
    peers::Peer,
    status::StatusClass,
    transport::{TlsClient, Transport},
    upper_layer::{AbortReason, PduStream, PduType, RawPdu, Side, UlError, protocol_error},
};

/// How we call other application entities.
#[derive(Debug, Clone)]
pub struct ScuConfig {
    /// Our AE title.
    pub ae_title: AeTitle,
    /// A connection, TLS handshake included, must stand within this.
    pub connect_timeout: Duration,
    /// An association must be answered within this.
    pub negotiate_timeout: Duration,
    /// A request must be answered within this, and between two answers no more may pass.
    pub response_timeout: Duration,
    /// A PDU, once begun, must be complete within this, and one of ours taken.
    pub pdu_timeout: Duration,
    /// How peers that speak TLS are called.
    pub tls: Option<TlsClient>,
    /// The character set that identifiers state and are written in; many peers answer in it.
    pub character_set: SpecificCharacterSet,
    /// Where an instance goes while it is received, if it is too long for memory: a file without a name.
    pub spool_folder: PathBuf,
}

impl ScuConfig {
    /// The defaults: 10 s to connect, 30 s to negotiate, 2 min for a response, 30 s a PDU; UTF-8.
    pub fn new(ae_title: AeTitle) -> Self {
        Self {
            ae_title,
            connect_timeout: Duration::from_secs(10),
            negotiate_timeout: Duration::from_secs(30),
            response_timeout: Duration::from_mins(2),
            pdu_timeout: Duration::from_secs(30),
            tls: None,
            character_set: SpecificCharacterSet::utf8(),
            spool_folder: std::env::temp_dir(),
        }
    }
}

/// Why a peer could not be asked, or what it answered instead. Names the act and the reason, never data.
#[derive(Debug, Error)]
pub enum ScuError {
    /// No connection.
    #[error("cannot connect to {peer}: {source}")]
    Connect {
        /// The peer's AE title.
        peer: AeTitle,
        /// What the operating system, or TLS, says.
        source: io::Error,
    },
    /// The peer speaks TLS and nothing is configured for it.
    #[error("{peer} speaks TLS, and no TLS is configured for calling")]
    NoTls {
        /// The peer's AE title.
        peer: AeTitle,
    },
    /// The peer rejected the association.
    #[error("the peer rejected the association {}: {reason}", if *.transient { "for now" } else { "for good" })]
    Rejected {
        /// Trying again later may help.
        transient: bool,
        /// Source and reason in words (PS3.8 Table 9-21).
        reason: &'static str,
    },
    /// The peer aborted the association.
    #[error("the peer aborted the association: {0}")]
    Aborted(String),
    /// Nothing came in time.
    #[error("{act}: nothing came for {limit:?}")]
    TimedOut {
        /// What was waited for.
        act: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The connection ended before the association did.
    #[error("the connection was cut: {0}")]
    Cut(io::Error),
    /// The peer breaks the protocol.
    #[error("the peer breaks the protocol: {0}")]
    Protocol(&'static str),
    /// The peer does not offer the service.
    #[error("the peer does not accept {0}")]
    NotOffered(&'static str),
    /// The model has no such service.
    #[error("a worklist can be queried, not retrieved from")]
    NoSuchService,
    /// The peer answered with a failure.
    #[error("the peer answered with status {code:04X}H")]
    Status {
        /// Status (0000,0900).
        code: u16,
        /// Error Comment (0000,0902): the peer's words, not to be logged.
        comment: String,
    },
    /// The request cannot be written.
    #[error(transparent)]
    DataSet(#[from] hilum_dicom::data_set::DataSetError),
    /// An answer cannot be read.
    #[error("the peer's answer cannot be read: {0}")]
    Answer(#[from] hilum_dicom::HeaderError),
}

impl From<UlError> for ScuError {
    fn from(error: UlError) -> Self {
        match error {
            UlError::HungUp => Self::Cut(io::ErrorKind::UnexpectedEof.into()),
            UlError::Aborted(abortion) => Self::Aborted(abortion.to_string()),
            UlError::TimedOut(limit) => Self::TimedOut { act: "waiting for the peer", limit },
            UlError::TooSlow => Self::Protocol("the peer sends a message too slowly"),
            UlError::StuckWriting(limit) => Self::TimedOut { act: "sending to the peer", limit },
            UlError::Socket(source) => Self::Cut(source),
            UlError::ShuttingDown => Self::Cut(io::ErrorKind::Interrupted.into()),
            UlError::Unreadable => Self::Cut(io::Error::other("what was being sent cannot be read any further")),
            UlError::Protocol { what, .. } => Self::Protocol(what),
        }
    }
}

/// Reason of an A-ASSOCIATE-RJ in words (PS3.8 Table 9-21).
fn rejected(raw: &RawPdu) -> ScuError {
    let at = |index| raw.bytes.get(index).copied().unwrap_or_default();
    let reason = match (at(8), at(9)) {
        (1, 2) => "it does not support the application context",
        (1, 3) => "it does not recognise our AE title",
        (1, 7) => "it is not known by the AE title that we called",
        (2, 2) => "it does not support the protocol version",
        (3, 1) => "it is congested for the moment",
        (3, 2) => "it has no association left",
        (2, _) => "its association service gives no reason",
        (3, _) => "its presentation service gives no reason",
        _ => "it gives no reason",
    };
    ScuError::Rejected { transient: at(7) == 2, reason }
}

/// An association that we requested.
pub(crate) struct Requestor {
    pub(crate) messages: Messages,
    response_timeout: Duration,
}

impl Requestor {
    /// Connects and negotiates.
    pub(crate) async fn open(
        config: &ScuConfig,
        peer: &Peer,
        proposals: &[Proposal],
        options: Option<(&str, QueryOptions)>,
    ) -> Result<Self, ScuError> {
        let tls = match (peer.tls, &config.tls) {
            (false, _) => None,
            (true, Some(tls)) => Some(tls),
            (true, None) => return Err(ScuError::NoTls { peer: peer.ae_title.clone() }),
        };
        let connected = timeout(config.connect_timeout, async {
            let socket = TcpStream::connect((peer.host.as_str(), peer.port)).await?;
            Transport::connect(socket, peer, tls).await
        });
        let transport = connected
            .await
            .map_err(|_| ScuError::TimedOut { act: "connecting", limit: config.connect_timeout })?
            .map_err(|source| ScuError::Connect { peer: peer.ae_title.clone(), source })?;
        let mut stream = PduStream::new(transport, Side::Requestor, config.pdu_timeout);
        stream.write_pdu(&request(&config.ae_title, &peer.ae_title, proposals, options)).await?;
        let limit = config.negotiate_timeout;
        match stream.wait(limit).await {
            Err(UlError::TimedOut(_)) => return Err(ScuError::TimedOut { act: "negotiating", limit }),
            waited => waited?,
        }
        let raw = stream.read().await?;
        match raw.kind {
            PduType::AssociateAc => {
                match read_acceptance(&raw, config.ae_title.clone(), peer.ae_title.clone(), proposals) {
                    Ok(agreement) => {
                        let messages = Messages::new(stream, agreement);
                        Ok(Self { messages, response_timeout: config.response_timeout })
                    }
                    Err(error) => {
                        stream.abort(AbortReason::InvalidParameterValue).await;
                        Err(error.into())
                    }
                }
            }
            PduType::AssociateRj => Err(rejected(&raw)),
            PduType::Abort => Err(UlError::Aborted(raw.abortion()).into()),
            _ => {
                stream.abort(AbortReason::UnexpectedPdu).await;
                Err(ScuError::Protocol("an answer to the association was due"))
            }
        }
    }

    /// The accepted context of an abstract syntax, as `what` names it in an error.
    pub(crate) fn context(&self, abstract_syntax: &str, what: &'static str) -> Result<(u8, Context), ScuError> {
        let mut ids = self.messages.contexts.iter();
        let found = ids.find(|(_, context)| context.abstract_syntax == abstract_syntax);
        found.map(|(id, context)| (*id, context.clone())).ok_or(ScuError::NotOffered(what))
    }

    /// The next command, within the response time limit. A release that the peer asks for is none.
    pub(crate) async fn next(&mut self) -> Result<(u8, CommandSet), UlError> {
        match self.messages.next(self.response_timeout).await? {
            Incoming::Command { context_id, command } => Ok((context_id, command)),
            Incoming::Release => {
                Err(protocol_error(AbortReason::UnexpectedPdu, "the peer released before it had answered"))
            }
        }
    }

    /// The next response to one of our requests.
    pub(crate) async fn response(&mut self, operation: Operation, message_id: u16) -> Result<CommandSet, UlError> {
        let (_, command) = self.next().await?;
        let is_ours = command.is_response && command.operation == operation && command.message_id == message_id;
        if !is_ours || command.status.is_none() {
            return Err(protocol_error(AbortReason::UnexpectedParameter, "another response was due"));
        }
        Ok(command)
    }

    /// A-RELEASE, and its reply; messages that still come are read past. The association is over either way.
    pub(crate) async fn release(self) {
        let mut stream = self.messages.stream;
        let limit = stream.pdu_timeout().min(Duration::from_secs(5));
        let released = timeout(limit, async {
            stream.write_pdu(&Pdu::ReleaseRQ).await?;
            loop {
                match stream.read().await?.kind {
                    PduType::ReleaseRp | PduType::Abort => return Ok(()),
                    // Both sides at once: the requestor answers first (PS3.8 7.2.2).
                    PduType::ReleaseRq => stream.write_pdu(&Pdu::ReleaseRP).await?,
                    _ => {}
                }
            }
        });
        let released: Result<Result<(), UlError>, _> = released.await;
        if !matches!(released, Ok(Ok(()))) {
            tracing::debug!("the association was not released in order");
        }
        stream.close().await;
    }

    /// Releases, or aborts where the protocol was broken or time ran out.
    pub(crate) async fn finish<T>(self, outcome: Result<T, ScuError>) -> Result<T, ScuError> {
        match &outcome {
            Ok(_) | Err(ScuError::Status { .. } | ScuError::NotOffered(_)) => self.release().await,
            Err(ScuError::Cut(_) | ScuError::Aborted(_)) => {}
            Err(_) => self.messages.stream.abort(AbortReason::NotSpecified).await,
        }
        outcome
    }
}

/// The status of a final response that is no failure.
pub(crate) fn settle(response: &CommandSet) -> Result<u16, ScuError> {
    let code = response.status.unwrap_or(0x0110);
    match StatusClass::of(code) {
        StatusClass::Failure => Err(ScuError::Status { code, comment: response.comment.clone() }),
        _ => Ok(code),
    }
}
