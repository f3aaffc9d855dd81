//! Which bytes of the pixel data are one frame (PS3.5 8.1.1 and A.4).

use std::io;
use std::ops::Range;

use dicom_dictionary_std::tags;

use super::{Outline, OutlineError, PixelSpans, ReadAt};

/// One frame's bits in native pixel data. A frame of single bits may begin within a byte (PS3.5 8.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameSpans {
    /// Whole bytes.
    Bytes(Vec<Range<u64>>),
    /// Bits: the bytes they lie in, the first bit (from the least significant one), and how many there are.
    Bits {
        /// The bytes.
        bytes: Range<u64>,
        /// Bits to skip in the first byte.
        skip: u32,
        /// Bits of the frame.
        count: u64,
    },
}

impl FrameSpans {
    /// The frame's bytes. Bits are moved so that the first one is the least significant of the first byte.
    pub fn read(&self, source: &dyn ReadAt) -> io::Result<Vec<u8>> {
        match self {
            Self::Bytes(spans) => match spans.as_slice() {
                [one] => source.read_at(one.clone()),
                several => {
                    let mut bytes = Vec::new();
                    for span in several {
                        bytes.extend(source.read_at(span.clone())?);
                    }
                    Ok(bytes)
                }
            },
            Self::Bits { bytes, skip, count } => {
                let packed = source.read_at(bytes.clone())?;
                let mut moved = vec![0_u8; count.div_ceil(8) as usize];
                for bit in 0..*count {
                    let from = u64::from(*skip) + bit;
                    let value = packed[(from / 8) as usize] >> (from % 8) & 1;
                    moved[(bit / 8) as usize] |= value << (bit % 8);
                }
                Ok(moved)
            }
        }
    }
}

impl Outline {
    /// Where frame `frame` (from 0) of `frames` lies; `frame_bits` are the bits of a native frame. `source` is looked at only where
    /// nothing but start markers tells frames apart.
    pub fn frame(
        &self,
        frame: u32,
        frames: u32,
        frame_bits: u64,
        source: &dyn ReadAt,
    ) -> Result<FrameSpans, OutlineError> {
        let asked = u64::from(frame) + 1;
        let missing = || OutlineError::NoSuchFrame { asked, frames: frames.into() };
        let pixel_data = self.pixel_data.as_ref().filter(|_| frame < frames).ok_or_else(missing)?;
        match &pixel_data.spans {
            PixelSpans::Native(span) => native(span, frame, frame_bits).ok_or_else(missing),
            PixelSpans::Encapsulated { offset_table, fragments } => {
                let own = self.own_fragments(offset_table, fragments, frame as usize, frames, source)?;
                match own {
                    [] => Err(OutlineError::FrameNotFound { asked }),
                    own => Ok(FrameSpans::Bytes(own.to_vec())),
                }
            }
        }
    }

