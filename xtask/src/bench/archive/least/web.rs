//! The least receiver of store requests over HTTP. It is told beforehand where the parts of each request lie, and looks for no boundary.

use std::fs::read_to_string;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;

use anyhow::Context;

use super::set_aside;

/// So many bytes are read at a time: what was read is still in a processor's cache when its digest is computed.
const PIECE: usize = 131_072;

/// Serves one connection, by which `send` sends requests that have their parts there; the seconds of a processor that it took.
pub fn measure(
    parts: Vec<Vec<Range<usize>>>,
    folder: &Path,
    send: impl FnOnce(SocketAddr) -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    std::fs::create_dir_all(folder)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let path = folder.join("kept");
    let serving = std::thread::spawn(move || serve(&listener.accept()?.0, &parts, &path));
    send(address)?;
    let cpu = serving.join().map_err(|_| anyhow::anyhow!("the least receiver ended early"))?;
    std::fs::remove_dir_all(folder)?;
    cpu.context("the least receiver")
}

fn serve(stream: &TcpStream, requests: &[Vec<Range<usize>>], path: &Path) -> io::Result<f64> {
    stream.set_nodelay(true)?;
    let room: usize = requests.iter().flatten().map(Range::len).sum();
    let mut file = set_aside(path, room as u64)?;
    let (mut reader, mut answers) = (BufReader::with_capacity(4096, stream), stream);
    let mut instance = vec![0; requests.iter().flatten().map(Range::len).max().unwrap_or(0)];
    for parts in requests {
        let (mut line, mut left) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                left = length.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut at = 0;
        for part in parts {
            let between = (&mut reader).take((part.start - at) as u64);
            io::copy(&mut { between }, &mut io::sink())?;
            let mut sum = blake3::Hasher::new();
            for piece in instance[..part.len()].chunks_mut(PIECE) {
                reader.read_exact(piece)?;
                sum.update(piece);
            }
            std::hint::black_box(sum.finalize());
            file.write_all(&instance[..part.len()])?;
            at = part.end;
        }
        io::copy(&mut (&mut reader).take((left - at) as u64), &mut io::sink())?;
        file.sync_data()?;
        // No instance was refused.
        answers.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")?;
    }
    processor_time()
}

/// Seconds that this thread has run.
fn processor_time() -> io::Result<f64> {
    let stat = read_to_string("/proc/thread-self/schedstat")?;
    let time = stat.split(' ').next().and_then(|time| time.parse::<u64>().ok());
    Ok(time.ok_or(io::ErrorKind::InvalidData)? as f64 / 1e9)
}
