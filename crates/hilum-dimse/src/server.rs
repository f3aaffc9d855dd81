//! The listening side: limits, one task and one thread per association, shutdown.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use hilum_dicom::{AeTitle, SopClassUid, charset::SpecificCharacterSet};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{
    association::{Shared, serve},
    peers::{Callers, RefusedCaller},
    places::{Door, Places},
    requestor::ScuConfig,
    service::Services,
    threads::OwnThread,
    transport::TlsServer,
};

/// Associations that are cut are waited for as long as this.
const CUT: Duration = Duration::from_secs(1);

/// How the service class provider behaves.
#[derive(Debug, Clone)]
pub struct ScpConfig {
    /// Where to listen; beyond loopback only with known callers.
    pub address: SocketAddr,
    /// Our AE title.
    pub ae_title: AeTitle,
    /// Refuse associations that call another AE title than ours.
    pub check_called_ae: bool,
    /// Associations at the same time; one more is rejected as transient (local limit exceeded). Where several peers are known, one of
    /// them has at most three quarters.
    pub max_associations: usize,
    /// Longest data set in bytes; a longer one is read past and answered A700.
    pub max_instance_bytes: u64,
    /// Bytes of data sets in memory at the same time, all associations together; beyond it, instances go on in files while they are
    /// received.
    pub max_bytes_in_flight: u64,
    /// A PDU, once begun, must be complete within this, and an answer taken.
    pub pdu_timeout: Duration,
    /// Longest silence between two messages of an association.
    pub idle_timeout: Duration,
    /// How long a shutdown waits for instances that are being received.
    pub shutdown_grace: Duration,
    /// Private storage SOP classes to accept besides those in wide use.
    pub private_storage: Vec<SopClassUid>,
    /// Who may call.
    pub callers: Callers,
    /// TLS on every connection; in the clear without.
    pub tls: Option<TlsServer>,
    /// The character set of answers that go beyond ASCII, for requestors that do not state one.
    pub response_character_set: SpecificCharacterSet,
    /// How move destinations and requestors of storage commitment are called.
    pub calling: ScuConfig,
    /// Hears of callers that are not recognised, before they are told; one that does not listen makes them wait.
    pub refused: Option<mpsc::Sender<RefusedCaller>>,
}

impl ScpConfig {
    /// The defaults: 64 associations, 8 GiB an instance, 64 MiB in memory, 30 s a PDU, 5 min of silence, 10 s at shutdown;
    /// anybody may call, in the clear.
    pub fn new(address: SocketAddr, ae_title: AeTitle) -> Self {
        Self {
            address,
            calling: ScuConfig::new(ae_title.clone()),
            ae_title,
            check_called_ae: false,
            max_associations: 64,
            max_instance_bytes: 8 << 30,
            max_bytes_in_flight: 64 << 20,
            pdu_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_mins(5),
            shutdown_grace: Duration::from_secs(10),
            private_storage: Vec::new(),
            callers: Callers::Anybody,
            tls: None,
            response_character_set: SpecificCharacterSet::utf8(),
            refused: None,
        }
    }
}

/// Why the service cannot listen.
#[derive(Debug, Error)]
pub enum BindError {
    /// The address can be reached from other machines, and anybody may call.
    #[error(
        "DIMSE address {0} can be reached from other machines, and anybody could call there. Configure [[peers]], who then are the only \
         callers, or use 127.0.0.1 or [::1]."
    )]
    OpenToAnybody(SocketAddr),
    /// The operating system refuses the address.
    #[error("cannot listen for DICOM on {address}: {source}. Is another program using this port?")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
}

/// A service class provider that is listening.
pub struct Scp {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl Scp {
    /// Listens; nothing is accepted before [`Scp::serve`].
    pub async fn bind(config: ScpConfig, services: Services) -> Result<Self, BindError> {
        let address = config.address;
        if !address.ip().is_loopback() && matches!(config.callers, Callers::Anybody) {
            return Err(BindError::OpenToAnybody(address));
        }
        let listener = TcpListener::bind(address).await.map_err(|source| BindError::Listen { address, source })?;
        let places = Places::new(config.max_associations, &config.callers);
        Ok(Self { listener, shared: Arc::new(Shared { config, services, places, in_flight: AtomicU64::new(0) }) })
    }

    /// The address listened on, with the port that port 0 became.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` is done, then finishes the messages that are being received, within the configured grace.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let config = &self.shared.config;
        let door = Door::new(config.max_associations);
        let (stop, stopping) = watch::channel(false);
        let mut associations = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            let socket = tokio::select! {
                () = &mut shutdown => break,
                accepted = self.listener.accept() => accepted,
                Some(ended) = associations.join_next(), if !associations.is_empty() => {
                    log_panic(ended);
                    continue;
                }
            };
            let (socket, remote) = match socket {
                Ok((socket, remote)) => (socket, remote.ip()),
                Err(error) => {
                    // Out of file descriptors, most likely: wait for associations to end instead of spinning.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (shared, stopping, seat) = (Arc::clone(&self.shared), stopping.clone(), door.stand(remote));
            match OwnThread::take() {
                Some(own) => {
                    let (thread, socket) = (own.handle().clone(), socket.into_std());
                    let apart = async move {
                        let _own = own;
                        match socket.and_then(TcpStream::from_std) {
                            Ok(socket) => serve(socket, remote, shared, stopping, seat).await,
                            Err(error) => tracing::warn!(%error, "a connection was lost on the way to its thread"),
                        }
                    };
                    associations.spawn_on(apart, &thread);
                }
                None => drop(associations.spawn(serve(socket, remote, shared, stopping, seat))),
            }
        }
        drop(self.listener);
        stop.send_replace(true);
        let finished = timeout(config.shutdown_grace, async {
            while let Some(ended) = associations.join_next().await {
                log_panic(ended);
            }
        });
        if finished.await.is_err() {
            tracing::warn!(left = associations.len(), "associations cut at shutdown");
            // One that waits for a disk which does not answer hears nothing.
            drop(timeout(CUT, associations.shutdown()).await);
        }
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("an association ended by a bug; the others go on");
    }
}
