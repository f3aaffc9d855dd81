//! Arrays with an affine and what a radiology platform does with them: windows, reslicing, projections, resampling,
//! connected components, the preprocessing recipe and the synthetic CT. No files, no network.

mod affine;
pub mod phantom;
mod volume;

pub use affine::{Affine, DegenerateAffine};
pub use volume::{Mask, Volume};
