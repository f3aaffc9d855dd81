//! File meta information (PS3.10 7.1) written in front of a received data set.

use bytes::{BufMut, BytesMut};

/// Implementation Class UID of Hilum: a UUID under 2.25 (PS3.5 B.2), the same in associations and in files.
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.129990253472199460798342555240496978913";
/// Implementation Version Name of Hilum (SH, at most 16 characters).
pub const IMPLEMENTATION_VERSION_NAME: &str = concat!("HILUM_", env!("CARGO_PKG_VERSION"));

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
