//! A synthetic study as files: DICOM, and its truth as NIfTI mask and JSON.

use std::path::{Path, PathBuf};

use anyhow::Context;
use hilum_dicom::{
    PersonName, SeriesUid, StudyUid,
    charset::SpecificCharacterSet,
    write::{CtSeriesIdentity, PatientPosition, PatientSex, SeriesKind, ct_series, uid_bits_from_seed},
};
use hilum_engine::nifti;
use hilum_imaging::phantom::{self, Contrast, Kernel, PhantomRecipe, PhantomStudy, Region, Sex};
use serde::Serialize;
use time::{Date, Duration, Month, Time};

/// What was written.
#[derive(Debug, Serialize)]
pub struct PhantomFiles {
    /// The study's folder: `dicom/`, `truth.nii.gz`, `truth.json`.
    pub folder: PathBuf,
    pub study_uid: StudyUid,
    pub seed: u64,
    pub instances: usize,
    pub stones: usize,
}

/// Which series are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesSet {
    /// The axial series alone.
    Axial,
    /// A localizer and the axial series.
    WithLocalizer,
    /// Everything that scanners send: also coronal reformats, one image a row of the axial ones.
    All,
}

/// The Study Instance UID of a recipe: another recipe is another study, the same recipe the same one.
pub fn study_uid(recipe: &PhantomRecipe) -> anyhow::Result<StudyUid> {
    Ok(StudyUid::from_u128(uid_bits_from_seed(recipe.seed, &format!("study {}", serde_json::to_string(recipe)?))))
}

/// Makes the study of a recipe and writes it below `out`, into a folder named after its seed.
pub fn write(out: &Path, recipe: &PhantomRecipe, series: SeriesSet) -> anyhow::Result<PhantomFiles> {
    let folder = out.join(format!("study-{:06}", recipe.seed));
    let phantom = phantom::generate(recipe)?;
    let study_uid = study_uid(recipe)?;
    let kinds: &[SeriesKind] = match series {
        SeriesSet::Axial => &[SeriesKind::OriginalAxial],
        SeriesSet::WithLocalizer => &[SeriesKind::Localizer, SeriesKind::OriginalAxial],
        SeriesSet::All => &[SeriesKind::Localizer, SeriesKind::OriginalAxial, SeriesKind::CoronalReformat],
    };
    let mut instances = 0;
    for (number, kind) in (1..).zip(kinds) {
        let identity = identity(&phantom, &study_uid, number, *kind)?;
        instances += write_series(&folder.join("dicom").join(format!("series-{number}")), &phantom, &identity)?;
    }
    nifti::write_mask(&folder.join("truth.nii.gz"), &phantom.truth)?;
    let truth = folder.join("truth.json");
    std::fs::write(&truth, serde_json::to_vec_pretty(&phantom)?).with_context(|| truth.display().to_string())?;
    Ok(PhantomFiles { folder, study_uid, seed: recipe.seed, instances, stones: phantom.stones.len() })
}

fn write_series(folder: &Path, phantom: &PhantomStudy, identity: &CtSeriesIdentity) -> anyhow::Result<usize> {
    std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    let mut written = 0;
    for instance in ct_series(&phantom.volume, identity)? {
        let (_, bytes) = instance?;
        written += 1;
        let file = folder.join(format!("{written:06}.dcm"));
        std::fs::write(&file, bytes).with_context(|| file.display().to_string())?;
    }
    Ok(written)
}

fn identity(
    phantom: &PhantomStudy,
    study: &StudyUid,
    series_number: u32,
    kind: SeriesKind,
) -> anyhow::Result<CtSeriesIdentity> {
    let PhantomStudy { recipe, patient, .. } = phantom;
    let seed = recipe.seed;
    let first_day = Date::from_calendar_date(2026, Month::January, 5)?;
    let study_date = first_day + Duration::days((seed % 300) as i64);
    let before_birthday = i32::from(study_date.month() < Month::July);
    let birth_date =
        Date::from_calendar_date(study_date.year() - i32::from(patient.age) - before_birthday, Month::July, 1)?;
    let region = RegionWords::of(recipe.region);
    let korean = patient.name_ideographic.is_some() || patient.name_phonetic.is_some();
    Ok(CtSeriesIdentity {
        character_set: if korean { SpecificCharacterSet::korean() } else { SpecificCharacterSet::utf8() },
        patient_name: PersonName {
            alphabetic: patient.name_alphabetic.clone(),
            ideographic: patient.name_ideographic.clone(),
            phonetic: patient.name_phonetic.clone(),
        },
        patient_id: patient.id.clone(),
        birth_date: Some(birth_date),
        sex: match patient.sex {
            Sex::Female => PatientSex::Female,
            Sex::Male => PatientSex::Male,
        },
        age_years: Some(patient.age.into()),
        study: study.clone(),
        series: SeriesUid::from_u128(uid_bits_from_seed(seed, &format!("series {series_number} of {study}"))),
        study_date,
        study_time: Time::from_hms((8 + seed % 10) as u8, (seed * 7 % 60) as u8, 0)?,
        study_description: if korean {
            format!("{} (합성)", region.korean)
        } else {
            format!("{} (synthetic)", region.english)
        },
        series_description: match kind {
            SeriesKind::Localizer => "Localizer".to_owned(),
            SeriesKind::OriginalAxial => format!("Axial {} mm", recipe.slice_thickness_mm),
            SeriesKind::CoronalReformat => "Coronal".to_owned(),
        },
        accession_number: format!("SYN{seed}"),
        study_id: seed.to_string(),
        series_number,
        protocol: region.english.to_owned(),
        body_part: region.body_part.to_owned(),
        kernel: match recipe.kernel {
            Kernel::Soft => "SOFT".to_owned(),
            Kernel::Bone => "BONE".to_owned(),
        },
        kvp: 120.0,
        contrast_agent: (recipe.contrast != Contrast::None).then(|| "IOHEXOL".to_owned()),
        position: match recipe.position {
            phantom::PatientPosition::HeadFirstSupine => PatientPosition::Hfs,
            phantom::PatientPosition::HeadFirstProne => PatientPosition::Hfp,
            phantom::PatientPosition::FeetFirstSupine => PatientPosition::Ffs,
            phantom::PatientPosition::FeetFirstProne => PatientPosition::Ffp,
        },
        kind,
    })
}

/// How a region is called.
struct RegionWords {
    /// Body Part Examined (PS3.16 Annex L).
    body_part: &'static str,
    english: &'static str,
    korean: &'static str,
}

impl RegionWords {
    fn of(region: Region) -> Self {
        let (body_part, english, korean) = match region {
            Region::AbdomenPelvis => ("ABDOMENPELVIS", "CT Abdomen and Pelvis", "복부골반 CT"),
            Region::Abdomen => ("ABDOMEN", "CT Abdomen", "복부 CT"),
            Region::Pelvis => ("PELVIS", "CT Pelvis", "골반 CT"),
            Region::Chest => ("CHEST", "CT Chest", "흉부 CT"),
            Region::Neck => ("NECK", "CT Neck", "경부 CT"),
            Region::Head => ("HEAD", "CT Head", "두부 CT"),
            Region::Torso => ("CHESTABDPELVIS", "CT Chest, Abdomen and Pelvis", "흉부복부골반 CT"),
        };
        Self { body_part, english, korean }
    }
}
