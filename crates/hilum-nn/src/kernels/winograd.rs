//! 3x3 convolution by Winograd's F(4x4, 3x3) (Lavin and Gray 2016), forward and backward data: 36 products where the direct kernel needs 144. The
//! gradient of the weights is in [`super::winograd_grad`].
//!
//! Between the transforms ([`super::winograd_tiles`]) lie 36 matrix products, run by the register tiles of [`super::conv`]. Where the weights are small,
//! a job takes a chunk of tiles from end to end, whose transforms stay in the second-level cache. Where they are large, or large beside few tiles, all
//! threads transform a chunk and then share its products out by position, so that the weights pass through the caches once. The bits do not depend on
//! the chunks.
//!
//! With products of bf16, the transforms are f32 and only what enters a product is rounded, weights and patches alike, after its transform. The points
//! are other ones then (see [`super::winograd_tiles`]), because what rounding does to a product is magnified on the way back.

use super::Kernels;
use super::bf16::pair_rows;
use super::buffer::{Aligned, Base, Format, LANES, View};
use super::conv::{Segment, Start, Tile, TileFn};
use super::pack::{self, Source};
use super::pool::Pool;
use super::winograd_tiles::{Landing, POSITIONS, Patch, ZEROS};
use super::winograd_tiling::{Place, Square, Tiling};

/// Chunks of volumes that every job may have for itself.
const MIN_SLABS: usize = 8;
/// Floats of weights from which on the threads share a chunk.
const SHARED_WEIGHTS: usize = 1 << 21;
/// Floats of weights that do not stay in a second-level cache beside their tiles: over few tiles, threads share a chunk from here on. To read half of the
/// weights each and to hand each other the transforms is less than to read all of them each.
const STREAMED_WEIGHTS: usize = 1 << 17;

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
/// Lines of transformed weights that are collected before they are written: positions lie so far apart that their lines share cache sets.
const PACKED_LINES: usize = 16;
/// Transformed tiles that a chunk of a kernel of three slices holds: of one job, of all threads.
pub(super) const ROOM: [usize; 2] = [(128 << 10) / (POSITIONS * LANES), (1 << 20) / (POSITIONS * LANES)];

/// A 3x3 or 3x3x3 convolution of stride 1 over fixed views.
pub(crate) struct Winograd {
    x: View,
    y: View,
    square: Square,
    tiling: Tiling,
    /// Whether the threads share a chunk; else every job has its own.
    shared: bool,
    /// What products read.
    format: Format,
    /// Input channels in use per block.
    lanes: Vec<usize>,
    segments: Vec<Segment>,
    out_channels: Vec<Option<usize>>,
    /// Input channels of a slice; of bf16, pairs of them.
    depth: usize,
    panels: Vec<(usize, usize)>,
    /// Matrix products for panels of one and of two blocks, by number of tiles less one.
    products: [Vec<TileFn>; 2],
}

