//! The certificate that Hilum shows, over HTTPS and where told so over DIMSE: files of somebody else's, or one that Hilum makes for itself.

mod reload;
mod self_signed;
mod x509;

use std::path::{Path, PathBuf};

use anyhow::Context;

pub use reload::keep_fresh;
pub use x509::Facts;

/// Where certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Files that somebody else keeps up to date.
    Files { certificate: PathBuf, key: PathBuf },
    /// A folder of ours, for a certificate with these names.
    SelfSigned { folder: PathBuf, names: Vec<String> },
}

/// A chain of certificates with its private key, both PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    pub certificates: Vec<u8>,
    pub key: Vec<u8>,
}

impl Pair {
    /// What is said of the certificate.
    pub fn facts(&self) -> anyhow::Result<Facts> {
        Facts::of(&self.certificates).context("the certificate is not in PEM form")
    }
}

impl Place {
    /// The file of the certificate.
    pub fn certificate(&self) -> PathBuf {
        match self {
            Self::Files { certificate, .. } => certificate.clone(),
            Self::SelfSigned { folder, .. } => folder.join(self_signed::CERTIFICATE),
        }
    }

    /// The file of the private key.
    pub fn key(&self) -> PathBuf {
        match self {
            Self::Files { key, .. } => key.clone(),
            Self::SelfSigned { folder, .. } => folder.join(self_signed::KEY),
        }
    }

    /// What the files hold.
    pub fn read(&self) -> anyhow::Result<Pair> {
        let read = |key: &str, path: &Path| {
            std::fs::read(path).with_context(|| match self {
                Self::Files { .. } => format!("{key} = {} cannot be read", path.display()),
                Self::SelfSigned { .. } => {
                    format!("{} cannot be read; `hilum serve` makes it when it starts", path.display())
                }
            })
        };
        Ok(Pair { certificates: read("certificate", &self.certificate())?, key: read("key", &self.key())? })
    }

    /// The same; a certificate of our own is made before where it is missing, about to end, or has other names.
    pub fn read_or_make(&self) -> anyhow::Result<Pair> {
        if let Self::SelfSigned { folder, names } = self {
            self_signed::make_where_due(folder, names).context("self_signed")?;
        }
        self.read()
    }
}
