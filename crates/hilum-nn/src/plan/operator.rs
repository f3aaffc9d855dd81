//! Operators that are neither convolutions nor on the U-Net's path: one object each, the same in inference and training.

use super::backward::Write;
use super::layout::{Lowered, Step};
use crate::geometry::sides;
use crate::graph::Graph;
use crate::kernels::Kernels;
use crate::kernels::activation::{self, Activation};
use crate::kernels::buffer::{Aligned, View};
use crate::kernels::elementwise::{self, DropoutKey, Regrouping};
use crate::kernels::flatten;
use crate::kernels::pack;
use crate::kernels::pool::Pool;
use crate::kernels::recurrent::Recurrent;
use crate::kernels::sample_norm::SampleNorm;
use crate::kernels::upsample::Upsampling;
use crate::kernels::window_pool::{Reduce, WindowPool};
use crate::network::Op;
use crate::weights::Tensor;

/// An operator over fixed views.
pub(super) trait Operator: Send + Sync {
    /// Computes the result. `step`: training steps taken before this one.
    fn forward(&mut self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, step: u64);

    /// Hands the gradient `dy` of the last result down, to `target` where something before this learns, and to the operator's own parameters' `gradients`.
    /// The parts of `target` that are to be cleared are clear.
    fn backward(
        &mut self,
        k: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        dy: View,
        target: Option<&Write>,
        gradients: &mut [Vec<f32>],
    );

    /// Takes its parameters from the network's.
    fn load(&mut self, _k: &Kernels, _pool: &mut Pool, _tensors: &[Tensor]) {}

    /// Whether it reads and writes any format, by kernels that know them.
    fn heeds_formats(&self) -> bool {
        false
    }

    /// Bytes of its own buffers.
    fn bytes(&self) -> usize {
        0
    }
}

/// Whether an operator's backward pass reads its input and its result.
pub(super) fn keeps(op: &Op) -> [bool; 2] {
    match op {
        Op::Softmax => [false, true],
        Op::AvgPool { .. }
        | Op::GlobalAvgPool
        | Op::AdaptiveAvgPool { .. }
        | Op::Dropout { .. }
        | Op::Upsample { .. }
        | Op::Flatten
        // They keep copies of their own.
        | Op::Gru(_)
        | Op::Lstm(_) => [false, false],
        _ => [true, false],
    }
}

/// Whether an operator will [`Operator::heeds_formats`].
pub(super) fn heeds_formats(op: &Op) -> bool {
    matches!(
        op,
        Op::MaxPool(_)
            | Op::AvgPool { .. }
            | Op::GlobalAvgPool
            | Op::AdaptiveAvgPool { .. }
            | Op::AdaptiveMaxPool { .. }
    )
}

