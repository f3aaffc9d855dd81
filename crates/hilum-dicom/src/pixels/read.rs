//! One frame, from bytes to Hounsfield units.

use ndarray::Array2;

use super::PixelError;

/// What a pixel outside the scanned field (PixelPaddingValue) becomes: air.
pub const PADDING_HU: i16 = -1024;
/// A frame that would decode to more than this is refused before any memory is asked for (16,384 x 16,384 at 16 bit).
pub const LARGEST_FRAME_BYTES: u64 = 512 * 1024 * 1024;

/// One decoded frame.
#[derive(Clone, Debug, PartialEq)]
pub struct HuFrame {
    /// Hounsfield units `[y, x]`.
    pub hu: Array2<i16>,
    /// Pixels that were PixelPaddingValue and became [`PADDING_HU`].
    pub padded: usize,
    /// Pixels whose value left the range of i16 and was held at its end.
    pub clamped: usize,
    /// Whether the file states a rescale; without one stored values are returned as they are.
    pub rescaled: bool,
}

/// Hounsfield units `[y, x]` of frame `frame` (from 0) of an instance.
pub fn read_hu(bytes: &[u8], frame: u32) -> Result<Array2<i16>, PixelError> {
    Ok(read_frame(bytes, frame)?.hu)
}

/// As [`read_hu`], with what happened to the pixels on the way.
pub fn read_frame(_bytes: &[u8], _frame: u32) -> Result<HuFrame, PixelError> {
    todo!()
}
