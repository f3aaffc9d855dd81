//! A frame as people see it: Modality LUT, VOI LUT, palette and colour space to grey or RGB bytes (PS3.3 C.11, C.7.6.3, PS3.4 N).

mod colour;
mod jpeg;
mod picture;
mod voi;

pub use picture::Picture;
pub use voi::{VoiFunction, VoiWindow};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use multiversion::multiversion;

use crate::facts::InstanceFacts;
use crate::header::{Instance, Item};
use crate::pixels::{FrameSamples, ImageDescription, PixelError};
use voi::Voi;

/// Renders the samples of frame `frame` (from 0). `window` replaces the image's own window or VOI LUT; it counts in units of the
/// Modality LUT's output. Without any, the frame's smallest and largest value are black and white.
pub fn render(
    instance: &Instance<'_>,
    description: &ImageDescription,
    samples: &FrameSamples,
    frame: u32,
    window: Option<VoiWindow>,
) -> Result<Picture, PixelError> {
    if description.samples > 1 || samples.photometric == "PALETTE COLOR" {
        return colour::render(instance, description, samples);
    }
    if !matches!(samples.photometric.as_str(), "MONOCHROME1" | "MONOCHROME2" | "") {
        return Err(PixelError::Photometric { found: "another term" });
    }
    let modality = Modality::of(instance, frame);
    let voi = match window {
        Some(window) => Voi::Window(window),
        None => Voi::of(instance, frame),
    };
    let inverse = samples.photometric == "MONOCHROME1"
        || instance.value(tags::PRESENTATION_LUT_SHAPE).is_some_and(|shape| shape.starts_with(b"INVERSE"));
    let look = Look { modality, voi, inverse, padding: padding(instance, description) };
    let bytes = if matches!(description.allocated, 8 | 16) {
        by_table(description, samples, look)?
    } else {
        let stored = stored_values(description, samples)?;
        let look = look.over(stored.iter().copied());
        stored.into_iter().map(|value| look.grey(value)).collect()
    };
    Ok(Picture::grey(description.columns, description.rows, bytes))
}

/// From a stored value to a grey one.
struct Look {
    modality: Modality,
    voi: Voi,
    inverse: bool,
    padding: Option<(i64, i64)>,
}

impl Look {
    /// With the range of these stored values, padding aside, where the image has neither window nor VOI LUT.
    fn over(mut self, stored: impl Iterator<Item = i64>) -> Self {
        if matches!(self.voi, Voi::None) {
            let padding = self.padding;
            let counted = stored.filter(|value| padding.is_none_or(|(from, to)| *value < from || *value > to));
            let (low, high) =
                counted.fold((i64::MAX, i64::MIN), |(low, high), value| (low.min(value), high.max(value)));
            if low <= high {
                // A slope below zero turns the two round.
                let (a, b) = (self.modality.apply(low), self.modality.apply(high));
                self.voi = Voi::Range(a.min(b), a.max(b));
            }
        }
        self
    }

    #[inline(always)]
    fn grey(&self, stored: i64) -> u8 {
        let grey = (self.voi.apply(self.modality.apply(stored)) * 255.0).round() as u8;
        if self.inverse { 255 - grey } else { grey }
    }
}

/// Samples of 8 or 16 bits through a table of every value that occurs between the smallest and the largest.
fn by_table(description: &ImageDescription, samples: &FrameSamples, look: Look) -> Result<Vec<u8>, PixelError> {
    let (allocated, stored, high_bit) = (description.allocated, description.stored, description.high_bit);
    if samples.bytes.len() != description.pixels() * usize::from(allocated / 8) {
        return Err(PixelError::Bits { allocated, stored, high_bit });
    }
    let sign = if description.signed { 1_u16 << (stored - 1) } else { 0 };
    let order = Order { shift: high_bit + 1 - stored, mask: u16::MAX >> (16 - stored), sign };
    Ok(if allocated == 8 {
        let wide: Vec<[u8; 2]> = samples.bytes.iter().map(|&byte| [byte, 0]).collect();
        through_table(&wide, order, look)
    } else {
        through_table(samples.bytes.as_chunks().0, order, look)
    })
}

