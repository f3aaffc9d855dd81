//! A very small CT series.

use hilum_dicom::{
    PersonName, SeriesUid, StudyUid,
    charset::SpecificCharacterSet,
    write::{CtSeriesIdentity, PatientPosition, PatientSex, SeriesKind, ct_series, uid_bits_from_seed},
};
use hilum_imaging::{Affine, Volume};
use ndarray::Array3;
use time::{Date, Month, Time};

pub struct Series {
    pub study: StudyUid,
    /// SOP Instance UID and PS3.10 file.
    pub instances: Vec<(String, Vec<u8>)>,
}

/// `hu` tells series of one seed apart: the same UIDs, other pixels.
pub fn series(seed: u64, slices: usize, hu: i16) -> Series {
    let study = StudyUid::from_u128(uid_bits_from_seed(seed, "study"));
    let identity = CtSeriesIdentity {
        character_set: SpecificCharacterSet::korean(),
        patient_name: PersonName {
            alphabetic: "Hong^Gildong".into(),
            ideographic: Some("洪^吉洞".into()),
            phonetic: Some("홍^길동".into()),
        },
        patient_id: "SYN-000001".into(),
        birth_date: None,
        sex: PatientSex::Other,
        age_years: None,
        study: study.clone(),
        series: SeriesUid::from_u128(uid_bits_from_seed(seed, "series")),
        study_date: Date::from_calendar_date(2026, Month::January, 5).unwrap(),
        study_time: Time::MIDNIGHT,
        study_description: "CT".into(),
        series_description: "Axial".into(),
        accession_number: "1".into(),
        study_id: "1".into(),
        series_number: 1,
        protocol: "CT".into(),
        body_part: "ABDOMEN".into(),
        kernel: "SOFT".into(),
        kvp: 120.0,
        contrast_agent: None,
        position: PatientPosition::Hfs,
        kind: SeriesKind::OriginalAxial,
    };
    let geometry = Affine::axial([0.0, 0.0, 0.0], [3.0, 0.7, 0.7]).unwrap();
    let volume = Volume { hu: Array3::from_elem((slices, 16, 16), hu), geometry };
    let instances = ct_series(&volume, &identity)
        .unwrap()
        .map(|instance| instance.map(|(sop, bytes)| (sop.to_string(), bytes)).unwrap())
        .collect();
    Series { study, instances }
}

/// A multipart/related body with a part of each file.
pub fn multipart(boundary: &str, files: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for file in files {
        body.extend(format!("--{boundary}\r\nContent-Type: application/dicom\r\n\r\n").as_bytes());
        body.extend(*file);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").as_bytes());
    body
}
