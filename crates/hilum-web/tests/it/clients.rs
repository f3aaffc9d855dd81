//! Clients that nobody here wrote: python dicomweb-client with all its methods, and OHIF's requests as it sends them.

use dicom_dictionary_std::tags;
use hilum_dicom::charset::SpecificCharacterSet;
use hilum_dicom::data_set::{DataSet, Stated};
use hilum_dicom::header::Instance;
use hilum_dicom::part10::file_meta;
use serde_json::json;

use crate::{client::start, oracle, synthetic::series};

/// Every method of dicomweb-client, checked by the script itself; `cargo xtask interop` runs it against the built program.
const DICOMWEB_CLIENT: &str = include_str!("../../../../xtask/src/interop/dicomweb_client.py");

#[tokio::test(flavor = "multi_thread")]
async fn dicomweb_client_stores_finds_retrieves_and_deletes_with_all_its_methods() {
    let server = start().await;
    let (sent, other) = (series(1, 5, 40), series(2, 1, 40));
    server.store(&[&other.instances[0].1]).await;
    let folder = tempfile::tempdir().unwrap();
    for (sop, bytes) in &sent.instances {
        std::fs::write(folder.path().join(format!("{sop}.dcm")), bytes).unwrap();
    }
    let folder = folder.path().to_string_lossy().into_owned();
    let arguments = vec![format!("http://{}/dicom-web", server.address), folder, server.token.clone()];
    let Some(said) = oracle::python(DICOMWEB_CLIENT, arguments).await else { return };
    assert_eq!(said, "5 instances\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ohif_asks_is_answered() {
    let server = start().await;
    let (one, other) = (series(1, 2, 40), series(2, 1, 40));
    let files: Vec<&[u8]> = one.instances.iter().chain(&other.instances).map(|(_, bytes)| bytes.as_slice()).collect();
    // One after the other: parts of one request are stored beside each other.
    for file in &files {
        server.store(&[file]).await;
    }
    let facts = hilum_dicom::read_facts(files[0]).unwrap();
    let (study, series) = (&facts.study.uid, &facts.series.uid);
    let json = "application/dicom+json";

    let fields = "includefield=00081030%2C00080060%2C00080090";
    let list = format!("/dicom-web/studies?limit=101&offset=0&fuzzymatching=false&{fields}");
    let answer = server.get_as(&list, json).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(json)));
    let found = answer.json();
    assert_eq!(found.as_array().unwrap().len(), 2);
    // The study received last first, with what the worklist of OHIF shows.
    assert_eq!(found[1]["0020000D"]["Value"][0], study.as_str());
    assert_eq!(found[1]["00081030"]["Value"][0], "CT");
    assert_eq!(found[1]["00100010"]["Value"][0]["Alphabetic"], "Hong^Gildong");
    assert_eq!(found[1]["00080061"]["Value"], serde_json::json!(["CT"]));
    assert_eq!(found[1]["00201208"], serde_json::json!({"vr": "IS", "Value": [2]}));
    let url = format!("http://{}/dicom-web/studies/{study}", server.address);
    assert_eq!(found[1]["00081190"], serde_json::json!({"vr": "UR", "Value": [url]}));

    for (keys, count) in [
        ("PatientName=*%ED%99%8D*", 2),
        ("PatientName=%2A%ED%99%8D%2A", 2),
        ("00100020=SYN-000001", 2),
        ("00100020=KR0001", 0),
        (&format!("StudyInstanceUID={study}"), 1),
        ("ModalitiesInStudy=CT&StudyDate=20260101-20261231", 2),
        ("StudyDate=20250101-20251231", 0),
        ("limit=1&offset=1", 1),
        ("PatientID=%22%22&emptyvaluematching=true", 0),
    ] {
        let answer = server.get_as(&format!("/dicom-web/studies?{keys}"), json).await;
        if count == 0 {
            assert_eq!((answer.status, answer.body.len()), (204, 0), "{keys}");
        } else {
            assert_eq!(answer.json().as_array().unwrap().len(), count, "{keys}");
        }
    }
    let first = server.get_as("/dicom-web/studies?limit=1&total=true", json).await;
    assert_eq!(first.header("x-total-count"), Some("2"));
    assert!(first.header("warning").unwrap().starts_with("299 "), "there is more");
    assert_eq!(server.get_as(&list, json).await.header("warning"), None);

    let under = format!("/dicom-web/studies/{study}/series");
    let found = server.get_as(&format!("{under}?includefield=0008103E"), json).await.json();
    assert_eq!(found[0]["0020000E"]["Value"][0], series.as_str());
    assert_eq!(found[0]["00201209"]["Value"][0], 2);
    let found = server.get_as(&format!("{under}/{series}/instances"), json).await.json();
    assert_eq!(found[0]["00080018"]["Value"][0], one.instances[0].0.as_str());
    assert_eq!(found[0]["00280010"]["Value"][0], 16);

    let metadata = server.get_as(&format!("{under}/{series}/metadata"), json).await.json();
    assert_eq!(metadata.as_array().unwrap().len(), 2);
    let frame = format!("{under}/{series}/instances/{}/frames/1", one.instances[0].0);
    let answer = server.get_as(&frame, "multipart/related; type=application/octet-stream; transfer-syntax=*").await;
    assert_eq!(answer.parts()[0].1.len(), 512);
    let whole = format!("{under}/{series}/instances/{}", one.instances[0].0);
    let answer = server.get_as(&whole, "multipart/related; type=\"application/dicom\"").await;
    assert!(answer.parts()[0].1 == one.instances[0].1);
}

