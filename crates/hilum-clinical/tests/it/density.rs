//! Stones measured by their density, against simulated stones whose size is known (synthetic throughout).

use hilum_clinical::urinary_stone::density::{DensityMeasure, stones_of_patch};
use hilum_clinical::urinary_stone::{
    Candidate, CandidateVoxel, Density, MeasuredBy, PointSpread, Stone, TractReference, measure_by_density, patch_boxes,
};
use hilum_imaging::phantom::{Kernel, StoneScan, Surroundings, scan_stone};
use hilum_imaging::{Affine, Volume};
use ndarray::Array3;
use serde_json::json;

use crate::oracle;
use crate::trial::{Mark, Outcome, drawn, marked, measured, measured_all, patches, reoriented, spread, wilson};

/// Seeds of the tests; the intervals were calibrated on others.
fn scans(base: u64, n: u64, diameter: [f64; 2], thickness_mm: f64) -> Vec<StoneScan> {
    (0..n).map(|i| drawn(7_000_000 + base * 10_000 + i, diameter, thickness_mm)).collect()
}

fn share(outcomes: &[Outcome], holds: impl Fn(&Outcome, &DensityMeasure) -> bool) -> (f64, f64, f64) {
    let hits = outcomes.iter().filter(|o| o.measure.as_ref().is_some_and(|m| holds(o, m))).count();
    wilson(hits, outcomes.len())
}

#[test]
fn from_4_mm_up_on_slices_up_to_1_5_mm_the_diameter_is_right_to_a_voxel_and_the_volume_to_15_percent() {
    for thickness in [1.0, 1.5] {
        let outcomes = measured_all(&scans((10.0 * thickness) as u64, 80, [4.0, 14.0], thickness), Mark::Truth);
        let diameter = share(&outcomes, |o, m| {
            (m.largest_diameter_mm - o.truth.stone.largest_diameter_mm).abs()
                <= o.scan.slice_spacing_mm.max(o.scan.pixel_mm)
        });
        assert_eq!(diameter.0, 1.0, "{thickness} mm: {diameter:?}");
        let in_planes = share(&outcomes, |o, m| {
            // The axial plane has the pixels alone.
            (m.axial_diameter_mm - o.truth.axial_diameter_mm).abs() <= o.scan.pixel_mm
                && (m.width_mm - o.truth.width_mm).abs() <= 1.5 * o.scan.pixel_mm
                && (m.coronal_diameter_mm - o.truth.coronal_diameter_mm).abs() <= thickness.max(o.scan.pixel_mm)
        });
        assert!(in_planes.0 >= 0.95, "{thickness} mm: {in_planes:?}");
        let volume = share(&outcomes, |o, m| (m.volume_mm3 / o.truth.stone.volume_mm3 - 1.0).abs() <= 0.15);
        assert!(volume.0 >= 0.95, "{thickness} mm: {volume:?}");
        let dense = share(&outcomes, |o, m| (m.core_hu.value / o.truth.stone.mean_hu - 1.0).abs() <= 0.15);
        assert!(dense.0 >= 0.95, "{thickness} mm: {dense:?}");
    }
}

#[test]
fn the_intervals_hold_the_truth_in_95_percent_of_cases_also_on_slices_of_3_and_5_mm() {
    for (base, thickness) in [(11, 1.0), (12, 3.0), (13, 5.0)] {
        let mut outcomes = measured_all(&scans(base, 120, [2.0, 14.0], thickness), Mark::Dilated);
        outcomes.retain(|o| o.measure.is_some());
        assert!(outcomes.len() >= 90, "{thickness} mm: {} stones stand out", outcomes.len());
        let diameter = share(&outcomes, |o, m| {
            let truth = o.truth.stone.largest_diameter_mm;
            m.diameter_interval_mm.low <= truth && truth <= m.diameter_interval_mm.high
        });
        let volume = share(&outcomes, |o, m| {
            let truth = o.truth.stone.volume_mm3;
            m.volume_interval_mm3.low <= truth && truth <= m.volume_interval_mm3.high
        });
        assert!(diameter.0 >= 0.95 && volume.0 >= 0.95, "{thickness} mm: {diameter:?} {volume:?}");
        // Not by stating everything: thin slices leave little open.
        let wide = |o: &Outcome| {
            o.measure.as_ref().is_some_and(|m| m.diameter_interval_mm.high > 1.35 * m.diameter_interval_mm.low)
        };
        let large: Vec<&Outcome> = outcomes.iter().filter(|o| o.scan.diameter_mm >= 5.0).collect();
        if thickness < 2.0 {
            assert!(large.iter().all(|o| !wide(o)), "an interval of a stone from 5 mm up is wide");
        }
    }
}

