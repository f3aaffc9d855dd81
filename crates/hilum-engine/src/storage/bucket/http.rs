//! HTTP for `object_store`: hyper over the workspace's own rustls, so that no second TLS library comes in.

use super::settings::BucketSettings;
use crate::storage::StorageError;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const CONNECT: Duration = Duration::from_secs(5);
/// An answer begins within this time after a request was sent, and no pause in it is longer.
const ANSWER: Duration = Duration::from_secs(10);
/// A service that takes less than this many bytes a second is not there.
const SLOWEST: usize = 1 << 20;
const IDLE: Duration = Duration::from_secs(30);

/// Makes requests of one service.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: Client<HttpsConnector<Tcp>, HttpRequestBody>,
}

impl Http {
    pub(super) fn new(settings: &BucketSettings) -> Result<Self, StorageError> {
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_keepalive(Some(IDLE));
        let builder = HttpsConnectorBuilder::new();
        let builder = match &settings.ca {
            None => builder.with_webpki_roots(),
            Some(file) => {
                let mut roots = RootCertStore::empty();
                let unreadable = |reason: String| StorageError::Authorities { reason };
                let certificates =
                    CertificateDer::pem_file_iter(file).map_err(|error| unreadable(error.to_string()))?;
                for certificate in certificates {
                    let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
                    roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(unreadable("it holds no certificate".to_owned()));
                }
                builder.with_tls_config(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
            }
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(builder.https_or_http().enable_http1().wrap_connector(tcp));
        Ok(Self { client })
    }
}

impl HttpConnector for Http {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait::async_trait]
impl HttpService for Http {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let sending = Duration::from_secs((request.body().content_length() / SLOWEST) as u64);
        let answer = tokio::time::timeout(ANSWER + sending, self.client.request(request)).await;
        let (parts, body) = answer.map_err(|_| too_late())?.map_err(failed)?.into_parts();
        let answer = Answer { body, patience: Box::pin(tokio::time::sleep(ANSWER)) };
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(answer)))
    }
}

fn too_late() -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, io::Error::from(io::ErrorKind::TimedOut))
}

fn failed(error: ClientError) -> HttpError {
    let kind = if error.is_connect() {
        HttpErrorKind::Connect
    } else {
        error.source().and_then(|source| source.downcast_ref()).map_or(HttpErrorKind::Interrupted, kind)
    };
    HttpError::new(kind, error)
}

fn kind(error: &hyper::Error) -> HttpErrorKind {
    match error {
        error if error.is_timeout() => HttpErrorKind::Timeout,
        error if error.is_parse() => HttpErrorKind::Decode,
        _ => HttpErrorKind::Interrupted,
    }
}

/// The body of an answer that may not pause for long.
#[derive(Debug)]
struct Answer {
    body: Incoming,
    patience: Pin<Box<Sleep>>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.patience.as_mut().reset(tokio::time::Instant::now() + ANSWER);
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| HttpError::new(kind(&error), error))));
        }
        match self.patience.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(too_late()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