/// Where a sample's value stands among all that there can be, from 0.
#[derive(Clone, Copy)]
struct Order {
    shift: u16,
    mask: u16,
    sign: u16,
}

impl Order {
    #[inline(always)]
    fn of(self, sample: [u8; 2]) -> u16 {
        (u16::from_le_bytes(sample) >> self.shift & self.mask) ^ self.sign
    }

    #[inline(always)]
    fn value(self, place: u16) -> i64 {
        i64::from(place) - i64::from(self.sign)
    }
}

/// Greys of the samples, in their order.
fn through_table(samples: &[[u8; 2]], order: Order, look: Look) -> Vec<u8> {
    let (low, high) = extremes(samples, order);
    let look = look.over(samples.iter().map(|&sample| order.value(order.of(sample))));
    // An entry for every place there can be, so that none is looked for beyond its end.
    let mut table = vec![0; 1 << 16];
    fill(&mut table, (low, high), order, &look);
    // As long as it is, no place needs to be compared with its end.
    let Some(table) = table.first_chunk::<{ 1 << 16 }>() else { return Vec::new() };
    let mut greys = vec![0; samples.len()];
    pick(&mut greys, samples, table, order);
    greys
}

/// Each sample's entry of a table, four at once: their places are found in one word.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
fn pick(greys: &mut [u8], samples: &[[u8; 2]], table: &[u8; 1 << 16], order: Order) {
    let four_times = |part: u16| u64::from(part) * 0x0001_0001_0001_0001;
    // What a shift brings in from the next sample lies above the mask.
    let (mask, sign) = (four_times(order.mask), four_times(order.sign));
    let (fours, rest) = samples.as_chunks::<4>();
    let (into, into_rest) = greys.as_chunks_mut::<4>();
    for (into, four) in into.iter_mut().zip(fours) {
        let [[a, b], [c, d], [e, f], [g, h]] = *four;
        let places = (u64::from_le_bytes([a, b, c, d, e, f, g, h]) >> order.shift & mask) ^ sign;
        *into = [
            table[usize::from(places as u16)],
            table[usize::from((places >> 16) as u16)],
            table[usize::from((places >> 32) as u16)],
            table[usize::from((places >> 48) as u16)],
        ];
    }
    for (into, &sample) in into_rest.iter_mut().zip(rest) {
        *into = table[usize::from(order.of(sample))];
    }
}

/// Computes the entries of a table from one place to another. What is called here is inlined: rounding is a library's function where
/// the instruction set is not known to have it.
#[multiversion(targets("x86_64+avx2"))]
fn fill(table: &mut [u8], (low, high): (u16, u16), order: Order, look: &Look) {
    for place in low..=high {
        table[usize::from(place)] = look.grey(order.value(place));
    }
}

/// The first and the last place that occurs.
#[multiversion(targets("x86_64+avx2"))]
fn extremes(samples: &[[u8; 2]], order: Order) -> (u16, u16) {
    let (mut low, mut high) = (u16::MAX, 0);
    for &sample in samples {
        let place = order.of(sample);
        low = low.min(place);
        high = high.max(place);
    }
    (low, high)
}

