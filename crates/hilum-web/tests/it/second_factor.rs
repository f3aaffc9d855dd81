//! The second factor, as browsers and administrators meet it. Codes come from Python's hmac, which shares nothing with ours.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hilum_engine::accounts::{AccountRules, SecondFactorRule};
use serde_json::{Value, json};

use crate::client::{Answer, Running, start_fresh_by};
use crate::oracle;
use crate::sign_in::{OTHER, PASSWORD, administrator, cookie, post};

const TOTP: &str = "
import base64, hashlib, hmac, struct, sys
secret, seconds = sys.argv[1], int(sys.argv[2])
key = base64.b32decode(secret + '=' * (-len(secret) % 8))
tag = hmac.new(key, struct.pack('>Q', seconds // 30), hashlib.sha1).digest()
at = tag[-1] & 15
print('%06d' % ((struct.unpack('>I', tag[at:at + 4])[0] & 0x7FFFFFFF) % 1000000))
";

/// A clock that stands still until it is set forward.
struct Clock(&'static AtomicU64);

impl Clock {
    fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// The code of now, or of a moment later or earlier.
    async fn code(&self, secret: &str, off: i64) -> String {
        let seconds = self.0.load(Ordering::Relaxed).wrapping_add_signed(off);
        let told = oracle::python(TOTP, vec![secret.to_owned(), seconds.to_string()]).await;
        told.expect("the oracles are there").trim().to_owned()
    }
}

/// A clock of its own for a test: what it runs by is a plain function.
macro_rules! clock {
    () => {{
        static SECONDS: AtomicU64 = AtomicU64::new(1_800_000_000);
        fn now() -> SystemTime {
            UNIX_EPOCH + Duration::from_secs(SECONDS.load(Ordering::Relaxed))
        }
        (Clock(&SECONDS), AccountRules { clock: now, ..AccountRules::default() })
    }};
}

async fn there() -> bool {
    oracle::python("print('there')", Vec::new()).await.is_some()
}

/// Somebody who is signed in.
struct Page<'a>(&'a Running, String, String);

impl Page<'_> {
    async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("Cookie", self.1.as_str()), ("X-Hilum-Csrf", &self.2), ("Content-Type", "application/json")];
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.0.send_bare(method, path, &headers, text.as_bytes()).await
    }

    async fn session(&self) -> Value {
        self.send("GET", "/api/v1/session", &Value::Null).await.json()
    }

    /// Adds an authenticator; its secret, and the recovery codes.
    async fn enrol(&self, clock: &Clock) -> (String, Vec<String>) {
        let begun = self.send("POST", "/api/v1/second-factor", &json!({"password": PASSWORD})).await;
        assert_eq!(begun.status, 200, "{}", begun.text());
        let secret = begun.json()["secret"].as_str().unwrap().to_owned();
        assert!(begun.json()["uri"].as_str().unwrap().starts_with("otpauth://totp/Hilum%3Akim.minji?secret="));
        let code = clock.code(&secret, 0).await;
        let done = self.send("PUT", "/api/v1/second-factor", &json!({ "code": code })).await;
        assert_eq!(done.status, 200, "{}", done.text());
        let codes = done.json()["recovery_codes"].as_array().unwrap().clone();
        assert_eq!(codes.len(), 10);
        clock.forward(30);
        (secret, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
    }
}

fn page<'a>(server: &'a Running, answer: &Answer) -> Page<'a> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    Page(server, cookie(answer), answer.json()["csrf"].as_str().unwrap().to_owned())
}

async fn sign_in(server: &Running, code: Option<&str>) -> Answer {
    let mut body = json!({"login": "kim.minji", "password": PASSWORD});
    if let Some(code) = code {
        body["code"] = code.into();
    }
    post(server, "/api/v1/session", &[], &body).await
}

