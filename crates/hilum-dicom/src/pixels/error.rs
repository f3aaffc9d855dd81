//! Why an instance gives no Hounsfield units.

/// Why an instance gives no Hounsfield units.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PixelError {
    /// The file structure is broken before the pixel data.
    #[error("the DICOM header is not readable: {0}; expected a Part 10 file or a data set")]
    Header(String),
}
