//! Known peers: who they are, where they are, what they may ask for, and by which certificate they prove it.

use std::{fmt, net::IpAddr, str::FromStr};

use hilum_dicom::AeTitle;
use rustls_pki_types::{CertificateDer, ServerName};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio_rustls::rustls::{client::verify_server_name, server::ParsedCertificate};

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

/// The certificate by which a peer proves who it is, on top of the authority that signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerCertificate {
    /// One that names this host among its subject alternative names (RFC 6125); a common name alone is none.
    Name(ServerName<'static>),
    /// This very one, by the SHA-256 of its DER form.
    Sha256([u8; 32]),
}

/// A text that names no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a certificate is named by a host name or IP address of its subject alternative names, or as sha256: and 64 hexadecimal \
     digits (openssl x509 -noout -fingerprint -sha256)"
)]
pub struct InvalidPeerCertificate;

impl FromStr for PeerCertificate {
    type Err = InvalidPeerCertificate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(digits) = text.strip_prefix("sha256:") else {
            return ServerName::try_from(text.to_owned()).map(Self::Name).map_err(|_| InvalidPeerCertificate);
        };
        let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b':').collect();
        let mut digest = [0; 32];
        if digits.len() != 64 {
            return Err(InvalidPeerCertificate);
        }
        for (byte, pair) in digest.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| InvalidPeerCertificate)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| InvalidPeerCertificate)?;
        }
        Ok(Self::Sha256(digest))
    }
}

impl PeerCertificate {
    pub(crate) fn is(&self, shown: &CertificateDer<'_>) -> bool {
        match self {
            Self::Name(name) => ParsedCertificate::try_from(shown)
                .is_ok_and(|certificate| verify_server_name(&certificate, name).is_ok()),
            Self::Sha256(digest) => *digest == <[u8; 32]>::from(Sha256::digest(shown)),
        }
    }
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
    /// The certificate that it must show, as caller and when it is called; without one, any of our authorities does.
    pub certificate: Option<PeerCertificate>,
    /// What it may ask of us.
    pub allowed: Allowed,
}

impl Peer {
    /// A peer in the clear that may use every service.
    pub fn new(ae_title: AeTitle, host: impl Into<String>, port: u16) -> Self {
        Self { ae_title, host: host.into(), port, tls: false, certificate: None, allowed: Allowed::ALL }
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

/// A caller that was not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedCaller {
    /// The title that it called itself.
    pub calling_ae: AeTitle,
    /// Where it called from.
    pub address: IpAddr,
    /// Why.
    pub why: Unrecognised,
}

/// Why a caller is not let in. To it, each is "calling AE title not recognised" (PS3.8 Table 9-21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unrecognised {
    /// No known peer has its AE title.
    Title,
    /// The known peer of its AE title has another address.
    Host,
    /// The known peer of its AE title has another certificate.
    Certificate,
}

impl fmt::Display for Unrecognised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Title => "no known peer has this AE title",
            Self::Host => "the known peer of this AE title has another address",
            Self::Certificate => "the known peer of this AE title has another certificate",
        })
    }
}

impl Callers {
    /// What a caller may ask for; `shown` is the certificate of its TLS connection, verified already.
    pub(crate) async fn recognise(
        &self,
        title: &AeTitle,
        remote: IpAddr,
        shown: Option<&CertificateDer<'_>>,
    ) -> Result<Allowed, Unrecognised> {
        let (peers, check_host) = match self {
            Self::Anybody => return Ok(Allowed::ALL),
            Self::Known { peers, check_host } => (peers, *check_host),
        };
        let mut why = Unrecognised::Title;
        for peer in peers.iter().filter(|peer| peer.ae_title == *title) {
            if let Some(certificate) = &peer.certificate
                && !shown.is_some_and(|shown| certificate.is(shown))
            {
                why = Unrecognised::Certificate;
            } else if check_host && !has_address(&peer.host, remote).await {
                why = Unrecognised::Host;
            } else {
                return Ok(peer.allowed);
            }
        }
        Err(why)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_named_by_host_or_fingerprint() {
        let digest = [0xABu8; 32];
        let colons = "AB:".repeat(32);
        for text in [format!("sha256:{}", "ab".repeat(32)), format!("sha256:{}", colons.trim_end_matches(':'))] {
            assert_eq!(text.parse(), Ok(PeerCertificate::Sha256(digest)));
        }
        assert!(matches!("pacs.example.org".parse(), Ok(PeerCertificate::Name(ServerName::DnsName(_)))));
        assert!(matches!("192.0.2.7".parse(), Ok(PeerCertificate::Name(ServerName::IpAddress(_)))));
        for text in ["", "sha256:", "sha256:zz", "CN=pacs,O=Hospital", "sha256:\u{e9}".repeat(33).as_str()] {
            assert_eq!(text.parse::<PeerCertificate>(), Err(InvalidPeerCertificate), "{text}");
        }
    }
}
