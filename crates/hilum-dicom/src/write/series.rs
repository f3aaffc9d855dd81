//! The instances of one series, one by one.

use hilum_imaging::Volume;

use super::CtSeriesIdentity;
use crate::uid::SopUid;

/// Why a series cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The volume has no voxel.
    #[error("the volume is empty; expected at least one voxel along z, y and x")]
    EmptyVolume,
}

/// The instances of a series: SOP Instance UID and the whole Part 10 file.
pub struct CtSeries<'a> {
    _volume: &'a Volume,
}

impl Iterator for CtSeries<'_> {
    type Item = Result<(SopUid, Vec<u8>), WriteError>;

    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}

/// The instances of a series, made one by one (memory of one instance).
pub fn ct_series<'a>(_volume: &'a Volume, _identity: &'a CtSeriesIdentity) -> Result<CtSeries<'a>, WriteError> {
    todo!()
}

/// A UID under 2.25 (PS3.5 B.2), the same for the same seed and role.
pub fn uid_from_seed(_seed: u64, _role: &str) -> String {
    todo!()
}
