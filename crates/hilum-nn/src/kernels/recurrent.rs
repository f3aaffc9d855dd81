//! Recurrent layers: GRU (Cho et al. 2014) and LSTM (Hochreiter and Schmidhuber 1997), forward and back through time.
//!
//! The products with the input, and all gradients of weights, are those of a 1x1 convolution over every position of every sequence. Only what needs the
//! state before goes step by step: a product on the same register tile, and the cell ([`super::gates`]). Sequences do not depend on each other, so a job
//! is a few of them over all steps; the jobs are cut by the shape alone.
//!
//! All buffers are the layer's own, of one grid: pixel `t * n + i` is position `t` of sequence `i`. States have `n` pixels more: those before the first
//! step, which stay zero. A layer that reads forwards has them at the beginning, one that reads backwards at the end.

use super::buffer::{Aligned, Base, Format, LANES, View};
use super::conv::{Segment, Start, Tile};
use super::gates::Gates;
use super::method::{Method, WeightMethod};
use super::pack::{self, Packing, Source};
use super::pool::Pool;
use super::{Kernels, norm};
use crate::op::{Cell, Recurrence};
use crate::weights::Tensor;

/// Sequences that a job takes through all steps: the weights pass through the caches once for all of them.
const SEQUENCES: usize = 4;
/// Pixels of a row of the grid: whole tiles of every instruction set.
const WIDTH: usize = 24;
/// Parameters of one direction: weights and biases of input and state.
const PARAMETERS: usize = 4;

/// The places of a layer's sequences in time.
#[derive(Clone, Copy)]
struct Grid {
    n: usize,
    steps: usize,
    rows: usize,
    width: usize,
}

impl Grid {
    fn new(n: usize, steps: usize) -> Self {
        let pixels = (steps + 1) * n;
        let width = pixels.min(WIDTH);
        Self { n, steps, rows: pixels.div_ceil(width), width }
    }

    /// Floats of one block of 16 features.
    fn plane(self) -> usize {
        self.rows * self.width * LANES
    }

    /// A view of so many blocks, one after the other in an arena of `len` floats so far.
    fn take(self, len: &mut usize, blocks: usize) -> View {
        let Self { n, rows, width, .. } = self;
        let view = View {
            offset: *len,
            n: 1,
            image: blocks * self.plane(),
            blocks,
            d: 1,
            h: rows,
            w: width,
            format: Format::F32,
        };
        // What a view that begins a step later reads beyond the last block.
        *len = view.end() + n * LANES;
        view
    }

    /// A view whose pixels are those of a step later.
    fn later(self, view: View) -> View {
        View { offset: view.offset + self.n * LANES, ..view }
    }
}

/// One reading of the sequence.
struct Direction {
    reverse: bool,
    /// The input's part of the gates.
    x: View,
    /// The state's part of the gates, of a GRU.
    h: Option<View>,
    state: View,
    /// Of an LSTM.
    cell: Option<View>,
    input: Method,
    input_weights: Aligned,
    input_bias: Aligned,
    hidden: Product,
    /// Bias of the state's part of a GRU's candidate.
    candidate_bias: Aligned,
    back: Option<Back>,
}

/// What only training needs.
struct Back {
    /// Gradients of the states.
    d_state: View,
    /// Of an LSTM: the gradient along its cell state, one pixel per sequence.
    d_cell: Option<View>,
    input: Method,
    input_weights: Aligned,
    hidden: Product,
    input_gradient: WeightMethod,
    hidden_gradient: WeightMethod,
}

/// The product of one step with the weights of the state, or with their transpose.
struct Product {
    packing: Packing,
    weights: Aligned,
    segments: Vec<Segment>,
    panels: Vec<(usize, usize)>,
    /// Channels read.
    depth: usize,
}

impl Product {
    fn new(k: &Kernels, source: Source, plane: usize, lanes: &[usize], out_lanes: &[usize]) -> Self {
        let depth: usize = lanes.iter().sum();
        let segment = |(b, &lanes): (usize, &usize)| Segment { offset: (b * plane) as isize, lanes };
        Self {
            packing: Packing::new(k, source, 1, out_lanes, lanes),
            weights: Aligned::zeroed(depth * out_lanes.len() * LANES),
            segments: lanes.iter().enumerate().map(segment).collect(),
            panels: pack::panels(k, out_lanes.len()).collect(),
            depth,
        }
    }

