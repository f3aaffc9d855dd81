//! The listening side and the routes.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension, Router,
    extract::State,
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
};
use hilum_engine::{AccountId, Engine};
use thiserror::Error;
use tokio::{net::TcpListener, sync::watch, time::timeout};

use crate::{
    accept::Acceptor,
    api,
    dicomweb::{self, Channels},
    doors::{Door, Doors, Needs},
    ending::Ending,
    error::ApiError,
    guard::{self, Gate},
    https::Https,
    limits::Buckets,
    names::PublicName,
    openapi::{Document, Said},
    openid::{OpenIdProvider, Providers, UnusableProvider},
    site::Site,
    ui,
};

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// Where to listen. In the clear only on loopback, or for trusted proxies.
    pub address: SocketAddr,
    /// HTTPS instead of HTTP.
    pub https: Option<Https>,
    /// Names in Host headers that are answered, besides those of loopback and the address that a caller reached.
    pub public_names: Vec<PublicName>,
    /// Whose X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are believed, and who may speak HTTP from other machines.
    pub trusted_proxies: Vec<IpAddr>,
    /// Providers that people may sign in by, besides by password.
    pub openid: Vec<OpenIdProvider>,
    /// Connections at the same time; the next one waits. One caller has at most a quarter of them.
    pub max_connections: usize,
    /// Requests of one address (of IPv6: one /64 network) in the long run; ten seconds' worth may come at once. Callers on this machine
    /// have no limit.
    pub requests_per_second: u32,
    /// Longest instance of a STOW-RS request in bytes; a longer one is read past and reported as failed.
    pub max_instance_bytes: u64,
    /// A TLS handshake must be complete within this.
    pub handshake_timeout: Duration,
    /// A request's head must be complete within this, counted from when the connection waits for one.
    pub head_timeout: Duration,
    /// Longest silence of a sender in the middle of a STOW-RS request; what other requests hold must arrive whole within it.
    pub read_timeout: Duration,
    /// How long a peer may take nothing of an answer.
    pub write_timeout: Duration,
    /// How long a shutdown waits for requests in hand.
    pub shutdown_grace: Duration,
    /// Who listens to what changes hears something at least so often, and is asked for again whether it may.
    pub heartbeat: Duration,
    /// The program around the server, where there is one.
    pub site: Option<Arc<dyn Site>>,
}

impl WebConfig {
    /// The defaults: HTTP, 512 connections, 200 requests a second, 8 GiB an instance, 10 s for a handshake, 60 s for a head, 60 s of silence
    /// either way, 10 s at shutdown.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            https: None,
            public_names: Vec::new(),
            trusted_proxies: Vec::new(),
            openid: Vec::new(),
            max_connections: 512,
            requests_per_second: 200,
            max_instance_bytes: 8 << 30,
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_mins(1),
            read_timeout: Duration::from_mins(1),
            write_timeout: Duration::from_mins(1),
            shutdown_grace: Duration::from_secs(10),
            heartbeat: Duration::from_secs(15),
            site: None,
        }
    }
}

/// Why the server cannot listen.
#[derive(Debug, Error)]
pub enum BindError {
    /// What it says could be read, and changed, on the way.
    #[error(
        "HTTP address {0} can be reached from other machines, and HTTP is readable on the way. Configure [https] (a certificate, or \
         self_signed = true), or name the proxy that speaks HTTPS in front of Hilum in trusted_proxies, or use 127.0.0.1 or [::1]."
    )]
    InTheClear(SocketAddr),
    /// A provider cannot be asked.
    #[error(transparent)]
    OpenId(#[from] UnusableProvider),
    /// The operating system refuses the address.
    #[error("cannot listen for HTTP on {address}: {source}. Is another program using this port?")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
}

/// What every handler sees, whoever asks.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) engine: Engine,
    pub(crate) max_instance_bytes: u64,
    pub(crate) read_timeout: Duration,
    /// Where the server listens.
    pub(crate) port: u16,
    /// Whether it can be reached from this machine alone.
    pub(crate) loopback_only: bool,
    /// Requests of each account.
    pub(crate) requests: Arc<Buckets<AccountId>>,
    /// Providers that people may sign in by.
    pub(crate) openid: Providers,
    /// The program around it.
    pub(crate) site: Option<Arc<dyn Site>>,
    pub(crate) heartbeat: Duration,
    /// Who listens to what changes.
    pub(crate) listeners: api::Listeners,
    /// True once the server stops: what has no end by itself ends then.
    pub(crate) stopping: watch::Receiver<bool>,
    /// Event channels that are open.
    pub(crate) channels: Channels,
}

