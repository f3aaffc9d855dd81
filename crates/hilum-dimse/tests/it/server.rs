//! A server on port 0 whose handler remembers what it was given.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hilum_dimse::{ReceivedInstance, Scp, ScpConfig, Services, StoreFuture, StoreHandler, StoreOutcome};
use tokio::{sync::oneshot, task::JoinHandle};

/// A disk that does not answer does so in the end: a test that waits for it fails instead of never ending.
const STUCK: Duration = Duration::from_secs(20);

/// Remembers instances; answers as told.
pub struct Recorder {
    pub kept: Mutex<Vec<ReceivedInstance>>,
    pub outcome: Mutex<StoreOutcome>,
    pub delay: Duration,
    /// The disk does not answer to those who may wait for it on their thread.
    pub stuck: AtomicBool,
}

impl StoreHandler for Recorder {
    fn store(&self, instance: ReceivedInstance) -> StoreFuture<'_> {
        Box::pin(async move {
            tokio::time::sleep(self.delay).await;
            let since = Instant::now();
            while instance.may_block && self.stuck.load(Ordering::Relaxed) && since.elapsed() < STUCK {
                thread::sleep(Duration::from_millis(5));
            }
            self.kept.lock().unwrap().push(instance);
            *self.outcome.lock().unwrap()
        })
    }
}

pub struct Running {
    pub address: SocketAddr,
    pub recorder: Arc<Recorder>,
    stop: Option<oneshot::Sender<()>>,
    pub task: JoinHandle<()>,
}

impl Running {
    pub fn port(&self) -> String {
        self.address.port().to_string()
    }

    pub fn kept(&self) -> usize {
        self.recorder.kept.lock().unwrap().len()
    }

    pub fn stop(&mut self) {
        self.stop.take().expect("stopped once").send(()).expect("the server runs");
    }
}

pub fn config() -> ScpConfig {
    ScpConfig::new("127.0.0.1:0".parse().unwrap(), "HILUM".parse().unwrap())
}

pub async fn start(config: ScpConfig) -> Running {
    start_with(config, Duration::ZERO).await
}

pub async fn start_with(config: ScpConfig, delay: Duration) -> Running {
    start_serving(config, delay, |services| services).await
}

/// With more services than storing.
pub async fn start_serving(config: ScpConfig, delay: Duration, more: impl FnOnce(Services) -> Services) -> Running {
    let (kept, outcome) = (Mutex::new(Vec::new()), Mutex::new(StoreOutcome::Kept));
    let recorder = Arc::new(Recorder { kept, outcome, delay, stuck: AtomicBool::new(false) });
    let services = more(Services::storing(Arc::clone(&recorder) as Arc<dyn StoreHandler>));
    let scp = Scp::bind(config, services).await.expect("port 0 is free");
    let address = scp.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(scp.serve(async {
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
    }));
    Running { address, recorder, stop: Some(stop), task }
}

/// An explicit little-endian CT data set with `pixels` bytes of pixel data.
pub fn data_set(sop: &str, pixels: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut short = |group: u16, element: u16, vr: &[u8; 2], value: &[u8]| {
        let padded = value.len().next_multiple_of(2);
        out.extend(group.to_le_bytes());
        out.extend(element.to_le_bytes());
        out.extend(vr);
        out.extend((padded as u16).to_le_bytes());
        out.extend(value);
        out.resize(out.len() + padded - value.len(), 0);
    };
    short(0x0008, 0x0016, b"UI", CT.as_bytes());
    short(0x0008, 0x0018, b"UI", sop.as_bytes());
    short(0x0008, 0x0060, b"CS", b"CT");
    short(0x0020, 0x000D, b"UI", b"1.2.826.0.1.3680043.8.498.1");
    short(0x0020, 0x000E, b"UI", b"1.2.826.0.1.3680043.8.498.2");
    out.extend([0xE0, 0x7F, 0x10, 0x00, b'O', b'W', 0, 0]);
    out.extend((pixels as u32).to_le_bytes());
    out.extend((0..pixels).map(|index| (index % 251) as u8));
    out
}

pub const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";

/// The same as a PS3.10 file, for the peers' tools.
pub fn part10(sop: &str, pixels: usize) -> Vec<u8> {
    let mut out = part10_of(sop, EXPLICIT);
    out.extend(data_set(sop, pixels));
    out
}

/// What stands in front of a data set.
pub fn part10_of(sop: &str, transfer_syntax: &str) -> Vec<u8> {
    let mut meta = Vec::new();
    meta.extend([2, 0, 1, 0, b'O', b'B', 0, 0, 2, 0, 0, 0, 0, 1]);
    for (element, value) in [(0x02u16, CT), (0x03, sop), (0x10, transfer_syntax), (0x12, "1.2.3")] {
        let padded = value.len().next_multiple_of(2);
        meta.extend([2, 0]);
        meta.extend(element.to_le_bytes());
        meta.extend(b"UI");
        meta.extend((padded as u16).to_le_bytes());
        meta.extend(value.as_bytes());
        meta.resize(meta.len() + padded - value.len(), 0);
    }
    let mut out = vec![0; 128];
    out.extend(b"DICM");
    out.extend([2, 0, 0, 0, b'U', b'L', 4, 0]);
    out.extend((meta.len() as u32).to_le_bytes());
    out.extend(meta);
    out
}
