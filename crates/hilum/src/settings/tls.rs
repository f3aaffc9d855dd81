//! `[tls]`: certificate and key of the network node, and whom it trusts.

use std::path::{Path, PathBuf};

use anyhow::Context;
use hilum_dimse::{ClientCertificates, Identity, TlsClient, TlsServer};
use serde::Deserialize;

use super::peers::Peers;

/// The table of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsTable {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) authorities: Option<PathBuf>,
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
        [Some(&mut self.certificate), Some(&mut self.key), self.authorities.as_mut()].into_iter().flatten()
    }

    /// Whether the peers' keys fit the table. The error names the key.
    pub(super) fn check(table: Option<&Self>, peers: &Peers) -> Result<(), String> {
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

    /// Reads the files.
    pub(super) fn load(&self) -> anyhow::Result<Tls> {
        let (certificates, key) = (read(&self.certificate, "certificate")?, read(&self.key, "key")?);
        let identity = Identity { certificates: &certificates, key: &key };
        let authorities = self.authorities.as_deref().map(|path| read(path, "authorities")).transpose()?;
        let callers = match (&authorities, self.client_certificates) {
            (Some(pem), Asked::Optional) => ClientCertificates::Optional(pem),
            (Some(pem), Asked::Required) => ClientCertificates::Required(pem),
            _ => ClientCertificates::NotAsked,
        };
        let server = TlsServer::new(identity, callers).context("tls")?;
        let client = authorities.map(|pem| TlsClient::new(&pem, Some(identity))).transpose().context("tls")?;
        Ok(Tls { server, client })
    }
}

fn read(path: &Path, key: &str) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("tls: {key} = {} cannot be read", path.display()))
}
