//! Convolution of any kernel, stride, padding, dilation and number of groups, in two and three dimensions, and its transpose.
//!
//! The register tile is that of [`super::conv`] with every kernel tap among the segments. Along each axis the output falls into runs of positions at which
//! the same taps lie inside the input; each combination of runs has its own list of segments, so that no tile ever looks at a border. The transposed
//! convolution, which is also the gradient of a convolution's input, is one such pass per residue of the stride.

use std::ops::Range;

use super::bf16::pair_rows;
use super::buffer::{Aligned, Base, Format, LANES, View};
use super::conv::Start;
use super::pool::Pool;
use super::simd::{Number, Simd};
use super::window_axis::Axis;
pub(crate) use super::window_axis::Direction;
use super::{Kernels, pack};
use crate::geometry::Geometry;

/// A run of input channels under one kernel tap.
#[derive(Clone, Copy)]
pub(crate) struct TapRun {
    /// Floats from the tile's first pixel to this run's first channel there.
    offset: isize,
    /// Channels, 1 to 16; of bf16, pairs of them, 1 to 8.
    lanes: usize,
    /// First row of weights, of the panel's.
    row: usize,
}

/// The arguments of one register tile.
pub(crate) struct WindowTile {
    x: *const f32,
    x_pixel: usize,
    runs: *const TapRun,
    run_count: usize,
    w: *const f32,
    bias: *const f32,
    y: *mut f32,
    y_block: usize,
    y_pixel: usize,
    y_format: Format,
    start: Start,
    relu: bool,
}

pub(crate) type WindowTileFn = unsafe fn(&WindowTile);

/// `V` registers of output channels by `PX` pixels, in products of `N`; `XS` floats between input pixels, 0 where only the arguments tell.
///
/// # Safety
/// For every run and pixel, `x + offset + pixel * x_pixel` is valid for `lanes` floats; `w` holds `V * L` floats for each of the runs' rows; `bias` holds
/// `V * L` where `start` is `Bias`; `y` is valid for `V * L` channels of `PX` pixels at the given strides, and no other thread touches them.
#[inline(always)]
pub(crate) unsafe fn window_tile<S: Simd, N: Number<S>, const V: usize, const PX: usize, const XS: usize>(
    t: &WindowTile,
) {
    // SAFETY: the caller's promise covers every address formed here. Offsets may pass outside the map before they come back in, hence `wrapping_offset`.
    unsafe {
        let mut acc = [[S::zero(); V]; PX];
        let at = |p: usize, o: usize| {
            t.y.add(p * t.y_pixel + (o * S::L / LANES) * t.y_block + N::before(t.y_format, o * S::L % LANES))
        };
        match t.start {
            Start::Zero => {}
            Start::Bias => {
                for o in 0..V {
                    let b = S::load(t.bias.add(o * S::L));
                    for p in 0..PX {
                        acc[p][o] = b;
                    }
                }
            }
            Start::Output => {
                for p in 0..PX {
                    for o in 0..V {
                        acc[p][o] = N::load(at(p, o), t.y_format);
                    }
                }
            }
        }
        let pixel = if XS == 0 { t.x_pixel } else { XS };
        for r in 0..t.run_count {
            let run = *t.runs.add(r);
            let mut x = t.x.wrapping_offset(run.offset);
            let mut w = t.w.add(run.row * V * S::L);
            for _ in 0..run.lanes {
                let mut weight = [S::zero(); V];
                for o in 0..V {
                    weight[o] = S::load(w.add(o * S::L));
                }
                for p in 0..PX {
                    let value = S::splat(x.add(p * pixel));
                    for o in 0..V {
                        acc[p][o] = N::dot(weight[o], value, acc[p][o]);
                    }
                }
                x = x.add(1);
                w = w.add(V * S::L);
            }
        }
        for p in 0..PX {
            for o in 0..V {
                let v = if t.relu { S::max(S::zero(), acc[p][o]) } else { acc[p][o] };
                N::store(at(p, o), v, t.y_format);
            }
        }
    }
}

struct Column {
    /// First output position of the tile within the pass, and its run.
    first: usize,
    run: usize,
    tile: WindowTileFn,
}

/// All outputs of one residue.
struct Pass {
    axes: [Axis; 3],
    /// The axis along which tiles lie: width, or height where that has fewer borders.
    along: usize,
    /// Tiles along that axis, for panels of one and of two blocks.
    columns: [Vec<Column>; 2],
    /// Runs of taps by panel kind, depth run, height run and width run; panels of ungrouped convolutions are all of kind 0.
    lists: Vec<Vec<TapRun>>,
}

