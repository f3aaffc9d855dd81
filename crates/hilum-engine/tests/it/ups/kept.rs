//! Work items as their manager keeps them: claims by others, subscriptions, searches, institutions, forgetting.

use super::*;

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
        Err((ErrorKind::BadRequest, "transaction_uid_wrong"))
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
        Err((ErrorKind::BadRequest, "transaction_uid_wrong"))
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
    // What ends nothing is not in the trail.
    engine.unsubscribe_from_work(&local(), &Subscription::Worklist, &pacs).await.unwrap();
    engine.suspend_work_subscription(&local(), &pacs).await.unwrap();
    let trail = async |code: &str| {
        let sql = format!(
            "SELECT count(*) FROM audit_event WHERE action = 'change_work_item' AND detail LIKE '%\"{code}\"%'"
        );
        number(data.path(), &sql).await
    };
    assert_eq!((trail("unsubscribed").await, trail("suspended").await), (2, 1));
}

#[tokio::test]
async fn a_worklist_of_several_pages_is_subscribed_to_whole() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    create(&engine, &wanted(&study())).await;
    multiply(data.path(), 249).await;
    engine.subscribe_to_work(&local(), &Subscription::Worklist, &title("PACS"), true).await.unwrap();
    assert_eq!(number(data.path(), "SELECT count(*) FROM work_subscription WHERE locked").await, 250);
    assert_eq!(told(&engine, "PACS").await.len(), 250);
}

#[tokio::test]
async fn a_work_item_that_says_too_much_is_refused() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let refused = |error: hilum_engine::EngineError| {
        assert_eq!((error.kind(), error.code()), (ErrorKind::BadRequest, "bad_request"));
        assert!(error.to_string().contains("256 KiB"), "{error}");
    };
    let mut long = DataSet::new();
    long.set(tag(0x0040_0400), "x".repeat(257 << 10));
    let mut whole = wanted(&study());
    whole.set(tag(0x0040_0400), "x".repeat(257 << 10));
    refused(engine.create_work_item(&local(), None, &whole).await.unwrap_err());
    let uid = create(&engine, &wanted(&study())).await;
    refused(engine.update_work_item(&local(), &uid, None, &long).await.unwrap_err());
    long.set(tag(0x0040_0400), "x".repeat(200 << 10));
    engine.update_work_item(&local(), &uid, None, &long).await.unwrap();
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
    tokio::time::timeout(Duration::from_secs(20), Box::pin(engine.run_jobs(stop))).await.unwrap().unwrap();
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
