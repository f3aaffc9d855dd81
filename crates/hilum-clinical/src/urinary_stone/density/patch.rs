//! The voxels around candidates, with the background that a measurement needs.

use hilum_imaging::Affine;
use ndarray::Array3;

use crate::urinary_stone::{Candidate, CandidateVoxel, IndexBox};

/// HU of a box of voxels of the stack.
#[derive(Clone, Debug, PartialEq)]
pub struct HuPatch {
    /// Index `[z, y, x]` of its first voxel in the stack.
    pub first: [u32; 3],
    /// HU `[z, y, x]`.
    pub hu: Array3<i16>,
}

/// Background (mm) to each side of a candidate.
const MARGIN_MM: f64 = 8.0;
/// All patches together hold at most so many voxels: what a network out of its domain marks beyond them is measured by its mask alone.
const MOST_VOXELS: u64 = 32_000_000;
/// A patch is at most so long (mm); what is larger is no stone, and is measured by its mask alone.
const LONGEST_MM: f64 = 90.0;

impl HuPatch {
    pub(in crate::urinary_stone) fn holds(&self, bounds: &IndexBox) -> bool {
        let size = [self.hu.dim().0, self.hu.dim().1, self.hu.dim().2];
        (0..3).all(|k| bounds.min[k] >= self.first[k] && (bounds.max[k] as usize) < self.first[k] as usize + size[k])
    }
}

/// The boxes of voxels to read for measuring `candidates` in a stack of `shape` `[z, y, x]`: each holds one candidate, or several that lie close to one
/// another, with background around them. Candidates longer than any stone have none, and
/// there is an end to how much is read.
pub fn patch_boxes(candidates: &[Candidate], geometry: &Affine, shape: [u32; 3]) -> Vec<IndexBox> {
    let spacing = geometry.spacing_mm();
    let margin: [u32; 3] = spacing.map(|s| ((MARGIN_MM / s).ceil() as u32).max(2));
    let grown = |b: &IndexBox| IndexBox {
        min: [0, 1, 2].map(|k| b.min[k].saturating_sub(margin[k])),
        max: [0, 1, 2].map(|k| b.max[k].saturating_add(margin[k]).min(shape[k].saturating_sub(1))),
    };
    let fits = |b: &IndexBox| (0..3).all(|k| f64::from(b.max[k] - b.min[k] + 1) * spacing[k] <= LONGEST_MM);
    let near = |a: &IndexBox, b: &IndexBox| {
        (0..3).all(|k| a.min[k] <= b.max[k].saturating_add(margin[k]) && b.min[k] <= a.max[k].saturating_add(margin[k]))
    };
    let mut boxes: Vec<IndexBox> = candidates.iter().filter_map(|c| bounding_box(&c.voxels)).collect();
    boxes.retain(|b| fits(&grown(b)));
    loop {
        let before = boxes.len();
        let mut joined: Vec<IndexBox> = Vec::with_capacity(before);
        for next in boxes {
            let union = |b: &IndexBox| IndexBox {
                min: [0, 1, 2].map(|k| b.min[k].min(next.min[k])),
                max: [0, 1, 2].map(|k| b.max[k].max(next.max[k])),
            };
            match joined.iter_mut().find(|b| near(b, &next) && fits(&grown(&union(b)))) {
                Some(b) => *b = union(b),
                None => joined.push(next),
            }
        }
        boxes = joined;
        // A union may reach others.
        if boxes.len() == before {
            break;
        }
    }
    let mut room = MOST_VOXELS;
    let size = |b: &IndexBox| (0..3).map(|k| u64::from(b.max[k] - b.min[k]) + 1).product::<u64>();
    let mut boxes: Vec<IndexBox> = boxes.iter().map(grown).collect();
    boxes.retain(|b| room.checked_sub(size(b)).map(|left| room = left).is_some());
    boxes
}

/// Smallest box around voxels; `None` where there are none.
pub(in crate::urinary_stone) fn bounding_box(voxels: &[CandidateVoxel]) -> Option<IndexBox> {
    let first = voxels.first()?.index;
    let mut bounds = IndexBox { min: first, max: first };
    for voxel in voxels {
        for axis in 0..3 {
            bounds.min[axis] = bounds.min[axis].min(voxel.index[axis]);
            bounds.max[axis] = bounds.max[axis].max(voxel.index[axis]);
        }
    }
    Some(bounds)
}
