//! Facts of an instance, in every transfer syntax.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use hilum_dicom::charset::TextFinding;
use hilum_dicom::facts::{Attribute, DicomError, FactFinding, FactProblem};
use hilum_dicom::header::Encoding;
use hilum_dicom::uid::UidError;
use hilum_dicom::{InstanceFacts, PersonName, read_facts};
use time::macros::{date, time};

use crate::objects::{BIG_ENDIAN, Bytes, EXPLICIT, IMPLICIT, ct, ct_with_pixels};
use crate::oracle;

#[test]
fn the_same_facts_come_out_of_every_encoding() {
    let facts = |encoding, syntax| read_facts(&ct_with_pixels(encoding, 3, false).part_10(syntax)).unwrap();
    let explicit = facts(Encoding::EXPLICIT_LE, EXPLICIT);
    for (encoding, syntax) in [(Encoding::IMPLICIT_LE, IMPLICIT), (Encoding::EXPLICIT_BE, BIG_ENDIAN)] {
        let other = InstanceFacts { transfer_syntax: explicit.transfer_syntax.clone(), ..facts(encoding, syntax) };
        assert_eq!(other, explicit, "{syntax}");
    }
    assert_eq!(
        (explicit.sop.as_str(), explicit.study.uid.as_str(), explicit.series.uid.as_str()),
        ("1.2.3.4", "1.2.3", "1.2.3.1")
    );
    assert_eq!(explicit.patient.name, PersonName::from_groups("Hong^Gildong=洪^吉洞=홍^길동"));
    assert_eq!(explicit.patient.birth_date, Some(date!(1980 - 01 - 01)));
    assert_eq!((explicit.study.date, explicit.study.time), (Some(date!(2026 - 02 - 28)), Some(time!(10:11:12.5))));
    assert_eq!(explicit.study.description.as_deref(), Some("복부 CT"));
    let image = &explicit.image;
    assert_eq!(image.image_type, ["ORIGINAL", "PRIMARY", "AXIAL"]);
    assert_eq!((image.rows, image.columns, image.frames, image.instance_number), (Some(3), Some(4), 1, Some(7)));
    assert_eq!((image.signed, image.pixel_padding_value), (Some(true), Some(-2000)));
    assert_eq!((image.position, image.pixel_spacing), (Some([-100.0, -120.5, 33.0]), Some([0.7, 0.8])));
    assert_eq!(image.rescale.as_ref().map(|r| (r.slope, r.intercept)), Some((1.0, -1024.0)));
    let back: InstanceFacts = serde_json::from_str(&serde_json::to_string(&explicit).unwrap()).unwrap();
    assert_eq!(back, explicit);
}

