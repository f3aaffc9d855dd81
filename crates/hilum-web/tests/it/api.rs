//! `/api/v1`, the page, and their manners.

use crate::client::start;

const UID: &str = "1.2.826.0.1.3680043.8.498.1";

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_server_says_so_in_the_contracts_words() {
    let server = start().await;
    let system = server.get("/api/v1/system").await.json();
    assert_eq!(
        (&system["loopback_only"], &system["zone"], &system["demo"]),
        (&true.into(), &"clinical".into(), &false.into())
    );
    let search = [("Content-Type", "application/json")];
    let studies = server.send("POST", "/api/v1/studies/search", &search, br#"{"text": "no one", "limit": 10}"#).await;
    assert_eq!(studies.json(), serde_json::json!({"items": [], "next": null}));
    let activity = server.get("/api/v1/activity").await.json();
    assert_eq!(activity, serde_json::json!({"imports": [], "readings": [], "queue_depth": 0}));
    assert_eq!(server.get("/api/v1/quarantine").await.json(), serde_json::json!([]));
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_and_what_cannot_be_read_is_json_with_a_code() {
    let server = start().await;
    let study = |rest: &str| format!("/api/v1/studies/{UID}{rest}");
    for (method, path, status, code) in [
        ("GET", study(""), 404, "not_found"),
        ("GET", study("/report"), 404, "not_found"),
        ("GET", study("/report.pdf?lang=ko"), 404, "not_found"),
        ("GET", study("/report.xlsx"), 404, "not_found"),
        ("GET", study("/report/key-images/0.png"), 404, "not_found"),
        ("GET", study("/report/key-images/0.png?plane=oblique"), 400, "bad_request"),
        ("GET", study("/report/options"), 404, "not_found"),
        ("GET", study("/report/options?infection=perhaps"), 400, "bad_request"),
        ("GET", study("/report/options?name=x"), 400, "bad_request"),
        ("POST", study("/reading/cancel"), 404, "not_found"),
        ("POST", study("/reading/resume"), 404, "not_found"),
        ("GET", study("/report.pdf?lang=fr"), 400, "bad_request"),
        ("GET", study("/report/key-images/0.jpg"), 400, "bad_request"),
        ("GET", "/api/v1/studies/not-a-uid".into(), 400, "bad_request"),
        ("GET", "/api/v1/studies/..%2f..%2fetc".into(), 400, "bad_request"),
        ("POST", study("/report"), 405, "method_not_allowed"),
        ("GET", "/api/v1/nothing".into(), 404, "not_found"),
        ("GET", "/api/v2".into(), 404, "not_found"),
        ("GET", "/dicom-web/nothing".into(), 404, "not_found"),
        ("GET", "/assets/nothing.js".into(), 404, "not_found"),
        ("POST", "/somewhere".into(), 404, "not_found"),
    ] {
        let answer = server.send(method, &path, &[], b"").await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert_eq!(answer.json()["code"], code, "{method} {path}");
        assert!(answer.json()["message"].is_string());
    }
    let search = async |content_type: &str, body: &[u8]| {
        server.send("POST", "/api/v1/studies/search", &[("Content-Type", content_type)], body).await
    };
    assert_eq!(search("text/plain", b"{}").await.status, 415);
    assert_eq!(search("application/json", b"{").await.status, 400);
    assert_eq!(search("application/json", br#"{"nmae": "x"}"#).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_answers_every_address_of_the_application_and_is_checked_again_each_time() {
    let server = start().await;
    let page = server.get("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    assert!(page.text().contains("<html"), "{}", page.text());
    let deep = server.get("/studies/1.2.3").await;
    assert_eq!((deep.status, &deep.body), (200, &page.body));
    let etag = page.header("etag").unwrap();
    assert_eq!(server.send("GET", "/", &[("If-None-Match", etag)], b"").await.status, 304);
    let head = server.send("HEAD", "/", &[], b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'self'"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(server.get("/api/v1/activity").await.header("cache-control"), Some("no-store"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_server_cleanly() {
    let server = start().await;
    assert_eq!(server.get("/healthz").await.status, 200);
    server.stop().await.unwrap();
}
