use hilum_imaging::phantom::{PatientPosition, PhantomRecipe, PhantomStudy, Region as Scan, Side, generate};
use hilum_imaging::{Affine, Volume};
use hilum_infer::region::{Coarse, Region, RegionFinding, TractPart, find_urinary_region};
use ndarray::Array3;
use proptest::prelude::*;

use crate::noise::noise;

fn study(recipe: &PhantomRecipe) -> PhantomStudy {
    generate(&PhantomRecipe { matrix: 256, slice_thickness_mm: 5.0, ..recipe.clone() }).expect("a patient")
}

fn find(volume: &Volume) -> Region {
    find_urinary_region(&Coarse::of_volume(volume).expect("axial"))
}

fn searched(region: &Region, study: &PhantomStudy, p: [f64; 3]) -> bool {
    let z = study.volume.geometry.index_from_patient(p)[0].round();
    let slice = (z >= 0.0).then(|| region.slices.get(z as usize).copied().flatten()).flatten();
    slice.is_some_and(|b| (0..2).all(|k| b.min_mm[k] <= p[k] && p[k] <= b.max_mm[k]))
}

fn scanned(study: &PhantomStudy, p: [f64; 3]) -> bool {
    let z = study.volume.geometry.index_from_patient(p)[0];
    z > -0.5 && z < study.volume.hu.dim().0 as f64 - 0.5
}

#[test]
fn ureters_and_kidneys_are_searched_in_every_pose() {
    let base = PhantomRecipe { seed: 31, ..PhantomRecipe::default() };
    let poses = [
        base.clone(),
        PhantomRecipe { mirrored: true, position: PatientPosition::HeadFirstProne, ..base.clone() },
        PhantomRecipe { shift_mm: [25.0, -15.0, 10.0], position: PatientPosition::FeetFirstSupine, seed: 32, ..base },
    ];
    for recipe in poses {
        let study = study(&recipe);
        let region = find(&study.volume);
        assert_eq!(region.finding, RegionFinding::Levelled, "{recipe:?}");
        for (side, ureter) in &study.structures.ureters {
            let there: Vec<[f64; 3]> = ureter.iter().copied().filter(|p| scanned(&study, *p)).collect();
            let missed = there.iter().filter(|p| !searched(&region, &study, **p)).count();
            assert!(
                missed * 50 <= there.len(),
                "{missed} of {} points of the {side:?} ureter, {recipe:?}",
                there.len()
            );
        }
        for (side, kidney) in &study.structures.kidneys {
            assert!(searched(&region, &study, kidney.centre_patient_mm), "{side:?} kidney, {recipe:?}");
            let [x, _] = region.midline_at(kidney.centre_patient_mm[2]).expect("a midline");
            assert_eq!(kidney.centre_patient_mm[0] < x, *side == Side::Right, "side by patient coordinates");
        }
        for part in &region.parts {
            let least = if part.part == TractPart::Kidney { 0.75 } else { 0.9 };
            assert!(part.covered.is_some_and(|c| c >= least), "{part:?}, {recipe:?}");
        }
        let spine = &study.structures.spine_axis;
        for p in spine.iter().filter(|p| scanned(&study, **p)).step_by(5) {
            let [x, _] = region.midline_at(p[2]).expect("a midline");
            assert!((x - p[0]).abs() < 15.0, "midline {x} beside the spine {p:?}");
        }
    }
}

#[test]
fn a_chest_covers_upper_kidneys_at_most_and_no_ureter() {
    let study = study(&PhantomRecipe { seed: 41, region: Scan::Chest, ..PhantomRecipe::default() });
    let region = find(&study.volume);
    for part in &region.parts {
        let most = if part.part == TractPart::Kidney { 0.6 } else { 0.0 };
        assert!(part.covered.is_none_or(|c| c <= most), "{part:?}");
    }
    let searched = region.slices.iter().filter(|s| s.is_some()).count();
    assert!(searched * 2 < region.slices.len(), "{searched} of {} slices", region.slices.len());
}

#[test]
fn a_pelvis_covers_the_bladder_and_no_kidney() {
    let study = study(&PhantomRecipe { seed: 42, region: Scan::Pelvis, ..PhantomRecipe::default() });
    let region = find(&study.volume);
    assert_eq!(region.finding, RegionFinding::Levelled);
    for part in &region.parts {
        match part.part {
            TractPart::Kidney => assert!(part.covered.is_some_and(|c| c < 0.2), "{part:?}"),
            TractPart::Bladder => assert!(part.covered.is_some_and(|c| c > 0.9), "{part:?}"),
            _ => {}
        }
    }
}

#[test]
fn a_head_and_empty_air_have_no_trunk() {
    let head = study(&PhantomRecipe { seed: 43, region: Scan::Head, ..PhantomRecipe::default() });
    let region = find(&head.volume);
    assert_eq!(region.finding, RegionFinding::NoTrunk);
    assert!(region.slices.iter().all(Option::is_none) && region.parts.is_empty());
    let air = Volume {
        hu: Array3::from_elem((40, 64, 64), -1000),
        geometry: Affine::axial([0.0; 3], [5.0, 6.0, 6.0]).expect("spans"),
    };
    assert_eq!(find(&air).finding, RegionFinding::NoTrunk);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Whatever the voxels are, a region comes back, one entry for each slice, every box with an inside.
    #[test]
    fn no_volume_makes_the_finder_fail(
        seed in any::<u64>(), shape in (1_usize..30, 1_usize..60, 1_usize..60), spacing in prop::array::uniform3(0.3_f64..12.0),
        coarse_noise in 1_usize..20,
    ) {
        let hu = noise(seed, shape, coarse_noise, -1500..2500);
        let region = find(&Volume { hu, geometry: Affine::axial([-100.0, 30.0, 7.0], spacing).expect("spans") });
        prop_assert_eq!(region.slices.len(), shape.0);
        for b in region.slices.iter().flatten() {
            prop_assert!(b.min_mm[0] < b.max_mm[0] && b.min_mm[1] < b.max_mm[1]);
        }
    }
}