/// The catalogue keeps this JSON for every instance, and has kept it with nulls before.
#[test]
fn what_is_not_stated_takes_no_room_and_is_read_as_before() {
    let mut file = Bytes::new(Encoding::EXPLICIT_LE);
    file.put(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.2")
        .put(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4")
        .put(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3")
        .put(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.1");
    let facts = read_facts(&file.part_10(EXPLICIT)).unwrap();
    let json = serde_json::to_string(&facts).unwrap();
    assert!(["null", "[]", "\"\""].iter().all(|nothing| !json.contains(nothing)), "{json}");
    let mut before: serde_json::Value = serde_json::from_str(&json).unwrap();
    before["frames"] = serde_json::json!([]);
    before["findings"] = serde_json::json!([]);
    before["image"]["image_type"] = serde_json::json!([]);
    before["patient"]["name"] = serde_json::json!({ "alphabetic": "" });
    before["study"]["referring_physician"] = serde_json::json!({ "alphabetic": "" });
    for (part, name) in [("patient", "issuer"), ("series", "kernel"), ("equipment", "model"), ("image", "rescale")] {
        before[part][name] = serde_json::Value::Null;
    }
    assert_eq!(serde_json::from_value::<InstanceFacts>(before).unwrap(), facts);
}

#[test]
fn an_unreadable_number_is_told_from_an_absent_one() {
    let facts = read_facts(&ct(Encoding::EXPLICIT_LE, 3, true).out).unwrap();
    assert_eq!((facts.image.gantry_tilt, facts.image.spacing_between_slices), (None, None));
    assert!(facts.is_invalid(tags::GANTRY_DETECTOR_TILT));
    assert!(!facts.is_invalid(tags::SPACING_BETWEEN_SLICES));
}

#[test]
fn no_identity_shows_in_debug_output() {
    let facts = read_facts(&ct(Encoding::EXPLICIT_LE, 3, true).out).unwrap();
    let shown = format!("{facts:?}");
    assert!(!shown.contains("Hong") && !shown.contains("KR0001") && !shown.contains("1980"), "{shown}");
}

#[test]
fn an_instance_without_identifiers_is_refused_by_the_name_of_the_attribute() {
    let mut object = Bytes::new(Encoding::EXPLICIT_LE);
    object.put(Tag(0x0008, 0x0016), VR::UI, "1.2").put(Tag(0x0008, 0x0018), VR::UI, "").put(
        Tag(0x0008, 0x0060),
        VR::CS,
        "CT",
    );
    let error = read_facts(&object.out).unwrap_err();
    assert_eq!(error, DicomError::MissingIdentifier { name: "SOP Instance UID", tag: tags::SOP_INSTANCE_UID });
    let mut object = Bytes::new(Encoding::EXPLICIT_LE);
    object.put(Tag(0x0008, 0x0016), VR::UI, "1.2").put(Tag(0x0008, 0x0018), VR::UI, "../etc").put(
        Tag(0x0008, 0x0060),
        VR::CS,
        "CT",
    );
    let error = read_facts(&object.out).unwrap_err();
    let source = UidError::ForeignCharacter(2);
    assert_eq!(error, DicomError::InvalidIdentifier { name: "SOP Instance UID", tag: tags::SOP_INSTANCE_UID, source });
}

#[test]
fn korean_without_escapes_is_read_and_the_attribute_is_named() {
    let mut object = Bytes::new(Encoding::EXPLICIT_LE);
    object
        .put(Tag(0x0008, 0x0016), VR::UI, "1.2")
        .put(Tag(0x0008, 0x0018), VR::UI, "1.2.3")
        .put(Tag(0x0010, 0x0010), VR::PN, b"\xc8\xab^\xb1\xe6\xb5\xbf")
        .put(Tag(0x0020, 0x000D), VR::UI, "1.2.3.1")
        .put(Tag(0x0020, 0x000E), VR::UI, "1.2.3.2");
    let facts = read_facts(&object.out).unwrap();
    assert_eq!(facts.patient.name.alphabetic, "홍^길동");
    let attribute = Attribute::from(tags::PATIENT_NAME);
    let problem = FactProblem::Text(TextFinding::AssumedCp949);
    assert_eq!(facts.findings, [FactFinding { attribute, problem }]);
}

#[test]
fn frames_of_an_enhanced_ct_take_what_they_leave_open_from_the_shared_groups() {
    for encoding in [Encoding::IMPLICIT_LE, Encoding::EXPLICIT_LE, Encoding::EXPLICIT_BE] {
        let mut object = Bytes::new(encoding);
        object
            .put(Tag(0x0008, 0x0016), VR::UI, "1.2.840.10008.5.1.4.1.1.2.1")
            .put(Tag(0x0008, 0x0018), VR::UI, "1.2.3")
            .put(Tag(0x0020, 0x000D), VR::UI, "1.2.3.1")
            .put(Tag(0x0020, 0x000E), VR::UI, "1.2.3.2")
            .put(Tag(0x0028, 0x0008), VR::IS, "1")
            .sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, true, |shared| {
                shared
                    .sequence(tags::PLANE_ORIENTATION_SEQUENCE, false, |o| {
                        o.put(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0");
                    })
                    .sequence(tags::PIXEL_MEASURES_SEQUENCE, true, |m| {
                        m.put(tags::SLICE_THICKNESS, VR::DS, "2.5").put(tags::PIXEL_SPACING, VR::DS, "0.5\\0.6");
                    });
            })
            .sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, false, |frame| {
                frame
                    .sequence(tags::PLANE_POSITION_SEQUENCE, true, |p| {
                        p.put(tags::IMAGE_POSITION_PATIENT, VR::DS, "1\\2\\3");
                    })
                    .sequence(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, true, |t| {
                        t.put(tags::RESCALE_INTERCEPT, VR::DS, "-1000").put(tags::RESCALE_SLOPE, VR::DS, "2");
                    });
            });
        let facts = read_facts(&object.out).unwrap();
        let frame = facts.frame(0);
        assert_eq!(facts.frames.len(), 1);
        assert_eq!((frame.position, frame.pixel_spacing), (Some([1.0, 2.0, 3.0]), Some([0.5, 0.6])));
        assert_eq!((frame.orientation, frame.slice_thickness), (Some([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]), Some(2.5)));
        assert_eq!(frame.rescale.map(|r| (r.slope, r.intercept)), Some((2.0, -1000.0)));
    }
}

#[test]
fn every_instance_of_the_conformance_folder_has_facts_or_a_stated_reason() {
    let Some(folder) = oracle::shared("dicom-conformance") else { return };
    let mut kept = 0;
    for file in oracle::files(&folder) {
        match read_facts(&std::fs::read(&file).unwrap()) {
            Ok(facts) => {
                kept += 1;
                assert!(
                    facts.findings.iter().all(|f| f.problem != FactProblem::Text(TextFinding::UnknownTerm)),
                    "{}",
                    file.display()
                );
            }
            Err(error) => assert!(error.to_string().len() > 20, "{error}"),
        }
    }
    println!("{kept} instances with facts");
    assert!(kept > 250, "{kept}");
}
