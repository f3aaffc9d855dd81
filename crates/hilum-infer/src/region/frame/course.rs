//! The expected course of a ureter: along the psoas, over the iliac vessels, along the side wall of the pelvis, to the bladder.

use hilum_imaging::frame::{Ellipsoid, Kidney, Pelvis, Side, UreterCourse};
use hilum_imaging::vector::{Point, distance, minus, plus, times};

/// The course on the left in pelvic coordinates, and its standard deviation (mm): head, left, back, sigma.
const COURSE: [[f64; 4]; 12] = [
    [1.40, 0.41, -0.545, 9.0],
    [1.20, 0.41, -0.545, 8.0],
    [1.00, 0.405, -0.56, 8.0],
    [0.90, 0.39, -0.58, 8.0],
    [0.80, 0.39, -0.56, 8.0],
    [0.70, 0.435, -0.435, 8.0],
    [0.60, 0.515, -0.25, 8.0],
    [0.50, 0.59, -0.06, 8.0],
    [0.40, 0.62, 0.105, 8.0],
    [0.34, 0.60, 0.175, 8.0],
    [0.26, 0.58, 0.22, 9.0],
    [0.18, 0.56, 0.25, 9.0],
];
/// Where the pelvis leaves a kidney, and the ureteropelvic junction, in the kidney's radii.
const OUTLET: Point = [-0.77, 0.12, -0.18];
const JUNCTION: Point = [-1.0, 0.13, -0.31];
/// The left ureter's orifice, in the bladder's radii from its centre.
const ORIFICE: Point = [0.42, 0.76, -0.38];
/// Uncertainty (mm) at the two ends.
const JUNCTION_SIGMA_MM: f64 = 7.0;
const ORIFICE_SIGMA_MM: f64 = 7.0;
/// Distance (mm) of the points of a course.
const STEP_MM: f64 = 4.0;

/// A place of a kidney.
fn of_kidney(kidney: &Kidney, share: Point) -> Point {
    kidney.body.place(std::array::from_fn(|k| share[k] * kidney.body.radii[k]))
}

/// Where a ureter enters the bladder.
fn orifice(bladder: &Ellipsoid, side: Side) -> Point {
    bladder.place([
        side.sign() * ORIFICE[0] * bladder.radii[0],
        ORIFICE[1] * bladder.radii[1],
        ORIFICE[2] * bladder.radii[2],
    ])
}

/// The course of one side; `None` without a pelvis to hang it on.
pub(super) fn of(
    side: Side,
    kidney: Option<&Kidney>,
    pelvis: Option<&Pelvis>,
    bladder: Option<&Ellipsoid>,
) -> Option<UreterCourse> {
    let pelvis = pelvis?;
    let upper = kidney.map(|k| [OUTLET, JUNCTION].map(|share| of_kidney(k, share)));
    let lower = bladder.map(|b| orifice(b, side));
    let height = |p: Point| pelvis.local(p)[2];
    let top = upper.map_or(f64::INFINITY, |[_, junction]| height(junction) - 0.15);
    let bottom = lower.map_or(f64::NEG_INFINITY, |p| height(p) + 0.06);
    let mut stations: Vec<(Point, f64)> = upper.into_iter().flatten().map(|p| (p, JUNCTION_SIGMA_MM)).collect();
    for [up, left, back, sigma] in COURSE {
        if (bottom..top).contains(&up) {
            stations.push((pelvis.place([side.sign() * left, back, up]), sigma));
        }
    }
    stations.extend(lower.map(|p| (p, ORIFICE_SIGMA_MM)));
    let (mut points, mut sigma_mm) = (Vec::new(), Vec::new());
    for pair in stations.windows(2) {
        let ((a, sa), (b, sb)) = (pair[0], pair[1]);
        let steps = (distance(a, b) / STEP_MM).ceil().max(1.0);
        for i in 0..steps as usize {
            let t = i as f64 / steps;
            points.push(plus(a, times(minus(b, a), t)));
            sigma_mm.push(sa + t * (sb - sa));
        }
    }
    let (last, sigma) = *stations.last()?;
    points.push(last);
    sigma_mm.push(sigma);
    Some(UreterCourse { points, sigma_mm, from_kidney: kidney.is_some(), to_bladder: bladder.is_some() })
}
