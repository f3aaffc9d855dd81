//! From the graph to steps, and from values to places in one arena: fusion, concatenation without copies, and buffers shared by liveness.

use super::operator;
use super::sizes::sizes;
use super::{CompileError, VolumeShape, check_floats};
use crate::graph::{Graph, Node, Resolution};
use crate::kernels::buffer::{Format, LANES, View};
use crate::kernels::recurrent::Recurrent;
use crate::network::Op;

/// One operation over values of the graph. `node` is the layer whose parameters it uses.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// A convolution; when folding, `norm` is the BatchNorm layer inside it.
    Conv {
        node: usize,
        x: usize,
        y: usize,
        norm: Option<usize>,
        relu: bool,
    },
    /// BatchNorm with or without ReLU.
    Norm {
        node: usize,
        x: usize,
        y: usize,
        relu: bool,
    },
    MaxPool {
        x: usize,
        y: usize,
    },
    Relu {
        x: usize,
        y: usize,
    },
    Sigmoid {
        x: usize,
        y: usize,
    },
    /// `y = factor * x` for the first summand, `y += factor * x` for the others.
    Sum {
        x: usize,
        y: usize,
        factor: f32,
        first: bool,
    },
    /// What [`super::operator`] has. `keeps`: whether backward reads `x` and `y`.
    Operator {
        node: usize,
        x: usize,
        y: usize,
        keeps: [bool; 2],
    },
    /// One input of a concatenation; nothing to do where it already lies in its place.
    Copy {
        x: usize,
        y: usize,
        first_block: usize,
    },
}

/// Where a value lies: a run of blocks in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) buffer: usize,
    pub(super) first_block: usize,
}

/// A piece of the arena with the time it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Buffer {
    n: usize,
    pub(super) blocks: usize,
    size: [usize; 3],
    first: usize,
    last: usize,
    offset: usize,
    /// How its numbers lie in memory.
    pub(super) format: Format,
}

impl Buffer {
    pub(super) fn new(n: usize, blocks: usize, size: [usize; 3]) -> Self {
        Self { n, blocks, size, first: usize::MAX, last: 0, offset: 0, format: Format::F32 }
    }

    /// Says that the buffer is needed at `time`.
    pub(super) fn touch(&mut self, time: usize) {
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }

    /// In whole lines, so that every buffer begins on one.
    fn floats(&self) -> u128 {
        let all = [self.n, self.blocks, self.format.pixel()];
        let floats = all.iter().chain(&self.size).fold(1, |n: u128, v| n.saturating_mul(*v as u128));
        floats.checked_next_multiple_of(LANES as u128).unwrap_or(floats)
    }

    /// The view of `blocks` blocks of this buffer, after [`place`].
    pub(super) fn view(&self, first_block: usize, blocks: usize) -> View {
        let [d, h, w] = self.size;
        let plane = d * h * w * self.format.pixel();
        let offset = self.offset + first_block * plane;
        View { offset, n: self.n, image: self.blocks * plane, blocks, d, h, w, format: self.format }
    }
}

/// The graph as steps over values of one input shape.
#[derive(Clone)]
pub(super) struct Lowered {
    pub(super) steps: Vec<Step>,
    /// Channels in use per block, of every value.
    pub(super) lanes: Vec<Vec<usize>>,
    /// Depth, height and width of every value.
    pub(super) sizes: Vec<[usize; 3]>,
    /// The value to hand out: the input of a last sigmoid, else the last value.
    pub(super) output: usize,
    /// Whether the network ends in a sigmoid, which is applied on the way out.
    pub(super) sigmoid: bool,
    /// Home of every value that exists (fused ones do not).
    pub(super) homes: Vec<Option<Home>>,
    pub(super) buffers: Vec<Buffer>,
    /// Steps that read a value, of every value.
    pub(super) readers: Vec<usize>,
}

