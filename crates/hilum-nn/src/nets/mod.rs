//! Networks of the literature, built from the description.

mod unet;

pub use unet::{UNet2d, unet2d};
