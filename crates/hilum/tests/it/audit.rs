//! `hilum audit`, and what commands and a running server write into the trail.

use std::path::Path;

use serde_json::Value;

use crate::node::{
    dcmtk::{self, Provider, free_port},
    site::{HONG, Site},
};
use crate::program::{Server, assert_code, command, err, out, small_study};

fn listed(data: &Path, filters: &[&str]) -> Vec<Value> {
    let output = command().args(["audit", "list", "--json", "--data"]).arg(data).args(filters).output().unwrap();
    assert_code(&output, 0);
    out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn verify(data: &Path, more: &[&str]) -> std::process::Output {
    command().args(["audit", "verify", "--data"]).arg(data).args(more).output().unwrap()
}

#[test]
fn what_peers_ask_of_a_server_is_in_the_trail_and_strangers_are_too() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let (destination, port) = (site.path().join("destination"), free_port());
    std::fs::create_dir(&destination).unwrap();
    let mut storescp = std::process::Command::new("storescp");
    storescp.args(["+xa", "-od"]).arg(&destination).arg(port.to_string());
    let _storescp = Provider::start(storescp, port);
    let peers = format!(
        "[[peers]]\nae_title = \"CT1\"\nhost = \"127.0.0.1\"\nport = 104\n\
         [[peers]]\nae_title = \"WORKSTATION\"\nhost = \"127.0.0.1\"\nport = {port}\n"
    );
    let server = Server::start_with(&site.data(), &peers);
    assert!(server.receives("CT1", &HONG.file(site.path())).0);
    let call = |tool: &str, title: &str, more: &[&str]| {
        let base = ["-v", "-aet", title, "-aec", "HILUM", "127.0.0.1", server.dimse_port()];
        dcmtk::tool(tool, &[&base[..], more].concat())
    };
    let patient = ["-P", "-k", "0008,0052=PATIENT", "-k", "0010,0020=KR0001"];
    assert!(call("findscu", "CT1", &patient).0.status.success());
    assert!(call("findscu", "CT1", &["-W", "-k", "0010,0010=*Hong*"]).0.status.success());
    assert!(call("movescu", "CT1", &[&patient[..], &["-aem", "WORKSTATION"]].concat()).0.status.success());
    call("movescu", "CT1", &[&patient[..], &["-aem", "NOWHERE"]].concat());
    assert!(!call("echoscu", "STRANGER", &[]).0.status.success());
    // Beside the running server.
    assert_code(&verify(&site.data(), &[]), 0);
    assert_eq!(server.signal("TERM"), Some(0));

    let events = listed(&site.data(), &[]);
    let told: Vec<String> = events
        .iter()
        .map(|event| {
            let of = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
            let actor = event["actor"]["id"].as_str().unwrap_or("-");
            format!("{} {} {actor} {} {}", of("action"), of("outcome"), of("institution"), event["detail"])
        })
        .collect();
    for expected in [
        r#"receive done CT1 LOCAL {"instances":1,"source":"dimse"}"#,
        r#"query done CT1 LOCAL {"keys":["00100020"],"subject":"studies"}"#,
        r#"query done CT1 LOCAL {"keys":["00100010"],"subject":"worklist"}"#,
        r#"send done CT1 LOCAL {"instances":1,"peer":"WORKSTATION"}"#,
        r#"send refused CT1 LOCAL {"code":"unknown_peer","peer":"NOWHERE"}"#,
        r#"admit refused STRANGER - {"code":"unknown_peer"}"#,
        "process_end done - - {}",
    ] {
        let times = told.iter().filter(|line| *line == expected).count();
        assert_eq!(times, 1, "{expected}\nin\n{}", told.join("\n"));
    }
    // Whoever was let in, too, has an address in the trail.
    for event in events.iter().filter(|event| event["actor"]["id"] == "CT1") {
        assert_eq!(event["address"], "127.0.0.1", "{event}");
    }
    let stranger = listed(&site.data(), &["--actor", "STRANGER", "--outcome", "refused"]);
    assert_eq!((stranger.len(), stranger[0]["address"].as_str()), (1, Some("127.0.0.1")));
    let study = events.iter().find(|event| event["action"] == "receive").unwrap()["studies"][0].as_str().unwrap();
    assert_eq!(listed(&site.data(), &["--study", study]).len(), 2, "received and sent");
    let text = command().args(["audit", "list", "--action", "admit", "--data"]).arg(site.data()).output().unwrap();
    assert!(out(&text).contains("peer STRANGER from 127.0.0.1  admit  refused  -"), "{}", out(&text));
}

