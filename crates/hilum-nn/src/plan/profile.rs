//! Where the time of a plan goes: the parts of a run by the clock on the wall, with the multiply-adds that they stand for.

use std::fmt;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::cost::multiply_adds;
use super::layout::{Lowered, Step};
use crate::graph::{Graph, Shape};

/// What a part of a run does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// A layer's result.
    #[default]
    Forward,
    /// The gradient of a convolution's weights and bias.
    Weights,
    /// The gradient of a layer's input, and of what parameters a layer without convolution has.
    Data,
    /// A result computed again for the backward pass.
    Again,
    /// Bringing new weights into the order in which kernels read them.
    Pack,
    /// The way in and out, the loss and its gradient.
    Loss,
    /// The optimiser's step.
    Update,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::Weights => "weight gradient",
            Self::Data => "data gradient",
            Self::Again => "forward again",
            Self::Pack => "packing",
            Self::Loss => "loss",
            Self::Update => "update",
        })
    }
}

/// One part of a run. What belongs to no layer has empty texts and sizes of zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The layer; one with others folded into it answers for them.
    pub layer: String,
    /// Its operator, the sides of its window and the algorithm.
    pub kind: String,
    /// Images or volumes of the batch.
    pub n: usize,
    /// Channels of the layer's input.
    pub inputs: usize,
    /// The layer's result, of one image or volume.
    pub output: Shape,
    /// What is done.
    pub act: Act,
    /// Multiply-adds of this part by definition, over the whole batch.
    pub multiply_adds: u64,
    /// Bytes that pass by if no value stays in a cache between two readings of it: maps and weights, read or written. 0 where it is not known.
    pub bytes: u64,
    /// The shortest time of all rounds.
    pub seconds: f64,
}