#[test]
fn a_mark_that_is_too_large_or_too_small_gives_the_same_size_to_a_fifth_of_a_voxel() {
    for scan in scans(21, 12, [3.0, 12.0], 1.25).into_iter().chain(scans(22, 12, [4.0, 12.0], 4.0)) {
        let of = |mark| measured(scan, mark).measure.unwrap_or_else(|| panic!("it stands out: {scan:?}"));
        let (truth, dilated, eroded) = (of(Mark::Truth), of(Mark::Dilated), of(Mark::Eroded));
        for other in [dilated, eroded] {
            let diameter = (other.largest_diameter_mm - truth.largest_diameter_mm).abs();
            let volume = (other.volume_mm3 / truth.volume_mm3 - 1.0).abs();
            let voxel = scan.slice_spacing_mm.max(scan.pixel_mm);
            assert!(diameter <= 0.2 * voxel && volume <= 0.15, "{diameter} {volume} {scan:?}");
        }
    }
}

/// A scan without noise, so that only the geometry decides.
fn quiet(seed: u64, diameter_mm: f64) -> StoneScan {
    StoneScan {
        seed,
        diameter_mm,
        hu: 900.0,
        slice_thickness_mm: 1.25,
        slice_spacing_mm: 1.25,
        pixel_mm: 0.7,
        kernel: Kernel::Soft,
        noise_hu: 0.0,
        surroundings: Surroundings::Urine,
    }
}

#[test]
fn a_stack_seen_from_any_side_gives_the_same_stone() {
    for seed in 0..4 {
        let scan = StoneScan { noise_hu: 15.0, ..quiet(seed, 6.5) };
        let scanned = scan_stone(&scan).expect("a scan");
        let sizes = |volume: &Volume, marks: Candidate| {
            let candidates = [marks];
            let patch = patches(volume, &candidates).remove(0);
            let stones = stones_of_patch(&candidates, &patch, &volume.geometry, &spread(&scan));
            assert_eq!(stones.len(), 1);
            stones[0].measure.clone().expect("it stands out")
        };
        let reference = sizes(&scanned.volume, marked(&scanned, Mark::Truth));
        // Coronal and sagittal stacks and flipped ones: what is first in the array may run anywhere in the patient.
        for (order, flipped) in
            [([0, 1, 2], [true, false, false]), ([0, 2, 1], [false, true, false]), ([0, 1, 2], [true, true, true])]
        {
            let volume = reoriented(&scanned.volume, order, flipped);
            let voxels = marked(&scanned, Mark::Truth).voxels.into_iter().map(|v| {
                let place = scanned.volume.geometry.patient_from_index(v.index.map(f64::from));
                CandidateVoxel { index: volume.geometry.index_from_patient(place).map(|i| i.round() as u32), ..v }
            });
            let other = sizes(&volume, Candidate { voxels: voxels.collect() });
            for (a, b) in [
                (reference.largest_diameter_mm, other.largest_diameter_mm),
                (reference.axial_diameter_mm, other.axial_diameter_mm),
                (reference.coronal_diameter_mm, other.coronal_diameter_mm),
                (reference.volume_mm3, other.volume_mm3),
                (reference.core_hu.value, other.core_hu.value),
                (reference.diameter_interval_mm.high, other.diameter_interval_mm.high),
            ] {
                assert!((a / b - 1.0).abs() < 0.02, "{order:?} {flipped:?}: {reference:?} {other:?}");
            }
            for k in 0..3 {
                assert!((reference.centre_mm[k] - other.centre_mm[k]).abs() < 0.05);
            }
        }
    }
}