#[test]
fn commands_write_into_the_trail_and_verify_says_when_it_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let dicom = small_study(folder.path(), 41);
    assert_code(&command().args(["import", "--data"]).arg(&data).arg(dicom).output().unwrap(), 0);
    let mut export = command();
    export.args(["export", "--modality", "CT", "--data"]).arg(&data).arg(folder.path().join("out"));
    assert_code(&export.output().unwrap(), 0);
    let actions: Vec<String> =
        listed(&data, &[]).iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect();
    let expected = ["process_end", "export", "query", "process_start", "process_end", "import", "process_start"];
    // What is listed first came last; a search is gathered, so that it may come after the export.
    let mut told = actions.clone();
    told[1..3].sort();
    assert_eq!(told, expected);
    assert_eq!(listed(&data, &["--action", "import"])[0]["actor"]["kind"], "console");

    let output = verify(&data, &["--json"]);
    assert_code(&output, 0);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["whole"], found["events"].as_u64() > Some(7)), (&Value::Bool(true), true), "{found}");
    let witness = folder.path().join("witness.json");
    std::fs::write(&witness, &output.stdout).unwrap();
    assert_code(&verify(&data, &["--head", witness.to_str().unwrap()]), 0);

    let forged = out(&output).replace("\"number\": ", "\"number\": 99");
    std::fs::write(&witness, forged).unwrap();
    let broken = verify(&data, &["--head", witness.to_str().unwrap(), "--json"]);
    assert_code(&broken, 1);
    assert!(err(&broken).contains("its end was cut off"), "{}", err(&broken));
    let found: Value = serde_json::from_slice(&broken.stdout).unwrap();
    assert_eq!((&found["whole"], &found["broken"]["kind"]), (&Value::Bool(false), &Value::from("cut")));

    let nothing = verify(&data, &["--head", "/nowhere.json"]);
    assert_code(&nothing, 2);
    assert!(err(&nothing).contains("/nowhere.json names no event"), "{}", err(&nothing));
    assert_code(&verify(&folder.path().join("nothing"), &[]), 2);
}

#[test]
fn a_server_that_starts_with_another_configuration_says_in_the_trail_which_keys_differ_and_never_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let start = |text: &str| assert_eq!(Server::start_with(&data, text).signal("TERM"), Some(0));
    let told = || -> Vec<Value> {
        let events = listed(&data, &["--action", "change_configuration"]);
        events.into_iter().map(|event| event["detail"].clone()).collect()
    };
    let first = "http = \"127.0.0.1:0\"\nae_title = \"ONE\"\nmax_associations = 7\n";
    start(first);
    assert_eq!(told().len(), 1);
    assert_eq!(told()[0]["code"], "noted");
    start(first);
    assert_eq!(told().len(), 1, "nothing was changed");
    start("http = \"127.0.0.1:0\"\nae_title = \"SECRET_TITLE\"\npublic_names = [\"pacs.example\"]\n");
    let changed = serde_json::json!({"code": "changed", "settings": ["ae_title", "max_associations", "public_names"]});
    assert_eq!(told()[0], changed);
    let all = serde_json::to_string(&listed(&data, &[])).unwrap();
    let note = std::fs::read_to_string(data.join("configuration.json")).unwrap();
    assert!(![all, note].concat().contains("SECRET_TITLE"));
}

#[test]
fn a_wrong_audit_configuration_is_said_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hilum.toml");
    for (text, said) in [
        ("syslog = \"log.example.org\"", "audit: syslog"),
        ("syslog = \"udp://127.0.0.1:514\"\nauthorities = \"ca.pem\"", "audit: authorities"),
        ("syslog = \"udp://127.0.0.1:514\"\nsource = \"two words\"", "audit: source"),
        ("authorities = \"ca.pem\"", "syslog"),
        ("syslog = \"tls://127.0.0.1:6514\"\ncertificate = \"own.pem\"", "audit: key is missing"),
        ("syslog = \"tcp://127.0.0.1:601\"\ncertificate = \"own.pem\"\nkey = \"own.key\"", "audit: certificate is for"),
    ] {
        std::fs::write(&file, format!("[audit]\n{text}\n")).unwrap();
        let output = command().args(["audit", "list", "--config"]).arg(&file).output().unwrap();
        assert_code(&output, 2);
        assert!(err(&output).contains(said), "{text}: {}", err(&output));
    }
    let output = command().args(["audit", "list", "--action", "look"]).output().unwrap();
    assert_code(&output, 2);
    assert!(err(&output).contains("no action of the audit trail has this name"), "{}", err(&output));
}
