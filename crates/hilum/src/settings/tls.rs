//! `[tls]`: certificate and key of the network node, and whom it trusts.

use std::path::PathBuf;

use anyhow::Context;
use hilum_dimse::{ClientCertificates, Identity, TlsClient, TlsServer};
use serde::Deserialize;

use super::peers::Peers;
use crate::certificate::{Pair, Place};

/// The table of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsTable {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(default)]
    same_as_https: bool,
    authorities: Option<PathBuf>,
    #[serde(default)]
    client_certificates: Asked,
}

/// Whether callers are asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Asked {
    #[default]
    None,
    Optional,
    Required,
}

/// TLS on either side of the network node.
#[derive(Clone, Debug)]
pub struct Tls {
    /// For those who call us.
    pub server: TlsServer,
    /// For those whom we call; none without `authorities`.
    pub client: Option<TlsClient>,
}

impl TlsTable {
    /// Relative paths start at `folder`.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [self.certificate.as_mut(), self.key.as_mut(), self.authorities.as_mut()].into_iter().flatten()
    }

    /// Whether it says whose certificates are good.
    pub(super) fn has_authorities(&self) -> bool {
        self.authorities.is_some()
    }

    /// Whether the peers' keys fit the table, and whether it says where the certificate is. The error names the key.
    pub(super) fn check(table: Option<&Self>, peers: &Peers, has_https: bool) -> Result<(), String> {
        if let Some(Self { certificate, key, same_as_https, .. }) = table {
            let has_own = certificate.is_some() && key.is_some();
            let has_none = certificate.is_none() && key.is_none();
            if !(if *same_as_https { has_none } else { has_own }) {
                return Err("tls: expected certificate and key, or same_as_https = true".to_owned());
            }
            if *same_as_https && !has_https {
                return Err("tls: same_as_https needs the [https] table, whose certificate it shows".to_owned());
            }
        }
        for known in peers.iter() {
            let title = &known.peer.ae_title;
            match table {
                None if known.peer.tls => {
                    return Err(format!(
                        "peers: {title}: tls needs a [tls] table with certificate, key and authorities"
                    ));
                }
                None if known.peer.certificate.is_some() => {
                    return Err(format!("peers: {title}: certificate needs a [tls] table: without TLS none is shown"));
                }
                Some(table) if known.peer.tls && table.authorities.is_none() => {
                    return Err(format!(
                        "tls: authorities is missing: the file of those who sign the certificate of {title}"
                    ));
                }
                Some(table) if known.peer.certificate.is_some() && table.client_certificates == Asked::None => {
                    return Err(format!(
                        "tls: client_certificates is \"none\", so that {title} could not show its certificate when it \
                         calls; expected \"optional\" or \"required\""
                    ));
                }
                _ => {}
            }
        }
        match table {
            Some(table) if table.client_certificates != Asked::None && table.authorities.is_none() => {
                Err("tls: client_certificates needs authorities: the file of those who sign the callers' certificates"
                    .to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Where everything is.
    pub(super) fn source(&self, https: Option<Place>) -> Option<TlsSource> {
        let place = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Place::Files { certificate: certificate.clone(), key: key.clone() },
            _ => https?,
        };
        Some(TlsSource { place, authorities: self.authorities.clone(), asked: self.client_certificates })
    }
}

/// The files that TLS of the network node stands on.
#[derive(Clone, Debug)]
pub struct TlsSource {
    /// Certificate and key.
    pub place: Place,
    authorities: Option<PathBuf>,
    asked: Asked,
}

/// What these files hold.
#[derive(PartialEq, Eq)]
pub struct TlsFiles {
    pair: Pair,
    authorities: Option<Vec<u8>>,
}

impl TlsSource {
    /// Whether callers must show a certificate.
    pub fn requires_certificates(&self) -> bool {
        self.asked == Asked::Required
    }

    /// Reads the files.
    pub fn read(&self) -> anyhow::Result<TlsFiles> {
        let pair = self.place.read().context("tls")?;
        let authorities = self.authorities.as_deref().map(|path| {
            std::fs::read(path).with_context(|| format!("tls: authorities = {} cannot be read", path.display()))
        });
        Ok(TlsFiles { pair, authorities: authorities.transpose()? })
    }

    /// TLS by what the files hold.
    pub fn load(&self, files: &TlsFiles) -> anyhow::Result<Tls> {
        let TlsFiles { pair, authorities } = files;
        let identity = Identity { certificates: &pair.certificates, key: &pair.key };
        let callers = match (authorities, self.asked) {
            (Some(pem), Asked::Optional) => ClientCertificates::Optional(pem),
            (Some(pem), Asked::Required) => ClientCertificates::Required(pem),
            _ => ClientCertificates::NotAsked,
        };
        let server = TlsServer::new(identity, callers).context("tls")?;
        let client =
            authorities.as_deref().map(|pem| TlsClient::new(pem, Some(identity))).transpose().context("tls")?;
        Ok(Tls { server, client })
    }
}

impl Tls {
    /// Both sides do as those of `other` from now on.
    pub fn replace_by(&self, other: &Self) {
        self.server.replace_by(&other.server);
        if let (Some(client), Some(other)) = (&self.client, &other.client) {
            client.replace_by(other);
        }
    }
}
