use hilum_clinical::urinary_stone::{
    Candidate, CandidateVoxel, LandmarkHeights, MidlinePoint, Side, TractBox, TractPart, TractReference, measure,
};
use hilum_imaging::Affine;

/// The patient lies 60 mm off the scanner's centre, with a bent spine.
fn reference() -> TractReference {
    TractReference {
        midline: vec![
            MidlinePoint { z_mm: 0.0, x_mm: 60.0, y_mm: Some(40.0) },
            MidlinePoint { z_mm: -200.0, x_mm: 80.0, y_mm: Some(0.0) },
        ],
        boxes: vec![
            TractBox { part: TractPart::Kidney, min_mm: [0.0, -50.0, -60.0], max_mm: [50.0, 50.0, 20.0] },
            TractBox { part: TractPart::Kidney, min_mm: [80.0, -50.0, -60.0], max_mm: [130.0, 50.0, 20.0] },
            TractBox { part: TractPart::Ureter, min_mm: [-20.0, -60.0, -210.0], max_mm: [150.0, 60.0, 40.0] },
            TractBox { part: TractPart::Bladder, min_mm: [40.0, -40.0, -209.0], max_mm: [120.0, 40.0, -150.0] },
        ],
        heights: LandmarkHeights { iliac_crest_z_mm: Some(-100.0), hip_z_mm: Some(-200.0), lung_base_z_mm: None },
    }
}

/// The ways in which one patient can be stored: patient steps of the z, y and x index.
fn storages() -> [(&'static str, Affine); 7] {
    let (right, down, up) = ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]);
    let minus = |v: [f64; 3]| v.map(|x| -x);
    [
        ("supine, head first", [up, down, right]),
        ("prone, head first", [up, minus(down), minus(right)]),
        ("supine, feet first, from the head down", [minus(up), down, minus(right)]),
        ("prone, feet first", [minus(up), minus(down), right]),
        ("columns mirrored", [up, down, minus(right)]),
        ("rows mirrored", [up, minus(down), right]),
        ("coronal", [down, minus(up), right]),
    ]
    .map(|(name, steps)| {
        // Far enough out that every patient point below has an index of at least zero.
        let mut origin = [0.0; 3];
        for step in steps {
            for (o, s) in origin.iter_mut().zip(step) {
                *o -= 300.0 * s;
            }
        }
        (name, Affine::new(origin, steps).expect("three directions"))
    })
}

#[test]
fn side_and_part_come_from_patient_coordinates_however_the_patient_lies() {
    let expected = [
        ([30.0, 0.0, -20.0], Side::Right, TractPart::Kidney),
        ([100.0, 0.0, -20.0], Side::Left, TractPart::Kidney),
        ([59.0, 0.0, 0.0], Side::Right, TractPart::Ureter),
        ([61.0, 0.0, 0.0], Side::Left, TractPart::Ureter),
        // The bent spine: 72 mm is left of the midline above, right of it below.
        ([72.0, 0.0, -40.0], Side::Left, TractPart::Ureter),
        ([72.0, 50.0, -200.0], Side::Right, TractPart::Ureter),
        ([78.0, 0.0, -190.0], Side::Midline, TractPart::Bladder),
        ([50.0, 0.0, -190.0], Side::Right, TractPart::Bladder),
        ([110.0, 0.0, -190.0], Side::Left, TractPart::Bladder),
        ([-100.0, 0.0, 0.0], Side::Right, TractPart::Unknown),
    ];
    for (storage, affine) in storages() {
        for (point, side, part) in expected {
            let index = affine.index_from_patient(point).map(|i| i.round() as u32);
            let candidate = Candidate { voxels: vec![CandidateVoxel { index, score: 0.9, hu: 800 }] };
            let stone = measure(vec![candidate], Some(&affine), &reference()).remove(0).stone;
            assert_eq!((stone.side, stone.part), (side, part), "{point:?}, {storage}");
            assert_eq!(stone.centre_mm.expect("millimetres").map(f64::round), point, "{storage}");
            assert!((stone.slices.table_position_mm.expect("millimetres") - point[2]).abs() < 1e-6, "{storage}");
        }
    }
}

#[test]
fn without_a_midline_no_side_is_stated() {
    let affine = Affine::axial([-200.0, -200.0, -400.0], [1.0; 3]).expect("three directions");
    let candidate = Candidate { voxels: vec![CandidateVoxel { index: [300, 200, 20], score: 0.9, hu: 800 }] };
    let stone = measure(vec![candidate], Some(&affine), &TractReference::default()).remove(0).stone;
    assert_eq!((stone.side, stone.part), (Side::Unknown, TractPart::Unknown));
}
