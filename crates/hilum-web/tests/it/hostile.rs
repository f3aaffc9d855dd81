//! Requests that mean harm: statements in keys, paths that climb, lines in headers, bodies without an end.

use serde_json::json;

use crate::client::{Running, start};
use crate::synthetic::series;

/// As sqlmap and its like send them, and what other layers between a key and a row may trip over.
const STATEMENTS: [&str; 16] = [
    "' OR '1'='1",
    "'; DROP TABLE study; --",
    "\" OR \"\"=\"",
    "1) UNION SELECT sql FROM sqlite_master --",
    "1 AND (SELECT pg_sleep(5))",
    "') OR 1=1 --",
    "*' AND randomblob(100000000) --",
    "x\\y",
    "x\\' OR 1=1 #",
    "a\u{0}b",
    "%' ESCAPE '\\",
    "a\" NEAR \"b\" OR *",
    "NOT *",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "\u{202e}\u{ffff}\u{1F525}",
];

const KEYS: [&str; 16] = [
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyDescription",
    "ModalitiesInStudy",
    "Modality",
    "includefield",
    "limit",
    "offset",
];

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

async fn kept(server: &Running) -> String {
    let series = series(1, 3, 40);
    server.store(&series.instances.iter().map(|(_, bytes)| bytes.as_slice()).collect::<Vec<_>>()).await;
    series.study.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_in_keys_are_looked_for_as_text() {
    let server = start().await;
    kept(&server).await;
    let before = std::time::Instant::now();
    for statement in STATEMENTS {
        let statement_in_url = escaped(statement);
        for key in KEYS {
            for level in ["studies", "series", "instances"] {
                for path in [
                    format!("/dicom-web/{level}?{key}={statement_in_url}"),
                    format!("/dicom-web/{level}?{statement_in_url}={key}"),
                ] {
                    let answer = server.get(&path).await;
                    assert!([200, 204, 400].contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
                    // A key that is not one is left out, and said so; a value finds nothing that is not called so.
                    let shows_all = answer.status == 200 && answer.header("warning").is_none();
                    let no_match_wanted = ["includefield", "limit", "offset"].contains(&key);
                    assert!(!shows_all || no_match_wanted, "{path}: {}", answer.text());
                }
            }
        }
        let search = json!({ "text": statement }).to_string();
        let json = [("Content-Type", "application/json")];
        let answer = server.send("POST", "/api/v1/studies/search", &json, search.as_bytes()).await;
        assert_eq!(answer.status, 200, "{statement}: {}", answer.text());
        let sign_in = json!({"login": statement, "password": statement}).to_string();
        let answer = server.send_bare("POST", "/api/v1/session", &json, sign_in.as_bytes()).await;
        assert!([401, 429].contains(&answer.status), "{statement}: {}", answer.text());
    }
    assert!(before.elapsed().as_secs() < 120, "a statement was obeyed");
    assert_eq!(server.get("/dicom-web/instances").await.json().as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_climb_lead_nowhere() {
    let server = start().await;
    let study = kept(&server).await;
    for climb in [
        "../../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "....//etc/passwd",
        "..\\..\\etc\\passwd",
        "/etc/passwd",
        "%00",
        "1.2.3%00.png",
        "1.2%0d%0aSet-Cookie:%20a=b",
    ] {
        for path in [
            format!("/{climb}"),
            format!("/assets/{climb}"),
            format!("/api/v1/studies/{climb}"),
            format!("/api/v1/studies/{climb}/report"),
            format!("/api/v1/studies/{study}/report/key-images/{climb}"),
            format!("/dicom-web/studies/{climb}"),
            format!("/dicom-web/studies/{study}/series/{climb}/metadata"),
            format!("/dicom-web/studies/{study}/series/1.2/instances/1.2/bulkdata/{climb}"),
            format!("/wado?requestType=WADO&studyUID={climb}&seriesUID=1.2&objectUID=1.2"),
        ] {
            let answer = server.get(&path).await;
            // An address that nobody knows is the application's to route: it gets the page, and nothing else.
            let page =
                answer.status == 200 && answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
            assert!(page || [400, 404].contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
            assert!(!answer.text().contains("root:"), "{path}");
            assert_eq!(answer.header("set-cookie"), None, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_in_a_header_are_no_headers() {
    let server = start().await;
    for (name, value) in [
        ("Cookie", "hilum-session=x\rSet-Cookie: a=b"),
        ("Authorization", "Bearer x\r\n Set-Cookie: a=b"),
        ("Accept", "application/dicom+json\u{b}Set-Cookie: a=b"),
        ("X-Hilum-Csrf", "\u{7f}"),
    ] {
        let answer = server.send_bare("GET", "/api/v1/session", &[(name, value)], b"").await;
        assert!([400, 401].contains(&answer.status), "{name}: {}", answer.status);
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_none_are_refused_and_the_server_goes_on() {
    let server = start().await;
    let deep = "[".repeat(100_000);
    let long = json!({ "text": "x".repeat(3 << 20) }).to_string();
    for body in ["", "null", "[1]", "{", "{\"text\":1}", "\u{feff}{}", "{\"text\":\"\\ud800\"}", &deep, &long] {
        for (method, path) in [
            ("POST", "/api/v1/studies/search"),
            ("POST", "/api/v1/session"),
            ("POST", "/api/v1/links/use"),
            ("POST", "/api/v1/accounts"),
            ("POST", "/api/v1/tokens"),
            ("PUT", "/api/v1/session/password"),
        ] {
            let answer = server.send(method, path, &[("Content-Type", "application/json")], body.as_bytes()).await;
            let short = &body[..body.len().min(20)];
            assert!((400..500).contains(&answer.status), "{method} {path} {short}: {}", answer.status);
            assert!(answer.json()["message"].as_str().is_some_and(|message| message.len() < 1000), "{method} {path}");
        }
    }
    assert_eq!(server.get("/healthz").await.status, 200);
}
