//! Work items: kept, claimed, told of, and performed by our own services, once, whatever happens in between.

mod kept;

use crate::fixture::{Ct, config, engine, execute, number, reading_engine, send, send_to, texts};
use crate::results::{STUDY, study};
use dicom_core::Tag;
use hilum_dicom::matching::QueryOptions;
use hilum_dicom::ups::{StepState, check_final_state};
use hilum_dicom::{AeTitle, DataSet, SopUid, StudyUid};
use hilum_engine::ups::{SERVICE_CODE, SERVICE_SCHEME, Subscription, UpsRules};
use hilum_engine::views::ReadingStatus;
use hilum_engine::{Engine, EngineConfig, ErrorKind, ResultKind, ResultRules, ResultsWhen, Scope, Selection, Zone};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tempfile::tempdir;

const STATE: u32 = 0x0074_1000;
const READY: u32 = 0x0040_4041;
const START: u32 = 0x0040_4005;
const PRIORITY: u32 = 0x0074_1200;
const LABEL: u32 = 0x0074_1204;
const PROGRESS: u32 = 0x0074_1002;
const PERFORMED: u32 = 0x0074_1216;
const REASON: u32 = 0x0074_1238;
const REASON_CODE: u32 = 0x0074_100E;
const INPUT: u32 = 0x0040_4021;
const OUTPUT: u32 = 0x0040_4033;
const CODE: u32 = 0x0040_4018;
const STATION: u32 = 0x0040_4025;

fn tag(number: u32) -> Tag {
    Tag((number >> 16) as u16, number as u16)
}

fn coded(value: &str, scheme: &str) -> DataSet {
    let mut item = DataSet::new();
    item.set(tag(0x0008_0100), value).set(tag(0x0008_0102), scheme).set(tag(0x0008_0104), "test");
    item
}

/// What a requester states of a study that is to be read.
fn wanted(study: &StudyUid) -> DataSet {
    let mut input = DataSet::new();
    input.set(tag(0x0040_E020), "DICOM").set(tag(0x0020_000D), study.as_str());
    let mut item = DataSet::new();
    item.set(tag(STATE), "SCHEDULED")
        .set(tag(PRIORITY), "MEDIUM")
        .set(tag(LABEL), "Stone reading")
        .set(tag(START), "20200101")
        .set(tag(READY), "READY")
        .set(tag(0x0010_0010), "Hong^Gildong=洪^吉洞=홍^길동")
        .set(tag(0x0010_0020), if *study == crate::results::study() { "SYN-31" } else { "SYN-000001" })
        .set_items(tag(INPUT), vec![input])
        .set_items(tag(CODE), vec![coded(SERVICE_CODE, SERVICE_SCHEME)]);
    item
}

fn title(text: &str) -> AeTitle {
    text.parse().unwrap()
}

fn local() -> Scope {
    Scope::local()
}

async fn create(engine: &Engine, stated: &DataSet) -> SopUid {
    engine.create_work_item(&local(), None, stated).await.unwrap().uid
}

async fn get(engine: &Engine, uid: &SopUid) -> DataSet {
    engine.work_item(&local(), uid).await.unwrap()
}

async fn state(engine: &Engine, uid: &SopUid) -> StepState {
    get(engine, uid).await.text(tag(STATE)).unwrap().parse().unwrap()
}

fn progress(item: &DataSet) -> &DataSet {
    &item.items(tag(PROGRESS))[0]
}

/// Why it was cancelled: the words, and the code of PS3.16 CID 9300.
fn why(item: &DataSet) -> (String, String) {
    let progress = progress(item);
    let code = &progress.items(tag(REASON_CODE))[0];
    assert_eq!(code.text(tag(0x0008_0102)), Some("DCM"));
    (progress.text(tag(REASON)).unwrap_or_default().to_owned(), code.text(tag(0x0008_0100)).unwrap().to_owned())
}

