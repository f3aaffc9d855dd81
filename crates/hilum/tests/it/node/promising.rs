//! Storage commitment that was promised by a process that died before it told the result.

use std::{path::Path, process::Command};

use super::{
    dcmtk::free_port,
    python_peer::{self, PythonPeer},
    site::Site,
};
use crate::program::{Server, oracle_python, small_study};

const SCRIPT: &str = "commitment_peer.py";

fn peer(python: &str, arguments: &[&str]) -> String {
    let output = Command::new(python).arg(python_peer::script(SCRIPT)).args(arguments).output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A requestor that listens for its first result.
fn hearing(python: &str, port: u16) -> PythonPeer {
    PythonPeer::listening(python, SCRIPT, &["hear", &port.to_string()])
}

fn an_object_of(folder: &Path) -> hilum_dicom::InstanceFacts {
    hilum_dicom::read_facts(&std::fs::read(folder.join("series-1/000001.dcm")).unwrap()).unwrap()
}

#[test]
fn what_was_promised_before_a_kill_is_told_after_the_next_start() {
    let Some(python) = oracle_python("pynetdicom") else { return };
    let site = Site::new();
    let port = free_port();
    site.knows("CT1", port);
    let study = small_study(site.path(), 73);
    site.json(&["import", &study.display().to_string()]);
    let facts = an_object_of(&study);
    let configuration = site.path().join("hilum.toml");
    let server = Server::start_at(&site.data(), &configuration);
    let node = site.dimse.to_string();
    assert_eq!(peer(&python, &["ask", &node, facts.sop_class.as_str(), facts.sop.as_str()]), "0x0000");
    server.signal("KILL");

    let noted = peer(&python, &["age", &site.data().display().to_string()]);
    assert!(noted.contains(facts.sop.as_str()), "{noted}");
    let mut hearing = hearing(&python, port);
    let _server = Server::start_at(&site.data(), &configuration);
    assert_eq!(hearing.line(), format!("1.2.826.0.1.3680043.8.498.77 kept {} failed", facts.sop.as_str()));
}

#[test]
fn a_peer_that_hangs_keeps_no_other_from_its_results() {
    let Some(python) = oracle_python("pynetdicom") else { return };
    let site = Site::new();
    let port = free_port();
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    site.knows("CT1", port);
    let configuration = site.path().join("hilum.toml");
    let known = std::fs::read_to_string(&configuration).unwrap();
    let hangs = hanging.local_addr().unwrap().port();
    let hangs = format!("[[peers]]\nae_title = \"HANGS\"\nhost = \"127.0.0.1\"\nport = {hangs}\n");
    std::fs::write(&configuration, known + &hangs).unwrap();
    let study = small_study(site.path(), 75);
    site.json(&["import", &study.display().to_string()]);
    let facts = an_object_of(&study);
    let server = Server::start_at(&site.data(), &configuration);
    let ask = |title: &str, transaction: &str| {
        let (node, class, sop) = (site.dimse.to_string(), facts.sop_class.as_str(), facts.sop.as_str());
        assert_eq!(peer(&python, &["ask", &node, class, sop, title, transaction]), "0x0000");
    };
    // Each of these takes half a minute to fail.
    ask("HANGS", "1.2.3.1");
    ask("HANGS", "1.2.3.2");
    ask("CT1", "1.2.3.3");
    server.signal("KILL");
    peer(&python, &["age", &site.data().display().to_string()]);
    let mut hearing = hearing(&python, port);
    let _server = Server::start_at(&site.data(), &configuration);
    assert_eq!(hearing.line(), format!("1.2.3.3 kept {} failed", facts.sop.as_str()));
}
