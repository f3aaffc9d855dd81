//! Sums with factors, and dropout.

use super::buffer::{Aligned, Base, LANES, View};
use super::pack;
use super::pointwise::{each_run, run, run_mut, same_shape};
use super::pool::Pool;

/// `y = factor * x`, or `y += factor * x`.
pub(crate) fn accumulate(pool: &mut Pool, arena: &mut Aligned, x: View, y: View, factor: f32, add: bool) {
    assert!(same_shape(x, y), "shapes differ");
    let base = Base::of(arena, &[x], &[y]);
    each_run(pool, x, |n, b, first, pixels| {
        // SAFETY: runs of pixels of checked, disjoint views.
        let (from, to) = unsafe { (run(base, x, n, b, first, pixels), run_mut(base, y, n, b, first, pixels)) };
        if add {
            to.iter_mut().zip(from).for_each(|(y, x)| *y += factor * x);
        } else {
            to.iter_mut().zip(from).for_each(|(y, x)| *y = factor * x);
        }
    });
}

/// Which lane of one blocked map holds what a lane of another does, where their blocks hold different numbers of channels.
pub(crate) struct Regrouping {
    /// Lane of `x` for every lane of `y`; none for padding.
    from: Vec<Option<usize>>,
    blocks: usize,
}

impl Regrouping {
    /// `x_lanes`, `y_lanes`: channels in use per block; equally many in all.
    pub(crate) fn new(x_lanes: &[usize], y_lanes: &[usize]) -> Self {
        assert!(x_lanes.iter().sum::<usize>() == y_lanes.iter().sum::<usize>(), "numbers of channels differ");
        let slots = pack::slots(x_lanes);
        let from = pack::channels(y_lanes).into_iter().map(|c| c.map(|c| slots[c])).collect();
        Self { from, blocks: x_lanes.len() }
    }
}

/// As [`accumulate`] from the lanes that `regrouping` names; the padding of `y` is left alone when adding, else becomes zero.
pub(crate) fn accumulate_channels(
    pool: &mut Pool,
    arena: &mut Aligned,
    x: View,
    y: View,
    regrouping: &Regrouping,
    factor: f32,
    add: bool,
) {
    assert!(x.n == y.n && x.size() == y.size(), "shapes differ");
    assert!(x.blocks == regrouping.blocks && y.blocks * LANES == regrouping.from.len(), "shapes differ");
    let base = Base::of(arena, &[x], &[y]);
    each_run(pool, y, |n, b, first, pixels| {
        // SAFETY: a run of pixels of a checked view.
        let to = unsafe { run_mut(base, y, n, b, first, pixels) };
        for (l, from) in regrouping.from[b * LANES..(b + 1) * LANES].iter().enumerate() {
            let Some(slot) = *from else {
                if !add {
                    to[l..].iter_mut().step_by(LANES).for_each(|y| *y = 0.0);
                }
                continue;
            };
            // SAFETY: the same run of another checked view, disjoint from `y`.
            let from = unsafe { run(base, x, n, slot / LANES, first, pixels) };
            let from = from[slot % LANES..].iter().step_by(LANES);
            to[l..].iter_mut().step_by(LANES).zip(from).for_each(|(y, x)| {
                *y = factor * x + if add { *y } else { 0.0 };
            });
        }
    });
}

/// What decides which values a dropout zeroes: the same key, the same values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DropoutKey(u64);

impl DropoutKey {
    pub(crate) fn new(seed: u64, layer: usize, step: u64) -> Self {
        Self(mix(mix(mix(seed) ^ layer as u64) ^ step))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014) after one step of its counter.
fn mix(v: u64) -> u64 {
    let mut z = v.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// `y = x / (1 - rate)` where the key keeps a value and 0 elsewhere, or adds that to `y`; its own backward pass.
pub(crate) fn dropout(
    pool: &mut Pool,
    arena: &mut Aligned,
    x: View,
    y: View,
    rate: f32,
    DropoutKey(key): DropoutKey,
    add: bool,
) {
    assert!(same_shape(x, y), "shapes differ");
    let base = Base::of(arena, &[x], &[y]);
    let keep = 1.0 / (1.0 - rate);
    // 24 bits, as a float holds them exactly.
    let threshold = (f64::from(rate) * f64::from(1 << 24)).round() as u64;
    each_run(pool, x, |n, b, first, pixels| {
        // SAFETY: runs of pixels of checked, disjoint views.
        let (from, to) = unsafe { (run(base, x, n, b, first, pixels), run_mut(base, y, n, b, first, pixels)) };
        let before = ((n * x.blocks + b) * x.pixels() + first) * LANES;
        for (i, (y, x)) in to.iter_mut().zip(from).enumerate() {
            let v = if mix(key ^ (before + i) as u64) >> 40 >= threshold { keep * x } else { 0.0 };
            *y = if add { *y + v } else { v };
        }
    });
}
