//! What is drawn over images: the stones' voxels with their place, masks that physicians correct, measurements, and readings that are asked for.

use crate::fixture::{Ct, config, number, place, python, reading_engine, send, store, texts, viewer};
use crate::review::{all_the_rest, judgement, physician, read, two_stones};
use hilum_clinical::report::StoneEdits;
use hilum_dicom::StudyUid;
use hilum_engine::measurement::{MeasurementKind, MeasurementView, NewMeasurement};
use hilum_engine::results::LabelMap;
use hilum_engine::review::{Judgement, NewMask, ReviewVerdict};
use hilum_engine::upkeep::restore;
use hilum_engine::views::{ReadingStatus, Workflow};
use hilum_engine::{Engine, ErrorKind, ReportPart, Scope, Selection, WorkControl, Zone};
use serde_json::Value;
use std::process::Command;
use tempfile::tempdir;

async fn report(engine: &Engine, study: &StudyUid) -> Value {
    let json = engine.report(&Scope::local(), study, ReportPart::Json).await.unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// The middle of a stone's voxels in patient coordinates, by the map's own words.
fn middle(map: &LabelMap, number: u32) -> [f64; 3] {
    let stone = map.stones.iter().find(|stone| stone.number == number).unwrap();
    let (mut sum, mut count) = ([0.0_f64; 3], 0.0);
    for [z, y, first, length] in &stone.runs {
        for x in *first..first + length {
            let along = [f64::from(x), f64::from(*y), f64::from(*z)];
            let place = |axis: usize| {
                map.origin_mm[axis]
                    + along.iter().zip(&map.step_mm).map(|(index, step)| index * step[axis]).sum::<f64>()
            };
            sum = std::array::from_fn(|axis| sum[axis] + place(axis));
            count += 1.0;
        }
    }
    sum.map(|part| part / count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mask_lies_where_the_report_says_the_stones_are_and_only_for_whoever_may_see_the_study() {
    let data = tempdir().unwrap();
    let (engine, series, found) = read(data.path()).await;
    let study = series.study_uid();
    let map = engine.label_map(&Scope::local(), &study, 1).await.unwrap();
    let report = report(&engine, &study).await;
    assert_eq!(map.series_uid, report["study"]["series"]["series_uid"].as_str().unwrap());
    assert_eq!((map.version, map.shape[1..].to_vec(), map.stones.len() as u32), (1, vec![256, 256], found));
    for stone in report["stones"].as_array().unwrap() {
        let number = stone["number"].as_u64().unwrap() as u32;
        let (ours, theirs) = (middle(&map, number), &stone["centre_mm"]);
        let theirs: Vec<f64> = theirs.as_array().unwrap().iter().map(|mm| mm.as_f64().unwrap()).collect();
        let apart = ours.iter().zip(&theirs).map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f64::max);
        assert!(apart < 3.0, "stone {number}: {ours:?} and {theirs:?}");
    }
    assert!(map.stones.iter().all(|stone| !stone.corrected));
    let stranger = viewer("OTHER".parse().unwrap());
    for (scope, version) in [(&Scope::local(), 2), (&stranger, 1)] {
        assert_eq!(engine.label_map(scope, &study, version).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_mask_is_measured_again_kept_and_signed_and_the_segmentation_is_it() {
    let data = tempdir().unwrap();
    let (engine, series, _) = read(data.path()).await;
    let study = series.study_uid();
    let kim = physician(&engine, "kim", "LOCAL").await;
    let scope = kim.scope();
    let map = engine.label_map(&scope, &study, 1).await.unwrap();
    let stone = map.stones.iter().find(|stone| stone.number == 1).unwrap();
    // Half of it: the slices from the middle on.
    let half = stone.runs[stone.runs.len() / 2][0];
    let runs: Vec<[u32; 4]> = stone.runs.iter().copied().filter(|run| run[0] >= half).collect();
    let voxels: u32 = runs.iter().map(|run| run[3]).sum();
    assert!(voxels > 0 && runs.len() < stone.runs.len(), "{runs:?}");
    let mask = |revision, runs: &[[u32; 4]]| NewMask { revision, runs: runs.to_vec() };
    for (number, new, kind) in [
        (1, mask(7, &runs), ErrorKind::Conflict),
        (1, mask(0, &[]), ErrorKind::BadRequest),
        (1, mask(0, &[[0, 0, 0, 0]]), ErrorKind::BadRequest),
        (1, mask(0, &[[9_999, 0, 0, 1]]), ErrorKind::BadRequest),
        (1, mask(0, &[[0, 0, 250, 10]]), ErrorKind::BadRequest),
        (1, mask(0, &[[0, 0, 0, u32::MAX]]), ErrorKind::BadRequest),
        (99, mask(0, &runs), ErrorKind::NotFound),
    ] {
        let refused = engine.correct_mask(&scope, &study, 1, number, &new).await.unwrap_err();
        assert_eq!(refused.kind(), kind, "{refused}");
    }
    let review = engine.correct_mask(&scope, &study, 1, 1, &mask(0, &runs)).await.unwrap();
    let verdict = review.findings[0].verdict.as_ref().unwrap();
    assert_eq!((review.revision, verdict.verdict, verdict.by.as_str()), (1, ReviewVerdict::Edited, "Dr kim"));
    assert_eq!(engine.study(&scope, &study).await.unwrap().summary.workflow, Workflow::InReview);
    let mm = verdict.edits.largest_diameter_mm.unwrap();
    let before = report(&engine, &study).await["stones"][0].clone();
    assert!(mm > 0.0 && mm < before["largest_diameter_mm"].as_f64().unwrap() + 4.0, "{mm} of {before}");
    let drafted = engine.label_map(&scope, &study, 1).await.unwrap();
    let corrected = drafted.stones.iter().find(|stone| stone.number == 1).unwrap();
    assert_eq!((corrected.corrected, &corrected.runs), (true, &runs));
    // Whoever accepts what the network found drops the correction, and no edit brings it back; corrected again, it counts again.
    let review = engine.judge(&scope, &study, 1, 1, &judgement(1, ReviewVerdict::Accepted)).await.unwrap();
    assert!(engine.label_map(&scope, &study, 1).await.unwrap() == map);
    let edits = StoneEdits { largest_diameter_mm: Some(3.0), ..StoneEdits::default() };
    let edited = Judgement { edits, ..judgement(review.revision, ReviewVerdict::Edited) };
    let review = engine.judge(&scope, &study, 1, 1, &edited).await.unwrap();
    assert!(engine.label_map(&scope, &study, 1).await.unwrap() == map);
    // Runs are kept once each and in their order, however they come.
    let mixed: Vec<[u32; 4]> = runs.iter().rev().chain(&runs).copied().collect();
    let review = engine.correct_mask(&scope, &study, 1, 1, &mask(review.revision, &mixed)).await.unwrap();
    engine.sign_report(&scope, &kim, &study, 1, &all_the_rest(review.revision)).await.unwrap();

    let signed = report(&engine, &study).await;
    let again = &signed["stones"][0];
    assert_eq!((&again["voxels"], &again["measured_by"]), (&voxels.into(), &"mask".into()));
    assert_eq!(again["largest_diameter_mm"].as_f64(), Some(mm));
    for kept in ["number", "side", "part", "site", "score"] {
        assert_eq!(again[kept], before[kept], "{kept}");
    }
    let of_signed = engine.label_map(&scope, &study, 2).await.unwrap();
    let stone = of_signed.stones.iter().find(|stone| stone.number == 1).unwrap();
    assert_eq!((stone.corrected, &stone.runs), (false, &runs), "it is the version's own mask now");
    let told = "SELECT count(*) FROM audit_event WHERE action = 'review' AND detail LIKE '%mask_corrected%'";
    assert_eq!(number(data.path(), told).await, 2);

    let Some(python) = python() else { return };
    let folder = tempdir().unwrap();
    let seg = engine.report(&scope, &study, ReportPart::Seg).await.unwrap();
    std::fs::write(folder.path().join("seg.dcm"), seg).unwrap();
    for (n, file) in two_stones().1.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{n:06}.ct")), file).unwrap();
    }
    // pydicom and numpy count the segment's pixels, and measure the CT under them.
    let program = "import sys, glob, numpy as np, pydicom\n\
        seg = pydicom.dcmread(sys.argv[1] + '/seg.dcm')\n\
        ct = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, glob.glob(sys.argv[1] + '/*.ct'))}\n\
        frames = np.atleast_3d(seg.pixel_array).reshape(-1, seg.Rows, seg.Columns)\n\
        hu = []\n\
        for mask, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence):\n\
        \x20   if groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber != 1: continue\n\
        \x20   uid = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID\n\
        \x20   d = ct[uid]\n\
        \x20   hu.extend((d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept))[mask > 0])\n\
        print(len(hu), round(float(np.mean(hu)), 3), round(float(np.std(hu)), 3), max(hu))";
    let output = Command::new(python).args(["-c", program]).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let theirs: Vec<f64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert_eq!(theirs.len(), 4, "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!((theirs[0] - f64::from(voxels)).abs() < 0.5, "{said} for {voxels} voxels");
    let hu = &again["hu"];
    for (ours, theirs) in [("mean", theirs[1]), ("sd", theirs[2]), ("max", theirs[3])] {
        let ours = hu[ours].as_f64().unwrap();
        assert!((ours - theirs).abs() < 0.05 * theirs.abs().max(1.0), "{hu} beside {said}");
    }
}

#[tokio::test]
async fn measurements_are_kept_with_the_study_told_to_the_trail_and_taken_back_by_whoever_made_them() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let engine = Engine::open(config(&data)).await.unwrap();
    let series = Ct::default();
    send(&engine, &series.files()).await;
    engine.run_until_idle().await.unwrap();
    let study = series.study_uid();
    let (kim, lee) = (physician(&engine, "kim", "LOCAL").await, physician(&engine, "lee", "LOCAL").await);
    let detail = engine.study(&kim.scope(), &study).await.unwrap();
    let new = |kind, points: &[[f64; 3]]| NewMeasurement {
        series_uid: detail.series[0].series_uid.clone(),
        sop_uid: Some("1.2.3".to_owned()),
        frame_of_reference_uid: None,
        kind,
        points: points.to_vec(),
    };
    let length = new(MeasurementKind::Length, &[[-10.5, 0.1, 30.0], [12.25, 7.0, 30.0]]);
    let kept = engine.add_measurement(&kim.scope(), &study, &length).await.unwrap();
    assert_eq!((kept.by.as_str(), kept.own, &kept.points), ("Dr kim", true, &length.points));
    let probe = engine.add_measurement(&lee.scope(), &study, &new(MeasurementKind::Probe, &[[0.0; 3]])).await.unwrap();
    let seen: Vec<MeasurementView> = engine.measurements(&kim.scope(), &study).await.unwrap();
    assert_eq!(seen.iter().map(|one| (one.id, one.own)).collect::<Vec<_>>(), [(kept.id, true), (probe.id, false)]);

    for wrong in [
        new(MeasurementKind::Length, &[[0.0; 3]]),
        new(MeasurementKind::Ellipse, &[[0.0; 3]; 2]),
        new(MeasurementKind::Probe, &[[f64::NAN, 0.0, 0.0]]),
        new(MeasurementKind::Probe, &[[0.0, 1e7, 0.0]]),
        NewMeasurement { sop_uid: Some("no uid".to_owned()), ..length.clone() },
    ] {
        let refused = engine.add_measurement(&kim.scope(), &study, &wrong).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::BadRequest, "{wrong:?}");
    }
    let elsewhere = NewMeasurement { series_uid: "1.2.3".to_owned(), ..length.clone() };
    assert_eq!(engine.add_measurement(&kim.scope(), &study, &elsewhere).await.unwrap_err().kind(), ErrorKind::NotFound);
    let looks = viewer("LOCAL".parse().unwrap());
    assert_eq!(engine.measurements(&looks, &study).await.unwrap().len(), 2);
    assert_eq!(engine.add_measurement(&looks, &study, &length).await.unwrap_err().kind(), ErrorKind::Forbidden);
    let stranger = viewer("OTHER".parse().unwrap());
    assert_eq!(engine.measurements(&stranger, &study).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        engine.remove_measurement(&kim.scope(), &study, probe.id).await.unwrap_err().kind(),
        ErrorKind::Forbidden
    );
    engine.remove_measurement(&kim.scope(), &study, kept.id).await.unwrap();
    assert_eq!(engine.remove_measurement(&kim.scope(), &study, kept.id).await.unwrap_err().kind(), ErrorKind::NotFound);
    let told = texts(
        &data,
        "SELECT outcome || ' ' || detail FROM audit_event WHERE action = 'review' AND outcome = 'done' ORDER BY number",
    )
    .await;
    let said = |code: &str| format!(r#"done {{"subject":"study","code":"{code}"}}"#);
    assert_eq!(told, [said("measured"), said("measured"), said("measurement_removed")]);

    // It goes into a backup, and goes with its study.
    let backup = folder.path().join("backup");
    engine.backup(&backup, &WorkControl::new()).await.unwrap();
    engine.delete(&Scope::local(), Zone::Clinical, &Selection::study(study.clone())).await.unwrap();
    assert_eq!(number(&data, "SELECT count(*) FROM measurement").await, 0);
    let restored = folder.path().join("restored");
    restore(&backup, &restored, &place(&restored), &store(&restored), None, &WorkControl::new()).await.unwrap();
    let engine = Engine::open(config(&restored)).await.unwrap();
    let again = engine.measurements(&Scope::local(), &study).await.unwrap();
    assert_eq!(again.iter().map(|one| (one.id, &one.points)).collect::<Vec<_>>(), [(probe.id, &probe.points)]);
}

#[tokio::test]
async fn a_study_is_read_again_when_somebody_asks_and_the_same_report_is_no_further_version() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let series = Ct { slices: 60, size: 32, spacing_mm: 5.0, ..Ct::default() };
    send(&engine, &series.files()).await;
    let study = series.study_uid();
    let scope = Scope::local();
    // It waits already.
    assert_eq!(engine.ask_for_reading(&scope, &study).await.unwrap_err().kind(), ErrorKind::Conflict);
    engine.run_until_idle().await.unwrap();
    let first = engine.report_versions(&scope, &study).await.unwrap();
    assert_eq!(engine.ask_for_reading(&scope, &study).await.unwrap().state, ReadingStatus::Queued);
    assert_eq!(engine.ask_for_reading(&scope, &study).await.unwrap_err().kind(), ErrorKind::Conflict);
    // What was asked for may be taken back.
    assert_eq!(engine.cancel_reading(&scope, &study).await.unwrap().state, ReadingStatus::Cancelled);
    assert_eq!(engine.ask_for_reading(&scope, &study).await.unwrap().state, ReadingStatus::Queued);
    engine.run_until_idle().await.unwrap();
    assert_eq!(engine.study(&scope, &study).await.unwrap().summary.reading.state, ReadingStatus::Done);
    assert_eq!(engine.report_versions(&scope, &study).await.unwrap(), first);
    let looks = viewer("LOCAL".parse().unwrap());
    assert_eq!(engine.ask_for_reading(&looks, &study).await.unwrap_err().kind(), ErrorKind::Forbidden);
    let stranger = viewer("OTHER".parse().unwrap());
    assert_eq!(engine.ask_for_reading(&stranger, &study).await.unwrap_err().kind(), ErrorKind::Forbidden);
}
