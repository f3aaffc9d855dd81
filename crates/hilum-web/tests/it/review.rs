//! Judging and signing over HTTP: who in person, with which proof, and what is answered.

use hilum_engine::Role;
use serde_json::{Value, json};

use crate::client::{Answer, Running, start, token};
use crate::synthetic::series;

const PASSWORD: &str = "only for a server that is gone soon";

/// A study whose report says that no model is installed: nothing is found in it, and a physician says the rest.
async fn reported(server: &Running) -> String {
    let series = series(1, 3, 40);
    server.store(&series.instances.iter().map(|(_, bytes)| bytes.as_slice()).collect::<Vec<_>>()).await;
    server.engine.run_until_idle().await.unwrap();
    format!("/api/v1/studies/{}/report", series.study)
}

struct Browser<'a> {
    server: &'a Running,
    cookie: String,
    csrf: String,
}

impl<'a> Browser<'a> {
    async fn of(server: &'a Running, login: &str) -> Self {
        let scope = server.engine.console_scope().await.unwrap();
        let account = server.engine.account_with_login(&scope, login).await.unwrap();
        server.engine.set_password(&scope, account.id, PASSWORD).await.unwrap();
        let body = json!({"login": login, "password": PASSWORD}).to_string();
        let headers = [("Content-Type", "application/json")];
        let answer = server.send_bare("POST", "/api/v1/session", &headers, body.as_bytes()).await;
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Self { server, cookie, csrf: answer.json()["csrf"].as_str().unwrap().to_owned() }
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [
            ("Cookie", self.cookie.as_str()),
            ("X-Hilum-Csrf", self.csrf.as_str()),
            ("Content-Type", "application/json"),
        ];
        let body = if method == "GET" { String::new() } else { body.to_string() };
        self.server.send_bare(method, path, &headers, body.as_bytes()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_signed_in_person_by_whoever_shows_the_password_once_more() {
    let server = start().await;
    let report = reported(&server).await;
    let program = token(&server.engine, "kim", &[Role::Radiologist]).await;
    let kim = Browser::of(&server, "kim").await;
    let one = format!("{report}/versions/1");
    let stone =
        json!({"revision": 0, "edits": {"side": "left", "site": "uvj", "largest_diameter_mm": 4.5}, "comment": "UVJ"});
    let added = kim.send("POST", &format!("{one}/review/findings"), &stone).await;
    assert_eq!((added.status, &added.json()["findings"][0]["added"]), (201, &json!(true)), "{}", added.text());
    // Two who saw the same: the slower one is told, and sees what is there.
    let stale = kim.send("POST", &format!("{one}/review/findings"), &stone).await;
    assert_eq!((stale.status, &stale.json()["code"]), (409, &json!("review_changed")), "{}", stale.text());
    let words = json!({"revision": 1, "conclusion": {"ko": "좌측 요관방광이행부 결석."}});
    assert_eq!(kim.send("PUT", &format!("{one}/review/conclusion"), &words).await.status, 200);

    let sign = format!("{one}/sign");
    let bearer = format!("Bearer {program}");
    let with_token = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let body = json!({"revision": 2, "password": PASSWORD}).to_string();
    let by_program = server.send_bare("POST", &sign, &with_token, body.as_bytes()).await;
    assert_eq!((by_program.status, &by_program.json()["code"]), (403, &json!("needs_session")));
    for (proof, status, code) in [
        (json!({"revision": 2}), 400, "bad_request"),
        (json!({"revision": 2, "password": "x", "code": "123456"}), 400, "bad_request"),
        (json!({"revision": 2, "password": "something else"}), 401, "wrong_credentials"),
        (json!({"revision": 2, "code": "123456"}), 409, "conflict"),
        (json!({"revision": 1, "password": PASSWORD}), 409, "review_changed"),
    ] {
        let refused = kim.send("POST", &sign, &proof).await;
        assert_eq!((refused.status, &refused.json()["code"]), (status, &json!(code)), "{proof}");
    }
    let signed = kim.send("POST", &sign, &json!({"revision": 2, "password": PASSWORD})).await;
    assert_eq!(signed.status, 201, "{}", signed.text());
    assert_eq!((&signed.json()["version"], &signed.json()["state"]), (&json!(2), &json!("signed")));

    // The version that counts is the signed one; the one before is there as it was.
    let document = server.get(&report).await.json();
    assert_eq!(document["review"]["conclusion"]["ko"], "좌측 요관방광이행부 결석.");
    assert_eq!(document["signature"]["sha256"], signed.json()["signature"]["sha256"]);
    let before = server.get(&one).await.json();
    assert!(before.get("signature").is_none() && before["version"] == 1, "{before}");
    let versions = server.get(&format!("{report}/versions")).await.json();
    assert_eq!(versions[1]["state"], "superseded");
    for (file, kind) in [("report.pdf?lang=ko", "application/pdf"), ("signed.json", "application/json")] {
        let answer = server.get(&format!("{report}/versions/2/{file}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{file}");
    }
    for absent in ["versions/3", "versions/3/review", "versions/1/signed.json", "versions/2/key-images/0.png"] {
        assert_eq!(server.get(&format!("{report}/{absent}")).await.status, 404, "{absent}");
    }
    for unreadable in ["versions/first", "versions/-1", "versions/99999999999"] {
        assert_eq!(server.get(&format!("{report}/{unreadable}")).await.status, 400, "{unreadable}");
    }
    let late = kim.send("PUT", &format!("{one}/review/conclusion"), &words).await;
    assert_eq!((late.status, &late.json()["code"]), (409, &json!("conflict")), "{}", late.text());
    let agreement = kim.send("GET", "/api/v1/quality/agreement", &json!({})).await.json();
    assert_eq!((&agreement[0]["reports"], &agreement[0]["added"]), (&json!(1), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn quick_texts_are_their_accounts_own() {
    let server = start().await;
    let (kim, lee) = (
        token(&server.engine, "kim", &[Role::Radiologist]).await,
        token(&server.engine, "lee", &[Role::Radiologist]).await,
    );
    let ask = async |key: &str, method: &str, path: &str, body: &[u8]| {
        let bearer = format!("Bearer {key}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        server.send_bare(method, path, &headers, body).await
    };
    let text = json!({"language": "ko", "title": "정상", "text": "요로결석 없음."}).to_string();
    let made = ask(&kim, "POST", "/api/v1/quick-texts", text.as_bytes()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(ask(&kim, "GET", "/api/v1/quick-texts", b"").await.json()[0]["text"], "요로결석 없음.");
    assert_eq!(ask(&lee, "GET", "/api/v1/quick-texts", b"").await.json(), json!([]));
    let own = format!("/api/v1/quick-texts/{}", made.json()["id"]);
    assert_eq!(ask(&lee, "DELETE", &own, b"").await.status, 404);
    assert_eq!(ask(&kim, "DELETE", &own, b"").await.status, 204);
    let empty = json!({"language": "ko", "title": " ", "text": "x"}).to_string();
    assert_eq!(ask(&kim, "POST", "/api/v1/quick-texts", empty.as_bytes()).await.status, 400);
}
