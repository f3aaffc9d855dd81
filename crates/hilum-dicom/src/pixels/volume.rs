//! A small stack as one volume.

use hilum_imaging::Volume;

use super::PixelError;
use crate::facts::DicomError;
use crate::geometry::StackCheck;

/// Why a stack of instances makes no volume.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// The geometry refuses a volume; the check says why.
    #[error("the slices make no volume: {}", .0.findings.iter().map(crate::geometry::GeometryFinding::code).collect::<Vec<_>>().join(", "))]
    Refused(Box<StackCheck>),
    /// An instance's facts cannot be read.
    #[error(transparent)]
    Facts(#[from] DicomError),
    /// A slice's pixels cannot be read.
    #[error(transparent)]
    Pixels(#[from] PixelError),
}

/// Reads all frames of the given instances (files' bytes, any order) into one volume.
pub fn read_volume<B: AsRef<[u8]>>(_instances: &[B]) -> Result<(Volume, StackCheck), VolumeError> {
    todo!()
}
