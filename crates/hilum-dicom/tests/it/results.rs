//! Results against dciodvfy, pydicom, highdicom, dcmqi and PixelMed's DicomSRValidator.

use std::path::Path;

use hilum_dicom::charset::SpecificCharacterSet;
use hilum_dicom::facts::InstanceFacts;
use hilum_dicom::geometry::{SlicePlacement, StackCheck, check_stack};
use hilum_dicom::header::Instance;
use hilum_dicom::uid::{SeriesUid, SopUid};
use hilum_dicom::write::result::{
    Algorithm, Code, ContributingAlgorithm, Measurement, MeasurementGroup, MeasurementReport, Picture, ResultInstance,
    Segment, Site, Source, SourceGeometry, SourceSlice, Verification, code, encapsulated_pdf, measurement_report,
    secondary_capture, segmentation,
};
use hilum_dicom::write::{PatientPosition, WriteError, uid_bits_from_words};
use hilum_dicom::{PersonName, data_set_digest, read_facts};
use hilum_imaging::{Affine, Volume};
use ndarray::Array3;
use time::macros::datetime;

use crate::oracle::{dciodvfy, python, segimage2itkimage, sr_validator};
use crate::write::{files, identity};

/// A series as a scanner wrote it, and as a reading refers to it.
struct Case {
    name: &'static str,
    files: Vec<Vec<u8>>,
    source: Source,
    geometry: Affine,
}

/// Slices `[z, y, x]` of 9 x 40 x 48 voxels.
fn volume(geometry: Affine) -> Volume {
    let hu = Array3::from_shape_fn((9, 40, 48), |(z, y, x)| (z * 90 + y * 7 + x) as i16 - 100);
    Volume { hu, geometry }
}

fn case(name: &'static str, geometry: Affine, position: PatientPosition) -> Case {
    let identity = hilum_dicom::write::CtSeriesIdentity {
        position,
        patient_id: "환자-1".to_owned(),
        study_description: "복부 CT".to_owned(),
        ..identity(SpecificCharacterSet::korean(), "Hong^Gildong=洪^吉洞=홍^길동")
    };
    let files = files(&volume(geometry), &identity);
    let (source, stack) = source(&files);
    Case { name, files, source, geometry: stack.affine.unwrap() }
}

/// What the engine does with a series: facts, checked stack, slices in stack order.
fn source(files: &[Vec<u8>]) -> (Source, StackCheck) {
    let facts: Vec<InstanceFacts> = files.iter().map(|file| read_facts(file).unwrap()).collect();
    let placements: Vec<SlicePlacement> = facts.iter().flat_map(SlicePlacement::of).collect();
    let stack = check_stack(&placements);
    assert!(stack.volume_allowed(), "{:?}", stack.findings);
    let slices = stack.order.iter().map(|at| SourceSlice {
        sop_class: facts[*at].sop_class.clone(),
        sop: facts[*at].sop.clone(),
        frame: None,
        position: facts[*at].image.position.unwrap(),
    });
    let image = &facts[0].image;
    let geometry = SourceGeometry {
        rows: image.rows.unwrap(),
        columns: image.columns.unwrap(),
        orientation: image.orientation.unwrap(),
        pixel_spacing: image.pixel_spacing.unwrap(),
        slice_thickness: image.slice_thickness.unwrap(),
        slice_spacing: stack.slice_spacing_mm.unwrap(),
    };
    let first = Instance::parse(&files[0]).unwrap();
    (Source::new(&first, geometry, slices.collect()).unwrap(), stack)
}