    /// `y`, or what is added to it, from `pixels` pixels at `x`; blocks on both sides are `plane` floats apart.
    ///
    /// # Safety
    /// `x` is valid for the blocks that are read and `y` for those that are written, at every pixel; `y` is this job's alone.
    unsafe fn run(&self, k: &Kernels, x: *const f32, y: *mut f32, plane: usize, pixels: usize, onto: bool) {
        for &(block, blocks) in &self.panels {
            let w = self.weights[block * LANES * self.depth..].as_ptr();
            let widest = (k.max_pixels)(blocks);
            for first in (0..pixels).step_by(widest) {
                let count = widest.min(pixels - first);
                // SAFETY: the caller's promise; panels tile the weights, of which each has `depth` rows; the table belongs to this processor.
                unsafe {
                    let to = y.add(block * plane + first * LANES);
                    let tile = Tile::product(x.add(first * LANES), &self.segments, w, to, plane);
                    (k.tile)(1, LANES, blocks, count, false, false)(&if onto { tile.onto() } else { tile });
                }
            }
        }
    }
}

/// A recurrent layer over a fixed view.
pub(crate) struct Recurrent {
    cell: Cell,
    last: bool,
    grid: Grid,
    hidden: usize,
    arena: Aligned,
    x: View,
    dx: Option<View>,
    directions: Vec<Direction>,
    /// The views that a pass over the steps writes.
    written: Vec<View>,
    scratch: Aligned,
    partial: Vec<f64>,
}

impl Recurrent {
    /// Over sequences as long as `x` has pixels; `lanes`: its channels in use per block.
    pub(crate) fn new(
        k: &Kernels,
        x: View,
        lanes: &[usize],
        cell: Cell,
        recurrence: Recurrence,
        training: bool,
    ) -> Self {
        let Recurrence { hidden, bidirectional, last } = recurrence;
        let grid = Grid::new(x.n, x.pixels());
        let state_lanes: Vec<_> = (0..hidden.div_ceil(LANES)).map(|b| LANES.min(hidden - b * LANES)).collect();
        let gate_lanes = state_lanes.repeat(cell.gates());
        let mut len = 0;
        let xv = grid.take(&mut len, lanes.len());
        let dx = training.then(|| grid.take(&mut len, lanes.len()));
        let mut directions = Vec::new();
        for reverse in [false, true].into_iter().take(1 + usize::from(bidirectional)) {
            let gates = grid.take(&mut len, gate_lanes.len());
            let h = (cell == Cell::Gru).then(|| grid.take(&mut len, gate_lanes.len()));
            let state = grid.take(&mut len, state_lanes.len());
            let cell_state = (cell == Cell::Lstm).then(|| grid.take(&mut len, state_lanes.len()));
            let input = Method::same(k, false, Source::Forward, xv, lanes, gates, &gate_lanes, 1);
            let back = dx.map(|dx| {
                let before = if reverse { grid.later(state) } else { state };
                let input = Method::same(k, false, Source::Flipped, gates, &gate_lanes, dx, lanes, 1);
                let sums = h.unwrap_or(gates);
                Back {
                    d_state: grid.take(&mut len, state_lanes.len()),
                    d_cell: (cell == Cell::Lstm).then(|| grid.take(&mut len, state_lanes.len())),
                    input_weights: Aligned::zeroed(input.weight_len()),
                    input,
                    hidden: Product::new(k, Source::Flipped, grid.plane(), &gate_lanes, &state_lanes),
                    input_gradient: WeightMethod::same(k, false, xv, lanes, gates, &gate_lanes, 1),
                    hidden_gradient: WeightMethod::same(k, false, before, &state_lanes, sums, &gate_lanes, 1),
                }
            });
            directions.push(Direction {
                reverse,
                x: gates,
                h,
                state,
                cell: cell_state,
                input_weights: Aligned::zeroed(input.weight_len()),
                input,
                input_bias: Aligned::zeroed(gate_lanes.len() * LANES),
                hidden: Product::new(k, Source::Forward, grid.plane(), &state_lanes, &gate_lanes),
                candidate_bias: Aligned::zeroed(state_lanes.len() * LANES),
                back,
            });
        }
        let backs = || directions.iter().filter_map(|d| d.back.as_ref());
        let scratch = |b: &Back| b.input_gradient.scratch_len(1).max(b.hidden_gradient.scratch_len(1));
        let of_direction = |d: &Direction| [Some(d.x), d.h, Some(d.state), d.cell].into_iter().flatten();
        let of_back = |b: &Back| [Some(b.d_state), b.d_cell].into_iter().flatten();
        Self {
            cell,
            last,
            grid,
            hidden,
            arena: Aligned::zeroed(len),
            x: xv,
            dx,
            written: directions.iter().flat_map(of_direction).chain(backs().flat_map(of_back)).collect(),
            scratch: Aligned::zeroed(backs().map(scratch).max().unwrap_or(0)),
            partial: vec![0.0; if training { norm::partial_len(directions[0].x) } else { 0 }],
            directions,
        }
    }

