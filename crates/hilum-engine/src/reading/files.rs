//! The files of a report's folder.

/// The report as data.
pub(crate) const JSON_FILE: &str = "report.json";
/// One page in Korean.
pub(crate) const PDF_KO_FILE: &str = "report.ko.pdf";
/// One page in English.
pub(crate) const PDF_EN_FILE: &str = "report.en.pdf";
/// The workbook.
pub(crate) const XLSX_FILE: &str = "report.xlsx";

/// Key image `n`, from 0.
pub(crate) fn key_image_file(n: usize) -> String {
    format!("key-{n}.png")
}