/// Axial, lying every way, reversed, and cut obliquely.
fn cases() -> Vec<Case> {
    let axial = Affine::axial([-101.5, -88.25, -640.125], [2.5, 0.7, 0.650_390_625]).unwrap();
    let downwards =
        Affine::new([-101.5, -88.25, -600.0], [[0.0, 0.0, -1.25], [0.0, 0.7, 0.0], [0.7, 0.0, 0.0]]).unwrap();
    let (sin, cos) = 0.3_f64.sin_cos();
    let oblique = Affine::new(
        [-80.0, -90.0, -500.0],
        [[0.0, -2.0 * sin, 2.0 * cos], [0.0, 0.8 * cos, 0.8 * sin], [0.9, 0.0, 0.0]],
    )
    .unwrap();
    vec![
        case("axial", axial, PatientPosition::Hfs),
        case("prone", axial, PatientPosition::Hfp),
        case("feet-first", axial, PatientPosition::Ffs),
        case("downwards", downwards, PatientPosition::Hfs),
        case("oblique", oblique, PatientPosition::Hfs),
    ]
}

/// A stone over three slices with a hole, one of a single voxel in the last row and column, and one that skips a slice.
fn segments() -> Vec<Segment> {
    let segment = |number: u32, site, voxels: Vec<[u32; 3]>| Segment {
        label: format!("Stone {number}"),
        description: format!("Marked by a network; score 0.{number}9 is no probability. 결석 {number}"),
        category: code::MORPHOLOGICALLY_ABNORMAL,
        kind: code::CALCULUS,
        site,
        tracking_id: format!("stone {number}"),
        tracking_uid: SopUid::from_u128(uid_bits_from_words(&["tracking", &number.to_string()])),
        voxels,
    };
    let mut hollow = Vec::new();
    for z in 2..5 {
        for y in 10..15 {
            for x in 20..27 {
                if (z, y, x) != (3, 12, 23) {
                    hollow.push([z, y, x]);
                }
            }
        }
    }
    let lower_pole = Site { region: code::KIDNEY, side: Some(code::LEFT), part: Some(code::INFERIOR) };
    let bladder = Site { region: code::BLADDER, side: None, part: None };
    vec![
        segment(1, Some(lower_pole), hollow),
        segment(2, Some(bladder), vec![[8, 39, 47]]),
        segment(3, None, vec![[0, 0, 0], [0, 0, 1], [4, 5, 6]]),
    ]
}

fn algorithm() -> Algorithm {
    Algorithm {
        name: "urinary-stone-2d".to_owned(),
        version: "0.1.0".to_owned(),
        parameters: "threshold 0.5; model sha256 00ff".to_owned(),
    }
}

fn instance<'a>(case: &'a Case, kind: &str, number: u32) -> ResultInstance<'a> {
    let words = |role: &str| uid_bits_from_words(&["LOCAL", case.name, kind, role]);
    ResultInstance {
        source: &case.source,
        series: SeriesUid::from_u128(words("series")),
        series_number: 9001,
        series_description: "Urinary stones (synthetic)".to_owned(),
        sop: SopUid::from_u128(words(&number.to_string())),
        instance_number: number,
        made_at: datetime!(2026-11-26 15:30:05),
        software_version: "0.1.0".to_owned(),
        contribution: "Urinary stones found by a network; for research and decision support.".to_owned(),
        algorithm: ContributingAlgorithm {
            name: "urinary-stone-2d".to_owned(),
            version: "00ff".to_owned(),
            device: SopUid::from_u128(uid_bits_from_words(&["device"])),
        },
    }
}

fn seg_of(case: &Case) -> Vec<u8> {
    let description = "For research and decision support (synthetic)";
    segmentation(&instance(case, "seg", 1), &algorithm(), &segments(), description).unwrap()
}

fn without_error(file: &Path, iod: &str) -> bool {
    let Some(said) = dciodvfy(file) else { return false };
    assert!(said.contains(iod), "{said}");
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("Error")).collect();
    assert!(errors.is_empty(), "{}: {errors:#?}\n{said}", file.display());
    true
}