    /// Floats of the buffers that [`Recurrent::new`] will make for `n` sequences of that many steps.
    pub(crate) fn floats(
        n: usize,
        steps: usize,
        blocks: usize,
        cell: Cell,
        recurrence: Recurrence,
        training: bool,
    ) -> u128 {
        let pixels = (n as u128) * (steps as u128 + 2) + WIDTH as u128;
        let state = recurrence.hidden.div_ceil(LANES);
        let products = if cell == Cell::Gru { 2 * cell.gates() } else { cell.gates() };
        let states = if cell == Cell::Gru { 1 } else { 2 } * (1 + usize::from(training));
        let blocks = blocks * (1 + usize::from(training)) + recurrence.directions() * state * (products + states);
        pixels * (blocks * LANES) as u128
    }

    /// How many parameter tensors it has: for each direction weight and bias of the input and of the state, in PyTorch's order.
    pub(crate) fn parameters(&self) -> usize {
        PARAMETERS * self.directions.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        let of_product = |p: &Product| p.weights.bytes();
        let of_back = |b: &Back| b.input_weights.bytes() + of_product(&b.hidden);
        let of_direction = |d: &Direction| {
            let weights = d.input_weights.bytes() + d.input_bias.bytes() + d.candidate_bias.bytes();
            weights + of_product(&d.hidden) + d.back.as_ref().map_or(0, of_back)
        };
        self.arena.bytes()
            + self.scratch.bytes()
            + self.partial.len() * size_of::<f64>()
            + self.directions.iter().map(of_direction).sum::<usize>()
    }

    /// Packs its parameters.
    pub(crate) fn load(&mut self, k: &Kernels, pool: &mut Pool, tensors: &[Tensor]) {
        let hidden = self.hidden;
        let padded = hidden.div_ceil(LANES) * LANES;
        for (direction, tensors) in self.directions.iter_mut().zip(tensors.chunks(PARAMETERS)) {
            let [of_input, of_state, input_bias, state_bias] = [0, 1, 2, 3].map(|i| tensors[i].data.as_slice());
            direction.input.pack(k, pool, of_input, &mut direction.input_weights);
            direction.hidden.packing.pack(pool, of_state, &mut direction.hidden.weights);
            if let Some(back) = &mut direction.back {
                back.input.pack(k, pool, of_input, &mut back.input_weights);
                back.hidden.packing.pack(pool, of_state, &mut back.hidden.weights);
            }
            for (i, (a, b)) in input_bias.iter().zip(state_bias).enumerate() {
                let (gate, feature) = (i / hidden, i % hidden);
                // The candidate of a GRU adds the state's bias before the reset gate multiplies.
                let apart = self.cell == Cell::Gru && gate == 2;
                direction.input_bias[gate * padded + feature] = if apart { *a } else { a + b };
                if apart {
                    direction.candidate_bias[feature] = *b;
                }
            }
        }
    }

    /// Writes `y`: the states after every position of `x`, or after the last.
    pub(crate) fn forward(&mut self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, x: View, y: View) {
        self.check(x, y);
        let Self { cell, last, grid, x: own_x, .. } = *self;
        let (own, directions) = (&mut self.arena, &self.directions);
        each_pixel(x, own_x, |from, to| own[to..to + LANES].copy_from_slice(&arena[from..from + LANES]));
        for d in directions {
            d.input.run(k, pool, own, &d.input_weights, &d.input_bias, Start::Bias, false, &mut []);
        }
        let base = Base::of(own, &[], &self.written);
        let chunks = grid.n.div_ceil(SEQUENCES);
        pool.run(directions.len() * chunks, |job| {
            let (direction, first) = (&directions[job / chunks], job % chunks * SEQUENCES);
            for step in 0..grid.steps {
                // SAFETY: `base` comes from the views of all directions, of this grid; every job has its own sequences.
                unsafe { direction.step(base, k, cell, grid, first, step) };
            }
        });
        for (i, d) in directions.iter().enumerate() {
            let part = y.part(i * d.state.blocks, d.state.blocks);
            each_pixel(part, d.results(d.state, grid, last), |to, from| {
                arena[to..to + LANES].copy_from_slice(&own[from..from + LANES]);
            });
        }
    }

