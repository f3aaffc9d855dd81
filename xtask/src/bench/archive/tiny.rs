//! Small instances for searching: one a study, names from a few families.

const FAMILIES: [&str; 8] = ["KIM", "LEE", "PARK", "CHOI", "JUNG", "KANG", "CHO", "YOON"];
pub const CT_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.2";
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";

/// The one instance of study `number`: a PS3.10 file in explicit VR little endian.
pub fn instance(number: usize) -> Vec<u8> {
    let uid = |level: u8| format!("2.25.77{level}{number:08}");
    let family = FAMILIES[number % FAMILIES.len()];
    let mut meta = Vec::new();
    element(&mut meta, 0x0002, 0x0002, *b"UI", CT_IMAGE);
    element(&mut meta, 0x0002, 0x0003, *b"UI", &uid(3));
    element(&mut meta, 0x0002, 0x0010, *b"UI", EXPLICIT);
    let mut file = vec![0; 128];
    file.extend_from_slice(b"DICM\x02\x00\x00\x00UL\x04\x00");
    file.extend_from_slice(&(meta.len() as u32).to_le_bytes());
    file.extend_from_slice(&meta);
    for (group, at, vr, value) in [
        (0x0008, 0x0016, *b"UI", CT_IMAGE.to_owned()),
        (0x0008, 0x0018, *b"UI", uid(3)),
        (0x0008, 0x0020, *b"DA", format!("2025{:02}{:02}", number % 12 + 1, number % 28 + 1)),
        (0x0008, 0x0050, *b"SH", format!("A{number}")),
        (0x0008, 0x0060, *b"CS", "CT".to_owned()),
        (0x0008, 0x1030, *b"LO", "CT KUB".to_owned()),
        (0x0010, 0x0010, *b"PN", format!("{family}^SYNTHETIC{number}")),
        (0x0010, 0x0020, *b"LO", format!("P{number:06}")),
        (0x0020, 0x000D, *b"UI", uid(1)),
        (0x0020, 0x000E, *b"UI", uid(2)),
        (0x0020, 0x0013, *b"IS", "1".to_owned()),
    ] {
        element(&mut file, group, at, vr, &value);
    }
    file
}

/// A short element in explicit VR little endian.
pub fn element(out: &mut Vec<u8>, group: u16, at: u16, vr: [u8; 2], value: &str) {
    let padding: &[u8] = match (value.len() % 2, &vr) {
        (0, _) => b"",
        (_, b"UI") => b"\0",
        _ => b" ",
    };
    out.extend_from_slice(&group.to_le_bytes());
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&vr);
    out.extend_from_slice(&((value.len() + padding.len()) as u16).to_le_bytes());
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(padding);
}
