//! We provide: dcmtk and pynetdicom query, retrieve and ask for commitment.

use std::{
    path::Path,
    process::{Command, Output},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use dicom_core::Tag;
use hilum_dicom::{DataSet, Instance};

use crate::{
    archive::{Archive, KOREAN, PATIENT_NAME, Program, STUDY, free_port, object, serve, sop},
    dcmtk::{dcmtk_is_here, run},
    pynetdicom::python,
    server::{EXPLICIT, Running, config},
};

fn ask(server: &Running, more: &[&str]) -> Vec<String> {
    let mut arguments: Vec<String> = ["-v", "-S", "-aet", "WORKSTATION", "-aec", "HILUM"].map(str::to_owned).into();
    arguments.extend(more.iter().map(ToString::to_string));
    arguments.extend(["127.0.0.1".into(), server.port()]);
    arguments
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

async fn script(python: String, name: &str, arguments: Vec<String>) -> serde_json::Value {
    let script = format!("{}/tests/it/{name}", env!("CARGO_MANIFEST_DIR"));
    let output =
        tokio::task::spawn_blocking(move || Command::new(python).arg(script).args(arguments).output().unwrap())
            .await
            .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn files_in(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Transfer syntaxes of the files, sorted.
fn syntaxes(files: &[Vec<u8>]) -> Vec<String> {
    let mut all: Vec<_> =
        files.iter().map(|file| Instance::parse(file).unwrap().header().transfer_syntax.to_string()).collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn findscu_gets_the_korean_name_back_in_the_character_set_it_asked_in() {
    if !dcmtk_is_here() {
        return;
    }
    let archive = Arc::new(Archive::with(3));
    let server = serve(config(), &archive).await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let keys = [
        "-k",
        "QueryRetrieveLevel=STUDY",
        "-k",
        "PatientName=Hong*",
        "-k",
        "StudyInstanceUID",
        "-k",
        "StudyDate=20260101-",
    ];
    let output = run(
        "findscu",
        ask(&server, &[&keys[..], &["-k", "SpecificCharacterSet=\\ISO 2022 IR 149", "-X", "-od", &out]].concat()),
    )
    .await;
    assert!(output.status.success(), "{}", said(&output));
    let found = files_in(folder.path());
    assert_eq!(found.len(), 1, "one study, three instances: {}", said(&output));
    let found = DataSet::from_instance(&Instance::parse(&found[0]).unwrap()).unwrap();
    assert_eq!(found.text(PATIENT_NAME), Some(KOREAN));
    assert_eq!(found.character_set().to_value(), "\\ISO 2022 IR 149");
    assert_eq!(found.text(Tag(0x0008, 0x0054)), Some("HILUM"), "Retrieve AE Title");
}

#[tokio::test(flavor = "multi_thread")]
async fn findscu_cancels_in_the_middle_and_the_service_stops_looking() {
    if !dcmtk_is_here() {
        return;
    }
    let mut archive = Archive::with(300);
    archive.delay = Duration::from_millis(20);
    let archive = Arc::new(archive);
    let server = serve(config(), &archive).await;
    let output =
        run("findscu", ask(&server, &["-k", "QueryRetrieveLevel=IMAGE", "-k", "SOPInstanceUID", "--cancel", "2"]))
            .await;
    let told = said(&output);
    assert!(told.contains("Cancel"), "{told}");
    assert!(archive.handed_out.load(Ordering::SeqCst) < 100, "looked on after the cancellation");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_without_a_level_of_its_model_is_told_a900() {
    if !dcmtk_is_here() {
        return;
    }
    let server = serve(config(), &Arc::new(Archive::with(1))).await;
    for keys in [&["-k", "PatientName"][..], &["-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID"]] {
        let output = run("findscu", ask(&server, keys)).await;
        assert!(
            said(&output).to_lowercase().contains("a900") || said(&output).contains("DoesNotMatchSOPClass"),
            "{}",
            said(&output)
        );
    }
    // A date that is none.
    let output = run("findscu", ask(&server, &["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyDate=tomorrow"])).await;
    assert!(
        said(&output).to_lowercase().contains("c000") || said(&output).contains("UnableToProcess"),
        "{}",
        said(&output)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worklist_is_queried_by_its_steps() {
    if !dcmtk_is_here() {
        return;
    }
    let mut archive = Archive::default();
    for (modality, name) in [("CT", "Kim^Yuna=金^姸兒=김^연아"), ("MR", "Lee^Sunsin")] {
        let mut step = DataSet::new();
        step.set(Tag(0x0008, 0x0060), modality).set(Tag(0x0040, 0x0001), "CT1").set(Tag(0x0040, 0x0002), "20260301");
        let mut entry = DataSet::new();
        entry.set(PATIENT_NAME, name).set_items(Tag(0x0040, 0x0100), vec![step]);
        archive.worklist.push(entry);
    }
    let server = serve(config(), &Arc::new(archive)).await;
    let folder = tempfile::tempdir().unwrap();
    let mut arguments: Vec<String> = ["-v", "-W", "-aec", "HILUM", "-X", "-od"].map(str::to_owned).into();
    arguments.push(folder.path().display().to_string());
    for key in [
        "PatientName",
        "ScheduledProcedureStepSequence[0].Modality=CT",
        "ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate=20260301",
    ] {
        arguments.extend(["-k".to_owned(), key.to_owned()]);
    }
    arguments.extend(["127.0.0.1".into(), server.port()]);
    let output = run("findscu", arguments).await;
    let found = files_in(folder.path());
    assert_eq!(found.len(), 1, "{}", said(&output));
    let found = DataSet::from_instance(&Instance::parse(&found[0]).unwrap()).unwrap();
    // Nothing was stated in the request: what is not ASCII comes in UTF-8, stated.
    assert_eq!(
        (found.text(PATIENT_NAME), found.character_set().to_value().as_str()),
        (Some("Kim^Yuna=金^姸兒=김^연아"), "ISO_IR 192")
    );
    let steps = found.items(Tag(0x0040, 0x0100));
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].text(Tag(0x0008, 0x0060)), Some("CT"));
    assert!(steps[0].get(Tag(0x0040, 0x0001)).is_none(), "nobody asked for the station");
}

#[tokio::test(flavor = "multi_thread")]
async fn movescu_moves_every_object_in_its_own_transfer_syntax() {
    if !dcmtk_is_here() {
        return;
    }
    let archive = Arc::new(Archive::with(6));
    let server = serve(config(), &archive).await;
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut storescp = Command::new("storescp");
    storescp.args(["+xa", "+B", "-aet", "SINK", "-od"]).arg(folder.path()).arg(port.to_string());
    let _storescp = Program::listening(storescp, port).await;
    archive.knows("SINK", port);
    let study = format!("StudyInstanceUID={STUDY}");
    let keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", &study, "-aem", "SINK"];
    let output = run("movescu", ask(&server, &keys)).await;
    assert!(output.status.success() && said(&output).contains("Success"), "{}", said(&output));
    let moved = files_in(folder.path());
    assert_eq!(
        syntaxes(&moved),
        [
            "1.2.840.10008.1.2.1",
            "1.2.840.10008.1.2.1",
            "1.2.840.10008.1.2.4.90",
            "1.2.840.10008.1.2.4.90",
            "1.2.840.10008.1.2.5",
            "1.2.840.10008.1.2.5",
        ]
    );
    for (instance, file) in &archive.files.0 {
        let sent = &file[hilum_dimse::read_meta(file).unwrap().1..];
        let arrived = moved.iter().any(|moved| moved.ends_with(sent));
        assert!(arrived, "{} changed on the way", instance.sop);
    }

    // A destination that nobody knows, and one that is known and not there.
    let keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", &study, "-aem", "NOBODY"];
    let told = said(&run("movescu", ask(&server, &keys)).await);
    assert!(told.contains("a801") || told.contains("MoveDestinationUnknown"), "{told}");
    archive.knows("GONE", free_port());
    let keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", &study, "-aem", "GONE"];
    let told = said(&run("movescu", ask(&server, &keys)).await);
    assert!(told.contains("a702") || told.contains("OutOfResourcesSubOperations"), "{told}");
    // Nothing named is nothing moved.
    let keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=", "-aem", "SINK"];
    let told = said(&run("movescu", ask(&server, &keys)).await);
    assert!(told.to_lowercase().contains("a900") || told.contains("DoesNotMatchSOPClass"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_refuses_is_told_and_one_that_takes_some_is_a_warning() {
    if !dcmtk_is_here() {
        return;
    }
    let archive = Arc::new(Archive::with(3));
    let server = serve(config(), &archive).await;
    let study = format!("StudyInstanceUID={STUDY}");
    for (title, option, expected) in [
        ("REFUSES", "--refuse", ["a702", "OutOfResourcesSubOperations"]),
        ("ABORTS", "--abort-during", ["a702", "OutOfResourcesSubOperations"]),
        // Uncompressed only: one of the three.
        ("PLAIN", "+x=", ["b000", "SubOperationsCompleteOneOrMoreFailures"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut storescp = Command::new("storescp");
        storescp.args([option, "-od"]).arg(folder.path()).arg(port.to_string());
        let _storescp = Program::listening(storescp, port).await;
        archive.knows(title, port);
        let keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", &study, "-aem", title];
        let told = said(&run("movescu", ask(&server, &keys)).await);
        assert!(expected.iter().any(|word| told.to_lowercase().contains(&word.to_lowercase())), "{title}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn movescu_cancels_in_the_middle_and_the_rest_stays() {
    if !dcmtk_is_here() {
        return;
    }
    let mut archive = Archive::with(60);
    archive.delay = Duration::from_millis(30);
    let archive = Arc::new(archive);
    let server = serve(config(), &archive).await;
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut storescp = Command::new("storescp");
    storescp.args(["+xa", "+B", "-od"]).arg(folder.path()).arg(port.to_string());
    let _storescp = Program::listening(storescp, port).await;
    archive.knows("SINK", port);
    let study = format!("StudyInstanceUID={STUDY}");
    let keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", &study, "-aem", "SINK", "--cancel", "2"];
    let told = said(&run("movescu", ask(&server, &keys)).await);
    assert!(told.contains("Cancel"), "{told}");
    let moved = files_in(folder.path()).len();
    assert!((2..50).contains(&moved), "{moved} of 60 moved");
}

#[tokio::test(flavor = "multi_thread")]
async fn getscu_gets_what_its_contexts_allow_and_hears_of_the_rest() {
    if !dcmtk_is_here() {
        return;
    }
    let plain = (0..4).map(|number| object(&sop(number), EXPLICIT, 50_000)).collect();
    let archive = Arc::new(Archive::of(plain));
    let server = serve(config(), &archive).await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let study = format!("StudyInstanceUID={STUDY}");
    let keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", &study, "+B", "-od", &out];
    let output = run("getscu", ask(&server, &keys)).await;
    assert!(output.status.success(), "{}", said(&output));
    let got = files_in(folder.path());
    assert_eq!(syntaxes(&got), ["1.2.840.10008.1.2.1"; 4]);

    // Contexts for uncompressed objects only: those in JPEG 2000 and RLE stay.
    let mixed = Arc::new(Archive::with(3));
    let server = serve(config(), &mixed).await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", &study, "+B", "-od", &out];
    let told = said(&run("getscu", ask(&server, &keys)).await);
    assert!(told.to_lowercase().contains("b000") || told.contains("Warning"), "{told}");
    assert_eq!(files_in(folder.path()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pynetdicom_queries_moves_gets_and_cancels() {
    let Some(python) = python() else { return };
    let mut archive = Archive::with(30);
    archive.delay = Duration::from_millis(10);
    let archive = Arc::new(archive);
    let server = serve(config(), &archive).await;
    let port = free_port();
    archive.knows("PYNETDICOM", port);
    let heard = script(python, "query_peer.py", vec![server.port(), port.to_string()]).await;
    for (name, charset) in [("korean", "ISO 2022 IR 149"), ("utf8", "ISO_IR 192"), ("unstated", "ISO_IR 192")] {
        assert_eq!(heard[name]["names"], serde_json::json!([KOREAN]), "{name}: {heard}");
        assert!(heard[name]["charset"].to_string().contains(charset), "{name}: {heard}");
    }
    assert_eq!(heard["latin"]["charset"], "ISO_IR 192", "Latin 1 cannot say it: {heard}");
    assert_eq!(heard["fuzzy"]["names"], serde_json::json!([KOREAN]), "{heard}");
    assert_eq!(heard["fuzzy_negotiated"], "000101");
    assert_eq!(heard["malformed"], 0xC000, "{heard}");
    assert_eq!(heard["unsupported_key"], 0xFF01, "{heard}");
    assert_eq!(heard["find_cancelled"], 0xFE00, "{heard}");
    assert_eq!(heard["move"]["status"], 0, "{heard}");
    assert_eq!(heard["move"]["stored"], 30, "{heard}");
    assert_eq!(heard["move"]["originator"], serde_json::json!(["QUERY", 77]), "{heard}");
    assert_eq!(heard["get"]["status"], 0, "{heard}");
    assert_eq!(
        heard["get"]["syntaxes"],
        serde_json::json!({EXPLICIT: 10, crate::archive::J2K: 10, crate::archive::RLE: 10})
    );
    assert_eq!(heard["get"]["last_pending"], serde_json::json!([1, 29, 0, 0]), "{heard}");
    assert_eq!(heard["get_refused"]["status"], 0xA702, "{heard}");
    assert_eq!(heard["get_refused"]["failed"], 30, "{heard}");
    assert_eq!(heard["get_cancelled"]["status"], 0xFE00, "{heard}");
    assert_eq!(heard["still_there"], 0, "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commitment_is_reported_on_the_same_association_and_on_a_new_one() {
    let Some(python) = python() else { return };
    let mut archive = Archive::with(2);
    archive.commit_delay = Duration::from_millis(300);
    let archive = Arc::new(archive);
    let server = serve(config(), &archive).await;
    let port = free_port();
    archive.knows("MODALITY", port);
    let heard = script(python, "commitment_peer.py", vec![server.port(), port.to_string(), sop(0), sop(1)]).await;
    for place in ["same", "new"] {
        assert_eq!(heard[place]["action"], 0, "{heard}");
        assert_eq!(heard[place]["event"], 2, "failures exist: {heard}");
        assert_eq!(heard[place]["committed"], serde_json::json!([sop(0), sop(1)]), "{heard}");
        assert_eq!(heard[place]["failed"], serde_json::json!([["1.2.3.4", 0x0112]]), "{heard}");
    }
    assert_eq!(heard["all"]["event"], 1, "{heard}");
    assert_eq!(heard["no_action"], 0x0123, "{heard}");
    assert_eq!(heard["nothing"], 0x0115, "{heard}");
    // pynetdicom told us a result in its turn, as provider.
    let results = archive.results.lock().unwrap();
    assert_eq!(results.len(), 1);
    assert_eq!(
        (results[0].transaction.as_str(), results[0].committed.len(), results[0].failed.len()),
        ("1.2.99", 1, 0)
    );
}
