//! UIDs of results: the same report makes the same ones, another version others.

use super::ResultKind;
use crate::catalog::DueResults;
use hilum_clinical::urinary_stone::{IndexBox, Stone};
use hilum_dicom::write::uid_bits_from_words;
use hilum_dicom::{SeriesUid, SopUid};

/// Series Instance UID of a kind of object.
pub(crate) fn series(due: &DueResults, kind: ResultKind) -> SeriesUid {
    SeriesUid::from_u128(bits(due, kind, "series"))
}

/// SOP Instance UID of the object `number`, from 1.
pub(super) fn sop(due: &DueResults, kind: ResultKind, number: u32) -> SopUid {
    SopUid::from_u128(bits(due, kind, &format!("instance {number}")))
}

fn bits(due: &DueResults, kind: ResultKind, role: &str) -> u128 {
    let version = format!("version {}", due.version);
    let (institution, study) = (due.institution.as_str(), due.study.as_str());
    uid_bits_from_words(&["result", institution, study, &version, kind.as_str(), role])
}

/// Tracking UID of a stone: the same as long as the same series marks the same box.
pub(super) fn tracking(due: &DueResults, series: &str, stone: &Stone) -> SopUid {
    let IndexBox { min, max } = stone.bounding_box;
    let place = format!("{min:?} {max:?}");
    let (institution, study) = (due.institution.as_str(), due.study.as_str());
    SopUid::from_u128(uid_bits_from_words(&["stone", institution, study, series, &place]))
}

/// Device Observer UID: what this software and this model say in this institution.
pub(super) fn device(due: &DueResults, software: &str, model: &str) -> SopUid {
    SopUid::from_u128(uid_bits_from_words(&["device", due.institution.as_str(), software, model]))
}
