//! Takes HL7 v2 messages over MLLP: what they tell of patients is durable before it is acknowledged. Known senders alone are listened to.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use chrono::Local;
use hilum_dimse::{Duplex, TlsServer};
use hilum_emr::{
    facts,
    hl7::{self, CharacterSet, Framer, ImagingOrder, Message, Refused, acknowledgment, framed},
};
use hilum_engine::{
    Actor, EngineError, InstitutionCode, Permission, Scope,
    audit::{Action, AuditEvent, Detail},
    deliveries::DestinationName,
    patient_facts::{NewFact, PatientFacts, PatientNumber, WithdrawnFact},
    worklist::Order,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use super::Emr;
use crate::settings::Sender;

/// Longest message taken: results with a document in them.
const LONGEST_MESSAGE: usize = 16 * 1024 * 1024;
/// Connections at the same time; a hospital's interface engine holds a few.
const MOST_CONNECTIONS: usize = 32;
/// A connection of a known sender on which nothing comes is closed after this; senders connect again.
const IDLE: Duration = Duration::from_mins(30);
/// A message ends within this from its first byte on; so does an answer, and the time until a connection's first message is whole.
const SLOW: Duration = Duration::from_mins(1);
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A socket that listens, with nothing taken yet.
pub struct Listener {
    emr: Arc<Emr>,
    socket: TcpListener,
    tls: Option<TlsServer>,
}

impl Listener {
    /// Listens where that is configured.
    pub async fn bind(emr: &Arc<Emr>) -> anyhow::Result<Option<Self>> {
        let Some(address) = emr.settings.listen else { return Ok(None) };
        let socket = TcpListener::bind(address).await.with_context(|| format!("emr: listen = \"{address}\""))?;
        let tls = emr.tls_server.clone().filter(|_| emr.settings.listen_tls);
        Ok(Some(Self { emr: Arc::clone(emr), socket, tls }))
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Takes messages until `shutdown` is done. One that was not acknowledged comes again.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) {
        let mut tasks = JoinSet::new();
        tokio::select! {
            () = self.accept(&mut tasks) => {}
            () = shutdown => {}
        }
        tasks.shutdown().await;
    }

    async fn accept(&self, tasks: &mut JoinSet<()>) {
        let turns = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            while tasks.try_join_next().is_some() {}
            let (socket, address) = match self.socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(kind = %error.kind(), "an MLLP connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(turn) = Arc::clone(&turns).try_acquire_owned() else {
                tracing::warn!("there are as many MLLP connections as are taken; one more was closed");
                continue;
            };
            let (emr, tls) = (Arc::clone(&self.emr), self.tls.clone());
            tasks.spawn(async move {
                // Not before: who calls meanwhile would wait for the trail.
                if !emr.is_expected(address) {
                    tracing::warn!("an MLLP connection came from an address of no sender, and was closed");
                    return emr.note_stranger(address).await;
                }
                if let Err(error) = emr.converse(socket, address, tls.as_ref()).await {
                    tracing::info!(kind = %error.kind(), "an MLLP connection ended early");
                }
                drop(turn);
            });
        }
    }
}

/// Kind of a message as it may stand in a log: codes of HL7 tables 0076 and 0003, and nothing else that somebody may have written there.
fn kind_of(header: &Message) -> Option<String> {
    let (code, event) = header.kind();
    let is_code =
        |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    (is_code(code) && (event.is_empty() || is_code(event))).then(|| format!("{code}^{event}"))
}

fn late() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

/// What goes back, and whether a known sender is answered.
struct Answer {
    bytes: Vec<u8>,
    known: bool,
}

fn is_from(sender: &Sender, address: SocketAddr) -> bool {
    sender.address.is_none_or(|known| known == address.ip().to_canonical())
}