/// Every voxel of each segment at its place in the patient, mm.
fn places(case: &Case) -> Vec<Vec<[f64; 3]>> {
    let place = |voxel: &[u32; 3]| case.geometry.patient_from_index(voxel.map(f64::from));
    segments().iter().map(|segment| segment.voxels.iter().map(place).collect()).collect()
}

#[test]
fn a_segmentation_is_without_error_to_dciodvfy_however_the_patient_lies() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases() {
        let path = folder.path().join(format!("{}.dcm", case.name));
        std::fs::write(&path, seg_of(&case)).unwrap();
        if !without_error(&path, "Segmentation") {
            return;
        }
    }
}

#[test]
fn pydicom_and_highdicom_find_the_same_voxels_at_the_same_millimetres() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases() {
        let own = folder.path().join(case.name);
        std::fs::create_dir_all(own.join("images")).unwrap();
        for (number, file) in case.files.iter().enumerate() {
            std::fs::write(own.join(format!("images/{number}.dcm")), file).unwrap();
        }
        std::fs::write(own.join("seg.dcm"), seg_of(&case)).unwrap();
        let expected = serde_json::json!({
            "places": places(&case),
            "voxels": segments().iter().map(|segment| segment.voxels.clone()).collect::<Vec<_>>(),
        });
        std::fs::write(own.join("expected.json"), expected.to_string()).unwrap();
    }
    let Some(said) = python(include_str!("../oracle/segmentation.py"), &[folder.path()]) else { return };
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        ["axial", "downwards", "feet-first", "oblique", "prone"].map(|name| format!("{name}: 3 segments, 108 voxels"))
    );
}

#[test]
fn dcmqi_makes_the_same_label_maps_of_a_segmentation() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases() {
        let own = folder.path().join(case.name);
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("seg.dcm"), seg_of(&case)).unwrap();
        std::fs::write(own.join("expected.json"), serde_json::json!({ "places": places(&case) }).to_string()).unwrap();
        if !segimage2itkimage(&own.join("seg.dcm"), &own) {
            return;
        }
    }
    let Some(said) = python(include_str!("../oracle/label_maps.py"), &[folder.path()]) else { return };
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        ["axial", "downwards", "feet-first", "oblique", "prone"].map(|name| format!("{name}: 3 segments, 108 voxels"))
    );
}

#[test]
fn results_say_whose_they_are_as_the_images_do_and_in_utf_8() {
    let case = case("axial", volume_geometry(), PatientPosition::Hfs);
    let image = read_facts(&case.files[0]).unwrap();
    for file in [seg_of(&case), report_of(&case, None), pdf_of(&case), capture_of(&case)] {
        let result = read_facts(&file).unwrap();
        assert_eq!(result.patient, image.patient);
        assert_eq!(result.study, image.study);
        assert_eq!(result.patient.name, PersonName::from_groups("Hong^Gildong=洪^吉洞=홍^길동"));
        let parsed = Instance::parse(&file).unwrap();
        assert_eq!(parsed.value(dicom_dictionary_std::tags::SPECIFIC_CHARACTER_SET), Some(&b"ISO_IR 192"[..]));
        assert!(result.series.description.unwrap().contains("synthetic"));
    }
}

fn volume_geometry() -> Affine {
    Affine::axial([-101.5, -88.25, -640.125], [2.5, 0.7, 0.650_390_625]).unwrap()
}

#[test]
fn a_segmentation_of_nothing_or_of_what_is_not_there_is_refused() {
    let case = case("axial", volume_geometry(), PatientPosition::Hfs);
    let try_with = |segments: &[Segment]| {
        segmentation(&instance(&case, "seg", 1), &algorithm(), segments, "").map(|_| ()).unwrap_err()
    };
    assert!(matches!(try_with(&[]), WriteError::EmptySegment));
    let mut segment = segments().remove(1);
    segment.voxels = vec![];
    assert!(matches!(try_with(&[segments().remove(0), segment.clone()]), WriteError::EmptySegment));
    for outside in [[9, 0, 0], [0, 40, 0], [0, 0, 48]] {
        segment.voxels = vec![outside];
        assert!(matches!(try_with(&[segment.clone()]), WriteError::NotInTheSource), "{outside:?}");
    }
    segment.voxels = vec![[0, 0, 0]];
    segment.label = "x".repeat(65);
    assert!(matches!(try_with(&[segment]), WriteError::TooLong { limit: 64, .. }));
}

