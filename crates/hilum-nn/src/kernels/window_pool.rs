//! Maximum and average over windows of any size: every output position of an axis has a range of input positions.

use super::Kernels;
use super::buffer::{Aligned, Base, Format, LANES, View};
use super::pool::Pool;
use super::simd::{Number, Simd, sub_vectors};
use crate::geometry::Geometry;

/// What a window gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduce {
    Max,
    Mean,
}

/// The windows along one axis.
#[derive(Clone, Debug)]
struct Axis {
    /// First input position and one past the last, per output position.
    ranges: Vec<[usize; 2]>,
    /// What a mean divides by.
    divisors: Vec<usize>,
}

/// The arguments of one row of outputs.
pub(crate) struct PoolRow<'a> {
    /// The block's plane of input.
    x: *const f32,
    /// Floats from row to row of the input, and from slice to slice.
    row: usize,
    slice: usize,
    /// Of input and output.
    formats: [Format; 2],
    depth: [usize; 2],
    rows: [usize; 2],
    columns: &'a [[usize; 2]],
    /// The factor of a mean, per column.
    factors: &'a [f32],
    y: *mut f32,
    /// The plane of the input's gradient, backward.
    dx: *mut f32,
}

/// Calls `$body` with the offset of every input pixel under column `$c`, in row-major order; `$pixel` floats from pixel to pixel.
macro_rules! each_pixel {
    ($t:expr, $c:expr, $pixel:expr, |$at:ident| $body:expr) => {
        for z in $t.depth[0]..$t.depth[1] {
            for r in $t.rows[0]..$t.rows[1] {
                for c in $t.columns[$c][0]..$t.columns[$c][1] {
                    let $at = z * $t.slice + r * $t.row + c * $pixel;
                    $body
                }
            }
        }
    };
}

/// `y = max` over the windows of one row; a window with a NaN gives NaN, as in PyTorch.
///
/// # Safety
/// Ranges lie inside the plane at `x`, and `y` is valid for one pixel per column. They do not overlap.
#[inline(always)]
pub(crate) unsafe fn pool_max<S: Simd, N: Number<S>>(t: &PoolRow) {
    // SAFETY: the caller's promise.
    unsafe {
        let [from, to] = t.formats;
        for c in 0..t.columns.len() {
            for sub in sub_vectors!(S) {
                let (x, y) = (t.x.add(N::before(from, sub)), t.y.add(N::before(to, sub)));
                let first = t.depth[0] * t.slice + t.rows[0] * t.row + t.columns[c][0] * N::pixel(from);
                let mut max = N::load(x.add(first), from);
                each_pixel!(t, c, N::pixel(from), |at| max = S::max_or_nan(max, N::load(x.add(at), from)));
                N::store(y.add(c * N::pixel(to)), max, to);
            }
        }
    }
}

/// `dx += dy` at the first maximum of every window.
///
/// # Safety
/// As [`pool_max`], with `dx` like `x`, and `y` pointing to the gradient of the result.
#[inline(always)]
pub(crate) unsafe fn pool_max_grad<S: Simd>(t: &PoolRow) {
    // SAFETY: the caller's promise.
    unsafe {
        for c in 0..t.columns.len() {
            for sub in sub_vectors!(S) {
                let first = t.depth[0] * t.slice + t.rows[0] * t.row + t.columns[c][0] * LANES;
                let mut max = S::load(t.x.add(first + sub));
                each_pixel!(t, c, LANES, |at| max = S::max(max, S::load(t.x.add(at + sub))));
                // What is not handed out yet: subtracting what was given leaves exactly zero.
                let mut left = S::load(t.y.add(c * LANES + sub));
                each_pixel!(t, c, LANES, |at| {
                    let give = S::where_equal(S::load(t.x.add(at + sub)), max, left);
                    left = S::sub(left, give);
                    S::store(t.dx.add(at + sub), S::add(S::load(t.dx.add(at + sub)), give));
                });
            }
        }
    }
}

