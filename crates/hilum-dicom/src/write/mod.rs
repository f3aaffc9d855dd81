//! Writing Part 10 files in explicit VR little endian: CT Image Storage instances of the synthetic CT, and results of readings
//! ([`result`]).
//!
//! Strict: an attribute that breaks its value representation is an error, and so is a character that the stated character set
//! does not have. Every instance of the synthetic CT says that it is synthetic.

mod elements;
mod identity;
mod layout;
pub mod result;
mod seed;
mod series;

pub use identity::{CtSeriesIdentity, PatientPosition, PatientSex, SeriesKind};
pub use seed::{uid_bits_from_seed, uid_bits_from_words};
pub use series::{CtSeries, WriteError, ct_series};
