//! One step of the training plan: a layer forward and backward over fixed views.

use super::backward::{Gradients, Write};
use super::layout::{Lowered, Step, lies_in};
use super::operator::{self, Operator};
use super::recompute::Recomputed;
use super::window::WindowLayer;
use super::{Algorithm, CompileError, allocate};
use crate::geometry::Path;
use crate::graph::Graph;
use crate::kernels::Kernels;
use crate::kernels::buffer::{Aligned, LANES, View};
use crate::kernels::conv::Start;
use crate::kernels::method::{Method, WeightMethod};
use crate::kernels::norm::{self, Lanes, Statistics, Target};
use crate::kernels::pack::{self, Source};
use crate::kernels::pointwise;
use crate::kernels::pool::Pool;
use crate::weights::{Tensor, Weights};

/// How much of a batch's statistics enters the running ones, PyTorch's default.
const NORM_MOMENTUM: f64 = 0.1;

/// A convolution and its two gradients.
pub(super) struct ConvLayer {
    forward: Method,
    packed: Aligned,
    bias: Aligned,
    dy: View,
    data: Option<DataGradient>,
    weight_gradient: WeightMethod,
    /// Index of the weight tensor; the bias, if any, follows it.
    weight: usize,
    has_bias: bool,
    slots: Vec<Option<usize>>,
}

/// The gradient of a convolution's input, itself a convolution.
struct DataGradient {
    conv: Method,
    packed: Aligned,
    write: Write,
}

/// BatchNorm, with ReLU or without.
pub(super) struct NormLayer {
    x: View,
    y: View,
    /// Where the result is made again for the backward pass.
    again: Option<View>,
    /// An earlier normalisation that has found the statistics of this one's first blocks, and how many: those of a growing concatenation.
    known: Option<(usize, usize)>,
    dy: View,
    target: Option<Write>,
    stats: Statistics,
    scale: Vec<Lanes>,
    shift: Vec<Lanes>,
    relu: bool,
    eps: f64,
    /// Index of the weight; bias, running mean and running variance follow.
    weight: usize,
    slots: Vec<Option<usize>>,
}

/// Where a parameterless layer's gradient comes from and goes to; `None` where nothing before it learns.
type Through = Option<(View, Write)>;

/// One step, forward and backward.
pub(super) enum TrainLayer {
    Conv(Box<ConvLayer>),
    Window(Box<WindowLayer>),
    Operator { operator: Box<dyn Operator>, dy: Option<View>, target: Option<Write> },
    Norm(Box<NormLayer>),
    MaxPool { x: View, y: View, gradient: Through },
    Relu { x: View, y: View, gradient: Through },
    Sigmoid { x: View, y: View, lanes: Vec<usize>, gradient: Through },
    Copy { forward: Option<(View, View)>, gradient: Through },
}

