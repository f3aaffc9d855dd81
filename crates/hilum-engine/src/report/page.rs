//! The report as one A4 page.

use hilum_clinical::Language;

use super::{KeyImage, ReportError, UrinaryStoneReport};

/// One A4 page as PDF. The same report, key images and language give the same bytes.
pub fn pdf(report: &UrinaryStoneReport, key_images: &[KeyImage], language: Language) -> Result<Vec<u8>, ReportError> {
    todo!("{report:?} {key_images:?} {language:?}")
}
