//! One image from a volume: the nine projections of paper S4.

use ndarray::{Array2, Array3, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::Volume;
use crate::orient::Orientation;

/// Anatomical plane of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plane {
    /// Rows run to the back, columns to the patient's left.
    Axial,
    /// Rows run to the feet, columns to the back.
    Sagittal,
    /// Rows run to the feet, columns to the patient's left.
    Coronal,
}

/// How the rays of a projection become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Projection {
    /// Average intensity projection.
    Average,
    /// Maximum intensity projection.
    Maximum,
    /// The slice at index n / 2.
    MidPlane,
}

/// A 2D image in HU.
#[derive(Clone, Debug, PartialEq)]
pub struct Image2 {
    /// Values `[row, column]`.
    pub pixels: Array2<f32>,
    /// Distance (mm) between rows and between columns.
    pub spacing_mm: [f64; 2],
}

/// Patient axes (0 = x, 1 = y, 2 = z) of the ray, the rows and the columns, and whether rows and columns run with them.
fn axes(plane: Plane) -> (usize, (usize, bool), (usize, bool)) {
    match plane {
        Plane::Axial => (2, (1, true), (0, true)),
        Plane::Sagittal => (0, (2, false), (1, true)),
        Plane::Coronal => (1, (2, false), (0, true)),
    }
}

/// Projects along the array axis nearest to the plane's normal; the image is oriented by patient coordinates
/// (left of the patient on the right of the image, head up), whatever the order of the voxels. Empty volumes give empty images.
pub fn project(volume: &Volume, plane: Plane, projection: Projection) -> Image2 {
    let orientation = Orientation::of(&volume.geometry);
    let (ray, ..) = axes(plane);
    let axis = Axis(orientation.axis[ray]);
    let depth = volume.hu.len_of(axis);
    let flat = match projection {
        Projection::Average => {
            let mut sum = Array2::<f64>::zeros(flat_shape(&volume.hu, axis));
            for slice in volume.hu.axis_iter(axis) {
                sum.zip_mut_with(&slice, |s, &v| *s += f64::from(v));
            }
            sum.mapv(|s| (s / depth.max(1) as f64) as f32)
        }
        Projection::Maximum => {
            let mut top = Array2::<i16>::from_elem(flat_shape(&volume.hu, axis), i16::MIN);
            for slice in volume.hu.axis_iter(axis) {
                top.zip_mut_with(&slice, |t, &v| *t = (*t).max(v));
            }
            top.mapv(f32::from)
        }
        Projection::MidPlane if depth > 0 => volume.hu.index_axis(axis, depth / 2).mapv(f32::from),
        Projection::MidPlane => Array2::zeros(flat_shape(&volume.hu, axis)),
    };
    oriented(flat.view(), volume, orientation, plane)
}

/// The slice with this index along the array axis nearest to the plane's normal, oriented as [`project`] does; `None` beyond the volume.
pub fn orthogonal(volume: &Volume, plane: Plane, index: usize) -> Option<Image2> {
    let orientation = Orientation::of(&volume.geometry);
    let (ray, ..) = axes(plane);
    let axis = Axis(orientation.axis[ray]);
    (index < volume.hu.len_of(axis))
        .then(|| oriented(volume.hu.index_axis(axis, index).mapv(f32::from).view(), volume, orientation, plane))
}

fn flat_shape(hu: &Array3<i16>, ray: Axis) -> (usize, usize) {
    let kept: Vec<usize> = (0..3).filter(|&a| a != ray.0).map(|a| hu.len_of(Axis(a))).collect();
    (kept[0], kept[1])
}

fn oriented(flat: ArrayView2<f32>, volume: &Volume, orientation: Orientation, plane: Plane) -> Image2 {
    let (_, (row, row_with), (column, column_with)) = axes(plane);
    let (row_axis, column_axis) = (orientation.axis[row], orientation.axis[column]);
    let mut view = if row_axis < column_axis { flat } else { flat.reversed_axes() };
    if orientation.forward[row] != row_with {
        view.invert_axis(Axis(0));
    }
    if orientation.forward[column] != column_with {
        view.invert_axis(Axis(1));
    }
    let spacing = volume.geometry.spacing_mm();
    Image2 { pixels: view.as_standard_layout().into_owned(), spacing_mm: [spacing[row_axis], spacing[column_axis]] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Affine;
    use proptest::prelude::*;

    fn numbered() -> Volume {
        let hu = Array3::from_shape_fn((3, 4, 5), |(z, y, x)| (100 * z + 10 * y + x) as i16);
        Volume { hu, geometry: Affine::axial([0.0; 3], [3.0, 2.0, 1.0]).expect("spans") }
    }

    #[test]
    fn an_axial_projection_of_a_supine_head_last_stack_keeps_rows_and_columns() {
        let v = numbered();
        let mip = project(&v, Plane::Axial, Projection::Maximum);
        assert_eq!(mip.pixels[[1, 2]], 212.0);
        assert_eq!(mip.spacing_mm, [2.0, 1.0]);
        assert_eq!(project(&v, Plane::Axial, Projection::Average).pixels[[3, 4]], 134.0);
        assert_eq!(project(&v, Plane::Axial, Projection::MidPlane).pixels[[0, 0]], 100.0);
    }

    #[test]
    fn coronal_and_sagittal_images_have_the_head_up() {
        let v = numbered();
        let coronal = project(&v, Plane::Coronal, Projection::Maximum);
        assert_eq!((coronal.pixels[[0, 0]], coronal.pixels[[2, 4]]), (230.0, 34.0));
        let sagittal = project(&v, Plane::Sagittal, Projection::Maximum);
        assert_eq!((sagittal.pixels[[0, 0]], sagittal.pixels[[2, 3]]), (204.0, 34.0));
        assert_eq!(sagittal.spacing_mm, [3.0, 2.0]);
    }

    proptest! {
        /// Storing the same patient with flipped or swapped axes changes no projection.
        #[test]
        fn projections_do_not_depend_on_the_order_of_the_voxels(
            flips in prop::array::uniform3(any::<bool>()), order in 0_usize..6,
            plane in prop::sample::select(vec![Plane::Axial, Plane::Sagittal, Plane::Coronal]),
            how in prop::sample::select(vec![Projection::Average, Projection::Maximum]),
        ) {
            let reference = numbered();
            let permutation = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]][order];
            let mut hu = reference.hu.view().permuted_axes(permutation);
            let mut steps = permutation.map(|a| reference.geometry.steps()[a]);
            let mut origin = reference.geometry.origin();
            for a in 0..3 {
                if flips[a] {
                    hu.invert_axis(Axis(a));
                    let last = (hu.len_of(Axis(a)) - 1) as f64;
                    for k in 0..3 {
                        origin[k] += last * steps[a][k];
                        steps[a][k] = -steps[a][k];
                    }
                }
            }
            let stored = Volume { hu: hu.as_standard_layout().into_owned(), geometry: Affine::new(origin, steps).expect("spans") };
            prop_assert_eq!(project(&stored, plane, how), project(&reference, plane, how));
        }
    }
}
