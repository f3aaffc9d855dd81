//! The anatomical frame against the truth of synthetic patients.

use hilum_imaging::frame::{AnatomicalFrame, Side};
use hilum_imaging::phantom::{
    Contrast, PatientPosition, PhantomRecipe, PhantomStudy, Region as Scan, StonePlan, generate,
};
use hilum_imaging::vector::distance;
use hilum_imaging::{Affine, Volume};
use hilum_infer::region::{Coarse, find_frame, find_urinary_region};
use proptest::prelude::*;

use crate::body::stored;
use crate::noise::noise;

fn study(recipe: &PhantomRecipe) -> PhantomStudy {
    let quick = PhantomRecipe { matrix: 256, stones: StonePlan::Count(2), ..recipe.clone() };
    generate(&quick).expect("a patient")
}

fn frame_of(volume: &Volume) -> AnatomicalFrame {
    let region = find_urinary_region(&Coarse::of_volume(volume).expect("axial"));
    find_frame(Coarse::searched(volume, &region).expect("axial"), &region)
}

/// Bodies that had no part in the design; one lies prone, one feet first, one is mirrored and shifted, one has contrast medium and thick slices.
fn bodies() -> [PhantomRecipe; 4] {
    let base = |seed| PhantomRecipe { seed, ..PhantomRecipe::default() };
    [
        PhantomRecipe { position: PatientPosition::HeadFirstProne, ..base(61) },
        PhantomRecipe { position: PatientPosition::FeetFirstSupine, ..base(62) },
        PhantomRecipe { mirrored: true, shift_mm: [25.0, -15.0, 10.0], ..base(63) },
        PhantomRecipe { contrast: Contrast::Portal, slice_thickness_mm: 5.0, ..base(64) },
    ]
}

#[test]
fn kidneys_bladder_and_ureters_are_found_in_patient_coordinates_in_every_pose() {
    for recipe in bodies() {
        let study = study(&recipe);
        let frame = frame_of(&study.volume);
        let bladder = frame.bladder.expect("a bladder");
        let truth = study.structures.bladder.expect("a bladder");
        assert!(distance(bladder.centre, truth.centre_patient_mm) < 10.0, "{bladder:?} {truth:?} {recipe:?}");
        for side in Side::BOTH {
            let Some(truth) = study.structures.kidneys.get(&side) else { continue };
            let kidney = frame.kidneys[side.index()].unwrap_or_else(|| panic!("{side:?} kidney, {recipe:?}"));
            let off = distance(kidney.body.centre, truth.centre_patient_mm);
            assert!(off < 15.0, "{side:?} kidney {off:.1} mm off, {recipe:?}");
            let course = frame.ureters[side.index()].as_ref().expect("a course");
            assert!(course.from_kidney && course.to_bladder);
            let ureter = &study.structures.ureters[&side];
            let beside = ureter.iter().map(|p| course.beside(*p).expect("points"));
            let outside = beside.filter(|b| b.distance_mm > 2.5 * b.sigma_mm).count();
            assert!(outside * 20 <= ureter.len(), "{outside} of {} points, {side:?}, {recipe:?}", ureter.len());
        }
    }
}

#[test]
fn the_frame_does_not_depend_on_how_the_slices_are_stored() {
    let volume = study(&PhantomRecipe { seed: 65, slice_thickness_mm: 3.0, ..PhantomRecipe::default() }).volume;
    let reference = frame_of(&volume);
    for (flips, transposed) in
        [([true, false, false], false), ([false, true, true], false), ([true, true, false], true)]
    {
        let other = frame_of(&stored(&volume, flips, transposed));
        let near = |a: [f64; 3], b: [f64; 3]| assert!(distance(a, b) < 4.0, "{a:?} {b:?} {flips:?}");
        for side in Side::BOTH.map(Side::index) {
            near(
                other.kidneys[side].expect("a kidney").body.centre,
                reference.kidneys[side].expect("a kidney").body.centre,
            );
        }
        near(other.bladder.expect("a bladder").centre, reference.bladder.expect("a bladder").centre);
        near(other.pelvis.expect("a pelvis").origin, reference.pelvis.expect("a pelvis").origin);
    }
}

#[test]
fn a_chest_has_no_pelvis_no_ureter_and_no_bladder() {
    let study = study(&PhantomRecipe { seed: 66, region: Scan::Chest, ..PhantomRecipe::default() });
    let frame = frame_of(&study.volume);
    assert!(frame.pelvis.is_none() && frame.bladder.is_none() && frame.ureters.iter().all(Option::is_none));
}

#[test]
fn a_pelvis_has_a_bladder_and_no_kidney() {
    let study = study(&PhantomRecipe { seed: 67, region: Scan::Pelvis, ..PhantomRecipe::default() });
    let frame = frame_of(&study.volume);
    assert!(frame.bladder.is_some() && frame.pelvis.is_some_and(|p| p.hips_seen));
    assert!(frame.kidneys.iter().all(Option::is_none), "{:?}", frame.kidneys);
    assert!(frame.ureters.iter().flatten().all(|course| !course.from_kidney && course.to_bladder));
}

#[test]
fn a_scan_that_ends_below_the_iliac_crests_has_its_bladder_by_the_hip_joints() {
    for seed in 68..72 {
        let low =
            PhantomRecipe { seed, heights_mm: Some([-20.0, 150.0]), slice_thickness_mm: 2.0, ..Default::default() };
        let study = study(&low);
        let frame = frame_of(&study.volume);
        assert!(frame.pelvis.as_ref().is_some_and(|p| p.hips_seen), "{seed}: {:?}", frame.pelvis);
        let (bladder, truth) = (frame.bladder.expect("a bladder"), study.structures.bladder.expect("a bladder"));
        assert!(distance(bladder.centre, truth.centre_patient_mm) < 10.0, "{seed}: {bladder:?} {truth:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever the voxels are, a frame comes back.
    #[test]
    fn no_volume_makes_the_finder_fail(
        seed in any::<u64>(), shape in (1_usize..24, 1_usize..70, 1_usize..70), spacing in prop::array::uniform3(0.8_f64..12.0),
        coarse_noise in 1_usize..20,
    ) {
        let hu = noise(seed, shape, coarse_noise, -1100..1300);
        let volume = Volume { hu, geometry: Affine::axial([-100.0, 30.0, 7.0], spacing).expect("spans") };
        let frame = frame_of(&volume);
        for kidney in frame.kidneys.iter().flatten() {
            prop_assert!(kidney.body.radii.iter().all(|r| r.is_finite() && *r > 0.0));
        }
    }
}
