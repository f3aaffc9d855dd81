//! UTF-8 to bytes (PS3.5 6.1.2.5 and Annexes H to K), strictly as the standard has it.

use dicom_core::{Tag, VR};
use encoding_rs::{Encoding, GB18030, GBK};

use super::decode::allows_several_values;
use super::plane::{Code, ESCAPES, Plane, Slot};
use super::{CharacterSet, PersonName, SpecificCharacterSet};

/// A text cannot be written. Names the attribute, never the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A character has no code in the stated character sets.
    #[error(
        "{tag}: character {position} has no code in Specific Character Set '{set}'; write the object in ISO_IR 192 (UTF-8)"
    )]
    Unencodable {
        /// The attribute.
        tag: Tag,
        /// Index of the character in the text, from 0.
        position: usize,
        /// The value of (0008,0005).
        set: String,
    },
}

/// Encodes one text (several values joined by backslashes where the VR allows them), without padding.
///
/// Escapes stand where the standard wants them: again after every delimiter (`\`, line ends, and `^` and `=` in a PN), and back to
/// the initial set before it.
pub fn encode(text: &str, set: &SpecificCharacterSet, vr: VR, tag: Tag) -> Result<Vec<u8>, EncodeError> {
    let unencodable = |position| EncodeError::Unencodable { tag, position, set: set.to_value() };
    match set.initial {
        CharacterSet::Utf8 => Ok(text.as_bytes().to_vec()),
        CharacterSet::Gb18030 => stand_alone(text, GB18030).map_err(unencodable),
        CharacterSet::Gbk => stand_alone(text, GBK).map_err(unencodable),
        _ => {
            let mut encoder = Encoder::new(set, vr);
            for (position, c) in text.chars().enumerate() {
                if !encoder.put(c) {
                    return Err(unencodable(position));
                }
            }
            encoder.return_to_initial();
            Ok(encoder.out)
        }
    }
}

/// Encodes a person name with its component groups (Annexes H, I, J, K), without padding.
pub fn encode_person_name(name: &PersonName, set: &SpecificCharacterSet, tag: Tag) -> Result<Vec<u8>, EncodeError> {
    encode(&name.to_string(), set, VR::PN, tag)
}

/// GB 18030 and GBK; the index of the character that has no code otherwise.
fn stand_alone(text: &str, encoding: &'static Encoding) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len());
    for (position, c) in text.chars().enumerate() {
        let mut utf8 = [0; 4];
        let (bytes, _, unmappable) = encoding.encode(c.encode_utf8(&mut utf8));
        // The web's GBK writes the euro sign as 0x80, which GBK does not have.
        if unmappable || *bytes == [0x80] {
            return Err(position);
        }
        out.extend_from_slice(&bytes);
    }
    Ok(out)
}

struct Encoder<'a> {
    set: &'a SpecificCharacterSet,
    several_values: bool,
    person_name: bool,
    g0: Plane,
    g1: Option<Plane>,
    out: Vec<u8>,
}

impl<'a> Encoder<'a> {
    fn new(set: &'a SpecificCharacterSet, vr: VR) -> Self {
        let (g0, g1) = set.initial.initial_planes();
        Self { set, several_values: allows_several_values(vr), person_name: vr == VR::PN, g0, g1, out: Vec::new() }
    }

    /// Appends one character; `false` if no announced set has it.
    fn put(&mut self, c: char) -> bool {
        let delimits = (c == '\\' && self.several_values) || (matches!(c, '^' | '=') && self.person_name);
        if delimits || (c.is_ascii_control() && c != '\u{1B}') {
            self.return_to_initial();
            (self.g0, self.g1) = self.set.initial.initial_planes();
            self.out.push(c as u8);
            return true;
        }
        if c == '\u{1B}' {
            return false;
        }
        if c == ' ' && !self.g0.is_double() {
            self.out.push(b' ');
            return true;
        }
        // What is invoked already, then the initial set, then the others in their order.
        let invoked = [Some((Slot::G0, self.g0)), self.g1.map(|plane| (Slot::G1, plane))];
        let (g0, g1) = self.set.initial.initial_planes();
        let initial = [Some((Slot::G0, g0)), g1.map(|plane| (Slot::G1, plane))];
        let announced = ESCAPES.iter().filter(|e| {
            let by_ascii = e.announced_by == Some(CharacterSet::Ascii);
            self.set.extends && (by_ascii || self.set.further.iter().any(|s| e.announced_by == Some(*s)))
        });
        let mut candidates: Vec<(Slot, Plane)> = invoked.into_iter().chain(initial).flatten().collect();
        candidates.extend(announced.map(|e| (e.slot, e.plane)));
        for (slot, plane) in candidates {
            if let Some(code) = plane.code(c) {
                self.invoke(slot, plane);
                self.push(slot, code);
                return true;
            }
        }
        false
    }

    fn push(&mut self, slot: Slot, code: Code) {
        let high = if slot == Slot::G1 { 0x80 } else { 0 };
        match code {
            Code::Single(a) => self.out.push(a | high),
            Code::Double([a, b]) => self.out.extend([a | high, b | high]),
        }
    }

    fn invoke(&mut self, slot: Slot, plane: Plane) {
        let invoked = match slot {
            Slot::G0 => self.g0 == plane,
            Slot::G1 => self.g1 == Some(plane),
        };
        if invoked {
            return;
        }
        if let Some(escape) = ESCAPES.iter().find(|e| e.slot == slot && e.plane == plane && e.announced_by.is_some()) {
            self.out.extend_from_slice(escape.bytes);
        }
        match slot {
            Slot::G0 => self.g0 = plane,
            Slot::G1 => self.g1 = Some(plane),
        }
    }

    /// Before a delimiter and at the end, G0 holds the initial set again (PS3.5 6.1.2.5.3).
    fn return_to_initial(&mut self) {
        let (g0, _) = self.set.initial.initial_planes();
        self.invoke(Slot::G0, g0);
    }
}
