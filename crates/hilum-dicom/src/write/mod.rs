//! Writing CT Image Storage instances of the synthetic CT: Part 10, explicit VR little endian.
//!
//! Strict: an attribute that breaks its value representation is an error, and so is a character that the stated character set
//! does not have. Every instance says that it is synthetic.

mod elements;
mod identity;
mod layout;
mod seed;
mod series;

pub use identity::{CtSeriesIdentity, PatientPosition, PatientSex, SeriesKind};
pub use seed::uid_bits_from_seed;
pub use series::{CtSeries, WriteError, ct_series};
