//! Real files.

use crate::fixture::{engine, files, rows, shared};
use hilum_engine::views::{ReadingStatus, StudySearch};
use hilum_engine::{ImportControl, Scope, Zone};
use std::collections::BTreeMap;
use std::time::Instant;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_chest_ct_is_kept_at_speed_and_its_geometry_is_sound() {
    let Some(folder) = shared("ct-chest-lidc0314") else { return };
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let start = Instant::now();
    let summary = engine.import(&Scope::local(), &[folder], Zone::Clinical, &ImportControl::new()).await.unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("{} instances kept, durable, in {seconds:.2} s: {:.0}/s", summary.kept, summary.kept as f64 / seconds);
    assert_eq!((summary.kept, summary.refused.len(), summary.quarantined), (275, 0, 0), "{summary:?}");
    engine.run_until_idle().await.unwrap();
    let list = engine.studies(&Scope::local(), &StudySearch::default()).await.unwrap().items;
    let uid = list[0].study_uid.parse().unwrap();
    let study = engine.study(&Scope::local(), &uid).await.unwrap();
    assert_eq!(study.series[0].plane.as_deref(), Some("axial"));
    assert_eq!(study.series[0].geometry_findings, []);
    assert!(study.series[0].chosen, "{}", study.series[0].why);
    assert_eq!(study.summary.reading.state, ReadingStatus::NoModel);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_head_ct_with_mixed_spacing_is_refused_before_any_millimetre() {
    let Some(folder) = shared("ct-head-ge") else { return };
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    engine.import(&Scope::local(), &[folder], Zone::Clinical, &ImportControl::new()).await.unwrap();
    engine.run_until_idle().await.unwrap();
    for study in engine.studies(&Scope::local(), &StudySearch::default()).await.unwrap().items {
        assert_eq!(study.reading.state, ReadingStatus::Refused, "{:?}", study.reading);
        let detail = engine.study(&Scope::local(), &study.study_uid.parse().unwrap()).await.unwrap();
        let refused = detail.series.iter().find(|series| !series.geometry_findings.is_empty()).unwrap();
        assert_eq!(refused.spacing_mm, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_conformance_file_is_kept_or_put_aside_or_refused_with_a_reason() {
    let Some(folder) = shared("dicom-conformance") else { return };
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let summary = engine.import(&Scope::local(), &[folder], Zone::Clinical, &ImportControl::new()).await.unwrap();
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for file in &summary.refused {
        assert!(!file.text.is_empty());
        *codes.entry(&file.code).or_default() += 1;
    }
    println!(
        "{} files: {} kept, {} already there, {} put aside, {} no DICOM, refused {codes:?}",
        summary.files, summary.kept, summary.already_there, summary.quarantined, summary.not_dicom
    );
    for file in &summary.refused {
        println!("  {} {} {}", file.path.rsplit('/').next().unwrap_or_default(), file.code, file.text);
    }
    let answered = summary.kept + summary.already_there + summary.quarantined + summary.not_dicom;
    assert_eq!(answered + summary.refused.len() as u64, summary.files);
    let rows = rows(data.path()).await;
    assert_eq!(rows["instance"] as u64, summary.kept);
    assert_eq!(files(data.path(), "objects").len() as u64, summary.kept);
    assert_eq!(files(data.path(), "quarantine").len() as i64, rows["quarantine"]);
    engine.run_until_idle().await.unwrap();
    assert_eq!(engine.activity(&Scope::local()).await.unwrap().readings, []);
}
