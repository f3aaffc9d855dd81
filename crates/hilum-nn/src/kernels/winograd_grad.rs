//! Gradient of 3x3 weights by Winograd's F(4x4, 3x3): `dW = G^T [sum over tiles of (A dY A^T) . (B^T X B)] G`, the transpose of the forward pass (Lavin
//! and Gray 2016, section 4.1).
//!
//! The sums over tiles are 36 matrix products, by the register tiles of [`super::conv_grad`]. Where they are small, ranges of tiles make partial sums of
//! their own, each by one job; where they are large, all threads transform a chunk of tiles and then share its products out by position. Either way the
//! order of additions is the shape's.

use super::Kernels;
use super::buffer::{Aligned, Base, Format, LANES, View};
use super::conv_grad::{WeightTile, WeightTileFn};
use super::pack;
use super::pool::Pool;
use super::winograd::{own_chunk, shared_chunk};
use super::winograd_tiles::{POSITIONS, Patch};

/// Partial sums made where each of them has tiles enough; a constant, so that the order of additions never depends on the machine.
const RANGES: usize = 16;
/// Tiles that pay for clearing, adding up and transforming one partial sum.
const RANGE_TILES: usize = 256;
/// Floats of a partial sum above which there is only one: as many again for every range would take too much memory.
const RANGE_SUMS: usize = 1 << 19;

/// The gradient of a 3x3 convolution's weights, stride 1, same padding, over fixed views.
pub(crate) struct WinogradGradient {
    x: View,
    dy: View,
    lanes: Vec<usize>,
    out_channels: Vec<Option<usize>>,
    tiles_h: usize,
    tiles_w: usize,
    /// Tiles transformed at a time.
    chunk: usize,
    /// Partial sums.
    ranges: usize,
    panels: Vec<(usize, usize)>,
    tile: fn(usize, usize, usize) -> WeightTileFn,
    group: fn(usize) -> usize,
}

impl WinogradGradient {
    /// `lanes` and `out_lanes`: channels in use per block of `x` and `dy`.
    pub(crate) fn new(k: &Kernels, x: View, lanes: &[usize], dy: View, out_lanes: &[usize]) -> Self {
        assert!(x.h == dy.h && x.w == dy.w, "same padding keeps the size");
        let (tiles_h, tiles_w) = (x.h.div_ceil(4), x.w.div_ceil(4));
        let all = x.n * tiles_h * tiles_w;
        let sums = POSITIONS * x.blocks * LANES * dy.blocks * LANES;
        let ranges = if all >= RANGES * RANGE_TILES && sums <= RANGE_SUMS { RANGES } else { 1 };
        let blocks = x.blocks + dy.blocks;
        let chunk = if ranges > 1 { own_chunk(blocks) } else { shared_chunk(blocks) };
        Self {
            x,
            dy,
            lanes: lanes.to_vec(),
            out_channels: pack::channels(out_lanes),
            tiles_h,
            tiles_w,
            chunk: chunk.min(all.div_ceil(ranges)),
            ranges,
            panels: pack::panels(k, dy.blocks).collect(),
            tile: k.weight_tile,
            group: k.weight_group,
        }
    }

    fn tiles(&self) -> usize {
        self.x.n * self.tiles_h * self.tiles_w
    }

    /// Floats between positions of transformed tiles: a line more than the data, as in the forward pass.
    fn stride(&self, blocks: usize) -> usize {
        (blocks * self.chunk + 1) * LANES
    }

    /// Floats of one chunk's transforms.
    fn chunk_len(&self) -> usize {
        POSITIONS * (self.stride(self.x.blocks) + self.stride(self.dy.blocks))
    }

    /// Floats of one partial sum, `[panel][position][input channel][output channel of the panel]`.
    fn sums_len(&self) -> usize {
        POSITIONS * self.x.blocks * LANES * self.dy.blocks * LANES
    }

    /// Floats of scratch that [`WinogradGradient::run`] needs on that many threads.
    pub(crate) fn scratch_len(&self, threads: usize) -> usize {
        self.ranges * self.sums_len() + if self.ranges > 1 { threads } else { 1 } * self.chunk_len()
    }

