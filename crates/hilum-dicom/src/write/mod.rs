//! Writing CT Image Storage instances of the synthetic CT: Part 10, explicit VR little endian.

mod identity;
mod series;

pub use identity::{CtSeriesIdentity, PatientPosition, PatientSex, SeriesKind, TextEncoding};
pub use series::{CtSeries, WriteError, ct_series, uid_from_seed};
