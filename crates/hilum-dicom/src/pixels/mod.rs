//! Pixel data: in Hounsfield units, for every transfer syntax that CT comes in, and as samples, for every image.
//!
//! Nothing that a header states is believed before it is checked against the bytes at hand: sizes are refused before memory is
//! asked for, a codestream's own size must be the header's, and a frame that is not all there is an error, never a half image.

mod attributes;
mod codec;
mod codestream;
mod error;
mod fragments;
mod jpeg_extended;
mod jpeg_lossless;
mod jpeg_ls;
mod modality;
mod read;
mod rle;
mod samples;
mod volume;

pub use error::PixelError;
pub use modality::PADDING_HU;
pub use read::{FrameReader, HuFrame, LARGEST_FRAME_BYTES, read_frame, read_hu};
pub use samples::{FrameSamples, ImageDescription};
pub use volume::{VolumeError, read_volume};
