//! The bladder: the largest even body of the density of urine in the middle of the pelvis.

use hilum_imaging::frame::{Cells, Ellipsoid, Pelvis};
use hilum_imaging::label_26;
use hilum_imaging::vector::Point;
use ndarray::Array3;

/// HU of urine, averaged over 27 cells.
const URINE_HU: [f64; 2] = [-12.0, 22.0];
/// Where it lies, in pelvic coordinates: sideways, from front to back, from below to above.
const SIDEWAYS: f64 = 0.75;
const DEPTH: [f64; 2] = [-1.1, 0.45];
const HEIGHT: [f64; 2] = [-0.35, 0.85];
/// Its middle lies this near the midline.
const MIDDLE: f64 = 0.4;
/// Layers of cells that are taken off.
const LEAST_TAKEN: usize = 2;
const MOST_TAKEN: usize = 4;
/// Share of its ellipsoid that it fills: enough to look no further, and at least.
const FULL: f64 = 0.85;
const LEAST_FULLNESS: f64 = 0.6;
/// Least volume (cm³) of what remains.
const LEAST_CM3: f64 = 0.8;

/// Finds the bladder; an empty one is not seen.
pub(super) fn find(cells: &Cells, pelvis: &Pelvis) -> Option<Ellipsoid> {
    let mut mask = Array3::from_elem(cells.hu.dim(), false);
    let (nz, ny, nx) = cells.hu.dim();
    for z in 1..nz.saturating_sub(1) {
        for y in 1..ny.saturating_sub(1) {
            for x in 1..nx.saturating_sub(1) {
                let [a, b, c] = pelvis.local(cells.geometry.patient_from_index([z, y, x].map(|i| i as f64)));
                let inside =
                    a.abs() < SIDEWAYS && (DEPTH[0]..DEPTH[1]).contains(&b) && (HEIGHT[0]..HEIGHT[1]).contains(&c);
                if inside {
                    let around = cells.hu.slice(ndarray::s![z - 1..z + 2, y - 1..y + 2, x - 1..x + 2]);
                    let mean = around.iter().map(|hu| f64::from(*hu)).sum::<f64>() / 27.0;
                    mask[[z, y, x]] = (URINE_HU[0]..=URINE_HU[1]).contains(&mean);
                }
            }
        }
    }
    // What is taken off all around separates it from loops of bowel: as much as makes it most like an ellipsoid.
    let mut best: Option<Found> = None;
    for taken in 1..=MOST_TAKEN {
        mask = eroded(&mask);
        let found = if taken < LEAST_TAKEN { None } else { largest(cells, pelvis, &mask, taken as f64) };
        best = best.into_iter().chain(found).max_by(|a, b| a.fullness.total_cmp(&b.fullness));
        if best.as_ref().is_some_and(|found| found.fullness >= FULL) {
            break;
        }
    }
    best.filter(|found| found.fullness >= LEAST_FULLNESS).map(|found| found.body)
}

struct Found {
    body: Ellipsoid,
    /// Volume of the cells relative to that of the ellipsoid: low for what is bent or branched.
    fullness: f64,
}

/// The largest component near the midline, as an ellipsoid, with the layers of cells that were taken off put back.
fn largest(cells: &Cells, pelvis: &Pelvis, mask: &Array3<bool>, taken: f64) -> Option<Found> {
    let (labels, count) = label_26(mask.view());
    let mut cells_of: Vec<Vec<[usize; 3]>> = vec![Vec::new(); count];
    for ((z, y, x), label) in labels.indexed_iter() {
        if *label > 0 {
            cells_of[*label as usize - 1].push([z, y, x]);
        }
    }
    let cell_mm3 = cells.geometry.voxel_volume_mm3();
    let [dz, dy, dx] = cells.geometry.spacing_mm();
    let of = |part: &Vec<[usize; 3]>| {
        let n = part.len() as f64;
        let points = part.iter().map(|i| cells.geometry.patient_from_index(i.map(|i| i as f64)));
        let centre = points.clone().fold([0.0; 3], |s, p| std::array::from_fn(|k| s[k] + p[k] / n));
        let spread = points.fold([0.0; 3], |s, p| std::array::from_fn(|k| s[k] + (p[k] - centre[k]).powi(2) / n));
        // Variance along an axis of an even ellipsoid is a fifth of the radius squared; a cell has a twelfth of its edge squared itself.
        let core: Point = std::array::from_fn(|k| (5.0 * (spread[k] + [dx, dy, dz][k].powi(2) / 12.0)).sqrt());
        let fullness = n * cell_mm3 / (4.0 / 3.0 * std::f64::consts::PI * core.iter().product::<f64>());
        let radii = std::array::from_fn(|k| core[k] + taken * [dx, dy, dz][k]);
        let body = Ellipsoid { centre, axes: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], radii };
        Found { body, fullness }
    };
    let large = cells_of.iter().filter(|part| part.len() as f64 * cell_mm3 / 1000.0 >= LEAST_CM3);
    large
        .map(|part| (part.len(), of(part)))
        .filter(|(_, found)| pelvis.local(found.body.centre)[0].abs() < MIDDLE)
        .max_by_key(|(n, _)| *n)
        .map(|(_, found)| found)
}

/// Cells whose six neighbours are in the mask as well.
fn eroded(mask: &Array3<bool>) -> Array3<bool> {
    let (nz, ny, nx) = mask.dim();
    Array3::from_shape_fn((nz, ny, nx), |(z, y, x)| {
        mask[[z, y, x]]
            && z > 0
            && y > 0
            && x > 0
            && z + 1 < nz
            && y + 1 < ny
            && x + 1 < nx
            && mask[[z - 1, y, x]]
            && mask[[z + 1, y, x]]
            && mask[[z, y - 1, x]]
            && mask[[z, y + 1, x]]
            && mask[[z, y, x - 1]]
            && mask[[z, y, x + 1]]
    })
}
