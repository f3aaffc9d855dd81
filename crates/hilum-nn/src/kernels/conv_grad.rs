//! Gradients of weights: for every kernel tap a product of shifted activations and output gradients, summed over the batch in a fixed order.

use super::buffer::{Aligned, Base, LANES, View};
use super::grad_split::{GradSplit, Job};
use super::pool::Pool;
use super::simd::Simd;
use super::{Kernels, pack};

/// The arguments of one register tile.
pub(crate) struct WeightTile {
    x: *const f32,
    x_row: usize,
    dy: *const f32,
    dy_row: usize,
    dy_block: usize,
    rows: usize,
    pixels: usize,
    /// What a later tile will read, asked for in the meantime, a line for every pixel; or null.
    ahead: *const f32,
    ahead_row: usize,
    dw: *mut f32,
}

impl WeightTile {
    /// A plain matrix product over `pixels` pixels, 16 floats apart on both sides; gradient blocks `dy_block` floats.
    pub(crate) fn product(x: *const f32, dy: *const f32, dy_block: usize, pixels: usize, dw: *mut f32) -> Self {
        Self { x, x_row: 0, dy, dy_row: 0, dy_block, rows: 1, pixels, ahead: std::ptr::null(), ahead_row: 0, dw }
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
    // SAFETY: the caller's promise.
    unsafe { if t.ahead.is_null() { sums::<S, IC, V, DS, false>(t) } else { sums::<S, IC, V, DS, true>(t) } }
}

/// # Safety
/// As [`weight_tile`].
#[inline(always)]
unsafe fn sums<S: Simd, const IC: usize, const V: usize, const DS: usize, const AHEAD: bool>(t: &WeightTile) {
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
            let ahead = t.ahead.wrapping_add(row * t.ahead_row);
            for p in 0..t.pixels {
                if AHEAD {
                    S::prefetch(ahead.wrapping_add(p * LANES));
                }
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

/// Floats from one image, row and pixel of a map to the next.
#[derive(Clone, Copy)]
struct Strides {
    image: usize,
    row: usize,
    pixel: usize,
}

/// The gradient of one convolution's weights over fixed views.
pub(crate) struct WeightGradient {
    x: View,
    dy: View,
    lanes: Vec<usize>,
    /// Channels before each block of `x` and `dy`.
    before: [Vec<usize>; 2],
    out_lanes: Vec<usize>,
    taps: Vec<Tap>,
    /// Rows and columns of an image as they are walked; to a kernel of one pixel, the images are the rows of one.
    size: [usize; 2],
    x_strides: Strides,
    dy_strides: Strides,
    split: GradSplit,
    panels: Vec<(usize, usize)>,
    tile: fn(usize, usize, usize) -> WeightTileFn,
    group: fn(usize) -> usize,
    /// `[out, in, taps]` or, transposed, `[in, out, taps]`.
    transposed: bool,
    counts: [usize; 2],
}

/// Most taps of a kernel that these tiles sum.
const MOST_TAPS: usize = 9;

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
        assert!(taps.len() <= MOST_TAPS, "a kernel of these tiles has at most {MOST_TAPS} taps");
        let panels: Vec<_> = pack::panels(k, dy.blocks).collect();
        let (images, size, x_row, dy_row) = if taps.len() == 1 {
            (1, [x.n, x.h * x.w], x.image, dy.image)
        } else {
            (x.n, [x.h, x.w], x.w * LANES, dy_row)
        };
        let panel_sums = taps.len() * x.blocks * LANES * panels[0].1 * LANES;
        let before = |lanes: &[usize]| (0..lanes.len()).map(|b| lanes[..b].iter().sum()).collect();
        Self {
            x,
            dy,
            lanes: lanes.to_vec(),
            before: [before(lanes), before(out_lanes)],
            out_lanes: out_lanes.to_vec(),
            taps,
            size,
            x_strides: Strides { image: x.image, row: x_row, pixel: LANES },
            dy_strides: Strides { image: dy.image, row: dy_row, pixel: dy_pixel },
            split: GradSplit::new(images, size, panels.len(), panel_sums, x.blocks),
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
        self.split.chunks * self.partial_len()
    }

    /// Writes the gradient into `dw`, in the layout of the weight tensor.
    pub(crate) fn run(&self, pool: &mut Pool, arena: &mut Aligned, scratch: &mut [f32], dw: &mut [f32]) {
        let scratch = &mut scratch[..self.scratch_len()];
        let [out, inp] = self.counts;
        assert!(dw.len() == out * inp * self.taps.len(), "gradient has the wrong length");
        let base = Base::of(arena, &[self.x, self.dy], &[]);
        let (partial, target) = (Base::of_slice(scratch), Base::of_slice(dw));
        let whole = self.split.chunks == 1;
        pool.run(self.split.jobs(), |job| {
            let job = self.split.job(job);
            // SAFETY: views checked by `Base::of`, scratch by the slice above; every job writes the sums of its own chunk, panels and inputs. Those of a
            // single chunk are complete then, and still in the job's cache; `dw` has the length checked above, and these pairs are the job's alone.
            unsafe {
                self.partial(base, partial, &job);
                if whole {
                    job.inputs(&(0..self.x.blocks))
                        .for_each(|block| self.combine(partial, target, block, &self.panels[job.panels.clone()]));
                }
            }
        });
        if !whole {
            pool.run(self.x.blocks, |block| {
                // SAFETY: all sums are complete, `dw` as above; every job writes the pairs of its own input block.
                unsafe { self.combine(partial, target, block, &self.panels) };
            });
        }
    }

    /// First float of a panel's sums within a chunk.
    fn panel_sums(&self, block: usize) -> usize {
        self.taps.len() * self.x.blocks * LANES * block * LANES
    }

    /// # Safety
    /// `base` must come from the views of `self` and `partial` from a slice of [`WeightGradient::scratch_len`] floats.
    unsafe fn partial(&self, base: Base, partial: Base, job: &Job) {
        let inputs = job.inputs(&(0..self.x.blocks));
        let panels = &self.panels[job.panels.clone()];
        for &(block, blocks) in panels {
            let width = blocks * LANES;
            for tap in 0..self.taps.len() {
                let at = self.panel_sums(block) + (tap * self.x.blocks + inputs.start) * LANES * width;
                // SAFETY: the rows of this job's input blocks under one tap of one panel of its chunk.
                unsafe {
                    let sums = partial.at(job.chunk * self.partial_len() + at);
                    std::slice::from_raw_parts_mut(sums, inputs.len() * LANES * width).fill(0.0);
                }
            }
        }
        for piece in job.pieces.clone().map(|piece| self.split.piece(piece)) {
            for (p, &(block, blocks)) in panels.iter().enumerate() {
                let width = blocks * LANES;
                let tap_len = self.x.blocks * LANES * width;
                for ib in inputs.clone() {
                    for (t, tap) in self.taps.iter().enumerate() {
                        let (ra, rb) = shifted(piece.rows.start, piece.rows.end, tap.row, self.size[0]);
                        let (ca, cb) = shifted(piece.columns.start, piece.columns.end, tap.column, self.size[1]);
                        if ra >= rb || ca >= cb {
                            continue;
                        }
                        let at = |s: Strides, row: usize, column: usize| {
                            piece.image * s.image + row * s.row + column * s.pixel
                        };
                        let (xr, xc) = (ra.wrapping_add_signed(tap.row), ca.wrapping_add_signed(tap.column));
                        let x = self.x.at(0, ib) + at(self.x_strides, xr, xc);
                        let dy = self.dy.at(0, block) + tap.dy_offset + at(self.dy_strides, ra, ca);
                        let mut i = 0;
                        while i < self.lanes[ib] {
                            let group = (self.group)(self.lanes[ib] - i);
                            // The panels after the first find the inputs in the second-level cache; their own gradients they do not.
                            let (ahead, ahead_row) = match panels.get(p + 1) {
                                _ if p == 0 && t == 0 && i == 0 && ib + 1 < inputs.end => {
                                    (Some(x + self.x.plane()), self.x_strides.row)
                                }
                                Some(&(next, blocks)) if self.taps.len() == 1 && ib + 1 == inputs.end => {
                                    let lines = dy + (next - block) * self.dy.plane();
                                    let of_block = (i / group < blocks).then_some(lines + i / group * self.dy.plane());
                                    (of_block, self.dy_strides.row)
                                }
                                _ => (None, 0),
                            };
                            let sums = self.panel_sums(block) + t * tap_len + (ib * LANES + i) * width;
                            // SAFETY: rows and columns were cut to those whose shifted pixel lies in `x`; `group` divides 16 and starts at a
                            // multiple of it, so channels stay in the block; the sums are this job's.
                            unsafe {
                                (self.tile)(group, blocks, self.dy_strides.pixel)(&WeightTile {
                                    x: base.at(x + i),
                                    x_row: self.x_strides.row,
                                    dy: base.at(dy),
                                    dy_row: self.dy_strides.row,
                                    dy_block: self.dy.plane(),
                                    rows: rb - ra,
                                    pixels: cb - ca,
                                    ahead: ahead.map_or(std::ptr::null(), |ahead| base.at(ahead).cast_const()),
                                    ahead_row,
                                    dw: partial.at(job.chunk * self.partial_len() + sums),
                                });
                            }
                            i += group;
                        }
                    }
                }
            }
        }
    }

    /// Adds the chunks, in order, for one block of inputs and some panels, and writes them in the tensor's layout.
    ///
    /// # Safety
    /// `sums` holds what all chunks have summed of these pairs, `dw` is valid for the whole tensor, and nobody else writes these pairs of either.
    unsafe fn combine(&self, sums: Base, dw: Base, block: usize, panels: &[(usize, usize)]) {
        let (taps, lanes) = (self.taps.len(), self.lanes[block]);
        let [out, inp] = self.counts;
        let partial_len = self.partial_len();
        // `[output][input][tap]` of a pair of blocks, transposed `[input][output][tap]`; every pair fills its part.
        let mut pairs = [0.0_f32; LANES * LANES * MOST_TAPS];
        for &(first, blocks) in panels {
            let width = blocks * LANES;
            for b in 0..blocks {
                let outputs = self.out_lanes[first + b];
                let [output_step, input_step] =
                    if self.transposed { [taps, outputs * taps] } else { [lanes * taps, taps] };
                for tap in 0..taps {
                    for lane in 0..lanes {
                        let at =
                            self.panel_sums(first) + ((tap * self.x.blocks + block) * LANES + lane) * width + b * LANES;
                        let mut sum = [0.0_f32; LANES];
                        for chunk in 0..self.split.chunks {
                            // SAFETY: one input channel and 16 outputs of a chunk's sums, which nobody writes any more.
                            let part = unsafe { &*sums.at(chunk * partial_len + at).cast::<[f32; LANES]>() };
                            sum.iter_mut().zip(part).for_each(|(s, v)| *s += v);
                        }
                        for (o, s) in sum[..outputs].iter().enumerate() {
                            pairs[o * output_step + lane * input_step + tap] = *s;
                        }
                    }
                }
                let (input, output) = (self.before[0][block], self.before[1][first + b]);
                let [runs, step] = if self.transposed { [lanes, outputs * taps] } else { [outputs, lanes * taps] };
                for run in 0..runs {
                    let pair =
                        if self.transposed { (input + run) * out + output } else { (output + run) * inp + input };
                    // SAFETY: a run of the tensor: all inputs of this block for one output, or all outputs of that block for one input.
                    let to = unsafe { std::slice::from_raw_parts_mut(dw.at(pair * taps), step) };
                    let from = &pairs[run * step..(run + 1) * step];
                    // Kernels of one pixel: a line each, for which a call would take longer than the copy.
                    match (to.as_mut_array::<LANES>(), from.as_array::<LANES>()) {
                        (Some(to), Some(from)) => *to = *from,
                        _ => to.copy_from_slice(from),
                    }
                }
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
