//! `hilum user`, `hilum token`, `hilum institution`, and the first account of a new server.

use std::{
    io::Write,
    path::Path,
    process::{Output, Stdio},
};

use serde_json::Value;

use crate::program::{Server, assert_code, command, err, out};

fn on(data: &Path, arguments: &[&str]) -> Output {
    command().args(arguments).arg("--data").arg(data).output().unwrap()
}

fn with_input(data: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = command();
    command.args(arguments).arg("--data").arg(data);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn accounts_are_made_changed_and_shut_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let add = on(data, &["user", "add", "Kim", "--name", "김민지", "--role", "radiologist", "--role", "administrator"]);
    assert_code(&add, 0);
    assert!(out(&add).starts_with("http://127.0.0.1:8080/welcome#"), "{}", out(&add));
    let again = on(data, &["user", "add", "kim", "--role", "viewer"]);
    assert_code(&again, 1);
    assert!(err(&again).contains("there is an account with this login"), "{}", err(&again));
    for (wrong, said) in [("surgeon", "a role is viewer, radiologist"), ("viewer@no spaces", "an institution code is")]
    {
        let wrong = on(data, &["user", "add", "lee", "--role", wrong]);
        assert_code(&wrong, 2);
        assert!(err(&wrong).contains(said), "{}", err(&wrong));
    }
    let elsewhere = on(data, &["user", "add", "lee", "--role", "viewer@SITE_B"]);
    assert_code(&elsewhere, 1);
    assert_code(&on(data, &["institution", "add", "SITE_B", "--name", "둘째 병원"]), 0);
    assert!(out(&on(data, &["institution", "list"])).contains("둘째 병원"));
    assert_code(&on(data, &["user", "add", "lee", "--role", "viewer@SITE_B"]), 0);

    let weak =
        with_input(data, &["user", "add", "park", "--role", "viewer", "--password-stdin"], "park park park park\n");
    assert_code(&weak, 1);
    assert!(err(&weak).contains("guessed within hours"), "{}", err(&weak));
    assert!(!err(&weak).contains("park park"), "a password is never shown: {}", err(&weak));

    let list: Value = serde_json::from_slice(&on(data, &["user", "list", "--json"]).stdout).unwrap();
    let kim = list.as_array().unwrap().iter().find(|account| account["login"] == "kim").unwrap();
    assert_eq!((&kim["name"], &kim["disabled"], &kim["last_sign_in"]), (&"김민지".into(), &false.into(), &Value::Null));
    assert_eq!(kim["roles"].as_array().unwrap().len(), 2);

    let token = on(data, &["token", "add", "kim", "--name", "night", "--role", "radiologist"]);
    assert_code(&token, 0);
    assert!(out(&token).starts_with("hilum_") && out(&token).trim().len() == 70, "{}", out(&token));
    assert_code(&on(data, &["token", "add", "kim", "--name", "night", "--role", "data_steward"]), 1);
    let tokens = on(data, &["token", "list", "kim", "--json"]);
    assert!(!out(&tokens).contains(out(&token).trim()), "a token is shown once");
    let id = serde_json::from_slice::<Value>(&tokens.stdout).unwrap()[0]["id"].to_string();
    assert_code(&on(data, &["token", "revoke", "kim", &id]), 0);
    assert_code(&on(data, &["token", "revoke", "kim", &id]), 1);

    let last = on(data, &["user", "disable", "kim"]);
    assert_code(&last, 1);
    assert!(err(&last).contains("somebody must be left who manages accounts"), "{}", err(&last));
    assert_code(&on(data, &["user", "disable", "lee"]), 0);
    assert_code(&on(data, &["user", "link", "nobody"]), 1);
}

#[test]
fn identities_of_providers_are_linked_shown_and_unlinked_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("hilum.toml");
    let provider = "[[openid]]\nid = \"hospital\"\nname = \"Hospital\"\nissuer = \"https://login.example\"\nclient_id = \"hilum\"\n";
    std::fs::write(&file, provider).unwrap();
    let on = |arguments: &[&str]| on(&data, &[arguments, &["--config", file.to_str().unwrap()]].concat());
    assert_code(&on(&["user", "add", "kim", "--role", "administrator"]), 0);
    let link = |provider, subject| on(&["user", "link-identity", "kim", "--provider", provider, "--subject", subject]);
    let unknown = link("nobody", "248289761001");
    assert_code(&unknown, 2);
    assert!(err(&unknown).contains("no provider has the id nobody"), "{}", err(&unknown));
    assert_code(&link("hospital", "248289761001"), 0);
    let twice = link("hospital", "248289761001");
    assert_code(&twice, 1);
    assert!(err(&twice).contains("linked to the account already"), "{}", err(&twice));
    let list: Value = serde_json::from_slice(&on(&["user", "identities", "kim", "--json"]).stdout).unwrap();
    assert_eq!((&list[0]["issuer"], &list[0]["subject"]), (&"https://login.example".into(), &"248289761001".into()));
    assert!(out(&on(&["user", "identities", "kim"])).contains("248289761001"));
    let id = list[0]["id"].to_string();
    assert_code(&on(&["user", "unlink-identity", "kim", &id]), 0);
    assert_code(&on(&["user", "unlink-identity", "kim", &id]), 1);
    // Who the provider says it is stays out of the trail.
    let trail = out(&on(&["audit", "list", "--json"]));
    assert!(trail.contains("identity_linked") && trail.contains("identity_unlinked"), "{trail}");
    assert!(!trail.contains("248289761001") && !trail.contains("login.example"), "{trail}");

    // A secret that stands in the file is refused, and not shown.
    std::fs::write(&file, format!("{provider}client_secret = \"unlooked-for\"\n")).unwrap();
    let refused = on(&["user", "list"]);
    assert_code(&refused, 2);
    assert!(
        err(&refused).contains("client_secret_file") && !err(&refused).contains("unlooked-for"),
        "{}",
        err(&refused)
    );
}

#[test]
fn a_session_outlives_a_server_that_is_killed_and_a_second_start_makes_no_second_first_account() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = first_account(&data);
    let server = Server::start(&data);
    let link = first.expect("a link at the first start");
    let used = server.post(
        "/api/v1/links/use",
        &format!(r#"{{"link":"{link}","login":"kim","name":"Kim","password":"a stone on its way to the bladder"}}"#),
    );
    // The link of the first start was replaced at the second one: the newest works, no older one.
    assert!(used.contains("404"), "{used}");
    drop(server);
    let link = first_account(&data).expect("still nobody");
    let server = Server::start_with_link(&data);
    let (server, newest) = server;
    assert_ne!(link, newest);
    let used = server.post(
        "/api/v1/links/use",
        &format!(r#"{{"link":"{newest}","login":"kim","name":"Kim","password":"a stone on its way to the bladder"}}"#),
    );
    assert!(used.starts_with("HTTP/1.1 200"), "{used}");
    let cookie = used.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    assert_eq!(server.signal("KILL"), None);
    assert_eq!(first_account(&data), None, "somebody manages accounts now");
    let server = Server::start(&data);
    let answer = server.get_with("/api/v1/session", &format!("Cookie: {cookie}\r\n"));
    assert!(answer.contains("\"login\":\"kim\""), "{answer}");
    assert_eq!(server.signal("TERM"), Some(0));
}

/// What `hilum serve` prints for whoever starts it first, if it does.
fn first_account(data: &Path) -> Option<String> {
    let (server, link) = Server::start_with_link(data);
    drop(server);
    Some(link).filter(|link| !link.is_empty())
}
