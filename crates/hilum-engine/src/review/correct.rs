//! A finding's mask as a physician corrected it, measured again from the pixels by the code that measures readings.

use super::{NO_REPORT, ReviewView, reviewing};
use crate::access::{Permission, Scope};
use crate::archive::aside;
use crate::catalog::CorrectedMask;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reading::files::JSON_FILE;
use crate::reading::{Stack, StackError};
use crate::report::UrinaryStoneReport;
use crate::results::{grid_of, mask, source};
use crate::storage::Storage;
use hilum_clinical::urinary_stone::{Candidate, CandidateVoxel, Stone, TractReference, measure};
use hilum_dicom::StudyUid;
use hilum_imaging::Affine;
use serde::Deserialize;
use std::collections::BTreeSet;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};

/// Runs of a mask. A staghorn of 100 ml in slices of 1 mm has some 10,000.
const MOST_RUNS: usize = 40_000;
/// Voxels of a mask.
const MOST_VOXELS: u64 = 2_000_000;

/// One run or more of four numbers each.
fn runs() -> ArrayBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(65_535));
    let run = ArrayBuilder::new().items(number).min_items(Some(4)).max_items(Some(4));
    ArrayBuilder::new().items(run).min_items(Some(1)).max_items(Some(MOST_RUNS))
}

/// `PUT .../review/findings/{number}/mask`
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMask {
    /// The revision of the review that was seen.
    #[serde(deserialize_with = "crate::views::whole")]
    pub revision: u32,
    /// Every voxel of the stone, as runs along rows: `[z, y, first x, length]` in the stack that was read.
    #[schema(schema_with = runs)]
    pub runs: Vec<[u32; 4]>,
}

impl Engine {
    /// Puts a physician's mask in the place of the network's. The stone is measured again, and stated so; a later verdict other than an edit drops it.
    pub async fn correct_mask(
        &self,
        scope: &Scope,
        study: &StudyUid,
        version: u32,
        number: u32,
        new: &NewMask,
    ) -> Result<ReviewView, EngineError> {
        let corrected = match self.measured_again(scope, study, version, number, new).await {
            Ok((runs, stone)) => {
                self.catalog().correct_mask(scope, study, version, new.revision, number, (&runs, &stone)).await
            }
            Err(error) => Err(error),
        };
        self.judged(reviewing(scope, study), Permission::Review, corrected).await?;
        self.catalog().review(scope, study, version).await?.ok_or(NO_REPORT)
    }

    /// The stone that these voxels are, and their runs, none of them twice. Where it lies and how sure the network was stays as it was
    /// found.
    async fn measured_again(
        &self,
        scope: &Scope,
        study: &StudyUid,
        version: u32,
        number: u32,
        NewMask { revision, runs }: &NewMask,
    ) -> Result<CorrectedMask, EngineError> {
        // What would be refused at the end is not measured before.
        self.catalog().check_review(scope, study, version, *revision).await?;
        let due = self.catalog().results_of_version(scope, study, version).await?.ok_or(NO_REPORT)?;
        let (storage, folder) = (self.storage().clone(), due.folder.clone());
        let json = aside("reading a report", move || Ok(storage.read_file_of(&folder, JSON_FILE)?)).await?;
        let report: UrinaryStoneReport = json
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| EngineError::Internal("a report that is kept cannot be read".to_owned()))?;
        let stone = report.stones.into_iter().find(|stone| stone.number == number);
        let before = stone.ok_or(EngineError::NotFound { what: "finding" })?;
        let voxels = voxels_of(runs)?;
        let runs = mask::runs_of(voxels.iter().copied());
        let system = Scope::system(due.institution.clone());
        let placed = source::placed(self, &system, &due, report.provenance.input_hash.as_deref()).await?;
        let Some((stack, geometry, slices)) = placed else {
            return Err(EngineError::Conflict("the series has changed since this version was read"));
        };
        let (origin, [across, down, through]) = grid_of(&geometry, &slices);
        let affine = Affine::new(origin, [through, down, across])
            .map_err(|_| EngineError::Internal("a stack that was read has no volume".to_owned()))?;
        let storage = self.storage().clone();
        let again = aside("measuring a corrected mask", move || {
            let candidate = Candidate { voxels: with_hu(&stack, &storage, voxels, before.score)? };
            Ok(measure(vec![candidate], Some(&affine), &TractReference::default())
                .pop()
                .map(|found| (before, found.stone)))
        })
        .await?;
        let (before, again) = again.ok_or(NO_VOXELS)?;
        let stone = Stone {
            number: before.number,
            side: before.side,
            part: before.part,
            site: before.site,
            mimic: before.mimic,
            skin_to_stone_mm: before.skin_to_stone_mm,
            position: before.position,
            score: before.score,
            ..again
        };
        Ok((runs, stone))
    }
}

const NO_VOXELS: EngineError =
    EngineError::BadRequest { field: "runs", expected: "at least a voxel; a finding that is no stone is rejected" };

/// The voxels of runs, in raster order, none of them twice.
fn voxels_of(runs: &[[u32; 4]]) -> Result<BTreeSet<[u32; 3]>, EngineError> {
    let count: u64 = runs.iter().map(|[.., length]| u64::from(*length)).sum();
    if runs.len() > MOST_RUNS || count > MOST_VOXELS {
        let expected = "at most 40,000 runs and 2,000,000 voxels";
        return Err(EngineError::BadRequest { field: "runs", expected });
    }
    if count == 0 {
        return Err(NO_VOXELS);
    }
    let run = |&[z, y, first, length]: &[u32; 4]| (0..length).map(move |x| [z, y, first.saturating_add(x)]);
    Ok(runs.iter().flat_map(run).collect())
}

/// The voxels with what the slices show there; refused where a voxel lies outside of them.
fn with_hu(
    stack: &Stack,
    storage: &Storage,
    voxels: BTreeSet<[u32; 3]>,
    score: f32,
) -> Result<Vec<CandidateVoxel>, EngineError> {
    let outside = || EngineError::BadRequest { field: "runs", expected: "voxels of the series" };
    let mut shown = Vec::with_capacity(voxels.len());
    let mut slice = None;
    for index @ [z, y, x] in voxels {
        if slice.as_ref().is_none_or(|(at, _)| *at != z) {
            if z as usize >= stack.slices.len() {
                return Err(outside());
            }
            let hu = stack.hu(storage, z as usize).map_err(|error| match error {
                StackError::Storage(error) => EngineError::Storage(error),
                StackError::Pixels(_) => EngineError::Internal("a slice that was read cannot be decoded".to_owned()),
            })?;
            slice = Some((z, hu));
        }
        let hu = slice.as_ref().and_then(|(_, hu)| hu.get([y as usize, x as usize])).ok_or_else(outside)?;
        shown.push(CandidateVoxel { index, score, hu: *hu });
    }
    Ok(shown)
}
