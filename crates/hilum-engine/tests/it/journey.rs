//! Settling, choosing, reading, reporting: what a study comes to.

use crate::fixture::{Ct, config, engine, files, number, reading_engine, rows, send, send_to, texts, tiny_model};
use hilum_dicom::write::SeriesKind;
use hilum_engine::report::Plane;
use hilum_engine::views::ReadingStatus;
use hilum_engine::{Engine, EngineConfig, ErrorKind, Language, ReportPart, Scope};
use serde_json::Value;
use std::time::Duration;
use tempfile::tempdir;
use tokio::sync::oneshot;

async fn report(engine: &Engine, series: &Ct) -> Value {
    let json = engine.report(&Scope::local(), &series.study_uid(), ReportPart::Json).await.unwrap();
    serde_json::from_slice(&json).unwrap()
}

async fn state(engine: &Engine, series: &Ct) -> ReadingStatus {
    engine.study(&Scope::local(), &series.study_uid()).await.unwrap().summary.reading.state
}

/// Long enough for a trunk-sized body: 60 slices of 5 mm, soft tissue all over.
fn trunk() -> Ct {
    Ct { slices: 60, size: 32, spacing_mm: 5.0, ..Ct::default() }
}

#[tokio::test]
async fn a_study_ends_as_one_report_and_a_second_run_changes_nothing() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let series = trunk();
    send(&engine, &series.files()).await;
    assert_eq!(state(&engine, &series).await, ReadingStatus::Receiving);
    engine.run_until_idle().await.unwrap();

    let study = engine.study(&Scope::local(), &series.study_uid()).await.unwrap();
    assert!(
        matches!(study.summary.reading.state, ReadingStatus::Done | ReadingStatus::NotApplicable),
        "{:?}",
        study.summary.reading
    );
    assert!(study.series[0].chosen);
    assert_eq!(study.series[0].plane.as_deref(), Some("axial"));
    assert_eq!(study.series[0].spacing_mm, Some([5.0, 10.0, 10.0]));
    let document = report(&engine, &series).await;
    assert_eq!(document["version"], 1);
    assert_eq!(document["study"]["synthetic"], true);
    assert_eq!(document["slices"].as_array().unwrap().len(), 60);
    for (part, magic) in [
        (ReportPart::Pdf(Language::Ko), &b"%PDF"[..]),
        (ReportPart::Pdf(Language::En), b"%PDF"),
        (ReportPart::Xlsx, b"PK\x03\x04"),
    ] {
        let bytes = engine.report(&Scope::local(), &series.study_uid(), part).await.unwrap();
        assert!(bytes.starts_with(magic), "{part:?}");
    }
    let none =
        engine.report(&Scope::local(), &series.study_uid(), ReportPart::KeyImage(99, Plane::Axial)).await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NotFound);

    let before = (rows(data.path()).await, files(data.path(), "reports"));
    engine.run_until_idle().await.unwrap();
    assert_eq!((rows(data.path()).await, files(data.path(), "reports")), before);
    assert_eq!(send(&engine, &series.files()).await.len(), 60);
    engine.run_until_idle().await.unwrap();
    assert_eq!((rows(data.path()).await, files(data.path(), "reports")), before, "the same data again change nothing");
}

#[tokio::test]
async fn a_late_slice_gives_a_new_version_that_supersedes_the_first() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let series = trunk();
    let sent = series.files();
    send(&engine, &sent[..59]).await;
    engine.run_until_idle().await.unwrap();
    let first = report(&engine, &series).await;
    send(&engine, &sent[59..]).await;
    assert_eq!(state(&engine, &series).await, ReadingStatus::Receiving);
    assert_eq!(
        report(&engine, &series).await["version"],
        1,
        "the report before stays readable until the next is there"
    );
    engine.run_until_idle().await.unwrap();
    let second = report(&engine, &series).await;
    assert_eq!((&second["version"], &second["supersedes"]), (&2.into(), &1.into()));
    assert_eq!(second["slices"].as_array().unwrap().len(), 60);
    assert_ne!(first["provenance"]["input_hash"], second["provenance"]["input_hash"]);
    assert_eq!(number(data.path(), "SELECT count(*) FROM report WHERE superseded_by IS NULL").await, 1);
    assert_eq!(number(data.path(), "SELECT count(*) FROM report").await, 2);
}

