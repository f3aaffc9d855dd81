//! Max-pool, ReLU, sigmoid, copies, and the way between `[n, c, h, w]` and blocked activations.

use std::sync::atomic::{AtomicU32, Ordering};

use super::Kernels;
use super::bf16;
use super::buffer::{Aligned, Base, Format, LANES, View};
use super::norm::Runs;
use super::pool::Pool;
use super::simd::{Number, Simd, sub_vectors};

/// One output row of 2x2 max-pool: `x` and the row below it, `pixels` outputs; `x` and `y` in the two formats. A window with a NaN gives NaN, as in
/// PyTorch.
///
/// # Safety
/// `x` is valid for two rows of `2 * pixels` pixels, `row` floats apart; `y` for `pixels` pixels; they do not overlap.
#[inline(always)]
pub(crate) unsafe fn max_row<S: Simd, N: Number<S>>(
    x: *const f32,
    row: usize,
    y: *mut f32,
    pixels: usize,
    [from, to]: [Format; 2],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let pixel = N::pixel(from);
        for sub in sub_vectors!(S) {
            let (x, y) = (x.add(N::before(from, sub)), y.add(N::before(to, sub)));
            for p in 0..pixels {
                let at = x.add(2 * p * pixel);
                let top = S::max_or_nan(N::load(at, from), N::load(at.add(pixel), from));
                let bottom = S::max_or_nan(N::load(at.add(row), from), N::load(at.add(row + pixel), from));
                N::store(y.add(p * N::pixel(to)), S::max_or_nan(top, bottom), to);
            }
        }
    }
}

/// Backward of [`max_row`]: the gradient goes to the first of the four that holds the maximum, as PyTorch does.
///
/// # Safety
/// As [`max_row`], with `dx` like `x` and `dy` like `y`.
#[inline(always)]
pub(crate) unsafe fn max_row_grad<S: Simd>(
    x: *const f32,
    row: usize,
    dy: *const f32,
    dx: *mut f32,
    pixels: usize,
    add: bool,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for sub in sub_vectors!(S) {
            for p in 0..pixels {
                let at = 2 * p * LANES + sub;
                let offsets = [at, at + LANES, at + row, at + row + LANES];
                // Element by element: `map` on an array would not be compiled for the instruction set.
                let load = |i: usize| S::load(x.add(offsets[i]));
                let v = [load(0), load(1), load(2), load(3)];
                let max = S::max(S::max(v[0], v[1]), S::max(v[2], v[3]));
                // What is not handed out yet: subtracting what was given leaves exactly zero.
                let mut left = S::load(dy.add(p * LANES + sub));
                for i in 0..4 {
                    let mut give = S::where_equal(v[i], max, left);
                    left = S::sub(left, give);
                    let to = dx.add(offsets[i]);
                    if add {
                        give = S::add(give, S::load(to));
                    }
                    S::store(to, give);
                }
            }
        }
    }
}

/// `y = max(x, 0)`.
///
/// # Safety
/// `x` and `y` are valid for `pixels * 16` floats and do not overlap.
#[inline(always)]
pub(crate) unsafe fn relu_run<S: Simd>(x: *const f32, y: *mut f32, pixels: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        for i in (0..pixels * LANES).step_by(S::L) {
            S::store(y.add(i), S::max(S::zero(), S::load(x.add(i))));
        }
    }
}

/// `dx = dy` where `x > 0`, else 0; added to `dx` if asked.
///
/// # Safety
/// All are valid for `pixels * 16` floats; `dx` overlaps none.
#[inline(always)]
pub(crate) unsafe fn relu_run_grad<S: Simd>(x: *const f32, dy: *const f32, dx: *mut f32, pixels: usize, add: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        for i in (0..pixels * LANES).step_by(S::L) {
            let mut v = S::where_positive(S::load(x.add(i)), S::load(dy.add(i)));
            if add {
                v = S::add(v, S::load(dx.add(i)));
            }
            S::store(dx.add(i), v);
        }
    }
}

