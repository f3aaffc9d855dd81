//! Slice stacks: real ones with known faults, and generated ones in any pose.

use std::path::Path;

use hilum_dicom::geometry::{AnatomicalPlane, GeometryFinding, SlicePlacement, StackCheck, check_stack};
use hilum_dicom::read_facts;
use hilum_dicom::uid::{SeriesUid, SopUid};
use proptest::prelude::*;

use crate::oracle::{files, python, shared};

fn check_folder(folder: &Path) -> StackCheck {
    let placements: Vec<SlicePlacement> = files(folder)
        .iter()
        .filter_map(|path| read_facts(&std::fs::read(path).unwrap()).ok())
        .flat_map(|facts| SlicePlacement::of(&facts))
        .collect();
    check_stack(&placements)
}

fn codes(check: &StackCheck) -> Vec<&'static str> {
    check.findings.iter().map(GeometryFinding::code).collect()
}

fn refused(check: &StackCheck, expected: &[&str]) {
    assert_eq!(codes(check), expected, "{:?}", check.findings);
    assert!(!check.volume_allowed());
    assert_eq!(check.affine, None);
    for finding in &check.findings {
        assert!(finding.in_english().is_ascii() && finding.in_english().len() > 20);
        assert!(finding.in_korean().chars().any(|c| ('가'..='힣').contains(&c)));
    }
}

