//! The forward plan.

use super::choice::{Choice, Choices, Computation, Tables, choose};
use super::finite::{Place, check_values};
use super::layout::{Lowered, Step, lies_in, place};
use super::operator::{self, Operator};
use super::precision::{Precision, Takes, narrow};
use super::profile::{Act, Label, Lap, Part, Stopwatch};
use super::{Algorithm, CompileError, Options, RunError, VolumeShape, allocate, check_floats, check_length};
use crate::graph::{Graph, Shape};
use crate::kernels::Kernels;
use crate::kernels::buffer::{Aligned, LANES, View};
use crate::kernels::conv::Start;
use crate::kernels::method::Method;
use crate::kernels::norm::{self, Lanes};
use crate::kernels::pack;
use crate::kernels::pointwise;
use crate::kernels::pool::Pool;
use crate::network::Network;
use crate::weights::Weights;

/// A network ready to run at one input shape.
pub struct Inference {
    plan: ForwardPlan,
    pool: Pool,
}

impl Inference {
    /// Plans the network, folds BatchNorm into the convolutions and packs the weights.
    pub fn compile(
        network: &Network,
        weights: &Weights,
        shape: impl Into<VolumeShape>,
        options: Options,
    ) -> Result<Self, CompileError> {
        Self::compile_with(network, weights, shape, options, Algorithm::Auto)
    }

    /// As [`Inference::compile`], with the algorithm of all 3x3 convolutions, the precision, or both ([`Computation`]) chosen by the caller.
    pub fn compile_with(
        network: &Network,
        weights: &Weights,
        shape: impl Into<VolumeShape>,
        options: Options,
        computation: impl Into<Computation>,
    ) -> Result<Self, CompileError> {
        let mut pool = options.pool()?;
        let computation = computation.into();
        let tables = options.tables(computation.precision)?;
        let mut plan = ForwardPlan::new(network, shape.into(), tables, &mut pool, &computation)?;
        weights.check(network)?;
        plan.load(weights, &mut pool);
        Ok(Self { plan, pool })
    }

    /// Runs the network: `input` is `[n, c, h, w]` or `[n, c, d, h, w]`, `output` likewise (see [`Inference::output_shape`]), row-major. Allocates nothing.
    /// NaN and infinity in the input, or in the result of the last layer (before a last sigmoid), are refused with the layer where they arose.
    pub fn forward(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), RunError> {
        if self.plan.sigmoid {
            self.plan.run(&mut self.pool, input, output, pointwise::sigmoid_of, &mut |_, _| {})
        } else {
            self.plan.run(&mut self.pool, input, output, |v| v, &mut |_, _| {})
        }
    }

    /// Runs the network `rounds` times over zeros and gives the shortest time of every part, in the order in which they run.
    pub fn profile(&mut self, rounds: usize) -> Result<Vec<Part>, RunError> {
        let floats = |v: View, lanes: &[usize]| vec![0.0; v.n * v.pixels() * lanes.iter().sum::<usize>()];
        let input = floats(self.plan.input, &self.plan.input_lanes);
        let mut output = floats(self.plan.output, &self.plan.output_lanes);
        let mut watch = Stopwatch::new(&self.plan.labels, 0);
        for _ in 0..rounds {
            watch.start();
            self.plan.run(&mut self.pool, &input, &mut output, |v| v, &mut |act, step| watch.lap(act, step))?;
        }
        Ok(watch.parts())
    }

    /// Channels, depth, height and width of one image's or volume's output.
    pub fn output_shape(&self) -> Shape {
        let View { d, h, w, .. } = self.plan.output;
        Shape { c: self.plan.output_lanes.iter().sum(), d, h, w }
    }

    /// How every convolution is computed, and on what that rests. [`Computation::choices`] takes it for another plan with the same bits.
    pub fn choices(&self) -> &Choices {
        &self.plan.choices
    }

    /// Bytes of all activations and packed weights of this plan; nothing else is allocated later.
    pub fn peak_bytes(&self) -> usize {
        self.plan.bytes()
    }
}

