//! `[https]`, `public_names` and `trusted_proxies`: who reaches the web server, and how.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use hilum_web::PublicName;
use serde::Deserialize;

use crate::certificate::Place;

/// The table of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpsTable {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(default)]
    self_signed: bool,
}

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Files { certificate: PathBuf, key: PathBuf },
    SelfSigned,
}

impl HttpsTable {
    /// Paths that start at the file's folder.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.certificate.as_mut().into_iter().chain(self.key.as_mut())
    }

    /// The error names the key.
    pub(super) fn source(self) -> Result<Source, String> {
        match self {
            Self { certificate: Some(certificate), key: Some(key), self_signed: false } => {
                Ok(Source::Files { certificate, key })
            }
            Self { certificate: None, key: None, self_signed: true } => Ok(Source::SelfSigned),
            Self { self_signed: true, .. } => {
                Err("https: self_signed = true makes certificate and key itself; leave these two out".to_owned())
            }
            Self { certificate, .. } => {
                let missing = if certificate.is_none() { "certificate" } else { "key" };
                Err(format!("https: {missing} is missing; expected certificate and key, or self_signed = true"))
            }
        }
    }
}

impl Source {
    /// Where the files are; those of our own in a data folder.
    pub(super) fn place(&self, data_dir: &Path, public_names: &[PublicName]) -> Place {
        match self {
            Self::Files { certificate, key } => Place::Files { certificate: certificate.clone(), key: key.clone() },
            Self::SelfSigned => Place::SelfSigned { folder: data_dir.join("https"), names: own_names(public_names) },
        }
    }
}

/// The configured names first, then those that every machine has.
fn own_names(public_names: &[PublicName]) -> Vec<String> {
    let configured = public_names.iter().map(PublicName::to_string);
    let machine = host_name().into_iter().map(|name| name.to_string());
    let mut names: Vec<String> = Vec::new();
    for name in configured.chain(machine).chain(["localhost", "127.0.0.1", "::1"].map(str::to_owned)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The name that this machine gives itself, where it can be a name on the network.
pub(super) fn host_name() -> Option<PublicName> {
    let text = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    text.trim().parse().ok()
}

/// The error names the key.
pub(super) fn public_names(entries: Vec<String>) -> Result<Vec<PublicName>, String> {
    let parsed = |entry: String| entry.parse().map_err(|error| format!("public_names: {entry:?}: {error}"));
    entries.into_iter().map(parsed).collect()
}

/// The error names the key.
pub(super) fn trusted_proxies(entries: Vec<String>) -> Result<Vec<IpAddr>, String> {
    let parsed = |entry: String| {
        let address = entry.parse::<IpAddr>().map(|address| address.to_canonical());
        match address {
            Ok(address) if address.is_unspecified() => {
                Err(format!("trusted_proxies: {entry} is every address; name each proxy"))
            }
            Ok(address) => Ok(address),
            Err(_) => Err(format!("trusted_proxies: {entry:?}: expected the IP address of a proxy, like 10.0.0.5")),
        }
    };
    entries.into_iter().map(parsed).collect()
}
