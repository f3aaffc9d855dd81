//! An ellipsoid as the scanner would show it.

use super::background::kernel;
use super::lattice::Lattice;
use super::linear::{Matrix3, dot, eigen, function_of, minus, times};

/// An ellipsoid in patient mm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ellipsoid {
    pub centre: [f64; 3],
    /// Logarithm of the matrix whose eigenvalues are the half axes (mm).
    pub log_axes: Matrix3,
}

/// How the scanner blurs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointSpread {
    /// Full width at half maximum of the in-plane point spread (mm), without the aperture of the pixel.
    pub in_plane_fwhm_mm: f64,
    /// Slice thickness (mm): the profile along the stack is taken as a box.
    pub slice_thickness_mm: f64,
}

/// Gaussian sigma of a full width at half maximum.
pub(super) const SIGMA_PER_FWHM: f64 = 0.424_661;
/// Distance (mm) of the samples within a voxel.
const SAMPLE_MM: f64 = 0.35;
/// Samples along the longest half axis that are enough, whatever the voxel.
const ENOUGH: f64 = 14.0;

impl PointSpread {
    /// Of a usual soft-tissue or a sharp kernel. `slice_thickness_mm` is that of Slice Thickness (0018,0050), or the distance of the slices.
    pub fn nominal(slice_thickness_mm: f64, sharp: bool) -> Self {
        Self { in_plane_fwhm_mm: if sharp { 0.8 } else { 1.15 }, slice_thickness_mm }
    }
}

impl Ellipsoid {
    pub(super) fn volume(&self) -> f64 {
        let trace = self.log_axes[0][0] + self.log_axes[1][1] + self.log_axes[2][2];
        4.0 / 3.0 * std::f64::consts::PI * trace.exp()
    }

    /// Length (mm) of the longest axis and its direction.
    pub(super) fn longest(&self) -> (f64, [f64; 3]) {
        let (values, vectors) = eigen(&self.log_axes);
        let k = (0..3).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0);
        (2.0 * values[k].exp(), vectors[k])
    }

    /// Points of its surface in evenly spread directions, patient mm.
    pub(super) fn surface(&self, count: usize) -> Vec<[f64; 3]> {
        let axes = function_of(&self.log_axes, f64::exp);
        directions(count)
            .map(|d| {
                let p = times(&axes, d);
                [0, 1, 2].map(|k| self.centre[k] + p[k])
            })
            .collect()
    }

    /// Share of each voxel of the lattice that the scanner would show as filled.
    pub(super) fn shown(&self, lattice: &Lattice, spread: &PointSpread) -> Vec<f64> {
        let shape = function_of(&self.log_axes, |log| (-2.0 * log).exp());
        let axes = function_of(&self.log_axes, f64::exp);
        let [nz, ny, nx] = lattice.dim;
        let sample = SAMPLE_MM.max(self.longest().0 / 2.0 / ENOUGH);
        let thickness = spread.slice_thickness_mm / lattice.spacing[0];
        let size = [spread.slice_thickness_mm, lattice.spacing[1], lattice.spacing[2]];
        let counts = size.map(|s| ((s / sample).ceil() as usize).clamp(1, 24));
        let soft = (0..3).map(|k| size[k] / counts[k] as f64).sum::<f64>() / 3.0;
        let steps = lattice.geometry.steps();
        let middle = lattice.geometry.index_from_patient(self.centre);
        // Half the extent along an index is that of its reciprocal direction.
        let reach: [f64; 3] = std::array::from_fn(|k| {
            let origin = lattice.geometry.index_from_patient([0.0; 3])[k];
            let unit = |axis: usize| {
                let mut p = [0.0; 3];
                p[axis] = 1.0;
                lattice.geometry.index_from_patient(p)[k] - origin
            };
            let gradient = [unit(0), unit(1), unit(2)];
            let along = times(&axes, gradient);
            dot(along, along).sqrt() + soft / lattice.spacing[k]
        });
        let widths = [0.5 * thickness, 0.5, 0.5];
        let range = |k: usize| {
            let low = (middle[k] - reach[k] - widths[k]).ceil().max(0.0) as usize;
            let high = (middle[k] + reach[k] + widths[k]).floor();
            low..(if high < 0.0 { 0 } else { (high as usize + 1).min(lattice.dim[k]) }).max(low)
        };
        let offset = |k: usize, i: usize, width: f64| width * ((i as f64 + 0.5) / counts[k] as f64 - 0.5);
        // How far the root of the form may change between the middle of a voxel and its corners.
        let shortest = eigen(&self.log_axes).0.into_iter().fold(f64::INFINITY, f64::min).exp();
        let corner = 0.5 * size.iter().map(|s| s * s).sum::<f64>().sqrt() / shortest;
        let rim = soft / shortest;
        let mut share = vec![0.0; nz * ny * nx];
        let each = 1.0 / (counts[0] * counts[1] * counts[2]) as f64;
        for z in range(0) {
            for y in range(1) {
                for x in range(2) {
                    let middle = lattice.geometry.patient_from_index([z as f64, y as f64, x as f64]);
                    let away = minus(middle, self.centre);
                    let root = dot(away, times(&shape, away)).sqrt();
                    if root - corner > 1.0 + rim {
                        continue;
                    }
                    if root + corner < 1.0 - rim {
                        share[(z * ny + y) * nx + x] = 1.0;
                        continue;
                    }
                    let mut sum = 0.0;
                    for dz in 0..counts[0] {
                        let fz = z as f64 + offset(0, dz, thickness);
                        for dy in 0..counts[1] {
                            let fy = y as f64 + offset(1, dy, 1.0);
                            let mut p = minus(
                                lattice.geometry.patient_from_index([fz, fy, x as f64 + offset(2, 0, 1.0)]),
                                self.centre,
                            );
                            let step = steps[2].map(|s| s / counts[2] as f64);
                            for _ in 0..counts[2] {
                                let gradient = times(&shape, p);
                                let square = dot(p, gradient);
                                sum += cover(square, gradient, soft);
                                p = [p[0] + step[0], p[1] + step[1], p[2] + step[2]];
                            }
                        }
                    }
                    share[(z * ny + y) * nx + x] = sum * each;
                }
            }
        }
        blur_slices(&mut share, lattice, spread);
        share
    }
}

