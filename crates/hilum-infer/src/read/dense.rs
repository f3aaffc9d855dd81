//! Dense structures that are too large for a stone.

use ndarray::{Array2, ArrayView2};

/// Pixels of `hu` (`[row, column]`) that belong to an 8-connected region of at least `dense_hu` whose extent along rows or columns
/// exceeds `largest_mm`: bone, a contrast-filled bladder, metal.
pub(super) fn large_dense(hu: ArrayView2<i16>, spacing_mm: [f64; 3], dense_hu: i16, largest_mm: f64) -> Array2<bool> {
    let (rows, columns) = hu.dim();
    let mut out = Array2::from_elem((rows, columns), false);
    let mut seen = Array2::from_elem((rows, columns), false);
    let mut region = Vec::new();
    for y in 0..rows {
        for x in 0..columns {
            if seen[[y, x]] || hu[[y, x]] < dense_hu {
                continue;
            }
            region.clear();
            region.push((y, x));
            seen[[y, x]] = true;
            let (mut low, mut high) = ([y, x], [y, x]);
            let mut next = 0;
            while let Some(&(cy, cx)) = region.get(next) {
                next += 1;
                low = [low[0].min(cy), low[1].min(cx)];
                high = [high[0].max(cy), high[1].max(cx)];
                for ny in cy.saturating_sub(1)..(cy + 2).min(rows) {
                    for nx in cx.saturating_sub(1)..(cx + 2).min(columns) {
                        if !seen[[ny, nx]] && hu[[ny, nx]] >= dense_hu {
                            seen[[ny, nx]] = true;
                            region.push((ny, nx));
                        }
                    }
                }
            }
            let extent = |k: usize| (high[k] - low[k] + 1) as f64 * spacing_mm[k + 1];
            if extent(0) > largest_mm || extent(1) > largest_mm {
                for &at in &region {
                    out[at] = true;
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_plate_is_dense_and_a_stone_is_not() {
        let mut hu = Array2::from_elem((80, 80), 30_i16);
        hu.slice_mut(ndarray::s![10..14, 5..75]).fill(400);
        hu.slice_mut(ndarray::s![40..48, 40..48]).fill(900);
        let dense = large_dense(hu.view(), [3.0, 0.8, 0.8], 250, 30.0);
        assert!(dense[[12, 30]] && !dense[[44, 44]] && !dense[[60, 60]]);
        assert!(!large_dense(hu.view(), [3.0, 0.4, 0.4], 250, 30.0)[[12, 30]]);
    }
}
