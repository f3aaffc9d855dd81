//! Directory records, beside pydicom's.

use hilum_dicom::dicomdir::{FileId, RecordType};

use crate::oracle::python;

/// pydicom 3.0 finds these by attributes of the object, not by its class.
const BY_ATTRIBUTE: [(&str, RecordType); 8] = [
    ("1.2.840.10008.5.1.4.1.1.2", RecordType::Image),
    ("1.2.840.10008.5.1.4.1.1.66.4", RecordType::Image),
    ("1.2.840.10008.5.1.4.1.1.481.1", RecordType::Image),
    ("1.2.840.10008.5.1.4.1.1.481.5", RecordType::RtPlan),
    ("1.2.840.10008.5.1.4.1.1.481.8", RecordType::RtPlan),
    ("1.2.840.10008.5.1.4.1.1.481.12", RecordType::Radiotherapy),
    ("1.2.840.10008.5.1.4.1.1.104.1", RecordType::EncapsulatedDocument),
    ("1.2.840.10008.5.1.4.34.7", RecordType::Plan),
];

#[test]
fn every_sop_class_that_pydicom_knows_a_record_for_gets_that_record() {
    let script = "from pydicom.fileset import _FOUR_LEVEL_SOP_CLASSES as known\n\
        for uid, kind in known.items(): print(uid, kind, sep='|')";
    for (class, kind) in BY_ATTRIBUTE {
        assert_eq!(RecordType::of(&class.parse().unwrap(), true), kind, "{class}");
    }
    let Some(said) = python(script, &[]) else { return };
    assert!(said.lines().count() > 50, "{said}");
    for line in said.lines() {
        let (class, kind) = line.split_once('|').unwrap();
        assert_eq!(RecordType::of(&class.parse().unwrap(), false).term(), kind, "{class}");
    }
}

#[test]
fn a_private_class_is_an_image_where_it_has_pixel_data() {
    let private = "1.2.840.113619.4.26".parse().unwrap();
    assert_eq!(RecordType::of(&private, true), RecordType::Image);
    assert_eq!(RecordType::of(&private, false), RecordType::RawData);
}

#[test]
fn a_file_id_is_what_every_file_system_can_hold() {
    let id = |parts: &[&str]| FileId::new(parts.iter().map(|part| (*part).to_owned()).collect()).is_ok();
    assert!(id(&["DICOM", "A_0", "12345678"]));
    for wrong in [&[][..], &["123456789"], &["lower"], &["A.B"], &[""], &[".."], &["A"; 9]] {
        assert!(!id(wrong), "{wrong:?}");
    }
}
