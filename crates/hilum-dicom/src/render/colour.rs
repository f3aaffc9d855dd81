//! Colour to RGB bytes (PS3.3 C.7.6.3.1.2, C.7.6.3.1.5).

use dicom_dictionary_std::tags;

use super::{Picture, stored_values, words};
use crate::header::Instance;
use crate::pixels::{FrameSamples, ImageDescription, PixelError};

pub(super) fn render(
    instance: &Instance<'_>,
    description: &ImageDescription,
    samples: &FrameSamples,
) -> Result<Picture, PixelError> {
    let (width, height) = (description.columns, description.rows);
    if samples.photometric == "PALETTE COLOR" && description.samples == 1 {
        let palette = Palette::of(instance).ok_or(PixelError::Photometric { found: "PALETTE COLOR" })?;
        let rgb = stored_values(description, samples)?.into_iter().flat_map(|value| palette.colour(value)).collect();
        return Ok(Picture::rgb(width, height, rgb));
    }
    let bytes = eight_bits(description, samples)?;
    let rgb = match samples.photometric.as_str() {
        "RGB" | "YBR_ICT" | "YBR_RCT" if description.samples == 3 => bytes,
        "YBR_FULL" | "YBR_FULL_422" if description.samples == 3 => {
            bytes.as_chunks::<3>().0.iter().flat_map(|&ybr| rgb_of_ybr_full(ybr)).collect()
        }
        _ => return Err(PixelError::Photometric { found: "another term" }),
    };
    Ok(Picture::rgb(width, height, rgb))
}

/// The upper eight of the stored bits.
fn eight_bits(description: &ImageDescription, samples: &FrameSamples) -> Result<Vec<u8>, PixelError> {
    let count = description.pixels() * usize::from(description.samples);
    let (allocated, stored, high_bit) = (description.allocated, description.stored, description.high_bit);
    match allocated {
        8 if samples.bytes.len() == count => Ok(samples.bytes.clone()),
        16 if samples.bytes.len() == count * 2 => {
            let shift = stored.saturating_sub(8) + (high_bit + 1 - stored);
            let pairs = samples.bytes.as_chunks::<2>().0.iter();
            Ok(pairs.map(|&pair| (u16::from_le_bytes(pair) >> shift.min(15)) as u8).collect())
        }
        _ => Err(PixelError::Bits { allocated, stored, high_bit }),
    }
}

/// C.7.6.3.1.2, solved for R, G and B (ITU-R BT.601).
fn rgb_of_ybr_full([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(|c| c.round().clamp(0.0, 255.0) as u8)
}

/// Red, green and blue tables.
struct Palette {
    first: i64,
    entries: [Vec<u8>; 3],
}

impl Palette {
    fn of(instance: &Instance<'_>) -> Option<Self> {
        let big_endian = instance.header().encoding.big_endian;
        let descriptor = words(instance.value(tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR)?, big_endian);
        let &[count, first, bits, ..] = descriptor.as_slice() else { return None };
        let count = if count == 0 { 65_536 } else { usize::from(count) };
        let colours = [
            tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        ];
        let mut entries = [Vec::new(), Vec::new(), Vec::new()];
        for (own, tag) in entries.iter_mut().zip(colours) {
            let value = instance.value(tag)?;
            *own = if bits <= 8 && value.len() < count * 2 {
                value.to_vec()
            } else {
                // Entries of 16 bits use their whole range; 8-bit ones in words stand in the low byte.
                let shift = if bits <= 8 { 0 } else { 8 };
                words(value, big_endian).into_iter().map(|word| (word >> shift) as u8).collect()
            };
            own.truncate(count);
            if own.is_empty() {
                return None;
            }
        }
        Some(Self { first: i64::from(first as i16), entries })
    }

    fn colour(&self, value: i64) -> [u8; 3] {
        let at = usize::try_from(value - self.first).unwrap_or(0);
        self.entries.each_ref().map(|own| own[at.min(own.len() - 1)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grey_axis_of_ybr_is_that_of_rgb_and_pure_red_is_red() {
        for grey in [0, 1, 128, 255] {
            assert_eq!(rgb_of_ybr_full([grey, 128, 128]), [grey; 3]);
        }
        // BT.601: red is Y 76, Cb 85, Cr 255.
        let [r, g, b] = rgb_of_ybr_full([76, 85, 255]);
        assert!(r >= 253 && g <= 2 && b <= 2, "{r} {g} {b}");
    }
}
