//! The VOI LUT (PS3.3 C.11.2): a window or a table.

use std::str::FromStr;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::{decimals, functional_group, words};
use crate::header::{Instance, Item};

/// VOI LUT Function (0028,1056).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiFunction {
    /// C.11.2.1.2.1.
    Linear,
    /// C.11.2.1.3.2.
    LinearExact,
    /// C.11.2.1.3.1.
    Sigmoid,
}

impl FromStr for VoiFunction {
    type Err = ();

    /// The defined term, in any case and with a hyphen or an underscore: PS3.18 8.3.5.1.4 writes `linear-exact`.
    fn from_str(term: &str) -> Result<Self, ()> {
        match term.trim_matches([' ', '\0']).to_ascii_uppercase().replace('-', "_").as_str() {
            "LINEAR" => Ok(Self::Linear),
            "LINEAR_EXACT" => Ok(Self::LinearExact),
            "SIGMOID" => Ok(Self::Sigmoid),
            _ => Err(()),
        }
    }
}

/// A window, in units of the Modality LUT's output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoiWindow {
    /// Window Center (0028,1050).
    pub center: f64,
    /// Window Width (0028,1051): at least 1 where the function is linear, above 0 otherwise.
    pub width: f64,
    /// VOI LUT Function (0028,1056).
    pub function: VoiFunction,
}

impl VoiWindow {
    /// `None` where the width is none of its function's.
    pub fn new(center: f64, width: f64, function: VoiFunction) -> Option<Self> {
        let wide = if function == VoiFunction::Linear { width >= 1.0 } else { width > 0.0 };
        (center.is_finite() && width.is_finite() && wide).then_some(Self { center, width, function })
    }

    /// 0 to 1.
    #[inline(always)]
    fn apply(self, x: f64) -> f64 {
        let Self { center, width, function } = self;
        match function {
            VoiFunction::Linear => {
                // C.11.2.1.2.1: y = (x - (c - 0.5)) / (w - 1) + 0.5 between the two ends.
                let x = x - (center - 0.5);
                let half = (width - 1.0) / 2.0;
                if x <= -half {
                    0.0
                } else if x > half {
                    1.0
                } else {
                    x / (width - 1.0) + 0.5
                }
            }
            VoiFunction::LinearExact => ((x - center) / width + 0.5).clamp(0.0, 1.0),
            VoiFunction::Sigmoid => 1.0 / (1.0 + (-4.0 * (x - center) / width).exp()),
        }
    }
}

pub(super) enum Voi {
    Window(VoiWindow),
    Table(Table),
    /// From black to white.
    Range(f64, f64),
    None,
}

impl Voi {
    /// The image's own: of the frame, else of the image; the first of several. A window goes before a table.
    pub(super) fn of(instance: &Instance<'_>, frame: u32) -> Self {
        let bytes = instance.bytes();
        let own = functional_group(instance, frame, tags::FRAME_VOILUT_SEQUENCE);
        let of_item = |item: &Item| window(&|tag| item.element(tag).map(|element| element.value.of(bytes)));
        if let Some(window) = own.as_ref().and_then(of_item).or_else(|| window(&|tag| instance.value(tag))) {
            return Self::Window(window);
        }
        Table::first_of(instance, tags::VOILUT_SEQUENCE).map_or(Self::None, Self::Table)
    }

    /// 0 to 1.
    #[inline(always)]
    pub(super) fn apply(&self, x: f64) -> f64 {
        match self {
            Self::Window(window) => window.apply(x),
            Self::Table(table) => table.unit(x),
            Self::Range(low, high) if low < high => ((x - low) / (high - low)).clamp(0.0, 1.0),
            Self::Range(..) | Self::None => 0.5,
        }
    }
}

fn window<'v>(value: &dyn Fn(Tag) -> Option<&'v [u8]>) -> Option<VoiWindow> {
    let first = |tag| value(tag).and_then(|value| decimals(value).first().copied());
    let (center, width) = (first(tags::WINDOW_CENTER)?, first(tags::WINDOW_WIDTH)?);
    let term = value(tags::VOILUT_FUNCTION).and_then(|term| std::str::from_utf8(term).ok()).unwrap_or_default();
    VoiWindow::new(center, width, term.parse().unwrap_or(VoiFunction::Linear))
}

/// A look-up table (PS3.3 C.11.1.1.1, C.11.2.1.1).
pub(super) struct Table {
    /// Input of the first entry.
    first: f64,
    entries: Vec<u16>,
    /// Largest value that an entry can have.
    largest: f64,
}

impl Table {
    pub(super) fn first_of(instance: &Instance<'_>, sequence: Tag) -> Option<Self> {
        let (header, bytes) = (instance.header(), instance.bytes());
        let item = header.items(bytes, header.element(sequence)?).ok()?.into_iter().next()?;
        let big_endian = item.encoding.big_endian;
        let descriptor = words(item.element(tags::LUT_DESCRIPTOR)?.value.of(bytes), big_endian);
        let &[count, first, bits, ..] = descriptor.as_slice() else { return None };
        let count = if count == 0 { 65_536 } else { usize::from(count) };
        let mut entries = words(item.element(tags::LUT_DATA)?.value.of(bytes), big_endian);
        // Entries of 8 bits may be packed into words.
        if bits <= 8 && entries.len() * 2 == count.next_multiple_of(2) {
            entries = item.element(tags::LUT_DATA)?.value.of(bytes).iter().map(|&byte| byte.into()).collect();
        }
        entries.truncate(count);
        // The first input is of the sign of the pixels; a value that far up stands for one below zero.
        let first = if first > 0x7FFF && count < 0x8000 { f64::from(first as i16) } else { f64::from(first) };
        let largest = f64::from((1_u32 << u32::from(bits.clamp(1, 16))) - 1);
        (!entries.is_empty()).then_some(Self { first, entries, largest })
    }

    pub(super) fn value(&self, x: f64) -> f64 {
        let at = (x - self.first).clamp(0.0, (self.entries.len() - 1) as f64) as usize;
        f64::from(self.entries[at])
    }

    fn unit(&self, x: f64) -> f64 {
        (self.value(x) / self.largest).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_meet_the_worked_values_of_the_standard() {
        // C.11.2.1.2.1: c = 2048, w = 4096 is the whole range of 12 bits; c = 2048, w = 1 a step at 2047.5.
        let whole = VoiWindow::new(2048.0, 4096.0, VoiFunction::Linear).unwrap();
        assert_eq!((whole.apply(0.0), whole.apply(4095.0)), (0.0, 1.0));
        let step = VoiWindow::new(2048.0, 1.0, VoiFunction::Linear).unwrap();
        assert_eq!((step.apply(2047.0), step.apply(2048.0)), (0.0, 1.0));
        let exact = VoiWindow::new(127.5, 255.0, VoiFunction::LinearExact).unwrap();
        assert_eq!((exact.apply(0.0), exact.apply(127.5), exact.apply(255.0)), (0.0, 0.5, 1.0));
        let sigmoid = VoiWindow::new(40.0, 400.0, VoiFunction::Sigmoid).unwrap();
        assert!((sigmoid.apply(40.0) - 0.5).abs() < 1e-12 && sigmoid.apply(240.0) > 0.87);
        assert_eq!(VoiWindow::new(0.0, 0.5, VoiFunction::Linear), None);
        assert_eq!(VoiWindow::new(0.0, f64::NAN, VoiFunction::Sigmoid), None);
        assert_eq!("linear-exact".parse(), Ok(VoiFunction::LinearExact));
    }
}
