//! 3x3 convolution by Winograd's F(4x4, 3x3) (Lavin and Gray 2016), forward and backward data: 36 products where the direct kernel needs 144. The
//! gradient of the weights is in [`super::winograd_grad`].
//!
//! Channels are the lanes of all transforms, so these are vertical code. Tiles are taken in chunks whose transforms stay in the second-level cache;
//! between the transforms lie 36 small matrix products, run by the register tiles of [`super::conv`].

use super::Kernels;
use super::buffer::{Aligned, Base, LANES, View};
use super::conv::{Segment, Start, Tile, TileFn};
use super::pack::{self, Source};
use super::pool::Pool;
use super::simd::{Simd, sub_vectors};

/// Positions of the transformed 6x6 patch.
pub(super) const POSITIONS: usize = 36;
/// Floats that are to stay in the second-level cache.
const CACHE: usize = 128 << 10;
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
pub(super) unsafe fn times<S: Simd>(factor: f32, v: S::V) -> S::V {
    // SAFETY: the caller's promise; `factor` is one float.
    unsafe { S::mul(S::splat(&raw const factor), v) }
}

/// `factor * v + c`.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
pub(super) unsafe fn times_add<S: Simd>(factor: f32, v: S::V, c: S::V) -> S::V {
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

/// Where a 6x6 patch lies in its plane: its first row and column, which may be -1, and the plane's size.
pub(crate) struct Patch {
    pub(super) row: isize,
    pub(super) column: isize,
    pub(super) h: usize,
    pub(super) w: usize,
}

/// One patch of one block, transformed to 36 positions, `stride` floats apart.
///
/// # Safety
/// `plane` is valid for `h * w` pixels and `v` for 16 floats at each position.
#[inline(always)]
pub(crate) unsafe fn transform_input<S: Simd>(plane: *const f32, patch: &Patch, v: *mut f32, stride: usize) {
    // SAFETY: pixels outside the plane are not read; positions by the caller's promise.
    unsafe {
        let Patch { row, column, h, w } = *patch;
        let inner = row >= 0 && column >= 0 && row + 6 <= h as isize && column + 6 <= w as isize;
        for sub in sub_vectors!(S) {
            let mut d = [[S::zero(); 6]; 6];
            for i in 0..6 {
                for j in 0..6 {
                    let (r, c) = (row + i as isize, column + j as isize);
                    if inner || (r >= 0 && c >= 0 && r < h as isize && c < w as isize) {
                        d[j][i] = S::load(plane.offset((r * w as isize + c) * LANES as isize).add(sub));
                    }
                }
            }
            let mut t = [[S::zero(); 6]; 6];
            for j in 0..6 {
                let column = b_transposed::<S>(d[j]);
                for i in 0..6 {
                    t[i][j] = column[i];
                }
            }
            for i in 0..6 {
                let row = b_transposed::<S>(t[i]);
                for j in 0..6 {
                    S::store(v.add((i * 6 + j) * stride + sub), row[j]);
                }
            }
        }
    }
}

/// One 4x4 output tile of one block from its 36 positions, added to what `start` says, with ReLU; only `rows` x `columns` of it are stored.
///
/// # Safety
/// `m` is valid for 16 floats at each position, `bias` for 16 floats where `start` is `Bias`, `y` for `rows` x `columns` pixels, `y_row` floats from row
/// to row.
#[inline(always)]
pub(crate) unsafe fn transform_output<S: Simd>(
    m: *const f32,
    stride: usize,
    start: Start,
    bias: *const f32,
    relu: bool,
    y: *mut f32,
    y_row: usize,
    [rows, columns]: [usize; 2],
) {
    // SAFETY: the caller's promise.
    unsafe {
        for sub in sub_vectors!(S) {
            let bias = if matches!(start, Start::Bias) { S::load(bias.add(sub)) } else { S::zero() };
            let mut t = [[S::zero(); 6]; 4];
            for j in 0..6 {
                let mut column = [S::zero(); 6];
                for i in 0..6 {
                    column[i] = S::load(m.add((i * 6 + j) * stride + sub));
                }
                let column = a_transposed::<S>(column);
                for i in 0..4 {
                    t[i][j] = column[i];
                }
            }
            for i in 0..4 {
                let row = a_transposed::<S>(t[i]);
                for j in 0..4 {
                    if i < rows && j < columns {
                        let y = y.add(i * y_row + j * LANES + sub);
                        let first = if matches!(start, Start::Output) { S::load(y) } else { bias };
                        let v = S::add(row[j], first);
                        S::store(y, if relu { S::max(S::zero(), v) } else { v });
                    }
                }
            }
        }
    }
}

/// A 3x3 convolution, stride 1, same padding, over fixed views.
pub(crate) struct Winograd {
    x: View,
    y: View,
    tiles_h: usize,
    tiles_w: usize,
    /// Tiles of one job.
    chunk: usize,
    segments: Vec<Segment>,
    out_channels: Vec<Option<usize>>,
    depth: usize,
    panels: Vec<(usize, usize)>,
    /// Matrix products for panels of one and of two blocks, by number of tiles less one.
    products: [Vec<TileFn>; 2],
}

impl Winograd {
    /// `lanes`, `out_lanes`: channels in use per block.
    pub(crate) fn new(k: &Kernels, x: View, lanes: &[usize], y: View, out_lanes: &[usize]) -> Self {
        assert!(x.h == y.h && x.w == y.w, "same padding keeps the size");
        let (tiles_h, tiles_w) = (x.h.div_ceil(4), x.w.div_ceil(4));
        let all = x.n * tiles_h * tiles_w;
        let fits = CACHE / (POSITIONS * LANES * (x.blocks + y.blocks));
        // At least two jobs, for two threads, where there are tiles enough; whole register tiles of 8.
        let chunk = fits.clamp(24, 96).min(all.div_ceil(2)).next_multiple_of(8);
        let segments = lanes
            .iter()
            .enumerate()
            .map(|(b, &lanes)| Segment { offset: (b * chunk * LANES) as isize, lanes })
            .collect();
        let products = [1, 2].map(|blocks| {
            let widest = if blocks > k.panel_blocks { 0 } else { (k.max_pixels)(blocks) };
            (1..=widest).map(|tiles| (k.tile)(1, LANES, blocks, tiles, false, false)).collect()
        });
        Self {
            x,
            y,
            tiles_h,
            tiles_w,
            chunk,
            segments,
            out_channels: pack::channels(out_lanes),
            depth: lanes.iter().sum(),
            panels: pack::panels(k, y.blocks).collect(),
            products,
        }
    }

    /// Floats of transformed weights.
    pub(crate) fn weight_len(&self) -> usize {
        POSITIONS * self.position_weights()
    }

    fn position_weights(&self) -> usize {
        self.depth * self.y.blocks * LANES
    }

    /// Floats between positions: a line more than the data, so that positions do not fall on the same cache sets.
    fn stride(&self, blocks: usize) -> usize {
        (blocks * self.chunk + 1) * LANES
    }

    /// Floats of scratch that one thread needs.
    pub(crate) fn scratch_len(&self) -> usize {
        POSITIONS * (self.stride(self.x.blocks) + self.stride(self.y.blocks))
    }

    /// `G g G^T` of a weight tensor `[out, in, 3, 3]`, or of its kernels rotated and transposed where `source` is `Flipped`, in the order
    /// `[position][panel][input channel][output channel of the panel]`.
    pub(crate) fn pack(&self, k: &Kernels, pool: &mut Pool, source: Source, weights: &[f32], packed: &mut [f32]) {
        let outputs = self.out_channels.iter().flatten().count();
        assert!(weights.len() == outputs * self.depth * 9, "weight tensor has the wrong length");
        assert!(packed.len() >= self.weight_len(), "transformed weights do not fit");
        let flipped = match source {
            Source::Forward => false,
            Source::Flipped => true,
            Source::Up | Source::Down => panic!("a transposed 2x2 convolution is not run by Winograd"),
        };
        let target = Base::of_slice(packed);
        pool.run(self.panels.len() * self.segments.len(), |job| {
            let (block, blocks) = self.panels[job / self.segments.len()];
            let segment = job % self.segments.len();
            let first: usize = self.segments[..segment].iter().map(|s| s.lanes).sum();
            for i in first..first + self.segments[segment].lanes {
                for b in 0..blocks {
                    let mut taps = [[0.0; LANES]; 9];
                    for (lane, o) in self.out_channels[(block + b) * LANES..][..LANES].iter().enumerate() {
                        let Some(o) = *o else { continue };
                        let pair = if flipped { i * outputs + o } else { o * self.depth + i };
                        for (tap, w) in weights[pair * 9..][..9].iter().enumerate() {
                            taps[if flipped { 8 - tap } else { tap }][lane] = f64::from(*w);
                        }
                    }
                    let at = self.depth * block * LANES + (i * blocks + b) * LANES;
                    // SAFETY: 16 floats at every position, below the length checked above; panels and input blocks are disjoint, and each pair is one
                    // job's. The table belongs to this processor.
                    unsafe { (k.transform_weights)(&taps, target.at(at), self.position_weights()) };
                }
            }
        });
    }

    /// Runs it; `scratch` is [`Winograd::scratch_len`] floats for every thread of the pool.
    pub(crate) fn run(
        &self,
        k: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        weights: &[f32],
        bias: &[f32],
        start: Start,
        relu: bool,
        scratch: &mut [f32],
    ) {
        assert!(weights.len() >= self.weight_len(), "transformed weights too short");
        assert!(!matches!(start, Start::Bias) || bias.len() >= self.y.blocks * LANES, "bias too short");
        assert!(scratch.len() >= pool.threads() * self.scratch_len(), "scratch too short");
        let base = Base::of(arena, &[self.x], &[self.y]);
        let scratch = Base::of_slice(scratch);
        let all = self.x.n * self.tiles_h * self.tiles_w;
        pool.run_by_thread(all.div_ceil(self.chunk), |thread, job| {
            let tiles = job * self.chunk..((job + 1) * self.chunk).min(all);
            // SAFETY: views, weights, bias and scratch were checked above; every thread has scratch of its own, every job its own output tiles.
            unsafe { self.chunk(k, base, weights, bias, start, relu, scratch.at(thread * self.scratch_len()), tiles) };
        });
    }

    /// # Safety
    /// `base` comes from the views of `self`, `weights` and `bias` have the lengths that `run` checks, and `v` is valid for
    /// [`Winograd::scratch_len`] floats that no other thread uses.
    unsafe fn chunk(
        &self,
        k: &Kernels,
        base: Base,
        weights: &[f32],
        bias: &[f32],
        start: Start,
        relu: bool,
        v: *mut f32,
        tiles: std::ops::Range<usize>,
    ) {
        let (v_stride, m_stride) = (self.stride(self.x.blocks), self.stride(self.y.blocks));
        // SAFETY: inside the scratch.
        let m = unsafe { v.add(POSITIONS * v_stride) };
        let per_image = self.tiles_h * self.tiles_w;
        let place = |tile: usize| (tile / per_image, tile % per_image / self.tiles_w, tile % self.tiles_w);
        for block in 0..self.x.blocks {
            for (i, tile) in tiles.clone().enumerate() {
                let (n, ty, tx) = place(tile);
                let patch = Patch { row: 4 * ty as isize - 1, column: 4 * tx as isize - 1, h: self.x.h, w: self.x.w };
                // SAFETY: a plane of a checked view; tile `i` of the block is below `chunk`.
                unsafe {
                    let to = v.add((block * self.chunk + i) * LANES);
                    (k.transform_input)(base.at(self.x.at(n, block)), &patch, to, v_stride);
                }
            }
        }
        let count = tiles.len();
        for position in 0..POSITIONS {
            for &(block, blocks) in &self.panels {
                let products = &self.products[blocks - 1];
                let w = &weights[position * self.position_weights() + self.depth * block * LANES..];
                let parts = count.div_ceil(products.len());
                for part in 0..parts {
                    let (first, last) = (part * count / parts, (part + 1) * count / parts);
                    // SAFETY: tiles `first..last` of the chunk, all blocks of it in the segments; the table belongs to this processor.
                    unsafe {
                        let x = v.add(position * v_stride + first * LANES);
                        let y = m.add(position * m_stride + (block * self.chunk + first) * LANES);
                        let t = Tile::product(x, &self.segments, w.as_ptr(), y, self.chunk * LANES);
                        products[last - first - 1](&t);
                    }
                }
            }
        }
        for block in 0..self.y.blocks {
            for (i, tile) in tiles.clone().enumerate() {
                let (n, ty, tx) = place(tile);
                let size = [4.min(self.y.h - 4 * ty), 4.min(self.y.w - 4 * tx)];
                let at = self.y.at(n, block) + (4 * ty * self.y.w + 4 * tx) * LANES;
                // SAFETY: the part of the tile inside a checked view; bias checked by `run`.
                unsafe {
                    let from = m.add((block * self.chunk + i) * LANES);
                    let bias =
                        if matches!(start, Start::Bias) { bias[block * LANES..].as_ptr() } else { std::ptr::null() };
                    (k.transform_output)(from, m_stride, start, bias, relu, base.at(at), self.y.w * LANES, size);
                }
            }
        }
    }
}
