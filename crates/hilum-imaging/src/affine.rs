//! Where voxels lie in the patient.

use serde::{Deserialize, Serialize};

use crate::vector::{cross, dot};

/// Maps voxel indices `[z, y, x]` to patient coordinates `[x, y, z]` in mm, LPS+ (PS3.3 C.7.6.2.1.1):
/// x grows to the patient's left, y to the back, z to the head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    origin: [f64; 3],
    /// Patient-space step (mm) of one index step along z, y and x.
    steps: [[f64; 3]; 3],
}

/// The three steps of an affine do not span space, so that it has no inverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the voxel steps do not span three dimensions; expected three independent, finite directions")]
pub struct DegenerateAffine;

impl Affine {
    /// From the centre of voxel `[0, 0, 0]` and the patient-space steps (mm) along z, y and x.
    pub fn new(origin: [f64; 3], steps: [[f64; 3]; 3]) -> Result<Self, DegenerateAffine> {
        let affine = Self { origin, steps };
        let volume = affine.voxel_volume_mm3();
        if volume.is_finite() && volume > 1e-9 && origin.iter().all(|v| v.is_finite()) {
            Ok(affine)
        } else {
            Err(DegenerateAffine)
        }
    }

    /// An axis-parallel, head-last axial stack: spacing `[z, y, x]` in mm.
    pub fn axial(origin: [f64; 3], spacing_mm: [f64; 3]) -> Result<Self, DegenerateAffine> {
        Self::new(origin, [[0.0, 0.0, spacing_mm[0]], [0.0, spacing_mm[1], 0.0], [spacing_mm[2], 0.0, 0.0]])
    }

    /// Patient coordinates (mm) of voxel index `[0, 0, 0]`.
    pub fn origin(&self) -> [f64; 3] {
        self.origin
    }

    /// Patient-space steps (mm) along the z, y and x index.
    pub fn steps(&self) -> [[f64; 3]; 3] {
        self.steps
    }

    /// Patient coordinates `[x, y, z]` (mm) of a (fractional) voxel index `[z, y, x]`.
    pub fn patient_from_index(&self, index: [f64; 3]) -> [f64; 3] {
        let mut patient = self.origin;
        for (step, i) in self.steps.iter().zip(index) {
            for (p, s) in patient.iter_mut().zip(step) {
                *p += s * i;
            }
        }
        patient
    }

    /// Fractional voxel index `[z, y, x]` of patient coordinates `[x, y, z]` (mm), by Cramer's rule.
    pub fn index_from_patient(&self, patient: [f64; 3]) -> [f64; 3] {
        let d = [patient[0] - self.origin[0], patient[1] - self.origin[1], patient[2] - self.origin[2]];
        let [a, b, c] = self.steps;
        let det = dot(a, cross(b, c));
        [dot(d, cross(b, c)) / det, dot(a, cross(d, c)) / det, dot(a, cross(b, d)) / det]
    }

    /// Distance (mm) between neighbouring voxels along z, y and x.
    pub fn spacing_mm(&self) -> [f64; 3] {
        self.steps.map(|s| dot(s, s).sqrt())
    }

    /// Volume of one voxel in mm³.
    pub fn voxel_volume_mm3(&self) -> f64 {
        let [a, b, c] = self.steps;
        dot(a, cross(b, c)).abs()
    }

    /// The same grid seen from another voxel: `start` `[z, y, x]` becomes index zero and each step is scaled.
    pub fn regrid(&self, start: [f64; 3], scale: [f64; 3]) -> Result<Self, DegenerateAffine> {
        let mut steps = self.steps;
        for (step, k) in steps.iter_mut().zip(scale) {
            for s in step.iter_mut() {
                *s *= k;
            }
        }
        Self::new(self.patient_from_index(start), steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn index_and_patient_space_are_inverse(
            steps in prop::array::uniform3(prop::array::uniform3(-5.0_f64..5.0)),
            origin in prop::array::uniform3(-500.0_f64..500.0),
            index in prop::array::uniform3(-600.0_f64..600.0),
        ) {
            let Ok(affine) = Affine::new(origin, steps) else { return Ok(()) };
            prop_assume!(affine.voxel_volume_mm3() > 1e-2);
            let back = affine.index_from_patient(affine.patient_from_index(index));
            for (a, b) in back.iter().zip(index) {
                prop_assert!((a - b).abs() < 1e-6, "{back:?} is not {index:?}");
            }
        }
    }

    #[test]
    fn an_axial_stack_grows_to_the_left_the_back_and_the_head() {
        let affine = Affine::axial([-10.0, -20.0, 30.0], [5.0, 0.5, 0.7]).expect("three directions");
        assert_eq!(affine.patient_from_index([2.0, 4.0, 10.0]), [-3.0, -18.0, 40.0]);
        assert!((affine.voxel_volume_mm3() - 1.75).abs() < 1e-12);
        assert_eq!(affine.spacing_mm(), [5.0, 0.5, 0.7]);
    }

    #[test]
    fn flat_steps_are_refused() {
        assert_eq!(Affine::new([0.0; 3], [[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), Err(DegenerateAffine));
    }
}
