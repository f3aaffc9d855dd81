//! Where gradients lie, and who writes them first: decided once, by walking the steps backwards.

use super::layout::{Buffer, Home, Lowered, Step, view};
use crate::graph::Graph;
use crate::kernels::buffer::{Aligned, View};
use crate::kernels::pointwise;
use crate::kernels::pool::Pool;

/// How a step hands its gradient down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) view: View,
    /// Whether others have written there before.
    pub(super) add: bool,
    /// Parts of the view that nobody has written yet while others have: cleared before adding.
    pub(super) zero: Vec<View>,
}

impl Write {
    /// Zeroes the view unless others have written there before, for operators that only ever add.
    pub(super) fn clear(&self, pool: &mut Pool, arena: &mut Aligned) {
        if !self.add {
            pointwise::zero(pool, arena, self.view);
        }
    }
}

/// The plan of a [`Write`], before buffers are placed.
#[derive(Clone, Debug)]
struct Planned {
    value: usize,
    add: bool,
    zero: Vec<Home>,
}

/// Homes of all gradients.
pub(super) struct Gradients {
    homes: Vec<Option<Home>>,
    pub(super) buffers: Vec<Buffer>,
    writes: Vec<Option<Planned>>,
}

impl Gradients {
    /// A gradient exists for every value that depends on a parameter. BatchNorm's input takes over the gradient of its output where it has no other
    /// reader.
    pub(super) fn of(lowered: &Lowered, graph: &Graph, n: usize) -> Self {
        let mut learns = vec![false; lowered.homes.len()];
        for (i, node) in graph.nodes().iter().enumerate() {
            learns[i + 1] = has_parameters(graph, i) || node.inputs.iter().any(|&v| learns[v]);
        }
        let wanted: Vec<bool> = learns.iter().zip(&lowered.homes).map(|(l, h)| *l && h.is_some()).collect();
        let share = |v: usize| {
            lowered.steps.iter().find_map(|s| match *s {
                Step::Norm { x, y, .. } if x == v && lowered.readers[v] == 1 && v != lowered.output => Some(y),
                _ => None,
            })
        };
        let (homes, buffers) = lowered.assign(n, &wanted, share);
        let mut gradients = Self { homes, buffers, writes: vec![None; lowered.steps.len()] };
        gradients.plan_writes(lowered);
        gradients
    }

    fn plan_writes(&mut self, lowered: &Lowered) {
        let mut written: Vec<Vec<bool>> = self.buffers.iter().map(|b| vec![false; b.blocks]).collect();
        let blocks_of = |home: Home, value: usize| home.first_block..home.first_block + lowered.lanes[value].len();
        if let Some(home) = self.homes[lowered.output] {
            written[home.buffer][blocks_of(home, lowered.output)].fill(true);
        }
        for (i, step) in lowered.steps.iter().enumerate().rev() {
            let x = step.reads();
            let Some(home) = self.homes[x] else { continue };
            let in_place = match *step {
                Step::Norm { y, .. } => self.homes[y] == Some(home),
                Step::Copy { y, first_block, .. } => super::layout::lies_in(&self.homes, x, y, first_block),
                _ => false,
            };
            if in_place {
                continue;
            }
            let flags = &mut written[home.buffer][blocks_of(home, x)];
            let add = flags.iter().any(|w| *w);
            let missing = flags.iter().enumerate().filter(|(_, w)| add && !**w);
            let zero = missing.map(|(b, _)| Home { buffer: home.buffer, first_block: home.first_block + b }).collect();
            flags.fill(true);
            self.writes[i] = Some(Planned { value: x, add, zero });
        }
    }

    /// Whether the value has a gradient.
    pub(super) fn exists(&self, value: usize) -> bool {
        self.homes[value].is_some()
    }

    /// Says that the gradient of `value`, if it has one, is needed at `time`.
    pub(super) fn touch(&mut self, value: usize, time: usize) {
        if let Some(home) = self.homes[value] {
            self.buffers[home.buffer].touch(time);
        }
    }

    /// The gradient's view, after placing.
    pub(super) fn view(&self, lowered: &Lowered, value: usize) -> View {
        view(&self.homes, &self.buffers, value, lowered.lanes[value].len())
    }

    /// How step `index` hands its gradient down; `None` where it has nothing to write, or writes in place.
    pub(super) fn write(&self, lowered: &Lowered, index: usize) -> Option<Write> {
        let Planned { value, add, zero } = self.writes[index].as_ref()?;
        let zero = zero.iter().map(|h| self.buffers[h.buffer].view(h.first_block, 1)).collect();
        Some(Write { view: self.view(lowered, *value), add: *add, zero })
    }
}

fn has_parameters(graph: &Graph, node: usize) -> bool {
    let next = graph.nodes().get(node + 1).map_or(graph.parameters().len(), |n| n.first_parameter);
    next > graph.nodes()[node].first_parameter
}
