//! Where the time of a plan goes: the parts of a run by the clock on the wall, with the multiply-adds that they stand for.

use std::fmt;
use std::time::Instant;

use super::cost::multiply_adds;
use super::layout::{Lowered, Step};
use crate::graph::{Graph, Shape};

/// What a part of a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// A layer's result.
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
    /// The shortest time of all rounds.
    pub seconds: f64,
}

/// What a part says of its layer.
#[derive(Clone)]
pub(super) struct Label {
    layer: String,
    kind: String,
    n: usize,
    inputs: usize,
    output: Shape,
    multiply_adds: u64,
}

impl Label {
    /// Of a step, run by that algorithm.
    pub(super) fn of(step: &Step, lowered: &Lowered, graph: &Graph, n: usize, algorithm: &str) -> Self {
        let (x, y) = (step.reads(), step.writes());
        let [d, h, w] = lowered.sizes[y];
        let channels = |value: usize| lowered.lanes[value].iter().sum();
        let output = Shape { c: channels(y), d, h, w };
        if y > graph.nodes().len() {
            // A value rounded for layers that read bf16 is no value of the graph.
            let (layer, kind) = (graph.values()[x].name.clone(), "rounding".to_owned());
            return Self { layer, kind, n, inputs: channels(x), output, multiply_adds: 0 };
        }
        let node = step.node().unwrap_or(y - 1);
        let op = &graph.nodes()[node].op;
        let window = op.geometry().map(|g| {
            let sides = if g.kernel[0] == 1 { &g.kernel[1..] } else { &g.kernel[..] };
            let stride = if g.stride == [1; 3] { String::new() } else { format!("/{}", g.stride[2]) };
            let sides: Vec<_> = sides.iter().map(ToString::to_string).collect();
            format!(" {}{stride}", sides.join("x"))
        });
        let algorithm = if algorithm.is_empty() { String::new() } else { format!(", {algorithm}") };
        Self {
            layer: graph.values()[node + 1].name.clone(),
            kind: format!("{op}{}{algorithm}", window.unwrap_or_default()),
            n,
            inputs: channels(x),
            output,
            multiply_adds: multiply_adds(graph, &lowered.sizes, node, n),
        }
    }
}

/// Called after every part of a run, with the step that it belongs to.
pub(super) type Lap<'a> = &'a mut dyn FnMut(Act, Option<usize>);

/// Takes the times of parts, in the same order in every round.
pub(super) struct Stopwatch {
    labels: Vec<Label>,
    parts: Vec<Part>,
    at: usize,
    since: Instant,
}

impl Stopwatch {
    pub(super) fn new(labels: &[Label]) -> Self {
        Self { labels: labels.to_vec(), parts: Vec::new(), at: 0, since: Instant::now() }
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
        let none = Shape { c: 0, d: 0, h: 0, w: 0 };
        let blank =
            || Label { layer: String::new(), kind: String::new(), n: 0, inputs: 0, output: none, multiply_adds: 0 };
        let Label { layer, kind, n, inputs, output, multiply_adds } =
            step.map_or_else(blank, |step| self.labels[step].clone());
        let multiplies = matches!(act, Act::Forward | Act::Weights | Act::Data);
        Part { layer, kind, n, inputs, output, act, multiply_adds: if multiplies { multiply_adds } else { 0 }, seconds }
    }

    /// All parts with their shortest times.
    pub(super) fn parts(self) -> Vec<Part> {
        self.parts
    }
}
