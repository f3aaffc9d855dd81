//! Results out: objects of a report, once, read back, sent where they go, and never read themselves.

use crate::fixture::{config, execute, kill_writer, number, objects, rows, send, texts};
use crate::review::{all_the_rest, judgement, physician};
use bytes::Bytes;
use hilum_clinical::guideline::Site;
use hilum_clinical::report::StoneEdits;
use hilum_clinical::urinary_stone::Side as StoneSide;
use hilum_dicom::charset::SpecificCharacterSet;
use hilum_dicom::header::Instance;
use hilum_dicom::write::{CtSeriesIdentity, PatientPosition, PatientSex, SeriesKind, ct_series, uid_bits_from_seed};
use hilum_dicom::{AeTitle, DataSet, InstanceFacts, PersonName, SeriesUid, SopUid, StudyUid, read_facts};
use hilum_engine::review::{Judgement, ReviewVerdict};
use hilum_engine::routing::{Rule, Rules};
use hilum_engine::tagging::is_synthetic;
use hilum_engine::views::ReadingStatus;
use hilum_engine::{
    Engine, EngineConfig, ErrorKind, ReportPart, ResultKind, ResultRules, ResultsWhen, Scope, Selection, Zone,
};
use hilum_imaging::phantom::{self, PhantomRecipe, Region, Side, StonePlan, StoneSite, StoneSpec};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use tempfile::tempdir;
use time::Time;
use time::macros::date;

/// A synthetic abdomen with a stone, small enough for a test, and read by the shipped model.
pub static STUDY: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let recipe = PhantomRecipe {
        region: Region::Abdomen,
        matrix: 256,
        slice_thickness_mm: 5.0,
        stones: StonePlan::Chosen(vec![
            StoneSpec { site: StoneSite::KidneyLowerPole, side: Side::Left, diameter_mm: 12.0, hu: 1100.0 },
            StoneSpec { site: StoneSite::ProximalUreter, side: Side::Right, diameter_mm: 9.0, hu: 1000.0 },
        ]),
        seed: 31,
        ..PhantomRecipe::default()
    };
    let phantom = phantom::generate(&recipe).unwrap();
    let identity = CtSeriesIdentity {
        character_set: SpecificCharacterSet::korean(),
        patient_name: PersonName::from_groups("Hong^Gildong=洪^吉洞=홍^길동"),
        patient_id: "SYN-31".into(),
        birth_date: Some(date!(1961 - 03 - 09)),
        sex: PatientSex::Male,
        age_years: Some(64),
        study: study(),
        series: SeriesUid::from_u128(uid_bits_from_seed(31, "series")),
        study_date: date!(2026 - 01 - 05),
        study_time: Time::MIDNIGHT,
        study_description: "CT KUB".into(),
        series_description: "Abdomen 5.0".into(),
        accession_number: "A31".into(),
        study_id: "1".into(),
        series_number: 1,
        protocol: "KUB".into(),
        body_part: "ABDOMEN".into(),
        kernel: "Br40".into(),
        kvp: 120.0,
        contrast_agent: None,
        position: PatientPosition::Hfs,
        kind: SeriesKind::OriginalAxial,
    };
    ct_series(&phantom.volume, &identity).unwrap().map(|instance| Bytes::from(instance.unwrap().1)).collect()
});

pub fn study() -> StudyUid {
    StudyUid::from_u128(uid_bits_from_seed(31, "study"))
}

pub async fn open(data: &Path, results: ResultRules, rules: Vec<Rule>) -> Engine {
    let config = EngineConfig { shipped_model: true, results, rules: Rules::new(rules), ..config(data) };
    Engine::open(config).await.unwrap()
}

/// The objects of the study that were made here.
fn results(data: &Path) -> Vec<(InstanceFacts, Vec<u8>)> {
    let facts = objects(data).into_iter().map(|object| (read_facts(&object).unwrap(), object));
    facts.filter(|(facts, _)| facts.series.modality.as_deref() != Some("CT")).collect()
}

fn modalities(results: &[(InstanceFacts, Vec<u8>)]) -> Vec<&str> {
    results.iter().map(|(facts, _)| facts.series.modality.as_deref().unwrap()).collect()
}

