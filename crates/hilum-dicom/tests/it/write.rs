//! The CT writer against dciodvfy and pydicom, and back through our own reader.

use hilum_dicom::PersonName;
use hilum_dicom::charset::SpecificCharacterSet;
use hilum_dicom::geometry::AnatomicalPlane;
use hilum_dicom::pixels::{VolumeError, read_hu, read_volume};
use hilum_dicom::uid::{SeriesUid, StudyUid};
use hilum_dicom::write::{
    CtSeriesIdentity, PatientPosition, PatientSex, SeriesKind, WriteError, ct_series, uid_bits_from_seed,
};
use hilum_imaging::{Affine, Volume};
use ndarray::Array3;
use time::macros::{date, time};

use crate::oracle::{dciodvfy, python};

/// A small volume in which every voxel differs from its neighbours.
pub fn volume() -> Volume {
    let hu = Array3::from_shape_fn((5, 7, 6), |(z, y, x)| (z * 500 + y * 41 + x * 3) as i16 - 1000);
    let geometry = Affine::axial([-101.5, -88.25, -640.125], [2.5, 0.7, 0.650390625]).unwrap();
    Volume { hu, geometry }
}

pub fn identity(character_set: SpecificCharacterSet, name: &str) -> CtSeriesIdentity {
    CtSeriesIdentity {
        character_set,
        patient_name: PersonName::from_groups(name),
        patient_id: "SYN-0001".to_owned(),
        birth_date: Some(date!(1961 - 03 - 09)),
        sex: PatientSex::Female,
        age_years: Some(65),
        study: StudyUid::from_u128(uid_bits_from_seed(7, "study")),
        series: SeriesUid::from_u128(uid_bits_from_seed(7, "series 2")),
        study_date: date!(2026 - 11 - 03),
        study_time: time!(09:41:07),
        study_description: "CT KUB".to_owned(),
        series_description: "1.0 soft, synthetic".to_owned(),
        accession_number: "A-1".to_owned(),
        study_id: "1".to_owned(),
        series_number: 2,
        protocol: "KUB low dose".to_owned(),
        body_part: "ABDOMEN".to_owned(),
        kernel: "B30f".to_owned(),
        kvp: 120.0,
        contrast_agent: None,
        position: PatientPosition::Hfs,
        kind: SeriesKind::OriginalAxial,
    }
}

fn latin() -> SpecificCharacterSet {
    SpecificCharacterSet::parse(b"ISO_IR 100").0
}

pub fn files(volume: &Volume, identity: &CtSeriesIdentity) -> Vec<Vec<u8>> {
    ct_series(volume, identity).unwrap().map(|instance| instance.unwrap().1).collect()
}

const POSITIONS: [PatientPosition; 4] =
    [PatientPosition::Hfs, PatientPosition::Hfp, PatientPosition::Ffs, PatientPosition::Ffp];

#[test]
fn every_kind_and_character_set_is_without_error_to_dciodvfy() {
    let volume = volume();
    let folder = tempfile::tempdir().unwrap();
    let mut identities = Vec::new();
    for kind in [SeriesKind::OriginalAxial, SeriesKind::CoronalReformat, SeriesKind::Localizer] {
        for (set, name) in [
            (SpecificCharacterSet::korean(), "Hong^Gildong=洪^吉洞=홍^길동"),
            (SpecificCharacterSet::utf8(), "Hong^Gildong=洪^吉洞=홍^길동"),
            (latin(), "Müller^Jürgen"),
        ] {
            identities.push(CtSeriesIdentity { kind, ..identity(set, name) });
        }
    }
    let korean = identity(SpecificCharacterSet::korean(), "홍^길동");
    let description = "복부 조영 전 (합성)".to_owned();
    let agent = Some("Iohexol 350".to_owned());
    identities.push(CtSeriesIdentity { series_description: description, contrast_agent: agent, ..korean });
    for (i, identity) in identities.iter().enumerate() {
        let path = folder.path().join(format!("{i}.dcm"));
        std::fs::write(&path, &files(&volume, identity)[0]).unwrap();
        let Some(said) = dciodvfy(&path) else { return };
        assert!(said.contains("CTImage"), "{said}");
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("Error")).collect();
        assert!(errors.is_empty(), "{:?} {:?}: {errors:#?}", identity.kind, identity.character_set.to_value());
    }
}

