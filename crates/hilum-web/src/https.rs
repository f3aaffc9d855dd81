//! TLS 1.2 and 1.3 under HTTP/1.1.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use thiserror::Error;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring},
};

/// Certificate and key that connections are taken with. Clones share them, so that a certificate can be replaced while a server runs.
#[derive(Clone)]
pub struct Https(Arc<RwLock<TlsAcceptor>>);

/// Why a certificate or a key cannot be used.
#[derive(Debug, Error)]
pub enum HttpsError {
    /// No certificate, or a broken one.
    #[error("the certificate is not in PEM form")]
    Certificate,
    /// No private key, or a broken one.
    #[error("the private key is not in PEM form (PKCS #8, PKCS #1 or SEC 1, without a passphrase)")]
    Key,
    /// The pieces do not fit together.
    #[error("certificate and private key cannot be used: {0}")]
    Unusable(String),
}

impl Https {
    /// Our certificate first, then those that lead to its authority, and the private key of the first; both PEM.
    pub fn new(certificates: &[u8], key: &[u8]) -> Result<Self, HttpsError> {
        Ok(Self(Arc::new(RwLock::new(acceptor(certificates, key)?))))
    }

    /// Takes connections with another certificate from now on; those that are open go on. What cannot be used changes nothing.
    pub fn replace(&self, certificates: &[u8], key: &[u8]) -> Result<(), HttpsError> {
        let acceptor = acceptor(certificates, key)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Https {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Https")
    }
}

fn acceptor(certificates: &[u8], key: &[u8]) -> Result<TlsAcceptor, HttpsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(HttpsError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| HttpsError::Key)?;
    let unusable = |error: tokio_rustls::rustls::Error| HttpsError::Unusable(error.to_string());
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?.with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