async fn report(engine: &Engine) -> Value {
    let json = engine.report(&Scope::local(), &study(), ReportPart::Json).await.unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[tokio::test]
async fn a_report_becomes_objects_of_its_study_once_and_nothing_is_read_of_them() {
    let data = tempdir().unwrap();
    let engine = open(data.path(), ResultRules::default(), Vec::new()).await;
    send(&engine, &STUDY).await;
    engine.run_until_idle().await.unwrap();
    let document = report(&engine).await;
    let stones = document["stones"].as_array().unwrap();
    assert!(!stones.is_empty(), "the shipped model marks something in this phantom: {}", document["result"]);
    let made = results(data.path());
    let expected =
        ["SEG", "SR", "DOC", "DOC"].into_iter().chain(stones.iter().flat_map(|_| ["OT"; 3])).collect::<Vec<_>>();
    assert_eq!(modalities(&made), expected);
    for (facts, object) in &made {
        assert_eq!((&facts.study.uid, facts.patient.id.as_deref()), (&study(), Some("SYN-31")));
        assert_eq!(facts.patient.name, PersonName::from_groups("Hong^Gildong=洪^吉洞=홍^길동"));
        assert!(facts.series.description.as_ref().unwrap().contains("synthetic"), "{:?}", facts.series);
        assert!(is_synthetic(facts));
        let mut of_a_patient = facts.clone();
        of_a_patient.series.description = Some("Urinary stones".to_owned());
        assert!(!is_synthetic(&of_a_patient), "what was made here is not for that reason of no patient");
        let parsed = Instance::parse(object).unwrap();
        assert_eq!(parsed.value(dicom_core::Tag(0x0008, 0x0005)), Some(&b"ISO_IR 192"[..]));
    }
    // Seen as every other series of the study, and nothing to read: the reading is done and stays done.
    let detail = engine.study(&Scope::local(), &study()).await.unwrap();
    assert_eq!(detail.series.len(), 5);
    assert_eq!(detail.summary.reading.state, ReadingStatus::Done);
    assert_eq!(detail.summary.modalities, ["CT", "DOC", "OT", "SEG", "SR"]);
    assert_eq!(document["coverage"]["series_not_chosen"], serde_json::json!([]));
    assert!(detail.conflicts.is_empty(), "{:?}", detail.conflicts);
    let before = rows(data.path()).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(rows(data.path()).await, before);
    assert_eq!((before["report"], before["quarantine"]), (1, 0));
    let audited = texts(data.path(), "SELECT detail FROM audit_event WHERE action = 'make_results'").await;
    assert_eq!(audited, [format!(r#"{{"subject":"report","instances":{},"report":1}}"#, made.len())]);

    // What the command line writes is what is kept.
    for (part, at) in [(ReportPart::Seg, 0), (ReportPart::Sr, 1)] {
        assert_eq!(engine.report(&Scope::local(), &study(), part).await.unwrap(), made[at].1);
    }
    agree_with_peers(&made, stones);
}

/// dciodvfy finds no error; dcmqi reads the report's own numbers; the segmentation has each stone's own voxels.
fn agree_with_peers(made: &[(InstanceFacts, Vec<u8>)], stones: &[Value]) {
    let folder = tempdir().unwrap();
    for (number, (_, object)) in made.iter().enumerate() {
        let path = folder.path().join(format!("{number}.dcm"));
        std::fs::write(&path, object).unwrap();
        let Ok(output) = Command::new("dciodvfy").arg(&path).output() else { return required("dciodvfy") };
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("Error")).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    let Ok(python) = std::env::var("HILUM_ORACLE_PYTHON") else { return required("dcmqi") };
    let script = "import json, sys, pydicom\n\
        seg = pydicom.dcmread(sys.argv[1])\n\
        frames = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)\n\
        voxels = {}\n\
        for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence):\n\
        \x20   n = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber\n\
        \x20   voxels[n] = voxels.get(n, 0) + int(frame.sum())\n\
        print(json.dumps([voxels[n] for n in sorted(voxels)]))";
    let output = Command::new(&python).args(["-W", "ignore", "-c", script]).arg(folder.path().join("0.dcm")).output();
    let counted: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    assert_eq!(counted, stones.iter().map(|stone| stone["voxels"].clone()).collect::<Value>());

    let read = folder.path().join("read.json");
    let mut reader = Command::new(Path::new(&python).with_file_name("tid1500reader"));
    reader.arg("--inputDICOM").arg(folder.path().join("1.dcm")).arg("--outputMetadata").arg(&read);
    assert!(reader.output().unwrap().status.success());
    let read: Value = serde_json::from_slice(&std::fs::read(read).unwrap()).unwrap();
    let groups = read["Measurements"].as_array().unwrap();
    assert_eq!(groups.len(), stones.len());
    for (group, stone) in groups.iter().zip(stones) {
        let numbers: Vec<f64> = group["measurementItems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["value"].as_str().unwrap().parse().unwrap())
            .collect();
        let expected = [
            &stone["largest_diameter_mm"],
            &stone["axial_diameter_mm"],
            &stone["width_mm"],
            &stone["coronal_diameter_mm"],
            &stone["volume_mm3"],
            &stone["core_hu"]["value"],
            &stone["hu"]["mean"],
            &stone["hu"]["max"],
            &stone["hu"]["sd"],
            &stone["score"],
        ];
        let expected: Vec<f64> = expected.into_iter().filter_map(Value::as_f64).collect();
        assert_eq!(numbers.len(), expected.len(), "{group}");
        for (have, want) in numbers.iter().zip(expected) {
            assert!((have - want).abs() <= 1e-9 * want.abs().max(1.0), "{have} and {want}");
        }
    }
}

fn required(program: &str) {
    assert!(std::env::var("HILUM_REQUIRE_ORACLES").as_deref() != Ok("1"), "{program} is not installed");
    println!("SKIPPED: {program} is not installed");
}

#[tokio::test]
async fn a_reading_that_says_the_same_again_keeps_report_and_objects() {
    let data = tempdir().unwrap();
    let engine = open(data.path(), ResultRules::default(), Vec::new()).await;
    send(&engine, &STUDY).await;
    engine.run_until_idle().await.unwrap();
    let (before, first) = (rows(data.path()).await, report(&engine).await);
    // A deletion raises the study's revision: it is read again, and there is nothing new to tell.
    let (document, _) = results(data.path()).swap_remove(2);
    let gone = Selection::instance(study(), document.series.uid, document.sop);
    engine.delete(&Scope::local(), Zone::Clinical, &gone).await.unwrap();
    assert_ne!(engine.study(&Scope::local(), &study()).await.unwrap().summary.reading.state, ReadingStatus::Done);
    engine.run_until_idle().await.unwrap();
    let after = rows(data.path()).await;
    assert_eq!((after["report"], after["instance"]), (1, before["instance"] - 1), "what was deleted is not made again");
    assert_eq!(report(&engine).await, first);
    assert_eq!(engine.study(&Scope::local(), &study()).await.unwrap().summary.reading.state, ReadingStatus::Done);
    let read = number(data.path(), "SELECT count(*) FROM audit_event WHERE action = 'predict'").await;
    assert_eq!(read, 2, "both readings are in the audit trail");
}

#[tokio::test]
async fn a_new_version_gets_objects_of_its_own_and_those_of_the_first_stay() {
    let data = tempdir().unwrap();
    let sr = ResultRules { objects: vec![ResultKind::Sr], ..ResultRules::default() };
    let engine = open(data.path(), sr, Vec::new()).await;
    let (last, others) = STUDY.split_last().unwrap();
    send(&engine, others).await;
    engine.run_until_idle().await.unwrap();
    send(&engine, std::slice::from_ref(last)).await;
    engine.run_until_idle().await.unwrap();
    let made = results(data.path());
    assert_eq!(modalities(&made), ["SR", "SR"]);
    assert_ne!(made[0].0.series.uid, made[1].0.series.uid);
    assert_eq!(number(data.path(), "SELECT count(*) FROM report").await, 2);
}

#[tokio::test]
async fn making_objects_again_after_a_crash_makes_only_what_is_missing() {
    let data = tempdir().unwrap();
    let engine = open(data.path(), ResultRules::default(), Vec::new()).await;
    send(&engine, &STUDY).await;
    engine.run_until_idle().await.unwrap();
    let before = rows(data.path()).await;
    let made: Vec<SopUid> = results(data.path()).into_iter().map(|(facts, _)| facts.sop).collect();
    let due = "UPDATE report SET results_due_at = 0, results_made_at = NULL";
    execute(data.path(), due).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(rows(data.path()).await, before, "nothing twice");

    let (structured, _) = results(data.path()).swap_remove(1);
    let gone = Selection::instance(study(), structured.series.uid, structured.sop.clone());
    engine.delete(&Scope::local(), Zone::Clinical, &gone).await.unwrap();
    execute(data.path(), due).await;
    engine.run_until_idle().await.unwrap();
    let mut again: Vec<SopUid> = results(data.path()).into_iter().map(|(facts, _)| facts.sop).collect();
    again.sort();
    let mut sorted = made;
    sorted.sort();
    assert_eq!(again, sorted);
    assert_eq!(number(data.path(), "SELECT count(*) FROM report").await, 1);
}

fn title(text: &str) -> AeTitle {
    text.parse().unwrap()
}

#[tokio::test]
async fn objects_go_to_the_peers_of_results_and_the_rules_for_what_comes_in_do_not_touch_them() {
    let data = tempdir().unwrap();
    let to = || ResultRules { to: vec![title("PACS"), title("VNA")], ..ResultRules::default() };
    let onward = || vec![Rule { forward: vec![title("ONWARD")], ..Rule::default() }];
    let engine = open(data.path(), to(), onward()).await;
    send(&engine, &STUDY).await;
    engine.run_until_idle().await.unwrap();
    let made = results(data.path()).len() as i64;
    let of = async |source: &str, peer: &str| {
        let sql = format!(
            "SELECT count(*) FROM forward JOIN instance ON instance.id = forward.instance_row \
             WHERE instance.source {source} 'result' AND forward.peer = '{peer}'"
        );
        number(data.path(), &sql).await
    };
    let all = async || [of("=", "PACS").await, of("=", "VNA").await, of("=", "ONWARD").await, of("<>", "PACS").await];
    assert_eq!(all().await, [made, made, 0, 0]);
    assert_eq!(of("<>", "ONWARD").await, STUDY.len() as i64);

    // An object whose row was lost in a crash is taken up for what it is.
    let (_, object) = results(data.path()).swap_remove(1);
    let sop = read_facts(&object).unwrap().sop;
    let of_object = format!("instance_row IN (SELECT id FROM instance WHERE sop_uid = '{sop}')");
    drop(engine);
    execute(data.path(), &format!("DELETE FROM forward WHERE {of_object}")).await;
    execute(data.path(), &format!("DELETE FROM instance WHERE sop_uid = '{sop}'")).await;
    assert_eq!(all().await, [made - 1, made - 1, 0, 0]);
    kill_writer(data.path());
    let engine = open(data.path(), to(), onward()).await;
    assert_eq!(all().await, [made, made, 0, 0]);
    engine.run_until_idle().await.unwrap();
    assert_eq!(number(data.path(), "SELECT count(*) FROM report").await, 1, "and nothing is read for it");
    assert_eq!(number(data.path(), "SELECT count(*) FROM quarantine").await, 0);
}

#[tokio::test]
async fn where_objects_wait_for_a_signature_they_are_made_when_they_are_called_for_and_once() {
    let data = tempdir().unwrap();
    let signed = ResultRules { when: ResultsWhen::Signed, ..ResultRules::default() };
    let engine = open(data.path(), signed, Vec::new()).await;
    send(&engine, &STUDY).await;
    engine.run_until_idle().await.unwrap();
    assert!(results(data.path()).is_empty());
    // The command line makes one all the same, without keeping it.
    let structured = engine.report(&Scope::local(), &study(), ReportPart::Sr).await.unwrap();
    assert!(results(data.path()).is_empty());
    assert!(engine.results_due(&Scope::local(), &study()).await.unwrap());
    engine.run_until_idle().await.unwrap();
    let made = results(data.path());
    assert_eq!(made[1].1, structured);
    assert!(!engine.results_due(&Scope::local(), &study()).await.unwrap(), "they are out");
    let nobody = StudyUid::from_u128(1);
    assert_eq!(engine.results_due(&Scope::local(), &nobody).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn where_a_physician_states_another_site_the_objects_name_that_one() {
    let data = tempdir().unwrap();
    let signed = ResultRules { when: ResultsWhen::Signed, ..ResultRules::default() };
    let engine = open(data.path(), signed, Vec::new()).await;
    send(&engine, &STUDY).await;
    engine.run_until_idle().await.unwrap();
    let kim = physician(&engine, "kim", "LOCAL").await;
    let edits = StoneEdits { site: Some(Site::Uvj), side: Some(StoneSide::Left), largest_diameter_mm: Some(4.5) };
    let edited = Judgement { edits, ..judgement(0, ReviewVerdict::Edited) };
    engine.judge(&kim.scope(), &study(), 1, 1, &edited).await.unwrap();
    engine.sign_report(&kim.scope(), &kim, &study(), 1, &all_the_rest(1)).await.unwrap();
    engine.run_until_idle().await.unwrap();
    let made = results(data.path());
    let segmentation = DataSet::from_instance(&Instance::parse(&made[0].1).unwrap()).unwrap();
    let tag = dicom_core::Tag;
    let first = &segmentation.items(tag(0x0062, 0x0002))[0];
    assert_eq!(first.text(tag(0x0062, 0x0005)), Some("Stone 1: Left ureterovesical junction, 4.5 mm"));
    let region = &first.items(tag(0x0008, 0x2218))[0];
    assert_eq!(region.text(tag(0x0008, 0x0104)), Some("Ureter"));
    let modifiers = region.items(tag(0x0008, 0x2220)).iter().map(|item| item.text(tag(0x0008, 0x0104)).unwrap());
    assert_eq!(modifiers.collect::<Vec<_>>(), ["Left", "Ureterovesical junction"]);
}

#[tokio::test]
async fn a_signed_version_goes_out_verified_and_without_what_was_rejected() {
    let data = tempdir().unwrap();
    let signed = ResultRules { when: ResultsWhen::Signed, ..ResultRules::default() };
    let engine = open(data.path(), signed, Vec::new()).await;
    send(&engine, &STUDY).await;
    engine.run_until_idle().await.unwrap();
    let stones = report(&engine).await["stones"].as_array().unwrap().len();
    assert!(stones > 1);
    let kim = physician(&engine, "kim", "LOCAL").await;
    engine.judge(&kim.scope(), &study(), 1, 1, &judgement(0, ReviewVerdict::Rejected)).await.unwrap();
    assert!(results(data.path()).is_empty());
    engine.sign_report(&kim.scope(), &kim, &study(), 1, &all_the_rest(1)).await.unwrap();
    engine.run_until_idle().await.unwrap();
    let made = results(data.path());
    assert_eq!(modalities(&made)[..4], ["SEG", "SR", "DOC", "DOC"]);
    assert_eq!(made.len(), 4 + 3 * (stones - 1));
    let read = |object: &[u8]| DataSet::from_instance(&Instance::parse(object).unwrap()).unwrap();
    let tag = dicom_core::Tag;
    let segmentation = read(&made[0].1);
    let tracked: Vec<_> = segmentation.items(tag(0x0062, 0x0002)).iter().map(|s| s.text(tag(0x0062, 0x0020))).collect();
    let left: Vec<String> = (2..=stones).map(|number| format!("stone {number}")).collect();
    assert_eq!(tracked, left.iter().map(|name| Some(name.as_str())).collect::<Vec<_>>());
    let structured = read(&made[1].1);
    assert_eq!(structured.text(tag(0x0040, 0xA493)), Some("VERIFIED"));
    assert!(structured.items(tag(0x0040, 0xA073))[0].text(tag(0x0040, 0xA075)).is_some());
}
