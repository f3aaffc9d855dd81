//! Why bytes cannot be walked as DICOM.
use dicom_core::Tag;

/// Why bytes cannot be walked as DICOM. Names tags and byte offsets, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Zero bytes.
    #[error("the file is empty (0 bytes); expected a DICOM file. Copy or export it again")]
    Empty,
    /// No Part 10 prefix, and no data set begins at the first byte either.
    #[error(
        "this is not DICOM: expected the letters DICM at byte 128 (PS3.10 7.1) or a data set from the first byte. \
         Leave the file out, or export it as DICOM"
    )]
    NotDicom,
    /// The bytes end before the element's value does.
    #[error(
        "{tag} at byte {offset} states {stated} bytes but only {present} follow: the file is cut off or the length is \
         false. Send or copy it again"
    )]
    Truncated {
        /// The element.
        tag: Tag,
        /// Where it begins.
        offset: usize,
        /// The length that it states.
        stated: usize,
        /// The bytes that are there.
        present: usize,
    },
}
