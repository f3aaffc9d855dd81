//! Activations without a kernel of their own, one value after the other, and softmax over channels.

use super::buffer::{Aligned, Base, View};
use super::norm::Runs;
use super::pointwise::{each_run, run, run_mut, same_shape};
use super::pool::Pool;

/// A function of one value that leaves zero where it is, and with it the padding of partial blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Activation {
    /// `x` between 0 and a bound.
    ClippedRelu(f32),
    /// `x`, times the slope where negative.
    LeakyRelu(f32),
    /// `x * Phi(x)` with the normal distribution's Phi (Hendrycks and Gimpel 2016), not its approximation by tanh.
    Gelu,
    Tanh,
}

impl Activation {
    fn value(self, x: f32) -> f32 {
        match self {
            // NaN stays.
            Self::ClippedRelu(max) => {
                if x <= 0.0 {
                    0.0
                } else if x >= max {
                    max
                } else {
                    x
                }
            }
            Self::LeakyRelu(slope) => {
                if x > 0.0 {
                    x
                } else {
                    slope * x
                }
            }
            Self::Gelu => (f64::from(x) * phi(f64::from(x))) as f32,
            Self::Tanh => x.tanh(),
        }
    }

    fn derivative(self, x: f32) -> f32 {
        match self {
            Self::ClippedRelu(max) => f32::from(u8::from(x > 0.0 && x < max)),
            Self::LeakyRelu(slope) => {
                if x > 0.0 {
                    1.0
                } else {
                    slope
                }
            }
            Self::Gelu => {
                let x = f64::from(x);
                let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
                (phi(x) + x * density) as f32
            }
            Self::Tanh => 1.0 - x.tanh().powi(2),
        }
    }
}

/// The normal distribution by the Chebyshev fit of the complementary error function, relative error below 1.2e-7 (Press et al., Numerical Recipes,
/// section 6.2).
fn phi(x: f64) -> f64 {
    const FIT: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let z = x.abs() * std::f64::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * z);
    let tail = 0.5 * t * (FIT.iter().rev().fold(0.0, |sum, c| sum * t + c) - z * z).exp();
    if x >= 0.0 { 1.0 - tail } else { tail }
}

/// `y = f(x)`.
pub(crate) fn activate(pool: &mut Pool, arena: &mut Aligned, x: View, y: View, f: Activation) {
    assert!(same_shape(x, y), "shapes differ");
    let base = Base::of(arena, &[x], &[y]);
    each_run(pool, x, |n, b, first, pixels| {
        // SAFETY: runs of pixels of checked, disjoint views.
        let (from, to) = unsafe { (run(base, x, n, b, first, pixels), run_mut(base, y, n, b, first, pixels)) };
        to.iter_mut().zip(from).for_each(|(y, x)| *y = f.value(*x));
    });
}

/// `dx = dy * f'(x)`, added to `dx` if asked.
pub(crate) fn activate_grad(
    pool: &mut Pool,
    arena: &mut Aligned,
    x: View,
    dy: View,
    dx: View,
    f: Activation,
    add: bool,
) {
    assert!(same_shape(x, dy) && same_shape(x, dx), "shapes differ");
    let base = Base::of(arena, &[x, dy], &[dx]);
    each_run(pool, x, |n, b, first, pixels| {
        // SAFETY: runs of pixels of checked views; `dx` is disjoint from both.
        let (x, dy, dx) = unsafe {
            (
                run(base, x, n, b, first, pixels),
                run(base, dy, n, b, first, pixels),
                run_mut(base, dx, n, b, first, pixels),
            )
        };
        for ((x, dy), dx) in x.iter().zip(dy).zip(dx) {
            let v = dy * f.derivative(*x);
            *dx = if add { *dx + v } else { v };
        }
    });
}

/// Calls `work` with image, first pixel and number of pixels of every run of a map's pixels.
fn each_pixel_run(pool: &mut Pool, view: View, work: impl Fn(usize, usize, usize) + Sync) {
    let runs = Runs::of(view.part(0, 1));
    pool.run(runs.count(), |job| {
        let (n, _, first, pixels) = runs.get(job);
        work(n, first, pixels);
    });
}

/// Softmax over the channels of every pixel; the padding of `y` becomes zero.
pub(crate) fn softmax(pool: &mut Pool, arena: &mut Aligned, x: View, y: View, lanes: &[usize]) {
    assert!(same_shape(x, y) && lanes.len() == x.blocks, "shapes differ");
    let base = Base::of(arena, &[x], &[y]);
    each_pixel_run(pool, x, |n, first, pixels| {
        for p in first..first + pixels {
            // SAFETY: single pixels of checked, disjoint views; every job writes its own run of pixels, in all blocks.
            let channels = |b: usize| unsafe { &run(base, x, n, b, p, 1)[..lanes[b]] };
            let max = (0..x.blocks).flat_map(channels).fold(f32::NEG_INFINITY, |m, v| m.max(*v));
            let sum: f64 = (0..x.blocks).flat_map(channels).map(|v| f64::from((v - max).exp())).sum();
            for b in 0..x.blocks {
                // SAFETY: as above.
                let to = unsafe { run_mut(base, y, n, b, p, 1) };
                to.fill(0.0);
                to.iter_mut().zip(channels(b)).for_each(|(y, x)| *y = (f64::from((x - max).exp()) / sum) as f32);
            }
        }
    });
}

/// Backward of [`softmax`] from its result: `dx = y * (dy - sum(dy * y))`, added to `dx` if asked.
pub(crate) fn softmax_grad(pool: &mut Pool, arena: &mut Aligned, y: View, dy: View, dx: View, add: bool) {
    assert!(same_shape(y, dy) && same_shape(y, dx), "shapes differ");
    let base = Base::of(arena, &[y, dy], &[dx]);
    each_pixel_run(pool, y, |n, first, pixels| {
        for p in first..first + pixels {
            // SAFETY: single pixels of checked views; `dx` is disjoint from both, and every job writes its own run of pixels.
            let pair = |b: usize| unsafe { run(base, y, n, b, p, 1).iter().zip(run(base, dy, n, b, p, 1)) };
            let sum: f64 = (0..y.blocks).flat_map(pair).map(|(y, dy)| f64::from(y * dy)).sum();
            for b in 0..y.blocks {
                // SAFETY: as above.
                let to = unsafe { run_mut(base, dx, n, b, p, 1) };
                for (dx, (y, dy)) in to.iter_mut().zip(pair(b)) {
                    let v = (f64::from(*y) * (f64::from(*dy) - sum)) as f32;
                    *dx = if add { *dx + v } else { v };
                }
            }
        }
    });
}
