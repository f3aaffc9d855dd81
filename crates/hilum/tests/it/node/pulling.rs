//! `[[pull]]`

use std::time::{Duration, Instant};

use super::{
    dcmtk::{self, Provider},
    python_peer::PythonPeer,
    site::{HONG, KIM, Made, Site},
};
use crate::program::{Server, oracle_python, small_study};

/// dcmtk's archive with a study of each.
fn archive(site: &Site, all: &[Made]) -> Provider {
    let archive = Provider::archive(site.path(), site.dimse);
    for made in all {
        let file = made.file(site.path()).display().to_string();
        let (output, said) = dcmtk::tool("storescu", &["-aec", "PACS", "127.0.0.1", &archive.port.to_string(), &file]);
        assert!(output.status.success(), "{said}");
    }
    archive
}

#[track_caller]
fn wait_for(server: &Server, patient: &str) {
    let started = Instant::now();
    while !server.studies().contains(patient) {
        assert!(started.elapsed() < Duration::from_secs(50), "{}", server.studies());
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_secs(1));
}

#[test]
fn what_was_made_before_of_patients_on_the_worklist_comes_by_itself() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let archive = archive(&site, &[Made { date: "20200101", ..HONG }, KIM]);
    let configuration = format!(
        "[[peers]]\nae_title = \"PACS\"\nhost = \"127.0.0.1\"\nport = {}\n\
         [[pull]]\npeer = \"PACS\"\npatients = \"worklist\"\n",
        archive.port
    );
    std::fs::write(site.path().join("hilum.toml"), &configuration).unwrap();
    let order = dcmtk::worklist_file(site.path(), 1, &dcmtk::order("A1", HONG.name, "KR0001", "20261126", "CT"));
    site.json(&["worklist-import", &order.display().to_string()]);
    let server = Server::start_with(&site.data(), &configuration);
    wait_for(&server, "\"KR0001\"");
    assert!(!server.studies().contains("\"KR0002\""), "{}", server.studies());
}

#[test]
fn studies_of_the_schedule_come_by_themselves_and_no_others() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let today = time::OffsetDateTime::now_utc();
    let today: &'static str =
        Box::leak(today.format(time::macros::format_description!("[year][month][day]")).unwrap().into_boxed_str());
    let old = Made { date: "20200101", patient_id: "KR0009", accession: "A109", ..HONG };
    let archive = archive(&site, &[Made { date: today, ..HONG }, Made { date: today, ..KIM }, old]);
    let configuration = format!(
        "[[peers]]\nae_title = \"PACS\"\nhost = \"127.0.0.1\"\nport = {}\n\
         [[pull]]\npeer = \"PACS\"\nevery_minutes = 1\nmodality = \"CT\"\ndescription = \"*KUB*\"\ndays_back = 2\n",
        archive.port
    );
    let server = Server::start_with(&site.data(), &configuration);
    wait_for(&server, "\"KR0001\"");
    let studies = server.studies();
    assert!(!studies.contains("\"KR0002\"") && !studies.contains("\"KR0009\""), "{studies}");
}

#[test]
fn a_study_that_the_peer_cannot_give_out_keeps_no_other_from_coming_in_the_same_turn() {
    let Some(python) = oracle_python("pynetdicom") else { return };
    let (site, port) = (Site::new(), dcmtk::free_port());
    let slice = small_study(site.path(), 71).join("series-1/000001.dcm");
    let peer = PythonPeer::listening(&python, "offline_peer.py", &[&port.to_string(), &slice.display().to_string()]);
    // The next turn is an hour away.
    let configuration = format!(
        "[[peers]]\nae_title = \"PACS\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         [[pull]]\npeer = \"PACS\"\nevery_minutes = 60\nmost_studies = 3\n"
    );
    let server = Server::start_with(&site.data(), &configuration);
    wait_for(&server, "\"KR0007\"");
    drop(peer);
}

#[test]
fn the_study_of_a_work_item_comes_from_the_peer_that_it_names() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let archive = archive(&site, &[HONG, KIM]);
    let peer = |title: &str, institution: &str| {
        format!(
            "[[peers]]\nae_title = \"{title}\"\nhost = \"127.0.0.1\"\nport = {}\ninstitution = \"{institution}\"\n",
            archive.port
        )
    };
    let server = Server::start_with(&site.data(), &format!("{}{}", peer("PACS", "LOCAL"), peer("FOREIGN", "SITE_B")));
    let wanted = |made: &Made, from: &str| {
        let study = made.study_uid(site.path());
        let body = format!(
            r#"{{"00741000": {{"vr": "CS", "Value": ["SCHEDULED"]}}, "00741200": {{"vr": "CS", "Value": ["LOW"]}},
            "00741204": {{"vr": "LO", "Value": ["x"]}}, "00404005": {{"vr": "DT", "Value": ["20200101"]}},
            "00404041": {{"vr": "CS", "Value": ["READY"]}},
            "00404018": {{"vr": "SQ", "Value": [{{"00080100": {{"vr": "SH", "Value": ["urinary-stone"]}},
                "00080102": {{"vr": "SH", "Value": ["99HILUM"]}}}}]}},
            "00404021": {{"vr": "SQ", "Value": [{{"0020000D": {{"vr": "UI", "Value": ["{study}"]}},
                "0040E021": {{"vr": "SQ", "Value": [{{"00080054": {{"vr": "AE", "Value": ["{from}"]}}}}]}}}}]}}}}"#
        );
        let answer = server.post_as_somebody("/dicom-web/workitems", &body);
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    };
    wanted(&HONG, "PACS");
    // A peer of another institution gives this one nothing.
    wanted(&KIM, "FOREIGN");
    wait_for(&server, "\"KR0001\"");
    assert!(!server.studies().contains("\"KR0002\""), "{}", server.studies());
}
