//! Pixel data in Hounsfield units, for every transfer syntax that CT comes in.

mod error;
mod read;
mod volume;

pub use error::PixelError;
pub use read::{HuFrame, LARGEST_FRAME_BYTES, PADDING_HU, read_frame, read_hu};
pub use volume::{VolumeError, read_volume};
