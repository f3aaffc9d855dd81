//! The report as files: one A4 page and one a stone (PDF), a workbook (XLSX) and key images (PNG).
//!
//! The report itself is `hilum_clinical`'s [`UrinaryStoneReport`]; [`build`] makes it, [`json`] writes it.

mod csv;
mod key_image;
mod page;
mod part;
mod review_sheet;
mod xlsx;

pub use csv::csv;
pub use hilum_clinical::guideline::Inputs;
pub use hilum_clinical::report::{GuidelineOptions, ReportInputs, UrinaryStoneReport, build};
pub use key_image::{KeyImage, KeySlice, Plane, key_image};
pub(crate) use page::IN_THREE_PLANES;
pub use page::pdf;
pub use part::{Language, ReportPart};
pub use xlsx::xlsx;

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The JSON text could not be written.
    #[error("report JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The page could not be typeset. Never the patient's data, only what the typesetter said about the template.
    #[error("report page: {0}")]
    Page(String),
    /// The creation time of the report cannot be read.
    #[error("report time: expected RFC 3339")]
    Time,
    /// The workbook could not be written.
    #[error("report workbook: {0}")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
    /// The key image could not be written.
    #[error("key image: {0}")]
    Png(#[from] png::EncodingError),
    /// The key slice and the stone do not belong together.
    #[error("key image: the stone lies outside its slice; expected a slice of the series that was read")]
    StoneOutsideSlice,
}

/// The report as a JSON document.
pub fn json(report: &UrinaryStoneReport) -> Result<Vec<u8>, ReportError> {
    Ok(serde_json::to_vec_pretty(report)?)
}