/// What a part says of its layer.
#[derive(Clone)]
pub(super) struct Label {
    layer: String,
    kind: String,
    /// Of the result, of the weights' gradient and of the input's.
    algorithms: [&'static str; 3],
    n: usize,
    inputs: usize,
    output: Shape,
    multiply_adds: u64,
    normalises: bool,
    floats: Floats,
}

/// Floats of a step's values over the whole batch.
#[derive(Clone, Copy, Default)]
struct Floats {
    input: u64,
    output: u64,
    weights: u64,
    /// Whether it divides by what it must have read before: the statistics of a batch.
    statistics: bool,
}

impl Floats {
    /// Bytes that an act reads and writes.
    fn bytes(self, act: Act) -> u64 {
        let Self { input: x, output: y, weights: w, statistics } = self;
        let again = |floats| if statistics { floats } else { 0 };
        4 * match act {
            Act::Forward => x + y + w + again(x),
            Act::Again => x + y,
            Act::Weights => x + y + w,
            // Convolutions hand down without their input; what has no weights looks at it.
            Act::Data if w > 0 && !statistics => y + w + x,
            Act::Data => y + 2 * x + again(x + y),
            Act::Pack => 2 * w,
            Act::Update => w,
            Act::Loss => 0,
        }
    }
}

impl Label {
    /// Of a step, run by these algorithms: the result, the weights' gradient and the input's.
    pub(super) fn of(step: &Step, lowered: &Lowered, graph: &Graph, n: usize, algorithms: [&'static str; 3]) -> Self {
        let (x, y) = (step.reads(), step.writes());
        let [d, h, w] = lowered.sizes[y];
        let channels = |value: usize| lowered.lanes[value].iter().sum();
        let output = Shape { c: channels(y), d, h, w };
        if y > graph.nodes().len() {
            // A value rounded for layers that read bf16 is no value of the graph.
            let (layer, kind) = (graph.values()[x].name.clone(), "rounding".to_owned());
            let inputs = channels(x);
            return Self { layer, kind, n, inputs, output, ..Self::of_update(0) };
        }
        let node = step.node().unwrap_or(y - 1);
        let op = &graph.nodes()[node].op;
        let floats = |value: usize| (n * channels(value) * lowered.sizes[value].iter().product::<usize>()) as u64;
        let own = |node: usize| graph.nodes().get(node).map_or(graph.parameters().len(), |n| n.first_parameter);
        let weights = graph.parameters()[own(node)..own(node + 1)].iter();
        let window = op.geometry().map(|g| {
            let sides = if g.kernel[0] == 1 { &g.kernel[1..] } else { &g.kernel[..] };
            let stride = if g.stride == [1; 3] { String::new() } else { format!("/{}", g.stride[2]) };
            let sides: Vec<_> = sides.iter().map(ToString::to_string).collect();
            format!(" {}{stride}", sides.join("x"))
        });
        Self {
            layer: graph.values()[node + 1].name.clone(),
            kind: format!("{op}{}", window.unwrap_or_default()),
            algorithms,
            n,
            inputs: channels(x),
            output,
            multiply_adds: multiply_adds(graph, &lowered.sizes, node, n),
            normalises: op.batch_norm_eps().is_some(),
            floats: Floats {
                input: floats(x),
                output: floats(y),
                weights: weights.map(|p| p.shape.iter().product::<usize>() as u64).sum(),
                statistics: false,
            },
        }
    }

    /// In training, where a normalisation reads a batch before it normalises it.
    pub(super) fn with_statistics(mut self) -> Self {
        self.floats.statistics = self.normalises;
        self
    }

    /// Of the optimiser's step, which passes over so many floats.
    pub(super) fn of_update(floats: usize) -> Self {
        let none = Shape { c: 0, d: 0, h: 0, w: 0 };
        let floats = Floats { weights: floats as u64, ..Floats::default() };
        let (layer, kind) = (String::new(), String::new());
        Self {
            layer,
            kind,
            algorithms: [""; 3],
            n: 0,
            inputs: 0,
            output: none,
            multiply_adds: 0,
            normalises: false,
            floats,
        }
    }
}

/// Called after every part of a run, with the step that it belongs to.
pub(super) type Lap<'a> = &'a mut dyn FnMut(Act, Option<usize>);

/// Takes the times of parts, in the same order in every round.
pub(super) struct Stopwatch {
    labels: Vec<Label>,
    update: Label,
    parts: Vec<Part>,
    at: usize,
    since: Instant,
}

impl Stopwatch {
    /// `update`: floats that the optimiser passes over.
    pub(super) fn new(labels: &[Label], update: usize) -> Self {
        Self {
            labels: labels.to_vec(),
            update: Label::of_update(update),
            parts: Vec::new(),
            at: 0,
            since: Instant::now(),
        }
    }

    /// Begins a round.
    pub(super) fn start(&mut self) {
        self.at = 0;
        self.since = Instant::now();
    }

    /// Ends a part.
    pub(super) fn lap(&mut self, act: Act, step: Option<usize>) {
        let seconds = self.since.elapsed().as_secs_f64();
        if let Some(part) = self.parts.get_mut(self.at) {
            part.seconds = part.seconds.min(seconds);
        } else {
            self.parts.push(self.part(act, step, seconds));
        }
        self.at += 1;
        self.since = Instant::now();
    }

    fn part(&self, act: Act, step: Option<usize>, seconds: f64) -> Part {
        let label = step.map_or_else(|| self.update.clone(), |step| self.labels[step].clone());
        let Label { layer, kind, algorithms, n, inputs, output, multiply_adds, normalises: _, floats } = label;
        let algorithm = match act {
            Act::Weights => algorithms[1],
            Act::Data => algorithms[2],
            _ => algorithms[0],
        };
        let kind = if algorithm.is_empty() { kind } else { format!("{kind}, {algorithm}") };
        let multiplies = matches!(act, Act::Forward | Act::Weights | Act::Data);
        let multiply_adds = if multiplies { multiply_adds } else { 0 };
        Part { layer, kind, n, inputs, output, act, multiply_adds, bytes: floats.bytes(act), seconds }
    }

    /// All parts with their shortest times.
    pub(super) fn parts(self) -> Vec<Part> {
        self.parts
    }
}
