//! Known peers: who they are, where they are, what they may ask for.

use std::net::IpAddr;

use hilum_dicom::AeTitle;

/// Services that a caller may use; C-ECHO is open to every caller that gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// C-STORE.
    pub store: bool,
    /// C-FIND, worklist included.
    pub find: bool,
    /// C-MOVE and C-GET.
    pub retrieve: bool,
    /// Storage commitment.
    pub commitment: bool,
}

impl Allowed {
    /// Every service.
    pub const ALL: Self = Self { store: true, find: true, retrieve: true, commitment: true };
    /// C-ECHO alone.
    pub const NONE: Self = Self { store: false, find: false, retrieve: false, commitment: false };
}

/// Another application entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its AE title.
    pub ae_title: AeTitle,
    /// Name or IP address of its machine.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// It speaks TLS.
    pub tls: bool,
    /// What it may ask of us.
    pub allowed: Allowed,
}

impl Peer {
    /// A peer in the clear that may use every service.
    pub fn new(ae_title: AeTitle, host: impl Into<String>, port: u16) -> Self {
        Self { ae_title, host: host.into(), port, tls: false, allowed: Allowed::ALL }
    }
}

/// Who may call.
#[derive(Debug, Clone)]
pub enum Callers {
    /// Every calling AE title, for every service.
    Anybody,
    /// Only these titles, for what each is allowed.
    Known {
        /// The peers.
        peers: Vec<Peer>,
        /// A known title must also call from an address of its peer's host.
        check_host: bool,
    },
}

impl Callers {
    /// What a caller may ask for; `None` when it is not recognised.
    pub(crate) async fn recognise(&self, title: &AeTitle, remote: IpAddr) -> Option<Allowed> {
        let (peers, check_host) = match self {
            Self::Anybody => return Some(Allowed::ALL),
            Self::Known { peers, check_host } => (peers, *check_host),
        };
        for peer in peers.iter().filter(|peer| peer.ae_title == *title) {
            if !check_host || has_address(&peer.host, remote).await {
                return Some(peer.allowed);
            }
        }
        None
    }
}

async fn has_address(host: &str, remote: IpAddr) -> bool {
    match tokio::net::lookup_host((host, 0)).await {
        Ok(mut addresses) => addresses.any(|address| address.ip().to_canonical() == remote.to_canonical()),
        Err(error) => {
            tracing::warn!(%error, "the host of a known peer has no address");
            false
        }
    }
}
