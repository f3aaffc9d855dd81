//! File meta information (PS3.10 7.1): written in front of a received data set, and read of a file to be sent.

use bytes::{BufMut, BytesMut};
use hilum_dicom::{
    SopClassUid, SopUid, TransferSyntaxUid,
    part10::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME},
};
use thiserror::Error;

use crate::service::StoredInstance;

/// What the file meta information of a received instance says.
pub(crate) struct Meta<'a> {
    pub(crate) sop_class: &'a str,
    pub(crate) sop: &'a str,
    pub(crate) transfer_syntax: &'a str,
    pub(crate) calling_ae: &'a str,
    pub(crate) called_ae: &'a str,
}

/// Appends preamble, `DICM` and file meta information, explicit VR little endian.
pub(crate) fn put_meta(out: &mut BytesMut, meta: &Meta<'_>) {
    out.put_bytes(0, 128);
    out.put_slice(b"DICM");
    put_header(out, 0x0000, *b"UL", 4);
    let length_at = out.len();
    out.put_u32_le(0);
    let start = out.len();

    // OB has a 32-bit length after two reserved bytes (PS3.5 7.1.2).
    out.put_u16_le(0x0002);
    out.put_u16_le(0x0001);
    out.put_slice(b"OB\0\0");
    out.put_u32_le(2);
    out.put_slice(&[0, 1]);
    put_text(out, 0x0002, *b"UI", meta.sop_class);
    put_text(out, 0x0003, *b"UI", meta.sop);
    put_text(out, 0x0010, *b"UI", meta.transfer_syntax);
    put_text(out, 0x0012, *b"UI", IMPLEMENTATION_CLASS_UID);
    put_text(out, 0x0013, *b"SH", IMPLEMENTATION_VERSION_NAME);
    put_text(out, 0x0016, *b"AE", meta.calling_ae);
    put_text(out, 0x0017, *b"AE", meta.calling_ae);
    put_text(out, 0x0018, *b"AE", meta.called_ae);

    let length = (out.len() - start) as u32;
    out[length_at..start].copy_from_slice(&length.to_le_bytes());
}

fn put_header(out: &mut BytesMut, element: u16, vr: [u8; 2], length: u16) {
    out.put_u16_le(0x0002);
    out.put_u16_le(element);
    out.put_slice(&vr);
    out.put_u16_le(length);
}

/// UIDs are padded with NUL, other text with a space (PS3.5 6.2).
fn put_text(out: &mut BytesMut, element: u16, vr: [u8; 2], value: &str) {
    let padded = value.len().next_multiple_of(2);
    put_header(out, element, vr, padded as u16);
    out.put_slice(value.as_bytes());
    if padded > value.len() {
        out.put_u8(if vr == *b"UI" { 0 } else { b' ' });
    }
}

/// Why a file cannot be sent. Names what is missing, never what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Part10Error {
    /// No `DICM` at byte 128.
    #[error("the file has no DICM prefix at byte 128 (PS3.10 7.1)")]
    NoPrefix,
    /// The file ends within its file meta information.
    #[error("the file meta information is cut off")]
    CutOff,
    /// An attribute that sending needs is missing or is no UID.
    #[error("the file meta information lacks {0}")]
    Lacks(&'static str),
}

/// What the file meta information says of the instance, and where the data set begins. Group 0002 is walked, as its stated
/// length is often false.
pub fn read_meta(file: &[u8]) -> Result<(StoredInstance, usize), Part10Error> {
    if file.get(128..132) != Some(b"DICM") {
        return Err(Part10Error::NoPrefix);
    }
    let (mut sop_class, mut sop, mut transfer_syntax) = (None, None, None);
    let mut at = 132;
    while let [2, 0, low, high, a, b, rest @ ..] = &file[at.min(file.len())..] {
        let (header, length) = match (&[*a, *b], rest) {
            (b"OB" | b"UN" | b"UT" | b"OW", [_, _, l0, l1, l2, l3, ..]) => {
                (12, u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize)
            }
            (_, [l0, l1, ..]) => (8, usize::from(u16::from_le_bytes([*l0, *l1]))),
            _ => return Err(Part10Error::CutOff),
        };
        let start = at + header;
        let value = start.checked_add(length).and_then(|end| file.get(start..end)).ok_or(Part10Error::CutOff)?;
        let uid = || String::from_utf8_lossy(value);
        match u16::from_le_bytes([*low, *high]) {
            0x0002 => sop_class = uid().parse::<SopClassUid>().ok(),
            0x0003 => sop = uid().parse::<SopUid>().ok(),
            0x0010 => transfer_syntax = uid().parse::<TransferSyntaxUid>().ok(),
            _ => {}
        }
        at = start + length;
    }
    let instance = StoredInstance {
        sop_class: sop_class.ok_or(Part10Error::Lacks("Media Storage SOP Class UID (0002,0002)"))?,
        sop: sop.ok_or(Part10Error::Lacks("Media Storage SOP Instance UID (0002,0003)"))?,
        transfer_syntax: transfer_syntax.ok_or(Part10Error::Lacks("Transfer Syntax UID (0002,0010)"))?,
    };
    Ok((instance, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_front_of_a_data_set_is_read_again_whatever_its_length_claims() {
        let mut file = BytesMut::new();
        let meta = Meta {
            sop_class: "1.2.840.10008.5.1.4.1.1.2",
            sop: "1.2.3",
            transfer_syntax: "1.2.840.10008.1.2.1",
            calling_ae: "CALLING",
            called_ae: "CALLED",
        };
        put_meta(&mut file, &meta);
        let data_set = file.len();
        file.put_slice(&[8, 0, 0x16, 0]);
        file[140..144].copy_from_slice(&7u32.to_le_bytes());
        let (instance, at) = read_meta(&file).expect("a file");
        assert_eq!(
            (instance.sop.as_str(), instance.transfer_syntax.as_str(), at),
            ("1.2.3", "1.2.840.10008.1.2.1", data_set)
        );
        assert_eq!(read_meta(&file[..180]), Err(Part10Error::CutOff));
        assert_eq!(read_meta(&file[..20]), Err(Part10Error::NoPrefix));
    }
}
