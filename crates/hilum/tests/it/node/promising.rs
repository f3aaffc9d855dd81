//! Storage commitment that was promised by a process that died before it told the result.

use std::{path::Path, process::Command};

use super::{dcmtk::free_port, site::Site};
use crate::program::{Server, oracle_python, small_study};

fn peer(python: &str, arguments: &[&str]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/node/commitment_peer.py");
    let output = Command::new(python).arg(script).args(arguments).output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
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
    let _server = Server::start_at(&site.data(), &configuration);
    let heard = peer(&python, &["hear", &port.to_string()]);
    assert_eq!(heard, format!("1.2.826.0.1.3680043.8.498.77 kept {} failed", facts.sop.as_str()));
}
