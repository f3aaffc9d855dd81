//! Which array axis runs along which patient axis.

use crate::Affine;
use crate::vector::dot;

/// For each patient axis (x, y, z), the array axis (0 = z, 1 = y, 2 = x index) that lies nearest to it and whether the index grows with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Orientation {
    /// Array axis for patient x, y and z.
    pub axis: [usize; 3],
    /// True where the index grows with the patient coordinate.
    pub forward: [bool; 3],
}

impl Orientation {
    /// The assignment with the largest sum of |cosines|, so that an oblique stack still gets three different axes.
    pub fn of(geometry: &Affine) -> Self {
        let steps = geometry.steps();
        let cosine = |array: usize, patient: usize| steps[array][patient] / dot(steps[array], steps[array]).sqrt();
        const ORDERS: [[usize; 3]; 6] = [[2, 1, 0], [1, 2, 0], [2, 0, 1], [0, 2, 1], [1, 0, 2], [0, 1, 2]];
        let fit = |order: &[usize; 3]| (0..3).map(|p| cosine(order[p], p).abs()).sum::<f64>();
        let mut axis = ORDERS[0];
        for order in &ORDERS[1..] {
            if fit(order) > fit(&axis) + 1e-9 {
                axis = *order;
            }
        }
        Self { axis, forward: [0, 1, 2].map(|p| cosine(axis[p], p) >= 0.0) }
    }
}