/// The operator of a step. `training`: whether it will run backwards.
pub(super) fn of(step: &Step, lowered: &Lowered, graph: &Graph, k: &Kernels, training: bool) -> Box<dyn Operator> {
    let (x, y) = (lowered.view(step.reads()), lowered.view(step.writes()));
    match *step {
        Step::Sum { x: from, y: to, factor, first } => {
            let (from, to) = (&lowered.lanes[from], &lowered.lanes[to]);
            let regrouping = (from != to).then(|| [Regrouping::new(from, to), Regrouping::new(to, from)]);
            Box::new(Sum { x, y, regrouping, factor, first })
        }
        Step::Operator { node, .. } => {
            let op = &graph.nodes()[node].op;
            let window = |reduce, counted| {
                let geometry = op.geometry().expect("moving pools have one");
                WindowPool::moving(reduce, &geometry, x.size(), y.size(), counted)
            };
            match op {
                Op::MaxPool(_) => Box::new(Pooled { window: window(Reduce::Max, false), x, y, keeps: true }),
                Op::AvgPool { count_padding, .. } => {
                    Box::new(Pooled { window: window(Reduce::Mean, *count_padding), x, y, keeps: false })
                }
                Op::GlobalAvgPool => Box::new(Pooled { window: WindowPool::global(x.size()), x, y, keeps: false }),
                Op::AdaptiveAvgPool { .. } => {
                    let window = WindowPool::adaptive(Reduce::Mean, x.size(), y.size());
                    Box::new(Pooled { window, x, y, keeps: false })
                }
                Op::AdaptiveMaxPool { .. } => {
                    let window = WindowPool::adaptive(Reduce::Max, x.size(), y.size());
                    Box::new(Pooled { window, x, y, keeps: true })
                }
                Op::Flatten => Box::new(Flattened { slots: pack::slots(&lowered.lanes[step.reads()]), x, y }),
                Op::Gru(_) | Op::Lstm(_) => {
                    let (cell, recurrence) = op.recurrent().expect("these are recurrent");
                    let recurrent = Recurrent::new(k, x, &lowered.lanes[step.reads()], cell, recurrence, training);
                    Box::new(Recurring { recurrent, x, y, first: graph.nodes()[node].first_parameter })
                }
                Op::Dropout { rate, seed } => {
                    Box::new(Dropout { x, y, rate: *rate, seed: *seed, node, key: DropoutKey::new(*seed, node, 0) })
                }
                Op::ClippedRelu { max } => Box::new(Activated { x, y, f: Activation::ClippedRelu(*max) }),
                Op::LeakyRelu { slope } => Box::new(Activated { x, y, f: Activation::LeakyRelu(*slope) }),
                Op::Gelu => Box::new(Activated { x, y, f: Activation::Gelu }),
                Op::Tanh => Box::new(Activated { x, y, f: Activation::Tanh }),
                Op::Softmax => Box::new(Softmax { x, y, lanes: lowered.lanes[step.reads()].clone() }),
                Op::Upsample { factors, linear } => {
                    Box::new(Upsampled { map: Upsampling::new(x.size(), sides(factors, 1), *linear), x, y })
                }
                Op::InstanceNorm { .. } | Op::GroupNorm { .. } => {
                    let lanes = &lowered.lanes[step.reads()];
                    let (groups, eps) = op.sample_norm().expect("these are normalisations within an image");
                    let groups = if groups == 0 { lanes.iter().sum() } else { groups };
                    let weight = graph.nodes()[node].first_parameter;
                    Box::new(Normalised { norm: SampleNorm::new(x, lanes, groups, eps), y, weight })
                }
                other => unreachable!("{other} has a step of its own"),
            }
        }
        _ => unreachable!("the other steps are no operators"),
    }
}

struct Pooled {
    window: WindowPool,
    x: View,
    y: View,
    /// Whether `x` is still there in the backward pass.
    keeps: bool,
}

impl Operator for Pooled {
    fn forward(&mut self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, _: u64) {
        self.window.forward(k, pool, arena, self.x, self.y);
    }

    fn backward(
        &mut self,
        k: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        dy: View,
        target: Option<&Write>,
        _: &mut [Vec<f32>],
    ) {
        let Some(write) = target else { return };
        write.clear(pool, arena);
        self.window.backward(k, pool, arena, self.keeps.then_some(self.x), dy, write.view);
    }

    fn heeds_formats(&self) -> bool {
        true
    }
}

struct Sum {
    x: View,
    y: View,
    /// From `x` to `y` and back, where their blocks hold different numbers of channels.
    regrouping: Option<[Regrouping; 2]>,
    factor: f32,
    first: bool,
}

impl Operator for Sum {
    fn forward(&mut self, _: &Kernels, pool: &mut Pool, arena: &mut Aligned, _: u64) {
        let Self { x, y, ref regrouping, factor, first } = *self;
        match regrouping {
            None => elementwise::accumulate(pool, arena, x, y, factor, !first),
            Some([there, _]) => elementwise::accumulate_channels(pool, arena, x, y, there, factor, !first),
        }
    }

    fn backward(
        &mut self,
        _: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        dy: View,
        target: Option<&Write>,
        _: &mut [Vec<f32>],
    ) {
        let Some(&Write { view, add, .. }) = target else { return };
        match &self.regrouping {
            None => elementwise::accumulate(pool, arena, dy, view, self.factor, add),
            Some([_, back]) => elementwise::accumulate_channels(pool, arena, dy, view, back, self.factor, add),
        }
    }
}

struct Dropout {
    x: View,
    y: View,
    rate: f32,
    seed: u64,
    node: usize,
    key: DropoutKey,
}

impl Operator for Dropout {
    fn forward(&mut self, _: &Kernels, pool: &mut Pool, arena: &mut Aligned, step: u64) {
        self.key = DropoutKey::new(self.seed, self.node, step);
        elementwise::dropout(pool, arena, self.x, self.y, self.rate, self.key, false);
    }

    fn backward(
        &mut self,
        _: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        dy: View,
        target: Option<&Write>,
        _: &mut [Vec<f32>],
    ) {
        let Some(write) = target else { return };
        elementwise::dropout(pool, arena, dy, write.view, self.rate, self.key, write.add);
    }
}

