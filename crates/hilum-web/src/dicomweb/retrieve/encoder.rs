//! What frames are encoded in for those who ask for it, without loss.

use dicom_core::{Tag, VR};
use hilum_dicom::TransferSyntaxUid;
use hilum_dicom::pixels::{FrameSamples, ImageDescription, PixelError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoder {
    JpegLs,
    JpegLossless,
}

impl Encoder {
    /// All of them, the one that makes smaller frames first.
    pub(super) const ALL: [Self; 2] = [Self::JpegLs, Self::JpegLossless];

    pub(super) fn of(syntax: &TransferSyntaxUid) -> Option<Self> {
        Self::ALL.into_iter().find(|encoder| encoder.syntax() == *syntax)
    }

    pub(super) fn syntax(self) -> TransferSyntaxUid {
        match self {
            Self::JpegLs => TransferSyntaxUid::jpeg_ls_lossless(),
            Self::JpegLossless => TransferSyntaxUid::jpeg_lossless_sv1(),
        }
    }

    /// Media type of a frame (PS3.18 Table 8.7.3-2), whose default transfer syntax this is.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::JpegLs => "image/jls",
            Self::JpegLossless => "image/jpeg",
        }
    }

    pub(super) fn fits(self, description: &ImageDescription) -> bool {
        match self {
            Self::JpegLs => description.fits_jpeg_ls(),
            Self::JpegLossless => description.fits_jpeg_lossless(),
        }
    }

    pub(super) fn encode(self, description: &ImageDescription, frame: &FrameSamples) -> Result<Vec<u8>, PixelError> {
        match self {
            Self::JpegLs => description.encode_jpeg_ls(frame),
            Self::JpegLossless => description.encode_jpeg_lossless(frame),
        }
    }

    /// What the header says otherwise.
    pub(super) fn changes(self, description: &ImageDescription, frame: &FrameSamples) -> Vec<(Tag, VR, Vec<u8>)> {
        match self {
            Self::JpegLs => Vec::new(),
            Self::JpegLossless => description.jpeg_lossless_changes(frame),
        }
    }
}
