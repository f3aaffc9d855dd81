//! RLE Lossless (PS3.5 Annex G), one frame.

use super::PixelError;

const HEADER: usize = 64;

/// Decodes to little endian samples of `width` bytes, the samples of a pixel side by side. Segments come sample by sample, the most
/// significant byte first (G.2).
pub(super) fn decode(bytes: &[u8], pixels: usize, samples: usize, width: usize) -> Result<Vec<u8>, PixelError> {
    let cut = |expected: usize, found: usize| PixelError::Truncated { expected: expected as u64, found: found as u64 };
    let header = bytes.get(..HEADER).ok_or_else(|| cut(HEADER, bytes.len()))?;
    let (entries, _) = header.as_chunks::<4>();
    let entry = |i: usize| u32::from_le_bytes(entries[i]) as usize;
    let segments = samples * width;
    if entry(0) != segments || segments > 15 {
        return Err(cut(segments, entry(0)));
    }
    let mut decoded = vec![0; pixels * segments];
    for segment in 0..segments {
        let start = entry(1 + segment);
        let end = if segment + 1 < segments { entry(2 + segment) } else { bytes.len() };
        let coded = bytes.get(start..end.min(bytes.len())).ok_or_else(|| cut(start, bytes.len()))?;
        let byte_of_pixel = segment / width * width + (width - 1 - segment % width);
        let found = unpack(coded, pixels, |i, byte| decoded[i * segments + byte_of_pixel] = byte);
        if found < pixels {
            return Err(cut(pixels, found));
        }
    }
    Ok(decoded)
}

/// PackBits (G.3.2); gives at most `limit` bytes and returns how many.
fn unpack(coded: &[u8], limit: usize, mut put: impl FnMut(usize, u8)) -> usize {
    let (mut at, mut out) = (0, 0);
    while out < limit {
        let Some(&code) = coded.get(at) else { break };
        at += 1;
        match code {
            0..=127 => {
                let end = (at + usize::from(code) + 1).min(coded.len());
                for &byte in coded[at..end].iter().take(limit - out) {
                    put(out, byte);
                    out += 1;
                }
                at = end;
            }
            128 => {}
            129.. => {
                let Some(&byte) = coded.get(at) else { break };
                at += 1;
                for _ in 0..(257 - usize::from(code)).min(limit - out) {
                    put(out, byte);
                    out += 1;
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(segments: &[&[u8]]) -> Vec<u8> {
        let mut bytes = (segments.len() as u32).to_le_bytes().to_vec();
        let mut at = HEADER;
        for segment in segments {
            bytes.extend((at as u32).to_le_bytes());
            at += segment.len();
        }
        bytes.resize(HEADER, 0);
        for segment in segments {
            bytes.extend(*segment);
        }
        bytes
    }

    #[test]
    fn literal_and_replicate_runs_make_samples_of_two_bytes() {
        // -2 -> three times; the standard's own example of Apple PackBits.
        let bytes = frame(&[&[0xFE, 0x01], &[0x02, 0x0A, 0x0B, 0x0C]]);
        assert_eq!(decode(&bytes, 3, 1, 2).expect("whole"), [0x0A, 1, 0x0B, 1, 0x0C, 1]);
    }

    #[test]
    fn a_segment_that_ends_early_is_an_error_with_both_counts() {
        let bytes = frame(&[&[0xFE, 0x01], &[0x01, 0x0A, 0x0B]]);
        assert!(matches!(decode(&bytes, 3, 1, 2), Err(PixelError::Truncated { expected: 3, found: 2 })));
        assert!(matches!(decode(&bytes[..40], 3, 1, 2), Err(PixelError::Truncated { expected: 64, found: 40 })));
    }

    #[test]
    fn an_offset_beyond_the_frame_is_an_error() {
        let mut bytes = frame(&[&[0xFE, 0x01]]);
        bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(decode(&bytes, 3, 1, 1), Err(PixelError::Truncated { .. })));
    }
}
