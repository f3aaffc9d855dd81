//! The header walk: where every data element of a Part 10 file or a bare data set lies, without reading pixel data.
//!
//! Tolerant of real files (no preamble, no file meta information, odd lengths), strict about lies: no length is believed
//! before it is checked against the bytes at hand, nesting is bounded, and every refusal names the tag and the byte offset.

mod element;
mod error;
mod instance;
mod items;
mod pixel_data;
mod types;
mod vr;
mod walk;

pub use element::MAX_DEPTH;
pub use error::HeaderError;
pub use instance::{Instance, MAX_INFLATED};
pub use items::Item;
pub(crate) use items::holds_items;
pub use types::{Completeness, Element, Encoding, Header, PixelDataLocation, PixelDataValue, Span};
pub use vr::dictionary_vr;
pub(crate) use vr::{has_long_length, vr_from_letters};
pub use walk::{MAX_ELEMENTS, walk, walk_as};
