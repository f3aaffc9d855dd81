//! 3x3 convolution by Winograd's F(4x4, 3x3) (Lavin and Gray 2016), forward and backward data: 36 products where the direct kernel needs 144. The
//! gradient of the weights is in [`super::winograd_grad`].
//!
//! Between the transforms ([`super::winograd_tiles`]) lie 36 matrix products, run by the register tiles of [`super::conv`]. Where the weights are small,
//! a job takes a chunk of tiles from end to end, whose transforms stay in the second-level cache. Where they are large, all threads transform a chunk
//! and then share its products out by position, so that the weights pass through the caches once. The bits do not depend on the chunks.
//!
//! A 3x3x3 kernel is three 3x3 kernels over three slices, whose products are summed before the transform back: to the matrix products the slices of a
//! chunk are tiles one after the other, and the three slices under a tile are channels of it that begin so many tiles later.
//!
//! With products of bf16, the transforms are f32 and only what enters a product is rounded, weights and patches alike, after its transform. The points
//! are other ones then (see [`super::winograd_tiles`]), because what rounding does to a product is magnified on the way back.

use super::Kernels;
use std::ops::Range;

use super::bf16::pair_rows;
use super::buffer::{Aligned, Base, Format, LANES, View};
use super::conv::{Segment, Start, Tile, TileFn};
use super::pack::{self, Source};
use super::pool::Pool;
use super::winograd_tiles::{Landing, POSITIONS, Patch};

/// Floats of weights from which on the threads share a chunk.
const SHARED_WEIGHTS: usize = 1 << 21;

/// Tiles whose transforms, of so many blocks in all, stay in the second-level cache.
pub(super) fn own_chunk(blocks: usize) -> usize {
    ((128 << 10) / (POSITIONS * LANES * blocks)).clamp(24, 96)
}

/// Tiles that the threads transform together: the third-level cache holds them.
pub(super) fn shared_chunk(blocks: usize) -> usize {
    ((1 << 20) / (POSITIONS * LANES * blocks)).clamp(64, 256)
}

/// At most `most` of `all` tiles, in whole register tiles of `unit`, so that four threads, or two, have about the same to do.
fn balanced_chunk(all: usize, most: usize, unit: usize) -> usize {
    let longest = |chunk: &usize| all.div_ceil(*chunk).next_multiple_of(4) * chunk;
    let chunks = (1..=most / unit).map(|units| units * unit);
    chunks.rev().min_by_key(longest).unwrap_or(unit)
}

/// Slices of a volume that are transformed together: of a chunk's, the first and the last are transformed for their neighbours too.
const SLICES: usize = 8;
/// Chunks of their own that keep the threads busy.
const OWN_CHUNKS: usize = 4;

/// A chunk: tiles of a slice, and slices.
#[derive(Clone)]
struct Part {
    tiles: Range<usize>,
    slices: Range<usize>,
}

/// A 3x3 or 3x3x3 convolution, stride 1, same padding, over fixed views.
pub(crate) struct Winograd {
    x: View,
    y: View,
    tiles_h: usize,
    tiles_w: usize,
    /// Tiles of a slice transformed at a time.
    chunk: usize,
    /// Slices computed at a time; 1 of an image.
    slices: usize,
    /// Kernel taps along the depth, 1 or 3.
    taps: usize,
    /// Whether the threads share a chunk; else every job has its own.
    shared: bool,
    /// What products read.
    format: Format,
    /// Input channels in use per block.
    lanes: Vec<usize>,
    segments: Vec<Segment>,
    out_channels: Vec<Option<usize>>,
    depth: usize,
    panels: Vec<(usize, usize)>,
    /// Matrix products for panels of one and of two blocks, by number of tiles less one.
    products: [Vec<TileFn>; 2],
}