/// 2x2 max-pool with stride 2.
pub(crate) fn max_pool(k: &Kernels, pool: &mut Pool, arena: &mut Aligned, x: View, y: View) {
    assert!(x.blocks == y.blocks && x.h == 2 * y.h && x.w == 2 * y.w, "shapes differ");
    let formats = [x.format, y.format];
    assert!(k.format == Format::Bf16 || formats == [Format::F32; 2], "f32 alone");
    let (base, [from_pixel, to_pixel]) = (Base::of_any(arena, &[x], &[y]), formats.map(Format::pixel));
    let (jobs, rows) = row_jobs(y);
    pool.run(jobs, |job| {
        let (n, b, rows) = rows(job);
        for r in rows {
            let (from, to) = (x.at(n, b) + 2 * r * x.w * from_pixel, y.at(n, b) + r * y.w * to_pixel);
            // SAFETY: whole rows of checked, disjoint views; every job writes its own rows.
            unsafe { (k.max_row)(base.at(from), x.w * from_pixel, base.at(to), y.w, formats) };
        }
    });
}

/// Backward of [`max_pool`].
pub(crate) fn max_pool_grad(k: &Kernels, pool: &mut Pool, arena: &mut Aligned, x: View, dy: View, dx: View, add: bool) {
    assert!(x.blocks == dy.blocks && x.h == 2 * dy.h && x.w == 2 * dy.w && same_shape(x, dx), "shapes differ");
    let base = Base::of(arena, &[x, dy], &[dx]);
    let (jobs, rows) = row_jobs(dy);
    pool.run(jobs, |job| {
        let (n, b, rows) = rows(job);
        for r in rows {
            let big = 2 * r * x.w * LANES;
            // SAFETY: whole rows of checked, disjoint views; every job writes its own rows.
            unsafe {
                let (x_at, dx_at) = (base.at(x.at(n, b) + big), base.at(dx.at(n, b) + big));
                (k.max_row_grad)(x_at, x.w * LANES, base.at(dy.at(n, b) + r * dy.w * LANES), dx_at, dy.w, add);
            }
        }
    });
}

/// `y = max(x, 0)`.
pub(crate) fn relu(k: &Kernels, pool: &mut Pool, arena: &mut Aligned, x: View, y: View) {
    assert!(same_shape(x, y), "shapes differ");
    let base = Base::of(arena, &[x], &[y]);
    let runs = Runs::of(x);
    pool.run(runs.count(), |job| {
        let (n, b, first, pixels) = runs.get(job);
        // SAFETY: runs of pixels of checked, disjoint views.
        unsafe { (k.relu)(base.at(x.at(n, b) + first * LANES), base.at(y.at(n, b) + first * LANES), pixels) };
    });
}

/// Backward of [`relu`].
pub(crate) fn relu_grad(k: &Kernels, pool: &mut Pool, arena: &mut Aligned, x: View, dy: View, dx: View, add: bool) {
    assert!(same_shape(x, dy) && same_shape(x, dx), "shapes differ");
    let base = Base::of(arena, &[x, dy], &[dx]);
    let runs = Runs::of(x);
    pool.run(runs.count(), |job| {
        let (n, b, first, pixels) = runs.get(job);
        let at = |v: View| v.at(n, b) + first * LANES;
        // SAFETY: runs of pixels of checked, disjoint views.
        unsafe { (k.relu_grad)(base.at(at(x)), base.at(at(dy)), base.at(at(dx)), pixels, add) };
    });
}

