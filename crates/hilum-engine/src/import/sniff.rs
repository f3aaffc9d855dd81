//! What a file is, by its first bytes only.

/// Enough for the preamble and prefix of PS3.10 7.1.
pub(super) const PREFIX: usize = 132;

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing in it.
    Empty,
    /// Part 10, or a data set that begins at the first byte.
    Dicom,
    /// A zip archive.
    Zip,
    /// Something else.
    Other,
}

/// Looks at the first [`PREFIX`] bytes (fewer when the file is shorter).
pub(super) fn kind(first: &[u8]) -> Kind {
    if first.is_empty() {
        Kind::Empty
    } else if first.get(128..132) == Some(b"DICM") || begins_with_data_set(first) || first.starts_with(b"DICM") {
        Kind::Dicom
    } else if first.starts_with(b"PK\x03\x04") || first.starts_with(b"PK\x05\x06") {
        Kind::Zip
    } else {
        Kind::Other
    }
}

/// A bare data set begins with a small element of group 0002 or 0008 (PS3.5 7.1), in either byte order.
fn begins_with_data_set(first: &[u8]) -> bool {
    let Some(&[a, b, c, d, e, f, g, h]) = first.get(..8) else { return false };
    let little = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
    let big = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let known = |(group, element): (u16, u16)| matches!(group, 0x0002 | 0x0008) && element <= 0x0100;
    let explicit_vr = e.is_ascii_uppercase() && f.is_ascii_uppercase();
    let implicit_length = u32::from_le_bytes([e, f, g, h]) < 0x1_0000;
    known(little) && (explicit_vr || implicit_length) || known(big) && explicit_vr
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_dicom_from_everything_else() {
        let mut part10 = vec![0_u8; 132];
        part10[128..].copy_from_slice(b"DICM");
        assert_eq!(kind(&part10), Kind::Dicom);
        assert_eq!(kind(b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100"), Kind::Dicom);
        assert_eq!(kind(b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100"), Kind::Dicom);
        assert_eq!(kind(b"\x00\x08\x00\x05CS\x00\x0aISO_IR 100"), Kind::Dicom);
        assert_eq!(kind(b"PK\x03\x04...."), Kind::Zip);
        assert_eq!(kind(b""), Kind::Empty);
        for other in
            [&b"\x89PNG\r\n\x1a\n"[..], b"%PDF-1.7 ....", b"hello, world", b"\x00\x00\x00\x00\x00\x00\x00\x00", b"\x08"]
        {
            assert_eq!(kind(other), Kind::Other, "{other:?}");
        }
    }
}
