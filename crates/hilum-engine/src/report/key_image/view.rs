//! A plane of the stack as it is looked at: the head above, the patient's right or front on the left.

use hilum_imaging::Affine;
use ndarray::{ArrayView2, Axis};

use super::{KeySlice, Plane};

/// A plane, turned as it is looked at. Slices stay as they were acquired.
pub(super) struct View<'a> {
    pub(super) hu: ArrayView2<'a, i16>,
    /// Index along the axis that it stands across.
    pub(super) at: u32,
    across: usize,
    /// Axes of the stack down and to the right, and whether they run the other way.
    axes: [usize; 2],
    turned: [bool; 2],
    first: [u32; 2],
    geometry: Option<&'a Affine>,
}

impl<'a> View<'a> {
    pub(super) fn of(slice: KeySlice<'a>, at: u32) -> Self {
        let KeySlice { plane, mut hu, first_slice, geometry } = slice;
        let (axes, first) = match plane {
            Plane::Axial => ([1, 2], [0, 0]),
            Plane::Coronal => ([0, 2], [first_slice, 0]),
            Plane::Sagittal => ([0, 1], [first_slice, 0]),
        };
        // LPS+: x grows to the patient's left, y to the back, z to the head (PS3.3 C.7.6.2.1.1).
        let turned = match (plane, geometry.map(Affine::steps)) {
            (Plane::Axial, _) | (_, None) => [false, false],
            (Plane::Coronal, Some(steps)) => [steps[0][2] > 0.0, steps[2][0] < 0.0],
            (Plane::Sagittal, Some(steps)) => [steps[0][2] > 0.0, steps[1][1] < 0.0],
        };
        for axis in 0..2 {
            if turned[axis] {
                hu.invert_axis(Axis(axis));
            }
        }
        Self { hu, at, across: plane.across(), axes, turned, first, geometry }
    }

    /// Row and column of a voxel `[z, y, x]`, if it lies in this plane.
    pub(super) fn pixel(&self, index: [u32; 3]) -> Option<[usize; 2]> {
        (index[self.across] == self.at).then(|| self.place(index)).flatten()
    }

    /// Whether a voxel `[z, y, x]` would be shown if it lay in this plane.
    pub(super) fn holds(&self, index: [u32; 3]) -> bool {
        self.place(index).is_some()
    }

    fn place(&self, index: [u32; 3]) -> Option<[usize; 2]> {
        let mut pixel = [0; 2];
        for axis in 0..2 {
            let length = self.hu.len_of(Axis(axis));
            let along = index[self.axes[axis]].checked_sub(self.first[axis])? as usize;
            if along >= length {
                return None;
            }
            pixel[axis] = if self.turned[axis] { length - 1 - along } else { along };
        }
        Some(pixel)
    }

    /// Millimetres from one row to the next and from one column to the next.
    pub(super) fn spacing_mm(&self) -> Option<[f64; 2]> {
        let spacing = self.geometry?.spacing_mm();
        Some(self.axes.map(|axis| spacing[axis]))
    }

    /// Row spacing over column spacing.
    pub(super) fn aspect(&self) -> f64 {
        self.spacing_mm().map_or(1.0, |[down, right]| down / right)
    }

    /// Steps down and to the right, in LPS+.
    pub(super) fn steps(&self) -> Option<[[f64; 3]; 2]> {
        let steps = self.geometry?.steps();
        Some([0, 1].map(|axis| {
            let step = steps[self.axes[axis]];
            if self.turned[axis] { step.map(|part| -part) } else { step }
        }))
    }
}
