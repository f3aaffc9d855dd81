//! `hilum key`, and where keys come from.

use std::{path::Path, process::Output};

use serde_json::{Value, json};

use crate::program::{assert_code, command, err, out};

fn on(data: &Path, arguments: &[&str]) -> Output {
    command().args(arguments).arg("--data").arg(data).output().unwrap()
}

fn listed(data: &Path, more: &[&str]) -> Vec<Value> {
    let output = on(data, &[&["key", "list", "--json"], more].concat());
    assert_code(&output, 0);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn keys_are_made_rotated_and_forgotten_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert_eq!(listed(&data, &[]), Vec::<Value>::new());
    let made = on(&data, &["key", "new"]);
    assert_code(&made, 0);
    let first = out(&made).split(' ').next().unwrap().to_owned();
    assert!(out(&made).contains("hilum.keys apart from the backups"), "{}", out(&made));
    assert_eq!(listed(&data, &[]), [json!({"id": first, "current": true, "at_hand": true, "needed_for": {}})]);
    let rotated = on(&data, &["key", "rotate", "--json"]);
    assert_code(&rotated, 0);
    let rotated: Value = serde_json::from_slice(&rotated.stdout).unwrap();
    let second = rotated["key"].as_str().unwrap().to_owned();
    assert_eq!((&rotated["made"], &rotated["encrypted_anew"]), (&json!(true), &json!(0)));
    let current = on(&data, &["key", "forget", &second]);
    assert_code(&current, 1);
    assert!(err(&current).contains("is the current one"), "{}", err(&current));
    assert_code(&on(&data, &["key", "forget", &first]), 0);
    let gone = on(&data, &["key", "forget", &first]);
    assert_code(&gone, 1);
    assert!(err(&gone).contains("no such key"), "{}", err(&gone));
    assert_code(&on(&data, &["key", "forget", "everything"]), 2);
    assert_eq!(listed(&data, &[]).len(), 1);
    // No command shows a key that is in use.
    let file = std::fs::read_to_string(data.join("keys/hilum.keys")).unwrap();
    let key = file.lines().last().unwrap().split(' ').nth(1).unwrap();
    let text = on(&data, &["key", "list"]);
    assert!(!out(&text).contains(key) && out(&text).contains(&second), "{}", out(&text));
}

#[test]
fn keys_come_from_the_file_that_is_named_or_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let configuration = folder.path().join("hilum.toml");
    std::fs::write(&configuration, "key_file = \"safe/my.keys\"\nsecond_factor = \"required\"\n").unwrap();
    let config = ["--config", configuration.to_str().unwrap()];
    assert_code(&on(&data, &[&["key", "new"], &config[..]].concat()), 0);
    assert!(folder.path().join("safe/my.keys").exists() && !data.join("keys").exists());

    let print = on(&data, &["key", "new", "--print"]);
    assert_code(&print, 0);
    let key = out(&print).trim().to_owned();
    let with = |key: &str, arguments: &[&str]| {
        command().args(arguments).args(["--data"]).arg(&data).env("HILUM_KEY", key).output().unwrap()
    };
    let list = with(&key, &["key", "list", "--json"]);
    assert_code(&list, 0);
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!((list.as_array().unwrap().len(), &list[0]["current"]), (1, &json!(true)));
    let new = with(&key, &["key", "new"]);
    assert_code(&new, 1);
    assert!(err(&new).contains("the keys come from HILUM_KEY"), "{}", err(&new));
    let wrong = &key[1..];
    let wrong = with(wrong, &["key", "list"]);
    assert_code(&wrong, 2);
    assert!(err(&wrong).contains("HILUM_KEY: a key is 32 bytes in base64") && !err(&wrong).contains(&key[5..30]));

    std::fs::write(&configuration, "second_factor = \"sometimes\"\n").unwrap();
    let unknown = on(&data, &[&["key", "list"], &config[..]].concat());
    assert_code(&unknown, 2);
    assert!(err(&unknown).contains("second_factor"), "{}", err(&unknown));
}

#[test]
fn a_second_factor_that_is_not_there_is_not_reset() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    assert_code(&on(data, &["user", "add", "kim", "--role", "administrator"]), 0);
    let reset = on(data, &["user", "reset-second-factor", "kim"]);
    assert_code(&reset, 1);
    assert!(err(&reset).contains("this account has no second factor"), "{}", err(&reset));
    let list = on(data, &["user", "list"]);
    assert!(out(&list).lines().next().unwrap().contains("second factor"), "{}", out(&list));
}
