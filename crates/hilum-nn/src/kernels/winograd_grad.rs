//! Gradient of 3x3 weights by Winograd's F(4x4, 3x3): `dW = G^T [sum over tiles of (A dY A^T) . (B^T X B)] G`, the transpose of the forward pass (Lavin
//! and Gray 2016, section 4.1).
//!
//! The sums over tiles are 36 matrix products, by the register tiles of [`super::conv_grad`]. Where they are small, ranges of tiles make partial sums of
//! their own, each by one job; where they are large, all threads transform a chunk of tiles and then share its products out by position. Either way the
//! order of additions is the shape's.

use super::Kernels;
use super::buffer::{Aligned, Base, LANES, View};
use super::conv_grad::{WeightTile, WeightTileFn};
use super::pack;
use super::pool::Pool;
use super::winograd::{ROOM, own_chunk, patch, shared_chunk, slice};
use super::winograd_tiles::{POSITIONS, ZEROS};
use super::winograd_tiling::{Square, Tiling};

/// Partial sums made where each of them has tiles enough; a constant, so that the order of additions never depends on the machine.
const RANGES: usize = 16;
/// Tiles that pay for clearing, adding up and transforming one partial sum.
const RANGE_TILES: usize = 256;
/// Floats of a partial sum above which there is only one: as many again for every range would take too much memory.
const RANGE_SUMS: usize = 1 << 19;

/// The gradient of the weights of a 3x3 or 3x3x3 convolution of stride 1, over fixed views.
pub(crate) struct WinogradGradient {
    x: View,
    dy: View,
    lanes: Vec<usize>,
    out_channels: Vec<Option<usize>>,
    square: Square,
    tiling: Tiling,
    /// Partial sums.
    ranges: usize,
    panels: Vec<(usize, usize)>,
    tile: fn(usize, usize, usize) -> WeightTileFn,
    group: fn(usize) -> usize,
}

impl WinogradGradient {
    /// `lanes` and `out_lanes`: channels in use per block of `x` and `dy`.
    pub(crate) fn new(k: &Kernels, square: Square, x: View, lanes: &[usize], dy: View, out_lanes: &[usize]) -> Self {
        let grown = |side: usize| side + 2 * square.padding;
        assert!(grown(x.h) == dy.h + 2 && grown(x.w) == dy.w + 2 && x.d == dy.d && x.n == dy.n, "sizes do not fit");
        let all = dy.n * dy.d * dy.h.div_ceil(4) * dy.w.div_ceil(4);
        let sums = square.slices * POSITIONS * x.blocks * LANES * dy.blocks * LANES;
        let blocks = x.blocks + dy.blocks;
        let tiling = |ranges: usize| {
            let chunk = if ranges > 1 { own_chunk(blocks) } else { shared_chunk(blocks) };
            Tiling::new(
                square,
                dy,
                chunk.min(all.div_ceil(ranges)),
                ROOM[usize::from(ranges == 1)],
                x.blocks,
                dy.blocks,
            )
        };
        let many = all >= RANGES * RANGE_TILES && sums <= RANGE_SUMS && tiling(RANGES).chunks() >= RANGES;
        let ranges = if many { RANGES } else { 1 };
        Self {
            x,
            dy,
            lanes: lanes.to_vec(),
            out_channels: pack::channels(out_lanes),
            square,
            tiling: tiling(ranges),
            ranges,
            panels: pack::panels(k, dy.blocks).collect(),
            tile: k.weight_tile,
            group: k.weight_group,
        }
    }

    /// Floats between positions of transformed tiles, of `x` and of `dy`: a line more than the data, as in the forward pass.
    fn strides(&self) -> [usize; 2] {
        [(self.x.blocks * self.tiling.inputs() + 1) * LANES, (self.dy.blocks * self.tiling.outputs() + 1) * LANES]
    }

    /// Floats of one chunk's transforms.
    fn chunk_len(&self) -> usize {
        POSITIONS * self.strides().iter().sum::<usize>()
    }

    /// Floats of one partial sum, `[slice][panel][position][input channel][output channel of the panel]`.
    fn sums_len(&self) -> usize {
        self.square.slices * self.slice_len()
    }