    /// Writes the gradient into `dw`, `[out, in, 3, 3]`.
    pub(crate) fn run(&self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, scratch: &mut [f32], dw: &mut [f32]) {
        let inputs: usize = self.lanes.iter().sum();
        assert!(dw.len() == self.out_channels.iter().flatten().count() * inputs * 9, "gradient has the wrong length");
        assert!(scratch.len() >= self.scratch_len(pool.threads()), "scratch too short");
        let base = Base::of(arena, &[self.x, self.dy], &[]);
        let (sums, chunks) = scratch.split_at_mut(self.ranges * self.sums_len());
        let (sums, chunks) = (Base::of_slice(sums), Base::of_slice(chunks));
        if self.ranges > 1 {
            pool.run_by_thread(self.ranges, |thread, range| {
                // SAFETY: views and scratch checked above; every thread has a chunk of its own, every range its own sums.
                unsafe { self.range(k, base, chunks.at(thread * self.chunk_len()), sums, range) };
            });
        } else {
            self.shared(k, pool, base, chunks, sums);
        }
        let target = Base::of_slice(dw);
        pool.run(self.panels.len() * self.x.blocks, |job| {
            let (panel, block) = (self.panels[job / self.x.blocks], job % self.x.blocks);
            // SAFETY: the sums are complete; `dw` has the length checked above, and every job writes its own pairs of channels.
            unsafe { self.finish(k, sums, target, panel, block, inputs) };
        });
    }

    /// The partial sum of one range of tiles, by one thread.
    ///
    /// # Safety
    /// `base` comes from the views of `self`, `v` is valid for [`WinogradGradient::chunk_len`] floats, `sums` for all ranges; no other thread uses `v` or
    /// the range's sums.
    unsafe fn range(&self, k: &Kernels, base: Base, v: *mut f32, sums: Base, range: usize) {
        // SAFETY: below the length of `sums`.
        let sums = unsafe { sums.at(range * self.sums_len()) };
        let bound = |r: usize| r * self.tiles() / self.ranges;
        for first in (bound(range)..bound(range + 1)).step_by(self.chunk) {
            let count = self.chunk.min(bound(range + 1) - first);
            // SAFETY: the caller's promise; `count` is at most `chunk`.
            unsafe {
                (0..self.x.blocks + self.dy.blocks).for_each(|block| self.transform(k, base, v, block, first, count));
                for position in 0..POSITIONS {
                    for &panel in &self.panels {
                        self.product(v, sums, position, panel, count, first == bound(range));
                    }
                }
            }
        }
    }

    /// The sum of all tiles: every chunk is transformed by blocks and multiplied by positions, on all threads.
    fn shared(&self, k: &Kernels, pool: &mut Pool, base: Base, v: Base, sums: Base) {
        for first in (0..self.tiles()).step_by(self.chunk) {
            let count = self.chunk.min(self.tiles() - first);
            pool.run(self.x.blocks + self.dy.blocks, |block| {
                // SAFETY: views and scratch were checked by `run`; every job writes its own block's part of the chunk.
                unsafe { self.transform(k, base, v.at(0), block, first, count) };
            });
            pool.run(POSITIONS * self.panels.len(), |job| {
                let (panel, position) = (self.panels[job / POSITIONS], job % POSITIONS);
                // SAFETY: as above, the chunk is complete; every job writes its own sums.
                unsafe { self.product(v.at(0), sums.at(0), position, panel, count, first == 0) };
            });
        }
    }

