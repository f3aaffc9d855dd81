//! Size, density, place and order of the stones.

use hilum_imaging::{Affine, Extent};

use super::density::{DensityStone, HuPatch, PointSpread, bounding_box, stones_of_patch};
use super::{
    Candidate, CandidateVoxel, HuStatistics, MeasuredBy, Side, SliceSpan, Stone, StoneReading, TractPart,
    TractReference,
};

/// The voxels around the candidates, and how the scanner blurred them.
#[derive(Clone, Copy, Debug)]
pub struct Density<'a> {
    /// Patches by [`super::patch_boxes`]; a candidate that lies in none is measured by its mask.
    pub patches: &'a [HuPatch],
    /// Blur of the series.
    pub spread: PointSpread,
}

/// Measures every candidate by its mask: largest first, then higher score, then lower index, numbered from 1.
///
/// `geometry` places the voxels in the patient (any orientation, any anisotropy); `None` says that the geometry of the
/// stack was refused: then no millimetres and no side are stated. Empty candidates are left out.
pub fn measure(candidates: Vec<Candidate>, geometry: Option<&Affine>, reference: &TractReference) -> Vec<StoneReading> {
    let stones = candidates.into_iter().map(|candidate| DensityStone { voxels: candidate.voxels, measure: None });
    numbered(stones.filter_map(|stone| reading(stone, geometry, reference)).collect())
}

/// Measures the stones among the candidates by their density: where the mask ends does not matter, candidates without a valley between them are one
/// stone, and one with a clear valley is two. In the order of [`measure`].
pub fn measure_by_density(
    candidates: Vec<Candidate>,
    geometry: &Affine,
    density: &Density,
    reference: &TractReference,
) -> Vec<StoneReading> {
    let mut groups: Vec<Vec<Candidate>> = vec![Vec::new(); density.patches.len()];
    let mut stones = Vec::new();
    for mut candidate in candidates {
        // Raster order: the result does not depend on the order of what comes in.
        candidate.voxels.sort_by_key(|v| v.index);
        let Some(bounds) = bounding_box(&candidate.voxels) else { continue };
        match density.patches.iter().position(|patch| patch.holds(&bounds)) {
            Some(patch) => groups[patch].push(candidate),
            None => stones.push(DensityStone { voxels: candidate.voxels, measure: None }),
        }
    }
    for (mut group, patch) in groups.into_iter().zip(density.patches).filter(|(group, _)| !group.is_empty()) {
        group.sort_by_key(|candidate| candidate.voxels[0].index);
        stones.extend(stones_of_patch(&group, patch, geometry, &density.spread));
    }
    numbered(stones.into_iter().filter_map(|stone| reading(stone, Some(geometry), reference)).collect())
}

fn numbered(mut readings: Vec<StoneReading>) -> Vec<StoneReading> {
    readings.sort_by(|a, b| {
        let (a, b) = (&a.stone, &b.stone);
        let size = |stone: &Stone| (stone.largest_diameter_mm.unwrap_or(0.0), stone.voxels);
        size(b)
            .0
            .total_cmp(&size(a).0)
            .then(size(b).1.cmp(&size(a).1))
            .then(b.score.total_cmp(&a.score))
            .then(a.bounding_box.min.cmp(&b.bounding_box.min))
    });
    for (number, reading) in (1..).zip(&mut readings) {
        reading.stone.number = number;
    }
    readings
}

fn reading(stone: DensityStone, geometry: Option<&Affine>, reference: &TractReference) -> Option<StoneReading> {
    let DensityStone { mut voxels, measure } = stone;
    voxels.sort_by_key(|v| v.index);
    let bounding_box = bounding_box(&voxels)?;
    let count = voxels.len() as f64;
    let mean_index = [0, 1, 2].map(|axis| voxels.iter().map(|v| f64::from(v.index[axis])).sum::<f64>() / count);
    let mask = geometry
        .filter(|_| measure.is_none())
        .and_then(|affine| Extent::measure(&voxels.iter().map(|v| v.index).collect::<Vec<_>>(), affine));
    let density = measure.as_ref();
    let centre_mm = density.map(|m| m.centre_mm).or(mask.as_ref().map(|e| e.centroid));
    let centre_index = match (geometry, density) {
        (Some(affine), Some(measure)) => affine.index_from_patient(measure.centre_mm),
        _ => mean_index,
    };
    let part = centre_mm.map_or(TractPart::Unknown, |centre| reference.part(centre));
    let key = key_slice(&voxels);
    let stone = Stone {
        number: 0,
        side: centre_mm.map_or(Side::Unknown, |centre| reference.side(centre, part)),
        part,
        site: None,
        mimic: None,
        skin_to_stone_mm: None,
        centre_index,
        centre_mm,
        position: centre_mm.and_then(|centre| reference.position(centre)),
        measured_by: if density.is_some() { MeasuredBy::Density } else { MeasuredBy::Mask },
        largest_diameter_mm: density.map(|m| m.largest_diameter_mm).or(mask.as_ref().map(|e| e.largest_diameter_mm)),
        largest_diameter_interval_mm: density.map(|m| m.diameter_interval_mm),
        axial_diameter_mm: density.map(|m| m.axial_diameter_mm),
        coronal_diameter_mm: density.map(|m| m.coronal_diameter_mm),
        width_mm: density.map(|m| m.width_mm),
        volume_mm3: density.map(|m| m.volume_mm3).or(mask.as_ref().map(|e| e.volume_mm3)),
        volume_interval_mm3: density.map(|m| m.volume_interval_mm3),
        voxels: voxels.len() as u32,
        hu: density.map_or_else(|| hu_statistics(&voxels), |m| m.hu),
        core_hu: density.map(|m| m.core_hu),
        score: voxels.iter().map(|v| v.score).fold(0.0, f32::max),
        slices: SliceSpan {
            first: bounding_box.min[0],
            last: bounding_box.max[0],
            key,
            table_position_mm: geometry
                .map(|affine| affine.patient_from_index([f64::from(key), centre_index[1], centre_index[2]])[2]),
        },
        bounding_box,
    };
    Some(StoneReading { stone, voxels })
}

/// The slice with most voxels, the lowest of equals. `voxels` are sorted.
fn key_slice(voxels: &[CandidateVoxel]) -> u32 {
    let mut best = (0, 0);
    for slice in voxels.chunk_by(|a, b| a.index[0] == b.index[0]) {
        if slice.len() > best.0 {
            best = (slice.len(), slice[0].index[0]);
        }
    }
    best.1
}

fn hu_statistics(voxels: &[CandidateVoxel]) -> HuStatistics {
    let count = voxels.len() as f64;
    let mean = voxels.iter().map(|v| f64::from(v.hu)).sum::<f64>() / count;
    let variance = voxels.iter().map(|v| (f64::from(v.hu) - mean).powi(2)).sum::<f64>() / count;
    HuStatistics { mean, max: voxels.iter().map(|v| v.hu).max().unwrap_or(i16::MIN), sd: variance.sqrt() }
}
