//! Inference in bf16: which convolutions multiply bf16, and which activations lie in memory as bf16.
//!
//! Every convolution and linear layer of such a plan multiplies bf16 and sums in f32. A buffer holds bf16 where everything that writes or reads it can:
//! convolutions, normalisations and pooling, whose arithmetic stays f32. Where a convolution reads a buffer of f32, the value is rounded into a
//! buffer of its own first, once for all its readers; Winograd's transform reads f32 itself. The network's output stays f32.

use super::layout::{Buffer, Home, Lowered, Step};
use super::operator;
use crate::graph::Graph;
use crate::kernels::buffer::Format;

/// What the products of convolutions and linear layers multiply. Sums, and all other arithmetic, are f32 either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// f32.
    #[default]
    F32,
    /// bf16: weights are rounded once, to the nearest, activations as they are written or read. Only where the processor multiplies bf16 (AVX512_BF16), and
    /// on the portable instruction set, which computes it number by number for comparison; elsewhere a plan is refused.
    Bf16,
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        })
    }
}

/// How a convolution's step takes its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// f32 alone.
    F32,
    /// bf16 alone.
    Bf16,
    /// Either.
    Either,
}

/// Gives buffers their formats and puts copies, which round, between buffers of f32 and convolutions that read bf16. `takes`: of every convolution, by node.
pub(super) fn narrow(lowered: &mut Lowered, graph: &Graph, n: usize, takes: impl Fn(usize) -> Takes) {
    let mut wide = vec![false; lowered.buffers.len()];
    let buffer = |homes: &[Option<Home>], value: usize| homes[value].expect("steps touch values with a home").buffer;
    wide[buffer(&lowered.homes, lowered.output)] = true;
    for step in &lowered.steps {
        let [x, y] = [step.reads(), step.writes()].map(|v| buffer(&lowered.homes, v));
        match *step {
            Step::Conv { node, .. } if takes(node) == Takes::F32 => (wide[x], wide[y]) = (true, true),
            Step::Conv { .. } | Step::Norm { .. } | Step::MaxPool { .. } | Step::Copy { .. } => {}
            Step::Operator { node, .. } if operator::heeds_formats(&graph.nodes()[node].op) => {}
            Step::Relu { .. } | Step::Sigmoid { .. } | Step::Sum { .. } | Step::Operator { .. } => {
                (wide[x], wide[y]) = (true, true);
            }
        }
    }
    for (buffer, wide) in lowered.buffers.iter_mut().zip(wide) {
        buffer.format = if wide { Format::F32 } else { Format::Bf16 };
    }
    let mut rounded: Vec<Option<usize>> = vec![None; lowered.homes.len()];
    for mut step in std::mem::take(&mut lowered.steps) {
        if let Step::Conv { node, x, .. } = &mut step
            && takes(*node) == Takes::Bf16
            && lowered.buffers[buffer(&lowered.homes, *x)].format == Format::F32
        {
            let from = *x;
            *x = *rounded[from].get_or_insert_with(|| {
                let value = lowered.homes.len();
                let (lanes, size) = (lowered.lanes[from].clone(), lowered.sizes[from]);
                lowered.homes.push(Some(Home { buffer: lowered.buffers.len(), first_block: 0 }));
                let mut buffer = Buffer::new(n, lanes.len(), size);
                buffer.format = Format::Bf16;
                lowered.buffers.push(buffer);
                lowered.lanes.push(lanes);
                lowered.sizes.push(size);
                lowered.readers.push(0);
                lowered.steps.push(Step::Copy { x: from, y: value, first_block: 0 });
                value
            });
        }
        lowered.steps.push(step);
    }
}