/// A volume in the patient's axes with balls in water: `[x, y, z]` mm, radius mm, HU. Partial volume by sampling each voxel, in-plane blur left out.
fn balls(spacing: [f64; 3], balls: &[([f64; 3], f64, f64)]) -> Volume {
    let dim = spacing.map(|s| (44.0 / s) as usize);
    let geometry = Affine::axial([0.0; 3], spacing).expect("three directions");
    const FINE: usize = 6;
    let hu = Array3::from_shape_fn((dim[0], dim[1], dim[2]), |(z, y, x)| {
        let mut sum = 0.0;
        for i in 0..FINE.pow(3) {
            let at = [i / (FINE * FINE), i / FINE % FINE, i % FINE].map(|k| (k as f64 + 0.5) / FINE as f64 - 0.5);
            let p = geometry.patient_from_index([z as f64 + at[0], y as f64 + at[1], x as f64 + at[2]]);
            let inside =
                |(c, r, _): &&([f64; 3], f64, f64)| (0..3).map(|k| (p[k] - c[k]).powi(2)).sum::<f64>() <= r * r;
            sum += balls.iter().find(inside).map_or(0.0, |(_, _, hu)| *hu);
        }
        (sum / FINE.pow(3) as f64).round() as i16
    });
    Volume { hu, geometry }
}

/// All voxels above `level` HU as one candidate, or split at patient x.
fn above(volume: &Volume, level: i16, split_x: Option<f64>) -> Vec<Candidate> {
    let mut sides = [Candidate::default(), Candidate::default()];
    for ((z, y, x), hu) in volume.hu.indexed_iter().filter(|(_, hu)| **hu >= level) {
        let place = volume.geometry.patient_from_index([z as f64, y as f64, x as f64])[0];
        let side = usize::from(split_x.is_some_and(|split| place > split));
        sides[side].voxels.push(CandidateVoxel { index: [z, y, x].map(|i| i as u32), score: 0.8, hu: *hu });
    }
    sides.into_iter().filter(|c| !c.voxels.is_empty()).collect()
}

fn stones(volume: &Volume, candidates: Vec<Candidate>) -> Vec<Stone> {
    let patches = patches(volume, &candidates);
    let spread = PointSpread { in_plane_fwhm_mm: 0.3, slice_thickness_mm: volume.geometry.spacing_mm()[0] };
    let density = Density { patches: &patches, spread };
    measure_by_density(candidates, &volume.geometry, &density, &TractReference::default())
        .into_iter()
        .map(|reading| reading.stone)
        .collect()
}

#[test]
fn one_stone_in_two_marks_is_one_and_two_stones_in_one_mark_are_two() {
    let spacing = [1.0, 0.7, 0.7];
    // A mark that broke in two: one stone.
    let lone = balls(spacing, &[([20.0, 21.0, 22.0], 4.0, 900.0)]);
    let parts = above(&lone, 300, Some(20.0));
    assert_eq!(parts.len(), 2);
    let whole = stones(&lone, parts);
    assert_eq!(whole.len(), 1);
    assert!((whole[0].largest_diameter_mm.expect("mm") - 8.0).abs() < 0.4, "{whole:?}");
    // Two balls that overlap have no valley: one stone.
    let joined = balls(spacing, &[([19.0, 21.0, 22.0], 3.0, 900.0), ([23.0, 21.0, 22.0], 3.0, 700.0)]);
    let one = stones(&joined, above(&joined, 300, Some(21.0)));
    assert_eq!(one.len(), 1);
    assert!((one[0].largest_diameter_mm.expect("mm") - 10.0).abs() < 0.7, "{one:?}");
    // Two balls 3 mm apart under one mark have a clear one: two stones, and each keeps its marked voxels.
    let apart = balls(spacing, &[([17.0, 21.0, 22.0], 3.0, 900.0), ([26.0, 21.0, 22.0], 2.5, 500.0)]);
    let mark = above(&apart, -100, None).remove(0).voxels.into_iter().filter(|v| {
        let [x, y, z] = apart.geometry.patient_from_index(v.index.map(f64::from));
        (13.0..30.0).contains(&x) && (y - 21.0).hypot(z - 22.0) < 3.5
    });
    let mark = Candidate { voxels: mark.collect() };
    let count = mark.voxels.len() as u32;
    let two = stones(&apart, vec![mark]);
    assert_eq!(two.len(), 2);
    assert_eq!(two.iter().map(|s| s.voxels).sum::<u32>(), count);
    for (stone, truth) in two.iter().zip([6.0, 5.0]) {
        assert!((stone.largest_diameter_mm.expect("mm") - truth).abs() < 0.5, "{stone:?}");
    }
}

