//! Enlargement by whole factors: values repeated, or interpolated.

use super::buffer::{Aligned, Base, LANES, View};
use super::pointwise::{run, run_mut};
use super::pool::Pool;

/// Where one output position of an axis takes its value: two input positions and the share of the second.
#[derive(Clone, Copy, Debug)]
struct Between {
    at: [usize; 2],
    share: f32,
}

/// Enlargement of a map by whole factors.
pub(crate) struct Upsampling {
    axes: [Vec<Between>; 3],
}

impl Upsampling {
    /// From a map of this size by these factors; `linear` interpolates between pixel centres (`align_corners=False`), otherwise values repeat.
    pub(crate) fn new(input: [usize; 3], factors: [usize; 3], linear: bool) -> Self {
        let axes = [0, 1, 2].map(|a| {
            let (len, factor) = (input[a], factors[a]);
            let between = |o: usize| {
                if !linear || factor == 1 {
                    return Between { at: [o / factor; 2], share: 0.0 };
                }
                let at = ((o as f64 + 0.5) / factor as f64 - 0.5).max(0.0);
                let low = (at as usize).min(len - 1);
                Between { at: [low, (low + 1).min(len - 1)], share: (at - low as f64) as f32 }
            };
            (0..len * factor).map(between).collect()
        });
        Self { axes }
    }

    /// Input pixels and weights of an output position, in a fixed order.
    fn corners(&self, [d, h, w]: [usize; 3], [_, sh, sw]: [usize; 3]) -> impl Iterator<Item = (usize, f32)> + use<'_> {
        let at = [self.axes[0][d], self.axes[1][h], self.axes[2][w]];
        (0..8).filter_map(move |corner| {
            let side = |a: usize| corner >> (2 - a) & 1;
            let weight: f32 = (0..3).map(|a| if side(a) == 1 { at[a].share } else { 1.0 - at[a].share }).product();
            let [z, y, x] = std::array::from_fn(|a| at[a].at[side(a)]);
            (weight != 0.0).then_some(((z * sh + y) * sw + x, weight))
        })
    }

    /// Writes `y`, or with `back` adds to the input's gradient `x` what the output's gradient `y` gives.
    fn each(&self, pool: &mut Pool, base: Base, x: View, y: View, back: bool) {
        let size = y.size();
        assert!(x.n == y.n && x.blocks == y.blocks && size == [0, 1, 2].map(|a| self.axes[a].len()), "shapes differ");
        // Backward, several outputs add to one pixel: a plane is one job's.
        pool.run(y.n * y.blocks, |job| {
            let (n, b) = (job / y.blocks, job % y.blocks);
            for p in 0..y.pixels() {
                let at = [p / (size[1] * size[2]), p / size[2] % size[1], p % size[2]];
                let mut sum = [0.0; LANES];
                for (q, weight) in self.corners(at, x.size()) {
                    // SAFETY: single pixels of checked, disjoint views; every job writes its own plane.
                    unsafe {
                        if back {
                            let dx = run_mut(base, x, n, b, q, 1);
                            dx.iter_mut().zip(run(base, y, n, b, p, 1)).for_each(|(dx, dy)| *dx += weight * dy);
                        } else {
                            sum.iter_mut().zip(run(base, x, n, b, q, 1)).for_each(|(s, x)| *s += weight * x);
                        }
                    }
                }
                if !back {
                    // SAFETY: as above.
                    unsafe { run_mut(base, y, n, b, p, 1) }.copy_from_slice(&sum);
                }
            }
        });
    }

    /// Writes `y`.
    pub(crate) fn forward(&self, pool: &mut Pool, arena: &mut Aligned, x: View, y: View) {
        let base = Base::of(arena, &[x], &[y]);
        self.each(pool, base, x, y, false);
    }

    /// Adds to `dx`.
    pub(crate) fn backward(&self, pool: &mut Pool, arena: &mut Aligned, dy: View, dx: View) {
        let base = Base::of(arena, &[dy], &[dx]);
        self.each(pool, base, dx, dy, true);
    }
}