/// The plan without threads of its own.
pub(super) struct ForwardPlan {
    tables: Tables,
    graph: Graph,
    arena: Aligned,
    /// Scratch of every thread.
    scratch: Aligned,
    steps: Vec<Ready>,
    /// What every step writes.
    places: Vec<Option<Place>>,
    labels: Vec<Label>,
    input: View,
    input_lanes: Vec<usize>,
    output: View,
    output_lanes: Vec<usize>,
    sigmoid: bool,
    choices: Choices,
}

/// A convolution with what follows it folded in.
struct FoldedConv {
    kernels: &'static Kernels,
    method: Method,
    weights: Aligned,
    bias: Aligned,
    relu: bool,
    node: usize,
    norm: Option<usize>,
}

enum Ready {
    Conv(Box<FoldedConv>),
    Norm { x: View, y: View, scale: Vec<Lanes>, shift: Vec<Lanes>, relu: bool, node: usize, lanes: Vec<usize> },
    Operator(Box<dyn Operator>),
    MaxPool { x: View, y: View },
    Relu { x: View, y: View },
    Sigmoid { x: View, y: View, lanes: Vec<usize> },
    Copy { x: View, y: View },
}

impl ForwardPlan {
    pub(super) fn new(
        network: &Network,
        shape: VolumeShape,
        tables: Tables,
        pool: &mut Pool,
        computation: &Computation,
    ) -> Result<Self, CompileError> {
        let graph = network.graph();
        let mut lowered = Lowered::of(&graph, shape, true)?;
        if computation.measurements.is_some() {
            // What is measured is allocated: no map may be beyond what a plan may take.
            place(&mut lowered.buffers.clone())?;
        }
        let (choices, report) = choose(&lowered, &graph, shape.n, computation, tables, pool)?;
        if computation.precision == Precision::Bf16 {
            narrow(&mut lowered, &graph, shape.n, |node| choices[node].map_or(Takes::F32, Choice::takes));
        }
        let touch = |lowered: &mut Lowered, value: usize, time: usize| {
            if let Some(home) = lowered.homes[value] {
                lowered.buffers[home.buffer].touch(time);
            }
        };
        touch(&mut lowered, 0, 0);
        for (i, step) in lowered.steps.clone().iter().enumerate() {
            touch(&mut lowered, step.reads(), i + 1);
            touch(&mut lowered, step.writes(), i + 1);
        }
        let end = lowered.steps.len() + 1;
        let output = lowered.output;
        touch(&mut lowered, output, end);
        let floats = place(&mut lowered.buffers)?;
        let weights: usize = graph.parameters().iter().map(|p| p.shape.iter().product::<usize>()).sum();
        check_floats(floats as u128 + weights as u128)?;
        // Before the steps are made: a giant is refused at once.
        let arena = allocate(floats)?;
        let ready = |s: &Step| {
            let ready = Ready::of(s, &lowered, &graph, tables, &choices)?;
            let label = Label::of(s, &lowered, &graph, shape.n, [ready.algorithm(); 3]);
            Some((ready, (Place::of(s, &lowered, &graph), label)))
        };
        let (mut steps, (places, labels)): (Vec<_>, (Vec<_>, Vec<_>)) = lowered.steps.iter().filter_map(ready).unzip();
        let scratch = steps.iter().map(|s| s.scratch_len(pool.threads())).max().unwrap_or(0);
        let packed: usize = steps.iter().map(Ready::packed_len).sum();
        check_floats([floats, weights, packed, scratch].iter().map(|&floats| floats as u128).sum())?;
        steps.iter_mut().try_for_each(Ready::reserve)?;
        Ok(Self {
            tables,
            arena,
            scratch: allocate(scratch)?,
            steps,
            places,
            labels,
            input: lowered.view(0),
            input_lanes: lowered.lanes[0].clone(),
            output: lowered.view(output),
            output_lanes: lowered.lanes[output].clone(),
            sigmoid: lowered.sigmoid,
            choices: report,
            graph,
        })
    }

