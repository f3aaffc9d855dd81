//! A long series of 512x512, longer than `hilum phantom` makes one: synthetic, and no patient in it but a disc of water with noise.

use std::path::Path;

use crate::bench::archive::tiny::{CT_IMAGE, EXPLICIT, element};

const SIDE: u16 = 512;
const UID: &str = "2.25.78";

/// Writes so many images, 0.5 mm apart.
pub fn write(folder: &Path, images: usize) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let disc = disc();
    (0..images).try_for_each(|at| std::fs::write(folder.join(format!("{at:05}.dcm")), instance(at, &disc)))
}

/// The pixels of an image.
fn disc() -> Vec<u8> {
    let (side, mut state) = (usize::from(SIDE), 1_u32);
    let mut bytes = Vec::with_capacity(2 * side * side);
    for at in 0..side * side {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (y, x) = ((at / side) as f64 - 255.5, (at % side) as f64 - 255.5);
        // Water with noise of 20 HU each way, in air; stored values are HU + 1024.
        let value = if x.hypot(y) < 200.0 { 1024 + (state >> 16) % 40 - 20 } else { 24 };
        bytes.extend_from_slice(&(value as u16).to_le_bytes());
    }
    bytes
}

fn instance(at: usize, pixels: &[u8]) -> Vec<u8> {
    let uid = |level: u8| if level == 3 { format!("{UID}3{at:05}") } else { format!("{UID}{level}") };
    let mut meta = Vec::new();
    element(&mut meta, 0x0002, 0x0002, *b"UI", CT_IMAGE);
    element(&mut meta, 0x0002, 0x0003, *b"UI", &uid(3));
    element(&mut meta, 0x0002, 0x0010, *b"UI", EXPLICIT);
    let mut file = vec![0; 128];
    file.extend_from_slice(b"DICM\x02\x00\x00\x00UL\x04\x00");
    file.extend_from_slice(&(meta.len() as u32).to_le_bytes());
    file.extend_from_slice(&meta);
    for (group, place, vr, value) in [
        (0x0008, 0x0016, *b"UI", CT_IMAGE.to_owned()),
        (0x0008, 0x0018, *b"UI", uid(3)),
        (0x0008, 0x0020, *b"DA", "20250101".to_owned()),
        (0x0008, 0x0060, *b"CS", "CT".to_owned()),
        (0x0008, 0x1030, *b"LO", "SYNTHETIC, LONG".to_owned()),
        (0x0010, 0x0010, *b"PN", "SYNTHETIC^LONG".to_owned()),
        (0x0010, 0x0020, *b"LO", "SYN-LONG".to_owned()),
        (0x0020, 0x000D, *b"UI", uid(1)),
        (0x0020, 0x000E, *b"UI", uid(2)),
        (0x0020, 0x0013, *b"IS", (at + 1).to_string()),
        (0x0020, 0x0032, *b"DS", format!("-180\\-180\\{:.1}", at as f64 / 2.0)),
        (0x0020, 0x0037, *b"DS", "1\\0\\0\\0\\1\\0".to_owned()),
        (0x0020, 0x0052, *b"UI", uid(4)),
        (0x0028, 0x0004, *b"CS", "MONOCHROME2".to_owned()),
        (0x0028, 0x0030, *b"DS", "0.7\\0.7".to_owned()),
        (0x0028, 0x1052, *b"DS", "-1024".to_owned()),
        (0x0028, 0x1053, *b"DS", "1".to_owned()),
    ] {
        // Numbers of the image stand between the texts of its group, in order of their tags.
        let before: &[(u16, u16)] = match (group, place) {
            (0x0028, 0x0004) => &[(0x0002, 1)],
            (0x0028, 0x0030) => &[(0x0010, SIDE), (0x0011, SIDE)],
            (0x0028, 0x1052) => &[(0x0100, 16), (0x0101, 16), (0x0102, 15), (0x0103, 0)],
            _ => &[],
        };
        for (place, value) in before {
            number(&mut file, *place, *value);
        }
        element(&mut file, group, place, vr, &value);
    }
    file.extend_from_slice(b"\xE0\x7F\x10\x00OW\x00\x00");
    file.extend_from_slice(&(pixels.len() as u32).to_le_bytes());
    // Each image is another: its pixels begin a few further on.
    let turn = 2 * (at * 37 % 64);
    file.extend_from_slice(&pixels[turn..]);
    file.extend_from_slice(&pixels[..turn]);
    file
}

/// An unsigned number of group 0028.
fn number(out: &mut Vec<u8>, place: u16, value: u16) {
    out.extend_from_slice(&0x0028_u16.to_le_bytes());
    out.extend_from_slice(&place.to_le_bytes());
    out.extend_from_slice(b"US\x02\x00");
    out.extend_from_slice(&value.to_le_bytes());
}
