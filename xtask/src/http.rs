//! A small HTTP/1.1 client over one connection, for what is measured and checked on this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};

/// A connection that is kept alive from one request to the next.
pub struct Client {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
    /// The last answer ended with its connection.
    ended: bool,
    /// Memory of an answer that is no longer looked at.
    spare: Vec<u8>,
    /// The header line that lets this client in.
    authorization: String,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body of a 200.
    pub fn ok(self) -> anyhow::Result<Vec<u8>> {
        let Self { status, body } = self;
        ensure!(status == 200, "answered {status}: {}", String::from_utf8_lossy(&body[..body.len().min(300)]));
        Ok(body)
    }
}

fn stream(address: SocketAddr) -> anyhow::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_mins(2)))?;
    Ok(BufReader::with_capacity(1 << 18, stream))
}

impl Client {
    /// `token` is sent with each request, where there is one.
    pub fn connect(address: SocketAddr, token: Option<&str>) -> anyhow::Result<Self> {
        let authorization = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
        Ok(Self { address, stream: stream(address)?, ended: false, spare: Vec::new(), authorization })
    }

    pub fn get(&mut self, path: &str, accept: &str) -> anyhow::Result<Answer> {
        let (address, authorization) = (self.address, &self.authorization);
        let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{authorization}Accept: {accept}\r\n\r\n");
        self.request(&head, &[])
    }

    pub fn post(&mut self, path: &str, content_type: &str, accept: &str, body: &[u8]) -> anyhow::Result<Answer> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{}Accept: {accept}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            self.address,
            self.authorization,
            body.len()
        );
        self.request(&head, body)
    }

    fn request(&mut self, head: &str, body: &[u8]) -> anyhow::Result<Answer> {
        if std::mem::take(&mut self.ended) {
            self.stream = stream(self.address)?;
        }
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no HTTP status")?;
        let (mut length, mut chunked) = (None, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':') {
                None => break,
                Some(("content-length", value)) => length = Some(value.trim().parse::<usize>()?),
                Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
                Some(_) => {}
            }
        }
        let mut body = std::mem::take(&mut self.spare);
        body.clear();
        if chunked {
            loop {
                let size = usize::from_str_radix(self.line()?.trim(), 16).context("size of a chunk")?;
                self.take(size, &mut body)?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = length {
            self.take(length, &mut body)?;
        } else {
            self.stream.read_to_end(&mut body)?;
            self.ended = true;
        }
        Ok(Answer { status, body })
    }

    /// The next answer is read into the memory of this one, so that what is measured is not this side's page faults.
    pub fn recycle(&mut self, body: Vec<u8>) {
        self.spare = body;
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        ensure!(self.stream.read_line(&mut line)? > 0, "the server hung up");
        Ok(line.trim_end().to_owned())
    }

    fn take(&mut self, length: usize, body: &mut Vec<u8>) -> anyhow::Result<()> {
        let taken = self.stream.by_ref().take(length as u64).read_to_end(body)?;
        ensure!(taken == length, "the server hung up");
        Ok(())
    }
}
