//! `hilum echo`, `query`, `retrieve` and `worklist` with dcmtk's archive and worklist provider.

use super::{
    dcmtk::{self, Provider},
    site::{Site, dicom_files},
};
use crate::program::{Server, assert_code, err, out, small_study};

/// A study in dcmtk's archive.
fn filled_archive(site: &Site) -> (Provider, usize, String) {
    let archive = Provider::archive(site.path(), site.dimse);
    site.knows("PACS", archive.port);
    let study = small_study(site.path(), 41);
    let (output, said) = dcmtk::tool(
        "storescu",
        &["-aec", "PACS", "+sd", "+r", "127.0.0.1", &archive.port.to_string(), &study.display().to_string()],
    );
    assert!(output.status.success(), "{said}");
    let found = site.json(&["query", "PACS"]);
    let uid = found[0]["0020000D"]["Value"][0].as_str().unwrap().to_owned();
    (archive, dicom_files(&study), uid)
}

#[test]
fn a_study_of_dcmtks_archive_is_found_by_its_keys() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let (_archive, files, uid) = filled_archive(&site);
    let output = site.run(&["echo", "PACS"]);
    assert_code(&output, 0);
    assert!(out(&output).starts_with("PACS answers"), "{}", out(&output));

    let found = site.json(&["query", "PACS", "--study", &uid]);
    assert_eq!(found.as_array().unwrap().len(), 1);
    let name = &found[0]["00100010"]["Value"][0];
    let hangul = name["Phonetic"].as_str().or(name["Ideographic"].as_str()).unwrap();
    assert!(hangul.chars().any(|c| ('가'..='힣').contains(&c)), "{name}");
    let listed = site.run(&["query", "PACS", "--date", "20000101-", "--modality", "CT"]);
    assert!(out(&listed).contains(&uid) && out(&listed).starts_with("patient id"), "{}", out(&listed));
    let nothing = site.json(&["query", "PACS", "--patient-id", "NOBODY"]);
    assert_eq!(nothing, serde_json::json!([]));

    let series = site.json(&["query", "PACS", "--level", "series", "--study", &uid]);
    let series = series[0]["0020000E"]["Value"][0].as_str().unwrap().to_owned();
    let images = site.json(&["query", "PACS", "--level", "image", "--study", &uid, "--series", &series]);
    assert_eq!(images.as_array().unwrap().len(), files);
    let few = site.run(&["query", "PACS", "--level", "image", "--study", &uid, "--series", &series, "--limit", "3"]);
    assert_eq!(out(&few).lines().count(), 4);
    assert!(err(&few).contains("more than 3 matches"), "{}", err(&few));
}

#[test]
fn a_study_is_retrieved_by_get_and_by_move_with_and_without_a_server_and_once() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let (_archive, files, uid) = filled_archive(&site);
    let retrieved = site.json(&["retrieve", "PACS", "--study", &uid]);
    assert_eq!(retrieved[0]["completed"], files);
    // By C-MOVE the instances come to an address of their own for the while.
    let retrieved = site.json(&["retrieve", "PACS", "--modality", "CT", "--by", "move"]);
    assert_eq!(retrieved[0]["completed"], files);
    let imported = site.json(&["import", &site.path().join("study-000041").display().to_string()]);
    assert_eq!((&imported["kept"], &imported["already_there"]), (&0.into(), &files.into()));

    // Or to the server that listens there already.
    let other = site.path().join("other");
    let server = Server::start_at(&other, &site.path().join("hilum.toml"));
    let retrieved = site.json(&["retrieve", "PACS", "--study", &uid, "--by", "move"]);
    assert_eq!(retrieved[0]["completed"], files);
    assert!(server.studies().contains(&format!("\"instance_count\":{files}")), "{}", server.studies());

    let output = site.run(&["retrieve", "PACS", "--study", "1.2.3"]);
    assert_code(&output, 1);
    assert!(err(&output).contains("nothing of what was asked for"), "{}", err(&output));
    let output = site.run(&["retrieve", "PACS", "--name", "NOBODY"]);
    assert_code(&output, 1);
    assert!(err(&output).contains("no study that matches"), "{}", err(&output));
}

#[test]
fn the_worklist_of_a_peer_is_listed_with_korean_names() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let orders = [
        dcmtk::order("A1", "Hong^Gildong=洪^吉洞=홍^길동", "KR0001", "20261126", "CT"),
        dcmtk::order("A2", "Kim^Younghee=金^英姬=김^영희", "KR0002", "20261127", "MR"),
    ];
    let worklist = Provider::worklist(site.path(), &orders);
    site.knows("RIS", worklist.port);
    let listed = site.run(&["worklist", "RIS", "--modality", "CT"]);
    assert_code(&listed, 0);
    let listed = out(&listed);
    assert!(listed.contains("홍^길동") && listed.contains("20261126") && !listed.contains("KR0002"), "{listed}");
    let found = site.json(&["worklist", "RIS", "--date", "20261127-"]);
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["00080050"]["Value"][0], "A2");
}
