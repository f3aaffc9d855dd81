//! Character sets (PS3.5 6.1.2 and Annexes H, I, J, K): all text becomes UTF-8, and back.
mod decode;
mod encode;
mod guess;
mod person_name;
mod plane;
mod terms;

pub(crate) use decode::uses_character_set;
pub use decode::{DecodedText, TextFinding, decode, decode_person_names, decode_values};
pub use encode::{EncodeError, encode, encode_person_name};
pub use person_name::PersonName;
pub use terms::{CharacterSet, SpecificCharacterSet};