impl Lowered {
    /// `fold`: for inference, BatchNorm and ReLU go into the convolutions before them.
    pub(super) fn of(graph: &Graph, shape: VolumeShape, fold: bool) -> Result<Self, CompileError> {
        let sizes = sizes(graph, shape)?;
        let lanes = lanes(graph);
        let nodes = graph.nodes();
        let last = nodes.len();
        let sigmoid = matches!(nodes[last - 1].op, Op::Sigmoid);
        // Where a value that only has another name lies: a matrix is a map of one pixel, and dropout does nothing in inference.
        let mut place: Vec<usize> = (0..=last).collect();
        for (i, node) in nodes.iter().enumerate() {
            let renamed = match node.op {
                Op::Flatten => sizes[node.inputs[0]] == [1; 3],
                Op::Dropout { .. } => fold,
                _ => false,
            };
            if renamed {
                place[i + 1] = place[node.inputs[0]];
            }
        }
        let output = place[if sigmoid { nodes[last - 1].inputs[0] } else { last }];
        let mut consumers: Vec<Vec<usize>> = vec![Vec::new(); last + 1];
        for (i, node) in nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&v| consumers[v].push(i));
        }
        // The single reader of a value, when it is of the wanted kind and the value itself is not handed out.
        let sole = |value: usize, want: &dyn Fn(&Op) -> bool| match consumers[value].as_slice() {
            [only] if value != output && want(&nodes[*only].op) => Some(*only),
            _ => None,
        };
        let (is_norm, is_relu) = (|op: &Op| op.batch_norm_eps().is_some(), |op: &Op| matches!(op, Op::Relu));
        let is_add = |op: &Op| matches!(op, Op::Add);
        let mut fused = vec![false; nodes.len()];
        let mut steps = Vec::new();
        for (i, node) in nodes.iter().enumerate() {
            if fused[i] || (sigmoid && i + 1 == last) {
                continue;
            }
            let x = place[node.inputs[0]];
            let mut y = i + 1;
            let mut absorb = |want: &dyn Fn(&Op) -> bool, y: &mut usize| {
                let found = sole(*y, want)?;
                fused[found] = true;
                *y = found + 1;
                Some(found)
            };
            match &node.op {
                Op::Conv2d { .. }
                | Op::ConvTranspose2d { .. }
                | Op::Conv(_)
                | Op::ConvTranspose { .. }
                | Op::Linear { .. } => {
                    let norm = if fold { absorb(&is_norm, &mut y) } else { None };
                    let relu = fold && absorb(&is_relu, &mut y).is_some();
                    steps.push(Step::Conv { node: i, x, y, norm, relu });
                }
                Op::BatchNorm2d | Op::BatchNorm { .. } => {
                    let relu = absorb(&is_relu, &mut y).is_some();
                    steps.push(Step::Norm { node: i, x, y, relu });
                }
                Op::MaxPool2d => steps.push(Step::MaxPool { x, y }),
                Op::Relu => steps.push(Step::Relu { x, y }),
                Op::Sigmoid => steps.push(Step::Sigmoid { x, y }),
                Op::Flatten if place[i + 1] == x => {}
                Op::Dropout { .. } if fold => {}
                Op::MaxPool(_)
                | Op::AvgPool { .. }
                | Op::GlobalAvgPool
                | Op::AdaptiveAvgPool { .. }
                | Op::AdaptiveMaxPool { .. }
                | Op::Flatten
                | Op::Dropout { .. }
                | Op::InstanceNorm { .. }
                | Op::GroupNorm { .. }
                | Op::ClippedRelu { .. }
                | Op::LeakyRelu { .. }
                | Op::Gelu
                | Op::Tanh
                | Op::Softmax
                | Op::Upsample { .. } => steps.push(Step::Operator { node: i, x, y, keeps: operator::keeps(&node.op) }),
                Op::Gru(_) | Op::Lstm(_) => {
                    let (cell, recurrence) = node.op.recurrent().expect("these are recurrent");
                    let positions = sizes[node.inputs[0]].iter().product();
                    let floats = Recurrent::floats(shape.n, positions, lanes[x].len(), cell, recurrence, !fold);
                    check_floats(floats)?;
                    steps.push(Step::Operator { node: i, x, y, keeps: operator::keeps(&node.op) });
                }
                // A sum scales on the way.
                Op::Scale { .. } if sole(y, &is_add).is_some() => {}
                Op::Scale { factor } => steps.push(Step::Sum { x, y, factor: *factor, first: true }),
                Op::Add => {
                    for (k, &v) in node.inputs.iter().enumerate() {
                        let (x, factor) = match v.checked_sub(1).map(|n| &nodes[n]) {
                            Some(Node { op: Op::Scale { factor }, inputs, .. }) if sole(v, &is_add).is_some() => {
                                (place[inputs[0]], *factor)
                            }
                            _ => (place[v], 1.0),
                        };
                        steps.push(Step::Sum { x, y, factor, first: k == 0 });
                    }
                }
                Op::Concat => {
                    let mut first_block = 0;
                    for x in node.inputs.iter().map(|&v| place[v]) {
                        steps.push(Step::Copy { x, y, first_block });
                        first_block += lanes[x].len();
                    }
                }
            }
        }
        let mut exists = vec![false; last + 1];
        exists[0] = true;
        exists[output] = true;
        for step in &steps {
            exists[step.writes()] = true;
        }
        let mut lowered = Self {
            steps,
            lanes,
            sizes,
            output,
            sigmoid,
            homes: vec![None; last + 1],
            buffers: Vec::new(),
            readers: vec![0; last + 1],
        };
        lowered.steps.iter().for_each(|s| lowered.readers[s.reads()] += 1);
        (lowered.homes, lowered.buffers) = lowered.assign(shape.n, &exists, |_| None);
        Ok(lowered)
    }

    /// Gives every wanted value a home, from the last to the first, so that the inputs of a concatenation can lie inside its result. `share(v)` may name
    /// a later value whose home `v` takes over.
    pub(super) fn assign(
        &self,
        n: usize,
        wanted: &[bool],
        share: impl Fn(usize) -> Option<usize>,
    ) -> (Vec<Option<Home>>, Vec<Buffer>) {
        let mut homes: Vec<Option<Home>> = vec![None; wanted.len()];
        let mut buffers = Vec::new();
        for v in (0..wanted.len()).rev().filter(|&v| wanted[v]) {
            if homes[v].is_none() {
                homes[v] = share(v).and_then(|s| homes[s]);
            }
            let home = *homes[v].get_or_insert_with(|| {
                buffers.push(Buffer::new(n, self.lanes[v].len(), self.sizes[v]));
                Home { buffer: buffers.len() - 1, first_block: 0 }
            });
            for step in &self.steps {
                if let Step::Copy { x, y, first_block } = *step
                    && y == v
                    && wanted[x]
                    && homes[x].is_none()
                {
                    homes[x] = Some(Home { buffer: home.buffer, first_block: home.first_block + first_block });
                }
            }
        }
        (homes, buffers)
    }

    /// For a BatchNorm, the last one before it over the first blocks of the same memory with the same eps, and how many blocks these are. What lies in a
    /// buffer is written once in a pass.
    pub(super) fn normalised_before(&self, index: usize, graph: &Graph) -> Option<(usize, usize)> {
        let read = |step: &Step| match *step {
            Step::Norm { node, x, .. } => {
                let eps = graph.nodes()[node].op.batch_norm_eps()?;
                Some((self.homes[x]?, self.lanes[x].len(), eps.to_bits()))
            }
            _ => None,
        };
        let (home, blocks, eps) = read(&self.steps[index])?;
        let fits = |i: &usize| read(&self.steps[*i]).is_some_and(|(h, b, e)| h == home && b <= blocks && e == eps);
        let step = (0..index).rev().find(fits)?;
        Some((step, read(&self.steps[step])?.1))
    }

    /// The view of a value, after [`place`].
    pub(super) fn view(&self, value: usize) -> View {
        view(&self.homes, &self.buffers, value, self.lanes[value].len())
    }
}

