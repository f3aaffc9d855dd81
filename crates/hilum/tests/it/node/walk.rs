//! Every service that the node really offers, asked for by a stranger, by a peer that may not have it, and by one of another institution.

use std::process::Command;

use super::dcmtk::{self, free_port};
use super::site::{HONG, Site};
use crate::program::{NO_REPORTS, Server, assert_code, oracle_python, out};

#[test]
fn every_service_that_is_offered_refuses_strangers_lesser_peers_and_other_institutions() {
    let Some(python) = oracle_python("pynetdicom") else { return };
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let port = free_port();
    let peer = |title: &str, institution: &str, allowed: &[&str]| {
        format!(
            "[[peers]]\nae_title = \"{title}\"\nhost = \"127.0.0.1\"\nport = {port}\ninstitution = \"{institution}\"\nallowed = {allowed:?}\n"
        )
    };
    let all = ["store", "find", "retrieve", "commitment"];
    let mut configuration = NO_REPORTS.to_owned() + &peer("OURS", "SITE_A", &all) + &peer("OTHER", "SITE_B", &all);
    for word in all {
        let others: Vec<&str> = all.into_iter().filter(|other| *other != word).collect();
        configuration += &peer(&format!("NO_{}", word.to_uppercase()), "SITE_A", &others);
    }
    std::fs::write(site.path().join("hilum.toml"), &configuration).unwrap();
    let order = dcmtk::worklist_file(site.path(), 1, &dcmtk::order("A1", "Hong^Gildong", "KR0001", "20261126", "CT"));
    let order = order.display().to_string();
    assert_code(&site.run(&["worklist-import", "--institution", "SITE_A", &order]), 0);
    let server = Server::start_with(&site.data(), &configuration);
    let file = HONG.file(site.path());
    let (taken, said) = server.receives("OURS", &file);
    assert!(taken, "{said}");
    let dimse = server.dimse.rsplit_once(':').unwrap().1;
    let mut walk = Command::new(python);
    walk.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/node/walk.py"));
    let output = walk.arg(dimse).arg(file).arg(port.to_string()).output().unwrap();
    assert_code(&output, 0);
    let walked: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", out(&output)));
    assert_eq!(walked["services"], 10, "{walked}");
}
