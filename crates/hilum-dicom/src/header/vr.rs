//! Value representations: from their two letters, and from the dictionary where implicit VR leaves them out.

use std::sync::atomic::{AtomicU64, Ordering};

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

/// The VR that the two letters name, if any edition of PS3.5 6.2 knows it.
pub(crate) fn vr_from_letters(letters: [u8; 2]) -> Option<VR> {
    Some(match &letters {
        b"AE" => VR::AE,
        b"AS" => VR::AS,
        b"AT" => VR::AT,
        b"CS" => VR::CS,
        b"DA" => VR::DA,
        b"DS" => VR::DS,
        b"DT" => VR::DT,
        b"FD" => VR::FD,
        b"FL" => VR::FL,
        b"IS" => VR::IS,
        b"LO" => VR::LO,
        b"LT" => VR::LT,
        b"OB" => VR::OB,
        b"OD" => VR::OD,
        b"OF" => VR::OF,
        b"OL" => VR::OL,
        b"OV" => VR::OV,
        b"OW" => VR::OW,
        b"PN" => VR::PN,
        b"SH" => VR::SH,
        b"SL" => VR::SL,
        b"SQ" => VR::SQ,
        b"SS" => VR::SS,
        b"ST" => VR::ST,
        b"SV" => VR::SV,
        b"TM" => VR::TM,
        b"UC" => VR::UC,
        b"UI" => VR::UI,
        b"UL" => VR::UL,
        b"UN" => VR::UN,
        b"UR" => VR::UR,
        b"US" => VR::US,
        b"UT" => VR::UT,
        b"UV" => VR::UV,
        _ => return None,
    })
}

/// Whether explicit VR gives it two reserved bytes and a 32-bit length (PS3.5 7.1.2).
pub(crate) fn has_long_length(vr: VR) -> bool {
    use VR::{OB, OD, OF, OL, OV, OW, SQ, SV, UC, UN, UR, UT, UV};
    matches!(vr, OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV)
}

const SLOTS: usize = 4096;

/// Dictionary answers already given, directly mapped by tag: `tag << 16 | letters`; 0 is an empty slot. Entries are
/// written whole, so that a race costs one look-up and nothing else.
static ANSWERS: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

/// The VR that the dictionary (PS3.6) gives a tag; UN for private and unknown ones, LO for private creators. Where PS3.6
/// leaves a choice: US of "US or SS", OW of "OB or OW" and "US or OW".
pub fn dictionary_vr(tag: Tag) -> VR {
    let key = u64::from(tag.0) << 16 | u64::from(tag.1);
    let slot = &ANSWERS[(key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 52) as usize];
    let answer = slot.load(Ordering::Relaxed);
    if answer >> 16 == key
        && let Some(vr) = vr_from_letters([(answer >> 8) as u8, answer as u8])
    {
        return vr;
    }
    let vr = look_up(tag);
    let [a, b] = vr.to_bytes();
    slot.store(key << 16 | u64::from(a) << 8 | u64::from(b), Ordering::Relaxed);
    vr
}

fn look_up(tag: Tag) -> VR {
    if tag.1 == 0 {
        return VR::UL;
    }
    if tag.0 & 1 == 1 {
        return if (0x0010..=0x00FF).contains(&tag.1) { VR::LO } else { VR::UN };
    }
    match StandardDataDictionary.by_tag(tag).map(DataDictionaryEntry::vr) {
        Some(VirtualVr::Exact(vr)) => vr,
        Some(VirtualVr::Xs) => VR::US,
        Some(VirtualVr::Ox | VirtualVr::Px | VirtualVr::Lt) => VR::OW,
        Some(_) | None => VR::UN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_answers_the_same_the_second_time() {
        for (tag, vr) in [
            (Tag(0x0010, 0x0010), VR::PN),
            (Tag(0x0028, 0x0120), VR::US),
            (Tag(0x7FE0, 0x0010), VR::OW),
            (Tag(0x0029, 0x0010), VR::LO),
            (Tag(0x0029, 0x1010), VR::UN),
            (Tag(0x0008, 0x0000), VR::UL),
            (Tag(0x6002, 0x3000), VR::OW),
            (Tag(0x0008, 0xFFFE), VR::UN),
        ] {
            assert_eq!((dictionary_vr(tag), dictionary_vr(tag)), (vr, vr), "{tag}");
        }
    }
}