impl Server {
    /// Done once the server stops.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        drop(stopping.wait_for(|stopping| *stopping).await);
    }
}

/// An HTTP server that is listening.
pub struct WebServer {
    listener: TcpListener,
    config: WebConfig,
    engine: Engine,
    openid: Providers,
}

impl WebServer {
    /// Listens; nothing is answered before [`WebServer::serve`].
    pub async fn bind(config: WebConfig, engine: Engine) -> Result<Self, BindError> {
        let address = config.address;
        if !address.ip().is_loopback() && config.https.is_none() && config.trusted_proxies.is_empty() {
            return Err(BindError::InTheClear(address));
        }
        let openid = Providers::new(&config.openid)?;
        let listener = TcpListener::bind(address).await.map_err(|source| BindError::Listen { address, source })?;
        Ok(Self { listener, config, engine, openid })
    }

    /// Every address that is answered, and who may come in there.
    pub fn doors(&self) -> Vec<Door> {
        let (_, stopping) = watch::channel(false);
        doors(&server(&self.config, self.engine.clone(), self.openid.clone(), self.config.address, stopping)).list()
    }

    /// The OpenAPI document of every address that is answered.
    pub fn document(&self) -> serde_json::Value {
        let (_, stopping) = watch::channel(false);
        doors(&server(&self.config, self.engine.clone(), self.openid.clone(), self.config.address, stopping)).document()
    }

    /// The address listened on, with the port that port 0 became.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` is done, then finishes the requests in hand, within the configured grace.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let Self { listener, config, engine, openid } = self;
        let (stop, stopping) = watch::channel(false);
        let server = server(&config, engine, openid, listener.local_addr()?, stopping);
        let grace = config.shutdown_grace;
        let channels = server.channels.clone();
        if let Err(error) = server.engine.announce_restart().await {
            tracing::warn!(code = error.code(), "subscribers could not be told of the restart");
        }
        let acceptor = Acceptor::new(config, server);
        let connections = Ending::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = acceptor.next(&listener) => accepted,
                () = &mut shutdown => break,
            };
            match accepted {
                Ok((socket, peer, place)) => {
                    let (acceptor, watcher) = (acceptor.clone(), connections.watcher());
                    tokio::spawn(async move { acceptor.take(socket, peer, place, watcher).await });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: wait for connections to end instead of spinning.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(listener);
        stop.send_replace(true);
        if timeout(grace, async { tokio::join!(channels.ended(), connections.end()) }).await.is_err() {
            tracing::warn!("requests or event channels cut at shutdown");
        }
        Ok(())
    }
}

fn server(
    config: &WebConfig,
    engine: Engine,
    openid: Providers,
    address: SocketAddr,
    stopping: watch::Receiver<bool>,
) -> Server {
    Server {
        port: address.port(),
        loopback_only: address.ip().is_loopback() && config.trusted_proxies.is_empty(),
        requests: Arc::new(Buckets::new(config.requests_per_second)),
        engine,
        openid,
        channels: Channels::default(),
        max_instance_bytes: config.max_instance_bytes,
        read_timeout: config.read_timeout,
        heartbeat: config.heartbeat,
        site: config.site.clone(),
        listeners: api::Listeners::default(),
        stopping,
    }
}

fn doors(server: &Server) -> Doors {
    Doors::below(server, "")
        .get("/healthz", Needs::Nobody, || async { "ok" }, "Whether the server runs")
        .get("/readyz", Needs::Nobody, ready, ready_said())
        .and(api::doors(server))
        .and(dicomweb::doors(server))
}

pub(crate) fn router(server: Server, gate: Arc<Gate>) -> Router {
    let doors = doors(&server);
    let document = Document(doors.document().to_string().into());
    doors
        .router()
        .fallback(ui::serve)
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .layer(Extension(document))
        .layer(middleware::from_fn_with_state(gate, guard::check_and_protect))
        .layer(middleware::from_fn(guard::number_and_log))
        .with_state(server)
}

fn ready_said() -> Said {
    let text = serde_json::json!({"type": "string"});
    Said::from("Whether the catalogue answers").gives(200, "text/plain", text.clone()).gives(503, "text/plain", text)
}

/// Ready means that the catalogue answers.
async fn ready(State(server): State<Server>) -> Response {
    match timeout(Duration::from_secs(5), server.engine.answers()).await {
        Ok(Ok(())) => "ready".into_response(),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "not ready").into_response(),
    }
}
