//! A peer that says anything: what the fuzz target `peer` does, and the property test on stable as well (`crates/hilum-dimse/tests/it/fuzz.rs`).

use hilum_dimse::{ReceivedInstance, Scp, ScpConfig, Services, StoreFuture, StoreHandler, StoreOutcome};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

/// The node's thread, and what it calls those of its associations.
const THREADS: [&str; 2] = ["node", "association"];
static PANICKED: AtomicBool = AtomicBool::new(false);

struct Taken;

impl StoreHandler for Taken {
    fn store(&self, _: ReceivedInstance) -> StoreFuture<'_> {
        Box::pin(async { StoreOutcome::Kept })
    }
}

/// A node that keeps nothing, as long as the process lives.
fn node() -> SocketAddr {
    static NODE: OnceLock<SocketAddr> = OnceLock::new();
    *NODE.get_or_init(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let here = std::thread::current();
            PANICKED.fetch_or(here.name().is_some_and(|name| THREADS.contains(&name)), Ordering::SeqCst);
            before(info);
        }));
        let (tell, told) = mpsc::channel();
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let config = ScpConfig::new("127.0.0.1:0".parse().unwrap(), "HILUM".parse().unwrap());
                let scp = Scp::bind(config, Services::storing(Arc::new(Taken))).await.unwrap();
                tell.send(scp.local_addr().unwrap()).unwrap();
                scp.serve(std::future::pending()).await;
            });
        };
        std::thread::Builder::new().name(THREADS[0].to_owned()).spawn(serve).unwrap();
        told.recv().unwrap()
    })
}

/// Says these bytes to the node and no more. It answers in PDUs of the types that it may send (PS3.8 9.3.1) and closes; nothing panics. The
/// types are returned, in their order.
pub fn peer(bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(node()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let said = socket.write_all(bytes).and_then(|()| socket.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    let read = socket.read_to_end(&mut answer);
    // A node that has heard enough closes, whatever else is on its way.
    let closed = |error: &std::io::Error| {
        matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected)
    };
    assert!(said.as_ref().err().is_none_or(closed), "{said:?}");
    assert!(read.as_ref().err().is_none_or(closed), "the node neither answers nor closes: {read:?}");
    assert!(!PANICKED.load(Ordering::SeqCst), "the node panicked");
    let (mut rest, mut types) = (&answer[..], Vec::new());
    while let [kind, _, a, b, c, d, behind @ ..] = rest {
        assert!(matches!(kind, 2..=4 | 6 | 7), "a PDU of type {kind}");
        types.push(*kind);
        rest = behind.get(u32::from_be_bytes([*a, *b, *c, *d]) as usize..).unwrap_or_default();
    }
    types
}