fn told(answer: &Answer) -> (u16, String) {
    assert!(answer.header("set-cookie").is_none(), "no session before both factors");
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

fn refusal(code: &str) -> (u16, String) {
    (401, code.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_second_factor_a_session_takes_both_and_each_code_works_once() {
    if !there().await {
        return;
    }
    let (clock, rules) = clock!();
    let server = start_fresh_by(rules).await;
    let (session, csrf) = administrator(&server).await;
    let first = Page(&server, session, csrf);
    let elsewhere = page(&server, &sign_in(&server, None).await);
    let none = json!({"enrolled": false, "required": false, "recovery_codes_left": 0, "reset_at": null});
    assert_eq!(first.session().await["second_factor"], none);
    let wrong = first.send("POST", "/api/v1/second-factor", &json!({"password": OTHER})).await;
    assert_eq!(told(&wrong), refusal("wrong_credentials"));
    // What was begun does not count before a code of it was shown.
    let begun = first.send("POST", "/api/v1/second-factor", &json!({"password": PASSWORD})).await;
    assert_eq!(begun.status, 200);
    assert_eq!(
        told(&first.send("PUT", "/api/v1/second-factor", &json!({"code": "000000"})).await),
        refusal("wrong_second_factor")
    );
    page(&server, &sign_in(&server, None).await);

    let (secret, codes) = first.enrol(&clock).await;
    assert_eq!(elsewhere.send("GET", "/api/v1/session", &Value::Null).await.status, 401, "other sessions have ended");
    let view = first.session().await;
    assert_eq!(
        (&view["second_factor"]["enrolled"], &view["second_factor"]["recovery_codes_left"]),
        (&json!(true), &json!(10))
    );
    let again = first.send("POST", "/api/v1/second-factor", &json!({"password": PASSWORD})).await;
    assert_eq!(again.status, 409, "one that counts is not replaced by who finds an open session");

    assert_eq!(told(&sign_in(&server, None).await), refusal("second_factor_needed"));
    let now = clock.code(&secret, 0).await;
    page(&server, &sign_in(&server, Some(&format!(" {} {} ", &now[..3], &now[3..]))).await);
    assert_eq!(told(&sign_in(&server, Some(&now)).await), refusal("wrong_second_factor"), "a second time");
    // One step early or late is taken, two are not; and none before one that was used.
    page(&server, &sign_in(&server, Some(&clock.code(&secret, 30).await)).await);
    assert_eq!(told(&sign_in(&server, Some(&now)).await), refusal("wrong_second_factor"));
    clock.forward(300);
    for off in [-60, 60] {
        let code = clock.code(&secret, off).await;
        assert_eq!(told(&sign_in(&server, Some(&code)).await), refusal("wrong_second_factor"), "{off}");
    }
    page(&server, &sign_in(&server, Some(&clock.code(&secret, -30).await)).await);

    // In place of the authenticator, once, however it is typed.
    page(&server, &sign_in(&server, Some(&codes[0].to_uppercase().replace('-', " "))).await);
    assert_eq!(told(&sign_in(&server, Some(&codes[0])).await), refusal("wrong_second_factor"));
    assert_eq!(first.session().await["second_factor"]["recovery_codes_left"], 9);
    let renewed = first.send("POST", "/api/v1/second-factor/recovery-codes", &json!({"code": codes[1]})).await;
    assert_eq!((renewed.status, renewed.json()["recovery_codes"].as_array().unwrap().len()), (200, 10));
    assert_eq!(told(&sign_in(&server, Some(&codes[2])).await), refusal("wrong_second_factor"), "of the old ones");

    // A token outlives its session: it takes a code. Those that are there go on.
    let token = json!({"name": "night", "days": 1, "roles": [{"institution": "LOCAL", "role": "data_steward"}]});
    assert_eq!(told(&first.send("POST", "/api/v1/tokens", &token).await), refusal("second_factor_needed"));
    clock.forward(60);
    let with = |code: String| {
        let mut token = token.clone();
        token["code"] = code.into();
        token
    };
    let made = first.send("POST", "/api/v1/tokens", &with(clock.code(&secret, 0).await)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let bearer = format!("Bearer {}", made.json()["token"].as_str().unwrap());
    let by_token = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    assert_eq!(server.send_bare("GET", "/dicom-web/studies", &by_token, b"").await.status, 204);
    let by_token = server.send_bare("POST", "/api/v1/second-factor", &by_token, br#"{"password":"x"}"#).await;
    assert_eq!((by_token.status, &by_token.json()["code"]), (403, &json!("needs_session")));

    clock.forward(60);
    assert_eq!(told(&first.send("POST", "/api/v1/second-factor/remove", &json!({"code": "123456"})).await).0, 401);
    let code = clock.code(&secret, 0).await;
    assert_eq!(first.send("POST", "/api/v1/second-factor/remove", &json!({ "code": code })).await.status, 204);
    page(&server, &sign_in(&server, None).await);

    let trail = first.send("GET", "/api/v1/audit?limit=200", &Value::Null).await;
    for secret in [&secret, &codes[0], &codes[1]] {
        assert!(!trail.text().contains(secret.as_str()));
    }
    let codes: Vec<String> = trail.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .filter(|event| event["action"] == "change_account")
        .map(|event| event["detail"]["code"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        codes,
        [
            "link_used",
            "second_factor_added",
            "recovery_code_used",
            "recovery_code_used",
            "recovery_codes_made",
            "second_factor_removed"
        ]
    );
    assert!(trail.text().contains("wrong_second_factor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_lock_the_login_as_wrong_passwords_do() {
    if !there().await {
        return;
    }
    let (clock, rules) = clock!();
    let server = start_fresh_by(rules).await;
    let (session, csrf) = administrator(&server).await;
    let first = Page(&server, session, csrf);
    let (secret, codes) = first.enrol(&clock).await;
    for _ in 0..2 {
        assert_eq!(told(&sign_in(&server, Some("0000000")).await), refusal("wrong_second_factor"));
        // That a code is missing neither counts nor makes what counted forgotten.
        assert_eq!(told(&sign_in(&server, None).await), refusal("second_factor_needed"));
    }
    assert_eq!(
        told(&first.send("POST", "/api/v1/second-factor/remove", &json!({"code": "no"})).await),
        refusal("wrong_second_factor")
    );
    for _ in 0..2 {
        assert_eq!(told(&sign_in(&server, Some("aaaa-bbbb")).await), refusal("wrong_second_factor"));
    }
    let now = clock.code(&secret, 0).await;
    for code in [None, Some(now.as_str()), Some(codes[0].as_str())] {
        assert_eq!(told(&sign_in(&server, code).await), (429, "too_many_attempts".to_owned()), "{code:?}");
    }
    assert_eq!(first.send("POST", "/api/v1/second-factor/remove", &json!({"code": now})).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_required_nobody_has_a_session_without_and_the_first_sign_in_adds_one() {
    if !there().await {
        return;
    }
    let (clock, rules) = clock!();
    let server = start_fresh_by(AccountRules { second_factor: SecondFactorRule::Required, ..rules }).await;
    let link = server.engine.first_administrator_link().await.unwrap().unwrap();
    let used = json!({"link": link, "login": "kim.minji", "name": "Kim", "password": PASSWORD});
    let answer = post(&server, "/api/v1/links/use", &[], &used).await;
    assert_eq!((answer.status, answer.header("set-cookie")), (204, None));
    assert_eq!(told(&sign_in(&server, None).await), refusal("second_factor_missing"));
    assert_eq!(told(&sign_in(&server, Some("123456")).await), refusal("wrong_second_factor"), "nothing was begun");
    let begin = |password: &str| json!({"login": "kim.minji", "password": password});
    let wrong = post(&server, "/api/v1/session/second-factor", &[], &begin(OTHER)).await;
    assert_eq!(told(&wrong), refusal("wrong_credentials"));
    let begun = post(&server, "/api/v1/session/second-factor", &[], &begin(PASSWORD)).await;
    assert_eq!((begun.status, begun.header("set-cookie")), (200, None), "{}", begun.text());
    assert!(begun.json()["qr"]["size"].as_i64().unwrap() > 30);
    let secret = begun.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(told(&sign_in(&server, None).await), refusal("second_factor_missing"));
    let answer = sign_in(&server, Some(&clock.code(&secret, 0).await)).await;
    let first = page(&server, &answer);
    assert_eq!(answer.json()["recovery_codes"].as_array().unwrap().len(), 10);
    assert!(first.session().await.get("recovery_codes").is_none(), "shown once");
    // Whoever knows the password adds no other one.
    let again = post(&server, "/api/v1/session/second-factor", &[], &begin(PASSWORD)).await;
    assert_eq!((again.status, &again.json()["code"]), (409, &json!("conflict")));
    clock.forward(30);
    let code = clock.code(&secret, 0).await;
    let removed = first.send("POST", "/api/v1/second-factor/remove", &json!({ "code": code })).await;
    assert_eq!((removed.status, &removed.json()["code"]), (409, &json!("conflict")));
    // A link for a new password is no second factor.
    let scope = server.engine.console_scope().await.unwrap();
    let account = server.engine.account_with_login(&scope, "kim.minji").await.unwrap();
    assert!(account.second_factor);
    let link = server.engine.account_link(&scope, account.id).await.unwrap();
    let used = post(&server, "/api/v1/links/use", &[], &json!({"link": link, "password": PASSWORD})).await;
    assert_eq!((used.status, used.header("set-cookie")), (204, None));
    assert_eq!(told(&sign_in(&server, None).await), refusal("second_factor_needed"));
    page(&server, &sign_in(&server, Some(&clock.code(&secret, 0).await)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_takes_a_lost_one_away_and_its_owner_is_told() {
    if !there().await {
        return;
    }
    let (clock, rules) = clock!();
    let server = start_fresh_by(rules).await;
    let (session, csrf) = administrator(&server).await;
    let kim = Page(&server, session, csrf);
    let (_, codes) = kim.enrol(&clock).await;
    let id = kim.session().await["account"]["id"].clone();
    let new = json!({"login": "lee", "name": "Lee", "roles": [{"institution": "LOCAL", "role": "administrator"}]});
    let added = kim.send("POST", "/api/v1/accounts", &new).await.json();
    assert_eq!(added["account"]["second_factor"], false);
    let used = json!({"link": added["link"], "password": OTHER});
    let lee = page(&server, &post(&server, "/api/v1/links/use", &[], &used).await);
    let listed = lee.send("GET", "/api/v1/accounts", &Value::Null).await.json();
    let has = |login: &str| {
        listed.as_array().unwrap().iter().find(|one| one["login"] == login).unwrap()["second_factor"].clone()
    };
    assert_eq!((has("kim.minji"), has("lee")), (json!(true), json!(false)));

    let reset = format!("/api/v1/accounts/{id}/second-factor/reset");
    let stranger = crate::client::token_at(&server.engine, "them", "ELSEWHERE", &hilum_engine::Role::ALL).await;
    let bearer = format!("Bearer {stranger}");
    assert_eq!(server.send_bare("POST", &reset, &[("Authorization", &bearer)], b"").await.status, 403, "no session");
    let scope = hilum_engine::Scope::account(
        hilum_engine::AccountId(99),
        vec![("ELSEWHERE".parse().unwrap(), hilum_engine::Role::Administrator.permissions())],
    );
    let account = hilum_engine::AccountId(id.as_i64().unwrap());
    assert_eq!(server.engine.reset_second_factor(&scope, account).await.unwrap_err().code(), "not_found");

    assert_eq!(lee.send("POST", &reset, &json!({})).await.status, 204);
    assert_eq!(lee.send("POST", &reset, &json!({})).await.status, 409);
    assert_eq!(kim.send("GET", "/api/v1/session", &Value::Null).await.status, 401, "sessions have ended");
    let kim = page(&server, &sign_in(&server, None).await);
    let factor = kim.session().await["second_factor"].clone();
    assert!(factor["reset_at"].is_string() && factor["enrolled"] == false, "{factor}");
    assert_eq!(kim.send("POST", "/api/v1/second-factor/reset-seen", &json!({})).await.status, 204);
    assert_eq!(kim.session().await["second_factor"]["reset_at"], Value::Null);
    assert_eq!(told(&kim.send("POST", "/api/v1/second-factor/remove", &json!({"code": codes[0]})).await).0, 409);
    let trail = kim.send("GET", "/api/v1/audit?action=change_account", &Value::Null).await.json();
    let event =
        trail["items"].as_array().unwrap().iter().find(|one| one["detail"]["code"] == "second_factor_reset").unwrap();
    assert_eq!(
        (&event["actor"]["name"], &event["detail"]["account"], &event["institution"]),
        (&json!("lee"), &id, &json!("LOCAL"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_a_recovery_code_signs_in_and_the_rest_of_the_server_works() {
    if !there().await {
        return;
    }
    let (clock, rules) = clock!();
    let server = start_fresh_by(rules).await;
    let (session, csrf) = administrator(&server).await;
    let first = Page(&server, session, csrf);
    let (secret, codes) = first.enrol(&clock).await;
    let keys = server.data().join("keys/hilum.keys");
    assert!(!std::fs::read_to_string(&keys).unwrap().contains(&secret));
    std::fs::rename(&keys, keys.with_extension("away")).unwrap();
    let lost = sign_in(&server, Some(&clock.code(&secret, 0).await)).await;
    assert_eq!(told(&lost), (500, "key_missing".to_owned()));
    page(&server, &sign_in(&server, Some(&codes[3])).await);
    assert_eq!(first.send("GET", "/dicom-web/studies", &Value::Null).await.status, 204);
    std::fs::rename(keys.with_extension("away"), &keys).unwrap();
    page(&server, &sign_in(&server, Some(&clock.code(&secret, 0).await)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_from_before_it_was_required_is_not_prolonged_without_and_adds_one() {
    if !there().await {
        return;
    }
    let (clock, rules) = clock!();
    let server = start_fresh_by(rules.clone()).await;
    let (session, csrf) = administrator(&server).await;
    let server = server.again_by(AccountRules { second_factor: SecondFactorRule::Required, ..rules }).await;
    let before = Page(&server, session, csrf);
    assert_eq!(before.session().await["second_factor"]["required"], true);
    let change = before.send("PUT", "/api/v1/session/password", &json!({"old": PASSWORD, "new": OTHER})).await;
    assert_eq!(told(&change), refusal("second_factor_missing"));
    let token = json!({"name": "x", "days": 1, "roles": [{"institution": "LOCAL", "role": "radiologist"}]});
    assert_eq!(told(&before.send("POST", "/api/v1/tokens", &token).await), refusal("second_factor_missing"));
    before.enrol(&clock).await;
    let change = before.send("PUT", "/api/v1/session/password", &json!({"old": PASSWORD, "new": OTHER})).await;
    assert_eq!(change.status, 200, "{}", change.text());
}
