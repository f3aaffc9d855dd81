//! What client and loopback take for an answer, whoever gives it: a server that writes bytes that it has beforehand.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::http::Client;

/// A client of a server that answers everything with so many bytes, on one connection.
pub fn client(bytes: usize) -> anyhow::Result<Client> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n").into_bytes();
        answer.resize(answer.len() + bytes, b' ');
        // Ends with its client, whose hanging up is an error here.
        let _ended = listener.accept().and_then(|(stream, _)| serve(&stream, &answer));
    });
    Client::connect(address, None)
}

fn serve(mut stream: &TcpStream, answer: &[u8]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut asked = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if asked.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            stream.write_all(answer)?;
        }
    }
}
