//! Signing in and out, as browsers do it.

use hilum_engine::Role;
use serde_json::{Value, json};

use crate::client::{Answer, Running, start, start_fresh};

pub const PASSWORD: &str = "a stone on its way to the bladder";
pub const OTHER: &str = "another stone, and another way out";

pub async fn post(server: &Running, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let headers = [headers, &[("Content-Type", "application/json")]].concat();
    server.send_bare("POST", path, &headers, body.to_string().as_bytes()).await
}

/// `name=value` of the one cookie that an answer sets.
pub fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").expect("a cookie");
    for part in ["Path=/", "HttpOnly", "SameSite=Strict"] {
        assert!(set.split("; ").any(|own| own == part), "{set}");
    }
    set.split(';').next().unwrap().to_owned()
}

/// An account that is signed in: its cookie, and what it shows with changes.
pub async fn administrator(server: &Running) -> (String, String) {
    let link = server.engine.first_administrator_link().await.unwrap().expect("nobody manages accounts yet");
    let view = post(server, "/api/v1/links/check", &[], &json!({ "link": link })).await;
    assert_eq!(view.json(), json!({"purpose": "first_administrator", "login": null, "name": null}));
    let used = json!({"link": link, "login": "Kim.MinJi", "name": "김민지", "password": PASSWORD});
    let answer = post(server, "/api/v1/links/use", &[], &used).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let view = answer.json();
    assert_eq!((&view["account"]["login"], &view["account"]["name"]), (&json!("kim.minji"), &json!("김민지")));
    (cookie(&answer), view["csrf"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_link_makes_one_administrator_and_no_second() {
    let server = start_fresh().await;
    let first = server.engine.first_administrator_link().await.unwrap().unwrap();
    let weak = json!({"link": first, "login": "kim", "password": "short"});
    let answer = post(&server, "/api/v1/links/use", &[], &weak).await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("weak_password")));
    // A new one takes the old one's place; a password that was not taken does not use a link up.
    let (session, csrf) = administrator(&server).await;
    let used = json!({"link": first, "login": "other", "password": PASSWORD});
    assert_eq!(post(&server, "/api/v1/links/use", &[], &used).await.status, 404);
    assert_eq!(server.engine.first_administrator_link().await.unwrap(), None);

    let view = server.send_bare("GET", "/api/v1/session", &[("Cookie", &session)], b"").await;
    assert_eq!(view.status, 200);
    let view = view.json();
    assert_eq!(view["csrf"], json!(csrf));
    assert_eq!(view["institutions"][0]["code"], "LOCAL");
    assert_eq!(view["institutions"][0]["roles"], json!(["administrator", "data_steward", "radiologist"]));
    // Without what the page shows, a change is somebody else's.
    for (header, status) in [(None, 403), (Some("0"), 403), (Some(csrf.as_str()), 204)] {
        let mut headers = vec![("Cookie", session.as_str())];
        headers.extend(header.map(|csrf| ("X-Hilum-Csrf", csrf)));
        assert_eq!(server.send_bare("DELETE", "/api/v1/session", &headers, b"").await.status, status, "{header:?}");
    }
    assert_eq!(server.send_bare("GET", "/api/v1/session", &[("Cookie", &session)], b"").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_lock_a_login_whether_it_is_there_or_not() {
    let server = start_fresh().await;
    administrator(&server).await;
    for login in ["kim.minji", "nobody.here"] {
        let sign_in = json!({"login": login, "password": "it is not this one, is it"});
        let mut said = Vec::new();
        for _ in 0..6 {
            let answer = post(&server, "/api/v1/session", &[], &sign_in).await;
            let retry = answer.header("retry-after").map(|seconds| seconds.parse::<u64>().unwrap());
            said.push((answer.status, answer.json()["code"].as_str().unwrap().to_owned(), retry.is_some()));
        }
        let wrong = (401, "wrong_credentials".to_owned(), false);
        let locked = (429, "too_many_attempts".to_owned(), true);
        assert_eq!(said, [vec![wrong; 5], vec![locked]].concat(), "{login}");
    }
    // The right one is not looked at either.
    let right = json!({"login": "kim.minji", "password": PASSWORD});
    assert_eq!(post(&server, "/api/v1/session", &[], &right).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_every_other_session() {
    let server = start_fresh().await;
    let (first, csrf) = administrator(&server).await;
    let sign_in = json!({"login": " KIM.minji ", "password": PASSWORD});
    let second = cookie(&post(&server, "/api/v1/session", &[], &sign_in).await);
    let change = |old: &str, new: &str| json!({"old": old, "new": new}).to_string();
    let headers = [("Cookie", first.as_str()), ("X-Hilum-Csrf", csrf.as_str()), ("Content-Type", "application/json")];
    let put = |body: String| {
        let (server, headers) = (&server, &headers);
        async move { server.send_bare("PUT", "/api/v1/session/password", headers, body.as_bytes()).await }
    };
    assert_eq!(put(change("wrong", OTHER)).await.status, 401);
    assert_eq!(put(change(PASSWORD, "kim.minji kim.minji")).await.json()["code"], "weak_password");
    let changed = put(change(PASSWORD, OTHER)).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    for old in [&first, &second] {
        assert_eq!(server.send_bare("GET", "/api/v1/session", &[("Cookie", old)], b"").await.status, 401);
    }
    let new = cookie(&changed);
    assert_eq!(server.send_bare("GET", "/api/v1/session", &[("Cookie", &new)], b"").await.status, 200);
    assert_eq!(post(&server, "/api/v1/session", &[], &sign_in).await.status, 401);
    let sign_in = json!({"login": "kim.minji", "password": OTHER});
    assert_eq!(post(&server, "/api/v1/session", &[], &sign_in).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_account_chooses_its_password_and_loses_everything_when_it_is_disabled() {
    let server = start_fresh().await;
    let (session, csrf) = administrator(&server).await;
    let own = [("Cookie", session.as_str()), ("X-Hilum-Csrf", csrf.as_str())];
    let new = json!({"login": "lee", "name": "Lee", "roles": [{"institution": "LOCAL", "role": "viewer"}]});
    let added = post(&server, "/api/v1/accounts", &own, &new).await;
    assert_eq!(added.status, 201, "{}", added.text());
    assert_eq!(post(&server, "/api/v1/accounts", &own, &new).await.status, 409);
    let (id, link) = (added.json()["account"]["id"].clone(), added.json()["link"].clone());
    let view = post(&server, "/api/v1/links/check", &[], &json!({ "link": link })).await.json();
    assert_eq!(view, json!({"purpose": "invitation", "login": "lee", "name": "Lee"}));
    let used = post(&server, "/api/v1/links/use", &[], &json!({"link": link, "password": OTHER})).await;
    assert_eq!(used.status, 200, "{}", used.text());
    assert_eq!(post(&server, "/api/v1/links/use", &[], &json!({"link": link, "password": OTHER})).await.status, 404);
    let (theirs, their_csrf) = (cookie(&used), used.json()["csrf"].as_str().unwrap().to_owned());
    let headers = [("Cookie", theirs.as_str()), ("X-Hilum-Csrf", their_csrf.as_str())];
    let wanted = json!({"name": "script", "days": 7, "roles": [{"institution": "LOCAL", "role": "data_steward"}]});
    assert_eq!(post(&server, "/api/v1/tokens", &headers, &wanted).await.status, 409, "more than its owner is");
    let wanted = json!({"name": "script", "days": 7, "roles": [{"institution": "LOCAL", "role": "viewer"}]});
    let made = post(&server, "/api/v1/tokens", &headers, &wanted).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let bearer = format!("Bearer {}", made.json()["token"].as_str().unwrap());
    let by_token = [("Authorization", bearer.as_str())];
    assert_eq!(server.send_bare("GET", "/dicom-web/studies", &by_token, b"").await.status, 204);
    // A token makes no other token, and no account.
    let answer = post(&server, "/api/v1/tokens", &by_token, &wanted).await;
    assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("needs_session")));

    let patch = [own[0], own[1], ("Content-Type", "application/json")];
    let answer = server.send_bare("PATCH", &format!("/api/v1/accounts/{id}"), &patch, b"{\"disabled\":true}").await;
    assert_eq!((answer.status, &answer.json()["disabled"]), (200, &json!(true)));
    assert_eq!(server.send_bare("GET", "/api/v1/session", &headers[..1], b"").await.status, 401);
    assert_eq!(server.send_bare("GET", "/dicom-web/studies", &by_token, b"").await.status, 401);
    let sign_in = json!({"login": "lee", "password": OTHER});
    assert_eq!(post(&server, "/api/v1/session", &[], &sign_in).await.status, 401);
    // Who looks after accounts cannot leave nobody who does.
    let me = server.send_bare("GET", "/api/v1/session", &own[..1], b"").await.json()["account"]["id"].clone();
    let answer = server.send_bare("PATCH", &format!("/api/v1/accounts/{me}"), &patch, b"{\"disabled\":true}").await;
    assert_eq!(answer.status, 409, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_of_one_institution_is_none_of_another() {
    let server = start().await;
    let (here, there) = (&server.token, crate::client::token_at(&server.engine, "them", "ELSEWHERE", &Role::ALL).await);
    let logins = |key: String| {
        let server = &server;
        async move {
            let auth = format!("Bearer {key}");
            let list = server.send_bare("GET", "/api/v1/accounts", &[("Authorization", &auth)], b"").await.json();
            list.as_array().unwrap().iter().map(|one| one["login"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(logins(here.clone()).await, ["all"]);
    assert_eq!(logins(there).await, ["them"]);
    let scope = server.engine.console_scope().await.unwrap();
    let ours = server.engine.account_with_login(&scope, "all").await.unwrap();
    let theirs = server.engine.account_with_login(&scope, "them").await.unwrap();
    let grants = |grants: &[hilum_engine::Grant]| grants.to_vec();
    let local =
        hilum_engine::Scope::account(ours.id, vec![("LOCAL".parse().unwrap(), Role::Administrator.permissions())]);
    use hilum_engine::accounts::{AccountPatch, NewAccount};
    let take_over = AccountPatch { roles: Some(grants(&theirs.roles)), ..Default::default() };
    assert!(server.engine.change_account(&local, ours.id, &take_over).await.is_err());
    assert!(server.engine.change_account(&local, theirs.id, &AccountPatch::default()).await.is_err());
    assert!(server.engine.account_link(&local, theirs.id).await.is_err());
    let spy = NewAccount { login: "spy".into(), name: String::new(), roles: grants(&theirs.roles) };
    assert!(server.engine.add_account(&local, &spy).await.is_err());
    // One who belongs to both: neither administrator alone opens the account, or shuts it.
    let mut roles = grants(&theirs.roles);
    roles.extend(grants(&ours.roles));
    server
        .engine
        .change_account(&scope, theirs.id, &AccountPatch { roles: Some(roles), ..Default::default() })
        .await
        .unwrap();
    assert!(server.engine.account_link(&local, theirs.id).await.is_err());
    let shut = AccountPatch { disabled: Some(true), ..Default::default() };
    assert!(server.engine.change_account(&local, theirs.id, &shut).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steward_reads_who_signed_in_who_was_turned_away_and_what_became_of_accounts() {
    let server = start_fresh().await;
    let (session, csrf) = administrator(&server).await;
    let own = [("Cookie", session.as_str()), ("X-Hilum-Csrf", csrf.as_str())];
    let wrong = json!({"login": "kim.minji", "password": "it is not this one, is it"});
    assert_eq!(post(&server, "/api/v1/session", &[], &wrong).await.status, 401);
    let nobody = json!({"login": "honggildong", "password": "it is not this one, is it"});
    assert_eq!(post(&server, "/api/v1/session", &[], &nobody).await.status, 401);
    let new = json!({"login": "lee", "name": "이영희", "roles": [{"institution": "LOCAL", "role": "viewer"}]});
    let added = post(&server, "/api/v1/accounts", &own, &new).await;
    let used = json!({"link": added.json()["link"], "password": OTHER});
    let theirs = cookie(&post(&server, "/api/v1/links/use", &[], &used).await);
    let viewer = [("Cookie", theirs.as_str())];
    assert_eq!(server.send_bare("GET", "/api/v1/audit", &viewer, b"").await.status, 403);
    let forged = [("Authorization", "Bearer hilum_0000")];
    assert_eq!(server.send_bare("GET", "/dicom-web/studies", &forged, b"").await.status, 401);

    let list = server.send_bare("GET", "/api/v1/audit?limit=100", &own[..1], b"").await;
    assert_eq!(list.status, 200, "{}", list.text());
    // Neither names of holders nor what was typed as a login are in the trail.
    for text in ["이영희", "김민지", "honggildong", "it is not this one", PASSWORD] {
        assert!(!list.text().contains(text), "{text}");
    }
    let list = list.json();
    let events = list["items"].as_array().unwrap();
    let has = |action: &str, outcome: &str, code: Option<&str>| {
        let fits = |event: &&Value| {
            event["action"] == action && event["outcome"] == outcome && event["detail"]["code"].as_str() == code
        };
        events.iter().find(fits).unwrap_or_else(|| panic!("{action} {outcome} {code:?}: {list:#}"))
    };
    let first = has("change_account", "done", Some("link_used"));
    assert_eq!(first["actor"]["kind"], "account");
    let signed_in = events.iter().filter(|event| event["action"] == "sign_in" && event["outcome"] == "done").count();
    assert_eq!(signed_in, 2);
    let refused = has("sign_in", "refused", Some("wrong_credentials"));
    assert_eq!((&refused["actor"]["kind"], &refused["address"]), (&json!("stranger"), &json!("127.0.0.1")));
    assert!(refused["request"].is_string(), "{refused}");
    let added = has("add_account", "done", None);
    assert_eq!((&added["actor"]["name"], &added["institution"]), (&json!("kim.minji"), &json!("LOCAL")));
    let given = has("change_roles", "done", Some("given"));
    assert_eq!(given["detail"]["role"], "viewer");
    assert_eq!(has("admit", "refused", Some("forbidden"))["detail"]["permission"], "audit");
    has("admit", "refused", Some("not_signed_in"));
    let page = server.send_bare("GET", "/api/v1/audit?action=sign_in&limit=1", &own[..1], b"").await.json();
    let after = page["next"].as_str().expect("more than one");
    let rest =
        server.send_bare("GET", &format!("/api/v1/audit?action=sign_in&after={after}"), &own[..1], b"").await.json();
    assert!(rest["items"].as_array().unwrap().len() >= 2, "{rest}");
    for wrong in ["action=steal", "from=yesterday", "study=..%2f..", "limit=x", "name=Hong"] {
        assert_eq!(
            server.send_bare("GET", &format!("/api/v1/audit?{wrong}"), &own[..1], b"").await.status,
            400,
            "{wrong}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_whose_use_was_refused_works_still_and_makes_no_account_without_a_password() {
    let server = start_fresh().await;
    crate::client::token(&server.engine, "kim", &[Role::Viewer]).await;
    let link = server.engine.first_administrator_link().await.unwrap().unwrap();
    let used = |login: &str, name: &str| json!({"link": link, "login": login, "name": name, "password": PASSWORD});
    let taken = post(&server, "/api/v1/links/use", &[], &used("kim", "Kim")).await;
    assert_eq!((taken.status, &taken.json()["code"]), (409, &json!("conflict")));
    let two_lines = post(&server, "/api/v1/links/use", &[], &used("lee", "Lee\nChief")).await;
    assert_eq!((two_lines.status, &two_lines.json()["code"]), (400, &json!("bad_request")));
    let scope = server.engine.console_scope().await.unwrap();
    assert_eq!(server.engine.accounts(&scope).await.unwrap().len(), 1);
    assert_eq!(post(&server, "/api/v1/links/use", &[], &used("lee", "Lee")).await.status, 200);
    assert_eq!(post(&server, "/api/v1/links/use", &[], &used("park", "Park")).await.status, 404);
}
