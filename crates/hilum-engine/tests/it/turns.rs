//! Turns of the institutions that have work.

use crate::fixture::{Ct, config, engine, number, reading_engine, send_to, texts};
use crate::journey::run_jobs_until;
use crate::postgres_server as postgres;
use hilum_engine::{Engine, EngineConfig};
use sea_orm::{ConnectionTrait, Database};
use std::path::Path;

/// Studies of each institution, settled and waiting for a model.
async fn waiting(data: &Path, studies: &[(&str, u64)]) {
    let engine = engine(data).await;
    let mut study = 0;
    for (institution, count) in studies {
        for _ in 0..*count {
            study += 1;
            send_to(&engine, institution, &Ct { study, ..Ct::default() }.files()).await;
        }
    }
    engine.run_until_idle().await.unwrap();
    engine.close().await;
}

/// Whose studies were read once there was a model, in their order. The first version of each report says that there is none.
async fn read_in_order(data: &Path) -> Vec<String> {
    let sql = "SELECT institution.code FROM report JOIN study ON study.id = report.study_row \
               JOIN institution ON institution.id = study.institution_id WHERE report.version = 2 ORDER BY report.id";
    texts(data, sql).await
}

async fn reports(data: &Path) -> i64 {
    number(data, "SELECT count(*) FROM report WHERE version = 2").await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_study_of_an_institution_does_not_wait_for_all_of_another() {
    let data = tempfile::tempdir().unwrap();
    waiting(data.path(), &[("LOCAL", 9), ("SITE_B", 2), ("SITE_C", 1)]).await;
    let engine = reading_engine(data.path()).await;
    run_jobs_until(&engine, async || reports(data.path()).await == 12).await;
    let order = read_in_order(data.path()).await;
    let begin = ["LOCAL", "SITE_B", "SITE_C", "LOCAL", "SITE_B", "LOCAL"];
    assert_eq!(order[..6], begin, "{order:?}");
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_reads_what_is_left_and_keeps_nobody_waiting() {
    let data = tempfile::tempdir().unwrap();
    waiting(data.path(), &[("LOCAL", 6), ("SITE_B", 3)]).await;
    let first = reading_engine(data.path()).await;
    run_jobs_until(&first, async || reports(data.path()).await >= 3).await;
    first.close().await;
    // The queue is lost besides.
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(data.path().join(format!("queue.sqlite{suffix}"))));
    }
    let done = reports(data.path()).await as usize;
    let second = reading_engine(data.path()).await;
    run_jobs_until(&second, async || reports(data.path()).await == 9).await;
    second.close().await;
    let order = read_in_order(data.path()).await;
    assert_eq!(order.iter().filter(|code| *code == "SITE_B").count(), 3, "each study once: {order:?}");
    if order[..done].iter().filter(|code| *code == "SITE_B").count() < 3 {
        assert!(order[done..][..2].iter().any(|code| code == "SITE_B"), "{done} before the restart: {order:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_studies_of_an_institution_are_read_at_once_than_its_quota_however_many_processes_there_are() {
    // What is counted is counted by a trigger of SQLite.
    if postgres::is_asked_for() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    waiting(data.path(), &[("LOCAL", 8), ("SITE_B", 2)]).await;
    let model = data.path().join("tiny-model");
    crate::fixture::tiny_model(&model);
    let limited = EngineConfig { model_dir: Some(model), jobs_per_institution: Some(1), ..config(data.path()) };
    let engines: [Engine; 2] = [Engine::open(limited.clone()).await.unwrap(), Engine::open(limited).await.unwrap()];
    let database =
        Database::connect(format!("sqlite://{}", data.path().join("catalog.sqlite").display())).await.unwrap();
    for sql in [
        "CREATE TABLE seen (running INTEGER)",
        "CREATE TRIGGER see AFTER UPDATE OF state ON reading WHEN NEW.state = 'reading' BEGIN \
         INSERT INTO seen SELECT count(*) FROM reading WHERE state = 'reading' AND institution_id = NEW.institution_id; END",
    ] {
        database.execute_unprepared(sql).await.unwrap();
    }
    let all = async || reports(data.path()).await == 10;
    tokio::join!(run_jobs_until(&engines[0], all), run_jobs_until(&engines[1], all));
    assert_eq!(number(data.path(), "SELECT max(running) FROM seen").await, 1);
    assert!(number(data.path(), "SELECT count(*) FROM seen").await >= 10);
    for engine in engines {
        engine.close().await;
    }
}
