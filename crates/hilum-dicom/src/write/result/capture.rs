//! Secondary Capture (PS3.3 A.8.1): a key image as a picture.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use super::code::Code;
use super::object::{ResultInstance, reference};
use crate::write::WriteError;

/// A picture, RGB with 8 bits each, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
    /// `rows * columns * 3` bytes.
    pub rgb: Vec<u8>,
}

/// A key image of the slices `shown` (indices in the stack) as a Part 10 file. The picture carries no identity, and says so.
pub fn secondary_capture(
    instance: &ResultInstance<'_>,
    picture: Picture,
    shown: &[usize],
    comments: &str,
    synthetic: bool,
) -> Result<Vec<u8>, WriteError> {
    if picture.rgb.len() != usize::from(picture.rows) * usize::from(picture.columns) * 3 {
        return Err(WriteError::NotInTheSource);
    }
    let source = instance.source;
    let mut images = Vec::new();
    for index in shown {
        let slice = source.slice(*index)?;
        let mut image = reference(slice.sop_class.as_str(), slice.sop.as_str(), slice.frame);
        Code::dcm("121322", "Source image for image processing operation")
            .set_in(&mut image, tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE);
        images.push(image);
    }
    let mut out = instance.modules(uids::SECONDARY_CAPTURE_IMAGE_STORAGE, "OT");
    out.set_all(tags::IMAGE_TYPE, ["DERIVED", "SECONDARY"].map(str::to_owned).to_vec())
        .set(tags::CONVERSION_TYPE, "WSD")
        .set(tags::LATERALITY, "")
        .set(tags::PATIENT_ORIENTATION, "")
        .set(tags::DERIVATION_DESCRIPTION, "Key image with the marked stones, a magnified inset and a scale")
        .set(tags::IMAGE_COMMENTS, comments)
        .set(tags::BURNED_IN_ANNOTATION, "NO")
        .set(tags::SAMPLES_PER_PIXEL, "3")
        .set(tags::PHOTOMETRIC_INTERPRETATION, "RGB")
        .set(tags::PLANAR_CONFIGURATION, "0")
        .set(tags::ROWS, picture.rows.to_string())
        .set(tags::COLUMNS, picture.columns.to_string())
        .set(tags::BITS_ALLOCATED, "8")
        .set(tags::BITS_STORED, "8")
        .set(tags::HIGH_BIT, "7")
        .set(tags::PIXEL_REPRESENTATION, "0")
        .set_items(tags::SOURCE_IMAGE_SEQUENCE, images);
    source.say_compression(&mut out);
    if synthetic {
        // A phantom (PS3.3 C.7.6.1.1.4).
        out.set(tags::QUALITY_CONTROL_IMAGE, "YES");
    }
    instance.file(&out, uids::SECONDARY_CAPTURE_IMAGE_STORAGE, Some((tags::PIXEL_DATA, VR::OB, picture.rgb)))
}
