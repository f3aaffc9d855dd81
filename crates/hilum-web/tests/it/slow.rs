//! Peers that take their time.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::client::start_with;

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_dribbles_is_cut_and_others_are_served_meanwhile() {
    let server = start_with(|config| {
        config.head_timeout = Duration::from_millis(500);
        config.read_timeout = Duration::from_millis(500);
    })
    .await;
    let (host, token) = (server.address, server.token.clone());
    // The head of a request byte by byte; and a request whose body falls silent.
    let head = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nX-Long: {}\r\n\r\n", "x".repeat(4_000));
    let body = format!(
        "POST /dicom-web/studies HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Length: 100000\r\n\
         Content-Type: multipart/related; type=\"application/dicom\"; boundary=bound\r\n\r\n\
         --bound\r\nContent-Type: application/dicom\r\n\r\n"
    );
    let mut dribbling = tokio::task::JoinSet::new();
    for (at_once, rest) in [("", head), (body.as_str(), String::new())] {
        let mut socket = TcpStream::connect(host).await.unwrap();
        socket.write_all(at_once.as_bytes()).await.unwrap();
        dribbling.spawn(async move {
            let (mut read, mut write) = socket.into_split();
            let writing = tokio::spawn(async move {
                for byte in rest.into_bytes() {
                    if write.write_all(&[byte]).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                // It stays connected.
                std::future::pending::<()>().await;
            });
            let started = Instant::now();
            let mut heard = Vec::new();
            // A reset is an end as well.
            let ended = timeout(Duration::from_secs(10), read.read_to_end(&mut heard)).await;
            writing.abort();
            (ended.is_ok(), started.elapsed(), String::from_utf8_lossy(&heard).into_owned())
        });
    }
    for _ in 0..10 {
        assert_eq!(timeout(Duration::from_secs(2), server.get("/healthz")).await.expect("at once").status, 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    while let Some(cut) = dribbling.join_next().await {
        let (ended, after, heard) = cut.unwrap();
        assert!(ended && after < Duration::from_secs(5), "{after:?}");
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 4"), "{heard}");
    }
}
