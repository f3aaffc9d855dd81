//! Gradients of weights: for every kernel tap a product of shifted activations and output gradients, summed over the batch in a fixed order.

use super::buffer::{Aligned, Base, LANES, View};
use super::pool::Pool;
use super::simd::Simd;
use super::{Kernels, pack};

/// Partial sums are made for at least this many independent jobs; a constant, so that the order of additions never depends on the machine.
const JOBS: usize = 16;
/// Pixels that one register tile sums before it moves on: activations and gradients of that many pixels stay in the first-level cache.
const PIXELS: usize = 192;

/// The arguments of one register tile.
pub(crate) struct WeightTile {
    x: *const f32,
    x_row: usize,
    dy: *const f32,
    dy_row: usize,
    dy_block: usize,
    rows: usize,
    pixels: usize,
    dw: *mut f32,
}

impl WeightTile {
    /// A plain matrix product over `pixels` pixels, 16 floats apart on both sides; gradient blocks `dy_block` floats.
    pub(crate) fn product(x: *const f32, dy: *const f32, dy_block: usize, pixels: usize, dw: *mut f32) -> Self {
        Self { x, x_row: 0, dy, dy_row: 0, dy_block, rows: 1, pixels, dw }
    }
}

pub(crate) type WeightTileFn = unsafe fn(&WeightTile);

/// `dw[i][o] += sum over pixels of x[i] * dy[o]` for `IC` input channels by `V` registers of output channels; `DS` floats between gradient pixels.
///
/// # Safety
/// `x` is valid for `IC` floats and `dy` for `V * L` channels at every pixel of `rows` x `pixels`; `dw` holds `IC * V * L` floats that no other thread
/// touches.
#[inline(always)]
pub(crate) unsafe fn weight_tile<S: Simd, const IC: usize, const V: usize, const DS: usize>(t: &WeightTile) {
    // SAFETY: the caller's promise covers every address formed here.
    unsafe {
        let mut acc = [[S::zero(); V]; IC];
        for i in 0..IC {
            for o in 0..V {
                acc[i][o] = S::load(t.dw.add((i * V + o) * S::L));
            }
        }
        for row in 0..t.rows {
            let mut x = t.x.add(row * t.x_row);
            let mut dy = t.dy.add(row * t.dy_row);
            for _ in 0..t.pixels {
                let mut d = [S::zero(); V];
                for o in 0..V {
                    d[o] = S::load(dy.add((o * S::L / LANES) * t.dy_block + o * S::L % LANES));
                }
                for i in 0..IC {
                    let value = S::splat(x.add(i));
                    for o in 0..V {
                        acc[i][o] = S::fma(d[o], value, acc[i][o]);
                    }
                }
                x = x.add(LANES);
                dy = dy.add(DS);
            }
        }
        for i in 0..IC {
            for o in 0..V {
                S::store(t.dw.add((i * V + o) * S::L), acc[i][o]);
            }
        }
    }
}

/// A kernel tap: which activation pixel meets which gradient pixel.
struct Tap {
    row: isize,
    column: isize,
    dy_offset: usize,
}

/// The gradient of one convolution's weights over fixed views.
pub(crate) struct WeightGradient {
    x: View,
    dy: View,
    lanes: Vec<usize>,
    in_channels: Vec<Option<usize>>,
    out_channels: Vec<Option<usize>>,
    taps: Vec<Tap>,
    dy_pixel: usize,
    dy_row: usize,
    chunks: usize,
    panels: Vec<(usize, usize)>,
    tile: fn(usize, usize, usize) -> WeightTileFn,
    group: fn(usize) -> usize,
    /// `[out, in, taps]` or, transposed, `[in, out, taps]`.
    transposed: bool,
    counts: [usize; 2],
}