struct Panel {
    block: usize,
    blocks: usize,
    /// Blocks of input that it reads.
    inputs: Range<usize>,
    kind: usize,
    /// First float of its weights.
    weights: usize,
}

/// One convolution over fixed views.
pub(crate) struct Window {
    x: View,
    y: View,
    direction: Direction,
    groups: usize,
    taps: usize,
    x_lanes: Vec<usize>,
    x_channels: Vec<Option<usize>>,
    y_channels: Vec<Option<usize>>,
    /// Channels of `x` and of `y`.
    counts: [usize; 2],
    panels: Vec<Panel>,
    passes: Vec<Pass>,
    panels_per_job: usize,
    weight_len: usize,
}

impl Window {
    /// `y` from `x`; lanes are the channels in use of every block. A `Scatter` reads what the convolution of this geometry would write.
    pub(crate) fn new(
        k: &Kernels,
        direction: Direction,
        g: &Geometry,
        (x, x_lanes): (View, &[usize]),
        (y, y_lanes): (View, &[usize]),
    ) -> Self {
        assert!(x.n == y.n && x.blocks == x_lanes.len() && y.blocks == y_lanes.len(), "shapes differ");
        assert!(x.format == k.format, "products read another format than the input's");
        let rows = &k.rows(x_lanes);
        let counts = [x_lanes.iter().sum::<usize>(), y_lanes.iter().sum::<usize>()];
        let (x_channels, y_channels) = (pack::channels(x_lanes), pack::channels(y_lanes));
        let per_group = counts.map(|c| c / g.groups);
        let taps = g.taps();
        let mut weight_len = 0;
        let panels: Vec<_> = pack::panels(k, y.blocks)
            .enumerate()
            .map(|(i, (block, blocks))| {
                let group =
                    |slots: &[Option<usize>]| slots.iter().flatten().map(|c| c / per_group[1]).collect::<Vec<_>>();
                let groups = group(&y_channels[block * LANES..(block + blocks) * LANES]);
                let (low, high) = (groups[0] * per_group[0], (groups[groups.len() - 1] + 1) * per_group[0]);
                let slot = |channel: usize| x_channels.iter().position(|c| *c == Some(channel)).unwrap_or(0);
                let inputs = slot(low) / LANES..slot(high - 1) / LANES + 1;
                let weights = weight_len;
                weight_len += taps * rows[inputs.clone()].iter().sum::<usize>() * blocks * LANES;
                Panel { block, blocks, inputs, kind: if g.groups == 1 { 0 } else { i }, weights }
            })
            .collect();
        let kinds = panels.iter().map(|p| p.kind + 1).max().unwrap_or(1);
        let axes = |a: usize| Axis::passes(g, direction, a, [x.d, x.h, x.w][a], [y.d, y.h, y.w][a]);
        let mut passes = Vec::new();
        for d in 0..axes(0).len() {
            for h in 0..axes(1).len() {
                for w in 0..axes(2).len() {
                    let axes = [(0, d), (1, h), (2, w)].map(|(a, i)| axes(a).swap_remove(i));
                    let cost = |across: usize, along: usize| axes[across].count * row_cost(k, &axes[along]);
                    let along = if cost(2, 1) < cost(1, 2) { 1 } else { 2 };
                    let x_pixel = axes[along].in_step * x.format.pixel() * if along == 2 { 1 } else { x.w };
                    let columns = [1, 2].map(|blocks| columns(k, blocks, &axes[along], x_pixel));
                    let lists = (0..kinds).flat_map(|kind| lists(g, x, rows, &panels[kind].inputs, &axes)).collect();
                    passes.push(Pass { axes, along, columns, lists });
                }
            }
        }
        // As for the direct convolution: weights that fit the second-level cache let every row run through all panels.
        let panels_per_job = if weight_len * size_of::<f32>() <= 512 << 10 { panels.len() } else { 1 };
        Self {
            x,
            y,
            direction,
            groups: g.groups,
            taps,
            x_lanes: x_lanes.to_vec(),
            x_channels,
            y_channels,
            counts,
            panels,
            passes,
            panels_per_job,
            weight_len,
        }
    }

    /// Floats of packed weights.
    pub(crate) fn weight_len(&self) -> usize {
        self.weight_len
    }

