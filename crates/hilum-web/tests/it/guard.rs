//! Pages of other sites.

use hilum_engine::{Engine, EngineConfig};
use hilum_web::{BindError, WebConfig, WebServer};

use crate::client::{start, start_with};

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
async fn http_that_others_can_reach_needs_https_or_a_proxy() {
    let data = tempfile::tempdir().unwrap();
    let engine = Engine::open(EngineConfig::new(data.path())).await.unwrap();
    let mut config = WebConfig::new("0.0.0.0:0".parse().unwrap());
    let refused = WebServer::bind(config.clone(), engine.clone()).await.err().unwrap();
    assert!(matches!(refused, BindError::InTheClear(_)));
    assert!(refused.to_string().contains("Configure [https]"), "{refused}");
    config.trusted_proxies = vec!["10.0.0.5".parse().unwrap()];
    WebServer::bind(config, engine).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_name_is_answered_and_only_its_own_pages_may_send() {
    let server = start_with(|config| config.public_names = vec!["hilum.hospital.example".parse().unwrap()]).await;
    for (host, status) in [
        ("hilum.hospital.example", 200),
        ("HILUM.hospital.example:8080", 200),
        ("hospital.example", 421),
        ("hilum.hospital.example.evil.example", 421),
    ] {
        assert_eq!(server.send("GET", "/healthz", &[("Host", host)], b"").await.status, status, "{host}");
    }
    let cancel = "/api/v1/studies/1.2.3/reading/cancel";
    for (host, origin, forbidden) in [
        ("hilum.hospital.example", "http://hilum.hospital.example", false),
        ("hilum.hospital.example:8080", "http://hilum.hospital.example:8080", false),
        // Another program of the same machine, and a page on the machine of whoever is signed in.
        ("hilum.hospital.example:8080", "http://hilum.hospital.example:3000", true),
        ("hilum.hospital.example", "https://hilum.hospital.example", true),
        ("hilum.hospital.example", "http://localhost", true),
        ("localhost", "http://hilum.hospital.example", true),
    ] {
        let status = server.send("POST", cancel, &[("Host", host), ("Origin", origin)], b"").await.status;
        assert_eq!(status == 403, forbidden, "{origin} to {host}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_two_hosts_or_another_in_its_first_line_is_turned_away() {
    let server = start_with(|_| {}).await;
    for head in [
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n",
        "GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n",
        "GET http://localhost@evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n",
    ] {
        let answer = server.raw(format!("{head}Connection: close\r\n\r\n").as_bytes()).await;
        assert!([400, 421].contains(&answer.status), "{head}: {}", answer.status);
    }
    let same = b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(server.raw(same).await.status, 200);
}

/// Whatever a browser is told of an answer, also of those that refuse.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_its_number_and_tells_browsers_what_not_to_do() {
    let server = start_with(|_| {}).await;
    let mut numbers = std::collections::HashSet::new();
    for (path, host, status) in [
        ("/", "localhost", 200),
        ("/api/v1/system", "localhost", 200),
        ("/api/v1/nothing", "localhost", 404),
        ("/dicom-web/studies", "localhost", 204),
        ("/", "evil.example", 421),
    ] {
        let answer = server.send("GET", path, &[("Host", host), ("X-Request-Id", "patient-7")], b"").await;
        assert_eq!(answer.status, status, "{path}");
        let number = answer.header("x-request-id").unwrap().to_owned();
        assert!(number.parse::<uuid::Uuid>().is_ok(), "{number}");
        assert!(numbers.insert(number), "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name} of {path}");
        }
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'self'") && policy.contains("object-src 'none'"), "{policy}");
        assert!(answer.header("permissions-policy").unwrap().contains("camera=()"));
        assert_eq!(answer.header("strict-transport-security"), None, "not over HTTP: {path}");
    }
}
