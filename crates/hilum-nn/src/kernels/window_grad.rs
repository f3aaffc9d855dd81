//! Gradients of the weights of [`super::window`]'s convolutions: per kernel tap a product of two maps, summed over the batch in a fixed order.

use std::ops::Range;

use super::buffer::{Aligned, Base, LANES, View};
use super::pool::Pool;
use super::simd::Simd;
use super::{Kernels, pack};
use crate::geometry::Geometry;

/// Partial sums are made for at least this many independent jobs; a constant, so that the order of additions never depends on the machine.
const JOBS: usize = 16;
/// Pixels that one register tile sums before it moves on.
const PIXELS: usize = 192;

/// The arguments of one register tile.
pub(crate) struct WindowGradTile {
    wide: *const f32,
    wide_row: usize,
    wide_pixel: usize,
    base: *const f32,
    base_row: usize,
    base_block: usize,
    rows: usize,
    pixels: usize,
    dw: *mut f32,
}

pub(crate) type WindowGradFn = unsafe fn(&WindowGradTile);

/// `dw[i][o] += sum over pixels of wide[i] * base[o]` for `IC` channels of the wide map by `V` registers of the base map's.
///
/// # Safety
/// `wide` is valid for `IC` floats and `base` for `V * L` channels at every pixel of `rows` x `pixels`; `dw` holds `IC * V * L` floats that no other thread
/// touches.
#[inline(always)]
pub(crate) unsafe fn window_grad_tile<S: Simd, const IC: usize, const V: usize>(t: &WindowGradTile) {
    // SAFETY: the caller's promise covers every address formed here.
    unsafe {
        let mut acc = [[S::zero(); V]; IC];
        for i in 0..IC {
            for o in 0..V {
                acc[i][o] = S::load(t.dw.add((i * V + o) * S::L));
            }
        }
        for row in 0..t.rows {
            let wide = t.wide.add(row * t.wide_row);
            let base = t.base.add(row * t.base_row);
            for p in 0..t.pixels {
                let mut d = [S::zero(); V];
                for o in 0..V {
                    d[o] = S::load(base.add(p * LANES + (o * S::L / LANES) * t.base_block + o * S::L % LANES));
                }
                for i in 0..IC {
                    let value = S::splat(wide.add(p * t.wide_pixel + i));
                    for o in 0..V {
                        acc[i][o] = S::fma(d[o], value, acc[i][o]);
                    }
                }
            }
        }
        for i in 0..IC {
            for o in 0..V {
                S::store(t.dw.add((i * V + o) * S::L), acc[i][o]);
            }
        }
    }
}

struct Panel {
    block: usize,
    blocks: usize,
    inputs: Range<usize>,
    /// First float of its sums within a chunk.
    sums: usize,
}

/// The gradient of one convolution's weights.
///
/// The base map has one position per window: a convolution's output gradient, or a transposed convolution's input. The wide map is what windows lie over. The
/// weight tensor is `[base channel, wide channel / groups, taps]` in both cases.
pub(crate) struct WindowGradient {
    geometry: Geometry,
    base: View,
    wide: View,
    wide_lanes: Vec<usize>,
    base_channels: Vec<Option<usize>>,
    wide_channels: Vec<Option<usize>>,
    panels: Vec<Panel>,
    panel_of_block: Vec<usize>,
    chunks: usize,
    partial_len: usize,
    tile: fn(usize, usize) -> WindowGradFn,
    group: fn(usize) -> usize,
    len: usize,
}