impl TrainLayer {
    pub(super) fn of(
        index: usize,
        lowered: &Lowered,
        gradients: &Gradients,
        recomputed: &Recomputed,
        graph: &Graph,
        k: &Kernels,
        algorithm: Algorithm,
    ) -> Self {
        let view = |v: usize| lowered.view(v);
        let dy = |v: usize| gradients.view(lowered, v);
        let write = || gradients.write(lowered, index);
        let through = |y: usize| write().map(|w| (dy(y), w));
        match lowered.steps[index] {
            Step::Conv { node, x, y, .. } => {
                let (x_lanes, y_lanes) = (&lowered.lanes[x], &lowered.lanes[y]);
                let op = &graph.nodes()[node].op;
                let geometry = op.geometry().expect("a convolution has one");
                let winograd = algorithm.winograd_in_training(x_lanes.iter().sum(), y_lanes.iter().sum(), &view(y));
                let square = geometry.square().filter(|_| winograd);
                let path = geometry.path(lowered.sizes[x][0]);
                if path == Path::Window && square.is_none() {
                    let window = WindowLayer::new(k, lowered, gradients, recomputed, graph, geometry, index);
                    return Self::Window(Box::new(window));
                }
                // To a kernel of one position, a volume is its slices under each other.
                let lie = |view: View| if path == Path::Window { view } else { view.flat() };
                let (xv, yv, dyv) = (lie(view(x)), lie(view(y)), lie(dy(y)));
                let kept = lie(recomputed.view(lowered, x));
                let forward = match (path, square) {
                    (Path::Same(kernel), _) => {
                        Method::same(k, winograd, Source::Forward, xv, x_lanes, yv, y_lanes, kernel)
                    }
                    (Path::Window, Some(square)) => {
                        Method::square(k, square, Source::Forward, xv, x_lanes, yv, y_lanes)
                    }
                    _ => Method::up(k, xv, x_lanes, yv, y_lanes),
                };
                let data = write().map(|write| {
                    let write = Write { view: lie(write.view), ..write };
                    let dx = write.view;
                    let conv = match (path, square) {
                        (Path::Same(kernel), _) => {
                            Method::same(k, winograd, Source::Flipped, dyv, y_lanes, dx, x_lanes, kernel)
                        }
                        (Path::Window, Some(square)) => {
                            Method::square(k, square.backward(), Source::Flipped, dyv, y_lanes, dx, x_lanes)
                        }
                        _ => Method::down(k, dyv, y_lanes, dx, x_lanes),
                    };
                    DataGradient { packed: Aligned::zeroed(0), conv, write }
                });
                let weight_gradient = match (path, square) {
                    (Path::Same(kernel), _) => WeightMethod::same(k, winograd, kept, x_lanes, dyv, y_lanes, kernel),
                    (Path::Window, Some(square)) => WeightMethod::square(k, square, kept, x_lanes, dyv, y_lanes),
                    _ => WeightMethod::up(k, kept, x_lanes, dyv, y_lanes),
                };
                let weight = graph.nodes()[node].first_parameter;
                let has_bias = op.weighted().is_some_and(|(_, bias)| bias);
                Self::Conv(Box::new(ConvLayer {
                    packed: Aligned::zeroed(0),
                    forward,
                    bias: Aligned::zeroed(y_lanes.len() * LANES),
                    dy: dyv,
                    data,
                    weight_gradient,
                    weight,
                    has_bias,
                    slots: pack::channels(y_lanes),
                }))
            }
            Step::Norm { node, x, y, relu } => {
                let blocks = lowered.lanes[x].len();
                Self::Norm(Box::new(NormLayer {
                    x: view(x),
                    y: view(y),
                    known: lowered.normalised_before(index, graph),
                    again: recomputed.has(y).then(|| recomputed.view(lowered, y)),
                    dy: dy(y),
                    target: write(),
                    stats: Statistics::new(blocks),
                    scale: vec![[0.0; LANES]; blocks],
                    shift: vec![[0.0; LANES]; blocks],
                    relu,
                    eps: graph.nodes()[node].op.batch_norm_eps().expect("a batch normalisation has one"),
                    weight: graph.nodes()[node].first_parameter,
                    slots: pack::channels(&lowered.lanes[x]),
                }))
            }
            ref step @ (Step::Sum { y, .. } | Step::Operator { y, .. }) => {
                let dy = gradients.exists(y).then(|| dy(y));
                Self::Operator { operator: operator::of(step, lowered, graph, k, true), dy, target: write() }
            }
            Step::MaxPool { x, y } => Self::MaxPool { x: view(x), y: view(y), gradient: through(y) },
            Step::Relu { x, y } => Self::Relu { x: view(x), y: view(y), gradient: through(y) },
            Step::Sigmoid { x, y } => {
                Self::Sigmoid { x: view(x), y: view(y), lanes: lowered.lanes[x].clone(), gradient: through(y) }
            }
            Step::Copy { x, y, first_block } => {
                let blocks = lowered.lanes[x].len();
                let moved = !lies_in(&lowered.homes, x, y, first_block);
                Self::Copy {
                    forward: moved.then(|| (view(x), view(y).part(first_block, blocks))),
                    gradient: through(y).map(|(dy, w)| (dy.part(first_block, blocks), w)),
                }
            }
        }
    }

    /// Floats of packed weights that [`TrainLayer::reserve`] takes.
    pub(super) fn packed_len(&self) -> usize {
        match self {
            Self::Conv(c) => c.forward.weight_len() + c.data.as_ref().map_or(0, |d| d.conv.weight_len()),
            Self::Window(w) => w.packed_len(),
            _ => 0,
        }
    }

    /// Takes memory for packed weights.
    pub(super) fn reserve(&mut self) -> Result<(), CompileError> {
        match self {
            Self::Conv(c) => {
                c.packed = allocate(c.forward.weight_len())?;
                if let Some(data) = &mut c.data {
                    data.packed = allocate(data.conv.weight_len())?;
                }
            }
            Self::Window(w) => w.reserve()?,
            _ => {}
        }
        Ok(())
    }

    /// Makes the result of a normalisation again, the same bits.
    pub(super) fn recompute(&self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned) {
        if let Self::Norm(n) = self
            && let Some(again) = n.again
        {
            norm::apply(k, pool, arena, n.x, again, &n.scale, &n.shift, n.relu);
        }
    }

