//! Deleting: nothing of it is found, nothing else is lost, and a crash in between leaves nothing half.

use crate::fixture::{Ct, blocks, engine, number, packs, reading_engine, send, texts, viewer};
use hilum_dicom::matching::{Level, QueryOptions};
use hilum_dicom::{DataSet, read_facts};
use hilum_engine::WorkControl;
use hilum_engine::upkeep::CheckOptions;
use hilum_engine::{Deleted, Engine, EngineError, Find, Scope, Selection, Zone};
use tempfile::tempdir;

async fn found(engine: &Engine, level: Level) -> usize {
    let find = Find {
        zone: Zone::Clinical,
        level,
        keys: DataSet::new(),
        options: QueryOptions::default(),
        after: None,
        limit: 100,
    };
    engine.find(&Scope::local(), &find).await.unwrap().answers.len()
}

async fn delete(engine: &Engine, selection: &Selection) -> Deleted {
    engine.delete(&Scope::local(), Zone::Clinical, selection).await.unwrap()
}

#[tokio::test]
async fn a_deleted_study_is_gone_with_its_report_and_its_bytes_and_may_be_sent_again() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let (one, other) = (Ct::default().files(), Ct { study: 2, patient_id: "SYN-000002", ..Ct::default() }.files());
    send(&engine, &other).await;
    let before = blocks(data.path());
    send(&engine, &one).await;
    engine.run_until_idle().await.unwrap();
    assert!(number(data.path(), "SELECT count(*) FROM report").await == 2);
    let selection = Selection::study(Ct::default().study_uid());
    assert_eq!(delete(&engine, &selection).await, Deleted { instances: 8, series: 1, studies: 1 });

    assert_eq!([found(&engine, Level::Patient).await, found(&engine, Level::Study).await], [1, 1]);
    assert_eq!(found(&engine, Level::Image).await, 8);
    assert!(engine.instances(&Scope::local(), Zone::Clinical, &selection).await.unwrap().is_empty());
    for (table, rows) in [("report", 1), ("reading", 1), ("series", 1), ("instance", 8), ("removal", 0)] {
        assert_eq!(number(data.path(), &format!("SELECT count(*) FROM {table}")).await, rows, "{table}");
    }
    assert_eq!(packs(data.path()), 1);
    assert!(blocks(data.path()) <= before + 8, "the space is free again");
    let told = "SELECT actor_kind || ' ' || studies || ' ' || detail FROM audit_event WHERE action = 'delete'";
    let study = Ct::default().study_uid();
    assert_eq!(texts(data.path(), told).await, [format!(r#"console {study} {{"instances":8}}"#)]);

    let again = engine.delete(&Scope::local(), Zone::Clinical, &selection).await;
    assert!(matches!(again, Err(EngineError::NotFound { .. })));
    assert_eq!(send(&engine, &one).await, vec![hilum_engine::Accepted::Kept; 8]);
}

#[tokio::test]
async fn a_study_that_keeps_other_instances_has_new_counts_and_is_read_again() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let (one, two) = (Ct::default().files(), Ct { series: 2, slices: 4, ..Ct::default() }.files());
    send(&engine, &one).await;
    send(&engine, &two).await;
    engine.run_until_idle().await.unwrap();
    let facts = read_facts(&one[0]).unwrap();
    let (study, series) = (facts.study.uid.clone(), facts.series.uid.clone());
    let slice = Selection::instance(study.clone(), series.clone(), facts.sop);
    assert_eq!(delete(&engine, &slice).await, Deleted { instances: 1, series: 0, studies: 0 });
    let counts = "SELECT instance_count FROM study UNION ALL SELECT instance_count FROM series ORDER BY 1";
    assert_eq!(
        texts(data.path(), &counts.replace("instance_count", "CAST(instance_count AS TEXT)")).await,
        ["11", "4", "7"]
    );
    engine.run_until_idle().await.unwrap();
    assert_eq!(number(data.path(), "SELECT count(*) FROM report WHERE superseded_by IS NULL").await, 1);
    assert_eq!(number(data.path(), "SELECT max(version) FROM report").await, 2);

    assert_eq!(
        delete(&engine, &Selection::series(study, series)).await,
        Deleted { instances: 7, series: 1, studies: 0 }
    );
    engine.run_until_idle().await.unwrap();
    assert_eq!(number(data.path(), "SELECT max(version) FROM report").await, 3);
    assert_eq!([found(&engine, Level::Series).await, found(&engine, Level::Image).await], [1, 4]);
}

#[tokio::test]
async fn who_may_only_look_deletes_nothing_and_a_study_that_is_being_read_stays() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    send(&engine, &Ct::default().files()).await;
    let selection = Selection::study(Ct::default().study_uid());
    let reader = viewer(Scope::local().home().clone());
    assert!(matches!(engine.delete(&reader, Zone::Clinical, &selection).await, Err(EngineError::Forbidden)));
    let stranger = Scope::console("ELSEWHERE".parse().unwrap());
    assert!(matches!(engine.delete(&stranger, Zone::Clinical, &selection).await, Err(EngineError::NotFound { .. })));

    engine.run_until_idle().await.unwrap();
    let hold = "UPDATE reading SET state = 'reading', lease_until = 9000000000000 RETURNING id";
    number(data.path(), hold).await;
    let held = engine.delete(&Scope::local(), Zone::Clinical, &selection).await;
    assert!(matches!(held, Err(EngineError::Conflict(_))));
    assert_eq!(found(&engine, Level::Image).await, 8);
}

#[tokio::test]
async fn bytes_that_a_crash_left_after_their_rows_had_gone_are_removed_at_the_next_start() {
    let data = tempdir().unwrap();
    let first = engine(data.path()).await;
    send(&first, &Ct::default().files()).await;
    drop(first);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let full = blocks(data.path());
    // What is on the disk when the process ends between the commit and the removal.
    for sql in [
        "INSERT INTO removal (object_key, created_at) SELECT object_key, 0 FROM instance RETURNING id",
        "DELETE FROM instance RETURNING id",
    ] {
        number(data.path(), sql).await;
    }
    let second = engine(data.path()).await;
    let checked =
        second.check(CheckOptions { repair: true, ..CheckOptions::default() }, &WorkControl::new()).await.unwrap();
    assert_eq!(checked.rows_restored, 0, "what was deleted does not come back");
    assert!(blocks(data.path()) < full / 2, "{} of {full} blocks", blocks(data.path()));
    assert_eq!(number(data.path(), "SELECT count(*) FROM removal").await, 0);
    drop(second);
}