#[test]
fn bone_and_another_stone_nearby_do_not_change_a_stone() {
    let spacing = [1.25, 0.75, 0.75];
    let place = [20.0, 20.0, 20.0];
    let alone = balls(spacing, &[(place, 3.0, 800.0)]);
    let crowded =
        balls(spacing, &[(place, 3.0, 800.0), ([20.0, 38.0, 20.0], 11.0, 600.0), ([12.0, 20.0, 20.0], 2.0, 1200.0)]);
    let near = |volume: &Volume| {
        let mut marks = above(volume, 400, None).remove(0);
        marks.voxels.retain(|v| {
            let p = volume.geometry.patient_from_index(v.index.map(f64::from));
            (0..3).map(|k| (p[k] - place[k]).powi(2)).sum::<f64>() < 16.0
        });
        marks
    };
    let (one, other) = (stones(&alone, vec![near(&alone)]), stones(&crowded, vec![near(&crowded)]));
    assert_eq!((one.len(), other.len()), (1, 1));
    let ratio = |f: fn(&Stone) -> Option<f64>| f(&other[0]).expect("mm") / f(&one[0]).expect("mm");
    assert!((ratio(|s| s.largest_diameter_mm) - 1.0).abs() < 0.03, "{one:?} {other:?}");
    assert!((ratio(|s| s.volume_mm3) - 1.0).abs() < 0.06, "{one:?} {other:?}");
}

#[test]
fn what_does_not_stand_out_is_measured_by_its_mark_and_says_so() {
    let flat = balls([1.0, 0.7, 0.7], &[([20.0, 20.0, 20.0], 3.0, 15.0)]);
    let found = stones(&flat, above(&flat, 10, None));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].measured_by, MeasuredBy::Mask);
    assert!(found[0].largest_diameter_mm.is_some_and(|d| d > 5.0));
    assert_eq!((found[0].largest_diameter_interval_mm, found[0].volume_interval_mm3), (None, None));
    assert_eq!((found[0].axial_diameter_mm, found[0].width_mm, found[0].core_hu), (None, None, None));
}

#[test]
fn the_density_of_the_stone_itself_is_a_mean_where_voxels_are_filled_and_an_estimate_where_none_is() {
    let large = stones(
        &balls([1.0, 0.7, 0.7], &[([20.0; 3], 4.0, 900.0)]),
        above(&balls([1.0, 0.7, 0.7], &[([20.0; 3], 4.0, 900.0)]), 300, None),
    );
    let core = large[0].core_hu.expect("a core");
    assert!(!core.estimated && (core.value - 900.0).abs() < 10.0, "{core:?}");
    assert!(large[0].hu.mean < core.value && f64::from(large[0].hu.max) <= 901.0);
    let thick = balls([5.0, 0.7, 0.7], &[([20.0, 20.0, 20.0], 1.8, 900.0)]);
    let small = stones(&thick, above(&thick, 200, None));
    let core = small[0].core_hu.expect("a core");
    assert!(core.estimated && core.value > f64::from(small[0].hu.max), "{core:?} {:?}", small[0].hu);
}

#[test]
fn a_stone_of_an_older_report_reads_without_what_it_did_not_have() {
    let old = json!({
        "number": 1, "side": "left", "part": "ureter", "centre_index": [1.0, 2.0, 3.0], "centre_mm": [1.0, 2.0, 3.0],
        "largest_diameter_mm": 5.0, "volume_mm3": 40.0, "voxels": 60, "hu": {"mean": 700.0, "max": 900, "sd": 90.0}, "score": 0.9,
        "slices": {"first": 1, "last": 4, "key": 2, "table_position_mm": 3.0}, "bounding_box": {"min": [1, 1, 1], "max": [4, 4, 4]}
    });
    let stone: Stone = serde_json::from_value(old).expect("a stone");
    assert_eq!((stone.measured_by, stone.width_mm, stone.largest_diameter_interval_mm), (MeasuredBy::Mask, None, None));
}