/// As many work items more that say what the only one does.
async fn multiply(data: &Path, more: u32) {
    let columns =
        "state, data_set, priority, scheduled_at, patient_id, study_uid, own, next_at, looks, created_at, updated_at";
    let sql = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {more}) \
         INSERT INTO work_item (institution_id, sop_uid, {columns}) \
         SELECT institution_id, sop_uid || '.' || i, {columns} FROM work_item, n"
    );
    execute(data, &sql).await;
}

/// What a subscriber is told next, as type of event and state.
async fn told(engine: &Engine, to: &str) -> Vec<(u64, String)> {
    let mut all = Vec::new();
    loop {
        let events = engine.work_events(&local(), &title(to), None).await.unwrap();
        let Some(last) = events.last() else { return all };
        engine.work_events_told(&local(), &title(to), last.number).await.unwrap();
        all.extend(events.iter().map(|event| {
            let message: Value = serde_json::from_str(&event.message).unwrap();
            let state = message["00741000"]["Value"][0].as_str().unwrap_or_default().to_owned();
            (message["00001002"]["Value"][0].as_u64().unwrap(), state)
        }));
    }
}

async fn open(data: &Path, rules: UpsRules) -> Engine {
    let config = EngineConfig { shipped_model: true, results: ResultRules::default(), ups: rules, ..config(data) };
    Engine::open(config).await.unwrap()
}

