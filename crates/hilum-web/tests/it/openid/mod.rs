//! Signing in by OpenID providers: honest ones, and those that lie in every way.

mod accounts;
mod browser;
mod lies;
mod provider;

use hilum_engine::Role;
use serde_json::{Value, json};

use self::{browser::Browser, provider::Liar};
use crate::client::{Running, start_with, token};

/// A server with one provider, `hospital`.
async fn started() -> (Running, Liar) {
    let liar = Liar::start().await;
    let settings = liar.settings("hospital");
    (start_with(|config| config.openid = vec![settings]).await, liar)
}

fn kim() -> Value {
    json!({
        "sub": "248289761001", "preferred_username": "Kim.MinJi", "name": "Kim Minji", "email": "kim@hospital.example",
        "groups": ["staff", "radiology-ksh"],
    })
}

/// `action outcome code` of each event about signing in and accounts, the newest first, and all of it as text.
async fn trail(server: &Running) -> (Vec<String>, String) {
    let answer = server.get("/api/v1/audit?limit=200").await;
    let list = answer.json();
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let events = list["items"].as_array().unwrap().iter();
    let of_accounts = events.filter(|event| {
        ["sign_in", "sign_out", "add_account", "change_account", "change_roles"]
            .contains(&event["action"].as_str().unwrap())
    });
    let told = |event: &Value| {
        let code = word(&event["detail"]["code"]);
        format!("{} {} {code}", word(&event["action"]), word(&event["outcome"]))
    };
    (of_accounts.map(told).collect(), answer.text().to_owned())
}

/// Logins of all accounts but that of the tests.
async fn logins(server: &Running) -> Vec<String> {
    let scope = server.engine.console_scope().await.unwrap();
    let accounts = server.engine.accounts(&scope).await.unwrap().into_iter();
    accounts.map(|account| account.login).filter(|login| login != "all").collect()
}

