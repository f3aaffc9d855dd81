//! Other grids over the same patient.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};
use serde::{Deserialize, Serialize};

use crate::{DegenerateAffine, Volume};

/// HU of air, given to every sample that lies outside the voxels.
pub const AIR_HU: f32 = -1024.0;

/// How a value between voxel centres is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// The nearest voxel.
    Nearest,
    /// Linear along each axis.
    Linear,
}

/// The spacing asked for cannot make a grid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ResampleError {
    /// A spacing is not a positive, finite number of mm.
    #[error("spacing {0:?} mm: expected three positive, finite numbers")]
    Spacing([f64; 3]),
    /// The grid would have more voxels than an `i16` volume may hold (2^33).
    #[error("spacing {0:?} mm would make {1} voxels; ask for a larger spacing")]
    TooManyVoxels([f64; 3], u128),
    /// The resulting steps do not span space.
    #[error(transparent)]
    Geometry(#[from] DegenerateAffine),
}

/// The volume on a grid of `spacing_mm` `[z, y, x]` that covers the same box: the outer faces of the first voxels coincide.
/// Samples beyond the outermost centres take the edge's value. Linear sampling does not low-pass: for spacings up to about
/// twice the source's.
pub fn resample(volume: &Volume, spacing_mm: [f64; 3], interpolation: Interpolation) -> Result<Volume, ResampleError> {
    if !spacing_mm.iter().all(|s| s.is_finite() && *s > 0.0) {
        return Err(ResampleError::Spacing(spacing_mm));
    }
    let source = volume.geometry.spacing_mm();
    let (nz, ny, nx) = volume.hu.dim();
    let scale = [0, 1, 2].map(|a| spacing_mm[a] / source[a]);
    let lengths = [nz, ny, nx].map(|n| n as f64);
    let shape = [0, 1, 2].map(|a| if lengths[a] == 0.0 { 0.0 } else { (lengths[a] / scale[a]).round().max(1.0) });
    let voxels = shape.iter().fold(1u128, |n, s| n.saturating_mul(*s as u128));
    if voxels > 1 << 33 {
        return Err(ResampleError::TooManyVoxels(spacing_mm, voxels));
    }
    let start = scale.map(|k| (k - 1.0) / 2.0);
    let geometry = volume.geometry.regrid(start, scale)?;
    let taps = |axis: usize| -> Vec<(usize, usize, f32)> {
        let last = lengths[axis] - 1.0;
        (0..shape[axis] as usize)
            .map(|i| {
                let at = (start[axis] + i as f64 * scale[axis]).clamp(0.0, last);
                let low = at.floor();
                (low as usize, (low + 1.0).min(last) as usize, (at - low) as f32)
            })
            .collect()
    };
    let (tz, ty, tx) = (taps(0), taps(1), taps(2));
    let hu = &volume.hu;
    let linear = |z: usize, y: usize, x: usize| {
        let ((z0, z1, fz), (y0, y1, fy), (x0, x1, fx)) = (tz[z], ty[y], tx[x]);
        let row = |z: usize, y: usize| mix(f32::from(hu[[z, y, x0]]), f32::from(hu[[z, y, x1]]), fx);
        let plane = |z: usize| mix(row(z, y0), row(z, y1), fy);
        mix(plane(z0), plane(z1), fz).round() as i16
    };
    let near = |(low, high, f): (usize, usize, f32)| if f < 0.5 { low } else { high };
    let resampled = Array3::from_shape_fn(shape.map(|s| s as usize), |(z, y, x)| match interpolation {
        Interpolation::Linear => linear(z, y, x),
        Interpolation::Nearest => hu[[near(tz[z]), near(ty[y]), near(tx[x])]],
    });
    Ok(Volume { hu: resampled, geometry })
}

/// `a` at 0, `b` at 1.
pub(crate) fn mix(a: f32, b: f32, f: f32) -> f32 {
    a + (b - a) * f
}

/// Samples a slice `[y, x]` on the lattice `start + r * row_step + c * column_step` (all `[y, x]` in source pixels), bilinearly.
/// A sample more than half a pixel outside is [`AIR_HU`]; within that rim it takes the edge's value.
pub fn resample_slice_f32(
    slice: ArrayView2<i16>,
    start: [f64; 2],
    row_step: [f64; 2],
    column_step: [f64; 2],
    shape: [usize; 2],
) -> Array2<f32> {
    let (ny, nx) = slice.dim();
    let mut out = Array2::from_elem(shape, AIR_HU);
    if ny == 0 || nx == 0 {
        return out;
    }
    let (last_y, last_x) = ((ny - 1) as f64, (nx - 1) as f64);
    for (r, mut row) in out.outer_iter_mut().enumerate() {
        let (y0, x0) = (start[0] + r as f64 * row_step[0], start[1] + r as f64 * row_step[1]);
        for (c, value) in row.iter_mut().enumerate() {
            let (y, x) = (y0 + c as f64 * column_step[0], x0 + c as f64 * column_step[1]);
            if y < -0.5 || x < -0.5 || y > last_y + 0.5 || x > last_x + 0.5 {
                continue;
            }
            let (y, x) = (y.clamp(0.0, last_y), x.clamp(0.0, last_x));
            let (yl, xl) = (y as usize, x as usize);
            let (yh, xh) = ((yl + 1).min(ny - 1), (xl + 1).min(nx - 1));
            let (fy, fx) = ((y - yl as f64) as f32, (x - xl as f64) as f32);
            let top = mix(f32::from(slice[[yl, xl]]), f32::from(slice[[yl, xh]]), fx);
            let bottom = mix(f32::from(slice[[yh, xl]]), f32::from(slice[[yh, xh]]), fx);
            *value = mix(top, bottom, fy);
        }
    }
    out
}

