//! Results of a reading as DICOM objects of its study: Segmentation, Structured Report, Encapsulated PDF, Secondary Capture.
//!
//! All in explicit VR little endian and UTF-8, which they state, whatever the images were written in. Attributes of patient and study
//! are those of the images. The caller gives the UIDs: the same report makes the same objects.

mod capture;
pub mod code;
mod content;
mod document;
mod measurement_report;
mod object;
mod segmentation;
mod source;

pub use capture::{Picture, secondary_capture};
pub use code::{Code, Site};
pub use document::encapsulated_pdf;
pub use measurement_report::{Measurement, MeasurementGroup, MeasurementReport, Verification, measurement_report};
pub use object::{ContributingAlgorithm, ResultInstance};
pub use segmentation::{Algorithm, Segment, segmentation};
pub use source::{Source, SourceError, SourceGeometry, SourceSlice};
