//! Work items: kept, claimed, told of, and performed by our own services, once, whatever happens in between.

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
async fn where_nothing_is_performed_here_work_items_are_kept_for_others() {
    let data = tempdir().unwrap();
    let ups = UpsRules { perform: false, ..UpsRules::default() };
    let engine = Engine::open(EngineConfig { ups, ..config(data.path()) }).await.unwrap();
    let ct = Ct::default();
    send(&engine, &ct.files()).await;
    let uid = create(&engine, &wanted(&ct.study_uid())).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(state(&engine, &uid).await, StepState::Scheduled);
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
async fn another_performer_claims_changes_and_ends_what_it_can_name_the_transaction_of() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let ct = Ct::default();
    let uid = create(&engine, &wanted(&ct.study_uid())).await;
    let change = |to: StepState, by: &'static str| {
        let (engine, uid) = (engine.clone(), uid.clone());
        async move { engine.change_work_item_state(&local(), &uid, to, by).await }
    };
    let code = |error: hilum_engine::EngineError| (error.kind(), error.code());
    assert_eq!(
        change(StepState::Completed, "1.2.3").await.map_err(code),
        Err((ErrorKind::Conflict, "work_item_not_claimed"))
    );
    assert_eq!(change(StepState::InProgress, "1.2.3").await.map_err(code), Ok(None));
    assert_eq!(
        change(StepState::InProgress, "1.2.4").await.map_err(code),
        Err((ErrorKind::Conflict, "work_item_in_progress"))
    );
    // Our own performer leaves it alone, also when the study comes.
    send(&engine, &ct.files()).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(state(&engine, &uid).await, StepState::InProgress);

    let mut step = DataSet::new();
    step.set_items(tag(0x0040_4028), vec![coded("OTHER", "L")])
        .set_items(tag(0x0040_4019), vec![coded(SERVICE_CODE, SERVICE_SCHEME)])
        .set(tag(0x0040_4050), "20261126190000")
        .set(tag(0x0040_4051), "20261126190100");
    let mut changes = DataSet::new();
    changes.set_items(tag(PERFORMED), vec![step.clone()]);
    let update = |by: Option<&'static str>, changes: DataSet| {
        let (engine, uid) = (engine.clone(), uid.clone());
        async move { engine.update_work_item(&local(), &uid, by, &changes).await }
    };
    assert_eq!(
        update(None, changes.clone()).await.map_err(code),
        Err((ErrorKind::BadRequest, "transaction_uid_missing"))
    );
    assert_eq!(
        update(Some("1.2.4"), changes.clone()).await.map_err(code),
        Err((ErrorKind::Conflict, "transaction_uid_wrong"))
    );
    update(Some("1.2.3"), changes.clone()).await.unwrap();
    assert_eq!(
        change(StepState::Completed, "1.2.3").await.map_err(code),
        Err((ErrorKind::Conflict, "final_state_not_met")),
        "nothing came of it yet"
    );
    step.set_items(tag(OUTPUT), vec![wanted(&ct.study_uid()).items(tag(INPUT))[0].clone()]);
    changes.set_items(tag(PERFORMED), vec![step]);
    update(Some("1.2.3"), changes.clone()).await.unwrap();
    assert_eq!(
        change(StepState::Completed, "1.2.4").await.map_err(code),
        Err((ErrorKind::Conflict, "transaction_uid_wrong"))
    );
    assert_eq!(change(StepState::Completed, "1.2.3").await.map_err(code), Ok(None));
    assert_eq!(change(StepState::Completed, "1.2.3").await.map_err(code), Ok(Some(StepState::Completed)));
    assert_eq!(update(Some("1.2.3"), changes).await.map_err(code), Err((ErrorKind::Conflict, "work_item_ended")));
    let request = engine.request_work_item_cancel(&local(), &uid, &DataSet::new()).await;
    assert_eq!(request.map_err(code), Err((ErrorKind::Conflict, "work_item_ended")));
}

#[tokio::test]
async fn a_performer_that_nobody_can_tell_is_not_asked_to_stop() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let uid = create(&engine, &wanted(&study())).await;
    engine.change_work_item_state(&local(), &uid, StepState::InProgress, "1.2.3").await.unwrap();
    let refused = engine.request_work_item_cancel(&local(), &uid, &DataSet::new()).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, "performer_cannot_be_told"));
    engine.subscribe_to_work(&local(), &Subscription::Item(uid.clone()), &title("WORKER"), false).await.unwrap();
    told(&engine, "WORKER").await;
    assert!(engine.request_work_item_cancel(&local(), &uid, &DataSet::new()).await.unwrap());
    assert_eq!(told(&engine, "WORKER").await, [(2, String::new())]);
    assert_eq!(state(&engine, &uid).await, StepState::InProgress, "to stop is the performer's to decide");
}

