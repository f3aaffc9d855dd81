//! What the header says about the pixels, checked against itself.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::PixelError;
use super::modality::{Padding, Rescale};
use super::read::LARGEST_FRAME_BYTES;
use crate::facts::{FrameFacts, InstanceFacts};
use crate::header::Instance;

/// Bits and sign of a stored sample (PS3.5 8.1.1, PS3.3 C.7.6.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SampleBits {
    pub allocated: u16,
    pub stored: u16,
    pub high_bit: u16,
    pub signed: bool,
}

impl SampleBits {
    pub(super) fn bytes(self) -> usize {
        usize::from(self.allocated / 8)
    }
}

/// The attributes that are the same for every frame.
#[derive(Clone, Debug)]
pub(super) struct PixelAttributes {
    pub rows: u32,
    pub columns: u32,
    pub frames: u32,
    pub samples: u16,
    pub bits: SampleBits,
    pub padding: Option<Padding>,
}

impl PixelAttributes {
    /// Reads and checks them; a frame larger than [`LARGEST_FRAME_BYTES`] is refused here, before any memory is asked for.
    pub(super) fn of(instance: &Instance<'_>) -> Result<Self, PixelError> {
        let rows = required(instance, tags::ROWS, "Rows")?.into();
        let columns = required(instance, tags::COLUMNS, "Columns")?.into();
        check_photometric(instance)?;
        if instance.value(tags::MODALITY_LUT_SEQUENCE).is_some_and(|v| !v.is_empty()) {
            return Err(PixelError::ModalityLut);
        }
        let bits = sample_bits(instance)?;
        let (frames, padding) = (frames(instance)?, padding(instance, bits));
        let attributes = Self { rows, columns, frames, samples: 1, bits, padding };
        if attributes.rows == 0 || columns == 0 {
            let (name, tag) = if columns == 0 { ("Columns", tags::COLUMNS) } else { ("Rows", tags::ROWS) };
            return Err(PixelError::Attribute { name, tag, expected: "a number from 1 to 65535" });
        }
        let bytes = attributes.frame_bytes();
        if bytes > LARGEST_FRAME_BYTES {
            let (rows, limit) = (attributes.rows, LARGEST_FRAME_BYTES);
            return Err(PixelError::TooLarge { rows, columns, bytes, limit });
        }
        Ok(attributes)
    }

    pub(super) fn pixels(&self) -> usize {
        self.rows as usize * self.columns as usize
    }

    /// Bytes of a decoded frame; no overflow: 16 + 16 + 2 bits.
    pub(super) fn frame_bytes(&self) -> u64 {
        u64::from(self.rows) * u64::from(self.columns) * self.bits.bytes() as u64
    }
}

