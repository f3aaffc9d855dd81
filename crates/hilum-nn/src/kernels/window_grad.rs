//! Gradients of the weights of [`super::window`]'s convolutions: per kernel tap a product of two maps, summed over the batch in a fixed order.

use std::ops::Range;

use super::buffer::{Aligned, Base, LANES, View};
use super::grad_split::{GradSplit, Job};
use super::pool::Pool;
use super::simd::Simd;
use super::{Kernels, pack};
use crate::geometry::Geometry;

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
    /// Base and wide channels of one group.
    per_group: [usize; 2],
    split: GradSplit,
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
        let most = panels.iter().map(|p| p.inputs.len()).max().unwrap_or(1);
        let panel_sums = partial_len / panels.len();
        let split = GradSplit::new(base.n * base.d, [base.h, base.w], panels.len(), panel_sums, most);
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
            per_group,
            split,
            partial_len,
            tile: k.window_grad,
            group: k.weight_group,
        }
    }

    /// Floats of scratch that [`WindowGradient::run`] needs.
    pub(crate) fn scratch_len(&self) -> usize {
        self.split.chunks * self.partial_len
    }

    /// Writes the gradient into `dw`, in the layout of the weight tensor.
    pub(crate) fn run(&self, pool: &mut Pool, arena: &mut Aligned, scratch: &mut [f32], dw: &mut [f32]) {
        let scratch = &mut scratch[..self.scratch_len()];
        assert!(dw.len() == self.len, "gradient has the wrong length");
        let arena = Base::of(arena, &[self.base, self.wide], &[]);
        let partial = Base::of_slice(scratch);
        pool.run(self.split.jobs(), |job| {
            let job = self.split.job(job);
            for panel in &self.panels[job.panels.clone()] {
                // SAFETY: views checked by `Base::of`, scratch by the slice above; every job writes the sums of its own chunk, panels and inputs.
                unsafe { self.clear(partial, &job, panel) };
            }
            for piece in job.pieces.clone() {
                for panel in &self.panels[job.panels.clone()] {
                    // SAFETY: as above.
                    unsafe { self.partial(arena, partial, &job, piece, panel) };
                }
            }
        });
        let sums: &[f32] = scratch;
        let target = Base::of_slice(dw);
        pool.run(self.base.blocks * self.wide.blocks, |job| {
            // SAFETY: `dw` has the length checked above; every job writes the pairs of its own two blocks.
            unsafe { self.combine(sums, target, job / self.wide.blocks, job % self.wide.blocks) };
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
    /// `partial` must come from a slice of [`WindowGradient::scratch_len`] floats; nobody else uses the job's inputs of this panel.
    unsafe fn clear(&self, partial: Base, job: &Job, panel: &Panel) {
        let (inputs, width) = (job.inputs(&panel.inputs), panel.blocks * LANES);
        for tap in 0..self.geometry.taps() {
            let row = (tap * panel.inputs.len() + inputs.start - panel.inputs.start) * LANES;
            // SAFETY: panels tile the sums of a chunk; these are the rows of the job's input blocks under one tap.
            unsafe {
                let sums = partial.at(job.chunk * self.partial_len + panel.sums + row * width);
                std::slice::from_raw_parts_mut(sums, inputs.len() * LANES * width).fill(0.0);
            }
        }
    }

    /// # Safety
    /// As [`WindowGradient::clear`]; `arena` must come from the views of `self`.
    unsafe fn partial(&self, arena: Base, partial: Base, job: &Job, piece: usize, panel: &Panel) {
        let width = panel.blocks * LANES;
        let tap_len = panel.inputs.len() * LANES * width;
        let [_, kh, kw] = self.geometry.kernel;
        let View { d, h, w, .. } = self.base;
        let (stride_h, stride_w) = (self.geometry.stride[1], self.geometry.stride[2]);
        let piece = self.split.piece(piece);
        let (n, z) = (piece.image / d, piece.image % d);
        // SAFETY: panels tile the sums of a chunk.
        let dw = unsafe { partial.at(job.chunk * self.partial_len + panel.sums) };
        for ib in job.inputs(&panel.inputs) {
            for tap in 0..self.geometry.taps() {
                let (za, zb, wide_z) = self.valid(0, tap / (kh * kw), z, z + 1);
                let (ra, rb, wide_r) = self.valid(1, tap / kw % kh, piece.rows.start, piece.rows.end);
                let (ca, cb, wide_c) = self.valid(2, tap % kw, piece.columns.start, piece.columns.end);
                if za >= zb || ra >= rb || ca >= cb {
                    continue;
                }
                let wide = self.wide.at(n, ib) + ((wide_z * self.wide.h + wide_r) * self.wide.w + wide_c) * LANES;
                let base = self.base.at(n, panel.block) + ((z * h + ra) * w + ca) * LANES;
                let mut i = 0;
                while i < self.wide_lanes[ib] {
                    let group = (self.group)(self.wide_lanes[ib] - i);
                    // SAFETY: rows and columns were cut to those whose wide position lies in the map; `group` divides 16 and starts at a multiple of
                    // it, so channels stay in the block; `dw` as above.
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

    /// Adds the chunks, in order, for the pairs of a base and a wide block, and writes them in the tensor's layout.
    ///
    /// # Safety
    /// `dw` is valid for the whole tensor, and nobody else writes these pairs.
    unsafe fn combine(&self, sums: &[f32], dw: Base, base_block: usize, wide_block: usize) {
        let panel = &self.panels[self.panel_of_block[base_block]];
        if !panel.inputs.contains(&wide_block) {
            return;
        }
        let (taps, width) = (self.geometry.taps(), panel.blocks * LANES);
        let [base_group, wide_group] = self.per_group;
        let base_channels = &self.base_channels[base_block * LANES..][..LANES];
        let used = base_channels.iter().flatten().count();
        for i in 0..self.wide_lanes[wide_block] {
            let Some(wide) = self.wide_channels[wide_block * LANES + i] else { continue };
            for tap in 0..taps {
                let row = (tap * panel.inputs.len() + wide_block - panel.inputs.start) * LANES + i;
                let at = panel.sums + row * width + (base_block - panel.block) * LANES;
                let mut sum = [0.0_f32; LANES];
                for chunk in 0..self.split.chunks {
                    let part = &sums[chunk * self.partial_len + at..][..LANES];
                    sum.iter_mut().zip(part).for_each(|(s, v)| *s += v);
                }
                if let (1, Some(first)) = (self.geometry.groups, base_channels[0]) {
                    // Channels in use are neighbours.
                    for (b, s) in sum[..used].iter().enumerate() {
                        // SAFETY: an element of the tensor: both channels exist.
                        unsafe { dw.at(((first + b) * wide_group + wide) * taps + tap).write(*s) };
                    }
                    continue;
                }
                for (channel, s) in base_channels.iter().zip(sum) {
                    let Some(channel) = *channel else { continue };
                    if channel / base_group == wide / wide_group {
                        // SAFETY: an element of the tensor: both channels exist and are of one group.
                        unsafe { dw.at((channel * wide_group + wide % wide_group) * taps + tap).write(s) };
                    }
                }
            }
        }
    }
}