/// Share of a small cell that is inside, from the quadratic form at its middle and half the form's gradient.
fn cover(square: f64, gradient: [f64; 3], soft: f64) -> f64 {
    let root = square.sqrt();
    let slope = dot(gradient, gradient).sqrt();
    if slope < 1e-12 {
        return 1.0;
    }
    let distance = (root - 1.0) * root / slope;
    (0.5 - distance / soft).clamp(0.0, 1.0)
}

/// The in-plane point spread.
fn blur_slices(values: &mut [f64], lattice: &Lattice, spread: &PointSpread) {
    let [_, ny, nx] = lattice.dim;
    let sigma = spread.in_plane_fwhm_mm * SIGMA_PER_FWHM;
    let (down, across) = (kernel(sigma / lattice.spacing[1]), kernel(sigma / lattice.spacing[2]));
    let mut line = vec![0.0; ny * nx];
    for plane in values.chunks_exact_mut(ny * nx) {
        if plane.iter().all(|v| *v == 0.0) {
            continue;
        }
        line.fill(0.0);
        let reach = across.len() / 2;
        for (to, from) in line.chunks_exact_mut(nx).zip(plane.chunks_exact(nx)) {
            for (k, weight) in across.iter().enumerate() {
                let (first, last) = (reach.saturating_sub(k), (nx + reach).saturating_sub(k).min(nx));
                for i in first..last {
                    to[i] += weight * from[i + k - reach];
                }
            }
        }
        plane.fill(0.0);
        let reach = down.len() / 2;
        for (k, weight) in down.iter().enumerate() {
            for y in reach.saturating_sub(k)..(ny + reach).saturating_sub(k).min(ny) {
                let from = y + k - reach;
                for (to, value) in plane[y * nx..(y + 1) * nx].iter_mut().zip(&line[from * nx..(from + 1) * nx]) {
                    *to += weight * value;
                }
            }
        }
    }
}

/// Evenly spread directions (Fibonacci sphere).
pub(super) fn directions(count: usize) -> impl Iterator<Item = [f64; 3]> {
    (0..count).map(move |i| {
        let z = 1.0 - (2.0 * i as f64 + 1.0) / count as f64;
        let r = (1.0 - z * z).sqrt();
        let angle = i as f64 * 2.399_963_229_728_653;
        [r * angle.cos(), r * angle.sin(), z]
    })
}
