//! Part 10 files (PS3.10 7.1) out of kept objects: as they are, or in Explicit VR Little Endian around other pixel data.

use std::collections::BTreeMap;

use dicom_core::{Tag, VR};

use crate::header::HeaderError;
use crate::outline::Outline;
use crate::recode::Recoder;
use crate::uid::{SopClassUid, SopUid, TransferSyntaxUid};

/// Hilum as an implementation, in files and in associations (PS3.7 D.3.3.2): a UUID under 2.25 (PS3.5 B.2).
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.280002140327565333978064458379921738179";
/// Its version (SH, at most 16 characters).
pub const IMPLEMENTATION_VERSION_NAME: &str = concat!("HILUM_", env!("CARGO_PKG_VERSION"));

const PIXEL_REPRESENTATION: Tag = Tag(0x0028, 0x0103);
/// Its offsets and lengths are those of the old fragments (PS3.3 C.7.6.3.1.8).
const EXTENDED_OFFSET_TABLES: [Tag; 2] = [Tag(0x7FE0, 0x0001), Tag(0x7FE0, 0x0002)];

/// Preamble, prefix and file meta information.
pub fn file_meta(sop_class: &SopClassUid, sop: &SopUid, transfer_syntax: &TransferSyntaxUid) -> Vec<u8> {
    let mut meta = Recoder { bytes: &[], explicit: true, out: Vec::new() };
    meta.whole(Tag(0x0002, 0x0001), VR::OB, &[0, 1]);
    for (element, uid) in [
        (0x0002, sop_class.as_str()),
        (0x0003, sop.as_str()),
        (0x0010, transfer_syntax.as_str()),
        (0x0012, IMPLEMENTATION_CLASS_UID),
    ] {
        meta.whole(Tag(0x0002, element), VR::UI, &padded(uid, 0));
    }
    meta.whole(Tag(0x0002, 0x0013), VR::SH, &padded(IMPLEMENTATION_VERSION_NAME, b' '));
    let mut file = Recoder { bytes: &[], explicit: true, out: vec![0; 128] };
    file.out.extend(b"DICM");
    file.whole(Tag(0x0002, 0x0000), VR::UL, &(meta.out.len() as u32).to_le_bytes());
    file.out.extend(meta.out);
    file.out
}

/// A text of even length (PS3.5 6.2).
pub fn padded(text: &str, padding: u8) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    if bytes.len() % 2 == 1 {
        bytes.push(padding);
    }
    bytes
}

/// What stands before an object's bytes to make them a Part 10 file: nothing where they are one, preamble and prefix where they
/// begin with file meta information, all of it before a bare data set.
pub fn missing_prefix(
    head: &[u8],
    sop_class: &SopClassUid,
    sop: &SopUid,
    transfer_syntax: &TransferSyntaxUid,
) -> Vec<u8> {
    if head.get(128..132) == Some(b"DICM") {
        Vec::new()
    } else if head.starts_with(b"DICM") {
        vec![0; 128]
    } else if head.starts_with(&[2, 0]) {
        [vec![0; 128], b"DICM".to_vec()].concat()
    } else {
        file_meta(sop_class, sop, transfer_syntax)
    }
}

/// The pixel data that a rewritten object gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewPixelData {
    /// Native, of this value representation and length in bytes; an odd one is padded by whoever writes the value.
    Native(VR, u64),
    /// Encapsulated: the items and their delimiter follow (PS3.5 A.4).
    Encapsulated,
}

/// An object in Explicit VR Little Endian, without the value of its pixel data.
#[derive(Clone, Debug)]
pub struct Rewritten {
    /// The file up to where the value of its pixel data begins.
    pub head: Vec<u8>,
    /// What follows that value.
    pub tail: Vec<u8>,
}

