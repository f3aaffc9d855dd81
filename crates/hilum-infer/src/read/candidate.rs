//! From marked voxels to candidates, each rejection with its reason.

use hilum_imaging::{Affine, components_26};
use serde::{Deserialize, Serialize};

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
    /// It lies within a dense structure larger than any stone: bone, contrast or metal.
    WithinLargeDenseStructure {
        /// Share of its voxels that do.
        share: f64,
    },
}

/// A marked voxel and whether it lies within a large dense structure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marked {
    pub voxel: VoxelScore,
    pub dense: bool,
}

/// Components of the marked voxels, kept and rejected.
pub(super) fn candidates(
    marked: &[Marked],
    card: &ModelCard,
    geometry: &Affine,
) -> (Vec<Candidate>, Vec<(Candidate, Rejection)>) {
    let indices: Vec<[u32; 3]> = marked.iter().map(|m| m.voxel.index).collect();
    let (mut kept, mut rejected) = (Vec::new(), Vec::new());
    for component in components_26(&indices) {
        let dense = component.iter().filter(|&&i| marked[i].dense).count();
        let share = dense as f64 / component.len() as f64;
        let candidate = Candidate { voxels: component.iter().map(|&i| marked[i].voxel).collect() };
        match rejection(&candidate, share, card, geometry) {
            None => kept.push(candidate),
            Some(reason) => rejected.push((candidate, reason)),
        }
    }
    (kept, rejected)
}

fn rejection(candidate: &Candidate, share: f64, card: &ModelCard, geometry: &Affine) -> Option<Rejection> {
    let filter = &card.post_filter;
    let (score, voxels) = (candidate.score(), candidate.voxels.len());
    let volume_mm3 = voxels as f64 * geometry.voxel_volume_mm3();
    if score < card.threshold {
        Some(Rejection::LowScore { score })
    } else if voxels < filter.min_voxels || volume_mm3 < filter.min_volume_mm3 {
        Some(Rejection::TooSmall { voxels, volume_mm3 })
    } else if share >= filter.dense_share {
        Some(Rejection::WithinLargeDenseStructure { share })
    } else {
        None
    }
}