    fn slice_len(&self) -> usize {
        POSITIONS * self.x.blocks * LANES * self.dy.blocks * LANES
    }

    /// Floats of scratch that [`WinogradGradient::run`] needs on that many threads.
    pub(crate) fn scratch_len(&self, threads: usize) -> usize {
        self.ranges * self.sums_len() + if self.ranges > 1 { threads } else { 1 } * self.chunk_len()
    }

    /// Writes the gradient into `dw`, `[out, in, 3, 3]` or `[out, in, 3, 3, 3]`.
    pub(crate) fn run(&self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, scratch: &mut [f32], dw: &mut [f32]) {
        let (inputs, slices) = (self.lanes.iter().sum::<usize>(), self.square.slices);
        assert!(
            dw.len() == self.out_channels.iter().flatten().count() * inputs * slices * 9,
            "gradient has the wrong length"
        );
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
        pool.run(slices * self.panels.len() * self.x.blocks, |job| {
            let (of_kernel, job) = (job % slices, job / slices);
            let (panel, block) = (self.panels[job / self.x.blocks], job % self.x.blocks);
            // SAFETY: the sums are complete; `dw` has the length checked above, and every job writes its own pairs of channels.
            unsafe { self.finish(k, sums, target, of_kernel, panel, block, inputs) };
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
        let bound = |r: usize| r * self.tiling.chunks() / self.ranges;
        for chunk in bound(range)..bound(range + 1) {
            // SAFETY: the caller's promise.
            unsafe {
                (0..self.x.blocks + self.dy.blocks).for_each(|block| self.transform(k, base, v, block, chunk));
                for of_kernel in 0..self.square.slices {
                    for position in 0..POSITIONS {
                        for &panel in &self.panels {
                            self.product(v, sums, of_kernel, position, panel, chunk, chunk == bound(range));
                        }
                    }
                }
            }
        }
    }

    /// The sum of all tiles: every chunk is transformed by blocks and multiplied by positions, on all threads.
    fn shared(&self, k: &Kernels, pool: &mut Pool, base: Base, v: Base, sums: Base) {
        let panels = self.panels.len();
        for chunk in 0..self.tiling.chunks() {
            pool.run(self.x.blocks + self.dy.blocks, |block| {
                // SAFETY: views and scratch were checked by `run`; every job writes its own block's part of the chunk.
                unsafe { self.transform(k, base, v.at(0), block, chunk) };
            });
            pool.run(self.square.slices * POSITIONS * panels, |job| {
                let (of_kernel, job) = (job / (POSITIONS * panels), job % (POSITIONS * panels));
                let (panel, position) = (self.panels[job / POSITIONS], job % POSITIONS);
                // SAFETY: as above, the chunk is complete; every job writes its own sums.
                unsafe { self.product(v.at(0), sums.at(0), of_kernel, position, panel, chunk, chunk == 0) };
            });
        }
    }

    /// Transforms a chunk's tiles of one block: those of `x`, then those of `dy`.
    ///
    /// # Safety
    /// `base` comes from the views of `self`; `v` is valid for [`WinogradGradient::chunk_len`] floats, and no other thread uses this block's.
    unsafe fn transform(&self, k: &Kernels, base: Base, v: *mut f32, block: usize, chunk: usize) {
        let ([v_stride, z_stride], [inputs, outputs]) = (self.strides(), self.tiling.counts(chunk));
        let zero = |to: *mut f32, stride: usize| {
            for position in 0..POSITIONS {
                // SAFETY: 16 floats at every position of the chunk.
                unsafe { to.add(position * stride).copy_from(ZEROS.as_ptr(), LANES) };
            }
        };
        if let Some(block) = block.checked_sub(self.x.blocks) {
            let (h, w) = (self.dy.h, self.dy.w);
            for i in 0..outputs {
                // SAFETY: the part of the tile inside a checked view; tile `i` of the block is in the chunk; the table belongs to this processor.
                unsafe {
                    let to = v.add(POSITIONS * v_stride + (block * self.tiling.outputs() + i) * LANES);
                    let Some(place) = self.tiling.output(chunk, i) else {
                        zero(to, z_stride);
                        continue;
                    };
                    let [ty, tx] = place.tile;
                    let from = base.at(slice(self.dy, &place, block) + (4 * ty * w + 4 * tx) * LANES);
                    let size = [4.min(h - 4 * ty), 4.min(w - 4 * tx)];
                    (k.transform_gradient)(from, w * LANES, size, to, z_stride);
                }
            }
            return;
        }
        for i in 0..inputs {
            // SAFETY: as above, of the patch under the tile.
            unsafe {
                let to = v.add((block * self.tiling.inputs() + i) * LANES);
                match self.tiling.input(chunk, i) {
                    Some(place) => {
                        let patch = patch(&place, self.square, self.x);
                        (k.transform_input)(base.at(slice(self.x, &place, block)), &patch, to, v_stride);
                    }
                    None => zero(to, v_stride),
                }
            }
        }
    }

    /// Adds the products of a chunk's transformed tiles at one position, for one slice of the kernel, to one panel of the sums, which are cleared before
    /// the first.
    ///
    /// # Safety
    /// `v` holds the transformed chunk, `sums` is valid for [`WinogradGradient::sums_len`] floats, and no other thread uses the
    /// panel's at this position.
    unsafe fn product(
        &self,
        v: *const f32,
        sums: *mut f32,
        of_kernel: usize,
        position: usize,
        (block, blocks): (usize, usize),
        chunk: usize,
        clear: bool,
    ) {
        let ([v_stride, z_stride], [_, count]) = (self.strides(), self.tiling.counts(chunk));
        let (wide, narrow) = (self.tiling.inputs(), self.tiling.outputs());
        let (inputs, width) = (self.x.blocks * LANES, blocks * LANES);
        let tile = |group| (self.tile)(group, blocks, LANES);
        // SAFETY: panels tile the sums, positions a panel; channels stay in their block, since groups divide 16 and start at a multiple of themselves.
        unsafe {
            let panel = POSITIONS * inputs * block * LANES + position * inputs * width;
            let sums = sums.add(of_kernel * self.slice_len() + panel);
            if clear {
                std::slice::from_raw_parts_mut(sums, inputs * width).fill(0.0);
            }
            let z = v.add(POSITIONS * v_stride + position * z_stride + block * narrow * LANES);
            for (ib, &lanes) in self.lanes.iter().enumerate() {
                let x = v.add(position * v_stride + (ib * wide + of_kernel * self.tiling.step()) * LANES);
                let mut i = 0;
                while i < lanes {
                    let group = (self.group)(lanes - i);
                    let dw = sums.add((ib * LANES + i) * width);
                    tile(group)(&WeightTile::product(x.add(i), z, narrow * LANES, count, dw));
                    i += group;
                }
            }
        }
    }

    /// Adds up the ranges for the pairs of one input block and one panel under one slice of the kernel, and transforms them into `dw`.
    ///
    /// # Safety
    /// `sums` holds all ranges, `dw` `[out, inputs, slices, 3, 3]`; no other thread uses these pairs of channels.
    unsafe fn finish(
        &self,
        k: &Kernels,
        sums: Base,
        dw: Base,
        of_kernel: usize,
        (block, blocks): (usize, usize),
        in_block: usize,
        inputs: usize,
    ) {
        let (slots, width) = (self.x.blocks * LANES, blocks * LANES);
        let before: usize = self.lanes[..in_block].iter().sum();
        for lane in 0..self.lanes[in_block] {
            for b in 0..blocks {
                let mut taps = [[0.0; LANES]; 9];
                let at = of_kernel * self.slice_len()
                    + POSITIONS * slots * block * LANES
                    + (in_block * LANES + lane) * width
                    + b * LANES;
                // SAFETY: one input channel and 16 output channels of every position of every range, inside the sums.
                unsafe { (k.gradient_of_sums)(sums.at(at), slots * width, self.ranges, self.sums_len(), &mut taps) };
                for (l, o) in self.out_channels[(block + b) * LANES..][..LANES].iter().enumerate() {
                    let Some(o) = *o else { continue };
                    // SAFETY: nine floats of one pair of channels, inside `dw`.
                    let to = unsafe {
                        dw.at(((o * inputs + before + lane) * self.square.slices + of_kernel) * 9).cast::<[f32; 9]>()
                    };
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
