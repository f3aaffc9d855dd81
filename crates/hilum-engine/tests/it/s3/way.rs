//! A proxy that loses, cuts and refuses requests and answers.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to a request on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    None,
    /// It takes its time, 50 ms, as over a network.
    Late,
    /// 503 SlowDown, without asking the service.
    SlowDown,
    /// As that, where it is a PUT.
    PutsSlowDown,
    /// The connection ends before the service is asked.
    Refused,
    /// The service does what is asked, and its answer is lost.
    AnswerLost,
    /// As that, where parts become one object.
    CompletionLost,
    /// The answer ends after so many bytes.
    AnswerCut(usize),
}

/// What stands between Hilum and the service.
pub struct Way {
    pub address: SocketAddr,
    asked: Arc<AtomicUsize>,
    next: Arc<Mutex<(VecDeque<Mishap>, Mishap)>>,
}

impl Way {
    pub fn to(service: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let next = Arc::new(Mutex::new((VecDeque::new(), Mishap::None)));
        let mishaps = Arc::clone(&next);
        let asked = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&asked);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mishaps = Arc::clone(&mishaps);
                counter.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || {
                    let next = || {
                        let mut next = mishaps.lock().unwrap();
                        let otherwise = next.1;
                        next.0.pop_front().unwrap_or(otherwise)
                    };
                    pass(client, service, next).unwrap_or_else(|error| eprintln!("on the way: {error}"));
                });
            }
        });
        Self { address, asked, next }
    }

    /// Requests so far: each has a connection of its own.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    pub fn first(&self, mishaps: impl IntoIterator<Item = Mishap>) {
        self.next.lock().unwrap().0.extend(mishaps);
    }

    pub fn now_on(&self, mishap: Mishap) {
        self.next.lock().unwrap().1 = mishap;
    }
}

/// One request of a connection, which ends with its answer.
fn pass(mut client: TcpStream, service: SocketAddr, next: impl FnOnce() -> Mishap) -> io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte)? == 0 {
            return Ok(());
        }
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let length =
        head.split("content-length: ").nth(1).map_or(0, |rest| rest.split('\r').next().unwrap().parse().unwrap());
    let at = request.len();
    request.resize(at + length, 0);
    client.read_exact(&mut request[at..])?;
    let mishap = match next() {
        Mishap::PutsSlowDown if request.starts_with(b"PUT ") => Mishap::SlowDown,
        Mishap::CompletionLost if head.starts_with("post ") && head.contains("?uploadid=") => Mishap::AnswerLost,
        Mishap::PutsSlowDown | Mishap::CompletionLost => Mishap::None,
        other => other,
    };
    match mishap {
        Mishap::Refused => return Ok(()),
        Mishap::SlowDown => {
            let body = "<Error><Code>SlowDown</Code></Error>";
            let length = body.len();
            let head = format!("HTTP/1.1 503 Slow Down\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            return client.write_all(format!("{head}{body}").as_bytes());
        }
        Mishap::Late => std::thread::sleep(Duration::from_millis(50)),
        Mishap::None | Mishap::PutsSlowDown | Mishap::CompletionLost | Mishap::AnswerLost | Mishap::AnswerCut(_) => {}
    }
    let mut upstream = TcpStream::connect(service)?;
    request.splice(at - 2..at - 2, *b"Connection: close\r\n");
    upstream.write_all(&request)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    match mishap {
        Mishap::AnswerLost => Ok(()),
        Mishap::AnswerCut(bytes) => client.write_all(&answer[..bytes.min(answer.len())]),
        _ => client.write_all(&answer),
    }
}