/// `y = factor * sum` over the windows of one row.
///
/// # Safety
/// As [`pool_max`].
#[inline(always)]
pub(crate) unsafe fn pool_mean<S: Simd, N: Number<S>>(t: &PoolRow) {
    // SAFETY: the caller's promise; factors are as many as columns.
    unsafe {
        let [from, to] = t.formats;
        for c in 0..t.columns.len() {
            for sub in sub_vectors!(S) {
                let (x, y) = (t.x.add(N::before(from, sub)), t.y.add(N::before(to, sub)));
                let mut sum = S::zero();
                each_pixel!(t, c, N::pixel(from), |at| sum = S::add(sum, N::load(x.add(at), from)));
                N::store(y.add(c * N::pixel(to)), S::mul(sum, S::splat(t.factors.as_ptr().add(c))), to);
            }
        }
    }
}

/// `dx += factor * dy` for every pixel of every window.
///
/// # Safety
/// As [`pool_max_grad`]; `x` is not read.
#[inline(always)]
pub(crate) unsafe fn pool_mean_grad<S: Simd>(t: &PoolRow) {
    // SAFETY: the caller's promise; factors are as many as columns.
    unsafe {
        for c in 0..t.columns.len() {
            for sub in sub_vectors!(S) {
                let give = S::mul(S::load(t.y.add(c * LANES + sub)), S::splat(t.factors.as_ptr().add(c)));
                each_pixel!(t, c, LANES, |at| S::store(t.dx.add(at + sub), S::add(S::load(t.dx.add(at + sub)), give)));
            }
        }
    }
}

/// Jobs worth having of a plane: eight threads find two each.
const MOST_SHARES: usize = 16;

/// Pooling between maps of fixed sizes.
pub(crate) struct WindowPool {
    reduce: Reduce,
    axes: [Axis; 3],
    /// Factors of a mean for every row of outputs.
    factors: Vec<f32>,
    input: [usize; 3],
    output: [usize; 3],
}

impl WindowPool {
    /// Pooling under a moving window. `count_padding`: a mean divides by the window's extent within the padded input (`count_include_pad`).
    pub(crate) fn moving(
        reduce: Reduce,
        g: &Geometry,
        input: [usize; 3],
        output: [usize; 3],
        count_padding: bool,
    ) -> Self {
        let axes = [0, 1, 2].map(|a| {
            let (mut ranges, mut divisors) = (Vec::new(), Vec::new());
            for i in 0..output[a] {
                let (from, to) = (i * g.stride[a], i * g.stride[a] + g.kernel[a]);
                let (from_padded, to_padded) = (from, to.min(input[a] + 2 * g.padding[a]));
                let inside = |v: usize| v.saturating_sub(g.padding[a]).min(input[a]);
                let range = [inside(from), inside(to)];
                ranges.push(range);
                divisors.push(if count_padding { to_padded - from_padded } else { range[1] - range[0] });
            }
            Axis { ranges, divisors }
        });
        Self::new(reduce, axes, input, output)
    }

    /// Pooling to `output` positions: along an axis, output `i` sees the positions from `floor(i * in / out)` to `ceil((i + 1) * in / out)`, as in PyTorch.
    pub(crate) fn adaptive(reduce: Reduce, input: [usize; 3], output: [usize; 3]) -> Self {
        let axes = [0, 1, 2].map(|a| {
            let (len, count) = (input[a], output[a]);
            let ranges: Vec<_> = (0..count).map(|i| [i * len / count, ((i + 1) * len).div_ceil(count)]).collect();
            Axis { divisors: ranges.iter().map(|[from, to]| to - from).collect(), ranges }
        });
        Self::new(reduce, axes, input, output)
    }

    /// The mean over the whole map.
    pub(crate) fn global(input: [usize; 3]) -> Self {
        let axes = input.map(|len| Axis { ranges: vec![[0, len]], divisors: vec![len] });
        Self::new(Reduce::Mean, axes, input, [1; 3])
    }

    fn new(reduce: Reduce, axes: [Axis; 3], input: [usize; 3], output: [usize; 3]) -> Self {
        for (axis, len) in axes.iter().zip(input) {
            assert!(axis.ranges.iter().all(|r| r[0] < r[1] && r[1] <= len), "a window without input");
        }
        let mut factors = Vec::new();
        for z in &axes[0].divisors {
            for r in &axes[1].divisors {
                factors.extend(axes[2].divisors.iter().map(|c| (1.0 / (z * r * c) as f64) as f32));
            }
        }
        Self { reduce, axes, factors, input, output }
    }

