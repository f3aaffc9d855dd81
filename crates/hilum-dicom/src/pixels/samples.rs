//! The samples of any image, colour included, out of native or encapsulated pixel data.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use jpeg_decoder::ColorTransform;

use super::attributes::{PixelAttributes, SampleBits, frames, required, unsigned};
use super::codestream::shape_of;
use super::read::LARGEST_FRAME_BYTES;
use super::{PixelError, codec, rle};
use crate::header::Instance;
use crate::outline::{FrameSpans, Outline, OutlineError, PixelSpans, ReadAt};
use crate::uid::{PixelCoding, TransferSyntaxUid};

/// What the Image Pixel module (PS3.3 C.7.6.3) says of every frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageDescription {
    /// Rows (0028,0010).
    pub rows: u32,
    /// Columns (0028,0011).
    pub columns: u32,
    /// Number of Frames (0028,0008), 1 where none is stated.
    pub frames: u32,
    /// Samples per Pixel (0028,0002).
    pub samples: u16,
    /// Photometric Interpretation (0028,0004).
    pub photometric: String,
    /// Planar Configuration (0028,0006) is 1: native samples come plane by plane.
    pub by_plane: bool,
    /// Bits Allocated (0028,0100): 1, 8, 16, 32 or 64.
    pub allocated: u16,
    /// Bits Stored (0028,0101).
    pub stored: u16,
    /// High Bit (0028,0102).
    pub high_bit: u16,
    /// Pixel Representation (0028,0103) is 1.
    pub signed: bool,
}

/// The samples of one frame: little endian, a pixel's samples side by side, of Bits Allocated bits each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameSamples {
    /// The samples.
    pub bytes: Vec<u8>,
    /// What they mean: decoding turns the YBR of lossy JPEG and of JPEG 2000 into RGB.
    pub photometric: String,
}