    /// Weights from PyTorch's layout, `[written, read / groups, taps]` of a gathering and `[read, written / groups, taps]` of a scattering, into
    /// `[panel][tap][input channel][output channel of the panel]`; for products of bf16 with pairs of input channels side by side.
    pub(crate) fn pack(&self, pool: &mut Pool, weights: &[f32], packed: &mut [f32]) {
        let [read, written] = self.counts;
        assert!(weights.len() == read * written / self.groups * self.taps, "weight tensor has the wrong length");
        assert!(packed.len() >= self.weight_len, "packed weights do not fit");
        let [read_group, written_group] = self.counts.map(|c| c / self.groups);
        // The outputs that an input meets, and where in the tensor the first of them and the next one lie.
        let meets = |i: usize| {
            let group = i / read_group;
            let outputs = group * written_group..(group + 1) * written_group;
            match self.direction {
                Direction::Gather => (outputs.start * read_group + i % read_group, read_group, outputs),
                Direction::Scatter => (i * written_group, 1, outputs),
            }
        };
        let target = Base::of_slice(packed);
        pool.run(self.panels.len(), |job| {
            let panel = &self.panels[job];
            let end = self.panels.get(job + 1).map_or(self.weight_len, |p| p.weights);
            // SAFETY: panels tile the length checked above; every job writes its own panel.
            let dst = unsafe { std::slice::from_raw_parts_mut(target.at(panel.weights), end - panel.weights) };
            let outputs = &self.y_channels[panel.block * LANES..(panel.block + panel.blocks) * LANES];
            let inputs = &self.x_channels[panel.inputs.start * LANES..panel.inputs.end * LANES];
            let mut wide = match self.x.format {
                Format::F32 => Vec::new(),
                Format::Bf16 => vec![0.0; self.taps * inputs.iter().flatten().count() * outputs.len()],
            };
            let rows = if wide.is_empty() { &mut *dst } else { &mut wide };
            let mut rows = rows.chunks_exact_mut(outputs.len());
            for tap in 0..self.taps {
                for (i, row) in inputs.iter().flatten().zip(rows.by_ref()) {
                    let (first, stride, met) = meets(*i);
                    for (v, o) in row.iter_mut().zip(outputs) {
                        let o = o.filter(|o| met.contains(o));
                        *v = o.map_or(0.0, |o| weights[(first + (o - met.start) * stride) * self.taps + tap]);
                    }
                }
            }
            if !wide.is_empty() {
                pair_rows(&wide, outputs.len(), &self.x_lanes[panel.inputs.clone()], dst);
            }
        });
    }

    /// Runs it. `weights` as [`Window::pack`] wrote them, `bias` `[blocks * 16]` where `start` is [`Start::Bias`].
    pub(crate) fn run(
        &self,
        pool: &mut Pool,
        arena: &mut Aligned,
        weights: &[f32],
        bias: &[f32],
        start: Start,
        relu: bool,
    ) {
        assert!(weights.len() >= self.weight_len, "packed weights too short");
        assert!(!matches!(start, Start::Bias) || bias.len() >= self.y.blocks * LANES, "bias too short");
        let base = Base::of_any(arena, &[self.x], &[self.y]);
        let groups = self.panels.len().div_ceil(self.panels_per_job);
        for pass in &self.passes {
            let rows = pass.axes[0].count * pass.axes[3 - pass.along].count;
            let rows_per_job = rows.div_ceil(16_usize.div_ceil(self.x.n * groups));
            let chunks = rows.div_ceil(rows_per_job);
            pool.run(groups * self.x.n * chunks, |job| {
                let (group, n, chunk) = (job / (self.x.n * chunks), job / chunks % self.x.n, job % chunks);
                let first = group * self.panels_per_job;
                let panels = &self.panels[first..(first + self.panels_per_job).min(self.panels.len())];
                for row in chunk * rows_per_job..((chunk + 1) * rows_per_job).min(rows) {
                    for panel in panels {
                        // SAFETY: `weights`, `bias` and the views were checked above. Jobs write different images, rows or panels of `y`.
                        unsafe { self.row(base, weights, bias, start, relu, pass, n, row, panel) };
                    }
                }
            });
        }
    }