impl Emr {
    async fn converse(&self, socket: TcpStream, address: SocketAddr, tls: Option<&TlsServer>) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let mut socket: Box<dyn Duplex> = match tls {
            Some(tls) => timeout(HANDSHAKE, tls.accept(socket)).await.map_err(|_| late())??,
            None => Box::new(socket),
        };
        let mut framer = Framer::new(LONGEST_MESSAGE);
        let mut buffer = vec![0; 16 * 1024];
        let mut known = false;
        // A message ends within its time however little comes at once; a connection that nobody known uses ends soon.
        let mut end = Instant::now() + SLOW;
        loop {
            let was_within = framer.is_within();
            let read = timeout_at(end, socket.read(&mut buffer)).await.map_err(|_| late())??;
            if read == 0 {
                return Ok(());
            }
            let messages = framer.push(&buffer[..read]).map_err(io::Error::other)?;
            let answered = !messages.is_empty();
            for message in messages {
                // What has no header can be answered by nothing, and nothing after it is to be believed.
                let Some(answer) = self.answer(&message, address).await else {
                    return Err(io::ErrorKind::InvalidData.into());
                };
                known |= answer.known;
                let frame = framed(&answer.bytes);
                timeout(SLOW, socket.write_all(&frame)).await.map_err(|_| late())??;
                socket.flush().await?;
                if !known {
                    return socket.shutdown().await;
                }
            }
            if answered || framer.is_within() && !was_within {
                end = Instant::now() + if known && !framer.is_within() { IDLE } else { SLOW };
            }
        }
    }

    /// The acknowledgment of a message, in the bytes of its own set.
    async fn answer(&self, bytes: &[u8], address: SocketAddr) -> Option<Answer> {
        let Ok(header) = Message::header_of(bytes) else {
            tracing::warn!("something that is no HL7 message came over MLLP, and the connection was closed");
            return None;
        };
        let sender = self.sender_of(&header, address);
        let taken = match sender {
            None => {
                self.note_stranger(address).await;
                Err(Refused::UnknownSender)
            }
            Some(sender) => {
                let set = CharacterSet::of_message(bytes, sender.character_set);
                let read = set.and_then(|set| set.decode(bytes)).ok().and_then(|text| Message::parse(&text).ok());
                match read {
                    None => Err(Refused::DataType),
                    Some(message) => self.take(&message, sender, address).await,
                }
            }
        };
        let refused = taken.err();
        if let Some(refused) = refused {
            tracing::warn!(
                sender = sender.map(|sender| sender.name.as_str()),
                kind = sender.and_then(|_| kind_of(&header)),
                ?refused,
                "a message was not taken"
            );
        }
        let now = Local::now().fixed_offset();
        let id = uuid::Uuid::new_v4().simple().to_string();
        let answer = acknowledgment(&header, refused, &id[..20], &hl7::time_text(now)).text();
        Some(Answer { bytes: CharacterSet::Ascii.encode(&answer).bytes, known: sender.is_some() })
    }

    /// Whether a sender may call from there.
    fn is_expected(&self, address: SocketAddr) -> bool {
        self.settings.senders.iter().any(|sender| is_from(sender, address))
    }

    /// Who sends: by application and facility, and by address where one is configured.
    fn sender_of(&self, message: &Message, address: SocketAddr) -> Option<&Sender> {
        let header = message.header();
        let known = |sender: &&Sender| {
            sender.application == header.text(3)
                && sender.facility.as_ref().is_none_or(|facility| facility == header.text(4))
                && is_from(sender, address)
        };
        self.settings.senders.iter().find(known)
    }

    async fn note_stranger(&self, address: SocketAddr) {
        let scope = adding(InstitutionCode::local()).from_address(address.ip());
        let detail = Detail { code: Some("unknown_sender".into()), ..Detail::default() };
        let event = AuditEvent::by(&scope, Action::Admit).with(detail);
        if let Err(error) = self.engine.audit_refusal(event).await {
            tracing::error!(code = error.code(), "a refusal could not be written into the audit trail");
        }
    }

    /// Keeps what a message tells; durable when it returns.
    async fn take(&self, message: &Message, sender: &Sender, address: SocketAddr) -> Result<(), Refused> {
        let zone = *Local::now().offset();
        let told = hl7::told(message, &hl7::Sender { codes: &sender.codes, zone })?;
        let orders = hl7::orders(message, zone)?;
        let scope = adding(sender.institution.clone()).from_address(address.ip());
        self.keep(&scope, sender, told, orders).await.map_err(|error| {
            tracing::warn!(code = error.code(), "what a medical record told could not be kept; it sends again");
            Refused::Internal
        })
    }

    async fn keep(
        &self,
        scope: &Scope,
        sender: &Sender,
        told: facts::Told,
        orders: Vec<ImagingOrder>,
    ) -> Result<(), EngineError> {
        if !(told.facts.is_empty() && told.withdrawn.is_empty() && told.merged.is_empty()) {
            self.engine.keep_patient_facts(scope, &kept(told, &sender.name)).await?;
        }
        let (mut standing, mut withdrawn) = (Vec::new(), Vec::new());
        for ImagingOrder { item, cancelled, former } in orders {
            // An order of the messages always has its patient and a step.
            let Ok(item) = Order::try_from(item) else { continue };
            if cancelled {
                withdrawn.push(item);
            } else {
                standing.push(item);
            }
            withdrawn.extend(former.into_iter().filter_map(|item| Order::try_from(item).ok()));
        }
        // First: what takes the place of an order may bear its number.
        if !withdrawn.is_empty() {
            self.engine.withdraw_orders(scope, &withdrawn).await?;
        }
        if !standing.is_empty() {
            self.engine.import_worklist(scope, standing, false).await?;
        }
        Ok(())
    }
}

/// What a sender may do: add to what is known of the patients of its institution.
pub(super) fn adding(institution: InstitutionCode) -> Scope {
    Scope::new(Actor::System, institution, [Permission::Store].into_iter().collect())
}

/// What was told, as the engine keeps it.
pub(super) fn kept(told: facts::Told, source: &DestinationName) -> PatientFacts {
    let facts::Told { patient, merged, facts, withdrawn } = told;
    let number = |facts::PatientId { issuer, id }| PatientNumber { issuer, id };
    PatientFacts {
        patient: patient.into_iter().map(number).collect(),
        merged: merged.into_iter().map(number).collect(),
        facts: facts
            .into_iter()
            .map(|facts::Fact { input, holds, system, code, observed_at, dated }| NewFact {
                input,
                holds,
                system: system.to_owned(),
                code,
                observed_at: observed_at.timestamp_millis(),
                dated,
            })
            .collect(),
        withdrawn: withdrawn
            .into_iter()
            .map(|facts::Withdrawn { system, code, observed_at }| WithdrawnFact {
                system: system.to_owned(),
                code,
                observed_at: observed_at.map(|at| at.timestamp_millis()),
            })
            .collect(),
        source: source.clone(),
    }
}
