//! The header walk: where every data element of a Part 10 file or a bare data set lies, without reading pixel data.
//!
//! Tolerant of real files (no preamble, no file meta information, odd lengths), strict about lies: no length is believed
//! before it is checked against the bytes at hand, nesting is bounded, and every refusal names the tag and the byte offset.

mod error;
mod instance;
mod types;
mod vr;
mod walk;

pub use error::HeaderError;
pub use instance::Instance;
pub use types::{Completeness, Element, Encoding, Header, PixelDataLocation, PixelDataValue, Span};
pub use walk::{MAX_DEPTH, walk, walk_as};
