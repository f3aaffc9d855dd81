//! Frames into JPEG-LS Lossless (PS3.5 A.4.3), by CharLS.

use charls::{CharLS, FrameInfo};

use super::{FrameSamples, ImageDescription, PixelError};
use crate::uid::TransferSyntaxUid;

impl ImageDescription {
    /// Whether frames of this kind can be encoded: one sample of 8 or 16 bits a pixel.
    pub fn fits_jpeg_ls(&self) -> bool {
        self.samples == 1 && matches!(self.allocated, 8 | 16) && self.stored >= 2
    }

    /// A frame's samples in JPEG-LS, without loss: every bit comes back, also those outside the stored ones.
    pub fn encode_jpeg_ls(&self, frame: &FrameSamples) -> Result<Vec<u8>, PixelError> {
        let syntax = TransferSyntaxUid::jpeg_ls_lossless();
        if !self.fits_jpeg_ls() || frame.bytes.len() != self.pixels() * usize::from(self.allocated / 8) {
            return Err(PixelError::UnsupportedTransferSyntax(syntax));
        }
        // The precision is Bits Stored, unless a sample needs more (a sign carried on, an overlay).
        let largest = match self.allocated {
            8 => frame.bytes.iter().map(|&byte| u32::from(byte)).max(),
            _ => frame.bytes.as_chunks().0.iter().map(|&pair| u32::from(u16::from_le_bytes(pair))).max(),
        };
        let fits = largest.unwrap_or(0) >> self.stored == 0;
        let precision = if fits { self.stored } else { self.allocated };
        // CharLS takes two bytes a sample from 9 bits on and one below.
        let narrow = self.allocated == 16 && precision <= 8;
        let bytes: Vec<u8>;
        let source = if narrow {
            bytes = frame.bytes.as_chunks::<2>().0.iter().map(|pair| pair[0]).collect();
            &bytes
        } else {
            &frame.bytes
        };
        let info =
            FrameInfo { width: self.columns, height: self.rows, bits_per_sample: precision.into(), component_count: 1 };
        let coded = CharLS::default().encode(info, 0, source);
        coded.map_err(|error| PixelError::Codec { syntax, reason: error.to_string() })
    }
}