/// The series and instances that a work item says came of it.
fn outputs(item: &DataSet) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for output in item.items(tag(PERFORMED))[0].items(tag(OUTPUT)) {
        assert_eq!(output.text(tag(0x0040_E020)), Some("DICOM"));
        assert_eq!(output.items(tag(0x0040_E021))[0].text(tag(0x0008_0054)), Some("HILUM"));
        for reference in output.items(tag(0x0008_1199)) {
            all.push((
                output.text(tag(0x0020_000E)).unwrap().to_owned(),
                reference.text(tag(0x0008_1155)).unwrap().to_owned(),
            ));
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn what_a_requester_wants_read_is_claimed_read_and_completed_with_the_objects_that_came_of_it() {
    let data = tempdir().unwrap();
    let engine = open(data.path(), UpsRules::default()).await;
    engine.subscribe_to_work(&local(), &Subscription::Worklist, &title("PACS"), false).await.unwrap();
    let uid = create(&engine, &wanted(&study())).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(state(&engine, &uid).await, StepState::Scheduled, "its study is not here yet");

    send(&engine, &STUDY).await;
    engine.run_until_idle().await.unwrap();
    let item = get(&engine, &uid).await;
    assert_eq!(item.text(tag(STATE)), Some("COMPLETED"));
    assert_eq!(check_final_state(&item, StepState::Completed), Ok(()));
    assert_eq!(item.get(tag(0x0008_1195)), None, "the Transaction UID is nobody else's");
    assert_eq!(progress(&item).text(tag(0x0074_1004)), Some("100"));
    let made = texts(
        data.path(),
        "SELECT series.series_uid || ' ' || instance.sop_uid FROM instance JOIN series ON series.id = instance.series_row \
         WHERE instance.source = 'result' ORDER BY 1",
    )
    .await;
    let said: Vec<String> = outputs(&item).into_iter().map(|(series, sop)| format!("{series} {sop}")).collect();
    assert_eq!(said, made, "every object of the report and nothing else");
    let step = &item.items(tag(PERFORMED))[0];
    let parameters = step.items(tag(0x0074_1212));
    assert_eq!(parameters.len(), 2, "the series that was read, and the model");

    let events = told(&engine, "PACS").await;
    let states: Vec<&str> = events.iter().filter(|(kind, _)| *kind == 1).map(|(_, state)| state.as_str()).collect();
    assert_eq!(states, ["SCHEDULED", "IN PROGRESS", "COMPLETED"]);
    assert!(events.iter().any(|(kind, _)| *kind == 3), "{events:?}");

    // Nothing more comes of it, and who wants the same again gets the same.
    engine.run_until_idle().await.unwrap();
    assert!(told(&engine, "PACS").await.is_empty());
    let again = create(&engine, &wanted(&study())).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(outputs(&get(&engine, &again).await), outputs(&item));
    assert_eq!(number(data.path(), "SELECT count(*) FROM report").await, 1, "and nothing was read for it");
    let codes = texts(
        data.path(),
        "SELECT detail FROM audit_event WHERE action = 'change_work_item' AND detail LIKE '%completed%'",
    )
    .await;
    assert_eq!(codes.len(), 2, "{codes:?}");

    // Objects that were not made when they were due are asked for.
    execute(data.path(), "UPDATE report SET results_made_at = NULL, results_due_at = NULL").await;
    let asking = create(&engine, &wanted(&study())).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(outputs(&get(&engine, &asking).await), outputs(&item));
    let told: Vec<Value> = texts(data.path(), "SELECT message FROM work_event")
        .await
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    let words = |event: &Value| event["00741002"]["Value"][0]["00741006"]["Value"][0].as_str().map(str::to_owned);
    assert_eq!(told.iter().filter_map(words).filter(|said| said == "results were asked for").count(), 1, "once");
}

#[tokio::test]
async fn whoever_is_killed_over_a_work_item_loses_nothing_and_it_ends_once() {
    let data = tempdir().unwrap();
    let engine = open(data.path(), UpsRules::default()).await;
    send(&engine, &STUDY).await;
    let uid = create(&engine, &wanted(&study())).await;
    engine.subscribe_to_work(&local(), &Subscription::Item(uid.clone()), &title("PACS"), true).await.unwrap();
    // Another process reads the study.
    execute(
        data.path(),
        "INSERT INTO reading (institution_id, study_row, service, state, revision, attempt, tries, progress, lease_process, \
         lease_until, cancel_requested, updated_at) SELECT institution_id, id, 'urinary_stone', 'reading', 0, 1, 1, 0.5, 'p', \
         9000000000000, FALSE, 0 FROM study",
    )
    .await;
    engine.run_until_idle().await.unwrap();
    let item = get(&engine, &uid).await;
    assert_eq!((item.text(tag(STATE)), progress(&item).text(tag(0x0074_1004))), (Some("IN PROGRESS"), Some("45")));
    // It dies, and so does this one.
    engine.close().await;
    execute(data.path(), "UPDATE reading SET lease_until = 0").await;
    let engine = open(data.path(), UpsRules::default()).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(state(&engine, &uid).await, StepState::Completed);
    let events = told(&engine, "PACS").await;
    let ends = events.iter().filter(|(_, state)| state == "COMPLETED").count();
    assert_eq!(ends, 1, "{events:?}");
    // Its last step is repeated by nobody.
    execute(data.path(), "UPDATE work_item SET next_at = 0").await;
    engine.run_until_idle().await.unwrap();
    assert!(told(&engine, "PACS").await.is_empty());
    assert_eq!(number(data.path(), "SELECT count(*) FROM work_item WHERE next_at IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_work_item_waits_until_its_input_is_ready_and_its_time_has_come() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let ct = Ct::default();
    send(&engine, &ct.files()).await;
    let mut early = wanted(&ct.study_uid());
    early.set(tag(READY), "INCOMPLETE");
    let mut later = wanted(&ct.study_uid());
    later.set(tag(START), "20991231235959");
    let (early, later) = (create(&engine, &early).await, create(&engine, &later).await);
    engine.run_until_idle().await.unwrap();
    assert_eq!(
        (state(&engine, &early).await, state(&engine, &later).await),
        (StepState::Scheduled, StepState::Scheduled)
    );
    let mut changes = DataSet::new();
    changes.set(tag(READY), "READY");
    engine.update_work_item(&local(), &early, None, &changes).await.unwrap();
    engine.run_until_idle().await.unwrap();
    assert!(state(&engine, &early).await.is_final());
    assert_eq!(state(&engine, &later).await, StepState::Scheduled);
    let mut changes = DataSet::new();
    changes.set(tag(START), "20200101");
    engine.update_work_item(&local(), &later, None, &changes).await.unwrap();
    engine.run_until_idle().await.unwrap();
    assert!(state(&engine, &later).await.is_final());
}

#[tokio::test]
async fn a_work_item_that_cannot_be_done_is_cancelled_with_the_reason() {
    let data = tempdir().unwrap();
    let results = ResultRules::default();
    let engine = Engine::open(EngineConfig { results, ..config(data.path()) }).await.unwrap();
    let ct = Ct::default();
    send(&engine, &ct.files()).await;
    let no_model = create(&engine, &wanted(&ct.study_uid())).await;
    let mut unknown = wanted(&ct.study_uid());
    unknown.set_items(tag(CODE), vec![coded("118293004", "SCT")]).set_items(tag(STATION), vec![coded("HILUM", "L")]);
    let unknown = create(&engine, &unknown).await;
    let mut other_patient = wanted(&ct.study_uid());
    other_patient.set(tag(0x0010_0020), "SYN-000002");
    let other_patient = create(&engine, &other_patient).await;
    let mut expired = wanted(&ct.study_uid());
    expired.set(tag(0x0040_4008), "20200102");
    let expired = create(&engine, &expired).await;
    let mut two = wanted(&ct.study_uid());
    let other = wanted(&Ct { study: 2, ..Ct::default() }.study_uid()).items(tag(INPUT))[0].clone();
    two.set_items(tag(INPUT), vec![two.items(tag(INPUT))[0].clone(), other]);
    let two = create(&engine, &two).await;
    let mut elsewhere = wanted(&ct.study_uid());
    elsewhere.set_items(tag(STATION), vec![coded("OTHER", "L")]);
    let elsewhere = create(&engine, &elsewhere).await;
    engine.run_until_idle().await.unwrap();
    for (uid, code, words) in [
        (&no_model, "110527", "model"),
        (&unknown, "110502", "urinary-stone"),
        (&two, "110502", "one study"),
        (&other_patient, "110514", "another Patient ID"),
        (&expired, "110533", "is over"),
    ] {
        let item = get(&engine, uid).await;
        assert_eq!(item.text(tag(STATE)), Some("CANCELED"));
        assert_eq!(check_final_state(&item, StepState::Canceled), Ok(()));
        let (text, own) = why(&item);
        assert_eq!(own, code, "{text}");
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(state(&engine, &elsewhere).await, StepState::Scheduled, "it is for another station");
}

#[tokio::test]
async fn a_study_that_does_not_come_in_time_ends_its_work_item() {
    let data = tempdir().unwrap();
    let ups = UpsRules { deadline: Duration::ZERO, ..UpsRules::default() };
    let engine = Engine::open(EngineConfig { ups, ..config(data.path()) }).await.unwrap();
    let uid = create(&engine, &wanted(&study())).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    engine.run_until_idle().await.unwrap();
    let item = get(&engine, &uid).await;
    assert_eq!(why(&item), ("The study did not come in time.".to_owned(), "110533".to_owned()));
}

#[tokio::test]
async fn the_time_for_a_study_to_come_begins_again_with_every_change() {
    let data = tempdir().unwrap();
    let ups = UpsRules { deadline: Duration::from_hours(1), ..UpsRules::default() };
    let engine = Engine::open(EngineConfig { ups, ..config(data.path()) }).await.unwrap();
    let uid = create(&engine, &wanted(&study())).await;
    execute(data.path(), "UPDATE work_item SET created_at = 1, next_at = 0").await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(state(&engine, &uid).await, StepState::Scheduled, "it was changed just now");
}

#[tokio::test]
async fn what_is_not_ready_before_its_time_is_over_is_cancelled_then() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let mut early = wanted(&study());
    early.set(tag(READY), "INCOMPLETE").set(tag(0x0040_4008), "20991231");
    let uid = create(&engine, &early).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(state(&engine, &uid).await, StepState::Scheduled);
    assert_eq!(number(data.path(), "SELECT count(*) FROM work_item WHERE next_at > 4000000000000").await, 1);
    let mut changes = DataSet::new();
    changes.set(tag(0x0040_4008), "20200102");
    engine.update_work_item(&local(), &uid, None, &changes).await.unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(why(&get(&engine, &uid).await).1, "110533");
}

#[tokio::test]
async fn what_is_wanted_before_it_may_begin_is_looked_at_when_its_time_is_over() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let mut item = wanted(&study());
    item.set(tag(START), "20991231").set(tag(0x0040_4008), "20980101000000+0000");
    let uid = create(&engine, &item).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(state(&engine, &uid).await, StepState::Scheduled);
    // 2098-01-01 UTC, by date -u.
    assert_eq!(number(data.path(), "SELECT next_at / 1000 FROM work_item").await, 4_039_372_800);
}

#[tokio::test]
async fn work_items_whose_study_nobody_can_be_asked_for_keep_no_other_from_being_fetched() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    create(&engine, &wanted(&study())).await;
    multiply(data.path(), 450).await;
    assert!(engine.work_to_fetch().await.unwrap().is_empty());
    for (priority, from) in [("LOW", "SECOND"), ("HIGH", "FIRST")] {
        let mut place = DataSet::new();
        place.set(tag(0x0008_0054), from);
        let mut item = wanted(&study());
        let mut input = item.items(tag(INPUT))[0].clone();
        input.set_items(tag(0x0040_E021), vec![place]);
        item.set_items(tag(INPUT), vec![input]).set(tag(PRIORITY), priority);
        create(&engine, &item).await;
    }
    let studies = engine.work_to_fetch().await.unwrap();
    let from: Vec<AeTitle> = studies.into_iter().flat_map(|study| study.from).collect();
    assert_eq!(from, [title("FIRST"), title("SECOND")]);
}

#[tokio::test]
async fn where_nothing_is_performed_here_work_items_are_kept_for_others() {
    let data = tempdir().unwrap();
    let ups = UpsRules { perform: false, ..UpsRules::default() };
    let engine = Engine::open(EngineConfig { ups, ..config(data.path()) }).await.unwrap();
    let ct = Ct::default();
    send(&engine, &ct.files()).await;
    let uid = create(&engine, &wanted(&ct.study_uid())).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(state(&engine, &uid).await, StepState::Scheduled);
    engine.close().await;

    // Neither is what was created while work was performed here, nor is its study fetched.
    let engine = Engine::open(config(data.path())).await.unwrap();
    let mut place = DataSet::new();
    place.set(tag(0x0008_0054), "ARCHIVE");
    let mut elsewhere = wanted(&study());
    let mut input = elsewhere.items(tag(INPUT))[0].clone();
    input.set_items(tag(0x0040_E021), vec![place]);
    elsewhere.set_items(tag(INPUT), vec![input]);
    let (here, elsewhere) = (create(&engine, &wanted(&ct.study_uid())).await, create(&engine, &elsewhere).await);
    assert_eq!(engine.work_to_fetch().await.unwrap().len(), 1);
    let mut changes = DataSet::new();
    changes.set(tag(READY), "INCOMPLETE");
    engine.update_work_item(&local(), &elsewhere, None, &changes).await.unwrap();
    assert!(engine.work_to_fetch().await.unwrap().is_empty(), "its input is not ready");
    changes.set(tag(READY), "READY");
    engine.update_work_item(&local(), &elsewhere, None, &changes).await.unwrap();
    engine.close().await;
    let ups = UpsRules { perform: false, ..UpsRules::default() };
    let engine = Engine::open(EngineConfig { ups, ..config(data.path()) }).await.unwrap();
    engine.run_until_idle().await.unwrap();
    for uid in [&uid, &here, &elsewhere] {
        assert_eq!(state(&engine, uid).await, StepState::Scheduled);
    }
    assert!(engine.work_to_fetch().await.unwrap().is_empty());
}

#[tokio::test]
async fn without_objects_nothing_can_be_handed_over_and_with_signatures_it_waits_for_one() {
    let data = tempdir().unwrap();
    let ct = Ct::default();
    let model = data.path().join("tiny-model");
    crate::fixture::tiny_model(&model);
    let results = ResultRules { when: ResultsWhen::Signed, objects: vec![ResultKind::Sr], to: Vec::new() };
    let with = |results| EngineConfig { model_dir: Some(model.clone()), results, ..config(data.path()) };
    let engine = Engine::open(with(results)).await.unwrap();
    send(&engine, &ct.files()).await;
    let uid = create(&engine, &wanted(&ct.study_uid())).await;
    engine.run_until_idle().await.unwrap();
    let reading = engine.study(&local(), &ct.study_uid()).await.unwrap().summary.reading.state;
    if reading != ReadingStatus::Done {
        // A reading that measured nothing is no matter of signatures.
        assert_eq!(state(&engine, &uid).await, StepState::Canceled, "{reading:?}");
        return;
    }
    let item = get(&engine, &uid).await;
    assert_eq!(item.text(tag(STATE)), Some("IN PROGRESS"));
    assert!(progress(&item).text(tag(0x0074_1006)).unwrap().contains("signature"));
    engine.close().await;
    let engine = Engine::open(with(ResultRules::none())).await.unwrap();
    execute(data.path(), "UPDATE work_item SET next_at = 0").await;
    engine.run_until_idle().await.unwrap();
    assert!(why(&get(&engine, &uid).await).0.contains("[results] objects"));
}

/// A study that another process reads, so that its reading is under way as long as a test wants.
async fn being_read(data: &Path, engine: &Engine) -> StudyUid {
    let ct = Ct::default();
    send(engine, &ct.files()).await;
    execute(
        data,
        "INSERT INTO reading (institution_id, study_row, service, state, revision, attempt, tries, progress, lease_process, \
         lease_until, cancel_requested, updated_at) SELECT institution_id, id, 'urinary_stone', 'reading', 0, 1, 1, 0.5, 'p', \
         9000000000000, FALSE, 0 FROM study",
    )
    .await;
    ct.study_uid()
}

#[tokio::test]
async fn whoever_wants_a_work_item_cancelled_stops_its_reading_unless_somebody_else_wants_it() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let study = being_read(data.path(), &engine).await;
    let (first, second) = (create(&engine, &wanted(&study)).await, create(&engine, &wanted(&study)).await);
    engine.subscribe_to_work(&local(), &Subscription::Item(first.clone()), &title("PACS"), false).await.unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(state(&engine, &first).await, StepState::InProgress);
    let mut request = DataSet::new();
    request
        .set(tag(REASON), "ordered twice")
        .set(tag(0x0074_100C), "Kim")
        .set_items(tag(REASON_CODE), vec![coded("110510", "DCM")]);
    assert!(engine.request_work_item_cancel(&local(), &first, &request).await.unwrap());
    engine.run_until_idle().await.unwrap();
    let item = get(&engine, &first).await;
    assert_eq!(why(&item), ("ordered twice".to_owned(), "110510".to_owned()), "in the requester's words");
    assert_eq!(progress(&item).items(tag(0x0074_1008))[0].text(tag(0x0074_100C)), Some("Kim"));
    let asked = async || number(data.path(), "SELECT count(*) FROM reading WHERE cancel_requested").await;
    assert_eq!(asked().await, 0, "the other work item wants it read");
    let kinds: Vec<u64> = told(&engine, "PACS").await.into_iter().map(|(kind, _)| kind).collect();
    assert!(kinds.contains(&2), "{kinds:?}");
    assert!(!engine.request_work_item_cancel(&local(), &first, &request).await.unwrap(), "it is cancelled already");

    assert!(engine.request_work_item_cancel(&local(), &second, &DataSet::new()).await.unwrap());
    engine.run_until_idle().await.unwrap();
    assert_eq!(state(&engine, &second).await, StepState::Canceled);
    assert_eq!(asked().await, 1);
}

#[tokio::test]
async fn what_nobody_has_begun_is_cancelled_at_once() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let uid = create(&engine, &wanted(&study())).await;
    engine.subscribe_to_work(&local(), &Subscription::Item(uid.clone()), &title("PACS"), false).await.unwrap();
    assert!(engine.request_work_item_cancel(&local(), &uid, &DataSet::new()).await.unwrap());
    let item = get(&engine, &uid).await;
    assert_eq!(check_final_state(&item, StepState::Canceled), Ok(()));
    let states: Vec<String> =
        told(&engine, "PACS").await.into_iter().filter(|(kind, _)| *kind == 1).map(|(_, state)| state).collect();
    assert_eq!(states, ["SCHEDULED", "IN PROGRESS", "CANCELED"], "PS3.4 CC.2.2.3: by way of IN PROGRESS");
}

