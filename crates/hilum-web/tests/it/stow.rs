//! STOW-RS.

use std::process::Command;

use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use serde_json::Value;

use crate::{
    client::{Answer, Running, start, start_with},
    synthetic::{multipart, series},
};

const RELATED: &str = "multipart/related; type=\"application/dicom\"; boundary=bound";

async fn store(server: &Running, path: &str, files: &[&[u8]]) -> Answer {
    server.send("POST", path, &[("Content-Type", RELATED)], &multipart("bound", files)).await
}

/// The values of a tag in the items of a sequence.
fn values<'a>(answer: &'a Value, sequence: &str, tag: &str) -> Vec<&'a Value> {
    let items = answer[sequence]["Value"].as_array();
    items.into_iter().flatten().map(|item| &item[tag]["Value"][0]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_is_stored_and_each_instance_is_named_in_the_answer() {
    let server = start().await;
    let series = series(1, 3, 40);
    let files: Vec<&[u8]> = series.instances.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    let answer = store(&server, "/dicom-web/studies", &files).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/dicom+json"));
    let json = answer.json();
    let sops: Vec<_> = series.instances.iter().map(|(sop, _)| sop.as_str()).collect();
    assert_eq!(values(&json, "00081199", "00081155"), sops);
    assert_eq!(values(&json, "00081199", "00081150"), ["1.2.840.10008.5.1.4.1.1.2"; 3]);
    assert!(json.get("00081198").is_none(), "{json}");
    // Retrieve URL, of the study and of each instance: what is there answers.
    let url = json["00081190"]["Value"][0].as_str().unwrap();
    assert_eq!(url, format!("http://{}/dicom-web/studies/{}", server.address, series.study));
    let own = values(&json, "00081199", "00081190")[1].as_str().unwrap();
    let answer = server.get_as(&own[own.find("/dicom-web").unwrap()..], "application/dicom").await;
    assert!(answer.body == series.instances[1].1);

    let again = store(&server, &format!("/dicom-web/studies/{}", series.study), &files).await;
    assert_eq!(again.status, 200, "the same data set again is one copy and a success");
    let listed =
        server.send("POST", "/api/v1/studies/search", &[("Content-Type", "application/json")], b"{}").await.json();
    assert_eq!(listed["items"][0]["instance_count"], 3, "{listed}");
    assert_eq!(listed["items"][0]["patient"]["name_ideographic"], "洪^吉洞");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_comes_after_the_rows_so_that_another_process_finds_what_it_names() {
    let server = start().await;
    let catalogue = server.data().join("catalog.sqlite");
    if !catalogue.exists() {
        // On a PostgreSQL server: the same code, which only the connection tells apart.
        return;
    }
    let database = Database::connect(format!("sqlite://{}?mode=ro", catalogue.display())).await.unwrap();
    let counted = async || {
        let count = Statement::from_string(DbBackend::Sqlite, "SELECT count(*) FROM instance");
        database.query_one_raw(count).await.unwrap().unwrap().try_get_by_index::<i64>(0).unwrap()
    };
    for study in 1..5_u32 {
        let series = series(study.into(), 3, 40);
        let files: Vec<&[u8]> = series.instances.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        assert_eq!(store(&server, "/dicom-web/studies", &files).await.status, 200);
        assert_eq!(counted().await, 3 * i64::from(study));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_fails_alone_and_the_answer_says_which_and_why() {
    let server = start().await;
    let (ours, foreign) = (series(1, 2, 40), series(2, 1, 40));
    let files = [&ours.instances[0].1, &foreign.instances[0].1, &b"no DICOM at all".to_vec(), &ours.instances[1].1];
    let files: Vec<&[u8]> = files.iter().map(|bytes| bytes.as_slice()).collect();
    let answer = store(&server, &format!("/dicom-web/studies/{}", ours.study), &files).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let json = answer.json();
    assert_eq!(values(&json, "00081199", "00081155").len(), 2);
    assert_eq!(values(&json, "00081198", "00081155"), [foreign.instances[0].0.as_str()]);
    assert_eq!(values(&json, "00081198", "00081197"), [0xA900], "of another study than the address says");
    assert_eq!(values(&json, "0008119A", "00081197"), [0xC000], "cannot be understood");

    let none = store(&server, "/dicom-web/studies", &[b"still no DICOM"]).await;
    assert_eq!(none.status, 409, "nothing was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_data_set_under_a_known_uid_is_quarantined_with_a_warning() {
    let server = start().await;
    let (first, other) = (series(1, 1, 40), series(1, 1, 41));
    assert_eq!(first.instances[0].0, other.instances[0].0);
    assert_eq!(store(&server, "/dicom-web/studies", &[&first.instances[0].1]).await.status, 200);
    let answer = store(&server, "/dicom-web/studies", &[&other.instances[0].1]).await;
    assert_eq!(answer.status, 202);
    assert_eq!(values(&answer.json(), "00081199", "00081196"), [0xB000]);
    let shown = server.get("/api/v1/quarantine").await.json();
    assert_eq!(shown[0]["sop_uid"], first.instances[0].0.as_str(), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_data_sets_under_one_uid_in_one_request_the_first_is_kept_however_fast_which_is_stored() {
    let server = start().await;
    for study in 1..=8 {
        let (first, other) = (series(study, 5, 40), series(study, 5, 41));
        let parts: Vec<&[u8]> =
            first.instances.iter().chain(&other.instances[..1]).map(|(_, bytes)| bytes.as_slice()).collect();
        let answer = store(&server, "/dicom-web/studies", &parts).await.json();
        let sops = values(&answer, "00081199", "00081155");
        let expected: Vec<&str> =
            first.instances.iter().chain(&other.instances[..1]).map(|(sop, _)| sop.as_str()).collect();
        assert_eq!(sops, expected, "told in the order of the parts");
        let warnings = values(&answer, "00081199", "00081196");
        assert!(warnings[..5].iter().all(|warning| warning.is_null()) && warnings[5] == 0xB000, "{warnings:?}");
        let facts = hilum_dicom::read_facts(&first.instances[0].1).unwrap();
        let (study, sop) = (&facts.study.uid, &facts.sop);
        let path = format!("/dicom-web/studies/{study}/series/{}/instances/{sop}", facts.series.uid);
        let kept = server.get_as(&path, "application/dicom; transfer-syntax=*").await;
        assert_eq!(kept.body, first.instances[0].1, "byte for byte the first");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_media_types_are_refused_with_what_is_accepted() {
    let server = start().await;
    let body = multipart("bound", &[b"x"]);
    for content_type in [
        "application/dicom",
        "application/json",
        "multipart/form-data; boundary=bound",
        "multipart/related; type=\"application/dicom+json\"; boundary=bound",
        "nonsense",
    ] {
        let answer = server.send("POST", "/dicom-web/studies", &[("Content-Type", content_type)], &body).await;
        assert_eq!(answer.status, 415, "{content_type}");
        assert!(answer.text().contains("application/dicom"), "{}", answer.text());
    }
    let answer = server.send("POST", "/dicom-web/studies", &[], &body).await;
    assert_eq!(answer.status, 415, "no Content-Type at all");
    let xml = [("Content-Type", RELATED), ("Accept", "application/dicom+xml")];
    assert_eq!(server.send("POST", "/dicom-web/studies", &xml, &body).await.status, 406);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_body_is_refused_and_what_came_before_it_is_told() {
    let server = start().await;
    let series = series(1, 1, 40);
    for (body, code) in [
        (b"--other\r\n\r\nx\r\n--other--".to_vec(), "multipart_broken"),
        (b"--bound\r\n\r\ncut off".to_vec(), "multipart_broken"),
        (b"--bound--".to_vec(), "bad_request"),
    ] {
        let answer = server.send("POST", "/dicom-web/studies", &[("Content-Type", RELATED)], &body).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some(code)), "{}", answer.text());
    }
    let no_boundary = [("Content-Type", "multipart/related; type=\"application/dicom\"")];
    assert_eq!(server.send("POST", "/dicom-web/studies", &no_boundary, b"x").await.status, 400);

    let mut half = multipart("bound", &[&series.instances[0].1, &series.instances[0].1]);
    half.truncate(half.len() - 1000);
    let answer = server.send("POST", "/dicom-web/studies", &[("Content-Type", RELATED)], &half).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(values(&answer.json(), "00081199", "00081155"), [series.instances[0].0.as_str()]);
    let bad_study = server.send("POST", "/dicom-web/studies/..%2f", &[("Content-Type", RELATED)], &half).await;
    assert_eq!(bad_study.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_not_inflated_and_a_part_that_inflates_without_end_is_refused_alone() {
    let server = start().await;
    let series = series(1, 1, 40);
    let headers = [("Content-Type", RELATED), ("Content-Encoding", "gzip")];
    assert_eq!(server.send("POST", "/dicom-web/studies", &headers, b"x").await.status, 415);

    // File meta information of Deflated Explicit VR Little Endian, then a stream of zeros behind the end of the data set.
    let file = &series.instances[0].1;
    let at = hilum_dicom::Instance::parse(file).unwrap().header().data_set_offset;
    let facts = hilum_dicom::read_facts(file).unwrap();
    let syntax = hilum_dicom::TransferSyntaxUid::deflated_explicit_little_endian();
    let mut bomb = hilum_dicom::part10::file_meta(&facts.sop_class, &facts.sop, &syntax);
    let mut deflate = flate2::write::DeflateEncoder::new(&mut bomb, flate2::Compression::best());
    std::io::Write::write_all(&mut deflate, &file[at..]).unwrap();
    for _ in 0..1100 {
        std::io::Write::write_all(&mut deflate, &vec![0; 1 << 20]).unwrap();
    }
    deflate.finish().unwrap();
    assert!(bomb.len() < 3 << 20, "{} bytes", bomb.len());
    let answer = store(&server, "/dicom-web/studies", &[&bomb, file]).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(values(&answer.json(), "0008119A", "00081197"), [0xC000]);
    assert_eq!(values(&answer.json(), "00081199", "00081155").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_without_end_are_taken_up_to_a_limit_and_the_answer_says_so() {
    let server = start().await;
    let one = series(1, 1, 40).instances.remove(0).1;
    let mut body = multipart("bound", &[&one]);
    body.truncate(body.len() - "--bound--\r\n".len());
    body.extend("--bound\r\n\r\n\r\n".repeat(30_000).as_bytes());
    let answer = server.send("POST", "/dicom-web/studies", &[("Content-Type", RELATED)], &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let (json, all) = (answer.json(), 20_000);
    assert_eq!(values(&json, "00081199", "00081155").len(), 1);
    let others = values(&json, "0008119A", "00081197");
    // All that is no instance among the first, and one for those behind them.
    assert_eq!((others.len(), others[0].as_u64(), others[all - 1].as_u64()), (all, Some(0xC000), Some(0xA700)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_be_asked_for_as_json() {
    let server = start().await;
    let one = series(1, 1, 40).instances.remove(0).1;
    let headers = [("Content-Type", RELATED), ("Accept", "application/json")];
    let answer = server.send("POST", "/dicom-web/studies", &headers, &multipart("bound", &[&one])).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_above_the_limit_is_read_past_and_the_next_one_is_stored() {
    let server = start_with(|config| config.max_instance_bytes = 50_000).await;
    let series = series(1, 1, 40);
    let answer = store(&server, "/dicom-web/studies", &[&vec![0; 200_000], &series.instances[0].1]).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(values(&answer.json(), "0008119A", "00081197"), [0xA700]);
    assert_eq!(values(&answer.json(), "00081199", "00081155").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn dicomweb_client_stores_in_chunks_without_a_content_length() {
    let Ok(python) = std::env::var("HILUM_ORACLE_PYTHON") else {
        assert!(std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(), "HILUM_ORACLE_PYTHON names no Python");
        println!("SKIPPED: HILUM_ORACLE_PYTHON names no Python with dicomweb-client");
        return;
    };
    let server = start().await;
    let series = series(7, 5, 40);
    let folder = tempfile::tempdir().unwrap();
    for (sop, bytes) in &series.instances {
        std::fs::write(folder.path().join(sop), bytes).unwrap();
    }
    let script = "import sys, glob, pydicom\n\
        from dicomweb_client.api import DICOMwebClient\n\
        client = DICOMwebClient(url=sys.argv[1], chunk_size=1000, headers={'Authorization': 'Bearer ' + sys.argv[3]})\n\
        sets = [pydicom.dcmread(path) for path in sorted(glob.glob(sys.argv[2] + '/*'))]\n\
        print(len(client.store_instances(sets).ReferencedSOPSequence))\n\
        print(len(client.store_instances(sets, study_instance_uid=sets[0].StudyInstanceUID).ReferencedSOPSequence))\n";
    let (url, token) = (format!("http://{}/dicom-web", server.address), server.token.clone());
    let path = folder.path().to_owned();
    let output = tokio::task::spawn_blocking(move || {
        Command::new(python).args(["-c", script, &url]).arg(path).arg(token).output().unwrap()
    })
    .await
    .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "5\n5\n");
    // pydicom writes the data set anew; it is the same data set, so there is one copy and no quarantine.
    assert_eq!(server.get("/api/v1/quarantine").await.json(), serde_json::json!([]));
}