    fn own_fragments<'f>(
        &self,
        offset_table: &[u8],
        fragments: &'f [Range<u64>],
        frame: usize,
        frames: u32,
        source: &dyn ReadAt,
    ) -> Result<&'f [Range<u64>], OutlineError> {
        let not_found = OutlineError::FrameNotFound { asked: frame as u64 + 1 };
        // RLE has one fragment a frame (PS3.5 A.4.2).
        let one_each = self.transfer_syntax().as_str() == dicom_dictionary_std::uids::RLE_LOSSLESS;
        if frames == 1 {
            return Ok(fragments);
        }
        if one_each || fragments.len() == frames as usize {
            return fragments.get(frame..=frame).ok_or(not_found);
        }
        if let Some(offsets) = self.offsets(offset_table, frames)? {
            return by_offset(fragments, &offsets, frame).ok_or(not_found);
        }
        let mut starts = Vec::new();
        for (index, fragment) in fragments.iter().enumerate() {
            let head = source.read_at(fragment.start..fragment.end.min(fragment.start + 4))?;
            if matches!(head.as_slice(), [0xFF, 0xD8, 0xFF, _] | [0xFF, 0x4F, 0xFF, 0x51]) {
                starts.push(index);
            }
            if starts.len() > frame + 1 {
                break;
            }
        }
        let first = *starts.get(frame).ok_or(not_found)?;
        Ok(&fragments[first..starts.get(frame + 1).copied().unwrap_or(fragments.len())])
    }

    /// Where each frame's first item begins, counted from the first fragment's item: the Basic Offset Table, or the Extended Offset
    /// Table (7FE0,0001).
    fn offsets(&self, basic: &[u8], frames: u32) -> Result<Option<Vec<u64>>, OutlineError> {
        let (basic, _) = basic.as_chunks::<4>();
        if basic.len() == frames as usize {
            return Ok(Some(basic.iter().map(|entry| u64::from(u32::from_le_bytes(*entry))).collect()));
        }
        let instance = self.instance()?;
        let Some(extended) = instance.value(tags::EXTENDED_OFFSET_TABLE) else { return Ok(None) };
        let (extended, _) = extended.as_chunks::<8>();
        let known = extended.len() == frames as usize;
        Ok(known.then(|| extended.iter().map(|entry| u64::from_le_bytes(*entry)).collect()))
    }
}

fn native(span: &Range<u64>, frame: u32, frame_bits: u64) -> Option<FrameSpans> {
    let first = frame_bits.checked_mul(frame.into())?;
    let end = first.checked_add(frame_bits)?;
    let bytes = span.start.checked_add(first / 8)?..span.start.checked_add(end.div_ceil(8))?;
    if frame_bits == 0 || bytes.end > span.end {
        return None;
    }
    if first.is_multiple_of(8) && end.is_multiple_of(8) {
        return Some(FrameSpans::Bytes(vec![bytes]));
    }
    Some(FrameSpans::Bits { bytes, skip: (first % 8) as u32, count: frame_bits })
}

fn by_offset<'f>(fragments: &'f [Range<u64>], offsets: &[u64], frame: usize) -> Option<&'f [Range<u64>]> {
    let base = fragments.first()?.start;
    let at = |offset: u64| fragments.binary_search_by_key(&offset, |fragment| fragment.start - base).ok();
    let first = at(*offsets.get(frame)?)?;
    let end = match offsets.get(frame + 1) {
        Some(next) => at(*next)?,
        None => fragments.len(),
    };
    fragments.get(first..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_meets_the_frames_first_item_or_nothing() {
        let mut at = 100;
        let fragments: Vec<Range<u64>> = [10, 20, 30, 40]
            .into_iter()
            .map(|length| {
                let span = at..at + length;
                at += length + 8;
                span
            })
            .collect();
        assert_eq!(by_offset(&fragments, &[0, 46, 84], 0), Some(&fragments[..2]));
        assert_eq!(by_offset(&fragments, &[0, 46, 84], 2), Some(&fragments[3..]));
        assert_eq!(by_offset(&fragments, &[0, 45, 84], 1), None, "an offset that meets no item");
        assert_eq!(by_offset(&fragments, &[46, 0, 84], 0), None, "offsets out of order");
    }

    #[test]
    fn a_frame_of_single_bits_may_begin_within_a_byte() {
        // Three frames of 3 bits: 101 110 011, least significant bit first (PS3.5 8.1.1).
        let packed: [u8; 2] = [0b1101_1101, 0b0000_0000];
        let frame = |index| native(&(0..2), index, 3).unwrap().read(&&packed[..]).unwrap();
        assert_eq!([frame(0), frame(1), frame(2)], [[0b101], [0b011], [0b011]]);
        assert_eq!(native(&(0..2), 5, 3), None, "beyond the last bit");
        let second = 15..20;
        assert_eq!(native(&(10..20), 1, 40), Some(FrameSpans::Bytes(Vec::from([second]))));
        assert_eq!(native(&(10..20), u32::MAX, u64::MAX), None);
    }
}