/// The view of a value with `blocks` blocks, after [`place`].
pub(super) fn view(homes: &[Option<Home>], buffers: &[Buffer], value: usize, blocks: usize) -> View {
    let Home { buffer, first_block } = homes[value].expect("steps only touch values that have a home");
    buffers[buffer].view(first_block, blocks)
}

/// Whether input `x` of a concatenation lies in its place inside `y`.
pub(super) fn lies_in(homes: &[Option<Home>], x: usize, y: usize, first_block: usize) -> bool {
    match (homes[x], homes[y]) {
        (Some(x), Some(y)) => x.buffer == y.buffer && x.first_block == y.first_block + first_block,
        _ => false,
    }
}

impl Step {
    /// The value read.
    pub(super) fn reads(&self) -> usize {
        match *self {
            Self::Conv { x, .. }
            | Self::Norm { x, .. }
            | Self::MaxPool { x, .. }
            | Self::Relu { x, .. }
            | Self::Sigmoid { x, .. }
            | Self::Sum { x, .. }
            | Self::Operator { x, .. }
            | Self::Copy { x, .. } => x,
        }
    }

    /// The layer that it belongs to, where that matters.
    pub(super) fn node(&self) -> Option<usize> {
        match *self {
            Self::Conv { node, .. } | Self::Norm { node, .. } | Self::Operator { node, .. } => Some(node),
            _ => None,
        }
    }

