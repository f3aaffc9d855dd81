//! Connected components and their physical size.

use ndarray::{Array3, ArrayView3};
use serde::{Deserialize, Serialize};

use crate::Affine;
use crate::vector::dot;

/// Groups voxels `[z, y, x]` that touch by a face, an edge or a corner. Each group lists positions in `voxels`, ascending in
/// raster order; groups are ordered by their first voxel in raster order, so the result does not depend on the input's order.
/// A voxel given twice is in its group twice.
pub fn components_26(voxels: &[[u32; 3]]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..voxels.len()).collect();
    order.sort_unstable_by_key(|&i| (voxels[i], i));
    let sorted: Vec<[u32; 3]> = order.iter().map(|&i| voxels[i]).collect();
    let mut sets = DisjointSets::new(sorted.len());
    for (i, &[z, y, x]) in sorted.iter().enumerate() {
        if i > 0 && sorted[i - 1] == sorted[i] {
            sets.join(i - 1, i);
            continue;
        }
        // The thirteen neighbours before this voxel stand in five runs of x.
        let runs = [(0, 0, false), (0, -1, true), (-1, -1, true), (-1, 0, true), (-1, 1, true)];
        for (dz, dy, ahead) in runs {
            let (Some(nz), Some(ny)) = (z.checked_add_signed(dz), y.checked_add_signed(dy)) else { continue };
            let first = [nz, ny, x.saturating_sub(1)];
            let last = [nz, ny, if ahead { x.saturating_add(1) } else { x.saturating_sub(1) }];
            if !ahead && x == 0 {
                continue;
            }
            let start = sorted[..i].partition_point(|v| *v < first);
            for (j, v) in sorted[..i].iter().enumerate().skip(start) {
                if *v > last {
                    break;
                }
                sets.join(j, i);
            }
        }
    }
    let (labels, count) = sets.labels();
    let mut groups = vec![Vec::new(); count];
    for (position, label) in labels.into_iter().enumerate() {
        groups[label as usize].push(order[position]);
    }
    groups
}

/// Labels the true voxels of a dense mask by 26-neighbourhood, 1..=n in raster order of each component's first voxel; 0 is background.
pub fn label_26(mask: ArrayView3<bool>) -> (Array3<u32>, usize) {
    let (nz, ny, nx) = mask.dim();
    let mut provisional = Array3::<u32>::zeros(mask.dim());
    let mut sets = DisjointSets::new(0);
    for z in 0..nz {
        for y in 0..ny {
            for x in 0..nx {
                if !mask[[z, y, x]] {
                    continue;
                }
                let mut own: Option<u32> = None;
                for (dz, dy, dx) in BEFORE {
                    let (Some(z), Some(y), Some(x)) =
                        (z.checked_add_signed(dz), y.checked_add_signed(dy), x.checked_add_signed(dx))
                    else {
                        continue;
                    };
                    if y >= ny || x >= nx || provisional[[z, y, x]] == 0 {
                        continue;
                    }
                    let other = provisional[[z, y, x]] - 1;
                    match own {
                        None => own = Some(other),
                        Some(mine) => sets.join(mine as usize, other as usize),
                    }
                }
                provisional[[z, y, x]] = 1 + own.unwrap_or_else(|| sets.add());
            }
        }
    }
    let (labels, count) = sets.labels();
    provisional.mapv_inplace(|p| if p == 0 { 0 } else { labels[p as usize - 1] + 1 });
    (provisional, count)
}

/// The neighbours that come before a voxel in raster order.
const BEFORE: [(isize, isize, isize); 13] = [
    (0, 0, -1),
    (0, -1, -1),
    (0, -1, 0),
    (0, -1, 1),
    (-1, -1, -1),
    (-1, -1, 0),
    (-1, -1, 1),
    (-1, 0, -1),
    (-1, 0, 0),
    (-1, 0, 1),
    (-1, 1, -1),
    (-1, 1, 0),
    (-1, 1, 1),
];

struct DisjointSets {
    parent: Vec<u32>,
}

impl DisjointSets {
    fn new(n: usize) -> Self {
        Self { parent: (0..n as u32).collect() }
    }

