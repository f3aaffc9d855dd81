//! Convolution by direct register tiles: 3x3, 1x1 and transposed 2x2, forward and backward data, are one loop nest with different tables.
//!
//! A tile is up to 14 pixels of one row by 16 or 32 output channels, held in registers while input channels and kernel taps stream past. What a tile
//! reads is a list of [`Segment`]s: runs of channels at an offset from the tile's first pixel. Kernel rows, channel blocks and the taps of a
//! transposed convolution are all segments; so will be the depth taps of a 3D kernel.

use super::buffer::{Aligned, Base, Format, LANES, View};
use super::pool::Pool;
use super::simd::{Number, Simd};
use super::{Kernels, pack};

/// A run of input channels that one tile reads.
#[derive(Clone, Copy)]
pub(crate) struct Segment {
    /// Floats from the tile's first pixel to this run's first channel there.
    pub(crate) offset: isize,
    /// Channels, 1 to 16; of bf16, pairs of them, 1 to 8.
    pub(crate) lanes: usize,
}

/// What a tile's sums start from.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    /// Zero.
    Zero,
    /// The bias.
    Bias,
    /// What the output holds.
    Output,
}

/// The arguments of one register tile.
pub(crate) struct Tile {
    x: *const f32,
    segments: *const Segment,
    segment_count: usize,
    w: *const f32,
    bias: *const f32,
    y: *mut f32,
    y_block: usize,
    y_pixel: usize,
    y_format: Format,
    start: Start,
    relu: bool,
}

impl Tile {
    /// A plain matrix product into f32: pixels are 16 channels apart on both sides, output blocks `y_block` floats.
    pub(crate) fn product(x: *const f32, segments: &[Segment], w: *const f32, y: *mut f32, y_block: usize) -> Self {
        let (bias, segment_count, segments) = (std::ptr::null(), segments.len(), segments.as_ptr());
        let (start, y_format) = (Start::Zero, Format::F32);
        Self { x, segments, segment_count, w, bias, y, y_block, y_pixel: LANES, y_format, start, relu: false }
    }

    /// The same, added to what is there.
    pub(crate) fn onto(self) -> Self {
        Self { start: Start::Output, ..self }
    }
}

pub(crate) type TileFn = unsafe fn(&Tile);

/// `V` registers of output channels by `PX` pixels, in products of `N`; `K` kernel columns; `XS` floats between input pixels; `LE`, `RE`: the tile touches the left or right
/// border, where the outer kernel column falls on padding and is skipped.
///
/// # Safety
/// For every segment, pixel and column that is not skipped, `x + offset + (pixel + column - K / 2) * XS` is valid for `lanes` floats; `w` holds
/// `sum(lanes) * K * V * L` floats; `bias` holds `V * L` where `start` is `Bias`; `y` is valid for `V * L` channels of `PX` pixels at the given strides,
/// and no other thread touches them.
#[inline(always)]
pub(crate) unsafe fn tile<
    S: Simd,
    N: Number<S>,
    const V: usize,
    const PX: usize,
    const K: usize,
    const XS: usize,
    const LE: bool,
    const RE: bool,
