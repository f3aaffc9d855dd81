//! Model artefact in, prediction out: the model folder, the body region, and prediction slice by slice in bounded memory.

pub mod card;
pub mod interval;
pub mod model;
pub mod read;
pub mod region;

use hilum_imaging::{Affine, Volume};

pub use card::ModelCard;
pub use model::{Model, ModelError};
pub use read::{Candidate, Reading, VoxelScore, read_stack, read_stack_until};
pub use region::{Region, find_urinary_region};

/// The shape and the place of a stack of slices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SliceStack {
    /// Number of slices.
    pub slices: usize,
    /// Rows of every slice.
    pub rows: usize,
    /// Columns of every slice.
    pub columns: usize,
    /// Patient coordinates of index `[slice, row, column]`.
    pub geometry: Affine,
}

impl SliceStack {
    /// The stack of a volume in memory.
    pub fn of(volume: &Volume) -> Self {
        let (slices, rows, columns) = volume.hu.dim();
        Self { slices, rows, columns, geometry: volume.geometry }
    }
}