    fn add(&mut self) -> u32 {
        let new = self.parent.len() as u32;
        self.parent.push(new);
        new
    }

    fn root(&mut self, mut i: usize) -> usize {
        while self.parent[i] as usize != i {
            self.parent[i] = self.parent[self.parent[i] as usize];
            i = self.parent[i] as usize;
        }
        i
    }

    /// The smaller member becomes the root, so that roots are first in raster order.
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if a < b {
            self.parent[b] = a as u32;
        } else {
            self.parent[a] = b as u32;
        }
    }

    /// Label 0.. of each member, in order of the roots, and how many there are.
    fn labels(&mut self) -> (Vec<u32>, usize) {
        let mut label = vec![0u32; self.parent.len()];
        let mut count = 0;
        for i in 0..self.parent.len() {
            let root = self.root(i);
            if root == i {
                label[i] = count;
                count += 1;
            } else {
                label[i] = label[root];
            }
        }
        (label, count as usize)
    }
}

/// The physical size of a set of voxels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extent {
    /// Number of voxels.
    pub voxels: usize,
    /// Number of voxels times the volume of one, mm³.
    pub volume_mm3: f64,
    /// Largest distance (mm) between two points of the voxels' surface at half height, which are the face centres (the vertices of
    /// marching cubes at level 0.5): one isotropic voxel has its own edge as diameter.
    pub largest_diameter_mm: f64,
    /// Mean of the voxel centres, patient `[x, y, z]` mm.
    pub centroid: [f64; 3],
    /// Smallest index `[z, y, x]`, inclusive.
    pub first: [u32; 3],
    /// Largest index `[z, y, x]`, inclusive.
    pub last: [u32; 3],
}

impl Extent {
    /// Measures `voxels` `[z, y, x]` of a grid; `None` when there are none.
    pub fn measure(voxels: &[[u32; 3]], geometry: &Affine) -> Option<Self> {
        let mut first = *voxels.first()?;
        let mut last = first;
        let mut sum = [0.0; 3];
        for v in voxels {
            for a in 0..3 {
                first[a] = first[a].min(v[a]);
                last[a] = last[a].max(v[a]);
                sum[a] += f64::from(v[a]);
            }
        }
        Some(Self {
            voxels: voxels.len(),
            volume_mm3: voxels.len() as f64 * geometry.voxel_volume_mm3(),
            largest_diameter_mm: largest_diameter(voxels, geometry),
            centroid: geometry.patient_from_index(sum.map(|s| s / voxels.len() as f64)),
            first,
            last,
        })
    }
}

/// Exact: candidates are the ends of each x run of the set, taken from the farthest from the centre inwards, until no pair can win.
fn largest_diameter(voxels: &[[u32; 3]], geometry: &Affine) -> f64 {
    let mut sorted = voxels.to_vec();
    sorted.sort_unstable();
    let mut ends: Vec<[u32; 3]> = Vec::new();
    for (i, v) in sorted.iter().enumerate() {
        let row = |w: &[u32; 3]| (w[0], w[1]);
        if i == 0 || i + 1 == sorted.len() || row(&sorted[i - 1]) != row(v) || row(&sorted[i + 1]) != row(v) {
            ends.push(*v);
        }
    }
    let points: Vec<[f64; 3]> =
        ends.iter().map(|v| geometry.patient_from_index([v[0], v[1], v[2]].map(f64::from))).collect();
    let centre = [0, 1, 2].map(|k| points.iter().map(|p| p[k]).sum::<f64>() / points.len() as f64);
    let length = |v: [f64; 3]| dot(v, v).sqrt();
    let between = |a: &[f64; 3], b: &[f64; 3]| [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    let mut ranked: Vec<(f64, [f64; 3])> = points.iter().map(|p| (length(between(p, &centre)), *p)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));

    let steps = geometry.steps();
    let reach = geometry.spacing_mm().into_iter().fold(0.0, f64::max);
    let mut best = 0.0_f64;
    for (i, (far, p)) in ranked.iter().enumerate() {
        if 2.0 * far + reach <= best {
            break;
        }
        for (near, q) in &ranked[i..] {
            if far + near + reach <= best {
                break;
            }
            let d = between(p, q);
            if length(d) + reach > best {
                best = best.max(farthest_faces(d, &steps));
            }
        }
    }
    best
}