fn report_of(case: &Case, verification: Option<Verification>) -> Vec<u8> {
    let group = |(number, segment): (u16, &Segment)| MeasurementGroup {
        tracking_id: segment.tracking_id.clone(),
        tracking_uid: segment.tracking_uid.clone(),
        finding: code::CALCULUS,
        site: segment.site,
        segment: number,
        measurements: vec![
            Measurement::new(code::LARGEST_DIAMETER, 7.25 + f64::from(number), code::MILLIMETRE),
            Measurement::new(code::VOLUME, 1.0 / 3.0, code::CUBIC_MILLIMETRE),
            Measurement::attenuation(code::MEAN, 912.5),
            Measurement::attenuation(code::MAXIMUM, 1397.0),
            Measurement::attenuation(code::STANDARD_DEVIATION, 101.25),
            Measurement::new(Code::own("score", "Detection score, not calibrated"), 0.875, code::NO_UNITS),
        ],
    };
    let report = MeasurementReport {
        device: SopUid::from_u128(uid_bits_from_words(&["device"])),
        algorithm: algorithm(),
        segmentation: Some((instance(case, "seg", 1).series, instance(case, "seg", 1).sop)),
        groups: (1..).zip(&segments()).map(group).collect(),
        present: vec![(code::CALCULUS, code::PRESENT)],
        comments: vec!["For research and decision support. Synthetic study.".to_owned(), "합성 검사".to_owned()],
        verification,
    };
    measurement_report(&instance(case, "sr", 1), &report).unwrap()
}

fn nothing_found(case: &Case) -> Vec<u8> {
    let report = MeasurementReport {
        device: SopUid::from_u128(uid_bits_from_words(&["device"])),
        algorithm: algorithm(),
        segmentation: None,
        groups: vec![],
        present: vec![(code::CALCULUS, code::ABSENT)],
        comments: vec!["No stone found in what was looked at.".to_owned()],
        verification: None,
    };
    measurement_report(&instance(case, "sr", 2), &report).unwrap()
}

fn verification() -> Verification {
    Verification {
        observer: PersonName::from_groups("Kim^Radiologist==김^판독"),
        organization: "LOCAL".to_owned(),
        at: datetime!(2026-11-26 16:00:00),
    }
}

fn pdf_of(case: &Case) -> Vec<u8> {
    let pdf = b"%PDF-1.7\nnot much of a page\n%%EOF".to_vec();
    encapsulated_pdf(&instance(case, "pdf", 1), "요로결석 판독 지원 보고서", pdf).unwrap()
}

fn capture_of(case: &Case) -> Vec<u8> {
    let rgb = (0..30_u32 * 41 * 3).map(|n| (n % 251) as u8).collect();
    let comments = "For research and decision support. Synthetic study; not a patient.";
    secondary_capture(&instance(case, "sc", 1), Picture { rows: 30, columns: 41, rgb }, &[3], comments, true).unwrap()
}

#[test]
fn a_report_a_document_and_a_capture_are_without_error_to_dciodvfy() {
    let case = case("axial", volume_geometry(), PatientPosition::Hfs);
    let folder = tempfile::tempdir().unwrap();
    let objects = [
        ("report", report_of(&case, None), "Comprehensive3DSR"),
        ("verified", report_of(&case, Some(verification())), "Comprehensive3DSR"),
        ("nothing", nothing_found(&case), "Comprehensive3DSR"),
        ("document", pdf_of(&case), "EncapsulatedPDF"),
        ("capture", capture_of(&case), "SCImage"),
    ];
    for (name, file, iod) in objects {
        let path = folder.path().join(name);
        std::fs::write(&path, file).unwrap();
        if !without_error(&path, iod) {
            return;
        }
    }
}

