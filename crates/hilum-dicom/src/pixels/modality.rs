//! Stored samples to Hounsfield units (PS3.3 C.11.1.1.2): HU = slope x stored + intercept.

use super::attributes::SampleBits;

/// What a pixel outside the scanned field (PixelPaddingValue) becomes: air, -1024 HU, whatever the rescale.
pub const PADDING_HU: i16 = -1024;

/// Stored values, ends included, that mean "not scanned".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Padding {
    pub from: i64,
    pub to: i64,
}

/// A usable modality rescale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rescale {
    slope: f64,
    intercept: f64,
}

impl Rescale {
    pub(super) const IDENTITY: Self = Self { slope: 1.0, intercept: 0.0 };

    pub(super) fn new(slope: f64, intercept: f64) -> Option<Self> {
        (slope.is_finite() && intercept.is_finite() && slope != 0.0).then_some(Self { slope, intercept })
    }

    /// Slope and intercept as whole numbers small enough that no 16-bit sample overflows 32 bits.
    fn whole(self) -> Option<(i32, i32)> {
        let small = |v: f64, limit: f64| v.fract() == 0.0 && v.abs() <= limit;
        (small(self.slope, 8192.0) && small(self.intercept, 1e8)).then_some((self.slope as i32, self.intercept as i32))
    }
}

/// Where the stored bits lie in a sample.
#[derive(Clone, Copy, Debug)]
struct Bits {
    shift: u32,
    mask: u32,
    sign: u32,
}

impl Bits {
    fn of(bits: SampleBits) -> Self {
        let stored = u32::from(bits.stored);
        Self {
            shift: u32::from(bits.high_bit + 1 - bits.stored),
            mask: u32::MAX >> (32 - stored),
            sign: if bits.signed { 1 << (stored - 1) } else { 0 },
        }
    }

    /// The stored value of a sample of at most 16 bits; bits outside the stored ones (old overlays) fall away.
    #[inline(always)]
    fn narrow(self, sample: u32) -> i32 {
        ((((sample >> self.shift) & self.mask) ^ self.sign) as i32).wrapping_sub(self.sign as i32)
    }

    fn wide(self, sample: u32) -> i64 {
        i64::from(((sample >> self.shift) & self.mask) ^ self.sign) - i64::from(self.sign)
    }

    fn holds(self, value: i64) -> bool {
        let (low, high) = (-i64::from(self.sign), i64::from(self.mask) - i64::from(self.sign));
        (low..=high).contains(&value)
    }
}

/// HU of a frame's samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Converted {
    pub hu: Vec<i16>,
    pub padded: usize,
    pub clamped: usize,
}

/// Samples of one frame, `bits.bytes()` bytes each, in the byte order given.
pub(super) fn hu_from_samples(
    samples: &[u8],
    big_endian: bool,
    bits: SampleBits,
    padding: Option<Padding>,
    rescale: Rescale,
) -> Converted {
    let place = Bits::of(bits);
    let padding_fits = padding.is_none_or(|p| place.holds(p.from) && place.holds(p.to));
    match (bits.allocated, rescale.whole(), padding_fits) {
        (16, Some(whole), true) if big_endian => whole_16(samples, u16::from_be_bytes, place, padding, whole),
        (16, Some(whole), true) => whole_16(samples, u16::from_le_bytes, place, padding, whole),
        _ => {
            let raw_padding = padding.filter(|_| !padding_fits);
            let stored_padding = padding.filter(|_| padding_fits);
            any(samples, big_endian, bits, place, [stored_padding, raw_padding], rescale)
        }
    }
}

/// The common case, in whole numbers; nothing in the loop branches once compiled, which makes it wide.
#[inline(always)]
fn whole_16(
    samples: &[u8],
    number: fn([u8; 2]) -> u16,
    place: Bits,
    padding: Option<Padding>,
    (slope, intercept): (i32, i32),
) -> Converted {
    // An empty range where there is no padding.
    let (from, to) = padding.map_or((1, 0), |p| (p.from as i32, p.to as i32));
    let mut padded = 0_u32;
    let mut clamped = 0_u32;
    let hu = samples
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| {
            let stored = place.narrow(u32::from(number(*pair)));
            let value = stored * slope + intercept;
            let held = value.clamp(i32::from(i16::MIN), i32::from(i16::MAX));
            let is_padding = stored >= from && stored <= to;
            padded += u32::from(is_padding);
            clamped += u32::from(held != value && !is_padding);
            if is_padding { PADDING_HU } else { held as i16 }
        })
        .collect();
    Converted { hu, padded: padded as usize, clamped: clamped as usize }
}

