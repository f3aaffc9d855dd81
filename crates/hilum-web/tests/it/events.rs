//! What changes, as it is told: to whom, in which words, and until when.

use std::time::Duration;

use hilum_engine::Role;
use hilum_engine::views::{Priority, StudySearch};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::client::{Running, start_with, token, token_at};
use crate::synthetic::series;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(2_500);

/// Somebody who listens.
struct Listener {
    socket: TcpStream,
    heard: String,
}

impl Listener {
    async fn with(server: &Running, headers: &str) -> Self {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        let request =
            format!("GET /api/v1/events HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", server.address);
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut listener = Self { socket, heard: String::new() };
        assert!(listener.hears("retry: ", LONG).await, "{}", listener.heard);
        assert!(listener.heard.contains("content-type: text/event-stream"), "{}", listener.heard);
        listener
    }

    async fn of(server: &Running, token: &str) -> Self {
        Self::with(server, &format!("Authorization: Bearer {token}\r\n")).await
    }

    /// Whether the text comes in time.
    async fn hears(&mut self, text: &str, within: Duration) -> bool {
        timeout(within, async {
            while !self.heard.contains(text) {
                let mut bytes = [0; 4096];
                let read = self.socket.read(&mut bytes).await.unwrap();
                if read == 0 {
                    return false;
                }
                self.heard.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
            true
        })
        .await
        .unwrap_or(false)
    }

    /// Whether the server ends it in time.
    async fn ends(&mut self, within: Duration) -> bool {
        let mut rest = Vec::new();
        timeout(within, self.socket.read_to_end(&mut rest)).await.is_ok()
    }

    /// The studies that were told.
    fn told(&self) -> Vec<Value> {
        self.heard
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }
}

async fn server() -> Running {
    start_with(|config| config.heartbeat = Duration::from_millis(200)).await
}

async fn arrive(server: &Running, study: u64) -> hilum_dicom::StudyUid {
    let series = series(study, 2, 40);
    server.store(&series.instances.iter().map(|(_, bytes)| bytes.as_slice()).collect::<Vec<_>>()).await;
    series.study
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_that_arrives_is_told_to_its_institution_and_to_nobody_else() {
    let server = server().await;
    let viewer = token(&server.engine, "viewer", &[Role::Viewer]).await;
    let stranger = token_at(&server.engine, "stranger", "ELSEWHERE", &Role::ALL).await;
    let (mut own, mut other) = (Listener::of(&server, &viewer).await, Listener::of(&server, &stranger).await);
    let study = arrive(&server, 1).await;
    assert!(own.hears(study.as_str(), LONG).await, "{}", own.heard);
    let told = &own.told()[0];
    assert_eq!((told["arrived"].as_bool(), told["priority"].as_str()), (Some(true), Some("routine")));
    // No name, no number of a patient, no words of a description.
    let row = &server
        .engine
        .studies(&server.engine.console_scope().await.unwrap(), &StudySearch::default())
        .await
        .unwrap()
        .items[0];
    let said = own.told().iter().map(Value::to_string).collect::<String>();
    let hidden = [&row.patient.name, &row.patient.id, &row.patient.birth_date, &row.description, &row.accession];
    // This study is described by nothing but its modality, which is told.
    for identity in hidden.into_iter().filter(|text| !text.is_empty() && !row.modalities.contains(text)) {
        assert!(!said.contains(&Value::from(identity.as_str()).to_string()), "{identity} in {said}");
    }
    assert!(!other.hears("event:", SHORT).await, "{}", other.heard);
}

#[tokio::test(flavor = "multi_thread")]
async fn priority_and_reading_are_told_as_they_change_and_again_to_whom_was_away() {
    let server = server().await;
    let study = arrive(&server, 2).await;
    let mut listener = Listener::of(&server, &server.token).await;
    assert!(!listener.hears("\"priority\":\"stat\"", SHORT).await);
    let scope = server.engine.console_scope().await.unwrap();
    server.engine.set_priority(&scope, &study, Priority::Stat).await.unwrap();
    assert!(listener.hears("\"priority\":\"stat\"", LONG).await, "{}", listener.heard);
    server.engine.run_until_idle().await.unwrap();
    assert!(listener.hears("\"state\":\"not_applicable\"", LONG).await, "{}", listener.heard);
    let last = listener.heard.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap().to_owned();
    drop(listener);
    let headers = format!("Authorization: Bearer {}\r\nLast-Event-ID: {last}\r\n", server.token);
    let mut back = Listener::with(&server, &headers).await;
    assert!(back.hears("\"state\":\"not_applicable\"", SHORT).await, "{}", back.heard);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_out_or_loses_the_role_hears_nothing_more() {
    let server = server().await;
    let (cookie, csrf) = crate::access::session_of(&server, "all").await;
    let mut listener = Listener::with(&server, &format!("Cookie: {cookie}\r\n")).await;
    assert!(listener.hears("\n:\n", LONG).await, "a heartbeat");
    let headers = [("Cookie", cookie.as_str()), ("X-Hilum-Csrf", csrf.as_str())];
    assert!(server.send_bare("DELETE", "/api/v1/session", &headers, b"").await.status < 300);
    assert!(listener.ends(LONG).await, "the stream goes on after signing out");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_stops_without_waiting_for_those_who_listen() {
    let server = server().await;
    let mut listener = Listener::of(&server, &server.token).await;
    let asked = std::time::Instant::now();
    server.stop().await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(listener.ends(SHORT).await);
}