#[test]
fn dicom_sr_validator_finds_every_item_of_a_report_where_its_template_has_it() {
    let case = case("axial", volume_geometry(), PatientPosition::Hfs);
    let folder = tempfile::tempdir().unwrap();
    for (name, file) in [("found", report_of(&case, None)), ("nothing", nothing_found(&case))] {
        let path = folder.path().join(name);
        std::fs::write(&path, file).unwrap();
        let Some(said) = sr_validator(&path) else { return };
        assert!(said.contains("Found Root Template TID_1500 (MeasurementReport)"), "{said}");
        assert!(said.contains("IOD validation complete"), "{said}");
        let faults: Vec<&str> = said.lines().filter(|l| l.starts_with("Error") || l.starts_with("Warning")).collect();
        assert!(faults.is_empty(), "{name}: {faults:#?}");
    }
}

#[test]
fn dcmqi_and_highdicom_read_the_numbers_of_a_report_that_was_written() {
    let case = case("axial", volume_geometry(), PatientPosition::Hfs);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.dcm");
    std::fs::write(&path, report_of(&case, Some(verification()))).unwrap();
    let Some(read) = crate::oracle::tid1500reader(&path) else { return };
    let groups = read["Measurements"].as_array().unwrap();
    assert_eq!(groups.len(), 3);
    for (number, group) in (1..).zip(groups) {
        assert_eq!(group["TrackingIdentifier"], format!("stone {number}"));
        assert_eq!(group["ReferencedSegment"], number);
        assert_eq!(group["segmentationSOPInstanceUID"], instance(&case, "seg", 1).sop.as_str());
        let values: Vec<(&str, f64, &str)> = group["measurementItems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| {
                let value = item["value"].as_str().unwrap().parse().unwrap();
                (item["quantity"]["CodeValue"].as_str().unwrap(), value, item["units"]["CodeValue"].as_str().unwrap())
            })
            .collect();
        assert_eq!(values[0], ("L0JK", 7.25 + f64::from(number), "mm"));
        assert_eq!(values[1], ("118565006", 0.333_333_333_333_33, "mm3"));
        assert_eq!(values[3], ("112031", 1397.0, "[hnsf'U]"));
    }
    assert_eq!(groups[0]["FindingSite"]["CodeValue"], "64033007");
    assert_eq!(groups[0]["Laterality"]["CodeValue"], "7771000");
    let Some(said) = python(include_str!("../oracle/report.py"), &[&path]) else { return };
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "stone 1|Kidney|Left|1|8.25 mm|0.33333333333333 mm3|912.5 [hnsf'U]|1397 [hnsf'U]|101.25 [hnsf'U]|0.875 1",
            "stone 2|Bladder||2|9.25 mm|0.33333333333333 mm3|912.5 [hnsf'U]|1397 [hnsf'U]|101.25 [hnsf'U]|0.875 1",
            "stone 3|||3|10.25 mm|0.33333333333333 mm3|912.5 [hnsf'U]|1397 [hnsf'U]|101.25 [hnsf'U]|0.875 1",
            "VERIFIED Kim^Radiologist==김^판독 9 images",
        ]
    );
}

