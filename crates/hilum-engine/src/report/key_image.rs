//! One picture per stone: the slice that shows most of it, red mask, green box, sides, scale.

use hilum_clinical::urinary_stone::StoneReading;
use hilum_imaging::Affine;
use ndarray::ArrayView2;

use super::ReportError;

/// A key image as PNG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyImage {
    /// Number of the stone that it shows, see `Stone::number`.
    pub stone: u32,
    /// Index of the slice in the stack, from 0.
    pub slice: u32,
    /// RGB, 8 bit.
    pub png: Vec<u8>,
}

/// The slice to draw.
#[derive(Clone, Copy, Debug)]
pub struct KeySlice<'a> {
    /// HU `[y, x]` of slice `Stone::slices.key`.
    pub hu: ArrayView2<'a, i16>,
    /// Geometry of the stack; `None` where it was refused: no millimetres and no sides are drawn.
    pub geometry: Option<&'a Affine>,
}

/// Draws the key image of `stones[focus]`; the other stones that the slice shows are drawn too, with thinner boxes.
pub fn key_image(slice: KeySlice<'_>, stones: &[StoneReading], focus: usize) -> Result<KeyImage, ReportError> {
    let stone = stones.get(focus).ok_or(ReportError::StoneOutsideSlice)?;
    todo!("{slice:?} {stone:?}")
}