/// An even axial stack, foot to head.
fn stack(count: usize, spacing: f64) -> Vec<SlicePlacement> {
    (0..count)
        .map(|i| SlicePlacement {
            series: SeriesUid::from_u128(1),
            sop: SopUid::from_u128(i as u128 + 1),
            frame: 0,
            position: Some([-100.0, -120.0, -700.0 + spacing * i as f64]),
            orientation: Some([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
            pixel_spacing: Some([0.7, 0.6]),
            rows: 512,
            columns: 512,
            gantry_tilt: None,
        })
        .collect()
}

fn at(mut slices: Vec<SlicePlacement>, z: &[f64]) -> Vec<SlicePlacement> {
    slices.truncate(z.len());
    for (slice, z) in slices.iter_mut().zip(z) {
        slice.position = Some([0.0, 0.0, *z]);
    }
    slices
}

#[test]
fn the_real_chest_of_275_slices_is_accepted_at_one_millimetre() {
    let Some(folder) = shared("ct-chest-lidc0314") else { return };
    let check = check_folder(&folder);
    assert_eq!(codes(&check), Vec::<&str>::new());
    let affine = check.affine.unwrap();
    assert_eq!((check.order.len(), check.plane), (275, Some(AnatomicalPlane::Axial)));
    assert!((check.slice_spacing_mm.unwrap() - 1.0).abs() < 1e-6);
    assert_eq!(check.in_plane_mm, Some([0.78125, 0.78125]));
    // pydicom 3.0.2: lowest slice at z = -679.800049, uppermost at -405.800049.
    for (index, z) in [(0.0, -679.800049), (274.0, -405.800049)] {
        let patient = affine.patient_from_index([index, 10.0, 20.0]);
        let expected = [-201.0 + 20.0 * 0.78125, -59.0 + 10.0 * 0.78125, z];
        assert!(patient.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{patient:?}");
    }
}

#[test]
fn a_real_head_with_tilt_and_mixed_spacing_is_refused_while_its_in_plane_millimetres_stay() {
    let Some(folder) = shared("ct-head-ge") else { return };
    let check = check_folder(&folder);
    refused(&check, &["mixed_slice_spacing", "gantry_tilt"]);
    let Some(GeometryFinding::MixedSliceSpacing { spacings_mm }) = check.findings.first() else { panic!() };
    // Steps of 4.22 and 7.38 mm along z are 4 and 7 mm along the normal.
    assert!(spacings_mm.iter().zip([4.0, 7.0]).all(|(a, b)| (a - b).abs() < 0.02), "{spacings_mm:?}");
    let Some(GeometryFinding::GantryTilt { degrees }) = check.findings.last() else { panic!() };
    assert!((degrees - 18.5).abs() < 0.1, "{degrees}");
    assert_eq!(check.in_plane_mm, Some([0.4882812, 0.4882812]));
    assert_eq!(check.slice_spacing_mm, None);
}

#[test]
fn a_tilted_gantry_is_refused_before_any_millimetre_is_printed() {
    let Some(folder) = shared("dicom-geometry/tests/data/failing") else { return };
    let tilted = check_folder(&folder.join("gantrytilting"));
    refused(&tilted, &["gantry_tilt"]);
    let Some(GeometryFinding::GantryTilt { degrees }) = tilted.findings.first() else { panic!() };
    // asin of the orientation's 0.2419, which its header's tilt tag does not state.
    assert!((degrees - 14.0).abs() < 0.01, "{degrees}");
}

#[test]
fn missing_slices_and_slices_at_one_place_are_named_with_their_numbers() {
    let Some(folder) = shared("dicom-geometry/tests/data/failing") else { return };
    let gap = check_folder(&folder.join("sliceincrement/001"));
    refused(&gap, &["gap"]);
    let Some(GeometryFinding::Gap { after: 2, missing_mm }) = gap.findings.first() else { panic!("{gap:?}") };
    assert!((missing_mm - 5.0).abs() < 1e-3);
    refused(&check_folder(&folder.join("sliceincrement/002")), &["gap", "gantry_tilt"]);
    let one_place = check_folder(&folder.join("notavolume"));
    refused(&one_place, &["duplicate"]);
    assert_eq!(one_place.findings, [GeometryFinding::Duplicate { positions: vec![61.5] }]);
}

#[test]
fn a_series_of_two_planes_is_mixed() {
    let Some(folder) = shared("dicom-geometry/tests/data/failing/sliceorientation") else { return };
    let check = check_folder(&folder);
    assert!(codes(&check).contains(&"mixed_orientation"), "{:?}", check.findings);
    assert!(!check.volume_allowed());
    assert_eq!(check.plane, None);
}

#[test]
fn a_sagittal_volume_has_the_corners_of_its_nifti_ground_truth() {
    let Some(folder) = shared("dicom-geometry/tests/data/generic") else { return };
    let check = check_folder(&folder.join("compressed/001"));
    let affine = check.affine.expect("an even stack");
    assert_eq!(check.plane, Some(AnatomicalPlane::Sagittal));
    let script = "import sys, itertools, nibabel, numpy\n\
        image = nibabel.load(sys.argv[1])\n\
        for index in itertools.product(*[(0, n - 1) for n in image.shape]):\n\
        \x20   x, y, z, _ = image.affine @ numpy.array([*index, 1.0])\n\
        \x20   print(-x, -y, z)";
    let Some(said) = python(script, &[&folder.join("compressed/001_ground_truth.nii.gz")]) else { return };
    let mut theirs: Vec<Vec<f64>> =
        said.lines().map(|line| line.split(' ').map(|v| v.parse().unwrap()).collect()).collect();
    let corner = |i: usize| {
        let pick = |bit: usize, last: f64| if i & bit != 0 { last } else { 0.0 };
        affine.patient_from_index([pick(4, 3.0), pick(2, 255.0), pick(1, 255.0)]).to_vec()
    };
    let mut ours: Vec<Vec<f64>> = (0..8).map(corner).collect();
    for corners in [&mut theirs, &mut ours] {
        corners.sort_by_key(|c| (c[0] as i64, c[1] as i64, c[2] as i64));
    }
    for (a, b) in ours.iter().flatten().zip(theirs.iter().flatten()) {
        assert!((a - b).abs() < 1e-3, "{ours:?} {theirs:?}");
    }
}

#[test]
fn frames_of_enhanced_multi_frame_objects_lie_where_pydicom_says() {
    let Some(folder) = shared("dicom-conformance") else { return };
    let script = "import sys, os, pydicom, logging\n\
        logging.disable(50)\n\
        for root, _, names in os.walk(sys.argv[1]):\n\
        \x20   for name in names:\n\
        \x20       path = os.path.join(root, name)\n\
        \x20       try: ds = pydicom.dcmread(path, stop_before_pixels=True)\n\
        \x20       except Exception: continue\n\
        \x20       if ds.get('Modality') not in ('CT', 'MR') or 'PerFrameFunctionalGroupsSequence' not in ds: continue\n\
        \x20       for i, group in enumerate(ds.PerFrameFunctionalGroupsSequence):\n\
        \x20           p = group.get('PlanePositionSequence')\n\
        \x20           p = p[0].get('ImagePositionPatient') if p else None\n\
        \x20           if p: print(path, i, *map(float, p), sep='\\t')";
    let Some(said) = python(script, &[&folder]) else { return };
    let mut checked = std::collections::BTreeMap::new();
    for line in said.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let frames = checked
            .entry(fields[0].to_owned())
            .or_insert_with(|| SlicePlacement::of(&read_facts(&std::fs::read(fields[0]).unwrap()).unwrap()));
        let slice = &frames[fields[1].parse::<usize>().unwrap()];
        let expected: Vec<f64> = fields[2..].iter().map(|v| v.parse().unwrap()).collect();
        assert_eq!(slice.position.unwrap().to_vec(), expected, "{}", fields[0]);
        assert!(slice.orientation.is_some() && slice.pixel_spacing.is_some());
    }
    assert!(checked.len() >= 3, "{}", checked.len());
}

#[test]
fn rounding_of_positions_is_tolerated_and_a_drift_is_not() {
    let rounded: Vec<f64> = (0..60).map(|i| (f64::from(i) * 0.625 * 100.0).round() / 100.0).collect();
    assert!(check_stack(&at(stack(60, 1.0), &rounded)).volume_allowed());
    let drifting: Vec<f64> = (0..60).map(|i| f64::from(i) + f64::from(i * i) * 2e-4).collect();
    let check = check_stack(&at(stack(60, 1.0), &drifting));
    refused(&check, &["uneven_spacing"]);
    assert_eq!(check.in_plane_mm, Some([0.7, 0.6]));
}

#[test]
fn each_fault_along_z_has_its_name() {
    let cases: [(&[f64], &[&str]); 6] = [
        (&[0.0, 5.0, 10.0, 20.0, 25.0, 30.0], &["gap"]),
        (&[0.0, 5.0, 10.0, 22.3, 27.3, 32.3], &["gap"]),
        (&[0.0, 4.0, 8.0, 12.0, 19.0, 26.0, 33.0], &["mixed_slice_spacing"]),
        (&[0.0, 1.0, 2.7, 3.1, 6.0], &["uneven_spacing"]),
        (&[0.0, 5.0, 5.0, 10.0, 15.0], &["duplicate"]),
        (&[0.0, 5.0, 10.0, 11.0, 16.0, 21.0], &["uneven_spacing"]),
    ];
    for (z, expected) in cases {
        refused(&check_stack(&at(stack(7, 1.0), z)), expected);
    }
}

#[test]
fn whatever_a_slice_does_not_state_is_named() {
    let spoiled = |spoil: fn(&mut SlicePlacement)| {
        let mut slices = stack(4, 2.0);
        spoil(&mut slices[1]);
        check_stack(&slices)
    };
    refused(&spoiled(|s| s.orientation = None), &["missing_orientation"]);
    refused(&spoiled(|s| s.pixel_spacing = Some([0.7, 0.0])), &["missing_pixel_spacing"]);
    refused(&spoiled(|s| s.pixel_spacing = Some([0.7, 0.61])), &["mixed_pixel_spacing"]);
    refused(&spoiled(|s| s.orientation = Some([1.0, 0.0, 0.0, 0.1, 1.0, 0.0])), &["non_orthogonal_orientation"]);
    refused(&spoiled(|s| s.columns = 256), &["different_sizes"]);
    refused(&spoiled(|s| s.series = SeriesUid::from_u128(2)), &["mixed_series"]);
    refused(&spoiled(|s| s.gantry_tilt = Some(15.0)), &["gantry_tilt_contradicted"]);
    refused(&spoiled(|s| s.position = Some([-99.0, -120.0, -698.0])), &["lateral_shift"]);
    let lost = spoiled(|s| s.position = Some([f64::NAN, 0.0, 0.0]));
    assert!(codes(&lost).contains(&"missing_position"));
    assert_eq!(lost.order, [0, 2, 3, 1]);
    refused(&check_stack(&stack(1, 1.0)), &["single_slice"]);
    refused(&check_stack(&[]), &["single_slice"]);
}

#[test]
fn prone_and_feet_first_stacks_are_ordered_from_foot_to_head_too() {
    for orientation in
        [[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0], [-1.0, 0.0, 0.0, 0.0, 1.0, 0.0]]
    {
        let mut slices = stack(5, 3.0);
        slices.reverse();
        for slice in &mut slices {
            slice.orientation = Some(orientation);
        }
        let check = check_stack(&slices);
        assert_eq!(check.order, [4, 3, 2, 1, 0]);
        let affine = check.affine.unwrap();
        assert!(affine.steps()[0][2] > 0.0);
        // One column further goes the way of the row direction.
        assert!((affine.steps()[2][0] - 0.6 * orientation[0]).abs() < 1e-12);
        assert!((affine.steps()[1][1] - 0.7 * orientation[4]).abs() < 1e-12);
    }
}

/// Columns of the rotation of a unit quaternion.
fn rotation([w, x, y, z]: [f64; 4]) -> [[f64; 3]; 3] {
    [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z), 2.0 * (x * z - w * y)],
        [2.0 * (x * y - w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + w * x)],
        [2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y)],
    ]
}

