//! Size, density, place and order of the stones.

use hilum_imaging::{Affine, Extent};

use super::{
    Candidate, CandidateVoxel, HuStatistics, IndexBox, Side, SliceSpan, Stone, StoneReading, TractPart, TractReference,
};

/// Measures every candidate: largest first, then higher score, then lower index, numbered from 1.
///
/// `geometry` places the voxels in the patient (any orientation, any anisotropy); `None` says that the geometry of the
/// stack was refused: then no millimetres and no side are stated. Empty candidates are left out.
pub fn measure(candidates: Vec<Candidate>, geometry: Option<&Affine>, reference: &TractReference) -> Vec<StoneReading> {
    let mut readings: Vec<StoneReading> =
        candidates.into_iter().filter_map(|candidate| measure_one(candidate.voxels, geometry, reference)).collect();
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

fn measure_one(
    mut voxels: Vec<CandidateVoxel>,
    geometry: Option<&Affine>,
    reference: &TractReference,
) -> Option<StoneReading> {
    voxels.sort_by_key(|v| v.index);
    let bounding_box = bounding_box(&voxels)?;
    let count = voxels.len() as f64;
    let centre_index = [0, 1, 2].map(|axis| voxels.iter().map(|v| f64::from(v.index[axis])).sum::<f64>() / count);
    let extent = match geometry {
        Some(affine) => Extent::measure(&voxels.iter().map(|v| v.index).collect::<Vec<_>>(), affine),
        None => None,
    };
    let centre_mm = extent.as_ref().map(|e| e.centroid);
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
        largest_diameter_mm: extent.as_ref().map(|e| e.largest_diameter_mm),
        largest_diameter_interval_mm: None,
        volume_mm3: extent.as_ref().map(|e| e.volume_mm3),
        voxels: voxels.len() as u32,
        hu: hu_statistics(&voxels),
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

fn bounding_box(voxels: &[CandidateVoxel]) -> Option<IndexBox> {
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
