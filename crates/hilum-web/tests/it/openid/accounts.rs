//! Which identities belong to which accounts, and who says so.

use hilum_engine::Role;
use serde_json::{Value, json};

use super::{browser::Browser, kim, logins, provider::Liar, roles, started, trail};
use crate::client::{Running, token, token_at};

pub const PASSWORD: &str = "a stone on its way to the bladder";

/// A local account that is signed in with its password.
async fn local(server: &Running, login: &str, roles: &[Role]) -> Browser {
    token(&server.engine, login, roles).await;
    let scope = server.engine.console_scope().await.unwrap();
    let account = server.engine.account_with_login(&scope, login).await.unwrap();
    server.engine.set_password(&scope, account.id, PASSWORD).await.unwrap();
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in_here(server, login, PASSWORD).await, 200);
    browser
}

/// The way to the provider to link an identity.
async fn link(browser: &mut Browser, server: &Running, liar: &Liar, claims: &Value) -> String {
    let answer = browser.ask(server, "POST", "/api/v1/identities", Some(&json!({"provider": "hospital"}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let location = answer.json()["location"].as_str().unwrap().to_owned();
    let code = liar.agree(&location, claims);
    browser.back(server, &location, &code).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_links_and_unlinks_an_identity_while_signed_in() {
    let (server, liar) = started().await;
    let mut browser = local(&server, "lee", &[Role::Viewer]).await;
    assert_eq!(link(&mut browser, &server, &liar, &kim()).await, "/settings/sign-in#openid=linked");
    let own = browser.ask(&server, "GET", "/api/v1/identities", None).await.json();
    assert_eq!((&own[0]["subject"], &own[0]["last_used_at"]), (&json!("248289761001"), &Value::Null));
    assert_eq!(link(&mut browser, &server, &liar, &kim()).await, "/settings/sign-in#openid=openid_linked_already");
    // Whoever the provider knows so is lee from now on, with what the claims give besides.
    let mut elsewhere = Browser::default();
    assert_eq!(elsewhere.sign_in(&server, &liar, &kim()).await, "/settings/tokens");
    let session = elsewhere.session(&server).await;
    assert_eq!(session["account"]["login"], "lee");
    assert_eq!(roles(&session), ["viewer", "radiologist"]);
    assert_eq!(logins(&server).await, ["lee"]);
    // Somebody else cannot have it too.
    let mut park = local(&server, "park", &[Role::Viewer]).await;
    assert_eq!(link(&mut park, &server, &liar, &kim()).await, "/settings/sign-in#openid=openid_linked_already");

    let one = format!("/api/v1/identities/{}", own[0]["id"]);
    assert_eq!(park.ask(&server, "DELETE", &one, None).await.status, 404, "another's identity");
    browser.csrf = String::new();
    assert_eq!(browser.ask(&server, "DELETE", &one, None).await.status, 403, "without what the page shows");
    browser.session(&server).await;
    assert_eq!(browser.ask(&server, "DELETE", &one, None).await.status, 204);
    let over = elsewhere.ask(&server, "GET", "/api/v1/session", None).await;
    assert_eq!(over.status, 401, "who signed in by it is signed in no longer");
    assert_eq!(roles(&browser.session(&server).await), ["viewer"], "and what its claims gave is taken");
    let (events, text) = trail(&server).await;
    for event in [
        "change_account done identity_linked",
        "change_account done identity_unlinked",
        "change_roles done taken_by_claims",
        "sign_in refused -",
    ] {
        let there = events.iter().any(|own| own == event);
        assert_eq!(there, event != "sign_in refused -", "{event}: {events:?}");
    }
    assert!(!text.contains("248289761001"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_way_in_is_not_unlinked_by_its_owner() {
    let (server, liar) = started().await;
    let mut browser = Browser::default();
    browser.sign_in(&server, &liar, &kim()).await;
    browser.session(&server).await;
    let own = browser.ask(&server, "GET", "/api/v1/identities", None).await.json();
    let one = format!("/api/v1/identities/{}", own[0]["id"]);
    let answer = browser.ask(&server, "DELETE", &one, None).await;
    assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("conflict")), "{}", answer.text());
    assert_eq!(roles(&browser.session(&server).await), ["radiologist"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_linked_to_whoever_signed_out_meanwhile_or_in_another_browser() {
    let (server, liar) = started().await;
    let mut lee = local(&server, "lee", &[Role::Viewer]).await;
    // An attacker sends lee to the end of a way that they themselves began.
    let mut attacker = local(&server, "attacker", &[Role::Viewer]).await;
    let began = attacker.ask(&server, "POST", "/api/v1/identities", Some(&json!({"provider": "hospital"}))).await;
    let location = began.json()["location"].as_str().unwrap().to_owned();
    let code = liar.agree(&location, &kim());
    assert_eq!(lee.back(&server, &location, &code).await, "/sign-in#openid=openid_state");

    let began = lee.ask(&server, "POST", "/api/v1/identities", Some(&json!({"provider": "hospital"}))).await;
    let location = began.json()["location"].as_str().unwrap().to_owned();
    let code = liar.agree(&location, &kim());
    lee.session(&server).await;
    assert_eq!(lee.ask(&server, "DELETE", "/api/v1/session", None).await.status, 204);
    assert_eq!(lee.back(&server, &location, &code).await, "/sign-in#openid=openid_state");
    let scope = server.engine.console_scope().await.unwrap();
    for login in ["lee", "attacker"] {
        let account = server.engine.account_with_login(&scope, login).await.unwrap();
        assert!(server.engine.identities(&scope, account.id).await.unwrap().is_empty(), "{login}");
    }
    // A program's token is no proof that its owner is there.
    let answer = server.send(
        "POST",
        "/api/v1/identities",
        &[("Content-Type", "application/json")],
        b"{\"provider\":\"hospital\"}",
    );
    assert_eq!(answer.await.json()["code"], "needs_session");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_links_and_unlinks_where_it_manages_all_and_a_disabled_account_stays_out() {
    let (server, liar) = started().await;
    let mut chief = local(&server, "chief", &[Role::Administrator]).await;
    token(&server.engine, "lee", &[Role::Viewer]).await;
    token_at(&server.engine, "far", "ELSEWHERE", &[Role::Viewer]).await;
    let scope = server.engine.console_scope().await.unwrap();
    let id = async |login: &str| server.engine.account_with_login(&scope, login).await.unwrap().id;
    let (lee, far) = (id("lee").await, id("far").await);
    let new = json!({"provider": "hospital", "subject": "248289761001"});
    let path = |account: hilum_engine::AccountId| format!("/api/v1/accounts/{}/identities", account.0);
    assert_eq!(chief.ask(&server, "POST", &path(far), Some(&new)).await.status, 404);
    assert_eq!(chief.ask(&server, "GET", &path(far), None).await.status, 404);
    let wrong = json!({"provider": "hospital", "subject": "two words"});
    assert_eq!(chief.ask(&server, "POST", &path(lee), Some(&wrong)).await.status, 400);
    let unknown = json!({"provider": "nobody", "subject": "1"});
    assert_eq!(chief.ask(&server, "POST", &path(lee), Some(&unknown)).await.status, 404);
    let linked = chief.ask(&server, "POST", &path(lee), Some(&new)).await;
    assert_eq!(linked.status, 201, "{}", linked.text());
    assert_eq!(chief.ask(&server, "POST", &path(lee), Some(&new)).await.status, 409);

    let mut browser = Browser::default();
    browser.sign_in(&server, &liar, &kim()).await;
    assert_eq!(browser.session(&server).await["account"]["login"], "lee");
    let patch = |disabled| Some(json!({ "disabled": disabled }));
    let account = format!("/api/v1/accounts/{}", lee.0);
    assert_eq!(chief.ask(&server, "PATCH", &account, patch(true).as_ref()).await.status, 200);
    assert_eq!(browser.ask(&server, "GET", "/api/v1/session", None).await.status, 401);
    let refused = browser.sign_in(&server, &liar, &kim()).await;
    assert_eq!(refused, "/sign-in#openid=openid_account_disabled");
    assert_eq!(chief.ask(&server, "PATCH", &account, patch(false).as_ref()).await.status, 200);
    assert_eq!(browser.sign_in(&server, &liar, &kim()).await, "/settings/tokens");
    let one = format!("{}/{}", path(lee), linked.json()["id"]);
    assert_eq!(chief.ask(&server, "DELETE", &one.replace(&path(lee), &path(far)), None).await.status, 404);
    assert_eq!(chief.ask(&server, "DELETE", &one, None).await.status, 204);
    assert_eq!(browser.ask(&server, "GET", "/api/v1/session", None).await.status, 401);
}