pub(super) fn unsigned(instance: &Instance<'_>, tag: Tag) -> Option<u16> {
    let pair = instance.value(tag)?.get(..2)?.try_into().ok()?;
    Some(if instance.header().encoding.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
}

pub(super) fn required(instance: &Instance<'_>, tag: Tag, name: &'static str) -> Result<u16, PixelError> {
    unsigned(instance, tag).ok_or(PixelError::Attribute { name, tag, expected: "a number of 16 bits" })
}

/// First value of a numeric text; `None` where the attribute is absent or empty.
pub(super) fn number(instance: &Instance<'_>, tag: Tag) -> Option<Result<f64, ()>> {
    let value = instance.value(tag)?;
    let text = std::str::from_utf8(value).unwrap_or("?").trim_matches([' ', '\0']);
    (!text.is_empty()).then(|| text.parse::<f64>().map_err(|_| ()))
}

pub(super) fn frames(instance: &Instance<'_>) -> Result<u32, PixelError> {
    match number(instance, tags::NUMBER_OF_FRAMES) {
        // Some writers state 0 for one image.
        None | Some(Ok(0.0)) => Ok(1),
        Some(Ok(n)) if n >= 1.0 && n <= f64::from(u32::MAX) => Ok(n as u32),
        Some(_) => Err(PixelError::Attribute {
            name: "NumberOfFrames",
            tag: tags::NUMBER_OF_FRAMES,
            expected: "a whole number from 1",
        }),
    }
}

fn check_photometric(instance: &Instance<'_>) -> Result<(), PixelError> {
    /// Defined terms of PS3.3 C.7.6.3.1.2 that are not monochrome.
    const COLOURS: [&str; 9] = [
        "RGB",
        "PALETTE COLOR",
        "YBR_FULL",
        "YBR_FULL_422",
        "YBR_PARTIAL_422",
        "YBR_PARTIAL_420",
        "YBR_ICT",
        "YBR_RCT",
        "HSV",
    ];
    let value = instance.value(tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
    let text = std::str::from_utf8(value).unwrap_or("?").trim_matches([' ', '\0']);
    let samples = unsigned(instance, tags::SAMPLES_PER_PIXEL).unwrap_or(1);
    match text {
        "MONOCHROME1" | "MONOCHROME2" | "" if samples == 1 => Ok(()),
        "MONOCHROME1" | "MONOCHROME2" | "" => {
            Err(PixelError::Attribute { name: "SamplesPerPixel", tag: tags::SAMPLES_PER_PIXEL, expected: "1" })
        }
        colour => {
            let found = COLOURS.into_iter().find(|known| *known == colour).unwrap_or("another term");
            Err(PixelError::Photometric { found })
        }
    }
}

fn sample_bits(instance: &Instance<'_>) -> Result<SampleBits, PixelError> {
    let allocated = required(instance, tags::BITS_ALLOCATED, "BitsAllocated")?;
    let stored = unsigned(instance, tags::BITS_STORED).unwrap_or(allocated);
    let high_bit = unsigned(instance, tags::HIGH_BIT).unwrap_or(stored.saturating_sub(1));
    let signed = match required(instance, tags::PIXEL_REPRESENTATION, "PixelRepresentation")? {
        0 => false,
        1 => true,
        _ => {
            return Err(PixelError::Attribute {
                name: "PixelRepresentation",
                tag: tags::PIXEL_REPRESENTATION,
                expected: "0 or 1",
            });
        }
    };
    let fits = matches!(allocated, 8 | 16 | 32)
        && stored >= 1
        && stored <= allocated
        && high_bit < allocated
        && high_bit + 1 >= stored;
    if fits {
        Ok(SampleBits { allocated, stored, high_bit, signed })
    } else {
        Err(PixelError::Bits { allocated, stored, high_bit })
    }
}

/// PixelPaddingValue and PixelPaddingRangeLimit (PS3.3 C.7.5.1.1.2), by the sign of the samples whatever VR the writer chose.
pub(super) fn padding(instance: &Instance<'_>, bits: SampleBits) -> Option<Padding> {
    let value = |tag| {
        let raw = unsigned(instance, tag)?;
        let signed = bits.signed || instance.header().element(tag).is_some_and(|e| e.vr == VR::SS && (raw as i16) < 0);
        Some(if signed { i64::from(raw as i16) } else { i64::from(raw) })
    };
    let padding = value(tags::PIXEL_PADDING_VALUE)?;
    let limit = value(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(padding);
    Some(Padding { from: padding.min(limit), to: padding.max(limit) })
}

/// The rescale of every frame: its functional group's where the object has groups, else the image's own.
#[derive(Clone, Debug)]
pub(super) enum Rescales {
    OfImage(Option<Rescale>),
    OfFrames(Vec<Option<(f64, f64)>>),
}

impl Rescales {
    pub(super) fn of(instance: &Instance<'_>) -> Result<Self, PixelError> {
        let groups = [tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE];
        if groups.into_iter().any(|tag| instance.header().element(tag).is_some()) {
            let frames = InstanceFacts::of(instance)?.frames;
            let line = |frame: FrameFacts| frame.rescale.map(|rescale| (rescale.slope, rescale.intercept));
            return Ok(Self::OfFrames(frames.into_iter().map(line).collect()));
        }
        match (number(instance, tags::RESCALE_SLOPE), number(instance, tags::RESCALE_INTERCEPT)) {
            (None, None) => Ok(Self::OfImage(None)),
            (Some(Ok(slope)), Some(Ok(intercept))) => {
                Rescale::new(slope, intercept).map(|line| Self::OfImage(Some(line))).ok_or(PixelError::Rescale)
            }
            _ => Err(PixelError::Rescale),
        }
    }

    pub(super) fn of_frame(&self, frame: u32) -> Result<Option<Rescale>, PixelError> {
        match self {
            Self::OfImage(line) => Ok(*line),
            Self::OfFrames(lines) => match lines.get(frame as usize).copied().flatten() {
                Some((slope, intercept)) => Rescale::new(slope, intercept).map(Some).ok_or(PixelError::Rescale),
                None => Ok(None),
            },
        }
    }
}
