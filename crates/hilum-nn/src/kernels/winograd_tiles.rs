//! The transforms of Winograd's F(4x4, 3x3) for activations, results and gradients: vertical code, with channels as lanes.

use super::buffer::{Format, LANES};
use super::conv::Start;
use super::norm::Lanes;
use super::simd::{Number, Simd, sub_vectors};

/// Positions of the transformed 6x6 patch.
pub(super) const POSITIONS: usize = 36;

/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
unsafe fn times<S: Simd>(factor: f32, v: S::V) -> S::V {
    // SAFETY: the caller's promise; `factor` is one float.
    unsafe { S::mul(S::splat(&raw const factor), v) }
}

/// `factor * v + c`.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
unsafe fn times_add<S: Simd>(factor: f32, v: S::V, c: S::V) -> S::V {
    // SAFETY: the caller's promise; `factor` is one float.
    unsafe { S::fma(S::splat(&raw const factor), v, c) }
}

/// `B^T d`.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
unsafe fn b_transposed<S: Simd>(d: [S::V; 6]) -> [S::V; 6] {
    // SAFETY: the caller's promise.
    unsafe {
        let (a, b) = (times_add::<S>(-4.0, d[2], d[4]), times_add::<S>(-4.0, d[1], d[3]));
        let (c, e) = (S::sub(d[4], d[2]), times::<S>(2.0, S::sub(d[3], d[1])));
        [
            times_add::<S>(4.0, d[0], times_add::<S>(-5.0, d[2], d[4])),
            S::add(a, b),
            S::sub(a, b),
            S::add(c, e),
            S::sub(c, e),
            times_add::<S>(4.0, d[1], times_add::<S>(-5.0, d[3], d[5])),
        ]
    }
}

/// `A^T m`.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
unsafe fn a_transposed<S: Simd>(m: [S::V; 6]) -> [S::V; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        let (s1, d1) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let (s2, d2) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        [
            S::add(S::add(m[0], s1), s2),
            times_add::<S>(2.0, d2, d1),
            times_add::<S>(4.0, s2, s1),
            S::add(times_add::<S>(8.0, d2, d1), m[5]),
        ]
    }
}

/// 1 / sqrt(2) and sqrt(2).
const ROOTS: [f32; 2] = [std::f32::consts::FRAC_1_SQRT_2, std::f32::consts::SQRT_2];

/// `B^T d` for the points 0, +-1/sqrt(2), +-sqrt(2) and infinity: of those whose transforms cost as little, the ones that magnify the rounding of products
/// to bf16 the least, half as much as 0, +-1, +-2.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
unsafe fn b_of_roots<S: Simd>(d: [S::V; 6]) -> [S::V; 6] {
    // SAFETY: the caller's promise.
    unsafe {
        let [low, high] = ROOTS;
        let (a, b) = (times_add::<S>(-2.0, d[2], d[4]), times::<S>(low, times_add::<S>(-2.0, d[1], d[3])));
        let (c, e) = (times_add::<S>(-0.5, d[2], d[4]), times::<S>(high, times_add::<S>(-0.5, d[1], d[3])));
        [
            S::add(d[0], times_add::<S>(-2.5, d[2], d[4])),
            S::add(a, b),
            S::sub(a, b),
            S::add(c, e),
            S::sub(c, e),
            S::add(d[1], times_add::<S>(-2.5, d[3], d[5])),
        ]
    }
}

/// `A^T m` for the points of [`b_of_roots`].
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
unsafe fn a_of_roots<S: Simd>(m: [S::V; 6]) -> [S::V; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        let [low, high] = ROOTS;
        let (s1, d1) = (S::add(m[1], m[2]), times::<S>(low, S::sub(m[1], m[2])));
        let (s2, d2) = (S::add(m[3], m[4]), times::<S>(high, S::sub(m[3], m[4])));
        [
            S::add(S::add(m[0], s1), s2),
            S::add(d1, d2),
            times_add::<S>(2.0, s2, times::<S>(0.5, s1)),
            times_add::<S>(2.0, d2, times_add::<S>(0.5, d1, m[5])),
        ]
    }
}

/// The input's transform for products of `N`.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
unsafe fn input_points<S: Simd, N: Number<S>>(d: [S::V; 6]) -> [S::V; 6] {
    // SAFETY: the caller's promise.
    unsafe {
        match N::FORMAT {
            Format::F32 => b_transposed::<S>(d),
            Format::Bf16 => b_of_roots::<S>(d),
        }
    }
}

/// The output's transform for products of `N`.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
unsafe fn output_points<S: Simd, N: Number<S>>(m: [S::V; 6]) -> [S::V; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        match N::FORMAT {
            Format::F32 => a_transposed::<S>(m),
            Format::Bf16 => a_of_roots::<S>(m),
        }
    }
}