struct Activated {
    x: View,
    y: View,
    f: Activation,
}

impl Operator for Activated {
    fn forward(&mut self, _: &Kernels, pool: &mut Pool, arena: &mut Aligned, _: u64) {
        activation::activate(pool, arena, self.x, self.y, self.f);
    }

    fn backward(
        &mut self,
        _: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        dy: View,
        target: Option<&Write>,
        _: &mut [Vec<f32>],
    ) {
        let Some(write) = target else { return };
        activation::activate_grad(pool, arena, self.x, dy, write.view, self.f, write.add);
    }
}

struct Softmax {
    x: View,
    y: View,
    lanes: Vec<usize>,
}

impl Operator for Softmax {
    fn forward(&mut self, _: &Kernels, pool: &mut Pool, arena: &mut Aligned, _: u64) {
        activation::softmax(pool, arena, self.x, self.y, &self.lanes);
    }

    fn backward(
        &mut self,
        _: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        dy: View,
        target: Option<&Write>,
        _: &mut [Vec<f32>],
    ) {
        let Some(write) = target else { return };
        activation::softmax_grad(pool, arena, self.y, dy, write.view, write.add);
    }
}

struct Upsampled {
    map: Upsampling,
    x: View,
    y: View,
}

impl Operator for Upsampled {
    fn forward(&mut self, _: &Kernels, pool: &mut Pool, arena: &mut Aligned, _: u64) {
        self.map.forward(pool, arena, self.x, self.y);
    }

    fn backward(
        &mut self,
        _: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        dy: View,
        target: Option<&Write>,
        _: &mut [Vec<f32>],
    ) {
        let Some(write) = target else { return };
        write.clear(pool, arena);
        self.map.backward(pool, arena, dy, write.view);
    }
}

struct Normalised {
    norm: SampleNorm,
    y: View,
    /// Index of the weight; the bias follows.
    weight: usize,
}

impl Operator for Normalised {
    fn forward(&mut self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, _: u64) {
        self.norm.forward(k, pool, arena, self.y);
    }

    fn backward(
        &mut self,
        k: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        dy: View,
        target: Option<&Write>,
        gradients: &mut [Vec<f32>],
    ) {
        let (weight, bias) = gradients[self.weight..].split_at_mut(1);
        let target = target.map(|write| (write.view, write.add));
        self.norm.backward(k, pool, arena, dy, target, &mut weight[0], &mut bias[0]);
    }

    fn load(&mut self, _: &Kernels, _: &mut Pool, tensors: &[Tensor]) {
        self.norm.load(&tensors[self.weight].data, &tensors[self.weight + 1].data);
    }
}

struct Flattened {
    /// Where the channels of `x` lie.
    slots: Vec<usize>,
    x: View,
    y: View,
}

impl Operator for Flattened {
    fn forward(&mut self, _: &Kernels, pool: &mut Pool, arena: &mut Aligned, _: u64) {
        flatten::flatten(pool, arena, self.x, self.y, &self.slots);
    }

    fn backward(
        &mut self,
        _: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        dy: View,
        target: Option<&Write>,
        _: &mut [Vec<f32>],
    ) {
        let Some(write) = target else { return };
        write.clear(pool, arena);
        flatten::flatten_grad(pool, arena, dy, write.view, &self.slots);
    }
}

struct Recurring {
    recurrent: Recurrent,
    x: View,
    y: View,
    /// Index of the first weight; the others follow.
    first: usize,
}

impl Operator for Recurring {
    fn forward(&mut self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, _: u64) {
        self.recurrent.forward(k, pool, arena, self.x, self.y);
    }

    fn backward(
        &mut self,
        k: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        dy: View,
        target: Option<&Write>,
        gradients: &mut [Vec<f32>],
    ) {
        let count = self.recurrent.parameters();
        self.recurrent.backward(k, pool, arena, dy, &mut gradients[self.first..self.first + count]);
        if let Some(write) = target {
            self.recurrent.input_gradient(k, pool, arena, write.view, write.add);
        }
    }

    fn load(&mut self, k: &Kernels, pool: &mut Pool, tensors: &[Tensor]) {
        let count = self.recurrent.parameters();
        self.recurrent.load(k, pool, &tensors[self.first..self.first + count]);
    }

    fn bytes(&self) -> usize {
        self.recurrent.bytes()
    }
}