#[tokio::test]
async fn a_report_compares_with_the_last_study_before_of_the_same_patient_of_the_same_institution() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let dated = |study, study_date| Ct { study, study_date, ..trunk() };
    let (first, second, last) = (dated(1, (2025, 1, 2)), dated(2, (2025, 6, 30)), dated(3, (2026, 1, 5)));
    let other = Ct { patient_id: "P9", ..dated(4, (2025, 12, 24)) };
    let later = dated(5, (2026, 3, 1));
    let elsewhere = dated(6, (2025, 12, 25));
    for series in [&second, &first, &other, &later] {
        send(&engine, &series.files()).await;
        engine.run_until_idle().await.unwrap();
        assert_eq!(state(&engine, series).await, ReadingStatus::Done);
    }
    send_to(&engine, "ELSEWHERE", &elsewhere.files()).await;
    send(&engine, &last.files()).await;
    engine.run_until_idle().await.unwrap();
    let comparison = report(&engine, &last).await["comparison"].clone();
    assert_eq!(comparison["study_uid"], second.study_uid().as_str());
    assert_eq!((&comparison["date"], &comparison["report_version"]), (&"2025-06-30".into(), &1.into()));
    assert_eq!(report(&engine, &first).await["comparison"], Value::Null, "there is none before it");
    assert_eq!(report(&engine, &other).await["comparison"], Value::Null, "another patient");
}