/// The stored values of one sample a pixel, by sign; bits outside the stored ones fall away.
fn stored_values(description: &ImageDescription, samples: &FrameSamples) -> Result<Vec<i64>, PixelError> {
    let (allocated, stored, high_bit) = (description.allocated, description.stored, description.high_bit);
    let pixels = description.pixels();
    let found = samples.bytes.len() as u64;
    if allocated == 1 {
        if samples.bytes.len() < pixels.div_ceil(8) {
            return Err(PixelError::Truncated { expected: pixels.div_ceil(8) as u64, found });
        }
        return Ok((0..pixels).map(|at| i64::from(samples.bytes[at / 8] >> (at % 8) & 1)).collect());
    }
    if allocated > 32 || samples.bytes.len() != pixels * usize::from(allocated / 8) {
        return Err(PixelError::Bits { allocated, stored, high_bit });
    }
    let shift = high_bit + 1 - stored;
    let mask = u32::MAX >> (32 - stored);
    let sign = if description.signed { 1_i64 << (stored - 1) } else { 0 };
    let value = |sample: u32| (i64::from((sample >> shift) & mask) ^ sign) - sign;
    Ok(match allocated {
        8 => samples.bytes.iter().map(|&byte| value(byte.into())).collect(),
        16 => samples.bytes.as_chunks().0.iter().map(|&two| value(u16::from_le_bytes(two).into())).collect(),
        _ => samples.bytes.as_chunks().0.iter().map(|&four| value(u32::from_le_bytes(four))).collect(),
    })
}

/// Pixel Padding Value and its range (PS3.3 C.7.5.1.1.2), smaller first.
fn padding(instance: &Instance<'_>, description: &ImageDescription) -> Option<(i64, i64)> {
    let value = |tag| {
        let raw = unsigned(instance, tag)?;
        Some(if description.signed { i64::from(raw as i16) } else { i64::from(raw) })
    };
    let padding = value(tags::PIXEL_PADDING_VALUE)?;
    let limit = value(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(padding);
    Some((padding.min(limit), padding.max(limit)))
}

/// The Modality LUT (PS3.3 C.11.1): a line or a table.
enum Modality {
    Line { slope: f64, intercept: f64 },
    Table(voi::Table),
}

impl Modality {
    fn of(instance: &Instance<'_>, frame: u32) -> Self {
        if let Some(table) = voi::Table::first_of(instance, tags::MODALITY_LUT_SEQUENCE) {
            return Self::Table(table);
        }
        let rescale = InstanceFacts::of(instance).ok().and_then(|facts| facts.frame(frame as usize).rescale);
        match rescale {
            Some(line) if line.slope != 0.0 => Self::Line { slope: line.slope, intercept: line.intercept },
            _ => Self::Line { slope: 1.0, intercept: 0.0 },
        }
    }

    #[inline(always)]
    fn apply(&self, stored: i64) -> f64 {
        match self {
            Self::Line { slope, intercept } => stored as f64 * slope + intercept,
            Self::Table(table) => table.value(stored as f64),
        }
    }
}

fn unsigned(instance: &Instance<'_>, tag: Tag) -> Option<u16> {
    let pair = instance.value(tag)?.get(..2)?.try_into().ok()?;
    Some(if instance.header().encoding.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
}

/// 16-bit numbers of a value.
fn words(value: &[u8], big_endian: bool) -> Vec<u16> {
    let word = |pair: &[u8; 2]| if big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
    value.as_chunks().0.iter().map(word).collect()
}

/// Decimal numbers of a value.
fn decimals(value: &[u8]) -> Vec<f64> {
    let text = std::str::from_utf8(value).unwrap_or_default();
    let number = |part: &str| part.trim_matches([' ', '\0']).parse::<f64>().ok().filter(|number| number.is_finite());
    text.split('\\').map_while(number).collect()
}

/// The first item of a functional group of a frame: its own, or the shared one (PS3.3 C.7.6.16).
fn functional_group(instance: &Instance<'_>, frame: u32, group: Tag) -> Option<Item> {
    let (header, bytes) = (instance.header(), instance.bytes());
    let places =
        [(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frame as usize), (tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, 0)];
    places.into_iter().find_map(|(sequence, index)| {
        let items = header.items(bytes, header.element(sequence)?).ok()?;
        let item = items.into_iter().nth(index)?;
        item.items(bytes, item.element(group)?).ok()?.into_iter().next()
    })
}