/// Every other case: 8 or 32 bits, fractional slopes, padding outside the stored bits (compared with the whole sample).
fn any(
    samples: &[u8],
    big_endian: bool,
    bits: SampleBits,
    place: Bits,
    [stored_padding, raw_padding]: [Option<Padding>; 2],
    rescale: Rescale,
) -> Converted {
    let width = bits.bytes();
    let whole = Bits::of(SampleBits { stored: bits.allocated, high_bit: bits.allocated - 1, ..bits });
    let within = |padding: Option<Padding>, value: i64| padding.is_some_and(|p| p.from <= value && value <= p.to);
    let mut converted = Converted { hu: Vec::with_capacity(samples.len() / width), padded: 0, clamped: 0 };
    for bytes in samples.chunks_exact(width) {
        let join = |sample: u32, byte: &u8| (sample << 8) | u32::from(*byte);
        let sample = if big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) };
        let stored = place.wide(sample);
        if within(stored_padding, stored) || within(raw_padding, whole.wide(sample)) {
            converted.padded += 1;
            converted.hu.push(PADDING_HU);
            continue;
        }
        let value = stored as f64 * rescale.slope + rescale.intercept;
        // To the nearest HU, halves away from zero; the cast holds at the ends of i32.
        let nearest = (value + 0.5_f64.copysign(value)) as i32;
        let held = nearest.clamp(i32::from(i16::MIN), i32::from(i16::MAX));
        converted.clamped += usize::from(held != nearest);
        converted.hu.push(held as i16);
    }
    converted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(allocated: u16, stored: u16, high_bit: u16, signed: bool) -> SampleBits {
        SampleBits { allocated, stored, high_bit, signed }
    }

    fn le(values: &[u16]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn overlay_bits_above_and_below_the_stored_bits_fall_away() {
        let rescale = Rescale::new(1.0, -1024.0).expect("a line");
        let high = hu_from_samples(&le(&[0xF400, 0x0400]), false, bits(16, 12, 11, false), None, rescale);
        assert_eq!(high.hu, [0, 0]);
        let low = hu_from_samples(&le(&[0x400F, 0x4000]), false, bits(16, 12, 15, false), None, rescale);
        assert_eq!(low.hu, [0, 0]);
    }

    #[test]
    fn twelve_bit_two_s_complement_is_signed_by_its_own_top_bit() {
        let signed =
            hu_from_samples(&le(&[0x0FFF, 0x0800, 0x07FF]), false, bits(16, 12, 11, true), None, Rescale::IDENTITY);
        assert_eq!(signed.hu, [-1, -2048, 2047]);
    }

    #[test]
    fn padding_is_compared_before_the_rescale_and_becomes_air() {
        let padding = Some(Padding { from: -2000, to: -1990 });
        let rescale = Rescale::new(1.0, -24.0).expect("a line");
        let values = le(&[-2000_i16 as u16, -1995_i16 as u16, -1989_i16 as u16, 24]);
        let converted = hu_from_samples(&values, false, bits(16, 16, 15, true), padding, rescale);
        assert_eq!((converted.hu, converted.padded), (vec![-1024, -1024, -2013, 0], 2));
    }

    #[test]
    fn padding_outside_the_stored_bits_is_looked_for_in_the_whole_sample() {
        let padding = Some(Padding { from: 0xF830, to: 0xF830 });
        let rescale = Rescale::new(1.0, -1024.0).expect("a line");
        let converted = hu_from_samples(&le(&[0xF830, 0x0830]), false, bits(16, 12, 11, false), padding, rescale);
        assert_eq!((converted.hu, converted.padded), (vec![-1024, 1072], 1));
    }

    #[test]
    fn fractional_slopes_round_to_the_nearest_hu_and_ends_are_held_and_counted() {
        let rescale = Rescale::new(0.5, 0.25).expect("a line");
        let converted = hu_from_samples(&le(&[0, 1, 2, 3]), false, bits(16, 16, 15, false), None, rescale);
        assert_eq!(converted.hu, [0, 1, 1, 2]);
        let steep = Rescale::new(1.0, 0.0).expect("a line");
        let held = hu_from_samples(&le(&[65535, 32768, 32767]), false, bits(16, 16, 15, false), None, steep);
        assert_eq!((held.hu, held.clamped), (vec![32767, 32767, 32767], 2));
    }

    #[test]
    fn thirty_two_and_eight_bit_samples_are_read_in_either_byte_order() {
        let wide = hu_from_samples(&[0, 0, 0x80, 0xFF], false, bits(32, 32, 31, true), None, Rescale::IDENTITY);
        assert_eq!((wide.hu, wide.clamped), (vec![i16::MIN], 1));
        let wide = hu_from_samples(&[0, 0, 1, 2], true, bits(32, 32, 31, false), None, Rescale::IDENTITY);
        assert_eq!(wide.hu, [258]);
        let narrow = hu_from_samples(&[0xFF, 1], false, bits(8, 8, 7, true), None, Rescale::IDENTITY);
        assert_eq!(narrow.hu, [-1, 1]);
    }

    #[test]
    fn a_slope_of_zero_or_no_number_is_no_rescale() {
        assert_eq!(Rescale::new(0.0, 1.0), None);
        assert_eq!(Rescale::new(f64::NAN, 1.0), None);
        assert_eq!(Rescale::new(1.0, f64::INFINITY), None);
    }
}
