//! Real files.

use crate::fixture::{aside, engine, objects, reading_engine, rows, shared};
use hilum_clinical::UrinaryStoneReport;
use hilum_clinical::guideline::Site;
use hilum_clinical::urinary_stone::{Side, Stone, TractPart};
use hilum_engine::views::{ReadingStatus, StudySearch};
use hilum_engine::{ReportPart, Scope, WorkControl, Zone, measured_stones, nifti, point_spread};
use hilum_imaging::Volume;
use hilum_imaging::phantom::add_stone;
use hilum_infer::{Model, SliceStack, read_stack};
use ndarray::Axis;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_chest_ct_is_kept_at_speed_and_its_geometry_is_sound() {
    let Some(folder) = shared("ct-chest-lidc0314") else { return };
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let start = Instant::now();
    let summary = engine.import(&Scope::local(), &[folder], Zone::Clinical, &WorkControl::new()).await.unwrap();
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
async fn a_real_chest_ct_shows_kidneys_in_part_and_neither_ureter_nor_bladder() {
    let Some(folder) = shared("ct-chest-lidc0314") else { return };
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    engine.import(&Scope::local(), &[folder], Zone::Clinical, &WorkControl::new()).await.unwrap();
    engine.run_until_idle().await.unwrap();
    let list = engine.studies(&Scope::local(), &StudySearch::default()).await.unwrap().items;
    let uid = list[0].study_uid.parse().unwrap();
    let json = engine.report(&Scope::local(), &uid, ReportPart::Json).await.unwrap();
    let report: UrinaryStoneReport = serde_json::from_slice(&json).unwrap();
    let told = report.coverage.not_looked_at.iter().map(|s| format!("{} {}", s.code, s.en)).collect::<Vec<_>>();
    for part in ["Right ureter", "Left ureter", "Bladder"] {
        assert!(told.contains(&format!("not_in_scan {part}: not in this scan.")), "{told:?}");
    }
    for side in ["Right", "Left"] {
        assert!(told.contains(&format!("partly_in_scan {side} kidney: only partly in this scan.")), "{told:?}");
    }
    // Neither what a network without knowledge marks nor the frame makes a ureter or a bladder of what is not there.
    assert!(report.stones.iter().filter_map(site).all(Site::is_kidney), "{:?}", report.stones);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_head_ct_with_mixed_spacing_is_refused_before_any_millimetre() {
    let Some(folder) = shared("ct-head-ge") else { return };
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    engine.import(&Scope::local(), &[folder], Zone::Clinical, &WorkControl::new()).await.unwrap();
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
    let summary = engine.import(&Scope::local(), &[folder], Zone::Clinical, &WorkControl::new()).await.unwrap();
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
    assert_eq!(objects(data.path()).len() as u64, summary.kept);
    assert_eq!(aside(data.path()).len() as i64, rows["quarantine"]);
    engine.run_until_idle().await.unwrap();
    assert_eq!(engine.activity(&Scope::local()).await.unwrap().readings, []);
}

/// The stones that the shipped model lists in a volume.
fn listed(model: &Model, volume: &Volume) -> Vec<Stone> {
    let (slices, rows, columns) = volume.hu.dim();
    let stack = SliceStack { slices, rows, columns, geometry: volume.geometry };
    let slice = |z: usize| Ok::<_, Infallible>(volume.hu.index_axis(Axis(0), z).to_owned());
    let reading = read_stack(model, &stack, slice, &mut |_| ControlFlow::Continue(())).expect("a reading");
    let spread = point_spread(None, &volume.geometry);
    let placed = measured_stones(reading, &stack, spread, slice).expect("slices");
    for told in placed.rejected.iter().map(|reading| &reading.candidate) {
        println!("rejected at {:?}: {}", told.finding.centre_mm, told.statement.en);
    }
    placed.stones.into_iter().map(|read| read.stone).collect()
}

fn site(stone: &Stone) -> Option<Site> {
    stone.site.as_ref().map(|finding| finding.site)
}

fn near(stone: &Stone, point_mm: [f64; 3]) -> bool {
    let centre = stone.centre_mm.expect("a volume has millimetres");
    (0..3).map(|k| (centre[k] - point_mm[k]).powi(2)).sum::<f64>().sqrt() <= 8.0
}

/// Held out: the model never saw this patient. Its own stones first, then simulated ones at the mirrored places and in the bladder.
#[test]
fn the_stones_of_a_real_torso_are_listed_and_simulated_ones_added_to_it_apart_from_them() {
    let Some(path) = shared("ct-torso-labelled/ct.nii.gz") else { return };
    let model = Model::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/urinary-stone")).unwrap();
    let mut volume = nifti::read_volume(&path).unwrap();
    let own = listed(&model, &volume);
    for stone in &own {
        println!("own: {:?} {:?} {:?} {:?}", stone.side, site(stone), stone.centre_mm, stone.largest_diameter_mm);
    }
    // Index x, y, z as the manifest of the data names them.
    let place = |[x, y, z]: [f64; 3]| volume.geometry.patient_from_index([z, y, x]);
    let (ureter, kidney) = (place([69.0, 51.0, 62.0]), place([32.0, 44.0, 81.0]));
    let of_ureter = own.iter().find(|s| near(s, ureter)).expect("the stone of the right proximal ureter");
    assert_eq!((of_ureter.side, site(of_ureter)), (Side::Right, Some(Site::ProximalUreter)), "{:?}", of_ureter.site);
    let of_kidney = own.iter().find(|s| near(s, kidney)).expect("the stone of the left kidney");
    assert_eq!((of_kidney.side, of_kidney.part), (Side::Left, TractPart::Kidney), "{:?}", of_kidney.site);
    assert!(own.iter().all(|stone| stone.largest_diameter_mm.is_some() && stone.volume_mm3.is_some()));

    // Before the left psoas, in the right kidney and at the back of the bladder, read off the axial slices by eye.
    let simulated = [
        (Side::Left, TractPart::Ureter, place([46.0, 51.0, 62.0])),
        (Side::Right, TractPart::Kidney, place([83.0, 41.0, 81.0])),
        (Side::Midline, TractPart::Bladder, place([59.0, 40.0, 20.0])),
    ];
    for (number, (_, _, at)) in (1_u64..).zip(&simulated) {
        add_stone(&mut volume, *at, 8.0, 900.0, number).expect("inside the volume");
    }
    let all = listed(&model, &volume);
    for (side, part, at) in simulated {
        let found = all.iter().find(|s| near(s, at)).unwrap_or_else(|| panic!("the simulated stone at {at:?}"));
        println!("simulated: {:?} {:?} {:?}", found.side, found.site, found.skin_to_stone_mm);
        assert_eq!((found.side, found.part), (side, part), "{:?} at {at:?}", found.site);
        assert!(part != TractPart::Ureter || site(found) == Some(Site::ProximalUreter), "{:?}", found.site);
        assert!(!own.iter().any(|s| near(s, at)), "none of the patient's own lies there");
    }
    assert!(own.iter().all(|s| all.iter().any(|a| near(a, s.centre_mm.expect("millimetres")))), "the own ones stay");
}
