//! Bytes to a syslog server.

use super::{BadSyslogFile, Carrier, SyslogIdentity, SyslogServer};
use hyper_rustls::ConfigBuilderExt as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A connection is made, and a message taken, within this.
const PATIENCE: Duration = Duration::from_secs(5);

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

enum Open {
    Datagrams(UdpSocket),
    Stream(Box<dyn Stream>),
}

/// The way to one server; opened again where it broke.
pub(super) struct Way {
    server: SyslogServer,
    connector: Option<TlsConnector>,
    open: Option<Open>,
}

/// Trusts these authorities, or those that everybody knows, and shows this certificate, or none.
pub(super) fn connector(
    authorities: Option<&Path>,
    identity: Option<&SyslogIdentity>,
) -> Result<TlsConnector, BadSyslogFile> {
    let bad = |key: &'static str, reason: String| BadSyslogFile { key, reason };
    let certificates = |key: &'static str, file: &Path| {
        let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let read = read.map_err(|error| bad(key, error.to_string()))?;
        if read.is_empty() { Err(bad(key, "it holds no certificate".to_owned())) } else { Ok(read) }
    };
    let builder = ClientConfig::builder();
    let builder = match authorities {
        None => builder.with_webpki_roots(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates("authorities", file)? {
                roots.add(certificate).map_err(|error| bad("authorities", error.to_string()))?;
            }
            builder.with_root_certificates(roots)
        }
    };
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(SyslogIdentity { certificate, key }) => {
            let shown = certificates("certificate", certificate)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| bad("key", error.to_string()))?;
            builder.with_client_auth_cert(shown, key).map_err(|error| bad("certificate", error.to_string()))?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Way {
    pub(super) fn new(server: SyslogServer, connector: Option<TlsConnector>) -> Self {
        Self { server, connector, open: None }
    }

    pub(super) fn is_datagram(&self) -> bool {
        self.server.carrier == Carrier::Udp
    }

    /// The last message went out.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Sends one message; on an error the way is closed, and the message may be sent again.
    pub(super) async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let sent = match tokio::time::timeout(PATIENCE, self.try_send(message)).await {
            Ok(sent) => sent,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        if sent.is_err() {
            self.open = None;
        }
        sent
    }

    async fn try_send(&mut self, message: &[u8]) -> io::Result<()> {
        if self.is_hung_up().await {
            self.open = None;
        }
        if self.open.is_none() {
            self.open = Some(self.opened().await?);
        }
        match &mut self.open {
            Some(Open::Datagrams(socket)) => socket.send(message).await.map(drop),
            Some(Open::Stream(stream)) => {
                // Octet counting: the length, a space, the message.
                let mut frame = format!("{} ", message.len()).into_bytes();
                frame.extend(message);
                stream.write_all(&frame).await?;
                stream.flush().await
            }
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Whether the server has closed its stream, which only reading tells: it says nothing otherwise.
    async fn is_hung_up(&mut self) -> bool {
        let Some(Open::Stream(stream)) = &mut self.open else { return false };
        matches!(tokio::time::timeout(Duration::ZERO, stream.read(&mut [0; 64])).await, Ok(Ok(0) | Err(_)))
    }

    async fn opened(&self) -> io::Result<Open> {
        let SyslogServer { carrier, host, port } = &self.server;
        if *carrier == Carrier::Udp {
            let mut addresses = tokio::net::lookup_host((host.as_str(), *port)).await?;
            let address = addresses.next().ok_or(io::ErrorKind::NotFound)?;
            let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(own).await?;
            socket.connect(address).await?;
            return Ok(Open::Datagrams(socket));
        }
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        Ok(Open::Stream(match &self.connector {
            None => Box::new(stream),
            Some(connector) => {
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                Box::new(connector.connect(name, stream).await?)
            }
        }))
    }
}

/// This machine's name, or that there is none (RFC 5424 6.2.4).
pub(super) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain: String = name.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
    if plain.is_empty() { "-".to_owned() } else { plain }
}
