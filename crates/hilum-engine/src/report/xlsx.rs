//! The report as a workbook.

use super::{ReportError, UrinaryStoneReport};

/// Sheets "Slices" (file name, score, Normal/Abnormal: paper S1), "Stones" and "About".
pub fn xlsx(report: &UrinaryStoneReport) -> Result<Vec<u8>, ReportError> {
    todo!("{report:?}")
}
