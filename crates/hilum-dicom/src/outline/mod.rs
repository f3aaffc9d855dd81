//! A kept object by its outline: the header in memory, pixel data by where they lie. A 2 GB multi-frame object is never loaded.
//!
//! Bulk lies where [`ReadAt`] says; no length that the object states is believed before it is compared with what is there.

mod frames;

pub use frames::FrameSpans;

use std::io;
use std::ops::Range;

use dicom_core::{Tag, VR};

use crate::header::{Encoding, HeaderError, Instance, PixelDataValue, has_long_length};
use crate::uid::TransferSyntaxUid;

/// Bytes of a header beyond this are no header; the object is refused.
pub const LARGEST_HEADER: u64 = 256 * 1024 * 1024;

/// What is read first; most headers end within it.
const FIRST_READ: u64 = 64 * 1024;

/// Fragments beyond this number are refused.
const MOST_FRAGMENTS: usize = 4_000_000;

/// Where an object's bytes are, read by range.
pub trait ReadAt {
    /// Number of bytes.
    fn size(&self) -> u64;

    /// The bytes of `range`, all of them.
    fn read_at(&self, range: Range<u64>) -> io::Result<Vec<u8>>;
}

impl ReadAt for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
        let bytes = start.ok().zip(end.ok()).and_then(|(start, end)| self.get(start..end));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// Why an outline cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OutlineError {
    /// The bytes cannot be walked.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The bytes cannot be read.
    #[error("the object's bytes cannot be read: {0}")]
    Read(#[from] io::Error),
    /// No pixel data within the largest header.
    #[error("the header has more than {LARGEST_HEADER} bytes, which no real object has; the object is refused")]
    HeaderTooLarge,
    /// More fragments than any real object has.
    #[error(
        "the pixel data have more than {MOST_FRAGMENTS} fragments, which no real object has; the object is refused"
    )]
    TooManyFragments,
    /// The frame is not in the instance.
    #[error("frame {asked} was asked for, but the instance has {frames} (counted from 1)")]
    NoSuchFrame {
        /// From 1.
        asked: u64,
        /// Number of frames.
        frames: u64,
    },
    /// The frames cannot be told apart.
    #[error("frame {asked} cannot be told apart among the fragments: no usable offset table and no start markers")]
    FrameNotFound {
        /// From 1.
        asked: u64,
    },
}

/// Where the values of pixel data lie in the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PixelSpans {
    /// Uncompressed samples in one run, as far as they are there.
    Native(Range<u64>),
    /// Encapsulated fragments (PS3.5 A.4).
    Encapsulated {
        /// The Basic Offset Table's value, often empty.
        offset_table: Vec<u8>,
        /// The fragments' values in order.
        fragments: Vec<Range<u64>>,
    },
}

/// Pixel data by where they lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PixelOutline {
    /// Pixel Data (7FE0,0010), Float Pixel Data (7FE0,0008) or Double Float Pixel Data (7FE0,0009).
    pub tag: Tag,
    /// OB, OW, OF or OD.
    pub vr: VR,
    /// Where the values lie: in the object, or in [`Outline::inflated`].
    pub spans: PixelSpans,
}

/// The header of an object, and where its pixel data lie.
#[derive(Clone, Debug)]
pub struct Outline {
    /// The data set without the value of its pixel data, in [`Self::syntax`].
    data_set: Vec<u8>,
    /// How `data_set` is encoded: the object's own, inflated.
    syntax: TransferSyntaxUid,
    /// The object's own.
    transfer_syntax: TransferSyntaxUid,
    /// Where the data set begins in the object.
    pub data_set_offset: u64,
    /// Where the pixel data lie, if there are any.
    pub pixel_data: Option<PixelOutline>,
    /// Of a deflated object, all of it inflated (PS3.5 A.5): its spans count here.
    pub inflated: Option<Vec<u8>>,
    /// The object ends before its pixel data do.
    truncated: bool,
}

