//! The trail as it goes to a syslog server: RFC 5424 with a DICOM audit message (PS3.15 A.5) in it, over UDP (RFC 5426), TCP with octet
//! counting (RFC 6587 3.4.1) or TLS (RFC 5425).
//!
//! Nothing waits for the server and nothing depends on it. Events wait for it in memory, so many at most; further ones are counted and left
//! out, and stay in the trail as all others do.

mod message;
mod wire;

use crate::catalog::AuditRow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// How messages are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A datagram each.
    Udp,
    /// A stream in the clear.
    Tcp,
    /// A stream over TLS.
    Tls,
}

/// Where a syslog server is: `udp://HOST:PORT`, `tcp://HOST:PORT` or `tls://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogServer {
    carrier: Carrier,
    host: String,
    port: u16,
}

/// A text that names no syslog server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT; an IPv6 address stands in brackets")]
pub struct BadSyslogServer;

impl FromStr for SyslogServer {
    type Err = BadSyslogServer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or(BadSyslogServer)?;
        let carrier = match scheme {
            "udp" => Carrier::Udp,
            "tcp" => Carrier::Tcp,
            "tls" => Carrier::Tls,
            _ => return Err(BadSyslogServer),
        };
        let (host, port) = rest.rsplit_once(':').ok_or(BadSyslogServer)?;
        let host = match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').ok_or(BadSyslogServer)?,
            None if host.contains([':', '/', '@']) => return Err(BadSyslogServer),
            None => host,
        };
        let port = port.parse().ok().filter(|port| *port > 0).ok_or(BadSyslogServer)?;
        if host.is_empty() { Err(BadSyslogServer) } else { Ok(Self { carrier, host: host.to_owned(), port }) }
    }
}

impl fmt::Display for SyslogServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.carrier {
            Carrier::Udp => "udp",
            Carrier::Tcp => "tcp",
            Carrier::Tls => "tls",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// How the trail goes to a syslog server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogSettings {
    /// Where it is.
    pub server: SyslogServer,
    /// PEM file of those who sign its certificate; those that everybody knows where `None`.
    pub authorities: Option<PathBuf>,
    /// The certificate that we show it, where it asks for one.
    pub identity: Option<SyslogIdentity>,
    /// Audit Source ID (PS3.15 A.5.2.4): which installation this is.
    pub source: String,
}

/// A certificate of our own, and its key: PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogIdentity {
    /// The certificate, then those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key, without a passphrase.
    pub key: PathBuf,
}

/// A file for TLS to the syslog server cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("[audit] {key}: the PEM file cannot be used: {reason}")]
pub struct BadSyslogFile {
    /// The key of the configuration that names it.
    key: &'static str,
    reason: String,
}

/// Messages that wait for the server.
const WAITING: usize = 8192;

/// The way to a syslog server.
#[derive(Debug)]
pub(crate) struct Syslog {
    waiting: mpsc::Sender<Vec<AuditRow>>,
    count: Arc<Count>,
}

/// How many messages there were and what became of them.
#[derive(Debug, Default)]
struct Count {
    given: AtomicU64,
    ended: AtomicU64,
    lost: AtomicU64,
    changed: Notify,
}

impl Count {
    fn end(&self, messages: u64) {
        self.ended.fetch_add(messages, Ordering::Release);
        self.changed.notify_waiters();
    }

    fn lose(&self, messages: u64) {
        self.lost.fetch_add(messages, Ordering::Relaxed);
        self.end(messages);
    }
}

impl Syslog {
    /// Starts sending; it ends when nobody sends any more.
    pub(crate) fn start(settings: SyslogSettings) -> Result<Arc<Self>, BadSyslogFile> {
        let SyslogSettings { server, authorities, identity, source } = settings;
        let connector = match server.carrier {
            Carrier::Tls => Some(wire::connector(authorities.as_deref(), identity.as_ref())?),
            Carrier::Udp | Carrier::Tcp => None,
        };
        let (waiting, heard) = mpsc::channel(WAITING);
        let count = Arc::new(Count::default());
        let way = wire::Way::new(server, connector);
        tokio::spawn(send_forever(way, source, heard, Arc::clone(&count)));
        Ok(Arc::new(Self { waiting, count }))
    }

    /// Sends rows some time; never waits.
    pub(super) fn send(&self, rows: Vec<AuditRow>) {
        let messages = rows.len() as u64;
        self.count.given.fetch_add(messages, Ordering::Release);
        if self.waiting.try_send(rows).is_err() {
            self.count.lose(messages);
        }
    }

    /// Waits until everything that was given is sent or lost, but no longer than this.
    pub(super) async fn settle(&self, patience: Duration) {
        let all = async {
            loop {
                let changed = self.count.changed.notified();
                if self.count.ended.load(Ordering::Acquire) >= self.count.given.load(Ordering::Acquire) {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            let given = self.count.given.load(Ordering::Acquire);
            let unsent = given.saturating_sub(self.count.ended.load(Ordering::Acquire));
            tracing::warn!(unsent, "audit events were not sent to the syslog server; they are in the audit trail");
        }
    }
}

/// The first pause after a server was not reached, doubled each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

async fn send_forever(mut way: wire::Way, source: String, mut heard: mpsc::Receiver<Vec<AuditRow>>, count: Arc<Count>) {
    let host = wire::host_name();
    let mut pause = FIRST_PAUSE;
    while let Some(rows) = heard.recv().await {
        for row in rows {
            let Some(text) = message::syslog(&row, &host, &source) else {
                tracing::error!(event = row.number, "an audit event cannot be written as a message");
                count.lose(1);
                continue;
            };
            while let Err(error) = way.send(text.as_bytes()).await {
                let lost = count.lost.swap(0, Ordering::Relaxed);
                tracing::warn!(
                    %error, lost, "the syslog server does not take audit events; they are in the audit trail, and wait to be sent"
                );
                // A datagram is not worth waiting for: the next one may come through.
                if way.is_datagram() {
                    count.lose(1);
                    break;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                // Nobody is left whose events these are.
                if heard.is_closed() {
                    return;
                }
            }
            if way.is_open() {
                count.end(1);
                pause = FIRST_PAUSE;
                let lost = count.lost.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    tracing::warn!(
                        lost,
                        "audit events were not sent to the syslog server; they are in the audit trail"
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_carrier_host_and_port() {
        for text in ["udp://127.0.0.1:514", "tcp://log.example.org:601", "tls://[2001:db8::7]:6514"] {
            assert_eq!(text.parse::<SyslogServer>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "127.0.0.1:514",
            "http://a:1",
            "udp://a",
            "udp://:514",
            "udp://a:0",
            "tcp://a:99999",
            "udp://::1:5",
            "udp://u@h:5",
        ] {
            assert_eq!(text.parse::<SyslogServer>(), Err(BadSyslogServer), "{text}");
        }
    }
}
