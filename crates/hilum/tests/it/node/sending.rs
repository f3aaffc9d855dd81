//! `hilum send`, with storage commitment by another Hilum and by dcmtk's archive, which has none.

use super::{
    dcmtk::{self, Provider, free_port},
    site::Site,
};
use crate::program::{Server, assert_code, err, out, small_study};

#[test]
fn a_kept_study_is_sent_as_it_is_and_committed_to() {
    if !dcmtk::is_here() {
        return;
    }
    let (site, other) = (Site::new(), Site::new());
    let port = free_port();
    // The other one tells its result to where it knows us.
    let theirs = format!(
        "ae_title = \"PACS\"\ndimse = \"127.0.0.1:{port}\"\n[[peers]]\nae_title = \"HILUM\"\nhost = \"127.0.0.1\"\nport = {}\n",
        site.dimse
    );
    std::fs::write(other.path().join("hilum.toml"), theirs).unwrap();
    let server = Server::start_at(&other.data(), &other.path().join("hilum.toml"));
    site.knows("PACS", port);
    let study = small_study(site.path(), 61);
    let imported = site.json(&["import", &study.display().to_string()]);
    let uid = imported["studies"][0].as_str().unwrap();

    let output = site.run(&["send", "PACS", uid, "--commit", "--wait", "20"]);
    assert_code(&output, 0);
    let kept = imported["kept"].as_u64().unwrap();
    assert!(out(&output).contains(&format!("{kept} of {kept} instances sent to PACS")), "{}", out(&output));
    assert!(out(&output).contains(&format!("commits to the safekeeping of {kept} instances")), "{}", out(&output));
    assert!(server.studies().contains(&format!("\"instance_count\":{kept}")), "{}", server.studies());
    let sent = site.json(&["send", "PACS", uid, "--commit"]);
    assert!(sent.as_array().unwrap().iter().all(|sent| sent["sent"] == true && sent["committed"] == true), "{sent}");

    let output = site.run(&["send", "PACS", "1.2.3"]);
    assert_code(&output, 1);
    assert!(err(&output).contains("there is no study 1.2.3"), "{}", err(&output));
}

#[test]
fn a_peer_that_commits_to_nothing_has_the_study_all_the_same_and_the_call_fails() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let archive = Provider::archive(site.path(), site.dimse);
    site.knows("PACS", archive.port);
    let study = small_study(site.path(), 62);
    let imported = site.json(&["import", &study.display().to_string()]);
    let uid = imported["studies"][0].as_str().unwrap();
    let output = site.run(&["send", "PACS", uid, "--commit"]);
    assert_code(&output, 1);
    assert!(err(&output).contains("does not accept storage commitment"), "{}", err(&output));
    assert_eq!(site.json(&["query", "PACS", "--study", uid]).as_array().unwrap().len(), 1);
}
