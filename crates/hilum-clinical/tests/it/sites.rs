//! Sites and rejections on synthetic patients that had no part in the design: the truth of their stones and of what mimics stones as candidates.

use std::collections::BTreeMap;

use hilum_clinical::guideline::Site;
use hilum_clinical::urinary_stone::{
    Candidate, CandidateVoxel, Placed, RejectionReason, Side, TractPart, TractReference, measure, place,
};
use hilum_imaging::frame::{self, AnatomicalFrame};
use hilum_imaging::phantom::{
    DecoyKind, PatientPosition, PhantomRecipe, PhantomStudy, StonePlan, StoneSite, StoneSpec, StoneTruth, generate,
};
use hilum_imaging::vector::{Point, distance};
use hilum_infer::region::{Coarse, find_frame, find_urinary_region};

use crate::truth::site_of;

const EVERY_SITE: [StoneSite; 10] = [
    StoneSite::KidneyUpperPole,
    StoneSite::KidneyMid,
    StoneSite::KidneyLowerPole,
    StoneSite::RenalPelvis,
    StoneSite::UreteropelvicJunction,
    StoneSite::ProximalUreter,
    StoneSite::MidUreter,
    StoneSite::DistalUreter,
    StoneSite::UreterovesicalJunction,
    StoneSite::Bladder,
];

/// A patient with one stone of 6 mm at every site, on alternating sides.
fn patient(recipe: &PhantomRecipe) -> PhantomStudy {
    let spec = |(i, site): (usize, &StoneSite)| StoneSpec {
        site: *site,
        side: frame::Side::BOTH[(i + recipe.seed as usize) % 2],
        diameter_mm: 6.0,
        hu: 900.0,
    };
    let stones = StonePlan::Chosen(EVERY_SITE.iter().enumerate().map(spec).collect());
    generate(&PhantomRecipe { matrix: 256, stones, ..recipe.clone() }).expect("a patient")
}

fn frame_of(study: &PhantomStudy) -> AnatomicalFrame {
    let region = find_urinary_region(&Coarse::of_volume(&study.volume).expect("axial"));
    find_frame(Coarse::searched(&study.volume, &region).expect("axial"), &region)
}

/// The voxels within `reach_mm` of a point that are at least as dense as `least_hu`.
fn candidate(study: &PhantomStudy, centre: Point, reach_mm: f64, least_hu: i16) -> Candidate {
    let geometry = &study.volume.geometry;
    let voxels = study.volume.hu.indexed_iter().filter(|(_, hu)| **hu >= least_hu).filter_map(|((z, y, x), hu)| {
        let near = distance(geometry.patient_from_index([z, y, x].map(|i| i as f64)), centre) <= reach_mm;
        near.then(|| CandidateVoxel { index: [z, y, x].map(|i| i as u32), score: 0.9, hu: *hu })
    });
    Candidate { voxels: voxels.collect() }
}

fn placed(study: &PhantomStudy, candidates: Vec<Candidate>, frame: Option<&AnatomicalFrame>) -> Placed {
    place(measure(candidates, Some(&study.volume.geometry), &TractReference::default()), Vec::new(), frame)
}

fn of_stone(study: &PhantomStudy, stone: &StoneTruth) -> Candidate {
    candidate(study, stone.centre_patient_mm, stone.largest_diameter_mm / 2.0 + 1.0, 200)
}

fn patients() -> Vec<(PhantomStudy, AnatomicalFrame)> {
    let base = |seed, slice_thickness_mm| PhantomRecipe { seed, slice_thickness_mm, ..PhantomRecipe::default() };
    [
        base(71, 3.0),
        PhantomRecipe { position: PatientPosition::HeadFirstProne, ..base(72, 3.0) },
        PhantomRecipe { position: PatientPosition::FeetFirstSupine, mirrored: true, ..base(74, 5.0) },
    ]
    .iter()
    .map(|recipe| {
        let study = patient(recipe);
        let frame = frame_of(&study);
        (study, frame)
    })
    .collect()
}

#[test]
fn no_stone_is_rejected_no_stated_site_or_side_is_wrong_and_most_sites_are_stated() {
    let (mut stones, mut fine) = (0, 0);
    for (study, frame) in patients() {
        for stone in &study.stones {
            let placed = placed(&study, vec![of_stone(&study, stone)], Some(&frame));
            assert!(placed.rejected.is_empty(), "{:?} {:?}", stone.site, placed.rejected[0].candidate.statement);
            let found = &placed.stones[0].stone;
            let truth = site_of(stone.site.expect("a placed stone"));
            stones += 1;
            let Some(stated) = &found.site else {
                assert_eq!(found.part, TractPart::Unknown);
                continue;
            };
            let holds = match stated.site {
                Site::Kidney => truth.is_kidney(),
                Site::Ureter => truth.is_ureter(),
                site => site == truth,
            };
            assert!(holds, "{stated:?} is {truth:?}, seed {}", study.recipe.seed);
            assert!((0.7..=1.0).contains(&stated.probability));
            fine += usize::from(stated.site == truth);
            let side = Side::from(stone.side.expect("a placed stone"));
            match found.part {
                TractPart::Bladder => assert_eq!(truth, Site::Bladder),
                part => assert_eq!((part == TractPart::Kidney, found.side), (truth.is_kidney(), side)),
            }
        }
    }
    assert!(fine * 10 >= stones * 7, "{fine} of {stones} sites");
}