#[tokio::test]
async fn a_reading_that_was_cancelled_before_begins_again_for_a_work_item_and_only_once() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let ct = Ct::default();
    send(&engine, &ct.files()).await;
    engine.cancel_reading(&local(), &ct.study_uid()).await.unwrap();
    let uid = create(&engine, &wanted(&ct.study_uid())).await;
    engine.run_until_idle().await.unwrap();
    // Without a model it ends so, which only a reading that began again does.
    let item = get(&engine, &uid).await;
    assert_eq!(why(&item).1, "110527", "{:?}", why(&item));
    let resumed = "SELECT count(*) FROM audit_event WHERE action = 'resume_reading' AND actor_kind = 'system'";
    assert_eq!(number(data.path(), resumed).await, 1);

    // One that a person cancels while a work item waits for it stays cancelled.
    execute(data.path(), "DELETE FROM reading").await;
    execute(data.path(), "UPDATE study SET read_revision = 0").await;
    execute(
        data.path(),
        "INSERT INTO reading (institution_id, study_row, service, state, revision, attempt, tries, progress, lease_process, \
         lease_until, cancel_requested, updated_at) SELECT institution_id, id, 'urinary_stone', 'reading', 0, 7, 1, 0.5, 'p', \
         9000000000000, FALSE, 0 FROM study",
    )
    .await;
    let uid = create(&engine, &wanted(&ct.study_uid())).await;
    engine.run_until_idle().await.unwrap();
    execute(data.path(), "UPDATE reading SET lease_until = 0").await;
    engine.cancel_reading(&local(), &ct.study_uid()).await.unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(why(&get(&engine, &uid).await).1, "110500");
    assert_eq!(number(data.path(), resumed).await, 1);
}

#[tokio::test]
async fn a_study_that_was_deleted_meanwhile_or_its_results_end_the_work_item() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let study = being_read(data.path(), &engine).await;
    let uid = create(&engine, &wanted(&study)).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(state(&engine, &uid).await, StepState::InProgress);
    execute(data.path(), "UPDATE reading SET lease_until = 0, state = 'queued'").await;
    engine.delete(&local(), Zone::Clinical, &Selection::study(study)).await.unwrap();
    execute(data.path(), "UPDATE work_item SET next_at = 0").await;
    engine.run_until_idle().await.unwrap();
    assert!(why(&get(&engine, &uid).await).0.contains("deleted"));
}
