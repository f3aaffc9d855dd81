//! Volumes of nothing that a scanner would make.

use ndarray::Array3;
use std::ops::Range;

/// HU `[z, y, x]` within a range, the same over runs of `coarse` voxels.
pub fn noise(seed: u64, shape: (usize, usize, usize), coarse: usize, hu: Range<i16>) -> Array3<i16> {
    let mut state = seed | 1;
    let mut values = Vec::new();
    for _ in 0..=shape.0 * shape.1 * shape.2 / coarse {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        values.push((state % u64::from(hu.end.abs_diff(hu.start))) as i16 + hu.start);
    }
    Array3::from_shape_fn(shape, |(z, y, x)| values[((z * shape.1 + y) * shape.2 + x) / coarse])
}