impl ImageDescription {
    /// Reads and checks it; a frame that would decode to more than [`LARGEST_FRAME_BYTES`] is refused.
    pub fn of(instance: &Instance<'_>) -> Result<Self, PixelError> {
        if instance.header().pixel_data.is_none() {
            return Err(PixelError::NoPixelData);
        }
        let rows = required(instance, tags::ROWS, "Rows")?.into();
        let columns = required(instance, tags::COLUMNS, "Columns")?.into();
        let allocated = required(instance, tags::BITS_ALLOCATED, "BitsAllocated")?;
        let stored = unsigned(instance, tags::BITS_STORED).unwrap_or(allocated);
        let high_bit = unsigned(instance, tags::HIGH_BIT).unwrap_or(stored.saturating_sub(1));
        let fits = matches!(allocated, 1 | 8 | 16 | 32 | 64)
            && (1..=allocated).contains(&stored)
            && high_bit < allocated
            && high_bit + 1 >= stored;
        if !fits {
            return Err(PixelError::Bits { allocated, stored, high_bit });
        }
        let samples = unsigned(instance, tags::SAMPLES_PER_PIXEL).unwrap_or(1);
        if !matches!(samples, 1 | 3 | 4) {
            let (name, tag) = ("SamplesPerPixel", tags::SAMPLES_PER_PIXEL);
            return Err(PixelError::Attribute { name, tag, expected: "1, 3 or 4" });
        }
        let photometric = instance.value(tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
        let description = Self {
            rows,
            columns,
            frames: frames(instance)?,
            samples,
            photometric: String::from_utf8_lossy(photometric).trim_matches([' ', '\0']).to_owned(),
            by_plane: unsigned(instance, tags::PLANAR_CONFIGURATION) == Some(1),
            allocated,
            stored,
            high_bit,
            signed: unsigned(instance, tags::PIXEL_REPRESENTATION) == Some(1),
        };
        for (size, name, tag) in [(rows, "Rows", tags::ROWS), (columns, "Columns", tags::COLUMNS)] {
            if size == 0 {
                return Err(PixelError::Attribute { name, tag, expected: "a number from 1 to 65535" });
            }
        }
        let bytes = description.sample_bits().div_ceil(8);
        if bytes > LARGEST_FRAME_BYTES {
            return Err(PixelError::TooLarge { rows, columns, bytes, limit: LARGEST_FRAME_BYTES });
        }
        Ok(description)
    }

    /// Bits of all samples of a frame; no overflow: 16 + 16 + 2 + 6 bits.
    fn sample_bits(&self) -> u64 {
        u64::from(self.rows) * u64::from(self.columns) * u64::from(self.samples) * u64::from(self.allocated)
    }

    /// Bits of one frame in native pixel data; fewer than its samples have where chroma is subsampled (PS3.3 C.7.6.3.1.2).
    pub fn native_frame_bits(&self) -> u64 {
        let pixels = u64::from(self.rows) * u64::from(self.columns) * u64::from(self.allocated);
        match self.photometric.as_str() {
            "YBR_FULL_422" | "YBR_PARTIAL_422" if self.samples == 3 => pixels * 2,
            "YBR_PARTIAL_420" if self.samples == 3 => pixels * 3 / 2,
            _ => self.sample_bits(),
        }
    }

    /// Pixels of a frame.
    pub fn pixels(&self) -> usize {
        self.rows as usize * self.columns as usize
    }

    fn width(&self) -> usize {
        usize::from(self.allocated / 8)
    }

    /// The bytes of frame `frame` (from 0): its codestream, or its native bytes in little endian, planes left planes.
    pub fn read(&self, outline: &Outline, frame: u32, source: &dyn ReadAt) -> Result<Vec<u8>, OutlineError> {
        let inflated = outline.inflated.as_deref();
        let source: &dyn ReadAt = inflated.as_ref().map_or(source, |inflated| inflated);
        let big_endian = outline.instance()?.header().encoding.big_endian;
        let vr = outline.pixel_data.as_ref().map_or(VR::OW, |pixel_data| pixel_data.vr);
        let native = outline.transfer_syntax().pixel_coding() == PixelCoding::Native;
        let spans = outline.frame(frame, self.frames, self.native_frame_bits(), source)?;
        if native && big_endian && self.allocated == 8 && vr == VR::OW {
            return swapped_bytes(outline, &spans, source);
        }
        let bytes = spans.read(source)?;
        Ok(if native { self.little_endian(vr, big_endian, bytes) } else { bytes })
    }

    /// A native frame's bytes in little endian, as they are stored otherwise: planes stay planes.
    fn little_endian(&self, vr: VR, big_endian: bool, mut bytes: Vec<u8>) -> Vec<u8> {
        let width = match self.allocated {
            _ if !big_endian => 1,
            1 if vr == VR::OW => 2,
            allocated => usize::from(allocated / 8).max(1),
        };
        if width > 1 {
            bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
        bytes
    }

    /// The samples of a frame whose native bytes, in little endian, are given.
    pub fn from_native(&self, bytes: Vec<u8>) -> Result<FrameSamples, PixelError> {
        let expected = self.native_frame_bits().div_ceil(8);
        if bytes.len() as u64 != expected {
            return Err(PixelError::Truncated { expected, found: bytes.len() as u64 });
        }
        let photometric = self.photometric.clone();
        let bytes = match photometric.as_str() {
            "YBR_FULL_422" | "YBR_PARTIAL_422" if self.samples == 3 => self.without_subsampling(&bytes)?,
            _ if self.by_plane && self.samples > 1 => self.side_by_side(&bytes),
            _ => bytes,
        };
        Ok(FrameSamples { bytes, photometric })
    }

    /// Two luminance samples share one pair of chroma samples: Y1 Y2 Cb Cr (PS3.3 C.7.6.3.1.2).
    fn without_subsampling(&self, bytes: &[u8]) -> Result<Vec<u8>, PixelError> {
        if self.width() != 1 || !self.columns.is_multiple_of(2) {
            return Err(PixelError::Photometric { found: "YBR_FULL_422" });
        }
        let (pairs, _) = bytes.as_chunks::<4>();
        Ok(pairs.iter().flat_map(|&[y1, y2, cb, cr]| [y1, cb, cr, y2, cb, cr]).collect())
    }

    fn side_by_side(&self, planes: &[u8]) -> Vec<u8> {
        let (width, samples, pixels) = (self.width().max(1), usize::from(self.samples), self.pixels());
        let mut out = Vec::with_capacity(planes.len());
        for pixel in 0..pixels {
            for sample in 0..samples {
                let at = (sample * pixels + pixel) * width;
                out.extend(&planes[at..at + width]);
            }
        }
        out
    }

    /// The samples of an encapsulated frame.
    pub fn decode(&self, syntax: &TransferSyntaxUid, codestream: &[u8]) -> Result<FrameSamples, PixelError> {
        if self.allocated == 1 && self.samples == 1 {
            // Single bits come out of a codestream as bytes.
            let bytes = Self { allocated: 8, ..self.clone() }.decode(syntax, codestream)?;
            return Ok(FrameSamples { bytes: packed(&bytes.bytes), photometric: bytes.photometric });
        }
        if syntax.pixel_coding() == PixelCoding::Native || !matches!(self.allocated, 8 | 16 | 32) {
            return Err(PixelError::UnsupportedTransferSyntax(syntax.clone()));
        }
        let samples = usize::from(self.samples);
        let photometric = self.photometric.clone();
        if syntax.as_str() == uids::RLE_LOSSLESS {
            let bytes = rle::decode(codestream, self.pixels(), samples, self.width())?;
            return Ok(FrameSamples { bytes, photometric });
        }
        let colour_jpeg = samples == 3 && is_jpeg(codestream);
        if colour_jpeg {
            return self.colour_jpeg(syntax, codestream);
        }
        let attributes = PixelAttributes {
            rows: self.rows,
            columns: self.columns,
            frames: 1,
            samples: self.samples,
            bits: SampleBits {
                allocated: self.allocated,
                stored: self.stored,
                high_bit: self.high_bit,
                signed: self.signed,
            },
            padding: None,
        };
        let decoded = codec::decode(syntax, codestream, &attributes)?;
        let mut bytes = decoded.samples;
        // JPEG-LS without interleaving comes out plane by plane, whatever Planar Configuration says.
        if samples > 1 && jpeg_ls_interleave(codestream) == Some(0) {
            let width = usize::from(decoded.bits.allocated / 8);
            bytes = Self { allocated: width as u16 * 8, ..self.clone() }.side_by_side(&bytes);
        }
        if decoded.bits.allocated < self.allocated {
            bytes = self.widened(bytes);
        }
        let photometric = if photometric.starts_with("YBR_") && samples == 3 && is_jpeg_2000(codestream) {
            "RGB".to_owned()
        } else {
            photometric
        };
        Ok(FrameSamples { bytes, photometric })
    }

    /// Three components by the photometric interpretation, unless the codestream says itself what they are (Adobe's APP14). The
    /// lossless process leaves them what they are.
    fn colour_jpeg(&self, syntax: &TransferSyntaxUid, codestream: &[u8]) -> Result<FrameSamples, PixelError> {
        let refused = |reason: String| PixelError::Codec { syntax: syntax.clone(), reason };
        let shape = shape_of(codestream).ok_or_else(|| refused("it does not begin as a JPEG image".to_owned()))?;
        let (rows, columns) = (self.rows, self.columns);
        if (shape.rows, shape.columns, shape.components) != (rows, columns, self.samples) {
            let (coded_rows, coded_columns, components) = (shape.rows, shape.columns, shape.components);
            return Err(PixelError::CodestreamMismatch { coded_rows, coded_columns, components, rows, columns });
        }
        let ybr = stated_ybr(codestream).unwrap_or_else(|| self.photometric.starts_with("YBR_"));
        let mut decoder = jpeg_decoder::Decoder::new(codestream);
        decoder.set_color_transform(if ybr { ColorTransform::YCbCr } else { ColorTransform::RGB });
        decoder.set_max_decoding_buffer_size(LARGEST_FRAME_BYTES as usize);
        // The decoder is other people's code and indexes by what a damaged codestream tells it.
        let bytes = match catch_unwind(AssertUnwindSafe(|| decoder.decode())) {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Err(refused(error.to_string())),
            Err(_) => return Err(refused("the decoder gave up on damaged data".to_owned())),
        };
        let expected = self.pixels() * usize::from(self.samples);
        if bytes.len() != expected && bytes.len() != expected * self.width() {
            return Err(PixelError::Truncated { expected: expected as u64, found: bytes.len() as u64 });
        }
        let photometric = if shape.lossless_jpeg { self.photometric.clone() } else { "RGB".to_owned() };
        Ok(FrameSamples { bytes: self.widened(bytes), photometric })
    }

    /// Bytes as samples of Bits Allocated; what has them already stays.
    fn widened(&self, bytes: Vec<u8>) -> Vec<u8> {
        let (count, width) = (self.pixels() * usize::from(self.samples), self.width());
        if width == 1 || bytes.len() != count {
            return bytes;
        }
        let mut wide = vec![0; count * width];
        wide.chunks_exact_mut(width).zip(bytes).for_each(|(sample, byte)| sample[0] = byte);
        wide
    }
}

/// 8-bit samples in the 16-bit words of big endian (PS3.5 8.1.1), where a frame may begin or end within a word.
fn swapped_bytes(outline: &Outline, spans: &FrameSpans, source: &dyn ReadAt) -> Result<Vec<u8>, OutlineError> {
    let whole = match outline.pixel_data.as_ref().map(|pixel_data| &pixel_data.spans) {
        Some(PixelSpans::Native(span)) => span.clone(),
        _ => 0..0,
    };
    let FrameSpans::Bytes(own) = spans else { return Ok(Vec::new()) };
    let own = own.first().cloned().unwrap_or_default();
    let (first, last) = (own.start - whole.start, own.end - whole.start);
    let words = whole.start + first / 2 * 2..(whole.start + last.next_multiple_of(2)).min(whole.end);
    let mut bytes = source.read_at(words)?;
    bytes.chunks_exact_mut(2).for_each(<[u8]>::reverse);
    let skip = (first % 2) as usize;
    bytes.drain(..skip);
    bytes.truncate((last - first) as usize);
    Ok(bytes)
}

/// Whether a JPEG image says of itself that it is YBR: by Adobe's APP14 segment, or by JFIF, which is YBR (ITU-T T.871 6.3).
fn stated_ybr(codestream: &[u8]) -> Option<bool> {
    let mut at = 2;
    loop {
        let [0xFF, marker] = *codestream.get(at..at + 2)? else { return None };
        let length = usize::from(u16::from_be_bytes([*codestream.get(at + 2)?, *codestream.get(at + 3)?]));
        let segment = codestream.get(at + 4..at + 2 + length.max(2))?;
        match (marker, segment) {
            (0xE0, [b'J', b'F', b'I', b'F', 0, ..]) => return Some(true),
            (0xEE, [b'A', b'd', b'o', b'b', b'e', _, _, _, _, _, _, transform, ..]) => return Some(*transform == 1),
            (0xDA, _) => return None,
            _ => at += 2 + length.max(2),
        }
    }
}

/// Bytes that are 0 or not as bits, the first one least significant (PS3.5 8.1.1).
fn packed(bytes: &[u8]) -> Vec<u8> {
    let byte = |bits: &[u8]| bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit != 0));
    bytes.chunks(8).map(byte).collect()
}

fn is_jpeg(codestream: &[u8]) -> bool {
    // SOF55 (JPEG-LS) is another codec with the same beginning.
    codestream.starts_with(&[0xFF, 0xD8]) && jpeg_ls_interleave(codestream).is_none()
}

fn is_jpeg_2000(codestream: &[u8]) -> bool {
    codestream.starts_with(&[0xFF, 0x4F]) || codestream.starts_with(&[0, 0, 0, 0x0C, b'j', b'P'])
}

/// The interleave mode of a JPEG-LS scan (ISO/IEC 14495-1 C.2.3); `None` where it is no JPEG-LS.
fn jpeg_ls_interleave(codestream: &[u8]) -> Option<u8> {
    let mut at = 2;
    let mut is_jpeg_ls = false;
    loop {
        let [0xFF, marker] = *codestream.get(at..at + 2)? else { return None };
        let length = usize::from(u16::from_be_bytes([*codestream.get(at + 2)?, *codestream.get(at + 3)?]));
        match marker {
            0xF7 => is_jpeg_ls = true,
            0xDA if is_jpeg_ls => return codestream.get(at + length).copied(),
            0xDA => return None,
            _ => {}
        }
        at += 2 + length.max(2);
    }
}
