//! The stones' voxels of a version with their place in the patient, for whoever draws them over the images.

use super::{mask, source};
use crate::access::Scope;
use crate::archive::aside;
use crate::audit::Subject;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reading::files::JSON_FILE;
use crate::report::UrinaryStoneReport;
use hilum_dicom::StudyUid;
use hilum_dicom::write::result::{SourceGeometry, SourceSlice};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /api/v1/studies/{study_uid}/report/versions/{version}/mask`
///
/// The voxel `[z, y, x]` lies at `origin_mm + x * step_mm[0] + y * step_mm[1] + z * step_mm[2]`, patient coordinates
/// (PS3.3 C.7.6.2.1.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LabelMap {
    /// The version of the report.
    pub version: u32,
    /// The series that was read.
    pub series_uid: String,
    /// Voxels `[z, y, x]` of the stack.
    pub shape: [u32; 3],
    /// Centre of the voxel `[0, 0, 0]`, mm.
    pub origin_mm: [f64; 3],
    /// From a voxel to the next along x, y and z, mm.
    pub step_mm: [[f64; 3]; 3],
    /// The stones that have voxels.
    pub stones: Vec<LabelledStone>,
}

/// The voxels of a stone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LabelledStone {
    /// Its number in the report.
    pub number: u32,
    /// Runs along rows: `[z, y, first x, length]`.
    pub runs: Vec<[u32; 4]>,
    /// A physician put them in the place of the network's, and the review is not signed yet.
    pub corrected: bool,
}

impl Engine {
    /// The stones' voxels of a version of the study's report.
    pub async fn label_map(&self, scope: &Scope, study: &StudyUid, version: u32) -> Result<LabelMap, EngineError> {
        let none = || EngineError::NotFound { what: "mask" };
        let due = self.catalog().results_of_version(scope, study, version).await?.ok_or_else(none)?;
        self.note_view(scope, Subject::Report, study, None).await?;
        let (storage, folder) = (self.storage().clone(), due.folder.clone());
        let read = aside("reading a mask", move || {
            Ok((storage.read_file_of(&folder, JSON_FILE)?, storage.read_file_of(&folder, mask::MASK_FILE)?))
        });
        let (Some(json), Some(file)) = read.await? else { return Err(none()) };
        let report: UrinaryStoneReport = serde_json::from_slice(&json)
            // What the parser says would quote the document.
            .map_err(|_| EngineError::Internal("a report that is kept cannot be read".to_owned()))?;
        let series = report.study.series.ok_or_else(none)?;
        let mut corrected = self.catalog().corrected_masks(scope, study, version).await?;
        let stones = mask::runs(&file)?.into_iter().map(|(number, runs)| match corrected.remove(&number) {
            Some((runs, _)) => LabelledStone { number, runs, corrected: true },
            None => LabelledStone { number, runs, corrected: false },
        });
        let stones = stones.collect();
        let system = Scope::system(due.institution.clone());
        let placed = source::placed(self, &system, &due, report.provenance.input_hash.as_deref()).await?;
        let Some((_, geometry, slices)) = placed else {
            return Err(EngineError::Conflict("the series has changed since this version was read"));
        };
        let (origin_mm, step_mm) = grid_of(&geometry, &slices);
        Ok(LabelMap {
            version,
            series_uid: series.series_uid,
            shape: [slices.len() as u32, u32::from(geometry.rows), u32::from(geometry.columns)],
            origin_mm,
            step_mm,
            stones,
        })
    }
}

/// Where the stack lies: the middle of its first voxel, and the steps along x, y and z (mm).
pub(crate) fn grid_of(geometry: &SourceGeometry, slices: &[SourceSlice]) -> ([f64; 3], [[f64; 3]; 3]) {
    let first = slices.first().map_or([0.0; 3], |slice| slice.position);
    let last = slices.last().map_or([0.0; 3], |slice| slice.position);
    let [xx, xy, xz, yx, yy, yz] = geometry.orientation;
    let [down, across] = geometry.pixel_spacing;
    let normal = [xy * yz - xz * yy, xz * yx - xx * yz, xx * yy - xy * yx];
    let through = match slices.len() {
        // One slice has no neighbour: as thick as it says.
        0 | 1 => normal.map(|part| part * geometry.slice_spacing),
        count => std::array::from_fn(|axis| (last[axis] - first[axis]) / (count - 1) as f64),
    };
    (first, [[xx, xy, xz].map(|part| part * across), [yx, yy, yz].map(|part| part * down), through])
}
