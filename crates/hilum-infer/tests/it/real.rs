//! The real torso of the shared folder: held out, never trained or tuned on.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use hilum_imaging::frame::Side;
use hilum_imaging::{Affine, Volume};
use hilum_infer::region::{Coarse, RegionFinding, TractPart, find_frame, find_urinary_region};
use hilum_infer::{Model, read_stack};
use ndarray::{Axis, Ix3};
use nifti::{IntoNdArray, NiftiObject, ReaderOptions};

use crate::body::stack_of;

/// A file of the shared folder; absent, the test is skipped (or fails under HILUM_REQUIRE_SHARED=1).
fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HILUM_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(
        !std::env::var("HILUM_REQUIRE_SHARED").is_ok_and(|v| v == "1"),
        "HILUM_REQUIRE_SHARED=1 but {name} is absent"
    );
    println!("SKIPPED: {name} is not in the shared folder");
    None
}

/// A NIfTI volume in HU; its RAS+ affine becomes LPS+.
fn nifti(path: &Path) -> Volume {
    let object = ReaderOptions::new().read_file(path).expect("a NIfTI file");
    let h = object.header();
    let rows = [h.srow_x, h.srow_y, h.srow_z];
    let column = |c: usize| [0, 1, 2].map(|r| f64::from(rows[r][c]) * if r < 2 { -1.0 } else { 1.0 });
    let geometry = Affine::new(column(3), [column(2), column(1), column(0)]).expect("spans");
    let xyz = object.into_volume().into_ndarray::<f32>().expect("numbers").into_dimensionality::<Ix3>().expect("3D");
    Volume { hu: xyz.reversed_axes().mapv(|v| v.round() as i16).as_standard_layout().into_owned(), geometry }
}

#[test]
fn the_levels_of_a_real_torso_are_found() {
    let Some(path) = shared("data/ct-torso-labelled/ct.nii.gz") else { return };
    let volume = nifti(&path);
    let region = find_urinary_region(&Coarse::of_volume(&volume).expect("axial"));
    assert_eq!(region.finding, RegionFinding::Levelled);
    let near = |found: Option<f64>, expected: f64| found.is_some_and(|z| (z - expected).abs() < 15.0);
    // Read off the coronal MIP by eye: iliac crests at z = 273 mm, lung bases at about 405 mm, hip joints at about 145 mm.
    assert!(near(region.landmarks.iliac_crest_z_mm, 273.0), "{:?}", region.landmarks);
    assert!(
        near(region.landmarks.lung_base_z_mm, 405.0) && near(region.landmarks.hip_z_mm, 145.0),
        "{:?}",
        region.landmarks
    );
    for part in &region.parts {
        assert!(part.covered.is_some_and(|c| c > 0.7), "{part:?}");
    }
    // The apparent stones (index x, y, z) lie in the searched region, right and left of the midline.
    for ([x, y, z], right) in [([69.0, 51.0, 62.0], true), ([32.0, 44.0, 81.0], false)] {
        let p = volume.geometry.patient_from_index([z, y, x]);
        let b = region.slices[z as usize].expect("searched");
        assert!((0..2).all(|k| b.min_mm[k] <= p[k] && p[k] <= b.max_mm[k]), "{p:?} in {b:?}");
        assert_eq!(p[0] < region.midline_at(p[2]).expect("a midline")[0], right);
    }
    assert!(matches!(
        region.part_at(volume.geometry.patient_from_index([62.0, 51.0, 69.0])),
        Some(TractPart::ProximalUreter | TractPart::Kidney)
    ));
}

#[test]
fn the_shipped_model_reads_the_real_torso() {
    let Some(path) = shared("data/ct-torso-labelled/ct.nii.gz") else { return };
    let model =
        Model::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/urinary-stone")).expect("the model");
    let volume = nifti(&path);
    let slice = |z: usize| Ok::<_, Infallible>(volume.hu.index_axis(Axis(0), z).to_owned());
    let reading = read_stack(&model, &stack_of(&volume), slice, &mut |_| ControlFlow::Continue(())).expect("a reading");
    for c in &reading.candidates {
        let n = c.voxels.len() as f64;
        let mean = [0, 1, 2].map(|k| c.voxels.iter().map(|v| f64::from(v.index[k])).sum::<f64>() / n);
        let max_hu = c.voxels.iter().map(|v| v.hu).max();
        println!(
            "index (x, y, z) {:.0}, {:.0}, {:.0}: {n} voxels, score {:.3}, HU up to {max_hu:?}",
            mean[2],
            mean[1],
            mean[0],
            c.score()
        );
    }
    let near = |[x, y, z]: [u32; 3]| {
        reading.candidates.iter().any(|c| {
            c.voxels
                .iter()
                .any(|v| v.index[0].abs_diff(z) <= 1 && v.index[1].abs_diff(y) <= 2 && v.index[2].abs_diff(x) <= 2)
        })
    };
    assert!(near([69, 51, 62]), "the apparent stone of the right proximal ureter");
    assert!(reading.candidates.len() <= 40, "{} candidates", reading.candidates.len());
}

/// The labels know the kidneys on slices 82 to 111 only: there the ellipsoids overlap with them, each with its own.
#[test]
fn the_kidneys_of_a_real_torso_lie_where_its_labels_have_them() {
    let Some(path) = shared("data/ct-torso-labelled/ct.nii.gz") else { return };
    const FIRST_LABELLED: usize = 82;
    let volume = nifti(&path);
    let region = find_urinary_region(&Coarse::of_volume(&volume).expect("axial"));
    let frame = find_frame(Coarse::searched(&volume, &region).expect("axial"), &region);
    for (side, name) in [(Side::Right, "kidney_right"), (Side::Left, "kidney_left")] {
        let mask = shared(&format!("data/ct-torso-labelled/masks-fast/{name}.nii.gz")).expect("beside the CT");
        let mask = nifti(&mask).hu;
        let kidney = frame.kidneys[side.index()].expect("a kidney");
        let (mut labelled, mut inside, mut both) = (0, 0, 0);
        for ((z, y, x), label) in mask.indexed_iter() {
            let p = volume.geometry.patient_from_index([z + FIRST_LABELLED, y, x].map(|i| i as f64));
            let in_ellipsoid = kidney.body.outside_mm(p) <= 0.0;
            labelled += usize::from(*label > 0);
            inside += usize::from(in_ellipsoid);
            both += usize::from(*label > 0 && in_ellipsoid);
        }
        let dice = 2.0 * f64::from(both as u32) / (labelled + inside) as f64;
        println!("{name}: Dice {dice:.3} of an ellipsoid on the labelled slices");
        assert!(dice > 0.6, "{name}: {dice}");
    }
    assert!(frame.bladder.is_some() && frame.pelvis.is_some_and(|p| p.hips_seen));
}