/// PS3.4 Table CC.2.3-2.
#[tokio::test]
async fn subscriptions_change_as_the_standards_table_says() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let old = create(&engine, &wanted(&study())).await;
    let pacs = title("PACS");
    let locks = async || {
        texts(
            data.path(),
            "SELECT CASE WHEN locked THEN 'locked' ELSE 'unlocked' END FROM work_subscription ORDER BY work_item_row",
        )
        .await
    };
    // Without a lock: subscribed to what there is, without being told of it.
    engine.subscribe_to_work(&local(), &Subscription::Worklist, &pacs, false).await.unwrap();
    assert_eq!((locks().await, told(&engine, "PACS").await), (vec!["unlocked".to_owned()], Vec::new()));
    // With one, what is subscribed to already stays as it is.
    engine.subscribe_to_work(&local(), &Subscription::Worklist, &pacs, true).await.unwrap();
    assert_eq!((locks().await, told(&engine, "PACS").await), (vec!["unlocked".to_owned()], Vec::new()));
    // To one work item: the lock changes, and its state is told each time.
    engine.subscribe_to_work(&local(), &Subscription::Item(old.clone()), &pacs, true).await.unwrap();
    assert_eq!(
        (locks().await, told(&engine, "PACS").await),
        (vec!["locked".to_owned()], vec![(1, "SCHEDULED".to_owned())])
    );
    // What is new is subscribed to with the lock of the worklist.
    create(&engine, &wanted(&study())).await;
    assert_eq!(locks().await, ["locked", "locked"]);
    assert_eq!(told(&engine, "PACS").await, [(1, "SCHEDULED".to_owned())]);
    engine.unsubscribe_from_work(&local(), &Subscription::Item(old.clone()), &pacs).await.unwrap();
    assert_eq!(locks().await, ["locked"]);
    // Who suspends hears of what it is subscribed to, and of nothing new.
    engine.suspend_work_subscription(&local(), &pacs).await.unwrap();
    create(&engine, &wanted(&study())).await;
    assert_eq!((locks().await, told(&engine, "PACS").await), (vec!["locked".to_owned()], Vec::new()));
    // With a lock and not subscribed to: everything is told of.
    engine.subscribe_to_work(&local(), &Subscription::Worklist, &pacs, true).await.unwrap();
    assert_eq!(locks().await, ["locked", "locked", "locked"]);
    assert_eq!(told(&engine, "PACS").await.len(), 2, "of the two that it was not subscribed to");
    engine.unsubscribe_from_work(&local(), &Subscription::Worklist, &pacs).await.unwrap();
    create(&engine, &wanted(&study())).await;
    assert_eq!((locks().await, told(&engine, "PACS").await), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_filtered_subscription_hears_of_what_matches_and_of_nothing_else() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let mut keys = DataSet::new();
    keys.set(tag(PRIORITY), "HIGH");
    let to = Subscription::Filtered(keys);
    engine.subscribe_to_work(&local(), &to, &title("URGENT"), false).await.unwrap();
    let mut urgent = wanted(&study());
    urgent.set(tag(PRIORITY), "HIGH").set_items(tag(STATION), vec![coded("OTHER", "L")]);
    create(&engine, &wanted(&study())).await;
    create(&engine, &urgent).await;
    let events = told(&engine, "URGENT").await;
    assert_eq!(events, [(1, "SCHEDULED".to_owned()), (5, String::new())], "created, and assigned to a station");
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten_unless_somebody_has_locked_it() {
    let data = tempdir().unwrap();
    let ups = UpsRules { keep: Duration::from_hours(1), ..UpsRules::default() };
    let engine = Engine::open(EngineConfig { ups, ..config(data.path()) }).await.unwrap();
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(create(&engine, &wanted(&study())).await);
    }
    engine.subscribe_to_work(&local(), &Subscription::Item(all[0].clone()), &title("PACS"), true).await.unwrap();
    engine.subscribe_to_work(&local(), &Subscription::Item(all[1].clone()), &title("PACS"), false).await.unwrap();
    for uid in &all[..2] {
        engine.request_work_item_cancel(&local(), uid, &DataSet::new()).await.unwrap();
    }
    execute(data.path(), "UPDATE work_item SET ended_at = 1, next_at = NULL WHERE ended_at IS NOT NULL").await;
    let stop = async {
        let is_done = async || number(data.path(), "SELECT count(*) FROM work_item").await == 2;
        while !is_done().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), engine.run_jobs(stop)).await.unwrap().unwrap();
    assert_eq!(state(&engine, &all[0]).await, StepState::Canceled, "it is locked");
    assert_eq!(engine.work_item(&local(), &all[1]).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(state(&engine, &all[2]).await, StepState::Scheduled);
}