fn roles(session: &Value) -> Vec<&str> {
    let institutions = session["institutions"].as_array().unwrap().iter();
    institutions.flat_map(|one| one["roles"].as_array().unwrap()).filter_map(Value::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_a_provider_knows_signs_in_with_the_roles_that_its_claims_give_each_time_anew() {
    let (server, liar) = started().await;
    let providers = server.send_bare("GET", "/api/v1/openid", &[], b"").await.json();
    assert_eq!(providers[0]["id"], "hospital");
    assert_eq!(providers[0]["name"], "Hospital account");
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in(&server, &liar, &kim()).await, "/settings/tokens");
    let first = browser.cookies["hilum-session"].clone();
    let session = browser.session(&server).await;
    assert_eq!((&session["account"]["login"], &session["account"]["name"]), (&json!("kim.minji"), &json!("Kim Minji")));
    assert_eq!(roles(&session), ["radiologist"]);

    // The administrator gives one by hand; the provider now says another.
    let scope = server.engine.console_scope().await.unwrap();
    let account = server.engine.account_with_login(&scope, "kim.minji").await.unwrap();
    let grant = |role| hilum_engine::Grant { institution: "LOCAL".parse().unwrap(), role };
    assert_eq!((account.roles, account.claimed_roles), (vec![], vec![grant(Role::Radiologist)]));
    let patch = hilum_engine::accounts::AccountPatch { roles: Some(vec![grant(Role::Viewer)]), ..Default::default() };
    server.engine.change_account(&scope, account.id, &patch).await.unwrap();
    let mut claims = kim();
    claims["groups"] = json!("archive");
    claims["preferred_username"] = json!("somebody.else");
    browser.sign_in(&server, &liar, &claims).await;
    assert_ne!(browser.cookies["hilum-session"], first, "a session is new after each sign-in");
    let session = browser.session(&server).await;
    assert_eq!(session["account"]["login"], "kim.minji", "issuer and subject say who it is, and nothing else");
    assert_eq!(roles(&session), ["viewer", "data_steward"]);
    // What the provider no longer says is over; what was given by hand is not.
    claims["groups"] = Value::Null;
    browser.sign_in(&server, &liar, &claims).await;
    assert_eq!(roles(&browser.session(&server).await), ["viewer"]);

    let (events, text) = trail(&server).await;
    assert_eq!(
        &events[..9],
        [
            "sign_in done openid",
            "change_roles done taken_by_claims",
            "sign_in done openid",
            "change_roles done taken_by_claims",
            "change_roles done given_by_claims",
            "change_roles done given",
            "sign_in done openid",
            "change_roles done given_by_claims",
            "add_account done openid",
        ]
    );
    for personal in ["Kim Minji", "kim@hospital.example", "248289761001", "radiology-ksh", &liar.address.to_string()] {
        assert!(!text.contains(personal), "{personal}");
    }
    assert_eq!(liar.asked("/jwks"), 1, "keys are kept");
    assert_eq!(liar.asked("/.well-known/openid-configuration"), 1, "and the discovery document");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_only_for_whom_a_role_is_and_never_taken_over_by_an_equal_login() {
    let (server, liar) = started().await;
    token(&server.engine, "lee", &[Role::Administrator]).await;
    let mut closed = liar.settings("closed");
    closed.new_accounts = false;
    for (claims, code) in [
        (json!({"groups": ["staff"]}), "openid_no_role"),
        (json!({"groups": null}), "openid_no_role"),
        (json!({"groups": ["Radiology-KSH"]}), "openid_no_role"),
        (json!({"groups": {"radiology-ksh": true}}), "openid_no_role"),
        (json!({"preferred_username": "lee"}), "openid_login_taken"),
        (json!({"preferred_username": " LEE "}), "openid_login_taken"),
        (json!({"preferred_username": "김민지"}), "openid_login_unusable"),
        (json!({"preferred_username": null}), "openid_login_unusable"),
        (json!({"preferred_username": ["kim"]}), "openid_login_unusable"),
    ] {
        let mut person = kim();
        person.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let mut browser = Browser::default();
        assert_eq!(browser.sign_in(&server, &liar, &person).await, format!("/sign-in#openid={code}"), "{claims}");
        assert!(!browser.cookies.contains_key("hilum-session"));
        assert!(trail(&server).await.0.contains(&format!("sign_in refused {code}")), "{code}");
    }
    assert_eq!(logins(&server).await, ["lee"]);
    let scope = server.engine.console_scope().await.unwrap();
    let lee = server.engine.account_with_login(&scope, "lee").await.unwrap();
    assert!(server.engine.identities(&scope, lee.id).await.unwrap().is_empty());
    server.stop().await.unwrap();

    let server = start_with(|config| config.openid = vec![closed]).await;
    let mut browser = Browser::default();
    let location = browser.begin(&server, "closed").await;
    let code = liar.agree(&location, &kim());
    assert_eq!(browser.back(&server, &location, &code).await, "/sign-in#openid=openid_no_account");
    assert!(logins(&server).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_come_back_each_once_and_in_any_order() {
    let (server, liar) = started().await;
    let mut browser = Browser::default();
    let (first, second) = (browser.begin(&server, "hospital").await, browser.begin(&server, "hospital").await);
    let (one, two) = (provider::query(&first), provider::query(&second));
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(one[name], two[name], "{name}");
        assert!(one[name].len() >= 43, "{name}");
    }
    let (code_one, code_two) = (liar.agree(&first, &kim()), liar.agree(&second, &kim()));
    assert_eq!(browser.back(&server, &second, &code_two).await, "/settings/tokens");
    assert_eq!(browser.back(&server, &first, &code_one).await, "/settings/tokens");
    // A way back is gone once.
    for (location, code) in [(&first, &code_one), (&second, &code_two)] {
        assert_eq!(browser.back(&server, location, code).await, "/sign-in#openid=openid_state");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_back_in_anothers_browser_by_anothers_provider_or_to_a_page_of_anothers() {
    let liar = Liar::start().await;
    let other = Liar::start().await;
    let settings = vec![liar.settings("hospital"), other.settings("other")];
    let server = start_with(|config| config.openid = settings).await;
    let mut browser = Browser::default();
    let location = browser.begin(&server, "hospital").await;
    let code = liar.agree(&location, &kim());
    let state = "/sign-in#openid=openid_state";
    // Without the cookie, and with that of somebody who went there too (login CSRF).
    assert_eq!(Browser::default().back(&server, &location, &code).await, state);
    let mut stranger = Browser::default();
    stranger.begin(&server, "hospital").await;
    assert_eq!(stranger.back(&server, &location, &code).await, state);
    let headers = [("Cookie", format!("hilum-openid={}", browser.cookies["hilum-openid"]))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let own = browser::callback(&location, &code);
    for path in [
        own.replace("/hospital/", "/other/"),
        own.replace("state=", "state=0"),
        own.replace("state=", "other="),
        format!("{own}&state=twice"),
        "/api/v1/openid/hospital/callback".to_owned(),
    ] {
        let answer = server.send_bare("GET", &path, &headers, b"").await;
        assert_eq!((answer.status, answer.header("location")), (303, Some(state)), "{path}");
        assert_eq!(answer.header("set-cookie"), None);
    }
    let unknown = server.send_bare("GET", &own.replace("/hospital/", "/none/"), &headers, b"").await;
    assert_eq!(unknown.status, 404);
    // Nobody else has used it up.
    assert_eq!(browser.back(&server, &location, &code).await, "/settings/tokens");
    for elsewhere in ["https://evil.example/", "//evil.example", "/\\evil.example", "/api/v1/session", "/a?b=c", ""] {
        let body = json!({ "return_to": elsewhere });
        let answer = browser.ask(&server, "POST", "/api/v1/openid/hospital", Some(&body)).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("bad_request")), "{elsewhere}");
    }
    // A page of another site does not send anybody to a provider.
    let foreign = [("Origin", "https://evil.example"), ("Content-Type", "application/json")];
    assert_eq!(server.send_bare("POST", "/api/v1/openid/hospital", &foreign, b"{}").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_reports_is_told_and_its_own_words_are_not_shown() {
    let (server, liar) = started().await;
    let issuer = format!("http://{}", liar.address);
    for (answer, code) in [
        ("error=access_denied&error_description=%3Cscript%3E", "openid_denied"),
        ("error=server_error", "openid_reported"),
        ("error=%0d%0aSet-Cookie:%20a=b", "openid_reported"),
        ("nothing=1", "openid_reported"),
    ] {
        let mut browser = Browser::default();
        let location = browser.begin(&server, "hospital").await;
        let cookie = format!("hilum-openid={}", browser.cookies["hilum-openid"]);
        let state = &provider::query(&location)["state"];
        let path = format!("/api/v1/openid/hospital/callback?{answer}&state={state}&iss={issuer}");
        let answer = server.send_bare("GET", &path, &[("Cookie", &cookie)], b"").await;
        assert_eq!(answer.header("location"), Some(format!("/sign-in#openid={code}").as_str()));
        assert!(answer.body.is_empty());
    }
    // The answer is another provider's, or does not say whose it is (RFC 9207).
    for issuer in ["&iss=https://other.example", ""] {
        let mut browser = Browser::default();
        let location = browser.begin(&server, "hospital").await;
        let cookie = format!("hilum-openid={}", browser.cookies["hilum-openid"]);
        let path = browser::callback(&location, &liar.agree(&location, &kim()));
        let path = path.replace(&format!("&iss=http://{}", liar.address), issuer);
        let answer = server.send_bare("GET", &path, &[("Cookie", &cookie)], b"").await;
        assert_eq!(answer.header("location"), Some("/sign-in#openid=openid_answer_issuer"));
    }
    assert_eq!(liar.asked("/token"), 0);
    assert!(logins(&server).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_is_sent_to_the_provider_that_they_came_from() {
    let (server, liar) = started().await;
    let mut browser = Browser::default();
    browser.sign_in(&server, &liar, &kim()).await;
    browser.session(&server).await;
    let answer = browser.ask(&server, "DELETE", "/api/v1/session", None).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let location = answer.json()["location"].as_str().unwrap().to_owned();
    assert!(location.starts_with(&format!("http://{}/end?client_id=hilum&", liar.address)), "{location}");
    let back = format!("http://{}/sign-in", server.address);
    assert_eq!(provider::query(&location)["post_logout_redirect_uri"], back);
    let session = [("Cookie", "hilum-session=0")];
    assert_eq!(server.send_bare("GET", "/api/v1/session", &session, b"").await.status, 401);
}
