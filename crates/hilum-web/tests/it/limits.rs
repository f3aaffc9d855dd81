//! How much one caller may have.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::client::start_with;

#[tokio::test(flavor = "multi_thread")]
async fn one_address_is_slowed_down_and_others_are_not() {
    let server = start_with(|config| {
        config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
        config.requests_per_second = 1;
    })
    .await;
    let ask = async |address: &str| server.send("GET", "/healthz", &[("X-Forwarded-For", address)], b"").await;
    for _ in 0..10 {
        assert_eq!(ask("203.0.113.9").await.status, 200);
    }
    let slowed = ask("203.0.113.9").await;
    assert_eq!((slowed.status, &slowed.json()["code"]), (429, &"too_many_requests".into()));
    assert_eq!(slowed.header("retry-after"), Some("1"));
    assert!(slowed.header("x-request-id").is_some() && slowed.header("content-security-policy").is_some());
    assert_eq!(ask("203.0.113.10").await.status, 200, "another address");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(ask("203.0.113.9").await.status, 200, "after a second there is one more");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_on_this_machine_are_not_slowed_down() {
    let server = start_with(|config| config.requests_per_second = 1).await;
    // A stranger does not get a fresh share by saying that it is somebody else, and this one has none.
    for n in 0..30 {
        let other = format!("203.0.113.{n}");
        assert_eq!(server.send("GET", "/healthz", &[("X-Forwarded-For", &other)], b"").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_long_is_refused_before_it_is_read_and_while_it_comes() {
    let server = start_with(|_| {}).await;
    let json = ("Content-Type", "application/json");
    let search = "/api/v1/studies/search";
    let fits = format!("{{\"text\": \"{}\"}}", "x".repeat(1000));
    assert_eq!(server.send("POST", search, &[json], fits.as_bytes()).await.status, 200);
    let long = vec![b' '; (1 << 20) + 1];
    for path in [search, "/api/v1/studies/1.2.3/reading/cancel", "/api/v1/session"] {
        let answer = server.send("POST", path, &[json], &long).await;
        assert_eq!((answer.status, &answer.json()["code"]), (413, &"body_too_long".into()), "{path}");
    }
    // Its length is not stated.
    let head = format!(
        "POST {search} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Authorization: Bearer {}\r\n",
        server.token
    );
    let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..17 {
        chunked.extend(b"10000\r\n");
        chunked.extend(vec![b' '; 0x10000]);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    let answer = server.raw(&chunked).await;
    assert_eq!((answer.status, &answer.json()["code"]), (413, &"body_too_long".into()));
    // A length that is a lie.
    let lie = format!("{head}Content-Length: 99999999999\r\n\r\n");
    assert_eq!(server.raw(lie.as_bytes()).await.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_dribbles_in_is_given_up() {
    let server = start_with(|config| config.read_timeout = Duration::from_millis(400)).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /api/v1/studies/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {}\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n{{",
        server.token
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = socket.into_split();
    // Never silent for as long as the limit.
    let dribbling = tokio::spawn(async move {
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut heard = Vec::new();
    timeout(Duration::from_secs(5), read.read_to_end(&mut heard)).await.expect("an end").ok();
    dribbling.abort();
    let heard = String::from_utf8_lossy(&heard);
    assert!(heard.starts_with("HTTP/1.1 408") && heard.contains("body_too_slow"), "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_long_or_has_too_many_fields_is_refused() {
    let server = start_with(|_| {}).await;
    let long = "x".repeat(20_000);
    assert_eq!(server.send("GET", "/healthz", &[("X-A", &long)], b"").await.status, 200);
    let answer = server.send("GET", "/healthz", &[("X-A", &long), ("X-B", &long)], b"").await;
    assert_eq!((answer.status, &answer.json()["code"]), (431, &"head_too_long".into()));
    let many = "X-Again: 1\r\n".repeat(200);
    assert_eq!(
        server.raw(format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{many}\r\n").as_bytes()).await.status,
        431
    );
    let endless = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: {}", "x".repeat(1 << 20));
    assert_eq!(server.raw(endless.as_bytes()).await.status, 431);
    let address = format!("/{}", "x".repeat(70_000));
    assert_eq!(server.get(&address).await.status, 414);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_connection_waits_for_a_place_and_idle_ones_give_theirs_back() {
    let server = start_with(|config| {
        config.max_connections = 2;
        config.head_timeout = Duration::from_millis(700);
    })
    .await;
    let idle = [TcpStream::connect(server.address).await.unwrap(), TcpStream::connect(server.address).await.unwrap()];
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    assert_eq!(timeout(Duration::from_secs(10), server.get("/healthz")).await.expect("a place").status, 200);
    assert!(started.elapsed() > Duration::from_millis(400), "{:?}", started.elapsed());
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_says_nothing_over_tls_or_takes_nothing_is_cut() {
    let Some(certificates) = crate::https::Certificates::made(&["first"]) else { return };
    let https = certificates.https("first");
    let silent = start_with(|config| {
        config.https = Some(https);
        config.handshake_timeout = Duration::from_millis(300);
    })
    .await;
    let mut socket = TcpStream::connect(silent.address).await.unwrap();
    let mut heard = Vec::new();
    timeout(Duration::from_secs(5), socket.read_to_end(&mut heard)).await.expect("it is cut").ok();
    assert!(heard.is_empty());

    let server = start_with(|config| config.write_timeout = Duration::from_millis(300)).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let page = server.get("/").await;
    let files: Vec<_> = page.text().split('"').filter(|text| text.starts_with("/assets/")).map(str::to_owned).collect();
    // Answers that nobody reads, until they fill what the operating system holds for them.
    let asking = async {
        loop {
            for file in files.iter().map(String::as_str).chain(["/"]) {
                let request = format!("GET {file} HTTP/1.1\r\nHost: localhost\r\n\r\n");
                if socket.write_all(request.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    };
    timeout(Duration::from_secs(20), asking).await.expect("it is cut");
}
