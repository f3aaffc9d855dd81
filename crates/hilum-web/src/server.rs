//! The listening side and the routes.

use std::{future::Future, io, net::SocketAddr, pin::pin, time::Duration};

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
};
use hilum_engine::Engine;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use thiserror::Error;
use tokio::{net::TcpListener, time::timeout};

use crate::doors::{Door, Doors, Needs};
use crate::{api, dicomweb, error::ApiError, guard, ui};

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// Where to listen. Only loopback addresses, until access control exists.
    pub address: SocketAddr,
    /// Longest instance of a STOW-RS request in bytes; a longer one is read past and reported as failed.
    pub max_instance_bytes: u64,
    /// A request's head must be complete within this, counted from when the connection waits for one.
    pub head_timeout: Duration,
    /// Longest silence of a sender in the middle of a STOW-RS request.
    pub read_timeout: Duration,
    /// How long a shutdown waits for requests in hand.
    pub shutdown_grace: Duration,
}

impl WebConfig {
    /// The defaults: 8 GiB an instance, 60 s for a head, 60 s of silence, 10 s at shutdown.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            max_instance_bytes: 8 << 30,
            head_timeout: Duration::from_mins(1),
            read_timeout: Duration::from_mins(1),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// Why the server cannot listen.
#[derive(Debug, Error)]
pub enum BindError {
    /// The address can be reached from other machines.
    #[error(
        "HTTP address {0} can be reached from other machines. Until access control exists, Hilum answers on loopback only: \
         use 127.0.0.1 or [::1]."
    )]
    NotLoopback(SocketAddr),
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
    /// Requests come over TLS.
    pub(crate) secure: bool,
}

/// An HTTP server that is listening.
pub struct WebServer {
    listener: TcpListener,
    config: WebConfig,
    engine: Engine,
}

impl WebServer {
    /// Listens; nothing is answered before [`WebServer::serve`].
    pub async fn bind(config: WebConfig, engine: Engine) -> Result<Self, BindError> {
        let address = config.address;
        if !address.ip().is_loopback() {
            return Err(BindError::NotLoopback(address));
        }
        let listener = TcpListener::bind(address).await.map_err(|source| BindError::Listen { address, source })?;
        Ok(Self { listener, config, engine })
    }

    /// Every address that is answered, and who may come in there.
    pub fn doors(&self) -> Vec<Door> {
        let server = Server {
            port: 0,
            secure: false,
            engine: self.engine.clone(),
            max_instance_bytes: self.config.max_instance_bytes,
            read_timeout: self.config.read_timeout,
        };
        doors(&server).list()
    }

    /// The address listened on, with the port that port 0 became.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` is done, then finishes the requests in hand, within the configured grace.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let port = self.listener.local_addr()?.port();
        let server = Server {
            port,
            secure: false,
            engine: self.engine,
            max_instance_bytes: self.config.max_instance_bytes,
            read_timeout: self.config.read_timeout,
        };
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(self.config.head_timeout);
        let service = TowerToHyperService::new(router(server));
        let connections = GracefulShutdown::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut shutdown => break,
            };
            let socket = match accepted {
                Ok((socket, _)) => socket,
                Err(error) => {
                    // Out of file descriptors, most likely: wait for connections to end instead of spinning.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            if let Err(error) = socket.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY");
            }
            let connection = connections.watch(http.serve_connection(TokioIo::new(socket), service.clone()));
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection ended early");
                }
            });
        }
        drop(self.listener);
        if timeout(self.config.shutdown_grace, connections.shutdown()).await.is_err() {
            tracing::warn!("requests cut at shutdown");
        }
        Ok(())
    }
}

fn doors(server: &Server) -> Doors {
    Doors::below(server, "")
        .get("/healthz", Needs::Nobody, || async { "ok" })
        .get("/readyz", Needs::Nobody, ready)
        .and(api::doors(server))
        .and(dicomweb::doors(server))
}

fn router(server: Server) -> Router {
    doors(&server)
        .router()
        .fallback(ui::serve)
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .layer(middleware::from_fn(guard::log))
        .layer(middleware::from_fn(guard::check_and_protect))
        .with_state(server)
}

/// Ready means that the catalogue answers.
async fn ready(State(server): State<Server>) -> Response {
    match timeout(Duration::from_secs(5), server.engine.answers()).await {
        Ok(Ok(())) => "ready".into_response(),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "not ready").into_response(),
    }
}
