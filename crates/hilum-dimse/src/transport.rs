//! The connection under an association: TCP, or TLS over it (PS3.15 B.9, B.12: BCP 195 profiles).

use std::{
    io,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll},
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector, TlsStream,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::{CryptoProvider, ring},
        server::WebPkiClientVerifier,
    },
};

use crate::peers::{Peer, PeerCertificate};

/// A connected socket, in the clear or encrypted.
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// A socket just accepted, after the handshake where TLS is set up. Nagle's algorithm is off, see [`Transport::acknowledge_at_once`].
    pub(crate) async fn accept(socket: TcpStream, tls: Option<&TlsServer>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        match tls {
            None => Ok(Self::Plain(socket)),
            Some(tls) => Ok(Self::Tls(Box::new(tls.acceptor().accept(socket).await?.into()))),
        }
    }

    /// The same on the calling side; the server's certificate must be of the peer's host, or of the name that stands for it.
    pub(crate) async fn connect(socket: TcpStream, peer: &Peer, tls: Option<&TlsClient>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        let Some(tls) = tls else { return Ok(Self::Plain(socket)) };
        let name = match &peer.certificate {
            Some(PeerCertificate::Name(name)) => name.clone(),
            _ => ServerName::try_from(peer.host.clone()).map_err(io::Error::other)?,
        };
        let connected = Self::Tls(Box::new(tls.connector().connect(name, socket).await?.into()));
        let is_another = |known: &PeerCertificate| !connected.peer_certificate().is_some_and(|shown| known.is(shown));
        if peer.certificate.as_ref().is_some_and(is_another) {
            return Err(io::Error::other("the peer showed another certificate than the one it is known by"));
        }
        Ok(connected)
    }

    /// The certificate that the other side showed, if it showed one; verified already.
    pub(crate) fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(socket) => socket.get_ref().1.peer_certificates().and_then(<[_]>::first),
        }
    }

    /// Linux forgets TCP_QUICKACK after a while, so it is set again before every read.
    pub(crate) fn acknowledge_at_once(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        match self {
            Self::Plain(socket) => socket.set_quickack(true)?,
            Self::Tls(socket) => socket.get_ref().0.set_quickack(true)?,
        }
        Ok(())
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tls(socket) => Pin::new(socket).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Tls(socket) => Pin::new(socket).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}

/// What goes over a socket that is encrypted.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Why certificates or a key cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// No certificate, or a broken one.
    #[error("the {0} holds no certificate in PEM form")]
    Certificates(&'static str),
    /// No private key, or a broken one.
    #[error("the private key is not in PEM form (PKCS #8, PKCS #1 or SEC 1, without a passphrase)")]
    Key,
    /// The pieces do not fit together.
    #[error("certificate and private key cannot be used: {0}")]
    Unusable(String),
}

/// A certificate chain with its private key, both in PEM form.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// Our certificate first, then those that lead to the authority.
    pub certificates: &'a [u8],
    /// The private key of the first.
    pub key: &'a [u8],
}

impl Identity<'_> {
    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let key = PrivateKeyDer::from_pem_slice(self.key).map_err(|_| TlsError::Key)?;
        Ok((certificates(self.certificates, "certificate chain")?, key))
    }
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    read.ok().filter(|found| !found.is_empty()).ok_or(TlsError::Certificates(what))
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem, "list of authorities")? {
        store.add(certificate).map_err(unusable)?;
    }
    Ok(store)
}

fn unusable(error: impl std::fmt::Display) -> TlsError {
    TlsError::Unusable(error.to_string())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// TLS 1.2 and 1.3 on the accepting side. Clones share what they show, so that a certificate can be replaced while a server runs.
#[derive(Clone)]
pub struct TlsServer(Arc<RwLock<TlsAcceptor>>);

/// Whether callers prove who they are by a certificate of one of some authorities (PEM).
#[derive(Clone, Copy)]
pub enum ClientCertificates<'a> {
    /// They are not asked for one.
    NotAsked,
    /// One that they show must be good; without one they get in all the same.
    Optional(&'a [u8]),
    /// Without one they do not get in.
    Required(&'a [u8]),
}

impl TlsServer {
    /// Shows `identity` to callers.
    pub fn new(identity: Identity<'_>, callers: ClientCertificates<'_>) -> Result<Self, TlsError> {
        let (chain, key) = identity.read()?;
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(unusable)?;
        let verifier = |pem| Ok(WebPkiClientVerifier::builder_with_provider(Arc::new(roots(pem)?), provider()));
        let verifier = match callers {
            ClientCertificates::NotAsked => None,
            ClientCertificates::Optional(pem) => Some(verifier(pem)?.allow_unauthenticated()),
            ClientCertificates::Required(pem) => Some(verifier(pem)?),
        };
        let builder = match verifier {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier.build().map_err(unusable)?),
        };
        let config = builder.with_single_cert(chain, key).map_err(unusable)?;
        Ok(Self(Arc::new(RwLock::new(TlsAcceptor::from(Arc::new(config))))))
    }

    /// Takes connections as `other` does from now on; those that are open go on.
    pub fn replace_by(&self, other: &Self) {
        let acceptor = other.acceptor();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
    }

    /// Shakes hands on a socket that another protocol than DICOM's goes over.
    pub async fn accept(&self, socket: TcpStream) -> io::Result<Box<dyn Duplex>> {
        Ok(Box::new(self.acceptor().accept(socket).await?))
    }

    fn acceptor(&self) -> TlsAcceptor {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// TLS 1.2 and 1.3 on the calling side. Clones share what they show, as those of [`TlsServer`].
#[derive(Clone)]
pub struct TlsClient(Arc<RwLock<TlsConnector>>);

impl TlsClient {
    /// Peers must have a certificate of one of `authorities` (PEM); `identity` is shown to those that ask for ours.
    pub fn new(authorities: &[u8], identity: Option<Identity<'_>>) -> Result<Self, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(unusable)?.with_root_certificates(roots(authorities)?);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = identity.read()?;
                builder.with_client_auth_cert(chain, key).map_err(unusable)?
            }
        };
        Ok(Self(Arc::new(RwLock::new(TlsConnector::from(Arc::new(config))))))
    }

    /// Calls as `other` does from now on.
    pub fn replace_by(&self, other: &Self) {
        let connector = other.connector();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = connector;
    }

    /// Shakes hands on a socket that another protocol than DICOM's goes over; the server's certificate must be of this host.
    pub async fn connect(&self, host: &str, socket: TcpStream) -> io::Result<Box<dyn Duplex>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(self.connector().connect(name, socket).await?))
    }

    fn connector(&self) -> TlsConnector {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsServer")
    }
}

impl std::fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsClient")
    }
}