    /// The gradients of its parameters, from that of the last result.
    pub(crate) fn backward(
        &mut self,
        k: &Kernels,
        pool: &mut Pool,
        arena: &Aligned,
        dy: View,
        gradients: &mut [Vec<f32>],
    ) {
        let Self { cell, last, grid, hidden, .. } = *self;
        let (own, directions) = (&mut self.arena, &self.directions);
        let backs = || directions.iter().filter_map(|d| Some((d, d.back.as_ref()?)));
        for (i, (d, back)) in backs().enumerate() {
            [Some(back.d_state), back.d_cell].into_iter().flatten().for_each(|v| own[v.offset..v.end()].fill(0.0));
            let part = dy.part(i * d.state.blocks, d.state.blocks);
            each_pixel(part, d.results(back.d_state, grid, last), |from, to| {
                own[to..to + LANES].copy_from_slice(&arena[from..from + LANES]);
            });
            // The grid's pixels behind the last step hold biases: no gradient.
            for b in 0..d.x.blocks {
                own[d.x.at(0, b) + grid.steps * grid.n * LANES..d.x.at(0, b + 1)].fill(0.0);
            }
        }
        let base = Base::of(own, &[], &self.written);
        let chunks = grid.n.div_ceil(SEQUENCES);
        pool.run(directions.len() * chunks, |job| {
            let (direction, first) = (&directions[job / chunks], job % chunks * SEQUENCES);
            for step in (0..grid.steps).rev() {
                // SAFETY: as in `forward`.
                unsafe { direction.step_back(base, k, cell, grid, first, step) };
            }
        });
        for ((d, back), gradients) in backs().zip(gradients.chunks_mut(PARAMETERS)) {
            let (weights, biases) = gradients.split_at_mut(2);
            back.input_gradient.run(k, pool, own, &mut self.scratch, &mut weights[0]);
            back.hidden_gradient.run(k, pool, own, &mut self.scratch, &mut weights[1]);
            for (view, bias) in [d.x, d.h.unwrap_or(d.x)].into_iter().zip(biases) {
                norm::channel_sums(k, pool, own, &mut self.partial, view, |b, sums| {
                    let (gate, first) = (b / d.state.blocks, b % d.state.blocks * LANES);
                    let features = LANES.min(hidden - first);
                    bias[gate * hidden + first..][..features].copy_from_slice(&sums[..features]);
                });
            }
        }
    }

    /// The gradient of the input of the last [`Recurrent::backward`], written to `dx` or added to it.
    pub(crate) fn input_gradient(&mut self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, dx: View, add: bool) {
        let own = &mut self.arena;
        for (i, back) in self.directions.iter().filter_map(|d| d.back.as_ref()).enumerate() {
            let start = if i == 0 { Start::Zero } else { Start::Output };
            back.input.run(k, pool, own, &back.input_weights, &[], start, false, &mut []);
        }
        let from = self.dx.expect("a layer in training has the input's gradient");
        each_pixel(dx, from, |to, from| {
            for (to, from) in arena[to..to + LANES].iter_mut().zip(&own[from..from + LANES]) {
                *to = if add { *to + from } else { *from };
            }
        });
    }

    fn check(&self, x: View, y: View) {
        let Grid { n, steps, .. } = self.grid;
        let blocks: usize = self.directions.iter().map(|d| d.state.blocks).sum();
        assert!(x.n == n && x.pixels() == steps && x.blocks == self.x.blocks, "shapes differ");
        assert!(y.n == n && y.pixels() == if self.last { 1 } else { steps } && y.blocks == blocks, "shapes differ");
    }
}

impl Direction {
    /// Of a view of states: that of the states after every position, or after the last step.
    fn results(&self, state: View, grid: Grid, last: bool) -> View {
        match (self.reverse, last) {
            (true, _) => state,
            (false, false) => grid.later(state),
            (false, true) => View { offset: state.offset + grid.steps * grid.n * LANES, ..state },
        }
    }

