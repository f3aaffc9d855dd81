//! Arrays that know where they lie in the patient.

use ndarray::Array3;

use crate::Affine;

/// A CT volume: HU as `[z, y, x]` with its place in the patient.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume {
    /// Hounsfield units `[z, y, x]`.
    pub hu: Array3<i16>,
    /// Patient coordinates of each voxel centre.
    pub geometry: Affine,
}

/// Labels on the grid of a volume, `[z, y, x]`, 0 is background.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    /// Label of each voxel `[z, y, x]`.
    pub labels: Array3<u8>,
    /// Patient coordinates of each voxel centre.
    pub geometry: Affine,
}