/// Where a 6x6 patch lies in its plane: its first row and column, which may be -1, and the plane's size.
pub(crate) struct Patch {
    pub(super) row: isize,
    pub(super) column: isize,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) format: Format,
}

/// Where a 4x4 tile goes: floats from row to row, rows and columns of it that exist, and its format.
#[derive(Clone, Copy)]
pub(crate) struct Landing {
    pub(super) row: usize,
    pub(super) size: [usize; 2],
    pub(super) format: Format,
}

/// One patch of one block, transformed to 36 positions, `stride` floats apart, in the format of `N`.
///
/// # Safety
/// `plane` is valid for `h * w` pixels and `v` for 16 channels at each position.
#[inline(always)]
pub(crate) unsafe fn transform_input<S: Simd, N: Number<S>>(
    plane: *const f32,
    patch: &Patch,
    v: *mut f32,
    stride: usize,
) {
    // SAFETY: pixels outside the plane are not read; positions by the caller's promise.
    unsafe {
        let Patch { row, column, h, w, format } = *patch;
        let pixel = N::pixel(format);
        let first = plane.wrapping_offset((row * w as isize + column) * pixel as isize);
        let at = |i: usize, j: usize| first.wrapping_add((i * w + j) * pixel);
        if row >= 0 && column >= 0 && row + 6 <= h as isize && column + 6 <= w as isize {
            transform_patch::<S, N>(at, format, v, stride);
        } else {
            let inside = |first: isize, i: usize, size: usize| (0..size as isize).contains(&(first + i as isize));
            let rows: [bool; 6] = std::array::from_fn(|i| inside(row, i, h));
            let columns: [bool; 6] = std::array::from_fn(|j| inside(column, j, w));
            let at = |i, j| if rows[i] & columns[j] { at(i, j) } else { ZEROS.as_ptr() };
            transform_patch::<S, N>(at, format, v, stride);
        }
    }
}

/// What a tile reads in place of pixels outside the map.
pub(super) static ZEROS: [f32; LANES] = [0.0; LANES];

/// `B^T d B` of the 6x6 pixels that `at` points to.
///
/// # Safety
/// `at` gives valid pixels, `v` is valid for 16 channels at each position.
#[inline(always)]
unsafe fn transform_patch<S: Simd, N: Number<S>>(
    at: impl Fn(usize, usize) -> *const f32,
    format: Format,
    v: *mut f32,
    stride: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for sub in sub_vectors!(S) {
            let mut t = [[S::zero(); 6]; 6];
            for j in 0..6 {
                let d = |i: usize| N::load(at(i, j).add(N::before(format, sub)), format);
                let column = input_points::<S, N>([d(0), d(1), d(2), d(3), d(4), d(5)]);
                for i in 0..6 {
                    t[i][j] = column[i];
                }
            }
            for i in 0..6 {
                let row = input_points::<S, N>(t[i]);
                for j in 0..6 {
                    N::store(v.add((i * 6 + j) * stride + N::before(N::FORMAT, sub)), row[j], N::FORMAT);
                }
            }
        }
    }
}

/// One 4x4 output tile of one block from its 36 positions, added to what `start` says, with ReLU; only the rows and columns that exist are stored.
///
/// # Safety
/// `m` is valid for 16 floats at each position, `bias` for 16 floats where `start` is `Bias`, `y` for the rows and columns that exist.
#[inline(always)]
pub(crate) unsafe fn transform_output<S: Simd, N: Number<S>>(
    m: *const f32,
    stride: usize,
    start: Start,
    bias: *const f32,
    relu: bool,
    y: *mut f32,
    landing: Landing,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let Landing { row: y_row, size: [rows, columns], format } = landing;
        // Below this nothing is stored.
        let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
        let (floor, add) = (S::splat(&raw const floor), matches!(start, Start::Output));
        for sub in sub_vectors!(S) {
            let bias = if matches!(start, Start::Bias) { S::load(bias.add(sub)) } else { S::zero() };
            let y = y.add(N::before(format, sub));
            let tile = output_tile::<S, N>(m.add(sub), stride);
            let whole = rows == 4 && columns == 4;
            for i in 0..4 {
                for j in 0..4 {
                    if whole || (i < rows && j < columns) {
                        let to = y.add(i * y_row + j * N::pixel(format));
                        let first = if add { N::load(to, format) } else { bias };
                        N::store(to, S::max(floor, S::add(tile[i][j], first)), format);
                    }
                }
            }
        }
    }
}

/// `A^T m A` of one register's channels.
///
/// # Safety
/// `m` is valid for one register at each position.
#[inline(always)]
unsafe fn output_tile<S: Simd, N: Number<S>>(m: *const f32, stride: usize) -> [[S::V; 4]; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut t = [[S::zero(); 6]; 4];
        for j in 0..6 {
            let at = |i: usize| S::load(m.add((i * 6 + j) * stride));
            let column = output_points::<S, N>([at(0), at(1), at(2), at(3), at(4), at(5)]);
            for i in 0..4 {
                t[i][j] = column[i];
            }
        }
        let row = |i: usize| output_points::<S, N>(t[i]);
        [row(0), row(1), row(2), row(3)]
    }
}

