//! Behind a proxy, and what strangers say of themselves.

use crate::client::start_with;

const FORWARDED: [(&str, &str); 3] = [
    ("X-Forwarded-For", "203.0.113.9"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "hilum.hospital.example"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_name_and_scheme_and_a_stranger_does_not() {
    let names = |config: &mut hilum_web::WebConfig, proxy: &str| {
        config.public_names = vec!["hilum.hospital.example".parse().unwrap()];
        config.trusted_proxies = vec![proxy.parse().unwrap()];
    };
    let file = crate::synthetic::series(8, 1, 0).instances.remove(0).1;
    let body = crate::synthetic::multipart("bound", &[&file]);
    let content_type = ("Content-Type", "multipart/related; type=\"application/dicom\"; boundary=bound");
    for (proxy, hsts, base) in [
        ("127.0.0.1", Some("max-age=31536000"), "https://hilum.hospital.example/dicom-web/studies/"),
        ("10.0.0.5", None, "http://127.0.0.1:"),
    ] {
        let server = start_with(|config| names(config, proxy)).await;
        let headers: Vec<_> = FORWARDED.into_iter().chain([content_type]).collect();
        let answer = server.send("POST", "/dicom-web/studies", &headers, &body).await;
        assert_eq!((answer.status, answer.header("strict-transport-security")), (200, hsts), "{proxy}");
        assert!(answer.text().contains(base), "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_forwards_an_unknown_name_or_nonsense_is_told_so() {
    let server = start_with(|config| config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]).await;
    let host = [("X-Forwarded-Host", "evil.example")];
    assert_eq!(server.send("GET", "/healthz", &host, b"").await.status, 421);
    let list = [("X-Forwarded-For", "203.0.113.9, <script>")];
    let answer = server.send("GET", "/healthz", &list, b"").await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &"bad_forwarded_for".into()));
}
