//! Imported orders, found by dcmtk on our worklist.

use super::{dcmtk, site::Site};
use crate::program::{Server, assert_code, err};

fn found(server: &Server, keys: &[&str]) -> Vec<String> {
    server.finds("CT1", "-W", &[&["0010,0010", "0010,0020", "0008,0050"][..], keys].concat())
}

#[test]
fn orders_of_worklist_files_and_of_json_are_found_by_modalities_and_the_same_one_is_one() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    std::fs::write(site.path().join("hilum.toml"), "").unwrap();
    let hong = dcmtk::order("A1", "Hong^Gildong=洪^吉洞=홍^길동", "KR0001", "20261126", "CT");
    let file = dcmtk::worklist_file(site.path(), 1, &hong);
    let json = site.path().join("orders.json");
    let order = |number: u32, date: &str| {
        serde_json::json!({
            "00080050": {"vr": "SH", "Value": [format!("B{number}")]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Kim^Younghee", "Phonetic": "김^영희"}]},
            "00100020": {"vr": "LO", "Value": ["KR0002"]},
            "00400100": {"vr": "SQ", "Value": [{
                "00080060": {"vr": "CS", "Value": ["MR"]},
                "00400002": {"vr": "DA", "Value": [date]},
                "00400009": {"vr": "SH", "Value": [format!("S{number}")]},
            }]},
        })
    };
    std::fs::write(&json, serde_json::json!([order(1, "20261127"), order(2, "20261128")]).to_string()).unwrap();
    let (file, json) = (file.display().to_string(), json.display().to_string());
    let summary = site.json(&["worklist-import", &file, &json]);
    assert_eq!(summary, serde_json::json!({"new": 3, "changed": 0, "unchanged": 0, "removed": 0}));
    let summary = site.json(&["worklist-import", &file, &json]);
    assert_eq!(summary, serde_json::json!({"new": 0, "changed": 0, "unchanged": 3, "removed": 0}));

    let server = Server::start_with(&site.data(), "");
    assert_eq!(found(&server, &[]).len(), 3);
    let korean = found(&server, &["0010,0010=*길동*"]);
    assert!(korean.len() == 1 && korean[0].contains("Hong^Gildong=洪^吉洞=홍^길동"), "{korean:?}");
    assert_eq!(found(&server, &["(0040,0100)[0].0008,0060=MR"]).len(), 2);
    assert_eq!(found(&server, &["(0040,0100)[0].0040,0002=20261126-20261127"]).len(), 2);
    assert_eq!(found(&server, &["(0040,0100)[0].0008,0060=MR", "(0040,0100)[0].0040,0002=20261128"]).len(), 1);

    // An order that changed is the same order; with --replace the others are taken out.
    std::fs::write(site.path().join("orders.json"), order(1, "20261201").to_string()).unwrap();
    let summary = site.json(&["worklist-import", &json, "--replace"]);
    assert_eq!(summary, serde_json::json!({"new": 0, "changed": 1, "unchanged": 0, "removed": 2}));
    let left = found(&server, &["(0040,0100)[0].0040,0002"]);
    assert!(left.len() == 1 && left[0].contains("20261201"), "{left:?}");
}

#[test]
fn a_file_that_is_no_order_is_named_and_nothing_of_the_call_is_kept() {
    let site = Site::new();
    std::fs::write(site.path().join("hilum.toml"), "").unwrap();
    let file = site.path().join("order.json");
    for (text, said) in [
        ("{", "is no JSON"),
        ("nothing", "is neither DICOM JSON nor a DICOM worklist file"),
        ("{\"PatientName\": {}}", "member 1"),
        ("{\"00100020\": {\"vr\": \"LO\", \"Value\": [\"KR1\"]}}", "Scheduled Procedure Step Sequence (0040,0100)"),
        ("[{\"00400100\": {\"vr\": \"SQ\", \"Value\": [{}]}}, {}]", "order 1: an order names its patient"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = site.run(&["worklist-import", &file.display().to_string()]);
        assert_code(&output, 2);
        assert!(err(&output).contains("order.json") && err(&output).contains(said), "{text}: {}", err(&output));
    }
    assert!(!site.data().exists());
}
