//! What the scan would show without the stone: a smooth field through the tissue around it.

use super::lattice::{Lattice, median, noise, robust_sd};

/// The field and how it was had.
pub(super) struct Background {
    /// HU of every voxel of the lattice.
    pub field: Vec<f64>,
    /// Voxels too bright for tissue, with their rims: bone, other stones, contrast, metal.
    pub foreign: Vec<bool>,
    /// Noise (HU) of the tissue.
    pub noise: f64,
    /// How far (HU) the field may be off at the stone: half of what it varies by around it.
    pub unevenness: f64,
}

/// Tissue weighs by a Gaussian of its distance (standard deviation, mm).
const NEAR_MM: f64 = 1.7;
/// Where no tissue is near (the middle of a large stone), what is farther away counts.
const FAR_MM: f64 = 9.0;

/// `stone`: the voxels above half height; `others`: those of other stones. `influence_mm`, `influence_slices`: how far a stone's edge is blurred. `height`: of the stone, HU.
pub(super) fn background(
    lattice: &Lattice,
    hu: &[f64],
    stone: &[bool],
    others: &[bool],
    influence_mm: f64,
    influence_slices: usize,
    height: f64,
) -> Background {
    let near = lattice.grown(stone, influence_mm, influence_slices);
    let wide = lattice.grown(stone, influence_mm + 4.0, influence_slices.max((4.0 / lattice.spacing[0]) as usize));
    let mut around: Vec<f64> = (0..hu.len()).filter(|v| wide[*v] && !near[*v]).map(|v| hu[v]).collect();
    let middle = median(&mut around).unwrap_or(0.0);
    let spread = robust_sd(&around, middle);
    let high = middle + (4.0 * spread).max(0.25 * height);
    let low = middle - (6.0 * spread).max(250.0);
    let bright: Vec<bool> = (0..hu.len()).map(|v| others[v] || (!near[v] && hu[v] > high)).collect();
    let foreign = lattice.grown(&bright, 1.0, 0);
    let tissue: Vec<bool> = (0..hu.len()).map(|v| !near[v] && !foreign[v] && hu[v] > low).collect();
    let field = smooth(lattice, hu, &tissue, middle);
    let around: Vec<bool> = (0..hu.len()).map(|v| wide[v] && tissue[v]).collect();
    let noise = noise(lattice, hu, &around);
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
    for v in (0..hu.len()).filter(|v| around[*v]) {
        sum += field[v] - middle;
        squares += (field[v] - middle).powi(2);
        count += 1.0;
    }
    let count = f64::max(count, 1.0);
    // Some of the noise is left in the field.
    let variance = squares / count - (sum / count).powi(2) - 0.15 * noise * noise;
    let unevenness = 0.5 * variance.max(0.0).sqrt();
    Background { field, foreign, noise, unevenness }
}

/// Normalised convolution with a near and a far Gaussian.
fn smooth(lattice: &Lattice, hu: &[f64], tissue: &[bool], middle: f64) -> Vec<f64> {
    let weight: Vec<f64> = tissue.iter().map(|t| f64::from(u8::from(*t))).collect();
    let value: Vec<f64> = tissue.iter().zip(hu).map(|(t, v)| if *t { v - middle } else { 0.0 }).collect();
    let blurred = |sigma: f64| {
        let blur = |values: &[f64]| {
            (0..3).fold(values.to_vec(), |values, axis| gaussian(lattice, &values, axis, sigma / lattice.spacing[axis]))
        };
        (blur(&value), blur(&weight))
    };
    let (near_value, near_weight) = blurred(NEAR_MM);
    let (far_value, far_weight) = blurred(FAR_MM);
    (0..hu.len())
        .map(|v| {
            // The far one decides only where the near one has next to nothing.
            let share = 0.02;
            middle
                + (near_value[v] + share * far_value[v] / far_weight[v].max(1e-6))
                    / (near_weight[v] + share * f64::from(u8::from(far_weight[v] > 1e-6))).max(1e-9)
        })
        .collect()
}

/// Gaussian along one axis, `sigma` in voxels; nothing lies beyond the lattice.
pub(super) fn gaussian(lattice: &Lattice, values: &[f64], axis: usize, sigma: f64) -> Vec<f64> {
    let weights = kernel(sigma);
    let reach = weights.len() / 2;
    let stride: usize = lattice.dim[axis + 1..].iter().product();
    let length = lattice.dim[axis];
    let mut out = vec![0.0; values.len()];
    let block = stride * length;
    for (to, from) in out.chunks_exact_mut(block).zip(values.chunks_exact(block)) {
        for (k, weight) in weights.iter().enumerate() {
            for i in 0..length {
                let Some(source) = (i + k).checked_sub(reach).filter(|source| *source < length) else { continue };
                let (row, line) =
                    (&mut to[i * stride..(i + 1) * stride], &from[source * stride..(source + 1) * stride]);
                for (t, f) in row.iter_mut().zip(line) {
                    *t += weight * f;
                }
            }
        }
    }
    out
}

/// Weights of a Gaussian, `sigma` in voxels, that sum to one.
pub(super) fn kernel(sigma: f64) -> Vec<f64> {
    let reach = (3.0 * sigma).ceil().max(1.0) as i32;
    // Below half a voxel the samples of a Gaussian do not carry its variance; three weights that do are exact there.
    if sigma < 0.5 {
        let side = 0.5 * sigma * sigma;
        return vec![side, 1.0 - 2.0 * side, side];
    }
    let mut weights: Vec<f64> = (-reach..=reach).map(|i| (-0.5 * (f64::from(i) / sigma).powi(2)).exp()).collect();
    let total: f64 = weights.iter().sum();
    for weight in &mut weights {
        *weight /= total;
    }
    weights
}