#[tokio::test]
async fn of_scout_thick_bone_contrast_and_coronal_series_the_thin_soft_plain_axial_one_is_read() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let plain = Ct { slices: 12, ..Ct::default() };
    let all = [
        Ct { series: 1, kind: SeriesKind::Localizer, description: "Scout", ..plain.clone() },
        Ct { series: 2, spacing_mm: 5.0, description: "Abdomen 5.0", ..plain.clone() },
        Ct { series: 3, spacing_mm: 1.0, description: "Abdomen 1.0", ..plain.clone() },
        Ct { series: 4, spacing_mm: 0.7, kernel: "Br64", description: "Bone 0.7", ..plain.clone() },
        Ct { series: 5, spacing_mm: 0.7, contrast: Some("Ultravist"), description: "Portal 0.7", ..plain.clone() },
        Ct { series: 6, kind: SeriesKind::CoronalReformat, description: "Coronal", ..plain.clone() },
    ];
    for series in &all {
        send(&engine, &series.files()).await;
    }
    engine.run_until_idle().await.unwrap();
    let study = engine.study(&Scope::local(), &plain.study_uid()).await.unwrap();
    let verdicts: Vec<(i32, bool, &str)> =
        study.series.iter().map(|s| (s.number.unwrap(), s.chosen, s.why.as_str())).collect();
    assert_eq!(
        verdicts,
        [
            (1, false, "Scout image."),
            (2, false, "Thicker slices."),
            (3, true, "Chosen by rule: original axial, non-contrast, soft kernel, thinnest."),
            (4, false, "Sharper kernel."),
            (5, false, "With contrast medium."),
            (6, false, "Not axial."),
        ]
    );
    assert_eq!(study.series[4].contrast, Some(true));
    let document = report(&engine, &plain).await;
    assert_eq!(document["coverage"]["series_not_chosen"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_gap_in_the_stack_gives_a_report_that_says_so_without_millimetres() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let series = trunk();
    let mut sent = series.files();
    sent.remove(20);
    send(&engine, &sent).await;
    engine.run_until_idle().await.unwrap();
    let study = engine.study(&Scope::local(), &series.study_uid()).await.unwrap();
    assert_eq!(study.summary.reading.state, ReadingStatus::Refused);
    assert_eq!(study.summary.reading.reason.unwrap().code, "refused_geometry");
    assert_eq!(study.series[0].spacing_mm, None);
    let document = report(&engine, &series).await;
    assert_eq!(document["result"]["stone_present"], "not_assessed");
    assert_eq!(document["geometry_findings"][0]["code"], "geometry_gap");
    assert_eq!(document["stones"].as_array().unwrap().len(), 0);
    assert!(document["provenance"]["model"].is_null(), "no model ran");
}

#[tokio::test]
async fn without_an_axial_series_or_a_model_the_report_says_what_is_missing() {
    let data = tempdir().unwrap();
    let scout = Ct { study: 2, kind: SeriesKind::Localizer, ..Ct::default() };
    let axial = trunk();
    {
        let engine = engine(data.path()).await;
        send(&engine, &scout.files()).await;
        send(&engine, &axial.files()).await;
        engine.run_until_idle().await.unwrap();
        assert_eq!(state(&engine, &scout).await, ReadingStatus::NotApplicable);
        assert_eq!(report(&engine, &scout).await["result"]["refusal"]["code"], "refused_no_suitable_series");
        assert_eq!(state(&engine, &axial).await, ReadingStatus::NoModel);
        assert_eq!(report(&engine, &axial).await["result"]["refusal"]["code"], "refused_no_model");
    }
    // A model is installed: what waited for one is read, the scout stays as it is.
    let engine = reading_engine(data.path()).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(report(&engine, &axial).await["version"], 2);
    assert_eq!(report(&engine, &scout).await["version"], 1);
}

#[tokio::test]
async fn a_cancelled_reading_stays_cancelled_until_it_is_resumed() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let series = trunk();
    send(&engine, &series.files()).await;
    let (scope, uid) = (Scope::local(), series.study_uid());
    assert_eq!(engine.cancel_reading(&scope, &uid).await.unwrap().state, ReadingStatus::Cancelled);
    engine.run_until_idle().await.unwrap();
    assert_eq!(state(&engine, &series).await, ReadingStatus::Cancelled);
    assert_eq!(rows(data.path()).await["report"], 0);
    assert_eq!(engine.cancel_reading(&scope, &uid).await.unwrap_err().kind(), ErrorKind::Conflict);

    assert_eq!(engine.resume_reading(&scope, &uid).await.unwrap().state, ReadingStatus::Queued);
    engine.run_until_idle().await.unwrap();
    assert_eq!(rows(data.path()).await["report"], 1);
    assert_eq!(engine.resume_reading(&scope, &uid).await.unwrap_err().kind(), ErrorKind::Conflict);
    let audited =
        texts(data.path(), "SELECT action FROM audit_event WHERE action LIKE '%reading' ORDER BY number").await;
    assert_eq!(audited, ["cancel_reading", "resume_reading"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_is_cancelled_while_it_runs_ends_soon_and_leaves_no_report() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let series = Ct { slices: 700, size: 192, spacing_mm: 0.5, ..Ct::default() };
    send(&engine, &series.files()).await;
    let (scope, uid) = (Scope::local(), series.study_uid());
    let running = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.run_until_idle().await })
    };
    while state(&engine, &series).await != ReadingStatus::Reading {
        assert!(!running.is_finished(), "the reading ended before it could be cancelled: make the study longer");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    engine.cancel_reading(&scope, &uid).await.unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(state(&engine, &series).await, ReadingStatus::Cancelled);
    assert_eq!(rows(data.path()).await["report"], 0);
    assert_eq!(files(data.path(), "reports").len(), 0);
    engine.resume_reading(&scope, &uid).await.unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(rows(data.path()).await["report"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_distributes_and_losing_it_loses_nothing() {
    let data = tempdir().unwrap();
    let series = trunk();
    {
        let engine = reading_engine(data.path()).await;
        send(&engine, &series.files()).await;
        run_jobs_until(&engine, async || report_rows(&engine, &series).await == 1).await;
    }
    assert!(data.path().join("queue.sqlite").exists());
    for file in ["queue.sqlite", "queue.sqlite-wal", "queue.sqlite-shm"] {
        let gone = std::fs::remove_file(data.path().join(file));
        assert!(gone.is_ok() || file != "queue.sqlite");
    }
    std::fs::write(data.path().join("queue.sqlite"), b"this is no database").unwrap();
    let engine = reading_engine(data.path()).await;
    let second = Ct { study: 2, ..trunk() };
    send(&engine, &second.files()).await;
    run_jobs_until(&engine, async || report_rows(&engine, &second).await == 1).await;
    assert_eq!(rows(data.path()).await["report"], 2, "the first study was not read again");
}

async fn report_rows(engine: &Engine, series: &Ct) -> usize {
    usize::from(engine.report(&Scope::local(), &series.study_uid(), ReportPart::Json).await.is_ok())
}

pub async fn run_jobs_until(engine: &Engine, done: impl AsyncFn() -> bool) {
    let (stop, stopped) = oneshot::channel::<()>();
    let jobs = tokio::spawn({
        let engine = engine.clone();
        async move { engine.run_jobs(async { stopped.await.unwrap() }).await }
    });
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    while !done().await {
        assert!(tokio::time::Instant::now() < deadline, "the jobs did not come to an end");
        assert!(!jobs.is_finished(), "the jobs ended early");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.send(()).unwrap();
    jobs.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_folder_that_is_no_model_is_an_error_at_the_start() {
    let data = tempdir().unwrap();
    let model = data.path().join("model");
    tiny_model(&model);
    std::fs::write(model.join("model.onnx"), b"changed").unwrap();
    let opened = Engine::open(EngineConfig { model_dir: Some(model), ..config(data.path()) }).await;
    assert_eq!(opened.unwrap_err().code(), "model_unusable");
}