/// `A y`.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
unsafe fn a<S: Simd>(y: [S::V; 4]) -> [S::V; 6] {
    // SAFETY: the caller's promise.
    unsafe {
        let (even, odd) = (S::add(y[0], y[2]), S::add(y[1], y[3]));
        let (even2, odd2) = (times_add::<S>(4.0, y[2], y[0]), times_add::<S>(8.0, y[3], times::<S>(2.0, y[1])));
        [y[0], S::add(even, odd), S::sub(even, odd), S::add(even2, odd2), S::sub(even2, odd2), y[3]]
    }
}

/// `G^T m`.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
unsafe fn g_transposed<S: Simd>(m: [S::V; 6]) -> [S::V; 3] {
    // SAFETY: the caller's promise.
    unsafe {
        let (s1, s2) = (S::add(m[1], m[2]), S::add(m[3], m[4]));
        let (d1, d2) = (S::sub(m[2], m[1]), S::sub(m[3], m[4]));
        [
            times_add::<S>(0.25, m[0], times_add::<S>(-1.0 / 6.0, s1, times::<S>(1.0 / 24.0, s2))),
            times_add::<S>(1.0 / 6.0, d1, times::<S>(1.0 / 12.0, d2)),
            times_add::<S>(1.0 / 6.0, S::sub(s2, s1), m[5]),
        ]
    }
}

/// One 4x4 tile of one block of the output's gradient, transformed to 36 positions, `stride` floats apart; beyond `rows` x `columns` it is zero.
///
/// # Safety
/// `dy` is valid for `rows` x `columns` pixels, `dy_row` floats from row to row, and `z` for 16 floats at each position.
#[inline(always)]
pub(crate) unsafe fn transform_gradient<S: Simd>(
    dy: *const f32,
    dy_row: usize,
    [rows, columns]: [usize; 2],
    z: *mut f32,
    stride: usize,
) {
    // SAFETY: pixels outside the tile are not read; positions by the caller's promise.
    unsafe {
        let at = |i: usize, j: usize| dy.wrapping_add(i * dy_row + j * LANES);
        if rows == 4 && columns == 4 {
            transform_tile::<S>(at, z, stride);
        } else {
            let at = |i, j| if i < rows && j < columns { at(i, j) } else { ZEROS.as_ptr() };
            transform_tile::<S>(at, z, stride);
        }
    }
}

/// `A y A^T` of the 4x4 pixels that `at` points to.
///
/// # Safety
/// `at` gives valid pixels, `z` is valid for 16 floats at each position.
#[inline(always)]
unsafe fn transform_tile<S: Simd>(at: impl Fn(usize, usize) -> *const f32, z: *mut f32, stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        for sub in sub_vectors!(S) {
            let mut t = [[S::zero(); 4]; 6];
            for j in 0..4 {
                let y = |i: usize| S::load(at(i, j).add(sub));
                let column = a::<S>([y(0), y(1), y(2), y(3)]);
                for i in 0..6 {
                    t[i][j] = column[i];
                }
            }
            for i in 0..6 {
                let row = a::<S>(t[i]);
                for j in 0..6 {
                    S::store(z.add((i * 6 + j) * stride + sub), row[j]);
                }
            }
        }
    }
}

/// `G^T m G` for 16 output channels, where `m` is the sum of `parts` partial sums, `part` floats apart, each with positions `stride` floats apart.
///
/// # Safety
/// `sums` is valid for 16 floats at each position of each part.
#[inline(always)]
pub(crate) unsafe fn gradient_of_sums<S: Simd>(
    sums: *const f32,
    stride: usize,
    parts: usize,
    part: usize,
    taps: &mut [Lanes; 9],
) {
    // SAFETY: the caller's promise; `taps` holds 16 lanes each.
    unsafe {
        for sub in sub_vectors!(S) {
            let mut t = [[S::zero(); 6]; 3];
            for j in 0..6 {
                let mut column = [S::zero(); 6];
                for p in 0..parts {
                    for i in 0..6 {
                        let at = p * part + (i * 6 + j) * stride + sub;
                        column[i] = S::add(column[i], S::load(sums.add(at)));
                    }
                }
                let column = g_transposed::<S>(column);
                for i in 0..3 {
                    t[i][j] = column[i];
                }
            }
            for i in 0..3 {
                let row = g_transposed::<S>(t[i]);
                for j in 0..3 {
                    S::store(taps[i * 3 + j].as_mut_ptr().add(sub), row[j]);
                }
            }
        }
    }
}