    /// `step`: training steps taken before this one; `before`: the layers that have run before this one.
    pub(super) fn forward(
        &mut self,
        k: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        partial: &mut [f64],
        scratch: &mut [f32],
        step: u64,
        before: &[Self],
    ) {
        match self {
            Self::Window(w) => w.forward(pool, arena),
            Self::Operator { operator, .. } => operator.forward(k, pool, arena, step),
            Self::Conv(c) => {
                let start = if c.has_bias { Start::Bias } else { Start::Zero };
                c.forward.run(k, pool, arena, &c.packed, &c.bias, start, false, scratch);
            }
            Self::Norm(n) => {
                let mut known = 0;
                if let Some((step, blocks)) = n.known
                    && let Self::Norm(other) = &before[step]
                {
                    n.stats.take_over(&other.stats, blocks);
                    known = blocks;
                }
                norm::batch_statistics(k, pool, arena, partial, n.x, known, n.eps, &mut n.stats);
                for (b, block) in n.stats.blocks.iter().enumerate() {
                    for l in 0..LANES {
                        n.scale[b][l] = block.weight[l] * block.inv_std[l];
                        n.shift[b][l] = block.bias[l] - block.mean[l] * n.scale[b][l];
                    }
                }
                norm::apply(k, pool, arena, n.x, n.y, &n.scale, &n.shift, n.relu);
            }
            Self::MaxPool { x, y, .. } => pointwise::max_pool(k, pool, arena, *x, *y),
            Self::Relu { x, y, .. } => pointwise::relu(k, pool, arena, *x, *y),
            Self::Sigmoid { x, y, lanes, .. } => pointwise::sigmoid(pool, arena, *x, *y, lanes),
            Self::Copy { forward: Some((x, y)), .. } => pointwise::copy(pool, arena, *x, *y, false),
            Self::Copy { forward: None, .. } => {}
        }
    }

