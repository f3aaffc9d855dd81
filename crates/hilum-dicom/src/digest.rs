//! Identity of a data set, transfer syntax aside: is what arrives again the object that is kept already?
//!
//! The digest is SHA-256 over a canonical form, so that the same object sent in implicit, explicit, big endian or deflated form,
//! or losslessly compressed, has one digest:
//! - elements in ascending order of tags, each as tag, kind, length and value, numbers little endian, no VR (implicit VR leaves
//!   it out); sequences as their items, whether their lengths are defined or not;
//! - left out: file meta information, group lengths (gggg,0000), Data Set Trailing Padding (FFFC,FFFC) and the padding at the end of
//!   standard text values;
//! - standard text as UTF-8 without (0008,0005): the same words in another character set are the same words. Text that does not
//!   decode without loss counts byte by byte, together with its character set. Private values count byte by byte;
//! - pixel data: native samples, or those that a lossless monochrome codestream decodes to. Colour and possibly lossy codestreams
//!   count as their bytes, as does what does not decode.
//!
//! Objects that only differ in one of these points are taken for the same; every other difference changes the digest. A false
//! difference costs a look at the quarantine, a false sameness would lose an object: every doubt counts as a difference.

use std::borrow::Cow;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use sha2::{Digest, Sha256};

use crate::charset::{SpecificCharacterSet, TextFinding, decode, uses_character_set};
use crate::header::{
    Element, Encoding, HeaderError, Instance, Item, PixelDataLocation, PixelDataValue, dictionary_vr, holds_items,
};
use crate::pixels::FrameReader;
use crate::uid::PixelCoding;

/// How the pixel data entered a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelIdentity {
    /// There is none.
    None,
    /// By its samples: native, or decoded from a lossless codestream.
    Samples,
    /// By its bytes: encapsulated and colour, possibly lossy or undecodable, or native and not of the size that the header states.
    Bytes,
}

/// Identity of a data set, transfer syntax aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataSetDigest {
    /// SHA-256 of the canonical form.
    pub sha256: [u8; 32],
    /// What the pixel data counts by.
    pub pixels: PixelIdentity,
}

/// SHA-256 identity of a Part 10 file or bare data set, transfer syntax aside.
pub fn data_set_digest(bytes: &[u8]) -> Result<[u8; 32], HeaderError> {
    Ok(digest_of(&Instance::parse(bytes)?).sha256)
}

/// As [`data_set_digest`], for an instance already walked. A sequence whose items are damaged counts by its bytes.
pub fn digest_of(instance: &Instance<'_>) -> DataSetDigest {
    let header = instance.header();
    let bytes = instance.bytes();
    let mut canonical = Canonical { sha: Sha256::new(), bytes };
    let character_set = SpecificCharacterSet::default();
    canonical.data_set(&header.elements, header.encoding, &character_set, &|e| header.items(bytes, e).ok());
    let pixels = match &header.pixel_data {
        None => PixelIdentity::None,
        Some(location) => canonical.pixel_data(instance, location),
    };
    DataSetDigest { sha256: canonical.sha.finalize().into(), pixels }
}

const SPECIFIC_CHARACTER_SET: Tag = tags::SPECIFIC_CHARACTER_SET;
const DATA_SET_TRAILING_PADDING: Tag = tags::DATA_SET_TRAILING_PADDING;

/// What stands before a value, so that no two canonical forms run together.
#[derive(Clone, Copy)]
enum Kind {
    Bytes,
    Text,
    UndecodedText,
    Sequence,
    Item,
    ItemEnd,
    Samples,
    PixelBytes,
    Fragment,
}

struct Canonical<'a> {
    sha: Sha256,
    bytes: &'a [u8],
}

type ItemsOf<'f> = &'f dyn Fn(&Element) -> Option<Vec<Item>>;

