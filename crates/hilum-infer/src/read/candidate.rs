//! From marked voxels to candidates, each rejection with its reason.

use hilum_imaging::{Affine, components_26};
use serde::{Deserialize, Serialize};

use super::dense::DenseStructures;
use crate::Region;
use crate::card::ModelCard;

/// One voxel that the network marked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoxelScore {
    /// Index `[z, y, x]` in the stack.
    pub index: [u32; 3],
    /// Output of the network, 0..=1: a score, no probability.
    pub score: f32,
    /// Density.
    pub hu: i16,
}

/// The voxels of one 26-connected component, in raster order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its voxels.
    pub voxels: Vec<VoxelScore>,
}

impl Candidate {
    /// The highest score of its voxels.
    pub fn score(&self) -> f32 {
        self.voxels.iter().map(|v| v.score).fold(0.0, f32::max)
    }
}

/// Why a component is no candidate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Rejection {
    /// No voxel reaches the model's threshold.
    LowScore {
        /// Highest score.
        score: f32,
    },
    /// Too few voxels or too little volume.
    TooSmall {
        /// Number of voxels.
        voxels: usize,
        /// Volume in mm³.
        volume_mm3: f64,
    },
    /// It lies within a dense structure larger than any stone: bone, contrast, metal or a long plaque.
    WithinLargeDenseStructure {
        /// Share of its voxels that do.
        share: f64,
        /// Extent (mm) of the structure.
        extent_mm: f64,
    },
    /// Its centre lies within or behind the spine, where no urinary tract runs.
    WithinSpine {
        /// Distance (mm) from the midline.
        from_midline_mm: f64,
        /// Distance (mm) behind the middle of the vertebral bone; negative in front of it.
        behind_mm: f64,
    },
}

/// Components of the marked voxels, kept and rejected.
pub(super) fn candidates(
    marked: &[VoxelScore],
    dense: &mut [DenseStructures],
    region: &Region,
    card: &ModelCard,
    geometry: &Affine,
) -> (Vec<Candidate>, Vec<(Candidate, Rejection)>) {
    let indices: Vec<[u32; 3]> = marked.iter().map(|v| v.index).collect();
    let (mut kept, mut rejected) = (Vec::new(), Vec::new());
    for component in components_26(&indices) {
        let candidate = Candidate { voxels: component.iter().map(|&i| marked[i]).collect() };
        match rejection(&candidate, dense, region, card, geometry) {
            None => kept.push(candidate),
            Some(reason) => rejected.push((candidate, reason)),
        }
    }
    (kept, rejected)
}

fn rejection(
    candidate: &Candidate,
    dense: &mut [DenseStructures],
    region: &Region,
    card: &ModelCard,
    geometry: &Affine,
) -> Option<Rejection> {
    let filter = &card.post_filter;
    let (score, voxels) = (candidate.score(), candidate.voxels.len());
    let volume_mm3 = voxels as f64 * geometry.voxel_volume_mm3();
    if score < card.threshold {
        return Some(Rejection::LowScore { score });
    }
    if voxels < filter.min_voxels || volume_mm3 < filter.min_volume_mm3 {
        return Some(Rejection::TooSmall { voxels, volume_mm3 });
    }
    let brightest = candidate.voxels.iter().map(|v| v.hu).max()?;
    for (level, structures) in filter.dense.iter().zip(dense) {
        if level.up_to_hu.is_some_and(|most| brightest > most) {
            continue;
        }
        let extents: Vec<f64> = candidate.voxels.iter().map(|v| structures.extent_mm(v.index)).collect();
        let within = extents.iter().filter(|e| **e > filter.largest_stone_mm).count();
        let share = within as f64 / voxels as f64;
        if within > 0 && share >= filter.dense_share {
            let extent_mm = extents.into_iter().fold(0.0, f64::max);
            return Some(Rejection::WithinLargeDenseStructure { share, extent_mm });
        }
    }
    within_spine(candidate, region, card, geometry)
}

fn within_spine(candidate: &Candidate, region: &Region, card: &ModelCard, geometry: &Affine) -> Option<Rejection> {
    let n = candidate.voxels.len() as f64;
    let mean = [0, 1, 2].map(|k| candidate.voxels.iter().map(|v| f64::from(v.index[k])).sum::<f64>() / n);
    let [x, y, z] = geometry.patient_from_index(mean);
    let [middle_x, middle_y] = region.midline_at(z)?;
    let (from_midline_mm, behind_mm) = ((x - middle_x).abs(), y - middle_y);
    let column = &card.post_filter.spine;
    (from_midline_mm < column.half_width_mm && behind_mm > -column.front_mm)
        .then_some(Rejection::WithinSpine { from_midline_mm, behind_mm })
}