    /// Writes `y`.
    pub(crate) fn forward(&self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, x: View, y: View) {
        self.check(x, y);
        let formats = [x.format, y.format];
        assert!(k.format == Format::Bf16 || formats == [Format::F32; 2], "f32 alone");
        let base = Base::of_any(arena, &[x], &[y]);
        let row_fn = if self.reduce == Reduce::Max { k.pool_max } else { k.pool_mean };
        let [depth, height, width] = self.output;
        pool.run(y.n * y.blocks * depth, |job| {
            let (n, b, z) = (job / (y.blocks * depth), job / depth % y.blocks, job % depth);
            for r in 0..height {
                // SAFETY: ranges were checked in `new` and lie inside the views of these sizes; every job writes rows of its own.
                unsafe {
                    let to = base.at(y.at(n, b) + (z * height + r) * width * y.format.pixel());
                    row_fn(&self.row(formats, z, r, base.at(x.at(n, b)), to, std::ptr::null_mut()));
                }
            }
        });
    }

    /// Adds to `dx`. `x` is needed for a maximum only.
    pub(crate) fn backward(
        &self,
        k: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        x: Option<View>,
        dy: View,
        dx: View,
    ) {
        self.check(dx, dy);
        let x = x.inspect(|x| self.check(*x, dy));
        assert!(x.is_some() || self.reduce == Reduce::Mean, "a maximum's gradient needs the input");
        let base = Base::of(arena, &[x.unwrap_or(dy), dy], &[dx]);
        let row_fn = if self.reduce == Reduce::Max { k.pool_max_grad } else { k.pool_mean_grad };
        let [depth, height, width] = self.output;
        let [slices, runs] = self.shares();
        pool.run(dy.n * dy.blocks * slices * runs, |job| {
            let (plane, slice, run) = (job / (slices * runs), job / runs % slices, job % runs);
            let (n, b) = (plane / dy.blocks, plane % dy.blocks);
            let share = |i: usize, of: usize, all: usize| i * all / of..(i + 1) * all / of;
            for z in share(slice, slices, depth) {
                for r in share(run, runs, height) {
                    // SAFETY: as in `forward`; every job writes its own plane, or what only its own windows of the plane see.
                    unsafe {
                        let from = base.at(dy.at(n, b) + (z * height + r) * width * LANES);
                        let x = x.map_or(std::ptr::null(), |x| base.at(x.at(n, b)).cast_const());
                        row_fn(&self.row([Format::F32; 2], z, r, x, from, base.at(dx.at(n, b))));
                    }
                }
            }
        });
    }

    /// Parts of a plane's gradient, along depth and down, that no window crosses; windows that overlap leave the plane to one job.
    fn shares(&self) -> [usize; 2] {
        let apart = |axis: &Axis| axis.ranges.windows(2).all(|pair| pair[0][1] <= pair[1][0]);
        let most = |a: usize| if apart(&self.axes[a]) { self.output[a].min(MOST_SHARES) } else { 1 };
        // Slices suffice, where there are any.
        let slices = most(0);
        [slices, if slices > 1 { 1 } else { most(1) }]
    }

    fn row(&self, formats: [Format; 2], z: usize, r: usize, x: *const f32, y: *mut f32, dx: *mut f32) -> PoolRow<'_> {
        let [_, height, width] = self.output;
        let row = self.input[2] * formats[0].pixel();
        PoolRow {
            x,
            formats,
            row,
            slice: self.input[1] * row,
            depth: self.axes[0].ranges[z],
            rows: self.axes[1].ranges[r],
            columns: &self.axes[2].ranges,
            factors: &self.factors[(z * height + r) * width..][..width],
            y,
            dx,
        }
    }

    fn check(&self, x: View, y: View) {
        assert!(
            x.n == y.n && x.blocks == y.blocks && x.size() == self.input && y.size() == self.output,
            "shapes differ"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_is_shared_out_only_where_no_window_crosses() {
        let shares = |input, output| WindowPool::adaptive(Reduce::Max, input, output).shares();
        assert_eq!(shares([4, 4, 4], [2, 2, 2]), [2, 1]);
        assert_eq!(shares([64, 8, 8], [32, 4, 4]), [MOST_SHARES, 1]);
        assert_eq!(shares([1, 6, 6], [1, 3, 3]), [1, 3]);
        // 0..2, 1..4 and 3..5.
        assert_eq!(shares([1, 5, 6], [1, 3, 3]), [1, 1]);
        assert_eq!(shares([5, 6, 6], [3, 3, 3]), [1, 3]);
    }
}
