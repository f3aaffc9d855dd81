//! `hilum serve`

use std::process::Command;

use crate::program::{Server, assert_code, command, err, small_study};

#[test]
fn a_server_takes_what_storescu_and_import_bring_and_ends_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data);
    assert!(server.get("/api/v1/system").contains("\"loopback_only\":true"));
    assert!(server.get("/").contains("<html"));

    let imported = small_study(folder.path(), 21);
    let output = command().args(["import", "--data"]).arg(&data).arg(&imported).output().unwrap();
    assert_code(&output, 0);

    let sent = small_study(folder.path(), 22);
    let (host, port) = server.dimse.split_once(':').unwrap();
    if let Ok(output) = Command::new("storescu").args(["+sd", "+r", host, port]).arg(&sent).output() {
        assert!(output.status.success(), "{}", err(&output));
    } else {
        assert!(
            std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(),
            "storescu (Debian package dcmtk) is not installed"
        );
        println!("SKIPPED: storescu (Debian package dcmtk) is not installed");
    }
    assert!(server.get("/api/v1/activity").contains("queue_depth"));
    assert_eq!(server.signal("TERM"), Some(0));
}

#[test]
fn two_servers_do_not_work_on_one_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(folder.path());
    let second = command()
        .args(["serve", "--http", "127.0.0.1:0", "--dimse", "127.0.0.1:0", "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_code(&second, 1);
    assert!(err(&second).contains("another Hilum process works on the data folder"), "{}", err(&second));
    assert_eq!(first.signal("INT"), Some(0));
    assert_eq!(Server::start(folder.path()).signal("INT"), Some(0), "the lock is free again");
}

#[test]
fn a_port_in_use_is_said_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = command()
        .args(["serve", "--dimse", "127.0.0.1:0", "--http", &address, "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_code(&output, 1);
    assert!(err(&output).contains("Is another program using this port?"), "{}", err(&output));
}

#[test]
fn a_demo_is_open_at_once_and_ends_even_while_it_makes_patients() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_as("demo", folder.path());
    assert!(server.get("/api/v1/system").contains("\"demo\":true"));
    assert_eq!(server.signal("INT"), Some(0));
}
