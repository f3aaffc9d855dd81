//! What a processor has to do for an instance whoever receives it: take it out of the socket, compute its SHA-256, put it into a file.

use std::fs::{File, read_to_string};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use anyhow::Context;
use sha2::{Digest, Sha256};

/// Processor time of one instance, ms.
#[derive(Clone, Copy)]
pub struct Floor {
    pub socket: f64,
    pub digest: f64,
    pub file: f64,
}

impl Floor {
    pub fn sum(self) -> f64 {
        self.socket + self.digest + self.file
    }
}

const INSTANCES: usize = 1000;
/// As the longest PDU that is agreed on.
const PIECE: usize = 131_072;

/// Measured with `bytes` bytes an instance, on a thread of its own.
pub fn measure(bytes: usize, scratch: &Path) -> anyhow::Result<Floor> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let sender = std::thread::spawn(move || -> std::io::Result<()> {
        let mut socket = TcpStream::connect(address)?;
        let instance = vec![0x5A; bytes];
        (0..INSTANCES).try_for_each(|_| socket.write_all(&instance))
    });
    let mut socket = listener.accept()?.0;
    let path = scratch.join("floor");
    let mut file = File::create(&path)?;
    let mut instance = vec![0; bytes];
    let mut spent = [0_u64; 3];
    for _ in 0..INSTANCES {
        let start = processor_time()?;
        for piece in instance.chunks_mut(PIECE) {
            socket.read_exact(piece)?;
        }
        let received = processor_time()?;
        let digest = Sha256::digest(&instance);
        std::hint::black_box(digest);
        let digested = processor_time()?;
        file.write_all(&instance)?;
        let written = processor_time()?;
        for (sum, time) in spent.iter_mut().zip([received - start, digested - received, written - digested]) {
            *sum += time;
        }
    }
    sender.join().map_err(|_| anyhow::anyhow!("the sending thread ended early"))??;
    std::fs::remove_file(&path)?;
    let [socket, digest, file] = spent.map(|nanoseconds| nanoseconds as f64 / 1e6 / INSTANCES as f64);
    Ok(Floor { socket, digest, file })
}

/// Nanoseconds that this thread has run.
fn processor_time() -> anyhow::Result<u64> {
    let stat = read_to_string("/proc/thread-self/schedstat")?;
    stat.split(' ').next().and_then(|time| time.parse().ok()).context("schedstat")
}