    /// # Safety
    /// `base` must come from the views of `self`, and `weights` and `bias` have the lengths that `run` checks.
    unsafe fn row(
        &self,
        base: Base,
        weights: &[f32],
        bias: &[f32],
        start: Start,
        relu: bool,
        pass: &Pass,
        n: usize,
        row: usize,
        panel: &Panel,
    ) {
        let [depth, height, width] = &pass.axes;
        let along = &pass.axes[pass.along];
        let across = &pass.axes[3 - pass.along];
        let (z, r) = (row / across.count, row % across.count);
        let run_of = |axis: &Axis, i: usize| axis.runs.partition_point(|run| run.first + run.count <= i);
        let (depth_run, across_run) = (run_of(depth, z), run_of(across, r));
        let [from, to] = [self.x.format, self.y.format].map(Format::pixel);
        let [x_line, y_line] = if pass.along == 2 { [from, to] } else { [self.x.w * from, self.y.w * to] };
        for column in &pass.columns[panel.blocks - 1] {
            let of_axes = |r: usize, c: usize| if pass.along == 2 { [r, c] } else { [c, r] };
            let [height_run, width_run] = of_axes(across_run, column.run);
            let list = (panel.kind * depth.runs.len() + depth_run) * height.runs.len() + height_run;
            let runs = &pass.lists[list * width.runs.len() + width_run];
            let [h, w] = of_axes(r, column.first);
            let x_pixel = (z * depth.in_step * self.x.h + h * height.in_step) * self.x.w + w * width.in_step;
            let y_row = (depth.first + z * depth.step) * self.y.h + height.first + h * height.step;
            let x_at = self.x.at(n, 0) + x_pixel * from;
            let y_at = self.y.at(n, panel.block) + (y_row * self.y.w + width.first + w * width.step) * to;
            // SAFETY: `lists` holds only taps whose input lies inside the view for every position of the runs that they were made for; weights and
            // bias have the lengths checked in `run`; the output pixels lie inside `y`, and rows, passes and columns do not overlap. The first
            // pixel's address alone may lie outside where all its taps point back inside: `wrapping_add`.
            unsafe {
                (column.tile)(&WindowTile {
                    x: base.at(self.x.offset).wrapping_add(x_at - self.x.offset),
                    x_pixel: along.in_step * x_line,
                    runs: runs.as_ptr(),
                    run_count: runs.len(),
                    w: weights[panel.weights..].as_ptr(),
                    bias: if matches!(start, Start::Bias) {
                        bias[panel.block * LANES..].as_ptr()
                    } else {
                        std::ptr::null()
                    },
                    y: base.at(y_at),
                    y_block: self.y.plane(),
                    y_pixel: along.step * y_line,
                    y_format: self.y.format,
                    start,
                    relu,
                });
            }
        }
    }
}

/// What a row of tiles along this axis costs, in pixels: narrow tiles take as long as those of half the width, since a sum waits for the one before.
fn row_cost(k: &Kernels, axis: &Axis) -> usize {
    let widest = (k.max_pixels)(k.panel_blocks);
    axis.runs.iter().map(|run| run.count.max(run.count.div_ceil(widest) * widest.div_ceil(2))).sum()
}

/// Tiles along an axis, whose input pixels are `x_pixel` floats apart: every run cut into tiles of nearly equal width.
fn columns(k: &Kernels, blocks: usize, axis: &Axis, x_pixel: usize) -> Vec<Column> {
    if blocks > k.panel_blocks {
        return Vec::new();
    }
    let mut columns = Vec::new();
    for (i, run) in axis.runs.iter().enumerate() {
        let count = run.count.div_ceil((k.max_pixels)(blocks));
        let bound = |t: usize| t * run.count / count;
        columns.extend((0..count).map(|t| Column {
            first: run.first + bound(t),
            run: i,
            tile: (k.window_tile)(x_pixel, blocks, bound(t + 1) - bound(t)),
        }));
    }
    columns
}

/// The runs of taps for every combination of the axes' runs, for a panel that reads the blocks `inputs`.
fn lists(g: &Geometry, x: View, lanes: &[usize], inputs: &Range<usize>, axes: &[Axis; 3]) -> Vec<Vec<TapRun>> {
    let depth: usize = lanes[inputs.clone()].iter().sum();
    let mut lists = Vec::new();
    for dr in &axes[0].runs {
        for hr in &axes[1].runs {
            for wr in &axes[2].runs {
                let mut list = Vec::new();
                for &(kd, od) in &axes[0].taps[dr.taps.clone()] {
                    for &(kh, oh) in &axes[1].taps[hr.taps.clone()] {
                        for &(kw, ow) in &axes[2].taps[wr.taps.clone()] {
                            let mut row = ((kd * g.kernel[1] + kh) * g.kernel[2] + kw) * depth;
                            let pixel = (od * x.h as isize + oh) * x.w as isize + ow;
                            for block in inputs.clone() {
                                let offset = pixel * x.format.pixel() as isize + (block * x.plane()) as isize;
                                list.push(TapRun { offset, lanes: lanes[block], row });
                                row += lanes[block];
                            }
                        }
                    }
                }
                lists.push(list);
            }
        }
    }
    lists
}
