//! What a compressed frame says about itself, read from its first markers before a decoder may believe it.

/// Size and samples stated in a codestream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CodestreamShape {
    pub rows: u32,
    pub columns: u32,
    pub components: u16,
    /// Bits of a sample.
    pub precision: u16,
    /// JPEG 2000 alone knows signed samples.
    pub signed: bool,
    /// The lossless process of JPEG, which turns no colours.
    pub lossless_jpeg: bool,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The shape of a JPEG, JPEG-LS or JPEG 2000 codestream (a JP2 wrapper is looked through).
pub(super) fn shape_of(bytes: &[u8]) -> Option<CodestreamShape> {
    match bytes {
        [0xFF, 0xD8, ..] => jpeg(bytes),
        [0xFF, 0x4F, ..] => jpeg_2000(bytes),
        [0, 0, 0, 0x0C, b'j', b'P', ..] => {
            let start = bytes.windows(4).position(|w| w == [0xFF, 0x4F, 0xFF, 0x51])?;
            jpeg_2000(&bytes[start..])
        }
        _ => None,
    }
}

/// Start of frame (ISO/IEC 10918-1 B.2.2), SOF55 for JPEG-LS (ISO/IEC 14495-1 C.2.2).
fn jpeg(bytes: &[u8]) -> Option<CodestreamShape> {
    let mut at = 2;
    loop {
        while bytes.get(at) == Some(&0xFF) && bytes.get(at + 1) == Some(&0xFF) {
            at += 1;
        }
        let [0xFF, marker] = *bytes.get(at..at + 2)? else { return None };
        match marker {
            0xC4 | 0xC8 | 0xCC => {}
            0xC0..=0xCF | 0xF7 => {
                return Some(CodestreamShape {
                    precision: (*bytes.get(at + 4)?).into(),
                    rows: u16_at(bytes, at + 5)?.into(),
                    columns: u16_at(bytes, at + 7)?.into(),
                    components: (*bytes.get(at + 9)?).into(),
                    signed: false,
                    lossless_jpeg: matches!(marker, 0xC3 | 0xC7 | 0xCB | 0xCF),
                });
            }
            0x01 | 0xD0..=0xD8 => {
                at += 2;
                continue;
            }
            0xD9 | 0xDA => return None,
            _ => {}
        }
        at += 2 + usize::from(u16_at(bytes, at + 2)?.max(2));
    }
}

/// Image and tile size (ISO/IEC 15444-1 A.5.1).
fn jpeg_2000(bytes: &[u8]) -> Option<CodestreamShape> {
    let [0xFF, 0x4F, 0xFF, 0x51] = *bytes.get(..4)? else { return None };
    let (components, depth) = (u16_at(bytes, 40)?, *bytes.get(42)?);
    // A subsampled component has another size than the image.
    let [1, 1] = *bytes.get(43..45)? else { return None };
    Some(CodestreamShape {
        columns: u32_at(bytes, 8)?.checked_sub(u32_at(bytes, 16)?)?,
        rows: u32_at(bytes, 12)?.checked_sub(u32_at(bytes, 20)?)?,
        components,
        precision: u16::from(depth & 0x7F) + 1,
        signed: depth & 0x80 != 0,
        lossless_jpeg: false,
    })
}