/// Rewrites an object around other pixel data, with other values for some top-level attributes. Group lengths, which would be
/// false, are left out.
pub fn rewrite(
    outline: &Outline,
    sop_class: &SopClassUid,
    sop: &SopUid,
    to: &TransferSyntaxUid,
    pixel_data: Option<NewPixelData>,
    changes: &[(Tag, VR, Vec<u8>)],
) -> Result<Rewritten, HeaderError> {
    let instance = outline.instance()?;
    let mut writer = Recoder { bytes: instance.bytes(), explicit: true, out: file_meta(sop_class, sop, to) };
    let header = instance.header();
    let one = if header.encoding.big_endian { [0, 1] } else { [1, 0] };
    let signed = instance.value(PIXEL_REPRESENTATION).is_some_and(|value| value.starts_with(&one));
    let changed: BTreeMap<Tag, (VR, &[u8])> =
        changes.iter().map(|(tag, vr, value)| (*tag, (*vr, &value[..]))).collect();
    let mut waiting = changed.iter().peekable();
    let mut head = None;
    for element in &header.elements {
        while let Some((tag, (vr, value))) = waiting.next_if(|(tag, _)| **tag <= element.tag) {
            writer.whole(*tag, *vr, value);
        }
        if changed.contains_key(&element.tag) || EXTENDED_OFFSET_TABLES.contains(&element.tag) {
            continue;
        }
        let is_pixel_data = outline.pixel_data.as_ref().is_some_and(|pixels| pixels.tag == element.tag);
        // A second element of the same tag is a fault that the header walk passes on; it stays what it is.
        if let (true, Some(new), None) = (is_pixel_data, pixel_data, &head) {
            start_pixel_data(&mut writer.out, element.tag, new)?;
            head = Some(std::mem::take(&mut writer.out));
            continue;
        }
        writer.element(element, header.encoding, signed, &|element| header.items(instance.bytes(), element))?;
    }
    for (tag, (vr, value)) in waiting {
        writer.whole(*tag, *vr, value);
    }
    Ok(match head {
        Some(head) => Rewritten { head, tail: writer.out },
        None => Rewritten { head: writer.out, tail: Vec::new() },
    })
}

fn start_pixel_data(out: &mut Vec<u8>, tag: Tag, new: NewPixelData) -> Result<(), HeaderError> {
    let (vr, length) = match new {
        NewPixelData::Encapsulated => (VR::OB, u32::MAX),
        NewPixelData::Native(vr, length) => {
            let even = length.next_multiple_of(2);
            // A length of 32 bits cannot state more (PS3.5 7.1.1).
            let limit = u64::from(u32::MAX) - 1;
            let length = u32::try_from(even).ok().filter(|length| u64::from(*length) <= limit);
            (vr, length.ok_or(HeaderError::PixelDataTooLong { bytes: even, limit })?)
        }
    };
    out.extend(tag.0.to_le_bytes());
    out.extend(tag.1.to_le_bytes());
    out.extend(vr.to_bytes());
    out.extend([0, 0]);
    out.extend(length.to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixel_data_that_stand_there_twice_leave_the_file_whole() {
        let (class, sop) = ("1.2.840.10008.5.1.4.1.1.2".parse().unwrap(), "1.2.3".parse().unwrap());
        let explicit = TransferSyntaxUid::explicit_little_endian();
        let pixels = b"\xE0\x7F\x10\x00OW\0\0\x02\0\0\0\x01\x02";
        let file = [file_meta(&class, &sop, &explicit), pixels.repeat(2)].concat();
        let outline = Outline::read(&file.as_slice()).unwrap();
        let new = Some(NewPixelData::Native(VR::OW, 2));
        let rewritten = rewrite(&outline, &class, &sop, &explicit, new, &[]).unwrap();
        assert_eq!([rewritten.head, vec![1, 2], rewritten.tail].concat(), file);
        let mut text = String::new();
        crate::json::write(&outline.instance().unwrap(), "", &mut text);
        assert_eq!(text, r#"{"7FE00010":{"vr":"OW","BulkDataURI":"7FE00010"}}"#);
    }

    #[test]
    fn what_is_missing_of_a_part_10_file_is_put_before_it_and_nothing_else() {
        let (class, sop) = ("1.2.840.10008.5.1.4.1.1.2".parse().unwrap(), "1.2.3".parse().unwrap());
        let syntax = TransferSyntaxUid::implicit_little_endian();
        let whole = file_meta(&class, &sop, &syntax);
        assert_eq!(&whole[128..132], b"DICM");
        assert!(missing_prefix(&whole, &class, &sop, &syntax).is_empty());
        for cut in [128, 132] {
            let rest = &whole[cut..];
            assert_eq!([missing_prefix(rest, &class, &sop, &syntax), rest.to_vec()].concat(), whole, "from byte {cut}");
        }
        let bare = [8, 0, 0x18, 0, 6, 0, 0, 0];
        let file = [missing_prefix(&bare, &class, &sop, &syntax), bare.to_vec()].concat();
        let walked = crate::header::walk(&whole).unwrap();
        assert_eq!(walked.transfer_syntax, syntax);
        assert_eq!(file.len(), whole.len() + bare.len());
        assert_eq!(walked.data_set_offset, whole.len(), "the stated group length is true");
    }
}