    /// Folds and packs weights, which must have been checked against the network.
    pub(super) fn load(&mut self, weights: &Weights, pool: &mut Pool) {
        let tensors = weights.tensors();
        let affine = |node: usize| {
            let first = self.graph.nodes()[node].first_parameter;
            let [weight, bias, mean, var] = [0, 1, 2, 3].map(|i| &tensors[first + i].data);
            let eps = self.graph.nodes()[node].op.batch_norm_eps().expect("a batch normalisation has one");
            let scale: Vec<f64> =
                weight.iter().zip(var).map(|(w, v)| f64::from(*w) / (f64::from(*v) + eps).sqrt()).collect();
            let shift: Vec<f64> =
                bias.iter().zip(mean).zip(&scale).map(|((b, m), s)| f64::from(*b) - f64::from(*m) * s).collect();
            (scale, shift)
        };
        for step in &mut self.steps {
            match step {
                Ready::Conv(folded) => {
                    let FoldedConv { kernels, method, weights, bias, node, norm, .. } = folded.as_mut();
                    let first = self.graph.nodes()[*node].first_parameter;
                    let op = &self.graph.nodes()[*node].op;
                    let (channels, has_bias) = op.weighted().expect("a convolution has weights");
                    let transposed = op.geometry().is_some_and(|g| g.transposed);
                    let (scale, shift) = norm.map_or_else(|| (vec![1.0; channels], vec![0.0; channels]), affine);
                    let w = &tensors[first];
                    let taps: usize = w.shape[2..].iter().product();
                    let outer = if transposed { taps } else { w.shape[1] * taps };
                    let folded: Vec<f32> = w
                        .data
                        .iter()
                        .enumerate()
                        .map(|(i, v)| (f64::from(*v) * scale[i / outer % channels]) as f32)
                        .collect();
                    method.pack(kernels, pool, &folded, weights);
                    for (c, b) in bias.iter_mut().take(channels).enumerate() {
                        let own = if has_bias { f64::from(tensors[first + 1].data[c]) } else { 0.0 };
                        *b = (own * scale[c] + shift[c]) as f32;
                    }
                }
                Ready::Norm { scale, shift, node, lanes, .. } => {
                    let (s, t) = affine(*node);
                    for (slot, channel) in pack::channels(lanes).into_iter().enumerate() {
                        let Some(c) = channel else { continue };
                        scale[slot / LANES][slot % LANES] = s[c] as f32;
                        shift[slot / LANES][slot % LANES] = t[c] as f32;
                    }
                }
                Ready::Operator(operator) => operator.load(self.tables.f32, pool, tensors),
                Ready::MaxPool { .. } | Ready::Relu { .. } | Ready::Sigmoid { .. } | Ready::Copy { .. } => {}
            }
        }
    }

    /// Runs the plan and hands the output out through `map`.
    pub(super) fn run(
        &mut self,
        pool: &mut Pool,
        input: &[f32],
        output: &mut [f32],
        map: impl Fn(f32) -> f32 + Sync,
        lap: Lap<'_>,
    ) -> Result<(), RunError> {
        let length = |v: View, lanes: &[usize]| v.n * v.pixels() * lanes.iter().sum::<usize>();
        check_length("input", input.len(), length(self.input, &self.input_lanes))?;
        check_length("output", output.len(), length(self.output, &self.output_lanes))?;
        let (tables, arena, scratch) = (self.tables, &mut self.arena, &mut self.scratch);
        if !pointwise::import(pool, arena, input, self.input, &self.input_lanes) {
            return check_values("input", input);
        }
        lap(Act::Loss, None);
        for (i, step) in self.steps.iter_mut().enumerate() {
            step.run(tables, pool, arena, scratch);
            lap(Act::Forward, Some(i));
        }
        if pointwise::export(pool, arena, self.output, &self.output_lanes, output, map) {
            lap(Act::Loss, None);
            return Ok(());
        }
        // The layer's name is worth a second pass.
        pointwise::import(pool, arena, input, self.input, &self.input_lanes);
        for (step, place) in self.steps.iter_mut().zip(&self.places) {
            step.run(tables, pool, arena, scratch);
            place.as_ref().map_or(Ok(()), |p| p.check(arena))?;
        }
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        let packed = self.steps.iter().map(|s| match s {
            Ready::Conv(c) => c.weights.bytes() + c.bias.bytes(),
            Ready::Norm { scale, shift, .. } => (scale.len() + shift.len()) * size_of::<Lanes>(),
            Ready::Operator(operator) => operator.bytes(),
            Ready::MaxPool { .. } | Ready::Relu { .. } | Ready::Sigmoid { .. } | Ready::Copy { .. } => 0,
        });
        self.arena.bytes() + self.scratch.bytes() + packed.sum::<usize>()
    }
}