impl WeightGradient {
    /// Of a same-padded `kernel` x `kernel` convolution. `lanes` and `out_lanes`: channels in use per block of `x` and `dy`.
    pub(crate) fn same(k: &Kernels, x: View, lanes: &[usize], dy: View, out_lanes: &[usize], kernel: usize) -> Self {
        assert!(x.h == dy.h && x.w == dy.w, "same padding keeps the size");
        let half = (kernel / 2) as isize;
        let taps = (0..kernel * kernel)
            .map(|t| Tap { row: (t / kernel) as isize - half, column: (t % kernel) as isize - half, dy_offset: 0 })
            .collect();
        Self::new(k, x, lanes, dy, out_lanes, taps, LANES, dy.w * LANES, false)
    }

    /// Of a transposed convolution 2x2, stride 2.
    pub(crate) fn up(k: &Kernels, x: View, lanes: &[usize], dy: View, out_lanes: &[usize]) -> Self {
        assert!(2 * x.h == dy.h && 2 * x.w == dy.w, "a transposed convolution doubles the size");
        let taps = (0..4).map(|t| Tap { row: 0, column: 0, dy_offset: ((t / 2) * dy.w + t % 2) * LANES }).collect();
        Self::new(k, x, lanes, dy, out_lanes, taps, 2 * LANES, 2 * dy.w * LANES, true)
    }

    fn new(
        k: &Kernels,
        x: View,
        lanes: &[usize],
        dy: View,
        out_lanes: &[usize],
        taps: Vec<Tap>,
        dy_pixel: usize,
        dy_row: usize,
        transposed: bool,
    ) -> Self {
        let panels: Vec<_> = pack::panels(k, dy.blocks).collect();
        let chunks = JOBS.div_ceil(panels.len()).min(x.n * x.h);
        Self {
            x,
            dy,
            lanes: lanes.to_vec(),
            in_channels: pack::channels(lanes),
            out_channels: pack::channels(out_lanes),
            taps,
            dy_pixel,
            dy_row,
            chunks,
            panels,
            tile: k.weight_tile,
            group: k.weight_group,
            transposed,
            counts: [out_lanes.iter().sum(), lanes.iter().sum()],
        }
    }

    fn partial_len(&self) -> usize {
        self.taps.len() * self.x.blocks * LANES * self.dy.blocks * LANES
    }

    /// Floats of scratch that [`WeightGradient::run`] needs.
    pub(crate) fn scratch_len(&self) -> usize {
        self.chunks * self.partial_len()
    }

    /// Writes the gradient into `dw`, in the layout of the weight tensor.
    pub(crate) fn run(&self, pool: &mut Pool, arena: &mut Aligned, scratch: &mut [f32], dw: &mut [f32]) {
        let scratch = &mut scratch[..self.scratch_len()];
        let [out, inp] = self.counts;
        assert!(dw.len() == out * inp * self.taps.len(), "gradient has the wrong length");
        let base = Base::of(arena, &[self.x, self.dy], &[]);
        let partial = Base::of_slice(scratch);
        pool.run(self.chunks * self.panels.len(), |job| {
            let (chunk, panel) = (job / self.panels.len(), job % self.panels.len());
            // SAFETY: views checked by `Base::of`, scratch by the slice above; every job writes the partial sums of its own chunk and panel.
            unsafe { self.partial(base, partial, chunk, panel) };
        });
        let sums: &[f32] = scratch;
        let target = Base::of_slice(dw);
        let per_job = dw.len() / if self.transposed { inp } else { out };
        let outer: &[Option<usize>] = if self.transposed { &self.in_channels } else { &self.out_channels };
        pool.run(outer.len(), |slot| {
            let Some(channel) = outer[slot] else { return };
            // SAFETY: `channel` is below the outer count, so its run of `per_job` floats lies inside `dw`; every channel has one slot.
            let row = unsafe { std::slice::from_raw_parts_mut(target.at(channel * per_job), per_job) };
            self.combine(sums, slot, row);
        });
    }

