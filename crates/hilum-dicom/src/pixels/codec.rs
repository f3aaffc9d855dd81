//! Compressed frames through the decoders of the transfer syntax registry.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_dictionary_std::uids;
use dicom_encoding::adapters::{PixelDataObject, RawPixelData};
use dicom_encoding::transfer_syntax::{Codec, TransferSyntax, TransferSyntaxIndex};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::attributes::{PixelAttributes, SampleBits};
use super::codestream::shape_of;
use super::{PixelError, jpeg_extended};
use crate::uid::TransferSyntaxUid;

/// Little endian samples of a decoded frame, with the bits that they now have.
pub(super) struct DecodedFrame {
    pub samples: Vec<u8>,
    pub bits: SampleBits,
}

/// Decodes one frame's codestream after checking that it is the frame that the header describes.
pub(super) fn decode(
    syntax: &TransferSyntaxUid,
    codestream: &[u8],
    attributes: &PixelAttributes,
) -> Result<DecodedFrame, PixelError> {
    let refused = |reason: &str| PixelError::Codec { syntax: syntax.clone(), reason: reason.to_owned() };
    let shape =
        shape_of(codestream).ok_or_else(|| refused("it does not begin as a JPEG, JPEG-LS or JPEG 2000 image"))?;
    let (rows, columns) = (attributes.rows, attributes.columns);
    if (shape.rows, shape.columns, shape.components) != (rows, columns, attributes.samples) {
        let (coded_rows, coded_columns, components) = (shape.rows, shape.columns, shape.components);
        return Err(PixelError::CodestreamMismatch { coded_rows, coded_columns, components, rows, columns });
    }
    if shape.precision > attributes.bits.allocated {
        return Err(refused("its samples are wider than BitsAllocated"));
    }
    let samples = if syntax.as_str() == uids::JPEG_EXTENDED12_BIT && shape.precision == 12 {
        jpeg_extended::decode(codestream, rows as usize, columns as usize).map_err(refused)?
    } else {
        by_registry(syntax, codestream, attributes)?
    };
    let pixels = attributes.pixels() * usize::from(attributes.samples);
    // A codestream of up to 8 bits may come out as bytes whatever BitsAllocated says.
    let bytes = if shape.precision <= 8 && samples.len() == pixels { 1 } else { attributes.bits.bytes() };
    if samples.len() != pixels * bytes {
        return Err(PixelError::Truncated { expected: (pixels * bytes) as u64, found: samples.len() as u64 });
    }
    let allocated = bytes as u16 * 8;
    // A decoder gives the value in the low bits. A signed JPEG 2000 sample comes out sign-extended, any other as
    // `precision` bits, which the header's sign applies to.
    let stored = if shape.signed { allocated } else { attributes.bits.stored.min(shape.precision) };
    // Codes as wide as the words hold them as they are, wherever the stored bits lie.
    let whole_words = !shape.signed && shape.precision == attributes.bits.allocated;
    let high_bit = if whole_words { attributes.bits.high_bit } else { stored - 1 };
    let bits = SampleBits { allocated, stored, high_bit, signed: attributes.bits.signed };
    Ok(DecodedFrame { samples, bits })
}

fn by_registry(
    syntax: &TransferSyntaxUid,
    codestream: &[u8],
    attributes: &PixelAttributes,
) -> Result<Vec<u8>, PixelError> {
    let known = TransferSyntaxRegistry.get(syntax.as_str());
    let Some(Codec::EncapsulatedPixelData(Some(reader), _)) = known.map(TransferSyntax::codec) else {
        return Err(PixelError::UnsupportedTransferSyntax(syntax.clone()));
    };
    let refused = |reason: String| PixelError::Codec { syntax: syntax.clone(), reason };
    let frame = OneFrame { syntax, codestream, attributes };
    let mut samples = Vec::new();
    // The decoders are other people's code and index by what a damaged codestream tells them.
    match catch_unwind(AssertUnwindSafe(|| reader.decode_frame(&frame, 0, &mut samples))) {
        Ok(Ok(())) => Ok(samples),
        Ok(Err(error)) => Err(refused(error.to_string())),
        Err(_) => Err(refused("the decoder gave up on damaged data".to_owned())),
    }
}

/// One compressed frame as the registry's decoders want to see it.
struct OneFrame<'a> {
    syntax: &'a TransferSyntaxUid,
    codestream: &'a [u8],
    attributes: &'a PixelAttributes,
}

impl PixelDataObject for OneFrame<'_> {
    fn transfer_syntax_uid(&self) -> &str {
        self.syntax.as_str()
    }

    fn rows(&self) -> Option<u16> {
        self.attributes.rows.try_into().ok()
    }

    fn cols(&self) -> Option<u16> {
        self.attributes.columns.try_into().ok()
    }

    fn samples_per_pixel(&self) -> Option<u16> {
        Some(self.attributes.samples)
    }

    fn bits_allocated(&self) -> Option<u16> {
        Some(self.attributes.bits.allocated)
    }

    fn bits_stored(&self) -> Option<u16> {
        Some(self.attributes.bits.stored)
    }

    fn photometric_interpretation(&self) -> Option<&str> {
        Some(if self.attributes.samples == 1 { "MONOCHROME2" } else { "RGB" })
    }

    fn number_of_frames(&self) -> Option<u32> {
        Some(1)
    }

    fn number_of_fragments(&self) -> Option<u32> {
        Some(1)
    }

    fn fragment(&self, fragment: usize) -> Option<Cow<'_, [u8]>> {
        (fragment == 0).then_some(Cow::Borrowed(self.codestream))
    }

    fn offset_table(&self) -> Option<Cow<'_, [u32]>> {
        Some(Cow::Borrowed(&[]))
    }

    fn raw_pixel_data(&self) -> Option<RawPixelData> {
        Some(RawPixelData {
            fragments: [self.codestream.to_vec()].into_iter().collect(),
            offset_table: [].into_iter().collect(),
        })
    }
}
