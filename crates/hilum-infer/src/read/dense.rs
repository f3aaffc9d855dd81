//! Dense structures that are too large for a stone: bone, metal, contrast. Followed in 3D while the slices pass by.

use ndarray::ArrayView2;

/// The 26-connected regions of at least a given HU, kept as runs along rows with the extent of each region.
pub(super) struct DenseStructures {
    least_hu: i16,
    spacing_mm: [f64; 3],
    /// Slices added, ascending by index.
    slices: Vec<Slice>,
    parent: Vec<u32>,
    /// Lowest and highest index `[z, y, x]` of each region, valid at its root.
    extent: Vec<[[u32; 3]; 2]>,
}

struct Slice {
    index: u32,
    /// Runs in raster order.
    runs: Vec<Run>,
    /// Where the runs of each row begin, and the end.
    row_starts: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Run {
    first: u32,
    last: u32,
    region: u32,
}

impl DenseStructures {
    pub fn new(least_hu: i16, spacing_mm: [f64; 3]) -> Self {
        Self { least_hu, spacing_mm, slices: Vec::new(), parent: Vec::new(), extent: Vec::new() }
    }

    /// Adds slice `index` (`[row, column]`, HU); indices ascend, and only neighbouring ones are joined.
    pub fn add(&mut self, index: usize, hu: ArrayView2<i16>) {
        let z = index as u32;
        let mut runs: Vec<Run> = Vec::new();
        let mut row_starts = vec![0];
        for (y, row) in hu.outer_iter().enumerate() {
            let above = row_starts[row_starts.len().saturating_sub(2)]..runs.len();
            let mut x = 0;
            while x < row.len() {
                if row[x] < self.least_hu {
                    x += 1;
                    continue;
                }
                let first = x;
                while x < row.len() && row[x] >= self.least_hu {
                    x += 1;
                }
                let (first, last) = (first as u32, x as u32 - 1);
                let region = self.parent.len() as u32;
                self.parent.push(region);
                self.extent.push([[z, y as u32, first], [z, y as u32, last]]);
                if y > 0 {
                    self.join_touching(region, first, last, &runs[above.clone()]);
                }
                if let Some(before) = self.slices.pop_if(|s| s.index + 1 == z) {
                    let rows = y.saturating_sub(1)..(y + 2).min(before.row_starts.len() - 1);
                    for row in rows {
                        let of_row = before.row_starts[row]..before.row_starts[row + 1];
                        self.join_touching(region, first, last, &before.runs[of_row]);
                    }
                    self.slices.push(before);
                }
                runs.push(Run { first, last, region });
            }
            row_starts.push(runs.len());
        }
        self.slices.push(Slice { index: z, runs, row_starts });
    }

    /// Joins a run with those of one neighbouring row that it touches by a face, an edge or a corner.
    fn join_touching(&mut self, region: u32, first: u32, last: u32, row: &[Run]) {
        let start = row.partition_point(|r| r.last + 1 < first);
        for run in row[start..].iter().take_while(|r| r.first <= last + 1) {
            self.join(region, run.region);
        }
    }

    /// Largest extent (mm) along an index axis of the structure that holds the voxel `[z, y, x]`; 0 where it is not dense.
    pub fn extent_mm(&mut self, [z, y, x]: [u32; 3]) -> f64 {
        let Ok(slice) = self.slices.binary_search_by_key(&z, |s| s.index) else { return 0.0 };
        let slice = &self.slices[slice];
        let row = y as usize;
        let Some(end) = slice.row_starts.get(row + 1) else { return 0.0 };
        let runs = &slice.runs[slice.row_starts[row]..*end];
        let at = runs.partition_point(|r| r.last < x);
        let Some(region) = runs.get(at).filter(|r| r.first <= x).map(|r| r.region) else { return 0.0 };
        let root = self.root(region) as usize;
        let [low, high] = self.extent[root];
        (0..3).map(|k| f64::from(high[k] - low[k] + 1) * self.spacing_mm[k]).fold(0.0, f64::max)
    }

    fn root(&mut self, mut region: u32) -> u32 {
        while self.parent[region as usize] != region {
            let next = self.parent[self.parent[region as usize] as usize];
            self.parent[region as usize] = next;
            region = next;
        }
        region
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return;
        }
        let (low, high) = (a.min(b), a.max(b));
        self.parent[high as usize] = low;
        let other = self.extent[high as usize];
        let own = &mut self.extent[low as usize];
        for k in 0..3 {
            own[0][k] = own[0][k].min(other[0][k]);
            own[1][k] = own[1][k].max(other[1][k]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hilum_imaging::label_26;
    use ndarray::{Array3, Axis};
    use proptest::prelude::*;

    proptest! {
        /// The structure around every voxel has the bounding box of its component in a dense labelling.
        #[test]
        fn structures_are_the_components_of_the_dense_labelling(cells in prop::collection::vec(0_u8..100, 6 * 7 * 9), share in 5_u8..45) {
            let hu = Array3::from_shape_vec((6, 7, 9), cells.iter().map(|c| if *c < share { 300 } else { 0 }).collect()).expect("shape");
            let spacing = [3.0, 1.0, 2.0];
            let mut dense = DenseStructures::new(250, spacing);
            for (z, slice) in hu.outer_iter().enumerate() {
                dense.add(z, slice);
            }
            let (labels, _) = label_26(hu.mapv(|v: i16| v >= 250).view());
            for ((z, y, x), &label) in labels.indexed_iter() {
                let mut expected = 0.0_f64;
                if label > 0 {
                    for axis in 0..3 {
                        let planes: Vec<usize> = (0..labels.len_of(Axis(axis)))
                            .filter(|i| labels.index_axis(Axis(axis), *i).iter().any(|l| *l == label))
                            .collect();
                        let length = (planes[planes.len() - 1] - planes[0] + 1) as f64;
                        expected = expected.max(length * spacing[axis]);
                    }
                }
                prop_assert_eq!(dense.extent_mm([z, y, x].map(|i| i as u32)), expected);
            }
        }
    }

    #[test]
    fn slices_that_are_not_neighbours_are_not_joined() {
        let plate = ndarray::Array2::from_elem((4, 4), 500_i16);
        let mut dense = DenseStructures::new(250, [10.0, 1.0, 1.0]);
        dense.add(3, plate.view());
        dense.add(5, plate.view());
        assert_eq!(dense.extent_mm([3, 1, 1]), 10.0);
        assert_eq!(dense.extent_mm([4, 1, 1]), 0.0);
    }
}
