//! From candidates to measured stones: the voxels around them are read again, each slice once.

use super::coverage;
use crate::tagging::{self, KernelKind};
use hilum_clinical::urinary_stone::{
    Candidate, CandidateVoxel, Density, HuPatch, IndexBox, Placed, PointSpread, RejectionReason, measure,
    measure_by_density, patch_boxes, place,
};
use hilum_dicom::InstanceFacts;
use hilum_imaging::Affine;
use hilum_infer::read::Rejection;
use hilum_infer::{Reading, SliceStack};
use ndarray::{Array2, Array3, Axis, s};

/// How the scanner blurred a series: by its kernel and Slice Thickness (0018,0050), or the distance of its slices where that is missing or absurd.
pub fn point_spread(facts: Option<&InstanceFacts>, geometry: &Affine) -> PointSpread {
    let spacing = geometry.spacing_mm()[0];
    let stated = facts.and_then(|facts| facts.image.slice_thickness);
    // Slices may overlap; thinner than half their distance they are not on any scanner's list.
    let thickness = stated.filter(|stated| (0.5 * spacing..=4.0 * spacing).contains(stated)).unwrap_or(spacing);
    let sharp = facts.is_some_and(|facts| tagging::kernel_of(facts) == KernelKind::Sharp);
    PointSpread::nominal(thickness, sharp)
}

/// The stones of a reading, measured by their density, named and numbered as a report would list them, and the candidates that are none.
/// `slices(i)` gives slice `i` (`[row, column]`, HU); those around candidates are asked for once, in ascending order.
pub fn measured_stones<E>(
    reading: Reading,
    stack: &SliceStack,
    spread: PointSpread,
    slices: impl FnMut(usize) -> Result<Array2<i16>, E>,
) -> Result<Placed, E> {
    let reference = coverage::of(&reading.region).reference;
    let candidates: Vec<Candidate> = reading.candidates.into_iter().map(clinical).collect();
    // What a filter took for bone or spine is told as well; specks and low scores are no candidates.
    let mut filtered = Vec::new();
    for (candidate, why) in reading.rejected {
        let reason = match why {
            Rejection::WithinLargeDenseStructure { share, extent_mm } => {
                RejectionReason::InDenseStructure { share, extent_mm }
            }
            Rejection::WithinSpine { from_midline_mm, behind_mm } => {
                RejectionReason::InSpine { from_midline_mm, behind_mm }
            }
            Rejection::LowScore { .. } | Rejection::TooSmall { .. } => continue,
        };
        let measured = measure(vec![clinical(candidate)], Some(&stack.geometry), &reference);
        filtered.extend(measured.into_iter().map(|reading| (reading, reason)));
    }
    let shape = [stack.slices, stack.rows, stack.columns].map(|n| n as u32);
    let patches = patches(&patch_boxes(&candidates, &stack.geometry, shape), slices)?;
    let density = Density { patches: &patches, spread };
    let stones = measure_by_density(candidates, &stack.geometry, &density, &reference);
    Ok(place(stones, filtered, reading.frame.as_ref()))
}

fn clinical(candidate: hilum_infer::Candidate) -> Candidate {
    let voxel =
        |voxel: hilum_infer::VoxelScore| CandidateVoxel { index: voxel.index, score: voxel.score, hu: voxel.hu };
    Candidate { voxels: candidate.voxels.into_iter().map(voxel).collect() }
}

fn patches<E>(boxes: &[IndexBox], mut slices: impl FnMut(usize) -> Result<Array2<i16>, E>) -> Result<Vec<HuPatch>, E> {
    let size = |b: &IndexBox| [0, 1, 2].map(|k| (b.max[k] - b.min[k]) as usize + 1);
    let mut patches: Vec<HuPatch> =
        boxes.iter().map(|b| HuPatch { first: b.min, hu: Array3::zeros(size(b)) }).collect();
    let first = boxes.iter().map(|b| b.min[0]).min().unwrap_or(0);
    let last = boxes.iter().map(|b| b.max[0] + 1).max().unwrap_or(0);
    for z in first..last {
        let crossed = |b: &IndexBox| (b.min[0]..=b.max[0]).contains(&z);
        if !boxes.iter().any(crossed) {
            continue;
        }
        let hu = slices(z as usize)?;
        for (b, patch) in boxes.iter().zip(&mut patches).filter(|(b, _)| crossed(b)) {
            let [rows, columns] = [1, 2].map(|k| b.min[k] as usize..=b.max[k] as usize);
            patch.hu.index_axis_mut(Axis(0), (z - b.min[0]) as usize).assign(&hu.slice(s![rows, columns]));
        }
    }
    Ok(patches)
}