/// Trilinear value at a fractional index `[z, y, x]`; beyond half a voxel outside `None`.
pub(crate) fn trilinear(hu: ArrayView3<i16>, at: [f64; 3]) -> Option<f32> {
    let shape = hu.shape();
    let mut low = [0usize; 3];
    let mut high = [0usize; 3];
    let mut f = [0f32; 3];
    for a in 0..3 {
        let last = shape[a].checked_sub(1)? as f64;
        if !(at[a] >= -0.5 && at[a] <= last + 0.5) {
            return None;
        }
        let inside = at[a].clamp(0.0, last);
        low[a] = inside as usize;
        high[a] = (low[a] + 1).min(shape[a] - 1);
        f[a] = (inside - low[a] as f64) as f32;
    }
    let v = |z: usize, y: usize, x: usize| f32::from(hu[[z, y, x]]);
    let row = |z, y| mix(v(z, y, low[2]), v(z, y, high[2]), f[2]);
    let plane = |z| mix(row(z, low[1]), row(z, high[1]), f[1]);
    Some(mix(plane(low[0]), plane(high[0]), f[0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Affine;
    use proptest::prelude::*;

    #[test]
    fn the_new_grid_covers_the_same_box() {
        let volume = Volume {
            hu: Array3::zeros((10, 20, 30)),
            geometry: Affine::axial([-5.0, 7.0, 11.0], [3.0, 0.8, 0.8]).expect("spans"),
        };
        let finer = resample(&volume, [1.5, 1.6, 0.4], Interpolation::Linear).expect("a grid");
        assert_eq!(finer.hu.dim(), (20, 10, 60));
        let face = |v: &Volume| v.geometry.patient_from_index([-0.5; 3]);
        for (a, b) in face(&finer).iter().zip(face(&volume)) {
            assert!((a - b).abs() < 1e-9);
        }
    }

    #[test]
    fn a_spacing_that_makes_no_grid_is_refused() {
        let volume =
            Volume { hu: Array3::zeros((2, 2, 2)), geometry: Affine::axial([0.0; 3], [1.0; 3]).expect("spans") };
        assert!(matches!(resample(&volume, [0.0, 1.0, 1.0], Interpolation::Linear), Err(ResampleError::Spacing(_))));
        assert!(matches!(
            resample(&volume, [1e-6, 1e-6, 1e-6], Interpolation::Linear),
            Err(ResampleError::TooManyVoxels(..))
        ));
    }

    proptest! {
        #[test]
        fn a_linear_ramp_survives_linear_resampling(a in -3.0_f64..3.0, spacing in 0.4_f64..2.5) {
            let hu = Array3::from_shape_fn((6, 8, 9), |(z, y, x)| (100.0 * a * (z as f64 + y as f64 - x as f64)).round() as i16);
            let volume = Volume { hu, geometry: Affine::axial([0.0; 3], [1.0; 3]).expect("spans") };
            let out = resample(&volume, [spacing; 3], Interpolation::Linear).expect("a grid");
            for (index, &value) in out.hu.indexed_iter() {
                let p = out.geometry.patient_from_index([index.0 as f64, index.1 as f64, index.2 as f64]);
                let inside = p[0] >= 0.0 && p[0] <= 8.0 && p[1] >= 0.0 && p[1] <= 7.0 && p[2] >= 0.0 && p[2] <= 5.0;
                if inside {
                    let expected = 100.0 * a * (p[2] + p[1] - p[0]);
                    prop_assert!((f64::from(value) - expected).abs() <= 2.0, "{value} is not {expected} at {p:?}");
                }
            }
        }

        #[test]
        fn sampling_a_slice_on_its_own_lattice_changes_nothing(ny in 1_usize..7, nx in 1_usize..7) {
            let slice = Array2::from_shape_fn((ny, nx), |(y, x)| (31 * y + 7 * x) as i16);
            let same = resample_slice_f32(slice.view(), [0.0; 2], [1.0, 0.0], [0.0, 1.0], [ny, nx]);
            prop_assert_eq!(same, slice.mapv(f32::from));
            let mirrored = resample_slice_f32(slice.view(), [0.0, (nx - 1) as f64], [1.0, 0.0], [0.0, -1.0], [ny, nx + 2]);
            prop_assert_eq!(mirrored[[0, 0]], f32::from(slice[[0, nx - 1]]));
            prop_assert_eq!(mirrored[[0, nx + 1]], AIR_HU);
        }
    }
}