    /// # Safety
    /// `base` must come from the views of `self` and `partial` from a slice of [`WeightGradient::scratch_len`] floats.
    unsafe fn partial(&self, base: Base, partial: Base, chunk: usize, panel: usize) {
        let (block, blocks) = self.panels[panel];
        let width = blocks * LANES;
        let (ib_count, x_row) = (self.x.blocks, self.x.w * LANES);
        let tap_len = ib_count * LANES * width;
        // SAFETY: panels tile the partial sums of a chunk; this job's part is `taps * tap_len` floats from here.
        let dw = unsafe { partial.at(chunk * self.partial_len() + self.taps.len() * ib_count * LANES * block * LANES) };
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(dw, self.taps.len() * tap_len) }.fill(0.0);
        let (h, w) = (self.x.h, self.x.w);
        let all_rows = self.x.n * h;
        let (mut row, end) = (chunk * all_rows / self.chunks, (chunk + 1) * all_rows / self.chunks);
        let (column_step, row_step) = (w.min(PIXELS), (PIXELS / w).max(1));
        while row < end {
            let (n, r0) = (row / h, row % h);
            let r1 = (r0 + row_step).min(h).min(r0 + end - row);
            for c0 in (0..w).step_by(column_step) {
                let c1 = (c0 + column_step).min(w);
                for ib in 0..ib_count {
                    for (t, tap) in self.taps.iter().enumerate() {
                        let (ra, rb) = shifted(r0, r1, tap.row, h);
                        let (ca, cb) = shifted(c0, c1, tap.column, w);
                        if ra >= rb || ca >= cb {
                            continue;
                        }
                        let (xr, xc) = (ra.wrapping_add_signed(tap.row), ca.wrapping_add_signed(tap.column));
                        let x = self.x.at(n, ib) + xr * x_row + xc * LANES;
                        let dy = self.dy.at(n, block) + tap.dy_offset + ra * self.dy_row + ca * self.dy_pixel;
                        let mut i = 0;
                        while i < self.lanes[ib] {
                            let group = (self.group)(self.lanes[ib] - i);
                            // SAFETY: rows and columns were cut to those whose shifted pixel lies in `x`; `group` divides 16 and starts at a
                            // multiple of it, so channels stay in the block; `dw` as above.
                            unsafe {
                                (self.tile)(group, blocks, self.dy_pixel)(&WeightTile {
                                    x: base.at(x + i),
                                    x_row,
                                    dy: base.at(dy),
                                    dy_row: self.dy_row,
                                    dy_block: self.dy.plane(),
                                    rows: rb - ra,
                                    pixels: cb - ca,
                                    dw: dw.add(t * tap_len + (ib * LANES + i) * width),
                                });
                            }
                            i += group;
                        }
                    }
                }
            }
            row += r1 - r0;
        }
    }

    /// Adds the chunks, in order, for one outer channel's slot.
    fn combine(&self, sums: &[f32], slot: usize, row: &mut [f32]) {
        let taps = self.taps.len();
        let ib_count = self.x.blocks;
        let inner = if self.transposed { &self.out_channels } else { &self.in_channels };
        for (inner_slot, channel) in inner.iter().enumerate().filter_map(|(s, c)| c.map(|c| (s, c))) {
            let (i, o) = if self.transposed { (slot, inner_slot) } else { (inner_slot, slot) };
            let step = self.panels[0].1;
            let (block, blocks) = self.panels[o / LANES / step];
            let width = blocks * LANES;
            for tap in 0..taps {
                let at = taps * ib_count * LANES * block * LANES
                    + (tap * ib_count * LANES + i) * width
                    + (o - block * LANES);
                let mut sum = 0.0;
                for chunk in 0..self.chunks {
                    sum += sums[chunk * self.partial_len() + at];
                }
                row[channel * taps + tap] = sum;
            }
        }
    }
}

/// The part of `from..to` whose shift by `by` stays in `0..len`.
fn shifted(from: usize, to: usize, by: isize, len: usize) -> (usize, usize) {
    let from = if by < 0 { from.max(by.unsigned_abs()) } else { from };
    let to = if by > 0 { to.min(len.saturating_sub(by.unsigned_abs())) } else { to };
    (from, to)
}
