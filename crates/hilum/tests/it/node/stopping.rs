//! Ctrl-C in the middle of a retrieval from a slow peer.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use super::{dcmtk::free_port, python_peer::PythonPeer, site::Site};
use crate::program::{assert_code, command, err, oracle_python, out, small_study};

#[test]
fn a_retrieval_that_is_stopped_tells_the_peer_and_keeps_what_came() {
    let Some(python) = oracle_python("pynetdicom") else { return };
    let site = Site::new();
    let port = free_port();
    site.knows("PACS", port);
    let slice = small_study(site.path(), 71).join("series-1/000001.dcm");
    let mut peer = PythonPeer::listening(&python, "slow_peer.py", &[&port.to_string(), &slice.display().to_string()]);

    let retrieving = command()
        .args(["retrieve", "PACS", "--study", "1.2.3", "--config"])
        .arg(site.path().join("hilum.toml"))
        .arg("--data")
        .arg(site.data())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(Duration::from_secs(3));
    let kill = Command::new("kill").args(["-INT", &retrieving.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    let output = retrieving.wait_with_output().unwrap();
    assert_code(&output, 1);
    assert!(err(&output).contains("stopped before the end"), "{}", err(&output));

    let told = peer.line();
    let given: u64 = told.strip_prefix("cancelled after ").unwrap_or_else(|| panic!("{told}")).parse().unwrap();
    assert!((1..200).contains(&given), "{told}");
    drop(peer);
    assert!(out(&output).contains(&format!("study 1.2.3: {given} instances")), "{}", out(&output));
}