    /// Pixel of the step's position, of the state before it and of the state after it, for one sequence.
    fn places(&self, grid: Grid, sequence: usize, step: usize) -> [usize; 3] {
        let t = if self.reverse { grid.steps - 1 - step } else { step };
        let [before, after] = if self.reverse { [t + 1, t] } else { [t, t + 1] };
        [t, before, after].map(|t| t * grid.n + sequence)
    }

    /// The arguments of the cell for one block of features at these places.
    ///
    /// # Safety
    /// `base` comes from the views of `self`, which are of `grid`, and places are pixels of it.
    unsafe fn gates(
        &self,
        base: Base,
        grid: Grid,
        pixels: usize,
        block: usize,
        places: [usize; 3],
        first: usize,
    ) -> Gates {
        let [at, before, after] = places;
        // SAFETY: a block and a pixel of a checked view.
        let of = |v: View, pixel: usize| unsafe { base.at(v.at(0, block) + pixel * LANES) };
        let or_null = |v: Option<View>, pixel: usize| v.map_or(std::ptr::null_mut(), |v| of(v, pixel));
        let (d_state, d_cell) = self.back.as_ref().map_or((None, None), |b| (Some(b.d_state), b.d_cell));
        Gates {
            pixels,
            x: of(self.x, at),
            h: or_null(self.h, at),
            gate: self.state.blocks * grid.plane(),
            bias: self.candidate_bias[block * LANES..].as_ptr(),
            before: of(self.state, before),
            after: of(self.state, after),
            d_before: or_null(d_state, before),
            d_after: or_null(d_state, after),
            cell_before: or_null(self.cell, before),
            cell_after: or_null(self.cell, after),
            d_cell: or_null(d_cell, first),
        }
    }

    /// One step of the sequences from `first` on, at most [`SEQUENCES`].
    ///
    /// # Safety
    /// `base` comes from the views of `self`, which are of `grid`; no other job has these sequences.
    unsafe fn step(&self, base: Base, k: &Kernels, cell: Cell, grid: Grid, first: usize, step: usize) {
        let pixels = SEQUENCES.min(grid.n - first);
        let places = self.places(grid, first, step);
        let to = self.h.unwrap_or(self.x);
        // SAFETY: these sequences' pixels of one step, in all blocks of checked views; the table belongs to this processor.
        unsafe {
            let before = base.at(self.state.at(0, 0) + places[1] * LANES);
            let sums = base.at(to.at(0, 0) + places[0] * LANES);
            self.hidden.run(k, before, sums, grid.plane(), pixels, cell == Cell::Lstm);
            for block in 0..self.state.blocks {
                let gates = self.gates(base, grid, pixels, block, places, first);
                match cell {
                    Cell::Gru => (k.gru)(&gates),
                    Cell::Lstm => (k.lstm)(&gates),
                }
            }
        }
    }

    /// Backward of [`Direction::step`].
    ///
    /// # Safety
    /// As there.
    unsafe fn step_back(&self, base: Base, k: &Kernels, cell: Cell, grid: Grid, first: usize, step: usize) {
        let Some(back) = &self.back else { return };
        let pixels = SEQUENCES.min(grid.n - first);
        let places = self.places(grid, first, step);
        let from = self.h.unwrap_or(self.x);
        // SAFETY: as in `step`.
        unsafe {
            for block in 0..self.state.blocks {
                let gates = self.gates(base, grid, pixels, block, places, first);
                match cell {
                    Cell::Gru => (k.gru_grad)(&gates),
                    Cell::Lstm => (k.lstm_grad)(&gates),
                }
            }
            if step > 0 {
                let sums = base.at(from.at(0, 0) + places[0] * LANES);
                let before = base.at(back.d_state.at(0, 0) + places[1] * LANES);
                back.hidden.run(k, sums, before, grid.plane(), pixels, true);
            }
        }
    }
}

/// Calls `work` with the first float of every pixel of every block of a map over sequences, and with its place in a view of the layer's own.
fn each_pixel(map: View, own: View, mut work: impl FnMut(usize, usize)) {
    for n in 0..map.n {
        for b in 0..map.blocks {
            for t in 0..map.pixels() {
                work(map.at(n, b) + t * LANES, own.at(0, b) + (t * map.n + n) * LANES);
            }
        }
    }
}