impl Canonical<'_> {
    fn start(&mut self, tag: Tag, kind: Kind, len: usize) {
        let mut head = [0; 13];
        head[0..2].copy_from_slice(&tag.0.to_le_bytes());
        head[2..4].copy_from_slice(&tag.1.to_le_bytes());
        head[4] = kind as u8;
        head[5..13].copy_from_slice(&(len as u64).to_le_bytes());
        self.sha.update(head);
    }

    fn value(&mut self, tag: Tag, kind: Kind, value: &[u8]) {
        self.start(tag, kind, value.len());
        self.sha.update(value);
    }

    fn data_set(
        &mut self,
        elements: &[Element],
        encoding: Encoding,
        inherited: &SpecificCharacterSet,
        items_of: ItemsOf<'_>,
    ) {
        let own = elements.iter().find(|e| e.tag == SPECIFIC_CHARACTER_SET && e.value.len > 0);
        let parsed = own.map(|e| SpecificCharacterSet::parse(e.value.of(self.bytes)).0);
        let character_set = parsed.as_ref().unwrap_or(inherited);
        let mut element = |e: &Element| self.element(e, encoding, character_set, items_of);
        if elements.is_sorted_by_key(|e| e.tag) {
            elements.iter().for_each(&mut element);
        } else {
            let mut in_order: Vec<&Element> = elements.iter().collect();
            in_order.sort_by_key(|e| e.tag);
            in_order.into_iter().for_each(&mut element);
        }
    }

    fn element(
        &mut self,
        element: &Element,
        encoding: Encoding,
        character_set: &SpecificCharacterSet,
        items_of: ItemsOf<'_>,
    ) {
        let tag = element.tag;
        // (7FE0,0001) to (7FE0,0010): pixel data and the offset tables that go with a codestream.
        let left_out = tag.1 == 0
            || matches!(tag, SPECIFIC_CHARACTER_SET | DATA_SET_TRAILING_PADDING | Tag(0x7FE0, 0x0001..=0x0010));
        if left_out {
            return;
        }
        // Implicit VR shows no VR: what the dictionary does not know must count without one in explicit VR too.
        let vr = if tag.0 & 1 == 1 { VR::UN } else { dictionary_vr(tag) };
        let value = element.value.of(self.bytes);
        if let Some(items) = items(element, value, vr, items_of) {
            return self.sequence(tag, &items, character_set);
        }
        match vr {
            _ if uses_character_set(vr) => self.text(tag, vr, value, character_set),
            VR::AE | VR::AS | VR::CS | VR::DA | VR::DS | VR::DT | VR::IS | VR::TM | VR::UI | VR::UR => {
                self.value(tag, Kind::Bytes, unpadded(value));
            }
            _ if encoding.big_endian => {
                self.value(tag, Kind::Bytes, &little_endian(value, if element.vr == VR::UN { vr } else { element.vr }));
            }
            _ => self.value(tag, Kind::Bytes, value),
        }
    }

    fn sequence(&mut self, tag: Tag, items: &[Item], character_set: &SpecificCharacterSet) {
        let bytes = self.bytes;
        self.start(tag, Kind::Sequence, items.len());
        for item in items {
            self.start(tag, Kind::Item, 0);
            self.data_set(&item.elements, item.encoding, character_set, &|e| item.items(bytes, e).ok());
            self.start(tag, Kind::ItemEnd, 0);
        }
    }

    fn text(&mut self, tag: Tag, vr: VR, value: &[u8], character_set: &SpecificCharacterSet) {
        let value = unpadded(value);
        if value.iter().all(|&b| b < 0x80 && b != 0x1B) {
            return self.value(tag, Kind::Text, value);
        }
        let decoded = decode(value, character_set, vr);
        if decoded.findings.iter().any(|f| f.loses_text() || *f == TextFinding::EscapeUnknown) {
            self.value(tag, Kind::UndecodedText, character_set.to_value().as_bytes());
            self.value(tag, Kind::UndecodedText, value);
        } else {
            self.value(tag, Kind::Text, decoded.text.as_bytes());
        }
    }

    fn pixel_data(&mut self, instance: &Instance<'_>, location: &PixelDataLocation) -> PixelIdentity {
        let header = instance.header();
        let lossless = header.transfer_syntax.pixel_coding() == PixelCoding::Lossless;
        match &location.value {
            PixelDataValue::Native { present, .. } => {
                self.native(present.of(self.bytes), location, &SampleLayout::of(instance), header.encoding)
            }
            PixelDataValue::Encapsulated { .. } if lossless && self.decoded(instance, location).is_some() => {
                PixelIdentity::Samples
            }
            PixelDataValue::Encapsulated { fragments, .. } => {
                for fragment in fragments {
                    self.value(location.tag, Kind::Fragment, fragment.of(self.bytes));
                }
                PixelIdentity::Bytes
            }
        }
    }

    fn native(
        &mut self,
        present: &[u8],
        location: &PixelDataLocation,
        layout: &SampleLayout,
        encoding: Encoding,
    ) -> PixelIdentity {
        let turned;
        let mut samples = present;
        if encoding.big_endian {
            // Words, whatever the samples are, where the VR is OW (PS3.5 8.2).
            let width = if location.vr == VR::OW && layout.allocated <= 16 { 2 } else { layout.allocated / 8 };
            turned = turn_round(present, width.into());
            samples = &turned;
        }
        let Some(expected) = layout.total_bytes().filter(|&n| n == samples.len() || n + 1 == samples.len()) else {
            self.value(location.tag, Kind::PixelBytes, samples);
            return PixelIdentity::Bytes;
        };
        self.start(location.tag, Kind::Samples, expected);
        self.samples(&samples[..expected], layout);
        PixelIdentity::Samples
    }

    /// Every frame's samples out of its lossless codestream; `None`, with nothing counted, if one of them cannot be had.
    fn decoded(&mut self, instance: &Instance<'_>, location: &PixelDataLocation) -> Option<()> {
        let layout = SampleLayout::of(instance);
        let reader = FrameReader::of(instance.clone()).ok()?;
        let before = self.sha.clone();
        self.start(location.tag, Kind::Samples, layout.total_bytes()?);
        for frame in 0..reader.frames() {
            let frame_samples = reader.stored_samples(frame).ok();
            let Some(bytes) = frame_samples.and_then(|s| layout.widen(s.bytes, s.allocated)) else {
                self.sha = before;
                return None;
            };
            self.samples(&bytes, &layout);
        }
        Some(())
    }

    /// Little endian samples, their unused high bits cleared where they only repeat the sign: a codestream does not keep them.
    fn samples(&mut self, samples: &[u8], layout: &SampleLayout) {
        let Some(sign_bits) = layout.repeated_sign_bits() else { return self.sha.update(samples) };
        let mut buffer = [0_u8; 16 * 1024];
        for chunk in samples.chunks(buffer.len()) {
            let out = &mut buffer[..chunk.len()];
            for (to, from) in out.as_chunks_mut::<2>().0.iter_mut().zip(chunk.as_chunks::<2>().0) {
                let word = u16::from_le_bytes(*from);
                let repeats = word & sign_bits == sign_bits;
                *to = (if repeats { word & !(sign_bits << 1) } else { word }).to_le_bytes();
            }
            self.sha.update(&*out);
        }
    }
}

