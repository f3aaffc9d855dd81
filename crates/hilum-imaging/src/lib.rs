//! Arrays with an affine and what a radiology platform does with them: windows, reslicing, projections, resampling,
//! connected components, the preprocessing recipe and the synthetic CT. No files, no network.

mod affine;
pub mod components;
pub mod frame;
mod orient;
pub mod phantom;
pub mod project;
pub mod recipe;
pub mod resample;
pub mod reslice;
pub mod vector;
mod volume;
mod window;

pub use affine::{Affine, DegenerateAffine};
pub use components::{Extent, components_26, label_26};
pub use project::{Image2, Plane, Projection, orthogonal, project};
pub use recipe::{Recipe, RecipeError, SliceGrid, SliceInput, StackOrientation, prepare};
pub use resample::{Interpolation, ResampleError, resample, resample_slice_f32};
pub use reslice::{SlicePlane, reslice};
pub use volume::{Mask, Volume};
pub use window::Window;