#[tokio::test]
async fn another_institution_knows_nothing_of_a_work_item_and_may_have_one_of_the_same_uid() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let uid: SopUid = "1.2.826.0.1.3680043.8.498.1".parse().unwrap();
    engine.create_work_item(&local(), Some(uid.clone()), &wanted(&study())).await.unwrap();
    let again = engine.create_work_item(&local(), Some(uid.clone()), &wanted(&study())).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
    let site = Scope::console("SITE_B".parse().unwrap());
    send_to(&engine, "SITE_B", &Ct::default().files()).await;
    let nothing = async |engine: &Engine| {
        let found = engine.search_work_items(&site, &DataSet::new(), QueryOptions::default(), 0, 10).await.unwrap();
        assert!(found.items.is_empty());
        for error in [
            engine.work_item(&site, &uid).await.map(drop).unwrap_err(),
            engine.update_work_item(&site, &uid, None, &DataSet::new()).await.unwrap_err(),
            engine.change_work_item_state(&site, &uid, StepState::InProgress, "1.2.3").await.map(drop).unwrap_err(),
            engine.request_work_item_cancel(&site, &uid, &DataSet::new()).await.map(drop).unwrap_err(),
            engine.subscribe_to_work(&site, &Subscription::Item(uid.clone()), &title("B"), true).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
    };
    nothing(&engine).await;
    engine.subscribe_to_work(&site, &Subscription::Worklist, &title("PACS"), true).await.unwrap();
    assert!(engine.work_events(&site, &title("PACS"), None).await.unwrap().is_empty());
    engine.create_work_item(&site, Some(uid.clone()), &wanted(&study())).await.unwrap();
    assert_eq!(engine.work_events(&site, &title("PACS"), None).await.unwrap().len(), 1);
    assert!(told(&engine, "PACS").await.is_empty(), "an application entity of this name is another one elsewhere");
}

#[tokio::test]
async fn work_items_are_found_by_every_key_in_the_order_in_which_they_are_to_be_done() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    for (priority, start, label) in [
        ("LOW", "20260101", "low"),
        ("MEDIUM", "20260103", "third"),
        ("HIGH", "20260105", "first"),
        ("MEDIUM", "20260102", "second"),
        ("MEDIUM", "20260103", "fourth"),
    ] {
        let mut item = wanted(&study());
        item.set(tag(PRIORITY), priority).set(tag(START), start).set(tag(LABEL), label);
        create(&engine, &item).await;
    }
    let find = async |keys: &[(u32, &str)], offset, limit| {
        let mut asked = DataSet::new();
        for (key, value) in keys {
            asked.set(tag(*key), *value);
        }
        let found = engine.search_work_items(&local(), &asked, QueryOptions::default(), offset, limit).await.unwrap();
        let labels: Vec<String> = found.items.iter().map(|item| item.text(tag(LABEL)).unwrap().to_owned()).collect();
        (labels, found.more)
    };
    let labels = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    assert_eq!(find(&[], 0, 10).await, (labels(&["first", "second", "third", "fourth", "low"]), false));
    assert_eq!(find(&[], 1, 2).await, (labels(&["second", "third"]), true));
    assert_eq!(find(&[], 3, 2).await, (labels(&["fourth", "low"]), false));
    assert_eq!(find(&[(LABEL, "f*")], 0, 10).await, (labels(&["first", "fourth"]), false));
    assert_eq!(find(&[(0x0010_0010, "*길동*")], 0, 1).await, (labels(&["first"]), true));
    assert_eq!(find(&[(START, "20260102-20260103")], 0, 10).await.0, labels(&["second", "third", "fourth"]));
    assert_eq!(find(&[(STATE, "IN PROGRESS")], 0, 10).await.0, labels(&[]));
    assert_eq!(find(&[(0x0010_0020, "SYN-31"), (PRIORITY, "LOW")], 0, 10).await.0, labels(&["low"]));
    let mut lock = DataSet::new();
    lock.set(tag(0x0008_1195), "");
    let refused = engine.search_work_items(&local(), &lock, QueryOptions::default(), 0, 1).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::BadRequest, "the Transaction UID is a lock and no key");
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