    /// Transforms tiles `first..first + count` of one block: those of `x`, then those of `dy`.
    ///
    /// # Safety
    /// `base` comes from the views of `self`; `v` is valid for [`WinogradGradient::chunk_len`] floats, and no other thread uses this block's; `count` is at
    /// most `chunk` and the tiles exist.
    unsafe fn transform(&self, k: &Kernels, base: Base, v: *mut f32, block: usize, first: usize, count: usize) {
        let (v_stride, z_stride) = (self.stride(self.x.blocks), self.stride(self.dy.blocks));
        let (h, w, per_image) = (self.x.h, self.x.w, self.tiles_h * self.tiles_w);
        for i in 0..count {
            let tile = first + i;
            let (n, ty, tx) = (tile / per_image, tile % per_image / self.tiles_w, tile % self.tiles_w);
            // SAFETY: the part of the patch or tile inside a checked view; tile `i` of the block is below `chunk`; the table belongs to this processor.
            unsafe {
                if let Some(block) = block.checked_sub(self.x.blocks) {
                    let from = base.at(self.dy.at(n, block) + (4 * ty * w + 4 * tx) * LANES);
                    let to = v.add(POSITIONS * v_stride + (block * self.chunk + i) * LANES);
                    let size = [4.min(h - 4 * ty), 4.min(w - 4 * tx)];
                    (k.transform_gradient)(from, w * LANES, size, to, z_stride);
                } else {
                    let patch =
                        Patch { row: 4 * ty as isize - 1, column: 4 * tx as isize - 1, h, w, format: Format::F32 };
                    let to = v.add((block * self.chunk + i) * LANES);
                    (k.transform_input)(base.at(self.x.at(n, block)), &patch, to, v_stride);
                }
            }
        }
    }

    /// Adds the products of `count` transformed tiles at one position to one panel of the sums, which are cleared before the first.
    ///
    /// # Safety
    /// `v` holds a transformed chunk of at least `count` tiles, `sums` is valid for [`WinogradGradient::sums_len`] floats, and no other thread uses the
    /// panel's at this position.
    unsafe fn product(
        &self,
        v: *const f32,
        sums: *mut f32,
        position: usize,
        (block, blocks): (usize, usize),
        count: usize,
        clear: bool,
    ) {
        let (v_stride, z_stride) = (self.stride(self.x.blocks), self.stride(self.dy.blocks));
        let (inputs, width) = (self.x.blocks * LANES, blocks * LANES);
        let tile = |group| (self.tile)(group, blocks, LANES);
        // SAFETY: panels tile the sums, positions a panel; channels stay in their block, since groups divide 16 and start at a multiple of themselves.
        unsafe {
            let sums = sums.add(POSITIONS * inputs * block * LANES + position * inputs * width);
            if clear {
                std::slice::from_raw_parts_mut(sums, inputs * width).fill(0.0);
            }
            let z = v.add(POSITIONS * v_stride + position * z_stride + block * self.chunk * LANES);
            for (ib, &lanes) in self.lanes.iter().enumerate() {
                let x = v.add(position * v_stride + ib * self.chunk * LANES);
                let mut i = 0;
                while i < lanes {
                    let group = (self.group)(lanes - i);
                    let dw = sums.add((ib * LANES + i) * width);
                    tile(group)(&WeightTile::product(x.add(i), z, self.chunk * LANES, count, dw));
                    i += group;
                }
            }
        }
    }

    /// Adds up the ranges for the pairs of one input block and one panel, and transforms them into `dw`.
    ///
    /// # Safety
    /// `sums` holds all ranges, `dw` `[out, inputs, 3, 3]`; no other thread uses these pairs of channels.
    unsafe fn finish(
        &self,
        k: &Kernels,
        sums: Base,
        dw: Base,
        (block, blocks): (usize, usize),
        in_block: usize,
        inputs: usize,
    ) {
        let (slots, width) = (self.x.blocks * LANES, blocks * LANES);
        let before: usize = self.lanes[..in_block].iter().sum();
        for lane in 0..self.lanes[in_block] {
            for b in 0..blocks {
                let mut taps = [[0.0; LANES]; 9];
                let at = POSITIONS * slots * block * LANES + (in_block * LANES + lane) * width + b * LANES;
                // SAFETY: one input channel and 16 output channels of every position of every range, inside the sums.
                unsafe { (k.gradient_of_sums)(sums.at(at), slots * width, self.ranges, self.sums_len(), &mut taps) };
                for (l, o) in self.out_channels[(block + b) * LANES..][..LANES].iter().enumerate() {
                    let Some(o) = *o else { continue };
                    // SAFETY: nine floats of one pair of channels, inside `dw`.
                    let to = unsafe { dw.at((o * inputs + before + lane) * 9).cast::<[f32; 9]>() };
                    let mut of_pair = [0.0; 9];
                    for tap in 0..9 {
                        of_pair[tap] = taps[tap][l];
                    }
                    // SAFETY: as above; an array of floats needs no more alignment than a float.
                    unsafe { to.write(of_pair) };
                }
            }
        }
    }
}
