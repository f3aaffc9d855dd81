//! Size, density, place and order of the stones.

use hilum_imaging::Affine;

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
    let mut centre_index = [0.0; 3];
    for voxel in &voxels {
        for (sum, i) in centre_index.iter_mut().zip(voxel.index) {
            *sum += f64::from(i) / count;
        }
    }
    let key = key_slice(&voxels);
    let centre_mm = geometry.map(|affine| affine.patient_from_index(centre_index));
    let part = centre_mm.map_or(TractPart::Unknown, |centre| reference.part(centre));
    let stone = Stone {
        number: 0,
        side: centre_mm.map_or(Side::Unknown, |centre| reference.side(centre, part)),
        part,
        centre_index,
        centre_mm,
        largest_diameter_mm: geometry.map(|affine| largest_diameter_mm(&voxels, affine, &[0, 1, 2])),
        axial_diameter_mm: geometry.map(|affine| axial_diameter_mm(&voxels, affine)),
        volume_mm3: geometry.map(|affine| affine.voxel_volume_mm3() * count),
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

/// Largest distance (mm) between two points of the component's surface. The surface passes half a step from the outermost
/// voxel centres along each of `axes`, which is where marching cubes puts it: one voxel measures one step, not its diagonal.
fn largest_diameter_mm(voxels: &[CandidateVoxel], affine: &Affine, axes: &[usize]) -> f64 {
    let mut surface = Vec::new();
    for &axis in axes {
        let mut lines: Vec<([u32; 2], u32)> =
            voxels.iter().map(|v| ([v.index[(axis + 1) % 3], v.index[(axis + 2) % 3]], v.index[axis])).collect();
        lines.sort_unstable();
        for line in lines.chunk_by(|a, b| a.0 == b.0) {
            let ends = [f64::from(line[0].1) - 0.5, f64::from(line[line.len() - 1].1) + 0.5];
            for end in ends {
                let mut index = [0.0; 3];
                index[axis] = end;
                index[(axis + 1) % 3] = f64::from(line[0].0[0]);
                index[(axis + 2) % 3] = f64::from(line[0].0[1]);
                surface.push(affine.patient_from_index(index));
            }
        }
    }
    let mut largest: f64 = 0.0;
    for (i, a) in surface.iter().enumerate() {
        for b in &surface[i + 1..] {
            let square: f64 = (0..3).map(|k| (a[k] - b[k]).powi(2)).sum();
            largest = largest.max(square);
        }
    }
    largest.sqrt()
}

/// Largest in-plane diameter (mm) over the slices. `voxels` are sorted.
fn axial_diameter_mm(voxels: &[CandidateVoxel], affine: &Affine) -> f64 {
    voxels
        .chunk_by(|a, b| a.index[0] == b.index[0])
        .map(|slice| largest_diameter_mm(slice, affine, &[1, 2]))
        .fold(0.0, f64::max)
}
