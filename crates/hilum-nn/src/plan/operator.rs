//! Operators without parameters that are neither convolution nor on the U-Net's path: one object each, the same in inference and training.

use super::backward::Write;
use super::layout::{Lowered, Step};
use crate::graph::Graph;
use crate::kernels::Kernels;
use crate::kernels::buffer::{Aligned, View};
use crate::kernels::elementwise::{self, DropoutKey};
use crate::kernels::pointwise;
use crate::kernels::pool::Pool;
use crate::kernels::window_pool::{Reduce, WindowPool};
use crate::network::Op;

/// An operator over fixed views.
pub(super) trait Operator: Send + Sync {
    /// Computes the result. `step`: training steps taken before this one.
    fn forward(&mut self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, step: u64);

    /// Hands the gradient `dy` of the last result down; `write`'s cleared parts are clear.
    fn backward(&mut self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, dy: View, write: &Write);
}

/// The operator of a step.
pub(super) fn of(step: &Step, lowered: &Lowered, graph: &Graph) -> Box<dyn Operator> {
    let (x, y) = (lowered.view(step.reads()), lowered.view(step.writes()));
    match *step {
        Step::Sum { x: from, y: to, factor, first } => {
            Box::new(Sum { x, y, lanes: [from, to].map(|v| lowered.lanes[v].clone()), factor, first })
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
                Op::Dropout { rate, seed } => {
                    Box::new(Dropout { x, y, rate: *rate, seed: *seed, node, key: DropoutKey::new(*seed, node, 0) })
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

    fn backward(&mut self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, dy: View, write: &Write) {
        if !write.add {
            pointwise::zero(pool, arena, write.view);
        }
        self.window.backward(k, pool, arena, self.keeps.then_some(self.x), dy, write.view);
    }
}

struct Sum {
    x: View,
    y: View,
    /// Channels in use of `x` and `y`.
    lanes: [Vec<usize>; 2],
    factor: f32,
    first: bool,
}

impl Operator for Sum {
    fn forward(&mut self, _: &Kernels, pool: &mut Pool, arena: &mut Aligned, _: u64) {
        let [from, to] = &self.lanes;
        if from == to {
            elementwise::accumulate(pool, arena, self.x, self.y, self.factor, !self.first);
        } else {
            let (x, y) = ((self.x, from.as_slice()), (self.y, to.as_slice()));
            elementwise::accumulate_channels(pool, arena, x, y, self.factor, !self.first);
        }
    }

    fn backward(&mut self, _: &Kernels, pool: &mut Pool, arena: &mut Aligned, dy: View, write: &Write) {
        let [from, to] = &self.lanes;
        if from == to {
            elementwise::accumulate(pool, arena, dy, write.view, self.factor, write.add);
        } else {
            let (dy, dx) = ((dy, to.as_slice()), (write.view, from.as_slice()));
            elementwise::accumulate_channels(pool, arena, dy, dx, self.factor, write.add);
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

    fn backward(&mut self, _: &Kernels, pool: &mut Pool, arena: &mut Aligned, dy: View, write: &Write) {
        elementwise::dropout(pool, arena, dy, write.view, self.rate, self.key, write.add);
    }
}
