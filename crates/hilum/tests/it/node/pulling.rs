//! `[[pull]]`

use std::time::{Duration, Instant};

use super::{
    dcmtk::{self, Provider},
    site::{HONG, KIM, Made, Site},
};
use crate::program::Server;

#[test]
fn studies_of_the_schedule_come_by_themselves_and_no_others() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let archive = Provider::archive(site.path(), site.dimse);
    let today = time::OffsetDateTime::now_utc();
    let today: &'static str =
        Box::leak(today.format(time::macros::format_description!("[year][month][day]")).unwrap().into_boxed_str());
    let old = Made { date: "20200101", patient_id: "KR0009", accession: "A109", ..HONG };
    for made in [Made { date: today, ..HONG }, Made { date: today, ..KIM }, old] {
        let file = made.file(site.path()).display().to_string();
        let (output, said) = dcmtk::tool("storescu", &["-aec", "PACS", "127.0.0.1", &archive.port.to_string(), &file]);
        assert!(output.status.success(), "{said}");
    }
    let configuration = format!(
        "[[peers]]\nae_title = \"PACS\"\nhost = \"127.0.0.1\"\nport = {}\n\
         [[pull]]\npeer = \"PACS\"\nevery_minutes = 1\nmodality = \"CT\"\ndescription = \"*KUB*\"\ndays_back = 2\n",
        archive.port
    );
    let server = Server::start_with(&site.data(), &configuration);
    let started = Instant::now();
    while !server.studies().contains("\"KR0001\"") {
        assert!(started.elapsed() < Duration::from_secs(50), "{}", server.studies());
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_secs(1));
    let studies = server.studies();
    assert!(!studies.contains("\"KR0002\"") && !studies.contains("\"KR0009\""), "{studies}");
}
