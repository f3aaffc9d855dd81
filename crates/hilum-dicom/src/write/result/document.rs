//! Encapsulated PDF (PS3.3 A.45.1): the report as people read it.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use super::code::Code;
use super::object::{ResultInstance, reference};
use crate::DataSet;
use crate::write::WriteError;

/// A PDF report as a Part 10 file. It names the patient on its pages, and says so.
pub fn encapsulated_pdf(instance: &ResultInstance<'_>, title: &str, pdf: Vec<u8>) -> Result<Vec<u8>, WriteError> {
    let mut out = instance.modules(uids::ENCAPSULATED_PDF_STORAGE, "DOC");
    let report = Code { value: "18748-4", scheme: "LN", meaning: "Diagnostic imaging study" };
    report.set_in(&mut out, tags::CONCEPT_NAME_CODE_SEQUENCE);
    let length = u32::try_from(pdf.len())
        .map_err(|_| WriteError::TooLong { tag: tags::ENCAPSULATED_DOCUMENT, limit: u32::MAX as usize })?;
    out.set(tags::CONVERSION_TYPE, "WSD")
        .set(tags::ACQUISITION_DATE_TIME, "")
        .set(tags::BURNED_IN_ANNOTATION, "YES")
        .set(tags::DOCUMENT_TITLE, title)
        .set(tags::MIME_TYPE_OF_ENCAPSULATED_DOCUMENT, "application/pdf")
        .set(tags::ENCAPSULATED_DOCUMENT_LENGTH, length.to_string())
        .set_items(tags::SOURCE_INSTANCE_SEQUENCE, source_instances(instance));
    instance.file(&out, uids::ENCAPSULATED_PDF_STORAGE, Some((tags::ENCAPSULATED_DOCUMENT, VR::OB, pdf)))
}

/// The instances that the report is derived from, once each.
fn source_instances(instance: &ResultInstance<'_>) -> Vec<DataSet> {
    let mut slices: Vec<_> = instance.source.slices.iter().collect();
    slices.dedup_by(|a, b| a.sop == b.sop);
    slices.iter().map(|slice| reference(slice.sop_class.as_str(), slice.sop.as_str(), None)).collect()
}