impl Ready {
    fn run(&mut self, tables: Tables, pool: &mut Pool, arena: &mut Aligned, scratch: &mut Aligned) {
        let k = tables.of_any_format();
        match self {
            Self::Conv(c) => {
                c.method.run(c.kernels, pool, arena, &c.weights, &c.bias, Start::Bias, c.relu, scratch);
            }
            Self::Norm { x, y, scale, shift, relu, .. } => {
                norm::apply(k, pool, arena, *x, *y, scale, shift, *relu);
            }
            Self::Operator(operator) if operator.heeds_formats() => operator.forward(k, pool, arena, 0),
            Self::Operator(operator) => operator.forward(tables.f32, pool, arena, 0),
            Self::MaxPool { x, y } => pointwise::max_pool(k, pool, arena, *x, *y),
            Self::Relu { x, y } => pointwise::relu(k, pool, arena, *x, *y),
            Self::Sigmoid { x, y, lanes } => pointwise::sigmoid(pool, arena, *x, *y, lanes),
            Self::Copy { x, y } if x.format != y.format => norm::convert(k, pool, arena, *x, *y),
            Self::Copy { x, y } => pointwise::copy(pool, arena, *x, *y, false),
        }
    }

    /// Floats of packed weights that [`Ready::reserve`] takes.
    fn packed_len(&self) -> usize {
        match self {
            Self::Conv(c) => c.method.weight_len(),
            _ => 0,
        }
    }

    /// Takes memory for packed weights.
    fn reserve(&mut self) -> Result<(), CompileError> {
        if let Self::Conv(c) = self {
            c.weights = allocate(c.method.weight_len())?;
        }
        Ok(())
    }

    /// The algorithm of a convolution.
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Conv(c) => c.method.name(),
            _ => "",
        }
    }

    fn scratch_len(&self, threads: usize) -> usize {
        match self {
            Self::Conv(c) => c.method.scratch_len(threads),
            _ => 0,
        }
    }

    fn of(step: &Step, lowered: &Lowered, graph: &Graph, tables: Tables, choices: &[Option<Choice>]) -> Option<Self> {
        let view = |v: usize| lowered.view(v);
        Some(match *step {
            Step::Conv { node, x, y, norm, relu } => {
                let (x_lanes, y_lanes) = (&lowered.lanes[x], &lowered.lanes[y]);
                let choice = choices[node].expect("every convolution has a choice");
                let kernels = tables.of(choice.precision);
                let method = choice.method(kernels, graph, node, (view(x), x_lanes), (view(y), y_lanes));
                let weights = Aligned::zeroed(0);
                let bias = Aligned::zeroed(y_lanes.len() * LANES);
                Self::Conv(Box::new(FoldedConv { kernels, method, weights, bias, relu, node, norm }))
            }
            Step::Norm { node, x, y, relu } => {
                let zero = vec![[0.0; LANES]; lowered.lanes[x].len()];
                let lanes = lowered.lanes[x].clone();
                Self::Norm { x: view(x), y: view(y), scale: zero.clone(), shift: zero, relu, node, lanes }
            }
            Step::Sum { .. } | Step::Operator { .. } => {
                Self::Operator(operator::of(step, lowered, graph, tables.f32, false))
            }
            Step::MaxPool { x, y } => Self::MaxPool { x: view(x), y: view(y) },
            Step::Relu { x, y } => Self::Relu { x: view(x), y: view(y) },
            Step::Sigmoid { x, y } => Self::Sigmoid { x: view(x), y: view(y), lanes: lowered.lanes[x].clone() },
            Step::Copy { x, y, first_block } if lies_in(&lowered.homes, x, y, first_block) => return None,
            Step::Copy { x, y, first_block } => {
                Self::Copy { x: view(x), y: view(y).part(first_block, lowered.lanes[x].len()) }
            }
        })
    }
}
