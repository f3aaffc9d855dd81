//! What a processor has to do for an instance whoever receives it: take it out of the socket, compute its SHA-256, put it into a file.

use std::fs::{File, read_to_string};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use ring::digest::{SHA256, digest};

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
    let mut stream = listener.accept()?.0;
    let mut instance = vec![0; bytes];
    let socket = spent(|| instance.chunks_mut(PIECE).try_for_each(|piece| stream.read_exact(piece)))?;
    sender.join().map_err(|_| anyhow::anyhow!("the sending thread ended early"))??;
    let digest = spent(|| {
        std::hint::black_box(digest(&SHA256, &instance));
        Ok(())
    })?;
    let path = scratch.join("floor");
    let mut kept = set_aside(&path, (bytes * INSTANCES) as u64)?;
    let file = spent(|| kept.write_all(&instance))?;
    std::fs::remove_file(&path)?;
    Ok(Floor { socket, digest, file })
}

/// A new file. Blocks for so many bytes are set aside, as for whoever takes the least time; where that cannot be, they are found one by one.
pub(super) fn set_aside(path: &Path, bytes: u64) -> std::io::Result<File> {
    let file = File::create(path)?;
    let length = bytes.to_string();
    let _set_aside = Command::new("fallocate").args(["--keep-size", "--length", &length]).arg(path).status();
    Ok(file)
}

/// Processor time of one turn, ms. The system adds it up now and then, so a turn alone cannot be told.
fn spent(mut work: impl FnMut() -> std::io::Result<()>) -> anyhow::Result<f64> {
    let start = processor_time()?;
    (0..INSTANCES).try_for_each(|_| work())?;
    Ok((processor_time()? - start) as f64 / 1e6 / INSTANCES as f64)
}

/// Nanoseconds that this thread has run.
fn processor_time() -> anyhow::Result<u64> {
    let stat = read_to_string("/proc/thread-self/schedstat")?;
    stat.split(' ').next().and_then(|time| time.parse().ok()).context("schedstat")
}
