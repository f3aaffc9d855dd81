//! Requests of this program to servers of others: no redirect is followed, no answer is longer than a limit, and none takes longer than one.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{Method, Request, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use thiserror::Error;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::names::Authority;

const CONNECT: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(30);

pub(crate) type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client that believes the authorities of a file (PEM), or those that browsers believe. The error is why the file cannot be used.
pub(crate) fn client(authorities: Option<&Path>) -> Result<HttpClient, String> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT));
    let builder = HttpsConnectorBuilder::new();
    let builder = match authorities {
        None => builder.with_webpki_roots(),
        Some(file) => {
            builder.with_tls_config(ClientConfig::builder().with_root_certificates(roots(file)?).with_no_client_auth())
        }
    };
    Ok(Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .build(builder.https_or_http().enable_http1().wrap_connector(tcp)))
}

fn roots(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())? {
        roots.add(certificate.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(roots) }
}

/// Why there is no answer. Nothing of the request or the answer stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OutgoingFault {
    /// No connection, or it broke.
    #[error("the server was not reached, or the connection broke")]
    Unreachable,
    /// It took too long.
    #[error("the server did not answer in time")]
    Late,
    /// It sends elsewhere.
    #[error("the server sends elsewhere (redirect), which is not followed")]
    Redirected,
    /// The answer has no end.
    #[error("the answer is longer than is taken")]
    TooLong,
    /// The address or the token cannot stand in a request.
    #[error("the address or the token cannot stand in a request")]
    Unusable,
}

/// An address that nobody can overhear: https, or http on this machine.
pub fn is_safe(address: &str) -> bool {
    let graphic = address.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>".contains(&byte));
    let Some((scheme, rest)) = address.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some(parsed) = Authority::parse(authority) else { return false };
    let named = graphic && !authority.contains('@') && address.parse::<hyper::Uri>().is_ok();
    named && (scheme == "https" || scheme == "http" && parsed.is_loopback())
}

/// A server of somebody else's.
#[derive(Clone, Debug)]
pub struct Outgoing {
    client: HttpClient,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Outbound<'a> {
    /// `https://...`
    pub address: &'a str,
    /// Of the body.
    pub media_type: &'a str,
    /// Of the answer.
    pub accept: &'a str,
    /// Who we are (RFC 6750).
    pub bearer: Option<&'a str>,
    /// How long it may take, connection and all.
    pub patience: Duration,
    /// Longest answer, bytes.
    pub longest: usize,
}

impl Outgoing {
    /// See [`client`].
    pub fn new(authorities: Option<&Path>) -> Result<Self, String> {
        Ok(Self { client: client(authorities)? })
    }

    /// Sends a body; status and body of the answer.
    pub async fn post(&self, to: Outbound<'_>, body: Vec<u8>) -> Result<(u16, Bytes), OutgoingFault> {
        self.send(Method::POST, to, body).await
    }

    /// Asks for a document; status and body of the answer.
    pub async fn get(&self, from: Outbound<'_>) -> Result<(u16, Bytes), OutgoingFault> {
        self.send(Method::GET, from, Vec::new()).await
    }

    async fn send(&self, method: Method, to: Outbound<'_>, body: Vec<u8>) -> Result<(u16, Bytes), OutgoingFault> {
        let mut request = Request::builder().method(&method).uri(to.address).header(header::ACCEPT, to.accept);
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, to.media_type);
        }
        if let Some(token) = to.bearer {
            let mut value =
                header::HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| OutgoingFault::Unusable)?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request.body(Full::from(body)).map_err(|_| OutgoingFault::Unusable)?;
        let answer = async {
            let response = self.client.request(request).await.map_err(|_| OutgoingFault::Unreachable)?;
            let (parts, body) = response.into_parts();
            if parts.status.is_redirection() {
                return Err(OutgoingFault::Redirected);
            }
            let body = Limited::new(body, to.longest).collect().await.map_err(|error| {
                let too_long = error.downcast_ref::<LengthLimitError>().is_some();
                if too_long { OutgoingFault::TooLong } else { OutgoingFault::Unreachable }
            })?;
            Ok((parts.status.as_u16(), body.to_bytes()))
        };
        tokio::time::timeout(to.patience, answer).await.unwrap_or(Err(OutgoingFault::Late))
    }
}