/// `1 / (1 + exp(-x))` without overflow.
pub(crate) fn sigmoid_of(x: f32) -> f32 {
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

/// Sigmoid of the channels in use; the padding of `y` stays zero.
pub(crate) fn sigmoid(pool: &mut Pool, arena: &mut Aligned, x: View, y: View, lanes: &[usize]) {
    assert!(same_shape(x, y) && lanes.len() == x.blocks, "shapes differ");
    let base = Base::of(arena, &[x], &[y]);
    each_run(pool, x, |n, b, first, pixels| {
        // SAFETY: runs of pixels of checked, disjoint views.
        let (from, to) = unsafe { (run(base, x, n, b, first, pixels), run_mut(base, y, n, b, first, pixels)) };
        for (x, y) in from.chunks_exact(LANES).zip(to.chunks_exact_mut(LANES)) {
            for l in 0..LANES {
                y[l] = if l < lanes[b] { sigmoid_of(x[l]) } else { 0.0 };
            }
        }
    });
}

/// Backward of [`sigmoid`] from its result: `dx = dy * y * (1 - y)`, added to `dx` if asked.
pub(crate) fn sigmoid_grad(pool: &mut Pool, arena: &mut Aligned, y: View, dy: View, dx: View, add: bool) {
    assert!(same_shape(y, dy) && same_shape(y, dx), "shapes differ");
    let base = Base::of(arena, &[y, dy], &[dx]);
    each_run(pool, y, |n, b, first, pixels| {
        // SAFETY: runs of pixels of checked views; `dx` is disjoint from both.
        let (y, dy, dx) = unsafe {
            (
                run(base, y, n, b, first, pixels),
                run(base, dy, n, b, first, pixels),
                run_mut(base, dx, n, b, first, pixels),
            )
        };
        for ((y, dy), dx) in y.iter().zip(dy).zip(dx) {
            let v = dy * y * (1.0 - y);
            *dx = if add { *dx + v } else { v };
        }
    });
}

/// `y = x`, or `y += x`.
pub(crate) fn copy(pool: &mut Pool, arena: &mut Aligned, x: View, y: View, add: bool) {
    assert!(same_shape(x, y) && x.format == y.format, "shapes differ");
    assert!(!add || x.format == Format::F32, "sums are of f32");
    let base = Base::of_any(arena, &[x], &[y]);
    each_run(pool, x, |n, b, first, pixels| {
        // SAFETY: runs of pixels of checked, disjoint views.
        let (from, to) = unsafe { (run(base, x, n, b, first, pixels), run_mut(base, y, n, b, first, pixels)) };
        if add {
            to.iter_mut().zip(from).for_each(|(y, x)| *y += x);
        } else {
            to.copy_from_slice(from);
        }
    });
}

/// Sets a view to zero.
pub(crate) fn zero(pool: &mut Pool, arena: &mut Aligned, y: View) {
    let base = Base::of(arena, &[], &[y]);
    // SAFETY: runs of pixels of a checked view.
    each_run(pool, y, |n, b, first, pixels| unsafe { run_mut(base, y, n, b, first, pixels) }.fill(0.0));
}

/// The bits of a magnitude; as whole numbers they are in the order of the magnitudes, and NaN comes last.
fn magnitude(v: f32) -> u32 {
    v.to_bits() & 0x7fff_ffff
}

/// Whether none is NaN or infinite.
pub(crate) fn all_finite(values: &[f32]) -> bool {
    values.iter().fold(0, |top, v| magnitude(*v).max(top)) < f32::INFINITY.to_bits()
}

/// `[n, c, h, w]` into a blocked view; the padding of partial blocks becomes zero. Returns whether all numbers were finite.
pub(crate) fn import(pool: &mut Pool, arena: &mut Aligned, from: &[f32], y: View, lanes: &[usize]) -> bool {
    let hw = y.pixels();
    let channels: usize = lanes.iter().sum();
    assert!(from.len() == y.n * channels * hw && lanes.len() == y.blocks, "shapes differ");
    let base = Base::of_any(arena, &[], &[y]);
    let largest = AtomicU32::new(0);
    each_run(pool, y, |n, b, first, pixels| {
        let before: usize = lanes[..b].iter().sum();
        // SAFETY: runs of pixels of a checked view.
        let to = unsafe { run_mut(base, y, n, b, first, pixels) };
        to.fill(0.0);
        let mut top = 0;
        for l in 0..lanes[b] {
            let plane = &from[(n * channels + before + l) * hw + first..][..pixels];
            match y.format {
                Format::F32 => to[l..].iter_mut().step_by(LANES).zip(plane).for_each(|(y, x)| *y = *x),
                Format::Bf16 => {
                    let places = to[l / 2..].iter_mut().step_by(Format::Bf16.pixel());
                    places.zip(plane).for_each(|(y, x)| *y = bf16::with_half(*y, l % 2, *x));
                }
            }
            top = plane.iter().fold(top, |top, x| magnitude(*x).max(top));
        }
        largest.fetch_max(top, Ordering::Relaxed);
    });
    largest.into_inner() < f32::INFINITY.to_bits()
}

/// A blocked view into `[n, c, h, w]`, through `map`. Returns whether all numbers were finite before it.
pub(crate) fn export(
    pool: &mut Pool,
    arena: &mut Aligned,
    x: View,
    lanes: &[usize],
    to: &mut [f32],
    map: impl Fn(f32) -> f32 + Sync,
) -> bool {
    let hw = x.pixels();
    let channels: usize = lanes.iter().sum();
    assert!(to.len() == x.n * channels * hw && lanes.len() == x.blocks, "shapes differ");
    let base = Base::of(arena, &[x], &[]);
    let target = Base::of_slice(to);
    let largest = AtomicU32::new(0);
    each_run(pool, x, |n, b, first, pixels| {
        let before: usize = lanes[..b].iter().sum();
        // SAFETY: runs of pixels of a checked view.
        let from = unsafe { run(base, x, n, b, first, pixels) };
        let mut top = 0;
        for l in 0..lanes[b] {
            // SAFETY: the plane of one channel, inside `to` by the length checked above; (image, channel, run) is one job's alone.
            let plane =
                unsafe { std::slice::from_raw_parts_mut(target.at((n * channels + before + l) * hw + first), pixels) };
            for (y, x) in plane.iter_mut().zip(from[l..].iter().step_by(LANES)) {
                *y = map(*x);
                top = magnitude(*x).max(top);
            }
        }
        largest.fetch_max(top, Ordering::Relaxed);
    });
    largest.into_inner() < f32::INFINITY.to_bits()
}

pub(super) fn same_shape(a: View, b: View) -> bool {
    a.n == b.n && a.blocks == b.blocks && a.size() == b.size()
}

/// Jobs over (image, block, run of rows), at least 16 where there are rows enough.
fn row_jobs(view: View) -> (usize, impl Fn(usize) -> (usize, usize, std::ops::Range<usize>)) {
    let View { n, blocks, h, .. } = view;
    let per_plane = 16_usize.div_ceil(n * blocks).min(h);
    let place = move |job: usize| {
        let (plane, run) = (job / per_plane, job % per_plane);
        (plane / blocks, plane % blocks, run * h / per_plane..(run + 1) * h / per_plane)
    };
    (n * blocks * per_plane, place)
}

pub(super) fn each_run(pool: &mut Pool, view: View, work: impl Fn(usize, usize, usize, usize) + Sync) {
    let runs = Runs::of(view);
    pool.run(runs.count(), |job| {
        let (n, b, first, pixels) = runs.get(job);
        work(n, b, first, pixels);
    });
}

/// # Safety
/// `base` comes from `view`, the run lies in the plane, and nobody writes it meanwhile.
pub(super) unsafe fn run<'a>(base: Base, view: View, n: usize, b: usize, first: usize, pixels: usize) -> &'a [f32] {
    // SAFETY: the caller's promise.
    unsafe {
        let pixel = view.format.pixel();
        std::slice::from_raw_parts(base.at(view.at(n, b) + first * pixel), pixels * pixel)
    }
}

/// # Safety
/// `base` comes from `view`, the run lies in the plane, and nobody else uses it meanwhile.
pub(super) unsafe fn run_mut<'a>(
    base: Base,
    view: View,
    n: usize,
    b: usize,
    first: usize,
    pixels: usize,
) -> &'a mut [f32] {
    // SAFETY: the caller's promise.
    unsafe {
        let pixel = view.format.pixel();
        std::slice::from_raw_parts_mut(base.at(view.at(n, b) + first * pixel), pixels * pixel)
    }
}