impl Outline {
    /// Reads as much of an object as its header needs.
    pub fn read(source: &dyn ReadAt) -> Result<Self, OutlineError> {
        let size = source.size();
        let mut wanted = FIRST_READ;
        loop {
            let bytes = source.read_at(0..wanted.min(size))?;
            let whole = wanted >= size;
            match Instance::parse(&bytes) {
                Ok(instance) if instance.header().transfer_syntax.is_deflated() => {
                    return if whole { Self::deflated(&instance) } else { Self::read_deflated(source) };
                }
                Ok(instance) if whole || instance.header().pixel_data.is_some() => {
                    return Self::of(source, &instance);
                }
                Err(error) if whole => return Err(error.into()),
                Ok(_) | Err(_) => {}
            }
            if wanted >= LARGEST_HEADER {
                return Err(OutlineError::HeaderTooLarge);
            }
            wanted *= 4;
        }
    }

    fn read_deflated(source: &dyn ReadAt) -> Result<Self, OutlineError> {
        let bytes = source.read_at(0..source.size())?;
        Self::deflated(&Instance::parse(&bytes)?)
    }

    fn deflated(instance: &Instance<'_>) -> Result<Self, OutlineError> {
        let mut outline = Self::of(&instance.bytes(), instance)?;
        outline.syntax = TransferSyntaxUid::explicit_little_endian();
        outline.inflated = Some(instance.bytes().to_vec());
        Ok(outline)
    }

    fn of(source: &dyn ReadAt, instance: &Instance<'_>) -> Result<Self, OutlineError> {
        let (header, bytes) = (instance.header(), instance.bytes());
        let encoding = header.encoding;
        let mut outline = Self {
            data_set: Vec::new(),
            syntax: TransferSyntaxUid::of(encoding),
            transfer_syntax: header.transfer_syntax.clone(),
            data_set_offset: header.data_set_offset as u64,
            pixel_data: None,
            inflated: None,
            truncated: false,
        };
        let Some(location) = &header.pixel_data else {
            outline.data_set = bytes[header.data_set_offset..].to_vec();
            return Ok(outline);
        };
        let value_offset = match &location.value {
            PixelDataValue::Native { present, .. } => present.offset,
            PixelDataValue::Encapsulated { .. } => location.element_offset + element_start(encoding, location.vr).len(),
        } as u64;
        let size = source.size();
        let (spans, end, whole) = match &location.value {
            PixelDataValue::Native { stated_len, .. } => {
                let stated = value_offset.saturating_add(*stated_len as u64);
                let end = stated.min(size);
                (PixelSpans::Native(value_offset..end), end, end == stated)
            }
            PixelDataValue::Encapsulated { .. } => fragments(source, value_offset, encoding)?,
        };
        outline.truncated = !whole;
        outline.data_set = bytes[header.data_set_offset..location.element_offset].to_vec();
        // The element itself stays in its place, without a value.
        outline.data_set.extend(tag_bytes(location.tag, encoding));
        outline.data_set.extend(element_start(encoding, location.vr).split_off(4));
        // What follows pixel data is little: padding and signatures.
        if size - end <= LARGEST_HEADER {
            let tail = source.read_at(end..size)?;
            if tail.iter().any(|&byte| byte != 0) {
                outline.data_set.extend(tail);
            }
        }
        outline.pixel_data = Some(PixelOutline { tag: location.tag, vr: location.vr, spans });
        Ok(outline)
    }

    /// The object's transfer syntax, as stated or recognised.
    pub fn transfer_syntax(&self) -> &TransferSyntaxUid {
        &self.transfer_syntax
    }

    /// Whether the object ends before its pixel data do.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// The header as an instance whose pixel data have no value.
    pub fn instance(&self) -> Result<Instance<'_>, HeaderError> {
        Instance::parse_data_set(&self.data_set, &self.syntax)
    }
}

/// A pixel data element's tag (left zero), VR and a length of zero.
fn element_start(encoding: Encoding, vr: VR) -> Vec<u8> {
    let mut start = vec![0; 4];
    if encoding.explicit_vr {
        start.extend(vr.to_bytes());
        if has_long_length(vr) {
            start.extend([0, 0]);
        } else {
            start.extend([0, 0]);
            return start;
        }
    }
    start.extend([0; 4]);
    start
}

fn tag_bytes(tag: Tag, encoding: Encoding) -> [u8; 4] {
    let pair = |number: u16| if encoding.big_endian { number.to_be_bytes() } else { number.to_le_bytes() };
    let ([a, b], [c, d]) = (pair(tag.0), pair(tag.1));
    [a, b, c, d]
}