/// Largest distance between a face centre of one voxel and one of another, their centres `d` apart.
fn farthest_faces(d: [f64; 3], steps: &[[f64; 3]; 3]) -> f64 {
    let mut best = 0.0_f64;
    for a in steps {
        for b in steps {
            for (sa, sb) in [(0.5, 0.5), (0.5, -0.5), (-0.5, 0.5), (-0.5, -0.5)] {
                let v = [0, 1, 2].map(|k| d[k] + sa * a[k] - sb * b[k]);
                best = best.max(dot(v, v));
            }
        }
    }
    best.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scattered(density: u32) -> impl Strategy<Value = Array3<bool>> {
        prop::collection::vec(0_u32..100, 5 * 6 * 7).prop_map(move |v| {
            Array3::from_shape_vec((5, 6, 7), v.into_iter().map(|n| n < density).collect()).expect("shape")
        })
    }

    proptest! {
        #[test]
        fn sparse_and_dense_labelling_agree(mask in scattered(12), keys in prop::collection::vec(any::<u32>(), 210)) {
            let mut voxels: Vec<[u32; 3]> =
                mask.indexed_iter().filter(|(_, m)| **m).map(|((z, y, x), _)| [z as u32, y as u32, x as u32]).collect();
            let mut order: Vec<usize> = (0..voxels.len()).collect();
            order.sort_by_key(|&i| keys[i]);
            voxels = order.iter().map(|&i| voxels[i]).collect();
            let (labels, count) = label_26(mask.view());
            let groups = components_26(&voxels);
            prop_assert_eq!(groups.len(), count);
            for (g, group) in groups.iter().enumerate() {
                for &i in group {
                    let [z, y, x] = voxels[i].map(|v| v as usize);
                    prop_assert_eq!(labels[[z, y, x]] as usize, g + 1);
                }
            }
            prop_assert_eq!(groups.iter().map(Vec::len).sum::<usize>(), voxels.len());
        }

        #[test]
        fn the_diameter_is_the_brute_force_one_on_oblique_grids(
            mask in scattered(20), steps in prop::array::uniform3(prop::array::uniform3(-2.0_f64..2.0)),
        ) {
            let voxels: Vec<[u32; 3]> =
                mask.indexed_iter().filter(|(_, m)| **m).map(|((z, y, x), _)| [z as u32, y as u32, x as u32]).collect();
            let Ok(geometry) = Affine::new([1.0, 2.0, 3.0], steps) else { return Ok(()) };
            let Some(extent) = Extent::measure(&voxels, &geometry) else { return Ok(()) };
            let mut faces = Vec::new();
            for v in &voxels {
                for a in 0..3 {
                    for side in [-0.5, 0.5] {
                        let mut at = v.map(f64::from);
                        at[a] += side;
                        faces.push(geometry.patient_from_index(at));
                    }
                }
            }
            let mut expected = 0.0_f64;
            for p in &faces {
                for q in &faces {
                    let d = [p[0] - q[0], p[1] - q[1], p[2] - q[2]];
                    expected = expected.max(dot(d, d).sqrt());
                }
            }
            prop_assert!((extent.largest_diameter_mm - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn one_voxel_measures_its_longest_edge() {
        let geometry = Affine::axial([0.0; 3], [3.0, 0.8, 0.8]).expect("spans");
        let extent = Extent::measure(&[[4, 5, 6]], &geometry).expect("a voxel");
        assert!((extent.largest_diameter_mm - 3.0).abs() < 1e-12);
        assert!((extent.volume_mm3 - 1.92).abs() < 1e-12);
        assert_eq!((extent.first, extent.last), ([4, 5, 6], [4, 5, 6]));
        assert!(Extent::measure(&[], &geometry).is_none());
    }

    #[test]
    fn voxels_at_the_edges_of_the_index_range_are_joined_without_overflow() {
        let groups =
            components_26(&[[0, 0, 0], [u32::MAX, u32::MAX, u32::MAX], [1, 1, 1], [u32::MAX, u32::MAX, u32::MAX - 1]]);
        assert_eq!(groups, vec![vec![0, 2], vec![3, 1]]);
    }
}
