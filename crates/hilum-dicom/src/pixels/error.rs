//! Why an instance gives no pixels.

use dicom_core::Tag;

use crate::facts::DicomError;
use crate::header::HeaderError;
use crate::uid::TransferSyntaxUid;

/// Why an instance gives no Hounsfield units. Attributes are named, patient data is not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PixelError {
    /// The header cannot be walked.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The functional groups of a multi-frame object cannot be read.
    #[error(transparent)]
    Facts(#[from] DicomError),
    /// An attribute that describes the pixels is absent or unreadable.
    #[error("{name} {tag} is absent or unreadable; expected {expected}. Export the image again")]
    Attribute {
        /// The attribute's keyword.
        name: &'static str,
        /// Its tag.
        tag: Tag,
        /// What should stand there.
        expected: &'static str,
    },
    /// No pixel data at all.
    #[error("the instance holds no Pixel Data (7FE0,0010); expected an image")]
    NoPixelData,
    /// Float or double pixel data.
    #[error("the pixels are floating point numbers {tag}; expected integer Pixel Data (7FE0,0010), as CT has")]
    FloatingPoint {
        /// Float Pixel Data or Double Float Pixel Data.
        tag: Tag,
    },
    /// A colour image.
    #[error("PhotometricInterpretation is {found}; expected MONOCHROME2 or MONOCHROME1, as CT has")]
    Photometric {
        /// The defined term found, or `another term`.
        found: &'static str,
    },
    /// A modality look-up table instead of a line.
    #[error(
        "the image maps its values by a Modality LUT Sequence (0028,3000); expected RescaleSlope and RescaleIntercept, as CT has"
    )]
    ModalityLut,
    /// Bits that do not fit each other or that CT does not have.
    #[error(
        "BitsAllocated {allocated}, BitsStored {stored} and HighBit {high_bit} describe no CT sample; \
         expected 8, 16 or 32 bits allocated with the stored bits inside"
    )]
    Bits {
        /// BitsAllocated.
        allocated: u16,
        /// BitsStored.
        stored: u16,
        /// HighBit.
        high_bit: u16,
    },
    /// A rescale that is no mapping.
    #[error(
        "RescaleSlope or RescaleIntercept is not a usable number; expected finite numbers and a slope other than 0"
    )]
    Rescale,
    /// A frame that is not in the instance.
    #[error("frame {asked} (counted from 0) was asked for, but the instance has {frames}")]
    NoSuchFrame {
        /// The frame asked for, from 0.
        asked: u32,
        /// NumberOfFrames.
        frames: u32,
    },
    /// The header states a frame beyond reason.
    #[error("the header states {rows} x {columns} pixels, {bytes} bytes a frame; at most {limit} are accepted")]
    TooLarge {
        /// Rows.
        rows: u32,
        /// Columns.
        columns: u32,
        /// Bytes that a decoded frame would take.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The frame's bytes are not all there.
    #[error("the pixel data is cut off: expected {expected} bytes, found {found}. Send or copy the file again")]
    Truncated {
        /// Bytes needed up to the end of the frame (native), or of the fragment or segment (encapsulated).
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// The encapsulated frames cannot be told apart.
    #[error("frame {frame} cannot be found among {fragments} fragments: no usable offset table and no start markers")]
    FrameNotFound {
        /// The frame asked for, from 0.
        frame: u32,
        /// Number of fragments.
        fragments: usize,
    },
    /// The codestream contradicts the header.
    #[error(
        "the compressed frame is {coded_rows} x {coded_columns} with {components} component(s), \
         the header says {rows} x {columns} with 1"
    )]
    CodestreamMismatch {
        /// Rows in the codestream.
        coded_rows: u32,
        /// Columns in the codestream.
        coded_columns: u32,
        /// Components in the codestream.
        components: u16,
        /// Rows.
        rows: u32,
        /// Columns.
        columns: u32,
    },
    /// A transfer syntax without a decoder here.
    #[error("no decoder for transfer syntax {0}; convert the image to an uncompressed or lossless one")]
    UnsupportedTransferSyntax(TransferSyntaxUid),
    /// The decoder refused the frame.
    #[error("the compressed frame ({syntax}) cannot be decoded: {reason}")]
    Codec {
        /// Transfer syntax.
        syntax: TransferSyntaxUid,
        /// What the decoder says.
        reason: String,
    },
}
