//! An uncompressed data set in the other little-endian encoding (PS3.5 A.1, A.2): for peers that take only one of them.
//!
//! Values stay byte for byte what they are; only value representations, lengths and the frames of sequences are written anew.

use std::borrow::Cow;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use crate::header::{
    Completeness, Element, Encoding, HeaderError, Instance, Item, dictionary_vr, has_long_length, holds_items,
};
use crate::uid::TransferSyntaxUid;

const PIXEL_REPRESENTATION: Tag = Tag(0x0028, 0x0103);

/// Whether [`recode`] turns objects of one syntax into the other: Implicit and Explicit VR Little Endian.
pub fn can_recode(from: &TransferSyntaxUid, to: &TransferSyntaxUid) -> bool {
    let plain = [TransferSyntaxUid::implicit_little_endian(), TransferSyntaxUid::explicit_little_endian()];
    plain.contains(from) && plain.contains(to)
}

/// The data set in Implicit or Explicit VR Little Endian, given in the other of the two (see [`can_recode`]).
///
/// Into explicit VR, a value representation is the dictionary's; of "US or SS" it is what Pixel Representation says, and UN where
/// nothing is known (PS3.5 6.2.2). Group lengths, which would be false, are left out.
pub fn recode(bytes: &[u8], from: &TransferSyntaxUid, to: &TransferSyntaxUid) -> Result<Vec<u8>, HeaderError> {
    let instance = Instance::parse_data_set(bytes, from)?;
    let header = instance.header();
    if let Completeness::TruncatedInPixelData { offset, .. } = header.completeness {
        return Err(HeaderError::CutOff { offset });
    }
    let signed = instance.value(PIXEL_REPRESENTATION).is_some_and(|value| value.starts_with(&[1, 0]));
    let mut recoder =
        Recoder { bytes: instance.bytes(), explicit: to.encoding().explicit_vr, out: Vec::with_capacity(bytes.len()) };
    for element in &header.elements {
        recoder.element(element, header.encoding, signed, &|element| header.items(instance.bytes(), element))?;
    }
    Ok(recoder.out)
}

pub(crate) struct Recoder<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) explicit: bool,
    pub(crate) out: Vec<u8>,
}

impl Recoder<'_> {
    /// Appends an element, whatever its encoding.
    pub(crate) fn element(
        &mut self,
        element: &Element,
        encoding: Encoding,
        signed: bool,
        items: &dyn Fn(&Element) -> Result<Vec<Item>, HeaderError>,
    ) -> Result<(), HeaderError> {
        if element.tag.1 == 0 {
            return Ok(());
        }
        if element.vr == VR::SQ || (element.vr == VR::UN && holds_items(element)) {
            let start = self.header(element.tag, VR::SQ, 0);
            for item in items(element)? {
                self.out.extend([0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0]);
                let begin = self.out.len();
                // An item may say for itself how its samples are (PS3.3 C.11.1).
                let own = item.element(PIXEL_REPRESENTATION).map(|own| own.value.of(self.bytes).starts_with(&[1, 0]));
                for inner in &item.elements {
                    let bytes = self.bytes;
                    self.element(inner, item.encoding, own.unwrap_or(signed), &|inner| item.items(bytes, inner))?;
                }
                self.close(begin);
            }
            self.close(start);
            return Ok(());
        }
        let value = element.value.of(self.bytes);
        let vr = if encoding.explicit_vr { element.vr } else { stated_vr(element.tag, signed) };
        // What a 16-bit length cannot state goes as UN (PS3.5 6.2.2).
        let vr = if has_long_length(vr) || u16::try_from(value.len()).is_ok() { vr } else { VR::UN };
        // A value of UN is in little endian already, or nobody knows in what (PS3.5 6.2.2).
        let value = little_endian(value, element.vr, encoding.big_endian);
        self.whole(element.tag, vr, &value);
        Ok(())
    }

    /// Appends an element of a value in little endian.
    pub(crate) fn whole(&mut self, tag: Tag, vr: VR, value: &[u8]) {
        let at = self.header(tag, vr, value.len());
        debug_assert_eq!(at, self.out.len());
        self.out.extend(value);
    }

    /// Tag, VR and length; where the value begins.
    pub(crate) fn header(&mut self, tag: Tag, vr: VR, length: usize) -> usize {
        self.out.extend(tag.0.to_le_bytes());
        self.out.extend(tag.1.to_le_bytes());
        if self.explicit {
            self.out.extend(vr.to_bytes());
            if !has_long_length(vr) {
                self.out.extend((length as u16).to_le_bytes());
                return self.out.len();
            }
            self.out.extend([0, 0]);
        }
        self.out.extend((length as u32).to_le_bytes());
        self.out.len()
    }

    /// Writes the length of what began at `start` into the four bytes before it.
    fn close(&mut self, start: usize) {
        let length = (self.out.len() - start) as u32;
        self.out[start - 4..start].copy_from_slice(&length.to_le_bytes());
    }
}

/// A value in little endian.
pub fn little_endian(value: &[u8], vr: VR, big_endian: bool) -> Cow<'_, [u8]> {
    let width = match vr {
        _ if !big_endian => 1,
        VR::OW | VR::US | VR::SS | VR::AT => 2,
        VR::OF | VR::OL | VR::UL | VR::SL | VR::FL => 4,
        VR::OD | VR::OV | VR::FD | VR::UV | VR::SV => 8,
        _ => 1,
    };
    if width == 1 {
        return value.into();
    }
    let mut swapped = value.to_vec();
    swapped.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    swapped.into()
}

pub(crate) fn stated_vr(tag: Tag, signed: bool) -> VR {
    match StandardDataDictionary.by_tag(tag).map(DataDictionaryEntry::vr) {
        Some(VirtualVr::Xs) if signed => VR::SS,
        _ => dictionary_vr(tag),
    }
}
