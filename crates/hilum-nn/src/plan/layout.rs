//! From the graph to steps, and from values to places in one arena: fusion, concatenation without copies, and buffers shared by liveness.

use super::{CompileError, InputShape};
use crate::graph::Graph;
use crate::kernels::buffer::{LANES, View};
use crate::network::Op;

/// Largest batch, height or width.
const MAX_EXTENT: usize = 1 << 16;
/// Most bytes that one plan may take.
const MAX_BYTES: u128 = 1 << 36;

/// One operation over values of the graph. `node` is the layer whose parameters it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    h: usize,
    w: usize,
    first: usize,
    last: usize,
    offset: usize,
}

impl Buffer {
    pub(super) fn new(n: usize, blocks: usize, h: usize, w: usize) -> Self {
        Self { n, blocks, h, w, first: usize::MAX, last: 0, offset: 0 }
    }

    /// Says that the buffer is needed at `time`.
    pub(super) fn touch(&mut self, time: usize) {
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }

    fn floats(&self) -> u128 {
        [self.n, self.blocks, self.h, self.w, LANES].iter().map(|&v| v as u128).product()
    }

    /// The view of `blocks` blocks of this buffer, after [`place`].
    pub(super) fn view(&self, first_block: usize, blocks: usize) -> View {
        let plane = self.h * self.w * LANES;
        View {
            offset: self.offset + first_block * plane,
            n: self.n,
            image: self.blocks * plane,
            blocks,
            h: self.h,
            w: self.w,
        }
    }
}

/// The graph as steps over values of one input shape.
pub(super) struct Lowered {
    pub(super) steps: Vec<Step>,
    /// Channels in use per block, of every value.
    pub(super) lanes: Vec<Vec<usize>>,
    /// Height and width of every value.
    pub(super) sizes: Vec<(usize, usize)>,
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
    pub(super) fn of(graph: &Graph, shape: InputShape, fold: bool) -> Result<Self, CompileError> {
        let sizes = sizes(graph, shape)?;
        let lanes = lanes(graph);
        let nodes = graph.nodes();
        let last = nodes.len();
        let sigmoid = matches!(nodes[last - 1].op, Op::Sigmoid);
        let output = if sigmoid { nodes[last - 1].inputs[0] } else { last };
        let mut consumers: Vec<Vec<usize>> = vec![Vec::new(); last + 1];
        for (i, node) in nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&v| consumers[v].push(i));
        }
        // The single reader of a value, when it is of the wanted kind and the value itself is not handed out.
        let sole = |value: usize, want: &Op| match consumers[value].as_slice() {
            [only] if value != output && nodes[*only].op == *want => Some(*only),
            _ => None,
        };
        let mut fused = vec![false; nodes.len()];
        let mut steps = Vec::new();
        for (i, node) in nodes.iter().enumerate() {
            if fused[i] || (sigmoid && i + 1 == last) {
                continue;
            }
            let x = node.inputs[0];
            let mut y = i + 1;
            let mut absorb = |want: &Op, y: &mut usize| {
                let found = sole(*y, want)?;
                fused[found] = true;
                *y = found + 1;
                Some(found)
            };
            match &node.op {
                Op::Conv2d { .. } | Op::ConvTranspose2d { .. } => {
                    let norm = if fold { absorb(&Op::BatchNorm2d, &mut y) } else { None };
                    let relu = fold && absorb(&Op::Relu, &mut y).is_some();
                    steps.push(Step::Conv { node: i, x, y, norm, relu });
                }
                Op::BatchNorm2d => {
                    let relu = absorb(&Op::Relu, &mut y).is_some();
                    steps.push(Step::Norm { node: i, x, y, relu });
                }
                Op::MaxPool2d => steps.push(Step::MaxPool { x, y }),
                Op::Relu => steps.push(Step::Relu { x, y }),
                Op::Sigmoid => steps.push(Step::Sigmoid { x, y }),
                Op::Concat => {
                    let mut first_block = 0;
                    for &x in &node.inputs {
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
                let (h, w) = self.sizes[v];
                buffers.push(Buffer::new(n, self.lanes[v].len(), h, w));
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
            | Self::Copy { x, .. } => x,
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
            .map(|b| (b.offset as u128, b.offset as u128 + b.floats()))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (from, to) in taken {
            if offset + buffers[i].floats() <= from {
                break;
            }
            offset = offset.max(to);
        }
        total = total.max(offset + buffers[i].floats());
        check_bytes(total * size_of::<f32>() as u128)?;
        buffers[i].offset = offset as usize;
    }
    Ok(total as usize)
}

fn check_bytes(bytes: u128) -> Result<(), CompileError> {
    if bytes > MAX_BYTES { Err(CompileError::TooLarge { bytes, limit: MAX_BYTES }) } else { Ok(()) }
}

/// Channels in use of every block of every value: a concatenation keeps the partial blocks of its inputs.
fn lanes(graph: &Graph) -> Vec<Vec<usize>> {
    let blocks =
        |channels: usize| (0..channels.div_ceil(LANES)).map(|b| LANES.min(channels - b * LANES)).collect::<Vec<_>>();
    let mut lanes = vec![blocks(graph.values()[0].channels)];
    for (i, node) in graph.nodes().iter().enumerate() {
        lanes.push(match node.op {
            Op::Conv2d { .. } | Op::ConvTranspose2d { .. } => blocks(graph.values()[i + 1].channels),
            _ => node.inputs.iter().flat_map(|&v| lanes[v].iter().copied()).collect(),
        });
    }
    lanes
}

fn sizes(graph: &Graph, shape: InputShape) -> Result<Vec<(usize, usize)>, CompileError> {
    let InputShape { n, h, w } = shape;
    if [n, h, w].iter().any(|v| !(1..=MAX_EXTENT).contains(v)) {
        return Err(CompileError::Extent { n, h, w, max: MAX_EXTENT });
    }
    let mut sizes: Vec<(usize, usize)> = vec![(h, w)];
    for (i, node) in graph.nodes().iter().enumerate() {
        let (vh, vw) = sizes[node.inputs[0]];
        sizes.push(match node.op {
            Op::MaxPool2d if vh % 2 == 1 || vw % 2 == 1 => {
                let layer = graph.values()[i + 1].name.clone();
                return Err(CompileError::NotAMultiple { h, w, multiple: graph.multiple_of(), layer });
            }
            Op::MaxPool2d => (vh / 2, vw / 2),
            Op::ConvTranspose2d { .. } if vh.max(vw) > MAX_EXTENT * MAX_EXTENT => {
                return Err(CompileError::Extent { n, h, w, max: MAX_EXTENT });
            }
            Op::ConvTranspose2d { .. } => (2 * vh, 2 * vw),
            _ => (vh, vw),
        });
    }
    Ok(sizes)
}
