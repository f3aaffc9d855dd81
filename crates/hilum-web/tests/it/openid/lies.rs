//! A provider that lies: nobody is signed in, nothing is changed, and the server goes on.

use serde_json::{Value, json};

use super::{
    browser::Browser,
    kim, logins,
    provider::{Answered, Liar, Lies, Signed},
    started, trail,
};
use crate::client::{start_with, token};

fn saying(claims: Value) -> Lies {
    Lies { claims, ..Lies::default() }
}

fn signing(signed: Signed) -> Lies {
    Lies { signed, ..Lies::default() }
}

fn telling(token: Answered) -> Lies {
    Lies { token, ..Lies::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_that_lies_signs_nobody_in_and_each_lie_has_its_code() {
    let (server, liar) = started().await;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let issuer = format!("http://{}", liar.address);
    for (lies, code) in [
        (saying(json!({"iss": "https://other.example"})), "openid_issuer"),
        (saying(json!({"iss": format!("{issuer}/")})), "openid_issuer"),
        (saying(json!({"iss": null})), "openid_issuer"),
        (saying(json!({"aud": "other"})), "openid_audience"),
        (saying(json!({"aud": []})), "openid_audience"),
        (saying(json!({"aud": null})), "openid_audience"),
        (saying(json!({"aud": ["hilum", "other"]})), "openid_authorized_party"),
        (saying(json!({"aud": ["hilum", 7]})), "openid_authorized_party"),
        (saying(json!({"azp": "other"})), "openid_authorized_party"),
        (saying(json!({"aud": ["hilum", "other"], "azp": "other"})), "openid_authorized_party"),
        (saying(json!({"azp": null, "exp": now - 61})), "openid_expired"),
        (saying(json!({"exp": null})), "openid_expired"),
        (saying(json!({"exp": "tomorrow"})), "openid_expired"),
        (saying(json!({"nbf": now + 90})), "openid_expired"),
        (saying(json!({"iat": now + 90})), "openid_issued_at"),
        (saying(json!({"iat": now - 3600})), "openid_issued_at"),
        (saying(json!({"iat": null})), "openid_issued_at"),
        (saying(json!({"nonce": "0"})), "openid_nonce"),
        (saying(json!({"nonce": null})), "openid_nonce"),
        (saying(json!({"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"})), "openid_access_token_hash"),
        (saying(json!({"at_hash": 7})), "openid_access_token_hash"),
        (saying(json!({"sub": null})), "openid_subject"),
        (saying(json!({"sub": ""})), "openid_subject"),
        (saying(json!({"sub": "x".repeat(256)})), "openid_subject"),
        (saying(json!({"sub": 1})), "openid_subject"),
        (signing(Signed::NotAtAll), "openid_algorithm"),
        (signing(Signed::ByThePublicKey), "openid_algorithm"),
        (signing(Signed::ByAnotherKey), "openid_signature"),
        (signing(Signed::ByItsOwnWord), "openid_signature"),
        (signing(Signed::ByUnknownKey), "openid_unknown_key"),
        (telling(Answered::TooLong), "openid_answer_too_long"),
        (telling(Answered::Redirected("http://127.0.0.1:1/".into())), "openid_redirected"),
        (telling(Answered::Status(500)), "openid_refused"),
        (telling(Answered::Status(400)), "openid_code_refused"),
        (telling(Answered::With(json!([]))), "openid_unreadable"),
        (telling(Answered::With(json!({"access_token": "a"}))), "openid_unreadable"),
        (telling(Answered::With(json!({"id_token": "a.b"}))), "openid_token"),
        (telling(Answered::With(json!({"id_token": "a.b.c.d.e"}))), "openid_token"),
    ] {
        liar.lie(lies.clone());
        let mut browser = Browser::default();
        let mut person = kim();
        for name in ["sub", "groups"].iter().filter(|name| lies.claims.get(**name).is_some()) {
            person.as_object_mut().unwrap().remove(*name);
        }
        assert_eq!(browser.sign_in(&server, &liar, &person).await, format!("/sign-in#openid={code}"), "{lies:?}");
        assert!(!browser.cookies.contains_key("hilum-session"), "{lies:?}");
        assert!(trail(&server).await.0.contains(&format!("sign_in refused {code}")), "{code}");
    }
    assert!(logins(&server).await.is_empty());
    let (events, _) = trail(&server).await;
    assert!(
        events.iter().all(|event| event.starts_with("sign_in refused")
            || event.starts_with("change_roles done given")
            || event.starts_with("add_account done -")),
        "{events:?}"
    );
    // Of one audience among several, for a client that it names, a little late: that is no lie.
    liar.lie(saying(
        json!({"aud": ["hilum", "other"], "azp": "hilum", "exp": now - 30, "iat": now + 30, "at_hash": null}),
    ));
    assert_eq!(Browser::default().sign_in(&server, &liar, &kim()).await, "/settings/tokens");
}

/// Certificate and key of `localhost`, which vouches for itself.
fn certificate(folder: &std::path::Path) -> Option<()> {
    let openssl = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(folder)
        .output();
    let Ok(output) = openssl else {
        assert!(std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(), "openssl is not installed");
        println!("SKIPPED: openssl is not installed");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_over_https_is_believed_by_a_certificate_of_its_authority_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let Some(()) = certificate(folder.path()) else { return };
    let (pem, key) = (std::fs::read(file("certificate.pem")).unwrap(), std::fs::read(file("key.pem")).unwrap());
    let liar = Liar::start_tls(&pem, &key).await;
    let mut known = liar.settings("hospital");
    known.authorities = Some(file("certificate.pem"));
    let server = start_with(|config| config.openid = vec![known.clone()]).await;
    assert_eq!(Browser::default().sign_in(&server, &liar, &kim()).await, "/settings/tokens");
    server.stop().await.unwrap();
    // By the authorities that everybody knows it is nobody.
    let mut unknown = known.clone();
    unknown.authorities = None;
    let server = start_with(|config| config.openid = vec![unknown]).await;
    let answer =
        server.send_bare("POST", "/api/v1/openid/hospital", &[("Content-Type", "application/json")], b"{}").await;
    assert_eq!((answer.status, &answer.json()["code"]), (502, &json!("openid_unreachable")));
    server.stop().await.unwrap();
    // A provider over https does not hand us on to what can be overheard.
    liar.lie(Lies {
        discovery: Answered::With(json!({
            "issuer": known.issuer.as_str(), "authorization_endpoint": format!("{}/a", known.issuer.as_str()),
            "token_endpoint": "http://127.0.0.1:1/t", "jwks_uri": format!("{}/k", known.issuer.as_str()),
        })),
        ..Lies::default()
    });
    known.authorities = Some(file("certificate.pem"));
    let server = start_with(|config| config.openid = vec![known]).await;
    let answer =
        server.send_bare("POST", "/api/v1/openid/hospital", &[("Content-Type", "application/json")], b"{}").await;
    assert_eq!(answer.json()["code"], "openid_insecure");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_worth_something_once_and_with_its_verifier_alone() {
    let (server, liar) = started().await;
    let mut browser = Browser::default();
    let location = browser.begin(&server, "hospital").await;
    let code = liar.agree(&location, &kim());
    assert_eq!(browser.back(&server, &location, &code).await, "/settings/tokens");
    // The same code with a state of its own, and one that was given for another sign-in.
    let again = browser.begin(&server, "hospital").await;
    assert_eq!(browser.back(&server, &again, &code).await, "/sign-in#openid=openid_code_refused");
    let (mine, theirs) = (browser.begin(&server, "hospital").await, browser.begin(&server, "hospital").await);
    let stolen = liar.agree(&theirs, &kim());
    assert_eq!(browser.back(&server, &mine, &stolen).await, "/sign-in#openid=openid_code_refused");
    server.stop().await.unwrap();

    let mut wrong = liar.settings("hospital");
    wrong.client_secret = Some(hilum_web::ClientSecret::new("another secret".into()));
    let server = start_with(|config| config.openid = vec![wrong]).await;
    let page = Browser::default().sign_in(&server, &liar, &kim()).await;
    assert_eq!(page, "/sign-in#openid=openid_client_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_changed_are_asked_for_once_and_not_for_every_token_that_names_another() {
    let (server, liar) = started().await;
    Browser::default().sign_in(&server, &liar, &kim()).await;
    assert_eq!(liar.asked("/jwks"), 1);
    liar.lie(Lies { kid: 1, ..Lies::default() });
    assert_eq!(Browser::default().sign_in(&server, &liar, &kim()).await, "/settings/tokens");
    assert_eq!(liar.asked("/jwks"), 2);
    for _ in 0..3 {
        liar.lie(Lies { kid: 1, signed: Signed::ByUnknownKey, ..Lies::default() });
        let page = Browser::default().sign_in(&server, &liar, &kim()).await;
        assert_eq!(page, "/sign-in#openid=openid_unknown_key");
    }
    assert_eq!(liar.asked("/jwks"), 2, "who signs with keys that nobody has does not make us ask");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_or_says_nonsense_is_told_of_and_passwords_go_on() {
    let honest = |liar: &Liar| {
        json!({
            "issuer": format!("http://{}", liar.address), "authorization_endpoint": format!("http://{}/a", liar.address),
            "token_endpoint": format!("http://{}/t", liar.address), "jwks_uri": format!("http://{}/k", liar.address),
        })
    };
    let with = |name: &'static str, value: Value| {
        move |liar: &Liar| {
            let mut document = honest(liar);
            document[name] = value.clone();
            Answered::With(document)
        }
    };
    type Lie = Box<dyn Fn(&Liar) -> Answered + Send>;
    let lies: Vec<(Lie, &str)> = vec![
        (Box::new(with("issuer", json!("https://other.example"))), "openid_other_issuer"),
        (Box::new(with("token_endpoint", json!("http://token.example/"))), "openid_insecure"),
        (Box::new(with("authorization_endpoint", json!("javascript:alert(1)"))), "openid_insecure"),
        (Box::new(with("authorization_endpoint", json!("http://127.0.0.1@evil.example/"))), "openid_insecure"),
        (Box::new(with("jwks_uri", json!("file:///etc/passwd"))), "openid_insecure"),
        (Box::new(with("end_session_endpoint", json!("http://evil.example/"))), "openid_insecure"),
        (Box::new(with("jwks_uri", Value::Null)), "openid_unreadable"),
        (Box::new(|_| Answered::With(json!("nonsense"))), "openid_unreadable"),
        (Box::new(|_| Answered::Status(500)), "openid_refused"),
        (Box::new(|_| Answered::TooLong), "openid_answer_too_long"),
        (Box::new(|_| Answered::Redirected("http://evil.example/".into())), "openid_redirected"),
        (Box::new(|_| Answered::Endlessly), "openid_unreachable"),
        (Box::new(|_| Answered::Silently), "openid_unreachable"),
    ];
    let mut providers = Vec::new();
    let mut expected = Vec::new();
    for (number, (lie, code)) in lies.into_iter().enumerate() {
        let liar = Liar::start().await;
        liar.lie(Lies { discovery: lie(&liar), ..Lies::default() });
        providers.push(liar.settings(&format!("p{number}")));
        expected.push((format!("p{number}"), code, Some(liar)));
    }
    // One that is not there at all.
    let mut gone = providers[0].clone();
    let nobody = crate::ports::free_address();
    (gone.id, gone.issuer) = ("gone".parse().unwrap(), format!("http://{nobody}").parse().unwrap());
    providers.push(gone);
    expected.push(("gone".to_owned(), "openid_unreachable", None));
    let server = start_with(|config| config.openid = providers).await;
    // A provider that failed is not asked again at once.
    for _ in 0..3 {
        let again = server.send_bare("POST", "/api/v1/openid/p8", &[("Content-Type", "application/json")], b"{}").await;
        assert_eq!(again.json()["code"], "openid_refused");
    }
    assert_eq!(expected[8].2.as_ref().unwrap().asked("/.well-known/openid-configuration"), 1);
    let asked = expected.iter().map(|(id, ..)| {
        let server = &server;
        async move {
            let path = format!("/api/v1/openid/{id}");
            server.send_bare("POST", &path, &[("Content-Type", "application/json")], b"{}").await
        }
    });
    let started = std::time::Instant::now();
    let answers = futures::future::join_all(asked).await;
    assert!(started.elapsed().as_secs() < 30, "no answer is waited for without end");
    for ((id, code, _), answer) in expected.iter().zip(&answers) {
        assert_eq!((answer.status, &answer.json()["code"]), (502, &json!(code)), "{id}");
        assert_eq!(answer.header("set-cookie"), None);
    }
    let scope = server.engine.console_scope().await.unwrap();
    token(&server.engine, "lee", &[hilum_engine::Role::Viewer]).await;
    let lee = server.engine.account_with_login(&scope, "lee").await.unwrap();
    server.engine.set_password(&scope, lee.id, super::accounts::PASSWORD).await.unwrap();
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in_here(&server, "lee", super::accounts::PASSWORD).await, 200);
}
