//! A small stack as one volume.

use hilum_imaging::Volume;
use ndarray::{Array3, Axis};

use super::{FrameReader, PixelError};
use crate::facts::{DicomError, InstanceFacts};
use crate::geometry::{GeometryFinding, SlicePlacement, StackCheck, check_stack};
use crate::header::{HeaderError, Instance};

/// Why a stack of instances makes no volume.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// The geometry refuses a volume; the check says why.
    #[error("the slices make no volume: {}", codes(.0))]
    Refused(Box<StackCheck>),
    /// An instance cannot be walked.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// An instance's facts cannot be read.
    #[error(transparent)]
    Facts(#[from] DicomError),
    /// A slice's pixels cannot be read.
    #[error(transparent)]
    Pixels(#[from] PixelError),
}

fn codes(check: &StackCheck) -> String {
    check.findings.iter().map(GeometryFinding::code).collect::<Vec<_>>().join(", ")
}

/// Reads every frame of the given instances (whole files, any order) into one volume `[z, y, x]`, z in stack order. Everything
/// is in memory at once: for small stacks and tests; a reading goes slice by slice.
pub fn read_volume<B: AsRef<[u8]>>(instances: &[B]) -> Result<(Volume, StackCheck), VolumeError> {
    let mut readers = Vec::with_capacity(instances.len());
    let mut slices = Vec::new();
    for bytes in instances {
        let instance = Instance::parse(bytes.as_ref())?;
        for placement in SlicePlacement::of(&InstanceFacts::of(&instance)?) {
            slices.push((readers.len(), placement));
        }
        readers.push(FrameReader::of(instance)?);
    }
    let placements: Vec<SlicePlacement> = slices.iter().map(|(_, placement)| placement.clone()).collect();
    let check = check_stack(&placements);
    let Some(geometry) = check.affine else { return Err(VolumeError::Refused(Box::new(check))) };
    let mut hu = Array3::zeros((0, placements[0].rows as usize, placements[0].columns as usize));
    for &slice in &check.order {
        let (instance, placement) = &slices[slice];
        let frame = readers[*instance].read(placement.frame)?;
        if hu.push(Axis(0), frame.hu.view()).is_err() {
            return Err(VolumeError::Refused(Box::new(check)));
        }
    }
    Ok((Volume { hu, geometry }, check))
}