#[test]
fn pydicom_reads_the_same_page_and_the_same_picture() {
    let case = case("axial", volume_geometry(), PatientPosition::Hfs);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pdf.dcm"), pdf_of(&case)).unwrap();
    std::fs::write(folder.path().join("sc.dcm"), capture_of(&case)).unwrap();
    let script = "import sys, pydicom, numpy\n\
        sys.stdout.reconfigure(encoding='utf-8')\n\
        pdf = pydicom.dcmread(sys.argv[1] + '/pdf.dcm')\n\
        print(pdf.DocumentTitle, pdf.EncapsulatedDocument[:pdf.EncapsulatedDocumentLength], pdf.BurnedInAnnotation, sep='|')\n\
        sc = pydicom.dcmread(sys.argv[1] + '/sc.dcm')\n\
        print(sc.pixel_array.shape, (sc.pixel_array.ravel() == numpy.arange(30 * 41 * 3) % 251).all(), sc.BurnedInAnnotation,\n\
              sc.SourceImageSequence[0].ReferencedSOPInstanceUID, sep='|')";
    let Some(said) = python(script, &[folder.path()]) else { return };
    let shown = read_facts(&case.files[5]).unwrap().sop;
    let expected = [
        r"요로결석 판독 지원 보고서|b'%PDF-1.7\nnot much of a page\n%%EOF'|YES".to_owned(),
        // Head first the first file is the uppermost slice, index 8 of the stack.
        format!("(30, 41, 3)|True|NO|{shown}"),
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn the_same_report_makes_the_same_bytes() {
    let (one, again) = (
        case("axial", volume_geometry(), PatientPosition::Hfs),
        case("axial", volume_geometry(), PatientPosition::Hfs),
    );
    assert_eq!(seg_of(&one), seg_of(&again));
    assert_eq!(report_of(&one, None), report_of(&again, None));
    assert_eq!(data_set_digest(&pdf_of(&one)).unwrap(), data_set_digest(&pdf_of(&again)).unwrap());
    assert_eq!(capture_of(&one), capture_of(&again));
}

#[test]
fn what_images_do_not_state_is_there_without_a_value_and_what_they_state_wrongly_is_not_passed_on() {
    let mut bare = hilum_dicom::DataSet::new();
    let tags = [(0x0020, 0x000D, "1.2.3"), (0x0020, 0x000E, "1.2.3.4"), (0x0010, 0x0010, "홍^길동")];
    for (group, element, text) in tags {
        bare.set(dicom_core::Tag(group, element), text);
    }
    bare.set(dicom_core::Tag(0x0008, 0x0020), "soon").set(dicom_core::Tag(0x0010, 0x0040), "f");
    let korean = SpecificCharacterSet::korean();
    let bytes = bare.write(true, &korean, hilum_dicom::data_set::Stated::Always).unwrap();
    let syntax = hilum_dicom::TransferSyntaxUid::explicit_little_endian();
    let first = Instance::parse_data_set(&bytes, &syntax).unwrap();
    let whole = case("axial", volume_geometry(), PatientPosition::Hfs);
    let geometry = SourceGeometry {
        rows: 40,
        columns: 48,
        orientation: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        pixel_spacing: [0.7; 2],
        slice_thickness: 2.5,
        slice_spacing: 2.5,
    };
    let slice = |file: &Vec<u8>| {
        let facts = read_facts(file).unwrap();
        SourceSlice { sop_class: facts.sop_class, sop: facts.sop, frame: None, position: facts.image.position.unwrap() }
    };
    let slices: Vec<SourceSlice> = whole.files.iter().map(slice).collect();
    let source = Source::new(&first, geometry, slices).unwrap();
    let case = Case { source, ..whole };
    let folder = tempfile::tempdir().unwrap();
    for (name, file, iod) in [
        ("seg", seg_of(&case), "Segmentation"),
        ("sr", report_of(&case, None), "Comprehensive3DSR"),
        ("pdf", pdf_of(&case), "EncapsulatedPDF"),
        ("sc", capture_of(&case), "SCImage"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, &file).unwrap();
        if !without_error(&path, iod) {
            return;
        }
        let facts = read_facts(&file).unwrap();
        assert_eq!((facts.patient.name, facts.study.date), (PersonName::from_groups("홍^길동"), None));
    }
}
