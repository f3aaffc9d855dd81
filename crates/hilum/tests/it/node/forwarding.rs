//! Rules: institutions and forwards.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    dcmtk::{self, Provider, free_port},
    python_peer::PythonPeer,
    site::{HONG, KIM, PARK, Site, dicom_files},
};
use crate::program::{Server, assert_code, oracle_python, out, small_study};

fn storescp(folder: &Path, port: u16) -> Provider {
    std::fs::create_dir_all(folder).unwrap();
    let mut storescp = std::process::Command::new("storescp");
    storescp.args(["+xa", "-fe", ".dcm", "-od"]).arg(folder).arg(port.to_string());
    Provider::start(storescp, port)
}

#[track_caller]
fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn states(site: &Site, state: &str) -> usize {
    let page = site.json(&["forwards", "--state", state]);
    page["items"].as_array().unwrap().len()
}

#[test]
fn what_a_rule_forwards_arrives_also_after_the_peer_was_away_and_the_server_was_killed() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let port = free_port();
    let configuration = format!(
        "[[peers]]\nae_title = \"CT1\"\nhost = \"127.0.0.1\"\nport = 104\n\
         [[peers]]\nae_title = \"MR1\"\nhost = \"127.0.0.1\"\nport = 104\n\
         [[peers]]\nae_title = \"PACS\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         [[rules]]\nsource = \"CT*\"\nmodality = [\"CT\"]\ndescription = \"*kub*\"\nforward = [\"PACS\"]\n\
         [[rules]]\nmodality = [\"MR\"]\nforward = [\"PACS\", \"MR1\"]\n"
    );
    std::fs::write(site.path().join("hilum.toml"), &configuration).unwrap();
    let server = Server::start_with(&site.data(), &configuration);
    assert!(server.receives("CT1", &HONG.file(site.path())).0);
    assert!(server.receives("CT1", &KIM.file(site.path())).0, "no rule is about it");
    assert!(server.receives("MR1", &PARK.file(site.path())).0, "and not back to its sender");
    // Once more: it is one forward.
    assert!(server.receives("CT1", &site.path().join("KR0001.dcm")).0);
    wait("the peer that is away is tried", || {
        let page = site.json(&["forwards", "--state", "waiting"]);
        let items = page["items"].as_array().unwrap().clone();
        items.len() == 2
            && items.iter().all(|item| item["reason"].as_str().is_some_and(|r| r.contains("cannot connect")))
    });
    assert_eq!(server.signal("KILL"), None);

    let arrived = site.path().join("arrived");
    let _pacs = storescp(&arrived, port);
    let _server = Server::start_with(&site.data(), &configuration);
    let output = site.run(&["forwards", "--retry"]);
    assert_code(&output, 0);
    assert!(out(&output).starts_with("2 forwards are due now"), "{}", out(&output));
    wait("both are sent", || states(&site, "sent") == 2);
    assert_eq!((dicom_files(&arrived), states(&site, "waiting"), states(&site, "failed")), (2, 0, 0));
}

#[test]
fn a_peer_that_hangs_keeps_the_others_forwards_going() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free_port();
    let configuration = format!(
        "[[peers]]\nae_title = \"HANGS\"\nhost = \"127.0.0.1\"\nport = {}\n\
         [[peers]]\nae_title = \"PACS\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         [[peers]]\nae_title = \"CT1\"\nhost = \"127.0.0.1\"\nport = 104\n\
         [[rules]]\nforward = [\"HANGS\", \"PACS\"]\n",
        hanging.local_addr().unwrap().port()
    );
    std::fs::write(site.path().join("hilum.toml"), &configuration).unwrap();
    let arrived = site.path().join("arrived");
    let _pacs = storescp(&arrived, port);
    let server = Server::start_with(&site.data(), &configuration);
    assert!(server.receives("CT1", &HONG.file(site.path())).0);
    wait("the first one arrives", || dicom_files(&arrived) == 1);
    assert!(server.receives("CT1", &KIM.file(site.path())).0);
    wait("the second one arrives", || dicom_files(&arrived) == 2);
    assert_eq!(states(&site, "waiting"), 2);
}

#[test]
fn an_object_that_the_peer_aborts_on_keeps_no_other_from_arriving() {
    let Some(python) = oracle_python("pynetdicom").filter(|_| dcmtk::is_here()) else { return };
    let site = Site::new();
    let port = free_port();
    let configuration = format!(
        "[[peers]]\nae_title = \"CT1\"\nhost = \"127.0.0.1\"\nport = 104\n\
         [[peers]]\nae_title = \"PACS\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         [[rules]]\nforward = [\"PACS\"]\n"
    );
    std::fs::write(site.path().join("hilum.toml"), &configuration).unwrap();
    let server = Server::start_with(&site.data(), &configuration);
    let series = small_study(site.path(), 74).join("series-1");
    // While the peer is away, so that all are due together when it is there.
    for number in 1..=6 {
        assert!(server.receives("CT1", &series.join(format!("{number:06}.dcm"))).0);
    }
    let peer = PythonPeer::listening(&python, "aborting_peer.py", &[&port.to_string()]);
    assert_code(&site.run(&["forwards", "--retry"]), 0);
    wait("the others arrive", || states(&site, "sent") == 5);
    let waiting = site.json(&["forwards", "--state", "waiting"]);
    let bad = &waiting["items"][0];
    assert!(bad["reason"].as_str().is_some_and(|reason| reason.contains("while the peer was receiving it")), "{bad}");
    assert!(bad["tries"].as_u64().is_some_and(|tries| (1..=2).contains(&tries)), "{bad}");
    drop(peer);
}

#[test]
fn a_rule_gives_data_to_an_institution_and_its_sender_still_hears_that_they_are_kept() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let peer = |title: &str, institution: &str| {
        format!(
            "[[peers]]\nae_title = \"{title}\"\nhost = \"127.0.0.1\"\nport = 104\ninstitution = \"{institution}\"\n"
        )
    };
    let configuration = peer("CT1", "MAIN")
        + &peer("SITE_A", "SITE_A")
        + "[[rules]]\nsource = \"CT?\"\ndescription = \"*KUB*\"\ninstitution = \"SITE_A\"\n";
    let server = Server::start_with(&site.data(), &configuration);
    assert!(server.receives("CT1", &HONG.file(site.path())).0);
    assert!(server.receives("CT1", &KIM.file(site.path())).0);
    let keys = ["0008,0052=STUDY", "0010,0020"];
    let (here, there) = (server.finds("CT1", "-S", &keys), server.finds("SITE_A", "-S", &keys));
    assert!(here.len() == 1 && here[0].contains("KR0002"), "{here:?}");
    assert!(there.len() == 1 && there[0].contains("KR0001"), "{there:?}");
}
