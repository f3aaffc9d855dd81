//! `[[peers]]` and `callers`: the application entities that Hilum talks to, and what each may ask.

use std::net::IpAddr;

use hilum_dicom::AeTitle;
use hilum_dimse::{Allowed, Callers, Peer, PeerCertificate};
use hilum_engine::{InstitutionCode, Scope, Whence};
use serde::Deserialize;

/// One `[[peers]]` of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeerEntry {
    ae_title: AeTitle,
    host: String,
    port: u16,
    #[serde(default)]
    tls: bool,
    certificate: Option<String>,
    allowed: Option<Vec<Service>>,
    institution: Option<InstitutionCode>,
    #[serde(default)]
    retrieve_by: RetrieveBy,
}

/// A service that a peer may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Service {
    Store,
    Find,
    Retrieve,
    Commitment,
}

/// How studies are fetched from a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum RetrieveBy {
    /// C-GET: over the connection of the request, so that the peer needs not know where we are
    #[default]
    Get,
    /// C-MOVE: the peer calls us back at the address that it knows for our AE title
    Move,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallersMode {
    /// The configured peers.
    Known,
    /// Every calling AE title, for every service.
    Anybody,
}

/// A peer with what only Hilum says of it.
#[derive(Clone, Debug)]
pub struct KnownPeer {
    /// Where it is, and what it may ask.
    pub peer: Peer,
    /// Whose data it sends and sees.
    pub institution: InstitutionCode,
    /// How studies are fetched from it.
    pub retrieve_by: RetrieveBy,
}

impl KnownPeer {
    /// What the peer may see and add to.
    pub fn scope(&self) -> Scope {
        Scope::peer(self.peer.ae_title.clone(), self.institution.clone())
    }
}

/// Every configured peer.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    known: Vec<KnownPeer>,
    check_host: bool,
}

impl Peers {
    /// The error names the key.
    pub(super) fn read(entries: Vec<PeerEntry>, check_host: bool) -> Result<Self, String> {
        let mut known: Vec<KnownPeer> = Vec::new();
        for entry in entries {
            let PeerEntry { ae_title, host, port, tls, certificate, allowed, institution, retrieve_by } = entry;
            let wrong = |key: &str, what: &str| format!("peers: {ae_title}: {key} {what}");
            if known.iter().any(|other| other.peer.ae_title == ae_title) {
                return Err(wrong("ae_title", "is configured twice; an AE title names one peer"));
            }
            if host.is_empty() || host.contains(char::is_whitespace) {
                return Err(wrong("host", "is the name or IP address of a machine, without port or spaces"));
            }
            if port == 0 {
                return Err(wrong("port", "is 1 to 65535"));
            }
            let certificate = match certificate.as_deref().map(str::parse::<PeerCertificate>).transpose() {
                Ok(certificate) => certificate,
                Err(error) => return Err(wrong("certificate", &format!("cannot be read: {error}"))),
            };
            let allowed = allowed.map_or(Allowed::ALL, |services| Allowed {
                store: services.contains(&Service::Store),
                find: services.contains(&Service::Find),
                retrieve: services.contains(&Service::Retrieve),
                commitment: services.contains(&Service::Commitment),
            });
            known.push(KnownPeer {
                peer: Peer { tls, certificate, allowed, ..Peer::new(ae_title, host, port) },
                institution: institution.unwrap_or_else(InstitutionCode::local),
                retrieve_by,
            });
        }
        Ok(Self { known, check_host })
    }

    /// The peer of an AE title.
    pub fn find(&self, title: &AeTitle) -> Option<&KnownPeer> {
        self.known.iter().find(|known| known.peer.ae_title == *title)
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &KnownPeer> {
        self.known.iter()
    }

    /// Whether a known AE title must also call from an address of its peer's host.
    pub fn checks_host(&self) -> bool {
        self.check_host
    }

    /// Whether none is configured.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// What a caller may see and add to: its own institution's, or this machine's where anybody may call.
    pub fn scope_of(&self, title: &AeTitle, address: Option<IpAddr>) -> Scope {
        let stranger = || Scope::peer(title.clone(), InstitutionCode::local());
        let scope = self.find(title).map_or_else(stranger, KnownPeer::scope);
        scope.whence(Whence { address, request: None })
    }

    /// Who may call the network node.
    pub fn callers(&self, mode: CallersMode) -> Callers {
        match mode {
            CallersMode::Anybody => Callers::Anybody,
            CallersMode::Known => Callers::Known {
                peers: self.known.iter().map(|known| known.peer.clone()).collect(),
                check_host: self.check_host,
            },
        }
    }
}
