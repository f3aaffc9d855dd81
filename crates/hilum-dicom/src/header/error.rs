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
        /// The element or item.
        tag: Tag,
        /// Where it begins.
        offset: usize,
        /// The length that it states.
        stated: usize,
        /// The bytes that are there.
        present: usize,
    },
    /// The bytes end inside an element's tag or length.
    #[error(
        "the data ends at byte {offset}, inside a data element's tag or length: the file is cut off. Send or copy it again"
    )]
    CutOff {
        /// Where the unfinished element begins.
        offset: usize,
    },
    /// A sequence or item of undefined length is never closed.
    #[error(
        "{tag} at byte {offset} has undefined length and is never closed by its delimiter: the file is cut off. Send or copy it again"
    )]
    MissingDelimiter {
        /// The sequence or item.
        tag: Tag,
        /// Where it begins.
        offset: usize,
    },
    /// Something other than an item where PS3.5 7.5 wants one.
    #[error(
        "expected an item (FFFE,E000) or a delimiter at byte {offset} inside {tag}, found {found}: the file is damaged. Export it again"
    )]
    NotAnItem {
        /// The sequence.
        tag: Tag,
        /// Where the item should begin.
        offset: usize,
        /// What is there.
        found: Tag,
    },
    /// Undefined length where only sequences and encapsulated pixel data may have it.
    #[error(
        "{tag} at byte {offset} has undefined length, which only sequences and pixel data may have (PS3.5 7.1): the file is damaged. Export it again"
    )]
    UndefinedLength {
        /// The element.
        tag: Tag,
        /// Where it begins.
        offset: usize,
    },
    /// Sequences nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    #[error(
        "{tag} at byte {offset} nests sequences deeper than {limit} levels, which no real object does; the file is refused"
    )]
    TooDeep {
        /// The sequence.
        tag: Tag,
        /// Where it begins.
        offset: usize,
        /// The limit.
        limit: usize,
    },
    /// More elements in one data set than any real object has.
    #[error(
        "the data set holds more than {limit} data elements at one level, which no real object does; the file is refused"
    )]
    TooManyElements {
        /// The limit.
        limit: usize,
    },
    /// The data set is deflated, so that offsets into these bytes mean nothing.
    #[error("the data set is deflated (PS3.5 A.5): read it as an Instance, which inflates it")]
    Deflated,
    /// A deflated data set does not inflate.
    #[error(
        "the deflated data set (PS3.5 A.5) from byte {offset} does not inflate: the file is damaged. Send or copy it again"
    )]
    NotInflatable {
        /// Where the deflated data begins.
        offset: usize,
    },
    /// A deflated data set inflates to more than is allowed.
    #[error(
        "the deflated data set inflates to more than {limit} bytes, which no real object does; the file is refused"
    )]
    InflatesTooFar {
        /// The limit in bytes.
        limit: usize,
    },
    /// Pixel data that no native transfer syntax can state the length of.
    #[error("the pixel data take {bytes} bytes uncompressed; a data element states at most {limit}")]
    PixelDataTooLong {
        /// How many there are.
        bytes: u64,
        /// How many could be stated.
        limit: u64,
    },
}