impl WindowGradient {
    /// `lanes`: channels in use per block of the base and the wide map.
    pub(crate) fn new(
        k: &Kernels,
        geometry: Geometry,
        (base, base_lanes): (View, &[usize]),
        (wide, wide_lanes): (View, &[usize]),
    ) -> Self {
        assert!(
            base.n == wide.n && base.blocks == base_lanes.len() && wide.blocks == wide_lanes.len(),
            "shapes differ"
        );
        let per_group = [base_lanes, wide_lanes].map(|l| l.iter().sum::<usize>() / geometry.groups);
        let (base_channels, wide_channels) = (pack::channels(base_lanes), pack::channels(wide_lanes));
        let mut partial_len = 0;
        let mut panel_of_block = Vec::new();
        let panels: Vec<_> = pack::panels(k, base.blocks)
            .enumerate()
            .map(|(i, (block, blocks))| {
                let slots = &base_channels[block * LANES..(block + blocks) * LANES];
                let (low, high) = slots
                    .iter()
                    .flatten()
                    .map(|c| c / per_group[0])
                    .fold((usize::MAX, 0), |(a, b), g| (a.min(g), b.max(g)));
                let slot = |channel: usize| wide_channels.iter().position(|c| *c == Some(channel)).unwrap_or(0);
                let inputs = slot(low * per_group[1]) / LANES..slot((high + 1) * per_group[1] - 1) / LANES + 1;
                let sums = partial_len;
                partial_len += geometry.taps() * inputs.len() * LANES * blocks * LANES;
                panel_of_block.extend(std::iter::repeat_n(i, blocks));
                Panel { block, blocks, inputs, sums }
            })
            .collect();
        let chunks = JOBS.div_ceil(panels.len()).min(base.n * base.d * base.h);
        Self {
            len: base_lanes.iter().sum::<usize>() * per_group[1] * geometry.taps(),
            geometry,
            base,
            wide,
            wide_lanes: wide_lanes.to_vec(),
            base_channels,
            wide_channels,
            panels,
            panel_of_block,
            chunks,
            partial_len,
            tile: k.window_grad,
            group: k.weight_group,
        }
    }

    /// Floats of scratch that [`WindowGradient::run`] needs.
    pub(crate) fn scratch_len(&self) -> usize {
        self.chunks * self.partial_len
    }

    /// Writes the gradient into `dw`, in the layout of the weight tensor.
    pub(crate) fn run(&self, pool: &mut Pool, arena: &mut Aligned, scratch: &mut [f32], dw: &mut [f32]) {
        let scratch = &mut scratch[..self.scratch_len()];
        assert!(dw.len() == self.len, "gradient has the wrong length");
        let arena = Base::of(arena, &[self.base, self.wide], &[]);
        let partial = Base::of_slice(scratch);
        pool.run(self.chunks * self.panels.len(), |job| {
            let (chunk, panel) = (job / self.panels.len(), &self.panels[job % self.panels.len()]);
            // SAFETY: views checked by `Base::of`, scratch by the slice above; every job writes the partial sums of its own chunk and panel.
            unsafe { self.partial(arena, partial, chunk, panel) };
        });
        let sums: &[f32] = scratch;
        let per_channel = dw.len() / self.base_channels.iter().flatten().count();
        let target = Base::of_slice(dw);
        pool.run(self.base_channels.len(), |slot| {
            let Some(channel) = self.base_channels[slot] else { return };
            // SAFETY: `channel` is below the outer count, so its run lies inside `dw`; every channel has one slot.
            let row = unsafe { std::slice::from_raw_parts_mut(target.at(channel * per_channel), per_channel) };
            self.combine(sums, slot, channel, row);
        });
    }

    /// Base positions `from..to` of axis `a` whose wide position under tap `k` lies in the map, with the first one's wide position.
    fn valid(&self, a: usize, k: usize, from: usize, to: usize) -> (usize, usize, usize) {
        let (stride, len) = (self.geometry.stride[a] as isize, [self.wide.d, self.wide.h, self.wide.w][a] as isize);
        let offset = (k * self.geometry.dilation[a]) as isize - self.geometry.padding[a] as isize;
        // i * stride + offset >= 0 and <= len - 1.
        let low = (-offset).max(0).unsigned_abs().div_ceil(stride.unsigned_abs()).max(from);
        let high = ((len - 1 - offset).div_euclid(stride) + 1).max(0).unsigned_abs().min(to);
        (low, high, if low < high { (low as isize * stride + offset).unsigned_abs() } else { 0 })
    }