#[tokio::test(flavor = "multi_thread")]
async fn series_are_searched_by_the_performed_step_and_by_their_requests() {
    let server = start().await;
    let made = series(1, 1, 40).instances.remove(0).1;
    let facts = hilum_dicom::read_facts(&made).unwrap();
    let mut data_set = DataSet::from_instance(&Instance::parse(&made).unwrap()).unwrap();
    data_set.set(tags::PERFORMED_PROCEDURE_STEP_START_DATE, "20200101");
    let request = |step: &str, procedure: &str| {
        let mut item = DataSet::new();
        item.set(tags::SCHEDULED_PROCEDURE_STEP_ID, step).set(tags::REQUESTED_PROCEDURE_ID, procedure);
        item
    };
    data_set.set_items(tags::REQUEST_ATTRIBUTES_SEQUENCE, vec![request("S1", "R1"), request("S2", "복부")]);
    let mut file = file_meta(&facts.sop_class, &facts.sop, &"1.2.840.10008.1.2.1".parse().unwrap());
    file.extend(data_set.write(true, &SpecificCharacterSet::utf8(), Stated::Always).unwrap());
    server.store(&[&file]).await;
    server.store(&[&series(2, 1, 40).instances[0].1]).await;

    let requests = "RequestAttributesSequence";
    for (keys, count) in [
        ("PerformedProcedureStepStartDate=20200101".to_owned(), 1),
        ("PerformedProcedureStepStartDate=20200102-".to_owned(), 0),
        (format!("{requests}.ScheduledProcedureStepID=S*"), 1),
        (format!("{requests}.ScheduledProcedureStepID=S1&{requests}.RequestedProcedureID=R1"), 1),
        (format!("{requests}.ScheduledProcedureStepID=S2&{requests}.RequestedProcedureID=R1"), 0),
        ("00400275.00401001=%EB%B3%B5%EB%B6%80".to_owned(), 1),
    ] {
        let answer = server.get(&format!("/dicom-web/series?{keys}")).await;
        assert_eq!(answer.header("warning"), None, "{keys}");
        assert_eq!(answer.status, if count == 0 { 204 } else { 200 }, "{keys}");
        assert!(count == 0 || answer.json().as_array().unwrap().len() == count, "{keys}");
    }
    let found = server.get("/dicom-web/series").await.json();
    // PS3.18 Table 10.6.3-4; the series received last first.
    assert_eq!((&found[0]["00400275"], &found[0]["00400244"]), (&json!({"vr": "SQ"}), &json!({"vr": "DA"})));
    assert_eq!(found[1]["00400244"]["Value"], json!(["20200101"]));
    assert_eq!(found[1]["00400245"], json!({"vr": "TM"}));
    let id = |value: &str| json!({"vr": "SH", "Value": [value]});
    let items = json!([{"00400009": id("S1"), "00401001": id("R1")}, {"00400009": id("S2"), "00401001": id("복부")}]);
    assert_eq!(found[1]["00400275"], json!({"vr": "SQ", "Value": items}));
    let warned = server.get("/dicom-web/series?RequestAttributesSequence.AccessionNumber=A1").await;
    assert!(warned.header("warning").unwrap().contains("00080050"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_cannot_be_read_names_the_parameter_and_never_its_value() {
    let server = start().await;
    for (query, named) in [
        ("PatientNam=Geheim", "PatientNam"),
        ("StudyDate=Geheim", "0008,0020"),
        ("limit=Geheim", "limit"),
        ("PatientName=Geheim%FF", "PatientName"),
    ] {
        let answer = server.get(&format!("/dicom-web/studies?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.text().contains(named) && !answer.text().contains("Geheim"), "{}", answer.text());
    }
    let bad = server.get("/dicom-web/studies/..%2F/series").await;
    assert_eq!(bad.status, 400);
    assert_eq!(server.get_as("/dicom-web/studies", "application/dicom+xml").await.status, 406);
    // A key that the catalogue does not hold is left out of the question, and the answer says so.
    let answer = server.get("/dicom-web/studies?ManufacturerModelName=X").await;
    assert!(answer.header("warning").unwrap().contains("00081090"));
}
