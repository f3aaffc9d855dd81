//! The files of a report's folder.

use crate::report::Plane;
use serde::{Deserialize, Serialize};

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

/// Of a signed version: the very bytes that were signed.
pub(crate) const SIGNED_FILE: &str = "signed.json";
/// Which plane each key image shows: a list of [`KeyImageNote`].
pub(crate) const KEY_IMAGES_FILE: &str = "key-images.json";

/// What the PNG of a key image does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyImageNote {
    /// Number of the stone.
    pub(crate) stone: u32,
    /// The plane.
    pub(crate) plane: Plane,
    /// Where it stands, along the axis that it stands across.
    pub(crate) index: u32,
}

/// A key image of the `n`th stone of the report, from 0.
pub(crate) fn key_image_file(n: usize, plane: Plane) -> String {
    match plane {
        Plane::Axial => format!("key-{n}.png"),
        Plane::Coronal => format!("key-{n}-coronal.png"),
        Plane::Sagittal => format!("key-{n}-sagittal.png"),
    }
}