>(
    t: &Tile,
) {
    // SAFETY: the caller's promise covers every address formed here.
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
        let mut w = t.w;
        for s in 0..t.segment_count {
            let segment = *t.segments.add(s);
            let mut x = t.x.offset(segment.offset);
            for _ in 0..segment.lanes {
                for k in 0..K {
                    let mut weight = [S::zero(); V];
                    for o in 0..V {
                        weight[o] = S::load(w.add((k * V + o) * S::L));
                    }
                    for p in 0..PX {
                        if (LE && k == 0 && p == 0) || (RE && k + 1 == K && p + 1 == PX) {
                            continue;
                        }
                        let value = S::splat(x.offset((p as isize + k as isize - (K / 2) as isize) * XS as isize));
                        for o in 0..V {
                            acc[p][o] = N::dot(weight[o], value, acc[p][o]);
                        }
                    }
                }
                x = x.add(1);
                w = w.add(K * V * S::L);
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

/// Floats of input that a job of a 1x1 convolution keeps in the second-level cache while all its panels' weights stream past.
const JOB_INPUT: usize = 1 << 16;
/// Pixels for which it is worth reading a panel's weights anew.
const JOB_PIXELS: usize = 64;
/// Jobs worth having.
const JOBS: usize = 16;

/// Neighbouring output blocks that one tile computes together.
struct Panel {
    block: usize,
    blocks: usize,
}

struct Column {
    first: usize,
    tile: TileFn,
}

/// One convolution over fixed views.
pub(crate) struct Conv {
    x: View,
    y: View,
    rows: usize,
    x_pixel: usize,
    x_row: usize,
    y_pixel: usize,
    y_row: usize,
    /// Output offset of every pass over the input: one, or four for the forward transposed convolution.
    passes: Vec<usize>,
    /// Segments of all kernel rows, kernel row outermost.
    segments: Vec<Segment>,
    kernel: usize,
    /// Input channels in one kernel row's segments; of bf16, pairs of them.
    depth: usize,
    panels: Vec<Panel>,
    /// Tiles of one row, for panels of one and of two blocks.
    columns: [Vec<Column>; 2],
    rows_per_job: usize,
    /// Parts of a row that are jobs of their own.
    parts: usize,
    panels_per_job: usize,
}

impl Conv {
    /// A `kernel` x `kernel` convolution, stride 1, same padding. `lanes`: channels in use of every block of `x`.
    pub(crate) fn same(k: &Kernels, x: View, lanes: &[usize], y: View, kernel: usize) -> Self {
        assert!(x.h == y.h && x.w == y.w, "same padding keeps the size");
        let (row, pitch) = (x.w * x.format.pixel(), y.format.pixel());
        let lanes = &k.rows(lanes);
        // To a kernel of one pixel, an image is one row.
        let size = if kernel == 1 { [1, x.h * x.w] } else { [x.h, x.w] };
        let segments = (0..kernel)
            .flat_map(|kh| lanes.iter().enumerate().map(move |(b, &l)| (kh, b, l)))
            .map(|(kh, b, lanes)| Segment {
                offset: (kh as isize - (kernel / 2) as isize) * row as isize + (b * x.plane()) as isize,
                lanes,
            })
            .collect();
        Self::new(k, x, y, size, [x.format.pixel(), row], [pitch, y.w * pitch], vec![0], segments, kernel, lanes)
    }

    /// Transposed convolution 2x2, stride 2: `y` is twice as high and wide as `x`.
    pub(crate) fn up(k: &Kernels, x: View, lanes: &[usize], y: View) -> Self {
        assert!(2 * x.h == y.h && 2 * x.w == y.w, "a transposed convolution doubles the size");
        let (lanes, [from, to]) = (&k.rows(lanes), [x.format.pixel(), y.format.pixel()]);
        let segments =
            lanes.iter().enumerate().map(|(b, &lanes)| Segment { offset: (b * x.plane()) as isize, lanes }).collect();
        let passes = (0..4).map(|tap| ((tap / 2) * y.w + tap % 2) * to).collect();
        let strides = [2 * to, 2 * y.w * to];
        Self::new(k, x, y, [x.h, x.w], [from, x.w * from], strides, passes, segments, 1, lanes)
    }

    /// Backward data of [`Conv::up`]: reads the gradient `x` at four taps, writes the gradient `y` of half the size.
    pub(crate) fn down(k: &Kernels, x: View, lanes: &[usize], y: View) -> Self {
        assert!(x.h == 2 * y.h && x.w == 2 * y.w, "the gradient of the input is half as large");
        let segments: Vec<_> = (0..4)
            .flat_map(|tap| lanes.iter().enumerate().map(move |(b, &l)| (tap, b, l)))
            .map(|(tap, b, lanes)| Segment {
                offset: (((tap / 2) * x.w + tap % 2) * LANES + b * x.plane()) as isize,
                lanes,
            })
            .collect();
        let all: Vec<_> = segments.iter().map(|s| s.lanes).collect();
        let strides = [2 * LANES, 2 * x.w * LANES];
        Self::new(k, x, y, [y.h, y.w], strides, [LANES, y.w * LANES], vec![0], segments, 1, &all)
    }

    fn new(
        k: &Kernels,
        x: View,
        y: View,
        [rows, width]: [usize; 2],
        [x_pixel, x_row]: [usize; 2],
        [y_pixel, y_row]: [usize; 2],
        passes: Vec<usize>,
        segments: Vec<Segment>,
        kernel: usize,
        lanes: &[usize],
    ) -> Self {
        assert!(x.format == k.format, "products read another format than the input's");
        let panels: Vec<_> = pack::panels(k, y.blocks).map(|(block, blocks)| Panel { block, blocks }).collect();
        let columns = [1, 2].map(|blocks| {
            if blocks > k.panel_blocks {
                return Vec::new();
            }
            let count = width.div_ceil((k.max_pixels)(blocks));
            let bound = |i: usize| i * width / count;
            (0..count)
                .map(|i| {
                    let border = kernel > 1;
                    let (left, right) = (border && i == 0, border && i + 1 == count);
                    Column {
                        first: bound(i),
                        tile: (k.tile)(kernel, x_pixel, blocks, bound(i + 1) - bound(i), left, right),
                    }
                })
                .collect()
        });
        let depth = lanes.iter().sum::<usize>();
        let weight_bytes = y.blocks * LANES * depth * kernel * kernel * passes.len() * size_of::<f32>();
        // Weights that fit the second-level cache beside the rows: every row runs through all panels; else a job keeps to one panel.
        let mut panels_per_job = if weight_bytes <= 512 << 10 { panels.len() } else { 1 };
        let rows_per_job = rows.div_ceil(JOBS.div_ceil(x.n * panels.len().div_ceil(panels_per_job)));
        let mut parts = 1;
        if rows == 1 {
            // A part of the image stays in the cache for a run of panels, each of which reads its weights once.
            parts = width.div_ceil((JOB_INPUT / depth).max(JOB_PIXELS));
            panels_per_job = panels.len().div_ceil(JOBS.div_ceil(x.n * parts));
        }
        Self {
            x,
            y,
            rows,
            x_pixel,
            x_row,
            y_pixel,
            y_row,
            passes,
            segments,
            kernel,
            depth,
            panels,
            columns,
            rows_per_job,
            parts,
            panels_per_job,
        }
    }

    /// Floats that [`pack`] writes for this convolution.
    pub(crate) fn weight_len(&self) -> usize {
        self.y.blocks * LANES * self.depth * self.kernel * self.kernel * self.passes.len()
    }

    /// Runs it. `weights` in the order of [`pack`], `bias` `[blocks * 16]` where `start` is [`Start::Bias`].
    pub(crate) fn run(
        &self,
        pool: &mut Pool,
        arena: &mut Aligned,
        weights: &[f32],
        bias: &[f32],
        start: Start,
        relu: bool,
    ) {
        assert!(weights.len() >= self.weight_len(), "packed weights too short");
        assert!(!matches!(start, Start::Bias) || bias.len() >= self.y.blocks * LANES, "bias too short");
        let base = Base::of_any(arena, &[self.x], &[self.y]);
        let groups = self.panels.len().div_ceil(self.panels_per_job);
        let chunks = self.rows.div_ceil(self.rows_per_job);
        let by_outputs = self.x.n == 1 && self.y.blocks * LANES >= self.x.pixels();
        pool.run(self.parts * groups * self.x.n * chunks, |job| {
            let (group, n, chunk, part) = if self.rows == 1 && by_outputs {
                // A thread keeps to its outputs: their weights are more than the map, and what comes next shares an image out by blocks too.
                (job / self.parts, 0, 0, job % self.parts)
            } else if self.rows == 1 {
                // Neighbouring jobs read the same part of an image.
                (job % groups, job / (groups * self.parts), 0, job / groups % self.parts)
            } else {
                (job / (self.x.n * chunks), job / chunks % self.x.n, job % chunks, 0)
            };
            let first_panel = group * self.panels_per_job;
            let panels = &self.panels[first_panel..(first_panel + self.panels_per_job).min(self.panels.len())];
            let rows = chunk * self.rows_per_job..((chunk + 1) * self.rows_per_job).min(self.rows);
            for row in rows {
                for panel in panels {
                    // SAFETY: `weights`, `bias` and the views were checked above. Jobs write different images, rows, parts of them or panels of
                    // `y`.
                    unsafe { self.row(base, weights, bias, start, relu, n, row, part, panel) };
                }
            }
        });
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
        n: usize,
        row: usize,
        part: usize,
        panel: &Panel,
    ) {
        // Kernel rows that fall on the padding above or below are left out: the segments of the others are contiguous, and so are their weights.
        let skip = usize::from(self.kernel == 3 && row == 0);
        let last = self.kernel - usize::from(self.kernel == 3 && row + 1 == self.rows);
        // The transposed convolution's gradient has its four taps among the segments of its one kernel row.
        let per_row = self.segments.len() / self.kernel;
        let segments = &self.segments[skip * per_row..last * per_row];
        let width = panel.blocks * LANES;
        let pass_len = self.y.blocks * LANES * self.depth * self.kernel * self.kernel;
        for (pass, &y_offset) in self.passes.iter().enumerate() {
            let w = pass * pass_len
                + panel.block * LANES * self.depth * self.kernel * self.kernel
                + skip * self.depth * self.kernel * width;
            let columns = &self.columns[panel.blocks - 1];
            let bound = |part: usize| part * columns.len() / self.parts;
            for column in &columns[bound(part)..bound(part + 1)] {
                let y = self.y.at(n, panel.block) + y_offset + row * self.y_row + column.first * self.y_pixel;
                let t = Tile {
                    // SAFETY: the first pixel of the tile, inside the view; segment offsets that leave the image vertically were cut off above, and
                    // the border variants of the tile skip the columns outside.
                    x: unsafe { base.at(self.x.at(n, 0) + row * self.x_row + column.first * self.x_pixel) },
                    segments: segments.as_ptr(),
                    segment_count: segments.len(),
                    w: weights[w..].as_ptr(),
                    bias: if matches!(start, Start::Bias) {
                        bias[panel.block * LANES..].as_ptr()
                    } else {
                        std::ptr::null()
                    },
                    // SAFETY: a pixel of the written view; rows, passes and columns do not overlap.
                    y: unsafe { base.at(y) },
                    y_block: self.y.plane(),
                    y_pixel: self.y_pixel,
                    y_format: self.y.format,
                    start,
                    relu,
                };
                // SAFETY: see above; the table of tiles belongs to an instruction set that `Kernels::get` found on this processor.
                unsafe { (column.tile)(&t) };
            }
        }
    }
}
