//! `hilum.toml`: what is wrong is named by its key, and nothing starts.

use std::path::Path;

use crate::program::{assert_code, err, hilum};

fn wrong(folder: &Path, text: &str, arguments: &[&str]) -> String {
    let config = folder.join("hilum.toml");
    std::fs::write(&config, text).unwrap();
    let data = folder.join("data").display().to_string();
    let config = config.display().to_string();
    let output = hilum([arguments, &["--config", &config, "--data", &data][..]].concat());
    assert_code(&output, 2);
    assert!(!folder.join("data").exists(), "a wrong call leaves nothing behind");
    err(&output)
}

#[test]
fn a_wrong_peer_is_named_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let peer = |more: &str| format!("[[peers]]\nae_title = \"PACS\"\nhost = \"127.0.0.1\"\nport = 104\n{more}\n");
    for (text, said) in [
        ("[[peers]]\nhost = \"a\"\nport = 104".to_owned(), "ae_title"),
        ("[[peers]]\nae_title = \"PACS\"\nport = 104".to_owned(), "host"),
        ("[[peers]]\nae_title = \"PACS\"\nhost = \"a b\"\nport = 104".to_owned(), "peers: PACS: host"),
        ("[[peers]]\nae_title = \"PACS\"\nhost = \"a\"\nport = 0".to_owned(), "peers: PACS: port"),
        ("[[peers]]\nae_title = \"PACS\"\nhost = \"a\"\nport = 70000".to_owned(), "port"),
        (peer("") + &peer(""), "peers: PACS: ae_title is configured twice"),
        (peer("allowed = [\"print\"]"), "allowed"),
        (peer("retrieve_by = \"post\""), "retrieve_by"),
        (peer("institution = \"a b\""), "institution"),
        (peer("certificate = \"sha256:12\""), "peers: PACS: certificate"),
        (peer("certificate = \"pacs.example.org\""), "peers: PACS: certificate needs a [tls] table"),
        (peer("tls = true"), "peers: PACS: tls needs a [tls] table"),
        (peer("tls = true") + "[tls]\ncertificate = \"c\"\nkey = \"k\"", "tls: authorities is missing"),
        (
            peer("certificate = \"pacs.example.org\"") + "[tls]\ncertificate = \"c\"\nkey = \"k\"\nauthorities = \"a\"",
            "tls: client_certificates is \"none\"",
        ),
        (
            "[tls]\ncertificate = \"c\"\nkey = \"k\"\nclient_certificates = \"required\"".to_owned(),
            "tls: client_certificates needs authorities",
        ),
        ("[tls]\ncertificate = \"c\"\nkey = \"k\"".to_owned(), "tls: certificate = "),
        ("[tls]\nkey = \"k\"".to_owned(), "certificate"),
        (peer("") + "[[rules]]\nforward = [\"RIS\"]", "rules: rule 1: forward names RIS"),
        (peer("") + "[[rules]]\nmodality = [\"CT\"]", "rules: rule 1 says neither institution nor forward"),
        (
            peer("") + "[[rules]]\nzone = \"research\"\nforward = [\"PACS\"]",
            "rules: rule 1: zone: the research zone needs",
        ),
        (peer("") + "[[rules]]\nsender = \"CT1\"", "sender"),
        (peer("") + "[[pull]]\npeer = \"RIS\"", "pull: peer names RIS"),
        (peer("") + "[[pull]]\npeer = \"PACS\"\npatients = \"mine\"", "patients"),
        (peer("") + "[[pull]]\npeer = \"PACS\"\nevery_minutes = 0", "pull: PACS: every_minutes is 1 to 10080"),
        (peer("") + "[results]\nto = [\"RIS\"]", "results: to names RIS, which is no [[peers]]"),
        (peer("") + "[results]\nobjects = []\nto = [\"PACS\"]", "results: to names peers, and objects is empty"),
        (peer("") + "[results]\nwhen = \"later\"", "when"),
        ("[ups]\nkeep_days = 0".to_owned(), "ups: keep_days is 1 to 3650"),
        ("[ups]\ndeadline_hours = 9000".to_owned(), "ups: deadline_hours is 1 to 8760"),
        ("[ups]\nown = true".to_owned(), "own"),
        (peer("") + "[results]\nobjects = [\"gsps\"]", "objects"),
        ("callers = \"known\"".to_owned(), "callers = \"known\" needs [[peers]]"),
        ("callers = \"friends\"".to_owned(), "callers"),
    ] {
        let told = wrong(folder.path(), &text, &["serve"]);
        assert!(told.contains("configuration") && told.contains(said), "{text}: {told}");
    }
}

#[test]
fn a_wrong_question_is_refused_before_anybody_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let peers = "[[peers]]\nae_title = \"PACS\"\nhost = \"127.0.0.1\"\nport = 1\n";
    for (arguments, said) in [
        (&["echo", "RIS"][..], "known are PACS"),
        (&["query", "PACS", "--date", "yesterday"], "--date is YYYYMMDD"),
        (&["query", "PACS", "--level", "series"], "--level series needs --study"),
        (&["query", "PACS", "--level", "image", "--study", "1.2"], "--level image needs --series"),
        (&["query", "PACS", "--level", "patient", "--modality", "CT"], "--modality is no key of the patient level"),
        (&["query", "PACS", "--study", "one"], "--study"),
        (&["query", "PACS", "--series", "1.2"], "--study"),
        (&["retrieve", "PACS"], "name what to retrieve"),
        (&["retrieve", "PACS", "--name", "A", "--limit", "0"], "--limit"),
        (&["worklist", "PACS", "--date", "2026-01-01-"], "--date is YYYYMMDD"),
    ] {
        let told = wrong(folder.path(), peers, arguments);
        assert!(told.contains(said), "{arguments:?}: {told}");
    }
    assert!(wrong(folder.path(), "", &["echo", "PACS"]).contains("none is configured"));
}

#[test]
fn a_peer_that_is_not_there_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hilum.toml");
    let port = super::dcmtk::free_port();
    std::fs::write(&config, format!("[[peers]]\nae_title = \"PACS\"\nhost = \"127.0.0.1\"\nport = {port}\n")).unwrap();
    let output = hilum(["echo", "PACS", "--config", &config.display().to_string()]);
    assert_code(&output, 1);
    let told = err(&output);
    assert!(told.contains(&format!("is PACS running at 127.0.0.1:{port}")), "{told}");
}
