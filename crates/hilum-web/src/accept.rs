//! From an accepted socket to the requests on it: how many there may be, TLS, time limits.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_rustls::server::TlsStream;

use crate::{
    connection::Socket,
    ending::Watcher,
    guard::Gate,
    https::Https,
    limits::{Buckets, Connections, OpenConnection},
    server::{Server, WebConfig, router},
    stream::Stream,
};

/// First byte of every TLS connection (RFC 8446 5.1: a record of content type handshake).
const TLS_HANDSHAKE: u8 = 22;

/// What whoever speaks HTTP to the port of HTTPS is told.
const SPEAK_HTTPS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 46\r\nConnection: close\r\n\r\n\
    This port speaks HTTPS: write https:// instead";

/// Turns sockets into requests.
#[derive(Clone)]
pub(crate) struct Acceptor {
    http: http1::Builder,
    https: Option<Https>,
    requests: TowerToHyperService<Router>,
    gate: Arc<Gate>,
    places: Arc<Semaphore>,
    open: Connections,
    most_of_one_caller: usize,
    handshake_timeout: Duration,
    write_timeout: Duration,
}

impl Acceptor {
    pub(crate) fn new(config: WebConfig, server: Server) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(config.head_timeout);
        let gate = Arc::new(Gate {
            public_names: config.public_names,
            trusted_proxies: config.trusted_proxies.iter().map(IpAddr::to_canonical).collect(),
            requests: Buckets::new(config.requests_per_second),
        });
        Self {
            http,
            https: config.https,
            requests: TowerToHyperService::new(router(server, Arc::clone(&gate))),
            gate,
            places: Arc::new(Semaphore::new(config.max_connections)),
            open: Connections::default(),
            most_of_one_caller: config.max_connections.div_ceil(4),
            handshake_timeout: config.handshake_timeout,
            write_timeout: config.write_timeout,
        }
    }

    /// The next connection, once there is a place for it.
    pub(crate) async fn next(
        &self,
        listener: &TcpListener,
    ) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other)?;
        let (socket, peer) = listener.accept().await?;
        Ok((socket, peer, place))
    }

    /// Serves a connection until it ends.
    pub(crate) async fn take(
        self,
        socket: TcpStream,
        peer: SocketAddr,
        _place: OwnedSemaphorePermit,
        mut watcher: Watcher,
    ) {
        let Ok(local) = socket.local_addr() else { return };
        let ends =
            Socket { peer: peer.ip().to_canonical(), local: local.ip().to_canonical(), tls: self.https.is_some() };
        let Some(_open) = self.admit(ends) else { return };
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
        let stream = match &self.https {
            None => Stream::plain(socket, self.write_timeout),
            Some(https) => match timeout(self.handshake_timeout, handshake(https, socket)).await {
                Ok(Ok(socket)) => Stream::tls(socket, self.write_timeout),
                Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => return tracing::debug!("a TLS handshake took too long"),
            },
        };
        let requests = OfSocket { requests: self.requests, ends };
        // An event channel goes on upon the socket when the requests have ended.
        let mut connection = pin!(self.http.serve_connection(TokioIo::new(stream), requests).with_upgrades());
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = watcher.asked() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    /// Its share of the connections, if it may have one more. A proxy stands for many callers, and what runs on this machine is no stranger:
    /// both have no share.
    fn admit(&self, ends: Socket) -> Option<OpenConnection> {
        if could_be_overheard(ends, &self.gate.trusted_proxies) {
            tracing::warn!("a connection in the clear from another machine was cut: it is no trusted proxy");
            return None;
        }
        let has_no_share = ends.peer.is_loopback() || self.gate.trusted_proxies.contains(&ends.peer);
        let most = if has_no_share { usize::MAX } else { self.most_of_one_caller };
        let open = self.open.open(ends.peer, most);
        if open.is_none() {
            tracing::warn!("a caller has too many connections open; one more was cut");
        }
        open
    }
}

/// In the clear only this machine and the proxies are answered; whoever else is cut before it says anything.
fn could_be_overheard(ends: Socket, trusted_proxies: &[IpAddr]) -> bool {
    !ends.tls && !ends.peer.is_loopback() && !trusted_proxies.contains(&ends.peer)
}

async fn handshake(https: &Https, mut socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    if socket.peek(&mut first).await? == 1 && first[0] != TLS_HANDSHAKE {
        // What was not read would turn the end into a reset, which takes the answer away.
        let mut sent = [0; 4096];
        let bytes = socket.read(&mut sent).await?;
        tracing::debug!(bytes, "HTTP on the port of HTTPS");
        socket.write_all(SPEAK_HTTPS).await?;
        socket.shutdown().await?;
        return Err(io::Error::other("it is no TLS"));
    }
    https.acceptor().accept(socket).await
}

/// The routes, for requests of one socket.
struct OfSocket {
    requests: TowerToHyperService<Router>,
    ends: Socket,
}

impl Service<Request<Incoming>> for OfSocket {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.ends);
        self.requests.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_clear_only_this_machine_and_the_proxies_are_answered() {
        let proxies = ["10.0.0.5".parse().unwrap()];
        for (peer, tls, cut) in [
            ("127.0.0.1", false, false),
            ("::1", false, false),
            ("10.0.0.5", false, false),
            ("10.0.0.6", false, true),
            ("2001:db8::1", false, true),
            ("10.0.0.6", true, false),
        ] {
            let ends = Socket { peer: peer.parse().unwrap(), local: "10.0.0.1".parse().unwrap(), tls };
            assert_eq!(could_be_overheard(ends, &proxies), cut, "{peer} {tls}");
        }
    }
}
