//! A series as long as a whole-body scan in thin slices.

use std::time::Instant;

use super::wire::{SERIES, STUDY, get, part10, sop, stow};
use crate::program::{NO_REPORTS, Server, assert_sound};

const SLICES: usize = 3_500;
/// A request holds so many.
const A_REQUEST: usize = 500;
const ROOM_MIB: u64 = 150;

#[tokio::test(flavor = "multi_thread")]
async fn a_series_of_3500_slices_arrives_is_listed_and_its_metadata_are_one_answer() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start_with(&data, NO_REPORTS);
    let at_rest = server.peak_memory_mib();
    let started = Instant::now();
    let numbers: Vec<usize> = (1..=SLICES).collect();
    let mut senders = tokio::task::JoinSet::new();
    for numbers in numbers.chunks(A_REQUEST).map(<[usize]>::to_vec) {
        let http = server.http.clone();
        senders.spawn(async move {
            let files: Vec<Vec<u8>> = numbers.iter().map(|number| part10(*number, 8)).collect();
            stow(&http, &files).await
        });
    }
    while let Some(sent) = senders.join_next().await {
        let (status, answer) = sent.unwrap();
        assert_eq!(status, 200);
        assert_eq!(answer["00081199"]["Value"].as_array().map(Vec::len), Some(A_REQUEST));
    }
    let arrived = started.elapsed();
    let series = format!("/dicom-web/studies/{STUDY}/series");
    let (_, listed) = get(&server.http, &series).await;
    assert_eq!(listed[0]["00201209"]["Value"][0], SLICES, "Number of Series Related Instances: {listed}");
    let mut seen = std::collections::BTreeSet::new();
    for offset in (0..SLICES).step_by(1000) {
        let path = format!("{series}/{SERIES}/instances?limit=1000&offset={offset}");
        let (_, page) = get(&server.http, &path).await;
        seen.extend(
            page.as_array().unwrap().iter().map(|one| one["00080018"]["Value"][0].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(seen.len(), SLICES, "page by page, each once");
    let (status, metadata) = get(&server.http, &format!("{series}/{SERIES}/metadata")).await;
    assert_eq!((status, metadata.as_array().map(Vec::len)), (200, Some(SLICES)));
    let in_order = |(index, one): (usize, &serde_json::Value)| one["00080018"]["Value"][0] == sop(index + 1).as_str();
    assert!(metadata.as_array().unwrap().iter().enumerate().all(in_order), "by Instance Number");
    let taken = server.peak_memory_mib() - at_rest;
    println!("{SLICES} slices in {arrived:?}, {:?} in all, {taken} MiB of memory", started.elapsed());
    assert!(taken < ROOM_MIB, "{taken} MiB");
    assert_eq!(server.signal("TERM"), Some(0));
    assert_eq!(assert_sound(&data), SLICES as u64);
}