    /// The value written.
    pub(super) fn writes(&self) -> usize {
        match *self {
            Self::Conv { y, .. }
            | Self::Norm { y, .. }
            | Self::MaxPool { y, .. }
            | Self::Relu { y, .. }
            | Self::Sigmoid { y, .. }
            | Self::Sum { y, .. }
            | Self::Operator { y, .. }
            | Self::Copy { y, .. } => y,
        }
    }
}

/// Gives buffers that are never needed at the same time the same memory: the largest first, each at the lowest offset that is free while it lives.
/// Returns the floats of the arena.
pub(super) fn place(buffers: &mut [Buffer]) -> Result<usize, CompileError> {
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(buffers[i].floats()), i));
    let mut total = 0_u128;
    for (rank, &i) in order.iter().enumerate() {
        let mut taken: Vec<(u128, u128)> = order[..rank]
            .iter()
            .map(|&j| &buffers[j])
            .filter(|b| b.first <= buffers[i].last && buffers[i].first <= b.last)
            .map(|b| (b.offset as u128, (b.offset as u128).saturating_add(b.floats())))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (from, to) in taken {
            if buffers[i].floats().saturating_add(offset) <= from {
                break;
            }
            offset = offset.max(to);
        }
        total = total.max(buffers[i].floats().saturating_add(offset));
        // What would not fit is refused below.
        buffers[i].offset = offset as usize;
    }
    check_floats(total)?;
    Ok(total as usize)
}

/// Channels in use of every block of every value: a concatenation keeps the partial blocks of its inputs.
fn lanes(graph: &Graph) -> Vec<Vec<usize>> {
    let blocks =
        |channels: usize| (0..channels.div_ceil(LANES)).map(|b| LANES.min(channels - b * LANES)).collect::<Vec<_>>();
    let mut lanes = vec![blocks(graph.values()[0].channels)];
    for (i, node) in graph.nodes().iter().enumerate() {
        lanes.push(match node.op {
            _ if node.op.weighted().is_some() => blocks(graph.values()[i + 1].channels),
            Op::Flatten if graph.values()[node.inputs[0]].resolution != Resolution::Fixed([1; 3]) => {
                blocks(graph.values()[i + 1].channels)
            }
            // The directions lie side by side as a concatenation's inputs do.
            Op::Gru(r) | Op::Lstm(r) => blocks(r.hidden).repeat(r.directions()),
            Op::Add => lanes[node.inputs[0]].clone(),
            _ => node.inputs.iter().flat_map(|&v| lanes[v].iter().copied()).collect(),
        });
    }
    lanes
}
