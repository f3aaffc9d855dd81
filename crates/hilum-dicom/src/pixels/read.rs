//! One frame, from bytes to Hounsfield units.

use std::borrow::Cow;

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use ndarray::Array2;

use super::attributes::{PixelAttributes, Rescales, SampleBits};
use super::fragments::frame_codestream;
use super::modality::{Rescale, hu_from_samples};
use super::{PixelError, codec, rle};
use crate::header::{Instance, PixelDataLocation, PixelDataValue, Span};

/// A frame that would decode to more bytes is refused before any memory is asked for (8,192 x 8,192 at 16 bit).
pub const LARGEST_FRAME_BYTES: u64 = 128 * 1024 * 1024;

/// One decoded frame.
#[derive(Clone, Debug, PartialEq)]
pub struct HuFrame {
    /// Hounsfield units `[y, x]`, to the nearest; halves away from zero.
    pub hu: Array2<i16>,
    /// Pixels that were PixelPaddingValue (or within its range) and became [`PADDING_HU`](super::PADDING_HU).
    pub padded: usize,
    /// Pixels whose HU left the range of i16 and were held at its end.
    pub clamped: usize,
    /// Whether the file states a rescale; without one the stored values are returned as they are and are not known to be HU.
    pub rescaled: bool,
}

/// Hounsfield units `[y, x]` of frame `frame` (from 0) of a Part 10 file or bare data set.
pub fn read_hu(bytes: &[u8], frame: u32) -> Result<Array2<i16>, PixelError> {
    Ok(read_frame(bytes, frame)?.hu)
}

/// As [`read_hu`], with what happened to the pixels on the way.
pub fn read_frame(bytes: &[u8], frame: u32) -> Result<HuFrame, PixelError> {
    FrameReader::open(bytes)?.read(frame)
}

/// An instance whose header is walked and checked, for reading several of its frames.
#[derive(Clone, Debug)]
pub struct FrameReader<'a> {
    instance: Instance<'a>,
    attributes: PixelAttributes,
    rescales: Rescales,
}

impl<'a> FrameReader<'a> {
    /// Walks a Part 10 file or bare data set.
    pub fn open(bytes: &'a [u8]) -> Result<Self, PixelError> {
        Self::of(Instance::parse(bytes)?)
    }

    /// From an instance already walked.
    pub fn of(instance: Instance<'a>) -> Result<Self, PixelError> {
        let location = instance.header().pixel_data.as_ref().ok_or(PixelError::NoPixelData)?;
        if location.tag != tags::PIXEL_DATA {
            return Err(PixelError::FloatingPoint { tag: location.tag });
        }
        let attributes = PixelAttributes::of(&instance)?;
        let rescales = Rescales::of(&instance)?;
        Ok(Self { instance, attributes, rescales })
    }

    /// NumberOfFrames as stated; frames that are not there are an error of [`read`](Self::read).
    pub fn frames(&self) -> u32 {
        self.attributes.frames
    }

    /// Decodes frame `frame`, from 0.
    pub fn read(&self, frame: u32) -> Result<HuFrame, PixelError> {
        let attributes = &self.attributes;
        let rescale = self.rescales.of_frame(frame)?;
        let StoredSamples { bytes, big_endian, allocated, stored, high_bit } = self.stored_samples(frame)?;
        let bits = SampleBits { allocated, stored, high_bit, signed: attributes.bits.signed };
        let line = rescale.unwrap_or(Rescale::IDENTITY);
        let converted = hu_from_samples(&bytes, big_endian, bits, attributes.padding, line);
        let shape = (attributes.rows as usize, attributes.columns as usize);
        let truncated = PixelError::Truncated { expected: attributes.frame_bytes(), found: bytes.len() as u64 };
        let hu = Array2::from_shape_vec(shape, converted.hu).map_err(|_| truncated)?;
        Ok(HuFrame { hu, padded: converted.padded, clamped: converted.clamped, rescaled: rescale.is_some() })
    }

    /// The samples of frame `frame`, from 0, as they are stored or come out of the codestream.
    pub(crate) fn stored_samples(&self, frame: u32) -> Result<StoredSamples<'_>, PixelError> {
        if frame >= self.attributes.frames {
            return Err(PixelError::NoSuchFrame { asked: frame, frames: self.attributes.frames });
        }
        let location = self.instance.header().pixel_data.as_ref().ok_or(PixelError::NoPixelData)?;
        samples(&self.instance, location, &self.attributes, frame)
    }
}

/// The stored samples of one frame, before sign and rescale.
pub(crate) struct StoredSamples<'a> {
    pub bytes: Cow<'a, [u8]>,
    pub big_endian: bool,
    /// Bits of a sample in `bytes`: 8, 16 or 32.
    pub allocated: u16,
    /// How many of them mean something ...
    pub stored: u16,
    /// ... up to this one.
    pub high_bit: u16,
}

impl<'a> StoredSamples<'a> {
    fn new(bytes: Cow<'a, [u8]>, big_endian: bool, bits: SampleBits) -> Self {
        let SampleBits { allocated, stored, high_bit, signed: _ } = bits;
        Self { bytes, big_endian, allocated, stored, high_bit }
    }
}

fn samples<'a>(
    instance: &'a Instance<'_>,
    location: &PixelDataLocation,
    attributes: &PixelAttributes,
    frame: u32,
) -> Result<StoredSamples<'a>, PixelError> {
    let bits = attributes.bits;
    match &location.value {
        PixelDataValue::Native { present, .. } => {
            let bytes = native(instance.bytes(), *present, attributes, frame)?;
            let big_endian = instance.header().encoding.big_endian;
            // 8-bit samples in 16-bit words come swapped in big endian (PS3.5 8.1.1).
            if big_endian && bits.allocated == 8 && location.vr == VR::OW {
                let start = frame as usize * attributes.pixels();
                let swapped = swap_pairs(present.of(instance.bytes()), start, bytes.len());
                return Ok(StoredSamples::new(Cow::Owned(swapped), false, bits));
            }
            Ok(StoredSamples::new(Cow::Borrowed(bytes), big_endian, bits))
        }
        PixelDataValue::Encapsulated { offset_table, fragments } => {
            let syntax = &instance.header().transfer_syntax;
            let is_rle = syntax.as_str() == uids::RLE_LOSSLESS;
            let codestream = frame_codestream(instance, *offset_table, fragments, frame, attributes.frames, is_rle)?;
            if is_rle {
                let samples = rle::decode(&codestream, attributes.pixels(), 1, bits.bytes())?;
                return Ok(StoredSamples::new(Cow::Owned(samples), false, bits));
            }
            let decoded = codec::decode(syntax, &codestream, attributes)?;
            Ok(StoredSamples::new(Cow::Owned(decoded.samples), false, decoded.bits))
        }
    }
}

/// The frame's bytes in uncompressed pixel data.
fn native<'a>(
    bytes: &'a [u8],
    present: Span,
    attributes: &PixelAttributes,
    frame: u32,
) -> Result<&'a [u8], PixelError> {
    let (length, found) = (attributes.frame_bytes(), present.of(bytes));
    let start = length * u64::from(frame);
    let expected = start + length;
    if expected > found.len() as u64 {
        return Err(PixelError::Truncated { expected, found: found.len() as u64 });
    }
    Ok(&found[start as usize..expected as usize])
}

/// `len` bytes from `start` with the two bytes of every 16-bit word exchanged; a frame may begin in the middle of a word.
fn swap_pairs(words: &[u8], start: usize, len: usize) -> Vec<u8> {
    (start..start + len).map(|i| words.get(i ^ 1).copied().unwrap_or_default()).collect()
}
