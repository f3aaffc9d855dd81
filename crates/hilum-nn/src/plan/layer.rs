//! One step of the training plan: a layer forward and backward over fixed views.

use super::CompileError;
use super::backward::{Gradients, Write};
use super::conv::ConvLayer;
use super::layout::{Lowered, Step, lies_in};
use super::operator::{self, Operator};
use super::recompute::Recomputed;
use super::training_choice::TrainingChoice;
use crate::graph::Graph;
use crate::kernels::Kernels;
use crate::kernels::buffer::{Aligned, LANES, View};
use crate::kernels::norm::{self, Lanes, Statistics, Target};
use crate::kernels::pack;
use crate::kernels::pointwise;
use crate::kernels::pool::Pool;
use crate::weights::{Tensor, Weights};

/// How much of a batch's statistics enters the running ones, PyTorch's default.
const NORM_MOMENTUM: f64 = 0.1;

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
        choices: &[Option<TrainingChoice>],
    ) -> Self {
        let view = |v: usize| lowered.view(v);
        let dy = |v: usize| gradients.view(lowered, v);
        let write = || gradients.write(lowered, index);
        let through = |y: usize| write().map(|w| (dy(y), w));
        match lowered.steps[index] {
            Step::Conv { node, .. } => {
                let choice = choices[node].as_ref().expect("every convolution has a choice");
                Self::Conv(Box::new(ConvLayer::new(k, lowered, gradients, recomputed, graph, index, choice)))
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
            Self::Conv(c) => c.packed_len(),
            _ => 0,
        }
    }

    /// Takes memory for packed weights.
    pub(super) fn reserve(&mut self) -> Result<(), CompileError> {
        match self {
            Self::Conv(c) => c.reserve(),
            _ => Ok(()),
        }
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
            Self::Operator { operator, .. } => operator.forward(k, pool, arena, step),
            Self::Conv(c) => c.forward(k, pool, arena, scratch),
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

    /// The algorithms of a convolution: of its result, its weights' gradient and its input's.
    pub(super) fn algorithms(&self) -> [&'static str; 3] {
        match self {
            Self::Conv(c) => c.algorithms(),
            _ => [""; 3],
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
            Self::Conv(c) => c.weight_gradient(k, pool, arena, partial, scratch, gradients),
            _ => return false,
        }
        true
    }

    /// Whether [`TrainLayer::backward`] has anything to do.
    pub(super) fn hands_down(&self) -> bool {
        match self {
            Self::Conv(c) => c.hands_down(),
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
            Self::Operator { operator, dy: Some(dy), target } => {
                if let Some(write) = target {
                    prepare(pool, arena, write);
                }
                operator.backward(k, pool, arena, *dy, target.as_ref(), gradients);
            }
            Self::Conv(c) => c.backward(k, pool, arena, scratch),
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
            Self::Operator { operator, .. } => operator.load(k, pool, tensors),
            Self::Conv(c) => c.pack(k, tensors, pool),
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
            Self::Conv(c) => c.scratch_len(threads),
            _ => 0,
        }
    }

    pub(super) fn partial_len(&self) -> usize {
        match self {
            Self::Conv(c) => c.partial_len(),
            Self::Norm(n) => norm::partial_len(n.x),
            _ => 0,
        }
    }

    pub(super) fn packed_bytes(&self) -> usize {
        match self {
            Self::Conv(c) => c.packed_bytes(),
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
