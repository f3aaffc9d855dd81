//! Multi-planar reformation: any plane through the patient.

use ndarray::Array2;

use crate::Volume;
use crate::resample::{AIR_HU, trilinear};

/// A lattice of points in the patient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlicePlane {
    /// Patient coordinates `[x, y, z]` (mm) of the pixel `[0, 0]`.
    pub origin: [f64; 3],
    /// Patient-space step (mm) from one row to the next.
    pub row_step: [f64; 3],
    /// Patient-space step (mm) from one column to the next.
    pub column_step: [f64; 3],
    /// Rows and columns.
    pub shape: [usize; 2],
}

/// HU `[row, column]` on the plane, trilinear; -1024 outside the volume.
pub fn reslice(volume: &Volume, plane: &SlicePlane) -> Array2<f32> {
    // The map from plane to index space is affine: three inversions give all of it.
    let at = |r: f64, c: f64| {
        volume
            .geometry
            .index_from_patient([0, 1, 2].map(|k| plane.origin[k] + r * plane.row_step[k] + c * plane.column_step[k]))
    };
    let origin = at(0.0, 0.0);
    let (row, column) = (at(1.0, 0.0), at(0.0, 1.0));
    let step = |to: [f64; 3]| [0, 1, 2].map(|k| to[k] - origin[k]);
    let (row, column) = (step(row), step(column));
    Array2::from_shape_fn(plane.shape, |(r, c)| {
        let index = [0, 1, 2].map(|k| origin[k] + r as f64 * row[k] + c as f64 * column[k]);
        trilinear(volume.hu.view(), index).unwrap_or(AIR_HU)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Affine;
    use ndarray::Array3;
    use proptest::prelude::*;

    proptest! {
        /// HU that is a linear function of the patient's coordinates comes back exactly on every oblique plane.
        #[test]
        fn an_oblique_plane_reads_a_linear_field_exactly(
            row in prop::array::uniform3(-0.7_f64..0.7), column in prop::array::uniform3(-0.7_f64..0.7), flip in any::<bool>(),
        ) {
            let spacing = [2.0, 1.0, 1.0];
            let geometry = if flip {
                Affine::new([0.0, 0.0, 38.0], [[0.0, 0.0, -2.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
            } else {
                Affine::axial([0.0; 3], spacing)
            }.expect("spans");
            let field = |p: [f64; 3]| 4.0 * p[0] - 6.0 * p[1] + 5.0 * p[2];
            let hu = Array3::from_shape_fn((20, 40, 40), |(z, y, x)| field(geometry.patient_from_index([z as f64, y as f64, x as f64])) as i16);
            let plane = SlicePlane { origin: [19.0; 3], row_step: row, column_step: column, shape: [10, 10] };
            let image = reslice(&Volume { hu, geometry }, &plane);
            for ((r, c), &value) in image.indexed_iter() {
                let p = [0, 1, 2].map(|k| 19.0 + r as f64 * row[k] + c as f64 * column[k]);
                prop_assert!((f64::from(value) - field(p)).abs() < 1e-2, "{value} is not {}", field(p));
            }
        }
    }

    #[test]
    fn outside_the_volume_is_air() {
        let volume =
            Volume { hu: Array3::zeros((2, 2, 2)), geometry: Affine::axial([0.0; 3], [1.0; 3]).expect("spans") };
        let plane = SlicePlane {
            origin: [0.0, 0.0, 5.0],
            row_step: [0.0, 1.0, 0.0],
            column_step: [1.0, 0.0, 0.0],
            shape: [2, 2],
        };
        assert_eq!(reslice(&volume, &plane), Array2::from_elem([2, 2], -1024.0));
    }
}
