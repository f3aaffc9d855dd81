//! Pages of other sites.

use hilum_engine::{Engine, EngineConfig};
use hilum_web::{BindError, WebConfig, WebServer};

use crate::client::start;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_rebound_to_this_machine_is_turned_away() {
    let server = start().await;
    for path in ["/", "/healthz", "/api/v1/system", "/dicom-web/studies"] {
        for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "192.168.0.1", ""] {
            let answer = server.send("GET", path, &[("Host", host)], b"").await;
            assert!([400, 421].contains(&answer.status), "{host} {path}: {}", answer.status);
        }
        for host in ["localhost", "localhost:9999", "127.0.0.1", "[::1]:80"] {
            assert_ne!(server.send("GET", path, &[("Host", host)], b"").await.status, 421, "{host} {path}");
        }
    }
    let no_host = server.raw(b"GET /api/v1/system HTTP/1.0\r\n\r\n").await;
    assert_eq!(no_host.status, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_changes_nothing() {
    let server = start().await;
    let cancel = "/api/v1/studies/1.2.3/reading/cancel";
    for foreign in [("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")] {
        assert_eq!(server.send("POST", cancel, &[foreign], b"").await.status, 403, "{foreign:?}");
    }
    for ours in [("Origin", "http://localhost:5173"), ("Sec-Fetch-Site", "same-origin")] {
        assert_eq!(server.send("POST", cancel, &[ours], b"").await.status, 404, "{ours:?}");
    }
    let answer = server.send("GET", "/api/v1/system", &[("Origin", "https://evil.example")], b"").await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_others_can_reach_is_refused_with_a_sentence() {
    let data = tempfile::tempdir().unwrap();
    let engine = Engine::open(EngineConfig::new(data.path())).await.unwrap();
    let refused = WebServer::bind(WebConfig::new("0.0.0.0:0".parse().unwrap()), engine).await.err().unwrap();
    assert!(matches!(refused, BindError::NotLoopback(_)));
    assert!(refused.to_string().contains("Until access control exists"), "{refused}");
}