impl Winograd {
    /// `lanes`, `out_lanes`: channels in use per block; `taps` along the depth, 1 of images or 3.
    pub(crate) fn new(k: &Kernels, taps: usize, x: View, lanes: &[usize], y: View, out_lanes: &[usize]) -> Self {
        assert!(x.size() == y.size() && (taps == 3 || (taps == 1 && x.d == 1)), "same padding keeps the size");
        let (tiles_h, tiles_w) = (x.h.div_ceil(4), x.w.div_ceil(4));
        let all = x.n * tiles_h * tiles_w;
        assert!(k.format == Format::Bf16 || [x.format, y.format] == [Format::F32; 2], "f32 alone");
        let rows = k.rows(lanes);
        let (depth, blocks) = (taps * rows.iter().sum::<usize>(), x.blocks + y.blocks);
        let unit = (k.max_pixels)(k.panel_blocks);
        let large = POSITIONS * depth * y.blocks * LANES >= SHARED_WEIGHTS;
        let (shared, chunk, slices) = if taps == 1 {
            let shared = shared_chunk(blocks).min(all).next_multiple_of(unit);
            (large, if large { shared } else { balanced_chunk(all, own_chunk(blocks), unit) }, 1)
        } else {
            let slices = x.d.div_ceil(x.d.div_ceil(SLICES));
            let tiles = |most: usize| all.div_ceil(all.div_ceil((most / slices).max(1)));
            let own = tiles(own_chunk(blocks));
            let shared = large || all.div_ceil(own) * x.d.div_ceil(slices) < OWN_CHUNKS;
            (shared, if shared { tiles(shared_chunk(blocks)) } else { own }, slices)
        };
        let segment = |tap: usize, b: usize| Segment {
            offset: ((b * (slices + taps - 1) + tap) * chunk * k.format.pixel()) as isize,
            lanes: rows[b],
        };
        let segments =
            (0..taps).flat_map(|tap| (0..rows.len()).map(move |b| (tap, b))).map(|(t, b)| segment(t, b)).collect();
        let products = [1, 2].map(|blocks| {
            let widest = if blocks > k.panel_blocks { 0 } else { (k.max_pixels)(blocks) };
            (1..=widest).map(|tiles| (k.tile)(1, k.format.pixel(), blocks, tiles, false, false)).collect()
        });
        Self {
            x,
            y,
            tiles_h,
            tiles_w,
            chunk,
            slices,
            taps,
            shared,
            format: k.format,
            lanes: lanes.to_vec(),
            segments,
            out_channels: pack::channels(out_lanes),
            depth,
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

    /// Floats between positions of transformed inputs: a line more than the data, so that positions do not fall on the same cache sets.
    fn v_stride(&self) -> usize {
        self.x.blocks * self.read_slices() * self.chunk * self.format.pixel() + LANES
    }

    /// Floats between positions of products, likewise.
    fn m_stride(&self) -> usize {
        (self.y.blocks * self.slices * self.chunk + 1) * LANES
    }

    /// Slices that a chunk reads.
    fn read_slices(&self) -> usize {
        self.slices + self.taps - 1
    }

    /// Floats of one chunk's transforms.
    fn chunk_len(&self) -> usize {
        POSITIONS * (self.v_stride() + self.m_stride())
    }

    /// Floats of scratch that [`Winograd::run`] needs on that many threads.
    pub(crate) fn scratch_len(&self, threads: usize) -> usize {
        if self.shared { self.chunk_len() } else { threads * self.chunk_len() }
    }

    /// `G g G^T` of a weight tensor `[out, in, 3, 3]` or `[out, in, 3, 3, 3]`, or of its kernels rotated and transposed where `source` is `Flipped`, in
    /// the order `[position][panel][tap along the depth][input channel][output channel of the panel]`.
    /// For products of bf16, input channels are side by side in pairs.
    pub(crate) fn pack(&self, k: &Kernels, pool: &mut Pool, source: Source, weights: &[f32], packed: &mut [f32]) {
        assert!(packed.len() >= self.weight_len(), "transformed weights do not fit");
        if self.format == Format::F32 {
            return self.transform_weights(k, pool, source, weights, packed);
        }
        let mut wide = vec![0.0; POSITIONS * self.inputs() * self.y.blocks * LANES];
        self.transform_weights(k, pool, source, weights, &mut wide);
        let target = Base::of_slice(packed);
        pool.run(POSITIONS * self.panels.len(), |job| {
            let (position, (block, blocks)) = (job / self.panels.len(), self.panels[job % self.panels.len()]);
            let panel = |depth: usize| (depth * LANES * (position * self.y.blocks + block), depth * LANES * blocks);
            let ((from, read), (to, written)) = (panel(self.inputs()), panel(self.depth));
            // SAFETY: positions and panels tile the length checked above; every job writes its own panel at its own position.
            let to = unsafe { std::slice::from_raw_parts_mut(target.at(to), written) };
            pair_rows(&wide[from..][..read], blocks * LANES, &self.lanes, to);
        });
    }

    /// Input channels, of every tap along the depth.
    fn inputs(&self) -> usize {
        self.taps * self.lanes.iter().sum::<usize>()
    }

    fn transform_weights(&self, k: &Kernels, pool: &mut Pool, source: Source, weights: &[f32], packed: &mut [f32]) {
        let (outputs, depth) = (self.out_channels.iter().flatten().count(), self.inputs());
        let channels = depth / self.taps;
        assert!(weights.len() == outputs * depth * 9, "weight tensor has the wrong length");
        let position = depth * self.y.blocks * LANES;
        assert!(packed.len() >= POSITIONS * position, "transformed weights do not fit");
        let flipped = match source {
            Source::Forward => false,
            Source::Flipped => true,
            Source::Up | Source::Down => panic!("a transposed 2x2 convolution is not run by Winograd"),
        };
        let target = Base::of_slice(packed);
        let pairs = self.taps * self.lanes.len();
        pool.run(self.panels.len() * pairs, |job| {
            let (block, blocks) = self.panels[job / pairs];
            let (slice, segment) = (job % pairs / self.lanes.len(), job % self.lanes.len());
            let first: usize = self.lanes[..segment].iter().sum();
            for i in first..first + self.lanes[segment] {
                // Rotated, a kernel's slices change places too.
                let from = if flipped { self.taps - 1 - slice } else { slice };
                for b in 0..blocks {
                    let mut taps = [[0.0; LANES]; 9];
                    for (lane, o) in self.out_channels[(block + b) * LANES..][..LANES].iter().enumerate() {
                        let Some(o) = *o else { continue };
                        let pair = if flipped { i * outputs + o } else { o * channels + i };
                        for (tap, w) in weights[(pair * self.taps + from) * 9..][..9].iter().enumerate() {
                            taps[if flipped { 8 - tap } else { tap }][lane] = f64::from(*w);
                        }
                    }
                    let at = depth * block * LANES + ((slice * channels + i) * blocks + b) * LANES;
                    // SAFETY: 16 floats at every position, below the length checked above; panels and input blocks are disjoint, and each pair is one
                    // job's. The table belongs to this processor.
                    unsafe { (k.transform_weights)(&taps, target.at(at), position) };
                }
            }
        });
    }

    /// Runs it on packed weights; `bias` `[blocks * 16]` where `start` is [`Start::Bias`].
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
        assert!(scratch.len() >= self.scratch_len(pool.threads()), "scratch too short");
        let base = Base::of_any(arena, &[self.x], &[self.y]);
        let scratch = Base::of_slice(scratch);
        let all = self.x.n * self.tiles_h * self.tiles_w;
        let (across, along) = (all.div_ceil(self.chunk), self.x.d.div_ceil(self.slices));
        let part = |i: usize| {
            let (tiles, slices) = (i / along * self.chunk, i % along * self.slices);
            Part { tiles: tiles..(tiles + self.chunk).min(all), slices: slices..(slices + self.slices).min(self.x.d) }
        };
        let (inputs, outputs, panels) = (self.x.blocks, self.y.blocks, self.panels.len());
        if self.shared {
            for part in (0..across * along).map(part) {
                // SAFETY: views, weights, bias and scratch were checked above. Every job writes its own block's part of the chunk, its own panel at its
                // own position, or its own block of the output's tiles; what it reads is complete.
                unsafe {
                    pool.run(inputs, |block| self.transform(k, base, scratch.at(0), block, &part));
                    pool.run(POSITIONS * panels, |job| {
                        self.product(weights, scratch.at(0), job / panels, self.panels[job % panels], self.rows(&part));
                    });
                    pool.run(outputs, |b| self.put(k, base, bias, start, relu, scratch.at(0), b, &part));
                }
            }
        } else {
            pool.run_by_thread(across * along, |thread, job| {
                let part = part(job);
                // SAFETY: views, weights, bias and scratch were checked above; every thread has scratch of its own, every job its own output tiles.
                unsafe {
                    let v = scratch.at(thread * self.chunk_len());
                    (0..inputs).for_each(|block| self.transform(k, base, v, block, &part));
                    for position in 0..POSITIONS {
                        self.panels.iter().for_each(|&p| self.product(weights, v, position, p, self.rows(&part)));
                    }
                    (0..outputs).for_each(|block| self.put(k, base, bias, start, relu, v, block, &part));
                }
            });
        }
    }

    /// Rows of a part's products: of every slice but the last a whole chunk, of which those beyond its tiles are nobody's.
    fn rows(&self, part: &Part) -> usize {
        (part.slices.len() - 1) * self.chunk + part.tiles.len()
    }

    /// Image, row and column of a tile.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let per_image = self.tiles_h * self.tiles_w;
        (tile / per_image, tile % per_image / self.tiles_w, tile % self.tiles_w)
    }