#[test]
fn patches_hold_background_and_close_candidates_share_one() {
    let geometry = Affine::axial([0.0; 3], [2.0, 0.8, 0.8]).expect("three directions");
    let at = |z, y, x| Candidate { voxels: vec![CandidateVoxel { index: [z, y, x], score: 0.5, hu: 500 }] };
    let far = vec![at(50, 100, 100), at(50, 100, 200), at(0, 0, 511)];
    let boxes = patch_boxes(&far, &geometry, [100, 512, 512]);
    assert_eq!(boxes.len(), 3);
    assert_eq!((boxes[0].min, boxes[0].max), ([46, 90, 90], [54, 110, 110]));
    assert_eq!((boxes[2].min, boxes[2].max), ([0, 0, 501], [4, 10, 511]));
    assert_eq!(patch_boxes(&[at(50, 100, 100), at(52, 104, 108)], &geometry, [100, 512, 512]).len(), 1);
    // Longer than any stone: by its mask.
    let long =
        Candidate { voxels: (0..200).map(|x| CandidateVoxel { index: [5, 5, x], score: 0.5, hu: 500 }).collect() };
    assert!(patch_boxes(&[long], &geometry, [100, 512, 512]).is_empty());
}

/// scikit-image puts the surface at half height on the same voxels and SciPy measures it (largest distance over the convex hull); ndimage counts pieces.
const ORACLE: &str = "
import json, sys
import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from skimage.measure import marching_cubes, mesh_surface_area
out = []
for case in json.load(sys.stdin):
    hu = np.array(case['hu'], float).reshape(case['shape']); level = case['level']
    labels, pieces = ndimage.label(hu >= level, np.ones((3, 3, 3)))
    hu = np.where(ndimage.binary_dilation(labels == labels[tuple(case['peak'])], np.ones((3, 3, 3))), hu, 0)
    verts, faces, _, _ = marching_cubes(hu, level, spacing=case['spacing'])
    hull = verts[ConvexHull(verts).vertices]
    a, b, c = verts[faces[:, 0]], verts[faces[:, 1]], verts[faces[:, 2]]
    out.append(dict(pieces=int(pieces), diameter=float(pdist(hull).max()),
        volume=float(abs(np.einsum('ij,ij->i', a, np.cross(b, c)).sum() / 6))))
print(json.dumps(out))
";

#[test]
fn large_stones_without_noise_are_what_scikit_image_and_scipy_measure() {
    let mut cases = Vec::new();
    let mut ours = Vec::new();
    for seed in 40..46 {
        let scan = quiet(seed, 11.0 + (seed % 3) as f64);
        let scanned = scan_stone(&scan).expect("a scan");
        let candidates = [marked(&scanned, Mark::Truth)];
        let patch = patches(&scanned.volume, &candidates).remove(0);
        let stones = stones_of_patch(&candidates, &patch, &scanned.volume.geometry, &spread(&scan));
        let measure = stones[0].measure.clone().expect("it stands out");
        let ((z, y, x), _) = patch.hu.indexed_iter().max_by_key(|(_, hu)| **hu).expect("voxels");
        // Urine has 5 HU.
        let level = 5.0 + 0.5 * (measure.core_hu.value - 5.0);
        cases.push(json!({
            "hu": patch.hu.iter().collect::<Vec<_>>(), "shape": patch.hu.shape(), "level": level, "peak": [z, y, x],
            "spacing": scanned.volume.geometry.spacing_mm(),
        }));
        ours.push((stones.len(), measure));
    }
    let Some(answers) = oracle::ask(ORACLE, &cases.into()) else { return };
    for ((count, ours), theirs) in ours.iter().zip(answers.as_array().expect("a list")) {
        assert_eq!(*count as u64, theirs["pieces"].as_u64().expect("a number"));
        let near = |ours: f64, key: &str, tolerance: f64| {
            let theirs = theirs[key].as_f64().expect("a number");
            assert!((ours / theirs - 1.0).abs() <= tolerance, "{key}: {ours} is not {theirs}");
        };
        // Ours takes back what blur and sampling took from so large a stone.
        near(ours.largest_diameter_mm, "diameter", 0.03);
        near(ours.volume_mm3, "volume", 0.06);
    }
}
