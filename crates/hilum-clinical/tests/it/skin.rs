//! Skin-to-stone distance against distances worked out by hand.

use hilum_clinical::urinary_stone::skin_to_stone_mm;
use hilum_imaging::Affine;
use hilum_imaging::frame::{Cells, Side};
use ndarray::Array3;

/// An upright cylinder of water in air, on cells of 3 mm whose share of water is exact to a few percent; `columns` cells wide.
fn cylinder(radius_mm: f64, columns: usize) -> Cells {
    let geometry = Affine::axial([-150.0, -150.0, 0.0], [3.0; 3]).expect("spans");
    let hu = Array3::from_shape_fn((5, 101, columns), |(z, y, x)| {
        let mut inside = 0;
        for i in 0..10 {
            for j in 0..10 {
                let part = |k: i32| (f64::from(k) + 0.5) / 10.0 - 0.5;
                let p = geometry.patient_from_index([z as f64, y as f64 + part(i), x as f64 + part(j)]);
                inside += i32::from(p[0].hypot(p[1]) <= radius_mm);
            }
        }
        (inside * 10 - 1000) as i16
    });
    let body = hu.mapv(|hu| hu > -300);
    Cells { hu, body, geometry }
}

#[test]
fn the_distance_is_the_mean_of_three_ways_to_the_skin_of_the_stones_side() {
    let cells = cylinder(120.0, 101);
    // 40 mm to the patient's left: straight back, at 45 degrees and straight to the left, by the equation of the circle.
    let (x, y) = (40.0_f64, 10.0_f64);
    let way = |dx: f64, dy: f64| {
        let along = x * dx + y * dy;
        (along * along + 120.0_f64.powi(2) - x * x - y * y).sqrt() - along
    };
    let half = std::f64::consts::FRAC_1_SQRT_2;
    let expected = (way(0.0, 1.0) + way(half, half) + way(1.0, 0.0)) / 3.0;
    let found = skin_to_stone_mm(&cells, [x, y, 6.0], Side::Left).expect("a distance");
    assert!((found - expected).abs() < 1.0, "{found} {expected}");
    let mirrored = skin_to_stone_mm(&cells, [-x, y, 6.0], Side::Right).expect("a distance");
    assert!((mirrored - found).abs() < 1.0, "{mirrored} {found}");
    let other = skin_to_stone_mm(&cells, [x, y, 6.0], Side::Right).expect("a distance");
    let expected = (way(0.0, 1.0) + way(-half, half) + way(-1.0, 0.0)) / 3.0;
    assert!((other - expected).abs() < 1.0, "{other} {expected}");
}

#[test]
fn a_field_of_view_that_cuts_the_skin_gives_no_distance() {
    // The field of view ends at x = 90 mm, inside the body.
    let cells = cylinder(120.0, 81);
    assert_eq!(skin_to_stone_mm(&cells, [40.0, 10.0, 6.0], Side::Left), None);
    assert!(skin_to_stone_mm(&cells, [-40.0, 10.0, 6.0], Side::Right).is_some());
    assert_eq!(skin_to_stone_mm(&cells, [0.0, 140.0, 6.0], Side::Right), None, "outside the body");
}