    /// Transforms one input block of the tiles.
    ///
    /// # Safety
    /// `base` comes from the views of `self`; `v` is valid for [`Winograd::chunk_len`] floats, of which nobody else uses this block's; tiles and slices
    /// exist and are at most `chunk` and `slices`.
    unsafe fn transform(&self, k: &Kernels, base: Base, v: *mut f32, block: usize, part: &Part) {
        let (stride, pixel) = (self.v_stride(), self.format.pixel());
        for s in 0..part.slices.len() + self.taps - 1 {
            let slice = (part.slices.start + s).checked_sub(self.taps / 2).filter(|&slice| slice < self.x.d);
            for (i, tile) in part.tiles.clone().enumerate() {
                let (n, ty, tx) = self.place(tile);
                let (row, column) = (4 * ty as isize - 1, 4 * tx as isize - 1);
                let patch = Patch { row, column, h: self.x.h, w: self.x.w, format: self.x.format };
                // SAFETY: a slice of a plane of a checked view; slice `s` of the block is below those that a chunk reads, its tile `i` below `chunk`,
                // and 16 channels there are `pixel` floats; the table belongs to this processor.
                unsafe {
                    let to = v.add(((block * self.read_slices() + s) * self.chunk + i) * pixel);
                    match slice {
                        Some(slice) => {
                            let from =
                                base.at(self.x.at(n, block) + slice * self.x.h * self.x.w * self.x.format.pixel());
                            (k.transform_input)(from, &patch, to, stride);
                        }
                        None => (0..POSITIONS).for_each(|p| to.add(p * stride).write_bytes(0, pixel)),
                    }
                }
            }
        }
    }