/// The items of an element: of SQ; of UN and of private elements where the value is items and nothing else, because implicit
/// VR does not say whether a private element is a sequence.
fn items(element: &Element, value: &[u8], vr: VR, items_of: ItemsOf<'_>) -> Option<Vec<Item>> {
    if vr == VR::SQ {
        return items_of(element);
    }
    let begins_with_item = value.starts_with(&[0xFE, 0xFF, 0x00, 0xE0]) || value.starts_with(&[0xFF, 0xFE, 0xE0, 0x00]);
    if vr != VR::UN || !begins_with_item {
        return None;
    }
    let vr = if holds_items(element) { element.vr } else { VR::UN };
    items_of(&Element { vr, ..*element })
}

/// What the header says about the samples, as far as their identity depends on it.
struct SampleLayout {
    rows: u16,
    columns: u16,
    samples_per_pixel: u16,
    frames: u64,
    allocated: u16,
    stored: u16,
    high_bit: u16,
}

impl SampleLayout {
    fn of(instance: &Instance<'_>) -> Self {
        let big_endian = instance.header().encoding.big_endian;
        let unsigned = |tag, otherwise| match instance.value(tag).and_then(|v| v.first_chunk::<2>()) {
            Some(pair) if big_endian => u16::from_be_bytes(*pair),
            Some(pair) => u16::from_le_bytes(*pair),
            None => otherwise,
        };
        let allocated = unsigned(tags::BITS_ALLOCATED, 0);
        let stored = unsigned(tags::BITS_STORED, allocated);
        let frames = instance.value(tags::NUMBER_OF_FRAMES).and_then(|v| std::str::from_utf8(v).ok());
        Self {
            rows: unsigned(tags::ROWS, 0),
            columns: unsigned(tags::COLUMNS, 0),
            samples_per_pixel: unsigned(tags::SAMPLES_PER_PIXEL, 1),
            frames: frames.and_then(|f| f.trim_matches([' ', '\0']).parse().ok()).unwrap_or(1),
            allocated,
            stored,
            high_bit: unsigned(tags::HIGH_BIT, stored.saturating_sub(1)),
        }
    }