#[test]
fn pydicom_reads_the_same_names_texts_and_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let volume = volume();
    let cases = [
        (SpecificCharacterSet::korean(), "Hong^Gildong=洪^吉洞=홍^길동", "복부 CT"),
        (SpecificCharacterSet::utf8(), "=山田^太郎=やまだ^たろう", "腹部 CT 복부"),
        (latin(), "Müller^Jürgen", "Überblick"),
    ];
    for (i, (set, name, description)) in cases.iter().enumerate() {
        let identity = identity(set.clone(), name);
        let identity = CtSeriesIdentity { study_description: (*description).to_owned(), ..identity };
        std::fs::write(folder.path().join(format!("{i}.dcm")), &files(&volume, &identity)[0]).unwrap();
    }
    let script = "import sys, os, pydicom\n\
        sys.stdout.reconfigure(encoding='utf-8')\n\
        for name in sorted(os.listdir(sys.argv[1])):\n\
        \x20   ds = pydicom.dcmread(os.path.join(sys.argv[1], name))\n\
        \x20   a = ds.pixel_array\n\
        \x20   print(ds.PatientName, ds.StudyDescription, ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID,\n\
        \x20         a.dtype, a.shape, a[0, 0], a[-1, -1], [float(v) for v in ds.ImagePositionPatient], ds.SliceThickness, sep='|')";
    let Some(said) = python(script, &[folder.path()]) else { return };
    let expected: Vec<String> = cases
        .iter()
        .map(|(_, name, description)| {
            // Head first: the uppermost slice is the first.
            format!("{name}|{description}|True|int16|(7, 6)|1000|1261|[-101.5, -88.25, -630.125]|2.5")
        })
        .collect();
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn however_the_patient_lies_every_voxel_keeps_its_place_in_the_patient() {
    let volume = volume();
    for position in POSITIONS {
        let identity = CtSeriesIdentity { position, ..identity(latin(), "A^B") };
        let mut files = files(&volume, &identity);
        files.rotate_left(2);
        let (read, check) = read_volume(&files).unwrap();
        assert_eq!(check.plane, Some(AnatomicalPlane::Axial));
        assert_eq!(read.hu.dim(), volume.hu.dim());
        for (index, hu) in volume.hu.indexed_iter() {
            let patient = volume.geometry.patient_from_index([index.0 as f64, index.1 as f64, index.2 as f64]);
            let [z, y, x] = read.geometry.index_from_patient(patient).map(f64::round).map(|i| i as usize);
            assert_eq!(read.hu[[z, y, x]], *hu, "{position:?} {index:?}");
        }
    }
}

#[test]
fn a_prone_feet_first_scan_is_written_as_a_scanner_would_lay_it_out() {
    let volume = volume();
    let first_voxels: Vec<i16> = POSITIONS
        .iter()
        .map(|&position| {
            let identity = CtSeriesIdentity { position, ..identity(latin(), "A^B") };
            read_hu(&files(&volume, &identity)[0], 0).unwrap()[[0, 0]]
        })
        .collect();
    let hu = &volume.hu;
    assert_eq!(first_voxels, [hu[[4, 0, 0]], hu[[4, 6, 5]], hu[[0, 0, 5]], hu[[0, 6, 0]]]);
}

#[test]
fn a_coronal_reformat_is_a_volume_of_its_own_plane_and_a_localizer_is_none() {
    let volume = volume();
    let coronal = CtSeriesIdentity { kind: SeriesKind::CoronalReformat, ..identity(latin(), "A^B") };
    let (read, check) = read_volume(&files(&volume, &coronal)).unwrap();
    assert_eq!((check.plane, read.hu.dim()), (Some(AnatomicalPlane::Coronal), (7, 5, 6)));
    let patient = volume.geometry.patient_from_index([3.0, 2.0, 1.0]);
    let [y, z, x] = read.geometry.index_from_patient(patient).map(f64::round).map(|i| i as usize);
    assert_eq!(read.hu[[y, z, x]], volume.hu[[3, 2, 1]]);

    let localizer = CtSeriesIdentity { kind: SeriesKind::Localizer, ..identity(latin(), "A^B") };
    let files = files(&volume, &localizer);
    assert_eq!(files.len(), 1);
    // The mean over y of z * 500 + y * 41 + x * 3 - 1000 for the uppermost z.
    assert_eq!(read_hu(&files[0], 0).unwrap()[[0, 0]], 2000 + 3 * 41 - 1000);
    assert!(matches!(read_volume(&files), Err(VolumeError::Refused(_))));
}

#[test]
fn the_same_identity_gives_the_same_bytes_and_another_seed_other_uids() {
    let volume = volume();
    let one = identity(SpecificCharacterSet::korean(), "홍^길동");
    assert_eq!(files(&volume, &one), files(&volume, &one));
    assert_ne!(uid_bits_from_seed(7, "study"), uid_bits_from_seed(8, "study"));
    assert_ne!(uid_bits_from_seed(7, "study"), uid_bits_from_seed(7, "series 1"));
    let sops: std::collections::BTreeSet<_> =
        ct_series(&volume, &one).unwrap().map(|instance| instance.unwrap().0).collect();
    assert_eq!(sops.len(), 5);
}

#[test]
fn what_the_standard_or_the_character_set_forbids_is_not_written() {
    let volume = volume();
    let refused = |identity: &CtSeriesIdentity| ct_series(&volume, identity).err().unwrap();
    let korean = identity(SpecificCharacterSet::korean(), "홍^길동");
    assert!(matches!(refused(&identity(latin(), "홍^길동")), WriteError::Text(_)));
    let small = CtSeriesIdentity { body_part: "abdomen".to_owned(), ..korean.clone() };
    assert!(matches!(refused(&small), WriteError::Forbidden { position: 0, .. }));
    let long = CtSeriesIdentity { accession_number: "12345678901234567".to_owned(), ..korean.clone() };
    assert!(matches!(refused(&long), WriteError::TooLong { limit: 16, .. }));
    let uid = CtSeriesIdentity { study: "1.02.3".parse().unwrap(), ..korean.clone() };
    assert!(matches!(refused(&uid), WriteError::Uid(_)));
    let empty = Volume { hu: Array3::zeros((0, 4, 4)), ..volume.clone() };
    assert!(matches!(ct_series(&empty, &korean).err(), Some(WriteError::EmptyVolume)));
}

#[test]
fn every_description_says_that_it_is_synthetic() {
    let identity = CtSeriesIdentity { series_description: "1.0 soft".to_owned(), ..identity(latin(), "A^B") };
    let facts = hilum_dicom::read_facts(&files(&volume(), &identity)[0]).unwrap();
    assert_eq!(facts.series.description.as_deref(), Some("1.0 soft (synthetic)"));
    assert!(facts.image.comments.unwrap().contains("Synthetic"));
}