    /// The product of `count` rows of transformed tiles at one position with one panel of the weights.
    ///
    /// # Safety
    /// `v` holds a chunk's transformed inputs and is valid for [`Winograd::chunk_len`] floats; nobody else uses this panel's results at this position;
    /// `weights` has the length that `run` checks.
    unsafe fn product(
        &self,
        weights: &[f32],
        v: *mut f32,
        position: usize,
        (block, blocks): (usize, usize),
        count: usize,
    ) {
        let (v_stride, m_stride) = (self.v_stride(), self.m_stride());
        let products = &self.products[blocks - 1];
        let w = &weights[position * self.position_weights() + self.depth * block * LANES..];
        let parts = count.div_ceil(products.len());
        for part in 0..parts {
            let (first, last) = (part * count / parts, (part + 1) * count / parts);
            // SAFETY: rows `first..last` of the chunk, all blocks and slices of it in the segments; the table belongs to this processor.
            unsafe {
                let x = v.add(position * v_stride + first * self.format.pixel());
                let m = v.add(POSITIONS * v_stride + position * m_stride);
                let all = self.slices * self.chunk;
                let y = m.add((block * all + first) * LANES);
                let t = Tile::product(x, &self.segments, w.as_ptr(), y, all * LANES);
                products[last - first - 1](&t);
            }
        }
    }

    /// Transforms one output block of the tiles back, and writes it.
    ///
    /// # Safety
    /// As [`Winograd::transform`], with `v` holding all products of this block; nobody else writes these tiles of it.
    unsafe fn put(
        &self,
        k: &Kernels,
        base: Base,
        bias: &[f32],
        start: Start,
        relu: bool,
        v: *const f32,
        block: usize,
        part: &Part,
    ) {
        let (v_stride, m_stride) = (self.v_stride(), self.m_stride());
        let bias = if matches!(start, Start::Bias) { bias[block * LANES..].as_ptr() } else { std::ptr::null() };
        for (s, slice) in part.slices.clone().enumerate() {
            for (i, tile) in part.tiles.clone().enumerate() {
                let (n, ty, tx) = self.place(tile);
                let size = [4.min(self.y.h - 4 * ty), 4.min(self.y.w - 4 * tx)];
                let pixels = (slice * self.y.h + 4 * ty) * self.y.w + 4 * tx;
                let at = self.y.at(n, block) + pixels * self.y.format.pixel();
                let landing = Landing { row: self.y.w * self.y.format.pixel(), size, format: self.y.format };
                // SAFETY: the part of the tile inside a checked view; bias checked by `run`; the table belongs to this processor.
                unsafe {
                    let from = v.add(POSITIONS * v_stride + ((block * self.slices + s) * self.chunk + i) * LANES);
                    (k.transform_output)(from, m_stride, start, bias, relu, base.at(at), landing);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::balanced_chunk;

    #[test]
    fn chunks_give_two_and_four_threads_about_the_same_to_do() {
        for (all, most, unit, expected) in
            [(9216, 96, 8, 96), (256, 24, 8, 16), (64, 24, 8, 16), (9, 24, 8, 8), (1, 24, 8, 8)]
        {
            assert_eq!(balanced_chunk(all, most, unit), expected, "{all} tiles");
        }
        for unit in [2, 6, 8] {
            for all in 1..600 {
                let chunk = balanced_chunk(all, 50, unit);
                let longest = all.div_ceil(chunk).div_ceil(4) * chunk;
                assert!(chunk <= 50 && chunk.is_multiple_of(unit), "{all} tiles in chunks of {chunk}");
                assert!(longest < all.div_ceil(4) + unit, "{all} tiles in chunks of {chunk}");
            }
        }
    }
}