/// The items of encapsulated pixel data from `offset`, where they end, and whether all of them are there; what a cut-off object no longer
/// has is left out.
fn fragments(source: &dyn ReadAt, offset: u64, encoding: Encoding) -> Result<(PixelSpans, u64, bool), OutlineError> {
    const ITEM: [u8; 4] = [0xFE, 0xFF, 0x00, 0xE0];
    const SEQUENCE_END: [u8; 4] = [0xFE, 0xFF, 0xDD, 0xE0];
    let size = source.size();
    let mut at = offset;
    let mut offset_table = None;
    let mut fragments = Vec::new();
    // Items are looked at through a window, so that small fragments cost no read each.
    let (mut window, mut window_at) = (Vec::new(), 0_u64);
    let (end, whole) = loop {
        if at + 8 > size {
            break (size, false);
        }
        if at < window_at || at + 8 > window_at + window.len() as u64 {
            window = source.read_at(at..(at + 4096).min(size))?;
            window_at = at;
        }
        let start = (at - window_at) as usize;
        let mut head: [u8; 8] = [0; 8];
        head.copy_from_slice(&window[start..start + 8]);
        let length = [head[4], head[5], head[6], head[7]];
        // Encapsulated data sets are little endian (PS3.5 A.4); an old big-endian one is read as what it is.
        let (tag, length) = if encoding.big_endian {
            ([head[1], head[0], head[3], head[2]], u32::from_be_bytes(length))
        } else {
            ([head[0], head[1], head[2], head[3]], u32::from_le_bytes(length))
        };
        let value = at + 8..(at + 8).saturating_add(u64::from(length));
        match tag {
            SEQUENCE_END => break (at + 8, true),
            ITEM if length != u32::MAX && value.end <= size => {
                at = value.end;
                if offset_table.is_none() {
                    offset_table = Some(source.read_at(value)?);
                } else {
                    fragments.push(value);
                }
            }
            _ => break (size, false),
        }
        if fragments.len() > MOST_FRAGMENTS {
            return Err(OutlineError::TooManyFragments);
        }
    };
    Ok((PixelSpans::Encapsulated { offset_table: offset_table.unwrap_or_default(), fragments }, end, whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// 512 x 512 x 16 bit, 6,000 frames: 3 GB, of which nothing but the header is in memory.
    struct Huge {
        header: Vec<u8>,
        read: Cell<u64>,
    }

    const FRAME: u64 = 512 * 512 * 2;
    const FRAMES: u32 = 6_000;

    impl ReadAt for Huge {
        fn size(&self) -> u64 {
            self.header.len() as u64 + FRAME * u64::from(FRAMES)
        }

        fn read_at(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
            let at = |at: u64| usize::try_from(at).ok().and_then(|at| self.header.get(at)).copied().unwrap_or(0);
            self.read.set(self.read.get() + range.end - range.start);
            Ok(range.map(at).collect())
        }
    }

    #[test]
    fn a_frame_of_a_3_gb_object_is_read_without_the_others() {
        let mut header = vec![0; 128];
        header.extend(b"DICM");
        header.extend(b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0");
        header.extend(b"\x28\x00\x10\x00US\x02\x00\x00\x02");
        header.extend(b"\xE0\x7F\x10\x00OW\0\0");
        header.extend((FRAME as u32 * FRAMES).to_le_bytes());
        let huge = Huge { header, read: Cell::new(0) };
        let outline = Outline::read(&huge).unwrap();
        let last = outline.frame(FRAMES - 1, FRAMES, FRAME * 8, &huge).unwrap();
        assert_eq!(last.read(&huge).unwrap().len() as u64, FRAME);
        assert!(huge.read.get() <= FRAME + FIRST_READ, "{} bytes read", huge.read.get());
        assert!(matches!(outline.frame(FRAMES, FRAMES, FRAME * 8, &huge), Err(OutlineError::NoSuchFrame { .. })));
        // A Number of Frames that lies is found out before memory is asked for.
        assert!(matches!(outline.frame(FRAMES, u32::MAX, FRAME * 8, &huge), Err(OutlineError::NoSuchFrame { .. })));
    }
}
