//! The stones' voxels, kept beside their report: what a segmentation, and whoever corrects it, begins with.

use crate::catalog::CorrectedMask;
use crate::error::EngineError;
use hilum_clinical::urinary_stone::StoneReading;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The file's name in a report's folder.
pub(crate) const MASK_FILE: &str = "mask.json";

#[derive(Serialize, Deserialize)]
enum Schema {
    #[serde(rename = "hilum.stone-mask/1")]
    StoneMask1,
}

/// Runs of voxels along rows, by stone.
#[derive(Serialize, Deserialize)]
struct Mask {
    schema: Schema,
    stones: Vec<StoneMask>,
}

#[derive(Serialize, Deserialize)]
struct StoneMask {
    /// The stone's number in the report.
    number: u32,
    /// `[z, y, first x, length]` in the stack that was read.
    runs: Vec<[u32; 4]>,
}

/// The voxels of the stones, as a file.
pub(crate) fn write(stones: &[StoneReading]) -> Result<Vec<u8>, EngineError> {
    let stones = stones.iter().map(|reading| StoneMask {
        number: reading.stone.number,
        runs: runs_of(reading.voxels.iter().map(|voxel| voxel.index)),
    });
    let mask = Mask { schema: Schema::StoneMask1, stones: stones.collect() };
    serde_json::to_vec(&mask).map_err(|_| EngineError::Internal("the mask could not be written".to_owned()))
}

/// The runs of voxels `[z, y, x]` that are sorted, as a reading has them.
pub(crate) fn runs_of(voxels: impl IntoIterator<Item = [u32; 3]>) -> Vec<[u32; 4]> {
    let mut runs: Vec<[u32; 4]> = Vec::new();
    for [z, y, x] in voxels {
        match runs.last_mut() {
            Some([rz, ry, first, length]) if (*rz, *ry) == (z, y) && *first + *length == x => *length += 1,
            _ => runs.push([z, y, x, 1]),
        }
    }
    runs
}

/// The runs `[z, y, first x, length]` of each stone, by its number.
pub(super) fn runs(file: &[u8]) -> Result<BTreeMap<u32, Vec<[u32; 4]>>, EngineError> {
    let mask: Mask = serde_json::from_slice(file)
        .map_err(|_| EngineError::Internal("the mask beside a report cannot be read".to_owned()))?;
    Ok(mask.stones.into_iter().map(|stone| (stone.number, stone.runs)).collect())
}

/// The file with other runs for some stones.
pub(crate) fn corrected(file: &[u8], by: &BTreeMap<u32, CorrectedMask>) -> Result<Vec<u8>, EngineError> {
    let stones = runs(file)?.into_iter().map(|(number, runs)| StoneMask {
        number,
        runs: by.get(&number).map_or(runs, |(corrected, _)| corrected.clone()),
    });
    let mask = Mask { schema: Schema::StoneMask1, stones: stones.collect() };
    serde_json::to_vec(&mask).map_err(|_| EngineError::Internal("the mask could not be written".to_owned()))
}

/// The voxels `[z, y, x]` of each stone, by its number.
pub(super) fn read(file: &[u8]) -> Result<BTreeMap<u32, Vec<[u32; 3]>>, EngineError> {
    let voxels = |runs: &[[u32; 4]]| {
        let run = |&[z, y, first, length]: &[u32; 4]| (first..first + length).map(move |x| [z, y, x]);
        runs.iter().flat_map(run).collect()
    };
    Ok(runs(file)?.into_iter().map(|(number, runs)| (number, voxels(&runs))).collect())
}