    /// The algorithm of a convolution.
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Conv(c) => c.forward.name(),
            Self::Window(_) => "window",
            _ => "",
        }
    }

    /// The gradients of a convolution's weights and bias, which come before [`TrainLayer::backward`]; whether this is a convolution.
    pub(super) fn weight_gradient(
        &mut self,
        k: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        partial: &mut [f64],
        scratch: &mut [f32],
        gradients: &mut [Vec<f32>],
    ) -> bool {
        match self {
            Self::Window(w) => w.weight_gradient(k, pool, arena, partial, scratch, gradients),
            Self::Conv(c) => {
                c.weight_gradient.run(k, pool, arena, scratch, &mut gradients[c.weight]);
                if c.has_bias {
                    let bias = &mut gradients[c.weight + 1];
                    norm::channel_sums(k, pool, arena, partial, c.dy, |b, sums| scatter(bias, &c.slots, b, &sums));
                }
            }
            _ => return false,
        }
        true
    }

    /// Whether [`TrainLayer::backward`] has anything to do.
    pub(super) fn hands_down(&self) -> bool {
        match self {
            Self::Conv(c) => c.data.is_some(),
            Self::Window(w) => w.hands_down(),
            _ => true,
        }
    }

    /// Hands the gradient down to the layer's input, and to the parameters of what is no convolution.
    pub(super) fn backward(
        &mut self,
        k: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        partial: &mut [f64],
        scratch: &mut [f32],
        gradients: &mut [Vec<f32>],
    ) {
        let prepare = |pool: &mut Pool, arena: &mut Aligned, write: &Write| {
            write.zero.iter().for_each(|&v| pointwise::zero(pool, arena, v));
        };
        match self {
            Self::Window(w) => w.backward(pool, arena),
            Self::Operator { operator, dy: Some(dy), target } => {
                if let Some(write) = target {
                    prepare(pool, arena, write);
                }
                operator.backward(k, pool, arena, *dy, target.as_ref(), gradients);
            }
            Self::Conv(c) => {
                if let Some(data) = &c.data {
                    prepare(pool, arena, &data.write);
                    let start = if data.write.add { Start::Output } else { Start::Zero };
                    data.conv.run(k, pool, arena, &data.packed, &[], start, false, scratch);
                }
            }
            Self::Norm(n) => {
                let target = match &n.target {
                    Some(write) => {
                        prepare(pool, arena, write);
                        Target::View { dx: write.view, add: write.add }
                    }
                    None => Target::InPlace,
                };
                let (weight, bias) = gradients[n.weight..].split_at_mut(1);
                norm::backward(k, pool, arena, partial, n.x, n.dy, target, &mut n.stats, n.relu, |b, [db, dw]| {
                    scatter(&mut bias[0], &n.slots, b, &db);
                    scatter(&mut weight[0], &n.slots, b, &dw);
                });
            }
            Self::MaxPool { x, gradient: Some((dy, write)), .. } => {
                prepare(pool, arena, write);
                pointwise::max_pool_grad(k, pool, arena, *x, *dy, write.view, write.add);
            }
            Self::Relu { x, gradient: Some((dy, write)), .. } => {
                prepare(pool, arena, write);
                pointwise::relu_grad(k, pool, arena, *x, *dy, write.view, write.add);
            }
            Self::Sigmoid { y, gradient: Some((dy, write)), .. } => {
                prepare(pool, arena, write);
                pointwise::sigmoid_grad(pool, arena, *y, *dy, write.view, write.add);
            }
            Self::Copy { gradient: Some((dy, write)), .. } => {
                prepare(pool, arena, write);
                pointwise::copy(pool, arena, *dy, write.view, write.add);
            }
            Self::Operator { dy: None, .. }
            | Self::MaxPool { gradient: None, .. }
            | Self::Relu { gradient: None, .. }
            | Self::Sigmoid { gradient: None, .. }
            | Self::Copy { gradient: None, .. } => {}
        }
    }

    pub(super) fn pack(&mut self, k: &Kernels, weights: &Weights, pool: &mut Pool) {
        let tensors = weights.tensors();
        match self {
            Self::Window(w) => w.pack(tensors, pool),
            Self::Operator { operator, .. } => operator.load(k, pool, tensors),
            Self::Conv(c) => {
                c.forward.pack(k, pool, &tensors[c.weight].data, &mut c.packed);
                if c.has_bias {
                    let data = &tensors[c.weight + 1].data;
                    c.bias[..data.len()].copy_from_slice(data);
                }
                if let Some(data) = &mut c.data {
                    data.conv.pack(k, pool, &tensors[c.weight].data, &mut data.packed);
                }
            }
            Self::Norm(n) => {
                for (slot, channel) in n.slots.iter().enumerate() {
                    let Some(c) = *channel else { continue };
                    n.stats.blocks[slot / LANES].weight[slot % LANES] = tensors[n.weight].data[c];
                    n.stats.blocks[slot / LANES].bias[slot % LANES] = tensors[n.weight + 1].data[c];
                }
            }
            Self::MaxPool { .. } | Self::Relu { .. } | Self::Sigmoid { .. } | Self::Copy { .. } => {}
        }
    }

    /// BatchNorm's running statistics after a step; those of other layers are left alone.
    pub(super) fn update_running_statistics(&self, tensors: &mut [Tensor]) {
        let Self::Norm(norm) = self else { return };
        let count = (norm.x.n * norm.x.pixels()) as f64;
        // Running variance is the unbiased one, normalisation uses the biased one (as PyTorch).
        let unbias = if count > 1.0 { count / (count - 1.0) } else { 1.0 };
        let blend = |old: f32, new: f64| (f64::from(old) * (1.0 - NORM_MOMENTUM) + new * NORM_MOMENTUM) as f32;
        for (slot, channel) in norm.slots.iter().enumerate() {
            let Some(c) = *channel else { continue };
            let (block, lane) = (slot / LANES, slot % LANES);
            let mean = &mut tensors[norm.weight + 2].data[c];
            *mean = blend(*mean, f64::from(norm.stats.blocks[block].mean[lane]));
            let variance = &mut tensors[norm.weight + 3].data[c];
            *variance = blend(*variance, f64::from(norm.stats.variance[block][lane]) * unbias);
        }
    }

    pub(super) fn scratch_len(&self, threads: usize) -> usize {
        match self {
            Self::Conv(c) => {
                let data = c.data.as_ref().map_or(0, |d| d.conv.scratch_len(threads));
                c.forward.scratch_len(threads).max(data).max(c.weight_gradient.scratch_len(threads))
            }
            Self::Window(w) => w.scratch_len(),
            _ => 0,
        }
    }

    pub(super) fn partial_len(&self) -> usize {
        match self {
            Self::Conv(c) => norm::partial_len(c.dy),
            Self::Window(w) => w.partial_len(),
            Self::Norm(n) => norm::partial_len(n.x),
            _ => 0,
        }
    }

    pub(super) fn packed_bytes(&self) -> usize {
        match self {
            Self::Conv(c) => c.packed.bytes() + c.bias.bytes() + c.data.as_ref().map_or(0, |d| d.packed.bytes()),
            Self::Window(w) => w.packed_bytes(),
            Self::Operator { operator, .. } => operator.bytes(),
            _ => 0,
        }
    }
}

/// One block's lanes into a tensor of channels.
pub(super) fn scatter(tensor: &mut [f32], slots: &[Option<usize>], block: usize, lanes: &Lanes) {
    for (channel, value) in slots[block * LANES..(block + 1) * LANES].iter().zip(lanes) {
        if let Some(c) = *channel {
            tensor[c] = *value;
        }
    }
}