#[test]
fn most_of_what_mimics_stones_outside_the_tract_is_rejected_with_its_reason() {
    let mut of_kind: BTreeMap<DecoyKind, [usize; 2]> = BTreeMap::new();
    for (study, frame) in patients() {
        for decoy in &study.decoys {
            let candidate = candidate(&study, decoy.centre_patient_mm, decoy.diameter_mm / 2.0 + 1.0, 150);
            let placed = placed(&study, vec![candidate], Some(&frame));
            let counts = of_kind.entry(decoy.kind).or_default();
            counts[0] += placed.stones.len();
            counts[1] += placed.rejected.len();
            for rejected in &placed.rejected {
                let told = &rejected.candidate;
                assert!(told.finding.centre_mm.is_some() && told.finding.site.is_none() && told.finding.number == 1);
                assert!(told.statement.en != told.statement.ko && !told.statement.code.is_empty());
            }
        }
    }
    println!("kept, rejected: {of_kind:?}");
    let share = |kinds: &[DecoyKind]| {
        let counts = kinds.iter().filter_map(|kind| of_kind.get(kind));
        let (kept, rejected) = counts.fold((0, 0), |(k, r), c| (k + c[0], r + c[1]));
        assert!(kept + rejected > 0, "{kinds:?} do not occur");
        rejected as f64 / (kept + rejected) as f64
    };
    assert!(share(&[DecoyKind::CostalCartilage, DecoyKind::Gallstone, DecoyKind::Granuloma, DecoyKind::Clip]) > 0.8);
    assert!(share(&[DecoyKind::Plaque]) > 0.4);
    assert!(share(&[DecoyKind::BowelContent, DecoyKind::LymphNode]) > 0.5);
}

#[test]
fn without_a_frame_nothing_is_rejected_and_no_site_is_stated() {
    let study = patient(&PhantomRecipe { seed: 71, slice_thickness_mm: 5.0, ..PhantomRecipe::default() });
    let candidates = study.stones.iter().map(|stone| of_stone(&study, stone)).collect();
    let placed = placed(&study, candidates, None);
    assert!(placed.rejected.is_empty() && placed.stones.len() == study.stones.len());
    assert!(placed.stones.iter().all(|s| s.stone.site.is_none() && s.stone.skin_to_stone_mm.is_none()));
    assert!(placed.stones.iter().zip(1..).all(|(s, number)| s.stone.number == number));
}

#[test]
fn stones_and_rejected_candidates_are_numbered_apart_and_a_filters_rejections_are_told() {
    let study = patient(&PhantomRecipe { seed: 71, slice_thickness_mm: 5.0, ..PhantomRecipe::default() });
    let frame = frame_of(&study);
    let in_front = {
        let kidney = frame.kidneys[0].expect("a kidney").body.centre;
        [kidney[0], kidney[1] - 90.0, kidney[2]]
    };
    let at = study.volume.geometry.index_from_patient(in_front).map(|i| i.round() as u32);
    let outside = Candidate { voxels: vec![CandidateVoxel { index: at, score: 0.9, hu: 700 }] };
    let filtered = measure(vec![outside.clone()], Some(&study.volume.geometry), &TractReference::default()).remove(0);
    let readings = measure(
        vec![outside, of_stone(&study, &study.stones[0])],
        Some(&study.volume.geometry),
        &TractReference::default(),
    );
    let reason = RejectionReason::InDenseStructure { share: 1.0, extent_mm: 80.0 };
    let placed = place(readings, vec![(filtered, reason)], Some(&frame));
    assert_eq!(placed.stones.iter().map(|s| s.stone.number).collect::<Vec<_>>(), [1]);
    assert_eq!(placed.rejected.iter().map(|r| r.candidate.finding.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(placed.rejected[1].candidate.reason, reason);
    let json = serde_json::to_value(placed.rejected[1].candidate.reason).expect("JSON");
    assert_eq!(json, serde_json::json!({ "code": "in_dense_structure", "share": 1.0, "extent_mm": 80.0 }));
    let told = &placed.rejected[0].candidate;
    assert!(matches!(
        told.reason,
        RejectionReason::OutsideTract { .. } | RejectionReason::InBowel { .. } | RejectionReason::InBodyWall { .. }
    ));
    assert!(told.tract_score.is_some_and(|score| score < 0.5));
}