fn posed(quaternion: [f64; 4], origin: [f64; 3], spacing: [f64; 3], count: usize, shear: f64) -> Vec<SlicePlacement> {
    let norm = quaternion.iter().map(|v| v * v).sum::<f64>().sqrt();
    let [row, column, normal] = rotation(quaternion.map(|v| v / norm));
    let mut slices = stack(count, 1.0);
    for (i, slice) in slices.iter_mut().enumerate() {
        let way = spacing[0] * i as f64;
        slice.position = Some([0, 1, 2].map(|a| origin[a] + way * (normal[a] + shear * column[a])));
        slice.orientation = Some([row[0], row[1], row[2], column[0], column[1], column[2]]);
        slice.pixel_spacing = Some([spacing[1], spacing[2]]);
    }
    slices
}

fn quaternions() -> impl Strategy<Value = [f64; 4]> {
    prop::array::uniform4(-1.0_f64..1.0).prop_filter("long enough", |q| q.iter().map(|v| v * v).sum::<f64>() > 0.05)
}

proptest! {
    #[test]
    fn in_any_pose_and_any_order_the_stack_is_the_same(
        quaternion in quaternions(),
        origin in prop::array::uniform3(-500.0_f64..500.0),
        spacing in prop::array::uniform3(0.3_f64..6.0),
        (count, shuffled) in (2_usize..30).prop_flat_map(|n| (Just(n), Just((0..n).collect::<Vec<_>>()).prop_shuffle())),
        voxel in (0.0_f64..500.0, 0.0_f64..500.0),
    ) {
        let sorted = posed(quaternion, origin, spacing, count, 0.0);
        let slices: Vec<SlicePlacement> = shuffled.iter().map(|&i| sorted[i].clone()).collect();
        let check = check_stack(&slices);
        prop_assert!(check.findings.is_empty(), "{:?}", check.findings);
        let reference = check_stack(&sorted);
        let of = |check: &StackCheck, slices: &[SlicePlacement]| -> Vec<String> {
            check.order.iter().map(|&i| slices[i].sop.to_string()).collect()
        };
        prop_assert_eq!(of(&check, &slices), of(&reference, &sorted));
        let affine = check.affine.unwrap();
        for (z, &slice) in check.order.iter().enumerate() {
            let slice = &slices[slice];
            let (position, direction) = (slice.position.unwrap(), slice.orientation.unwrap());
            let patient = affine.patient_from_index([z as f64, voxel.0, voxel.1]);
            for a in 0..3 {
                // PS3.3 equation C.7.6.2.1-1.
                let expected =
                    position[a] + voxel.1 * spacing[2] * direction[a] + voxel.0 * spacing[1] * direction[3 + a];
                prop_assert!((patient[a] - expected).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn a_shear_of_half_a_degree_or_more_is_a_tilt_in_any_pose(
        quaternion in quaternions(),
        degrees in 0.5_f64..30.0,
        spacing in prop::array::uniform3(0.5_f64..5.0),
    ) {
        let check = check_stack(&posed(quaternion, [0.0; 3], spacing, 40, degrees.to_radians().tan()));
        let found = check.findings.iter().find_map(|f| match f {
            GeometryFinding::GantryTilt { degrees } => Some(*degrees),
            _ => None,
        });
        prop_assert!((found.unwrap_or(0.0) - degrees).abs() < 1e-6, "{:?}", check.findings);
        prop_assert_eq!(check.affine, None);
    }
}
