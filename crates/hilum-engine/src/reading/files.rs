//! The files of a report's folder.

use crate::report::Plane;

/// The report as data.
pub(crate) const JSON_FILE: &str = "report.json";
/// One page in Korean.
pub(crate) const PDF_KO_FILE: &str = "report.ko.pdf";
/// One page in English.
pub(crate) const PDF_EN_FILE: &str = "report.en.pdf";
/// The stones, comma-separated.
pub(crate) const CSV_FILE: &str = "report.csv";
/// The workbook.
pub(crate) const XLSX_FILE: &str = "report.xlsx";

/// A key image of the `n`th stone of the report, from 0.
pub(crate) fn key_image_file(n: usize, plane: Plane) -> String {
    match plane {
        Plane::Axial => format!("key-{n}.png"),
        Plane::Coronal => format!("key-{n}-coronal.png"),
        Plane::Sagittal => format!("key-{n}-sagittal.png"),
    }
}
