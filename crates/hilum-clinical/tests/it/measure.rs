use hilum_clinical::urinary_stone::{
    Candidate, CandidateVoxel, IndexBox, Side, StoneReading, TractPart, TractReference, measure,
};
use hilum_imaging::Affine;
use serde_json::json;

use crate::oracle;

/// scikit-image 0.2x: `marching_cubes` puts the surface, SciPy's `pdist` measures it, `regionprops` does the rest.
const ORACLE: &str = "
import json, sys
import numpy as np
from scipy.spatial.distance import pdist
from skimage.measure import marching_cubes, regionprops
out = []
for case in json.load(sys.stdin):
    idx = np.array(case['index']); hu = np.array(case['hu']); steps = np.array(case['steps'])
    shape = idx.max(0) + 3
    mask = np.zeros(shape, np.uint8); image = np.zeros(shape, np.int16)
    at = tuple((idx + 1).T); mask[at] = 1; image[at] = hu
    verts = marching_cubes(mask.astype(float), 0.5)[0] - 1
    p = regionprops(mask, intensity_image=image)[0]
    out.append(dict(
        diameter=float(pdist(verts @ steps).max()),
        volume=float(p.area * abs(np.linalg.det(steps))),
        centre=[float(v) for v in (np.array(p.centroid) - 1) @ steps + np.array(case['origin'])],
        mean=float(p.intensity_mean), max=int(p.intensity_max), sd=float(image[at].std()),
        box=[int(v) for v in p.bbox],
        key=int(np.argmax((mask > 0).sum((1, 2)))) - 1))
print(json.dumps(out))
";

/// A small generator, so that the cases are the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(n)) as u32
    }
}

/// A lump that grew voxel by voxel from a seed.
fn lump(random: &mut Random, size: usize) -> Candidate {
    let mut indices = vec![[12, 14, 13]];
    while indices.len() < size {
        let mut next = indices[random.below(indices.len() as u32) as usize];
        let axis = random.below(3) as usize;
        next[axis] = next[axis] + 1 - 2 * random.below(2);
        if !indices.contains(&next) {
            indices.push(next);
        }
    }
    let voxel = |index| CandidateVoxel { index, score: 0.5, hu: 200 + random.below(1400) as i16 };
    Candidate { voxels: indices.into_iter().map(voxel).collect() }
}

#[test]
fn size_place_and_density_are_those_of_scikit_image_on_anisotropic_and_oblique_grids() {
    let grids = [
        Affine::axial([-180.0, -190.0, -900.0], [1.0, 1.0, 1.0]),
        Affine::axial([-180.0, -190.0, -900.0], [5.0, 0.7, 0.7]),
        Affine::new([10.0, 20.0, 30.0], [[0.3, -0.4, 2.4], [0.1, 0.75, 0.1], [-0.8, 0.1, 0.2]]),
    ]
    .map(|grid| grid.expect("three directions"));
    let mut random = Random(7);
    let cases: Vec<(Candidate, Affine)> = [1, 2, 5, 40, 300]
        .into_iter()
        .flat_map(|size| grids.map(|grid| (size, grid)))
        .map(|(size, grid)| (lump(&mut random, size), grid))
        .collect();
    let input = cases.iter().map(|(candidate, grid)| {
        json!({
            "index": candidate.voxels.iter().map(|v| v.index).collect::<Vec<_>>(),
            "hu": candidate.voxels.iter().map(|v| v.hu).collect::<Vec<_>>(),
            "steps": grid.steps(),
            "origin": grid.origin(),
        })
    });
    let Some(answers) = oracle::ask(ORACLE, &input.collect::<Vec<_>>().into()) else { return };
    for ((candidate, grid), answer) in cases.into_iter().zip(answers.as_array().expect("a list")) {
        let stone = measure(vec![candidate], Some(&grid), &TractReference::default()).remove(0).stone;
        let close = |ours: f64, theirs: &serde_json::Value| {
            let theirs = theirs.as_f64().expect("a number");
            assert!((ours - theirs).abs() <= 1e-5 * (1.0 + theirs.abs()), "{ours} is not {theirs}: {stone:?}");
        };
        close(stone.largest_diameter_mm.expect("millimetres"), &answer["diameter"]);
        close(stone.volume_mm3.expect("millimetres"), &answer["volume"]);
        close(stone.hu.mean, &answer["mean"]);
        close(stone.hu.sd, &answer["sd"]);
        assert_eq!(i64::from(stone.hu.max), answer["max"]);
        for (k, ours) in stone.centre_mm.expect("millimetres").into_iter().enumerate() {
            close(ours, &answer["centre"][k]);
        }
        let theirs: Vec<u32> =
            answer["box"].as_array().expect("a box").iter().map(|v| v.as_u64().expect("an index") as u32).collect();
        let bounds = IndexBox { min: [0, 1, 2].map(|k| theirs[k] - 1), max: [3, 4, 5].map(|k| theirs[k] - 2) };
        assert_eq!(stone.bounding_box, bounds);
        assert_eq!((stone.slices.first, stone.slices.last), (bounds.min[0], bounds.max[0]));
        assert_eq!(i64::from(stone.slices.key), answer["key"]);
    }
}

fn row(z: u32, length: u32, score: f32) -> Candidate {
    Candidate { voxels: (0..length).map(|x| CandidateVoxel { index: [z, 3, x], score, hu: 500 }).collect() }
}

#[test]
fn stones_come_largest_first_whatever_the_order_of_the_candidates_and_voxels() {
    let grid = Affine::axial([0.0; 3], [2.0, 1.0, 1.0]).expect("three directions");
    let candidates = vec![row(1, 4, 0.6), row(9, 7, 0.5), row(5, 4, 0.9), row(3, 4, 0.6), Candidate::default()];
    let mut shuffled: Vec<Candidate> = candidates.iter().rev().cloned().collect();
    for candidate in &mut shuffled {
        candidate.voxels.reverse();
    }
    let read = |candidates| measure(candidates, Some(&grid), &TractReference::default());
    let readings = read(candidates);
    let order: Vec<(u32, u32)> = readings.iter().map(|r| (r.stone.number, r.stone.slices.key)).collect();
    assert_eq!(order, [(1, 9), (2, 5), (3, 1), (4, 3)]);
    assert_eq!(readings, read(shuffled));
}

#[test]
fn a_refused_geometry_leaves_indices_and_density_but_no_millimetre_and_no_side() {
    let readings = measure(vec![row(4, 5, 0.8)], None, &TractReference::default());
    let [StoneReading { stone, .. }] = readings.as_slice() else { panic!("one stone") };
    assert_eq!((stone.side, stone.part), (Side::Unknown, TractPart::Unknown));
    assert_eq!((stone.centre_index, stone.voxels, stone.hu.max), ([4.0, 3.0, 2.0], 5, 500));
    let text = serde_json::to_value(stone).expect("JSON");
    for field in ["centre_mm", "largest_diameter_mm", "volume_mm3"] {
        assert!(text[field].is_null(), "{field}");
    }
    assert!(text["slices"]["table_position_mm"].is_null());
}
