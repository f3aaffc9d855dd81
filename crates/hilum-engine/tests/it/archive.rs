//! The reading side: what a selection names, in which order, and bytes by range.

use crate::fixture::{Ct, change_object, engine, execute, send};
use bytes::Bytes;
use hilum_dicom::{SopUid, read_facts};
use hilum_engine::{EngineError, InstitutionCode, PatientKey, Scope, Selection, Zone};
use std::time::{Duration, Instant};
use tempfile::tempdir;

fn sop(file: &Bytes) -> SopUid {
    read_facts(file).unwrap().sop
}

#[tokio::test]
async fn a_study_is_handed_out_by_series_number_and_instance_number_whatever_the_order_of_arrival() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let second = Ct { series: 2, slices: 3, ..Ct::default() }.files();
    let tenth = Ct { series: 10, slices: 12, ..Ct::default() }.files();
    let foreign = Ct { study: 2, slices: 1, ..Ct::default() }.files();
    for files in [&tenth, &foreign, &second] {
        let reversed: Vec<Bytes> = files.iter().rev().cloned().collect();
        send(&engine, &reversed).await;
    }
    let all = Selection::study(Ct::default().study_uid());
    let found = engine.instances(&Scope::local(), Zone::Clinical, &all).await.unwrap();
    let expected: Vec<SopUid> = second.iter().chain(&tenth).map(sop).collect();
    assert_eq!(found.iter().map(|instance| instance.sop.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(found[3].series_number, Some(10));
    assert_eq!(found[14].instance_number, Some(12));
    assert_eq!(found[0].bytes, second[0].len() as u64);

    let mut selected = engine.select(&Scope::local(), Zone::Clinical, &all).await.unwrap();
    assert_eq!(selected.len(), 15);
    assert_eq!(selected.next_series().await.unwrap().unwrap().len(), 3);
    assert_eq!(selected.next_series().await.unwrap().unwrap().len(), 12);
    assert_eq!(selected.next_series().await.unwrap(), None);
}

#[tokio::test]
async fn lists_of_each_level_narrow_a_selection_and_nothing_at_all_is_refused() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let first = Ct { slices: 4, ..Ct::default() }.files();
    let other = Ct { study: 2, slices: 2, patient_id: "SYN-000002", ..Ct::default() }.files();
    send(&engine, &first).await;
    send(&engine, &other).await;
    let scope = Scope::local();
    let count = async |selection: Selection| engine.instances(&scope, Zone::Clinical, &selection).await.unwrap().len();
    let facts = read_facts(&first[0]).unwrap();
    let (study, series) = (facts.study.uid.clone(), facts.series.uid.clone());
    let patient = |id: &str, issuer: Option<&str>| Selection {
        patient: Some(PatientKey { id: id.into(), issuer: issuer.map(str::to_owned) }),
        ..Selection::default()
    };
    assert_eq!(count(patient("SYN-000002", None)).await, 2);
    assert_eq!(count(patient("SYN-000002", Some("elsewhere"))).await, 0);
    assert_eq!(count(Selection { series: Some(vec![series.clone()]), ..Selection::default() }).await, 4);
    let listed: Vec<SopUid> = [&first[1], &first[3], &other[0]].map(sop).into();
    assert_eq!(count(Selection { instance: Some(listed.clone()), ..Selection::default() }).await, 3);
    assert_eq!(count(Selection { instance: Some(listed), ..Selection::study(study.clone()) }).await, 2);
    assert_eq!(count(Selection::instance(study.clone(), series, sop(&other[0]))).await, 0);
    assert_eq!(count(Selection { study: Some(Vec::new()), ..Selection::default() }).await, 0);

    let refused = engine.instances(&scope, Zone::Clinical, &Selection::default()).await;
    assert!(matches!(refused, Err(EngineError::BadRequest { field: "selection", .. })));
    assert!(engine.instances(&scope, Zone::Research, &Selection::study(study.clone())).await.unwrap().is_empty());
    let stranger = Scope::console("ELSEWHERE".parse::<InstitutionCode>().unwrap());
    assert!(engine.instances(&stranger, Zone::Clinical, &Selection::study(study)).await.unwrap().is_empty());
}

#[tokio::test]
async fn bytes_come_back_whole_or_by_range_and_no_range_reaches_beyond_them() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let sent = Ct { slices: 1, ..Ct::default() }.files();
    send(&engine, &sent).await;
    let all = Selection::study(Ct::default().study_uid());
    let instance = engine.instances(&Scope::local(), Zone::Clinical, &all).await.unwrap().remove(0);
    assert_eq!(engine.read_instance(&instance).await.unwrap(), sent[0]);
    let bytes = engine.open_instance(&instance).await.unwrap();
    assert_eq!(bytes.len(), sent[0].len() as u64);
    assert_eq!(bytes.read(128..132).await.unwrap(), &b"DICM"[..]);
    assert_eq!(bytes.read(0..bytes.len()).await.unwrap(), sent[0]);
    for beyond in [0..bytes.len() + 1, u64::MAX - 1..u64::MAX, 0..u64::MAX] {
        assert!(bytes.read(beyond).await.is_err());
    }
}

#[tokio::test]
async fn an_object_that_was_changed_where_it_lies_is_not_handed_out_as_if_it_were_whole() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    send(&engine, &Ct { slices: 1, ..Ct::default() }.files()).await;
    let all = Selection::study(Ct::default().study_uid());
    let instance = engine.instances(&Scope::local(), Zone::Clinical, &all).await.unwrap().remove(0);
    change_object(data.path(), 0, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let error = engine.read_instance(&instance).await.unwrap_err();
    assert_eq!(error.code(), "object_corrupt");
    change_object(data.path(), 0, |bytes| bytes.truncate(bytes.len() - 1));
    assert_eq!(engine.open_instance(&instance).await.unwrap_err().code(), "object_corrupt");
}

#[tokio::test]
async fn going_through_a_series_shows_what_came_in_meanwhile_and_nothing_that_was_deleted_or_is_of_others() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let files = Ct { slices: 6, ..Ct::default() }.files();
    send(&engine, &files[..4]).await;
    let facts = read_facts(&files[0]).unwrap();
    let (study, series) = (facts.study.uid, facts.series.uid);
    let found = async |scope: &Scope, file: &Bytes| {
        let named = Selection::instance(study.clone(), series.clone(), sop(file));
        let found = engine.instances(scope, Zone::Clinical, &named).await.unwrap();
        assert!(found.iter().all(|instance| instance.sop == sop(file) && instance.study == study));
        found.len()
    };
    let (scope, elsewhere) = (Scope::local(), Scope::console("ELSEWHERE".parse().unwrap()));
    for round in 0..3 {
        for file in &files[..4] {
            assert_eq!(found(&scope, file).await, 1, "{round}");
            assert_eq!(found(&elsewhere, file).await, 0, "{round}");
        }
        assert_eq!(found(&scope, &files[4]).await, 0, "{round}");
    }
    send(&engine, &files[4..5]).await;
    assert_eq!(found(&scope, &files[4]).await, 1);

    let doomed = Selection::instance(study.clone(), series.clone(), sop(&files[1]));
    engine.delete(&scope, Zone::Clinical, &doomed).await.unwrap();
    assert_eq!(found(&scope, &files[1]).await, 0);
    assert_eq!([found(&scope, &files[0]).await, found(&scope, &files[2]).await], [1, 1]);

    // Another process deletes.
    execute(data.path(), "DELETE FROM instance").await;
    let start = Instant::now();
    while found(&scope, &files[0]).await > 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "what another process deleted is there for long");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
