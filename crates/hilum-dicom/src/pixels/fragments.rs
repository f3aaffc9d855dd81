//! The codestream of one frame among encapsulated fragments (PS3.5 A.4).

use std::borrow::Cow;

use dicom_dictionary_std::tags;

use super::PixelError;
use crate::header::{Completeness, Instance, Span};

/// An item's tag and length before its value.
const ITEM_START: u64 = 8;

/// The bytes of frame `frame` of `frames`; borrowed where one fragment holds it.
pub(super) fn frame_codestream<'a>(
    instance: &'a Instance<'_>,
    offset_table: Span,
    fragments: &[Span],
    frame: u32,
    frames: u32,
    one_fragment_a_frame: bool,
) -> Result<Cow<'a, [u8]>, PixelError> {
    let bytes = instance.bytes();
    let not_found = PixelError::FrameNotFound { frame, fragments: fragments.len() };
    let index = frame as usize;
    let own: &[Span] = if frames == 1 {
        fragments
    } else if one_fragment_a_frame || fragments.len() == frames as usize {
        fragments.get(index..=index).unwrap_or_default()
    } else if let Some(offsets) = offsets(instance, offset_table, frames) {
        by_offset(fragments, &offsets, index).ok_or(not_found)?
    } else {
        by_start_marker(bytes, fragments, index).ok_or(not_found)?
    };
    check_complete(instance.header().completeness, own)?;
    match own {
        [] => Err(PixelError::FrameNotFound { frame, fragments: fragments.len() }),
        [whole] => Ok(Cow::Borrowed(whole.of(bytes))),
        parts => Ok(Cow::Owned(parts.iter().flat_map(|part| part.of(bytes)).copied().collect())),
    }
}

/// A frame that reaches into the part of the file that is cut off is not all there.
fn check_complete(completeness: Completeness, own: &[Span]) -> Result<(), PixelError> {
    let Completeness::TruncatedInPixelData { offset, stated, present } = completeness else { return Ok(()) };
    let reaches = own.last().is_none_or(|last| last.offset + last.len > offset);
    match stated {
        Some(stated) if reaches && stated > present => {
            Err(PixelError::Truncated { expected: stated as u64, found: present as u64 })
        }
        _ if own.is_empty() => Err(PixelError::Truncated { expected: ITEM_START, found: present as u64 }),
        _ => Ok(()),
    }
}

/// Where each frame's first item begins, counted from the first fragment's item: the Basic Offset Table, or the Extended Offset
/// Table (7FE0,0001).
fn offsets(instance: &Instance<'_>, basic: Span, frames: u32) -> Option<Vec<u64>> {
    let (basic, _) = basic.of(instance.bytes()).as_chunks::<4>();
    if basic.len() == frames as usize {
        return Some(basic.iter().map(|entry| u64::from(u32::from_le_bytes(*entry))).collect());
    }
    let (extended, _) = instance.value(tags::EXTENDED_OFFSET_TABLE)?.as_chunks::<8>();
    (extended.len() == frames as usize).then(|| extended.iter().map(|entry| u64::from_le_bytes(*entry)).collect())
}

fn by_offset<'s>(fragments: &'s [Span], offsets: &[u64], frame: usize) -> Option<&'s [Span]> {
    let base = fragments.first()?.offset as u64;
    let at = |offset: u64| fragments.iter().position(|fragment| fragment.offset as u64 - base == offset);
    let first = at(*offsets.get(frame)?)?;
    let end = match offsets.get(frame + 1) {
        Some(next) => at(*next)?,
        None => fragments.len(),
    };
    fragments.get(first..end)
}

/// Without offsets: a frame begins at the fragment that begins with a JPEG or JPEG 2000 start marker.
fn by_start_marker<'s>(bytes: &[u8], fragments: &'s [Span], frame: usize) -> Option<&'s [Span]> {
    let begins = |fragment: &Span| matches!(fragment.of(bytes), [0xFF, 0xD8, 0xFF, ..] | [0xFF, 0x4F, 0xFF, 0x51, ..]);
    let mut starts = fragments.iter().enumerate().filter(|(_, f)| begins(f)).map(|(i, _)| i);
    let first = starts.nth(frame)?;
    fragments.get(first..starts.next().unwrap_or(fragments.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fragments of these lengths, each after its item's tag and length; the first value lies at byte 100.
    fn fragments(lengths: &[usize]) -> Vec<Span> {
        let mut offset = 100;
        let place = |&len: &usize| {
            let span = Span { offset, len };
            offset += len + ITEM_START as usize;
            span
        };
        lengths.iter().map(place).collect()
    }

    #[test]
    fn an_offset_counts_from_the_first_fragments_item_to_the_frames_first_item() {
        let fragments = fragments(&[10, 20, 30, 40]);
        let offsets = [0, 46, 84];
        assert_eq!(by_offset(&fragments, &offsets, 0), Some(&fragments[..2]));
        assert_eq!(by_offset(&fragments, &offsets, 1), Some(&fragments[2..3]));
        assert_eq!(by_offset(&fragments, &offsets, 2), Some(&fragments[3..]));
        assert_eq!(by_offset(&fragments, &[0, 45, 84], 1), None, "an offset that meets no item");
        assert_eq!(by_offset(&fragments, &[46, 0, 84], 0), None, "offsets out of order");
    }

    #[test]
    fn without_offsets_a_frame_begins_with_a_start_marker() {
        let fragments = fragments(&[4, 4, 4]);
        let mut bytes = vec![0; 200];
        for start in [100, 124] {
            bytes[start..start + 4].copy_from_slice(&[0xFF, 0xD8, 0xFF, 0xE0]);
        }
        assert_eq!(by_start_marker(&bytes, &fragments, 0), Some(&fragments[..2]));
        assert_eq!(by_start_marker(&bytes, &fragments, 1), Some(&fragments[2..]));
        assert_eq!(by_start_marker(&bytes, &fragments, 2), None);
    }
}
