//! A directory into a file (PS3.3 F.2.2, F.3.2).

use dicom_core::{Tag, VR};

use super::{Directory, DirectoryError, Record};
use crate::part10::{file_meta, padded};
use crate::recode::Recoder;
use crate::uid::{SopClassUid, SopUid, TransferSyntaxUid};
use sha2::Digest;

/// An item's tag and length.
const ITEM: usize = 8;
const NEXT: Tag = Tag(0x0004, 0x1400);
const IN_USE: Tag = Tag(0x0004, 0x1410);
const LOWER: Tag = Tag(0x0004, 0x1420);
const TYPE: Tag = Tag(0x0004, 0x1430);

/// A record in its place. Offsets count from the first byte of the file; 0 is none.
struct Placed<'a> {
    record: &'a Record,
    next: u32,
    lower: u32,
}

impl Directory {
    /// The bytes of the DICOMDIR: the same for the same objects in the same order.
    pub fn to_bytes(&self) -> Result<Vec<u8>, DirectoryError> {
        let bits = self.content.clone().finalize().iter().take(16).fold(0, |bits, b| (bits << 8) | u128::from(*b));
        // A UUID of version 8 (RFC 9562 5.8).
        let uuid = (bits & !(0xF << 76) & !(0b11 << 62)) | (8 << 76) | (0b10 << 62);
        let class = SopClassUid::media_storage_directory();
        let meta = file_meta(&class, &SopUid::from_u128(uuid), &TransferSyntaxUid::explicit_little_endian());
        let head = |root: [u32; 2], length: u32| {
            let mut out = Recoder { bytes: &[], explicit: true, out: meta.clone() };
            out.whole(Tag(0x0004, 0x1130), VR::CS, &padded(&self.file_set.0, b' '));
            out.whole(Tag(0x0004, 0x1200), VR::UL, &root[0].to_le_bytes());
            out.whole(Tag(0x0004, 0x1202), VR::UL, &root[1].to_le_bytes());
            // Nothing is known to be inconsistent (PS3.3 F.3.2.2).
            out.whole(Tag(0x0004, 0x1212), VR::US, &[0, 0]);
            let at = out.header(Tag(0x0004, 0x1220), VR::SQ, length as usize);
            debug_assert_eq!(at, out.out.len());
            out.out
        };
        let start = head([0, 0], 0).len();
        let mut placed = Vec::new();
        let mut end = start;
        let root = place(&self.patients, &mut end, &mut placed)?;
        let length = u32::try_from(end - start).map_err(|_| DirectoryError::TooLarge)?;
        let mut file = head(root, length);
        file.reserve_exact(end - start);
        for record in placed {
            write(&record, &mut file);
        }
        debug_assert_eq!(file.len(), end);
        Ok(file)
    }
}

fn body(record: &Record, next: u32, lower: u32) -> Recoder<'static> {
    let mut out = Recoder { bytes: &[], explicit: true, out: Vec::new() };
    out.whole(NEXT, VR::UL, &next.to_le_bytes());
    out.whole(IN_USE, VR::US, &[0xFF, 0xFF]);
    out.whole(LOWER, VR::UL, &lower.to_le_bytes());
    out.whole(TYPE, VR::CS, &padded(record.kind.term(), b' '));
    out
}

fn write(placed: &Placed<'_>, out: &mut Vec<u8>) {
    let head = body(placed.record, placed.next, placed.lower).out;
    out.extend([0xFE, 0xFF, 0x00, 0xE0]);
    out.extend(((head.len() + placed.record.body.len()) as u32).to_le_bytes());
    out.extend(head);
    out.extend(&placed.record.body);
}

/// Gives every record its place, those below a record behind it; where the first and the last of `records` lie.
fn place<'a>(records: &'a [Record], end: &mut usize, placed: &mut Vec<Placed<'a>>) -> Result<[u32; 2], DirectoryError> {
    let mut ends = [0, 0];
    let mut before: Option<usize> = None;
    for record in records {
        let offset = u32::try_from(*end).map_err(|_| DirectoryError::TooLarge)?;
        if let Some(before) = before {
            placed[before].next = offset;
        } else {
            ends[0] = offset;
        }
        ends[1] = offset;
        let at = placed.len();
        before = Some(at);
        placed.push(Placed { record, next: 0, lower: 0 });
        *end += ITEM + body(record, 0, 0).out.len() + record.body.len();
        placed[at].lower = place(&record.below, end, placed)?[0];
    }
    Ok(ends)
}