    /// # Safety
    /// `arena` must come from the views of `self` and `partial` from a slice of [`WindowGradient::scratch_len`] floats.
    unsafe fn partial(&self, arena: Base, partial: Base, chunk: usize, panel: &Panel) {
        let width = panel.blocks * LANES;
        let tap_len = panel.inputs.len() * LANES * width;
        let [kd, kh, kw] = self.geometry.kernel;
        // SAFETY: panels tile the partial sums of a chunk; this job's part is `taps * tap_len` floats from here.
        let dw = unsafe { partial.at(chunk * self.partial_len + panel.sums) };
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(dw, kd * kh * kw * tap_len) }.fill(0.0);
        let View { d, h, w, .. } = self.base;
        let all_rows = self.base.n * d * h;
        let (mut row, end) = (chunk * all_rows / self.chunks, (chunk + 1) * all_rows / self.chunks);
        let (column_step, row_step) = (w.min(PIXELS), (PIXELS / w).max(1));
        let (stride_h, stride_w) = (self.geometry.stride[1], self.geometry.stride[2]);
        while row < end {
            let (n, z, r0) = (row / (d * h), row / h % d, row % h);
            let r1 = (r0 + row_step).min(h).min(r0 + end - row);
            for c0 in (0..w).step_by(column_step) {
                let c1 = (c0 + column_step).min(w);
                for ib in panel.inputs.clone() {
                    for tap in 0..kd * kh * kw {
                        let (za, zb, wide_z) = self.valid(0, tap / (kh * kw), z, z + 1);
                        let (ra, rb, wide_r) = self.valid(1, tap / kw % kh, r0, r1);
                        let (ca, cb, wide_c) = self.valid(2, tap % kw, c0, c1);
                        if za >= zb || ra >= rb || ca >= cb {
                            continue;
                        }
                        let wide =
                            self.wide.at(n, ib) + ((wide_z * self.wide.h + wide_r) * self.wide.w + wide_c) * LANES;
                        let base = self.base.at(n, panel.block) + ((z * h + ra) * w + ca) * LANES;
                        let mut i = 0;
                        while i < self.wide_lanes[ib] {
                            let group = (self.group)(self.wide_lanes[ib] - i);
                            // SAFETY: rows and columns were cut to those whose wide position lies in the map; `group` divides 16 and starts at a
                            // multiple of it, so channels stay in the block; `dw` as above.
                            unsafe {
                                (self.tile)(group, panel.blocks)(&WindowGradTile {
                                    wide: arena.at(wide + i),
                                    wide_row: stride_h * self.wide.w * LANES,
                                    wide_pixel: stride_w * LANES,
                                    base: arena.at(base),
                                    base_row: w * LANES,
                                    base_block: self.base.plane(),
                                    rows: rb - ra,
                                    pixels: cb - ca,
                                    dw: dw.add(tap * tap_len + ((ib - panel.inputs.start) * LANES + i) * width),
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

    /// Adds the chunks, in order, for one base channel.
    fn combine(&self, sums: &[f32], slot: usize, channel: usize, row: &mut [f32]) {
        let taps = self.geometry.taps();
        let panel = &self.panels[self.panel_of_block[slot / LANES]];
        let width = panel.blocks * LANES;
        let wide_group = row.len() / taps;
        let base_group = self.base_channels.iter().flatten().count() / self.geometry.groups;
        let first = channel / base_group * wide_group;
        for (i, wide) in self.wide_channels[panel.inputs.start * LANES..panel.inputs.end * LANES].iter().enumerate() {
            let Some(wide) = wide.filter(|c| (first..first + wide_group).contains(c)) else { continue };
            for tap in 0..taps {
                let at = panel.sums + (tap * panel.inputs.len() * LANES + i) * width + (slot - panel.block * LANES);
                let mut sum = 0.0;
                for chunk in 0..self.chunks {
                    sum += sums[chunk * self.partial_len + at];
                }
                row[(wide - first) * taps + tap] = sum;
            }
        }
    }
}
