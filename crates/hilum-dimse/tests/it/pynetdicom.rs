//! pynetdicom 3.0.4 as the peer.

use std::process::Command;

use hilum_dimse::{StoreOutcome, is_storage_sop_class, is_stored_transfer_syntax};

use crate::server::{config, start};

/// The Python that has pynetdicom, or the reason why there is none.
pub fn python() -> Option<String> {
    let python = std::env::var("HILUM_ORACLE_PYTHON").ok();
    if python.is_none() {
        assert!(std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(), "HILUM_ORACLE_PYTHON names no Python");
        println!("SKIPPED: HILUM_ORACLE_PYTHON names no Python with pynetdicom");
    }
    python
}

async fn peer(python: String, port: String, max_pdu: &'static str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/peer.py");
    let output =
        tokio::task::spawn_blocking(move || Command::new(python).args([script, &port, max_pdu]).output().unwrap())
            .await
            .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_context_is_decided_for_itself_and_keeps_the_first_syntax_proposed() {
    let Some(python) = python() else { return };
    let server = start(config()).await;
    let heard = peer(python, server.port(), "16382").await;
    for expected in [
        r#"["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.4.90"]"#,
        r#"["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2"]"#,
        r#"["1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.1.2.2"]"#,
        // 3: abstract syntax not supported, 4: transfer syntaxes not supported (PS3.8 Table 9-18).
        r#"["1.2.3.4.5.6", 3]"#,
        r#"["1.2.840.10008.5.1.4.1.2.1.1", 3]"#,
        r#"["1.2.840.10008.5.1.4.1.1.4", 4]"#,
        r#""peer_max_pdu": 131072"#,
        r#""echo": 0"#,
        r#""implicit": 0"#,
        r#""big_endian": 0"#,
        r#""echo_again": 0"#,
        r#""released": true"#,
    ] {
        assert!(heard.contains(expected), "{expected} in {heard}");
    }
    let kept = server.recorder.kept.lock().unwrap();
    let syntaxes: Vec<_> = kept.iter().map(|instance| instance.transfer_syntax.to_string()).collect();
    assert_eq!(
        syntaxes,
        ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2"],
        "the syntax of the context, not of the first one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_instance_is_a_warning_with_a_reason_even_in_small_pdus() {
    let Some(python) = python() else { return };
    let server = start(config()).await;
    *server.recorder.outcome.lock().unwrap() = StoreOutcome::Quarantined;
    let heard = peer(python, server.port(), "70").await;
    assert!(heard.contains(r#""implicit": 45056"#), "0xB000 in {heard}");
    assert!(heard.contains(r#""echo_again": 0"#), "{heard}");
}

#[test]
fn storage_classes_and_transfer_syntaxes_are_those_of_pydicoms_dictionary() {
    let Some(python) = python() else { return };
    let script = "from pydicom._uid_dict import UID_dictionary as d\n\
                  for uid, (name, kind, *_) in d.items(): print(uid, kind.replace(' ', ''), name, sep='|')";
    let output = Command::new(python).args(["-c", script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut seen = 0;
    for line in text.lines() {
        let (uid, rest) = line.split_once('|').unwrap();
        let (kind, name) = rest.split_once('|').unwrap();
        match kind {
            // A retired entry of which nothing but the UID is left (PS3.6 Table A-1).
            "SOPClass" if name.is_empty() => continue,
            "SOPClass" => {
                let services = ["Commitment", "Media Storage Directory", "Management"];
                let storage = (name.contains("Storage") && !services.iter().any(|word| name.contains(word)))
                    || name.starts_with("DICOS");
                assert_eq!(is_storage_sop_class(uid), storage, "{line}");
            }
            "TransferSyntax" => {
                let elsewhere = ["MIME", "XML", "SMPTE", "Papyrus"].iter().any(|word| name.contains(word));
                assert_eq!(is_stored_transfer_syntax(uid), !elsewhere, "{line}");
            }
            _ => continue,
        }
        seen += 1;
    }
    assert!(seen > 200, "{seen} entries");
    assert!(!is_stored_transfer_syntax("1.2.840.113619.5.2"), "GE private: implicit VR with big endian pixel data");
}