impl Winograd {
    /// `lanes`, `out_lanes`: channels in use per block.
    pub(crate) fn new(k: &Kernels, square: Square, x: View, lanes: &[usize], y: View, out_lanes: &[usize]) -> Self {
        let grown = |side: usize| side + 2 * square.padding;
        assert!(grown(x.h) == y.h + 2 && grown(x.w) == y.w + 2 && x.d == y.d && x.n == y.n, "sizes do not fit");
        let all = y.n * y.d * y.h.div_ceil(4) * y.w.div_ceil(4);
        assert!(k.format == Format::Bf16 || [x.format, y.format] == [Format::F32; 2], "f32 alone");
        let rows = k.rows(lanes);
        let (depth, blocks) = (rows.iter().sum::<usize>(), x.blocks + y.blocks);
        let unit = (k.max_pixels)(k.panel_blocks);
        let weights = POSITIONS * square.slices * depth * y.blocks * LANES;
        // At one position, the transforms of all tiles beside twice the weights.
        let few_tiles = square.slices == 1 && all * blocks <= 2 * LANES * x.blocks * y.blocks;
        let mut shared = weights >= SHARED_WEIGHTS || (few_tiles && weights >= STREAMED_WEIGHTS);
        let tiling = |shared: bool| {
            let chunk = if shared {
                shared_chunk(blocks).min(all).next_multiple_of(unit)
            } else {
                balanced_chunk(all, own_chunk(blocks), unit)
            };
            Tiling::new(square, y, chunk, ROOM[usize::from(shared)], x.blocks, y.blocks)
        };
        // Few slabs would leave threads without work.
        shared = shared || (square.slices > 1 && tiling(false).chunks() < MIN_SLABS);
        let tiling = tiling(shared);
        let (wide, step) = (tiling.inputs(), tiling.step());
        let segments = (0..square.slices)
            .flat_map(|slice| rows.iter().enumerate().map(move |(b, &lanes)| (slice, b, lanes)))
            .map(|(slice, b, lanes)| Segment { offset: ((b * wide + slice * step) * k.format.pixel()) as isize, lanes })
            .collect();
        let products = [1, 2].map(|blocks| {
            let widest = if blocks > k.panel_blocks { 0 } else { (k.max_pixels)(blocks) };
            (1..=widest).map(|tiles| (k.tile)(1, k.format.pixel(), blocks, tiles, false, false)).collect()
        });
        Self {
            x,
            y,
            square,
            tiling,
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
        self.square.slices * self.depth * self.y.blocks * LANES
    }

    /// Floats between positions of the input's and the output's tiles: a line more than the data, so that positions do not fall on the same cache sets.
    fn strides(&self) -> [usize; 2] {
        let inputs = self.x.blocks * self.tiling.inputs() * self.format.pixel();
        [inputs + LANES, (self.y.blocks * self.tiling.outputs() + 1) * LANES]
    }

    /// Floats of one chunk's transforms.
    fn chunk_len(&self) -> usize {
        POSITIONS * self.strides().iter().sum::<usize>()
    }

    /// Floats of scratch that [`Winograd::run`] needs on that many threads.
    pub(crate) fn scratch_len(&self, threads: usize) -> usize {
        if self.shared { self.chunk_len() } else { threads * self.chunk_len() }
    }

    /// `G g G^T` of a weight tensor `[out, in, 3, 3]` or `[out, in, 3, 3, 3]`, or of its kernels rotated and transposed where `source` is `Flipped`, in the order
    /// `[position][panel][slice][input channel][output channel of the panel]`.
    /// For products of bf16, input channels are side by side in pairs.
    pub(crate) fn pack(&self, k: &Kernels, pool: &mut Pool, source: Source, weights: &[f32], packed: &mut [f32]) {
        assert!(packed.len() >= self.weight_len(), "transformed weights do not fit");
        if self.format == Format::F32 {
            return self.transform_weights(k, pool, source, weights, packed);
        }
        let slices = self.square.slices;
        let mut wide = vec![0.0; POSITIONS * slices * self.inputs() * self.y.blocks * LANES];
        self.transform_weights(k, pool, source, weights, &mut wide);
        let target = Base::of_slice(packed);
        pool.run(POSITIONS * self.panels.len(), |job| {
            let (position, (block, blocks)) = (job / self.panels.len(), self.panels[job % self.panels.len()]);
            let panel = |depth: usize| (depth * LANES * (position * self.y.blocks + block), depth * LANES * blocks);
            let ((from, read), (to, written)) = (panel(slices * self.inputs()), panel(slices * self.depth));
            // SAFETY: positions and panels tile the length checked above; every job writes its own panel at its own position.
            let to = unsafe { std::slice::from_raw_parts_mut(target.at(to), written) };
            pair_rows(&wide[from..][..read], blocks * LANES, &self.lanes, to);
        });
    }

    /// Input channels.
    fn inputs(&self) -> usize {
        self.lanes.iter().sum()
    }

    /// As [`Winograd::pack`], in f32.
    fn transform_weights(&self, k: &Kernels, pool: &mut Pool, source: Source, weights: &[f32], packed: &mut [f32]) {
        let (outputs, slices, depth) = (self.out_channels.iter().flatten().count(), self.square.slices, self.inputs());
        let position_weights = slices * depth * self.y.blocks * LANES;
        assert!(weights.len() == outputs * depth * slices * 9, "weight tensor has the wrong length");
        assert!(packed.len() >= POSITIONS * position_weights, "transformed weights do not fit");
        let flipped = match source {
            Source::Forward => false,
            Source::Flipped => true,
            Source::Up | Source::Down => panic!("a transposed 2x2 convolution is not run by Winograd"),
        };
        let target = Base::of_slice(packed);
        #[allow(clippy::large_stack_arrays, reason = "37 KB, once in a job")]
        pool.run(self.panels.len() * self.segments.len(), |job| {
            let (block, blocks) = self.panels[job / self.segments.len()];
            let segment = job % self.segments.len();
            let blocks_of_x = self.segments.len() / slices;
            let (slice, in_block) = (segment / blocks_of_x, segment % blocks_of_x);
            let first: usize = self.lanes[..in_block].iter().sum();
            let lines = self.lanes[in_block] * blocks;
            let mut positions = [[0.0_f32; PACKED_LINES * LANES]; POSITIONS];
            for from in (0..lines).step_by(PACKED_LINES) {
                let to = (from + PACKED_LINES).min(lines);
                for line in from..to {
                    let (i, b) = (first + line / blocks, line % blocks);
                    let mut taps = [[0.0; LANES]; 9];
                    for (lane, o) in self.out_channels[(block + b) * LANES..][..LANES].iter().enumerate() {
                        let Some(o) = *o else { continue };
                        let pair = if flipped { i * outputs + o } else { o * depth + i };
                        let of_tensor = pair * slices + if flipped { slices - 1 - slice } else { slice };
                        for (tap, w) in weights[of_tensor * 9..][..9].iter().enumerate() {
                            taps[if flipped { 8 - tap } else { tap }][lane] = f64::from(*w);
                        }
                    }
                    let line = positions.as_flattened_mut()[(line - from) * LANES..].as_mut_ptr();
                    // SAFETY: 16 floats at every position of the local array. The table belongs to this processor.
                    unsafe { (k.transform_weights)(&taps, line, PACKED_LINES * LANES) };
                }
                let at = slices * depth * block * LANES + (slice * depth + first) * blocks * LANES + from * LANES;
                for (position, of_lines) in positions.iter().enumerate() {
                    // SAFETY: lines of one position, below the length checked above; panels, slices and input blocks are disjoint, and each of them is
                    // one job's.
                    unsafe {
                        let target = target.at(position * position_weights + at);
                        target.copy_from_nonoverlapping(of_lines.as_ptr(), (to - from) * LANES);
                    }
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
        let chunks = self.tiling.chunks();
        let (inputs, outputs, panels) = (self.x.blocks, self.y.blocks, self.panels.len());
        if self.shared {
            for chunk in 0..chunks {
                let [_, count] = self.tiling.counts(chunk);
                // SAFETY: views, weights, bias and scratch were checked above. Every job writes its own block's part of the chunk, its own panel at its
                // own position, or its own block of the output's tiles; what it reads is complete.
                unsafe {
                    pool.run(inputs, |block| self.transform(k, base, scratch.at(0), block, chunk));
                    pool.run(POSITIONS * panels, |job| {
                        self.product(weights, scratch.at(0), job / panels, self.panels[job % panels], count);
                    });
                    pool.run(outputs, |b| self.put(k, base, bias, start, relu, scratch.at(0), b, chunk));
                }
            }
        } else {
            pool.run_by_thread(chunks, |thread, chunk| {
                let [_, count] = self.tiling.counts(chunk);
                // SAFETY: views, weights, bias and scratch were checked above; every thread has scratch of its own, every job its own output tiles.
                unsafe {
                    let v = scratch.at(thread * self.chunk_len());
                    (0..inputs).for_each(|block| self.transform(k, base, v, block, chunk));
                    for position in 0..POSITIONS {
                        self.panels.iter().for_each(|&p| self.product(weights, v, position, p, count));
                    }
                    (0..outputs).for_each(|block| self.put(k, base, bias, start, relu, v, block, chunk));
                }
            });
        }
    }

    /// Transforms one input block of a chunk's tiles.
    ///
    /// # Safety
    /// `base` comes from the views of `self`; `v` is valid for [`Winograd::chunk_len`] floats, of which nobody else uses this block's.
    unsafe fn transform(&self, k: &Kernels, base: Base, v: *mut f32, block: usize, chunk: usize) {
        let ([stride, _], wide) = (self.strides(), self.tiling.inputs());
        let ([count, _], pixel) = (self.tiling.counts(chunk), self.format.pixel());
        for i in 0..count {
            // SAFETY: tile `i` of the block is below the chunk's inputs; a slice of a checked view; the table belongs to this processor.
            unsafe {
                let to = v.add((block * wide + i) * pixel);
                match self.tiling.input(chunk, i) {
                    Some(place) => {
                        let patch = patch(&place, self.square, self.x);
                        (k.transform_input)(base.at(slice(self.x, &place, block)), &patch, to, stride);
                    }
                    None => (0..POSITIONS).for_each(|p| to.add(p * stride).copy_from(ZEROS.as_ptr(), pixel)),
                }
            }
        }
    }

    /// The product of `count` transformed tiles at one position with one panel of the weights.
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
        let [v_stride, m_stride] = self.strides();
        let (products, outputs) = (&self.products[blocks - 1], self.tiling.outputs());
        let w = &weights[position * self.position_weights() + self.square.slices * self.depth * block * LANES..];
        let parts = count.div_ceil(products.len());
        for part in 0..parts {
            let (first, last) = (part * count / parts, (part + 1) * count / parts);
            // SAFETY: tiles `first..last` of the chunk, all blocks of it in the segments; the table belongs to this processor.
            unsafe {
                let x = v.add(position * v_stride + first * self.format.pixel());
                let m = v.add(POSITIONS * v_stride + position * m_stride);
                let y = m.add((block * outputs + first) * LANES);
                let t = Tile::product(x, &self.segments, w.as_ptr(), y, outputs * LANES);
                products[last - first - 1](&t);
            }
        }
    }

    /// Transforms one output block of a chunk's tiles back, and writes it.
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
        chunk: usize,
    ) {
        let ([v_stride, m_stride], outputs) = (self.strides(), self.tiling.outputs());
        let bias = if matches!(start, Start::Bias) { bias[block * LANES..].as_ptr() } else { std::ptr::null() };
        let [_, count] = self.tiling.counts(chunk);
        for i in 0..count {
            let Some(place) = self.tiling.output(chunk, i) else { continue };
            let [ty, tx] = place.tile;
            let size = [4.min(self.y.h - 4 * ty), 4.min(self.y.w - 4 * tx)];
            let at = slice(self.y, &place, block) + (4 * ty * self.y.w + 4 * tx) * self.y.format.pixel();
            let landing = Landing { row: self.y.w * self.y.format.pixel(), size, format: self.y.format };
            // SAFETY: the part of the tile inside a checked view; bias checked by `run`; the table belongs to this processor.
            unsafe {
                let from = v.add(POSITIONS * v_stride + (block * outputs + i) * LANES);
                (k.transform_output)(from, m_stride, start, bias, relu, base.at(at), landing);
            }
        }
    }
}

/// First float of a block's slice of a tile.
pub(super) fn slice(view: View, place: &Place, block: usize) -> usize {
    view.at(place.n, block) + place.z * view.h * view.w * view.format.pixel()
}

/// The patch under a tile.
pub(super) fn patch(place: &Place, square: Square, x: View) -> Patch {
    let first = |tile: usize| 4 * tile as isize - square.padding as isize;
    Patch { row: first(place.tile[0]), column: first(place.tile[1]), h: x.h, w: x.w, format: x.format }
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