    /// Bytes of all samples; `None` where the header does not say.
    fn total_bytes(&self) -> Option<usize> {
        let per_pixel = u64::from(self.samples_per_pixel).checked_mul(u64::from(self.allocated))?;
        let pixels = u64::from(self.rows).checked_mul(u64::from(self.columns))?.checked_mul(self.frames)?;
        let bits = pixels.checked_mul(per_pixel)?;
        (bits > 0).then(|| usize::try_from(bits.div_ceil(8)).ok()).flatten()
    }

    /// The topmost stored bit and all above it, for 16-bit words with the value in the low bits and unused bits above.
    fn repeated_sign_bits(&self) -> Option<u16> {
        let unused = self.allocated == 16 && (1..16).contains(&self.stored) && self.high_bit == self.stored - 1;
        unused.then(|| u16::MAX << (self.stored - 1))
    }

    /// Decoded samples at the header's width; `None` where they do not go into it.
    fn widen<'a>(&self, samples: Cow<'a, [u8]>, allocated: u16) -> Option<Cow<'a, [u8]>> {
        match (allocated, self.allocated) {
            (decoded, stated) if decoded == stated => Some(samples),
            (8, 16) => Some(samples.iter().flat_map(|&b| [b, 0]).collect::<Vec<u8>>().into()),
            _ => None,
        }
    }
}

/// Without the spaces and NULs that pad a value.
fn unpadded(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|b| !matches!(b, b' ' | 0)).map_or(0, |i| i + 1);
    &value[..end]
}

/// A big endian value with its numbers turned round (PS3.5 7.3).
fn little_endian(value: &[u8], vr: VR) -> Vec<u8> {
    turn_round(
        value,
        match vr {
            VR::US | VR::SS | VR::OW | VR::AT => 2,
            VR::UL | VR::SL | VR::FL | VR::OF | VR::OL => 4,
            VR::FD | VR::OD | VR::OV | VR::SV | VR::UV => 8,
            _ => 1,
        },
    )
}

/// The bytes of every whole group of `width` in reverse order.
fn turn_round(value: &[u8], width: usize) -> Vec<u8> {
    let mut turned = value.to_vec();
    turned.chunks_exact_mut(width.max(1)).for_each(<[u8]>::reverse);
    turned
}
