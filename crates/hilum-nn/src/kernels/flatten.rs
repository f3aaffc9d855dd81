//! A map as a matrix: feature `c * pixels + pixel` of an image is its channel `c` at that pixel.

use super::buffer::{Aligned, Base, LANES, View};
use super::pointwise::{run, run_mut};
use super::pool::Pool;

/// `y` `[n, c * pixels]` from `x` `[n, c, ...]`; `slots`: where every channel of `x` lies, counted in lanes over all blocks. The padding of `y` becomes zero.
pub(crate) fn flatten(pool: &mut Pool, arena: &mut Aligned, x: View, y: View, slots: &[usize]) {
    check(x, y, slots);
    let base = Base::of(arena, &[x], &[y]);
    let pixels = x.pixels();
    pool.run(y.n * y.blocks, |job| {
        let (n, b) = (job / y.blocks, job % y.blocks);
        // SAFETY: one pixel of a block of a checked view; every job writes its own block.
        let to = unsafe { run_mut(base, y, n, b, 0, 1) };
        for (l, to) in to.iter_mut().enumerate() {
            let feature = b * LANES + l;
            *to = slots.get(feature / pixels).map_or(0.0, |slot| {
                // SAFETY: a pixel of a checked view that is disjoint from `y`; `check` keeps slots below its blocks.
                let from = unsafe { run(base, x, n, slot / LANES, feature % pixels, 1) };
                from[slot % LANES]
            });
        }
    });
}

/// Backward of [`flatten`]: adds to the channels of `dx`.
pub(crate) fn flatten_grad(pool: &mut Pool, arena: &mut Aligned, dy: View, dx: View, slots: &[usize]) {
    check(dx, dy, slots);
    let base = Base::of(arena, &[dy], &[dx]);
    let pixels = dx.pixels();
    pool.run(dx.n, |n| {
        for (c, slot) in slots.iter().enumerate() {
            // SAFETY: a plane of a checked view; every job writes the planes of its own image.
            let to = unsafe { run_mut(base, dx, n, slot / LANES, 0, pixels) };
            for (p, to) in to[slot % LANES..].iter_mut().step_by(LANES).enumerate() {
                let feature = c * pixels + p;
                // SAFETY: a pixel of a checked view that is disjoint from `dx`; `check` keeps features below its lanes.
                let from = unsafe { run(base, dy, n, feature / LANES, 0, 1) };
                *to += from[feature % LANES];
            }
        }
    });
}

fn check(x: View, y: View, slots: &[usize]) {
    assert!(x.n == y.n && y.pixels() == 1 && slots.len() * x.pixels() <= y.blocks * LANES, "shapes differ");
    assert!(slots.iter().all(|s| *s < x.blocks * LANES), "a channel outside the map");
}
