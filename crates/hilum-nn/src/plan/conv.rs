//! A convolution in training: its result and its two gradients, each by the kernels chosen for it.

use super::backward::{Gradients, Write};
use super::layer::scatter;
use super::layout::Lowered;
use super::recompute::Recomputed;
use super::training_choice::TrainingChoice;
use super::{CompileError, allocate};
use crate::graph::Graph;
use crate::kernels::Kernels;
use crate::kernels::buffer::{Aligned, LANES, View};
use crate::kernels::conv::Start;
use crate::kernels::method::{Method, WeightMethod};
use crate::kernels::pool::Pool;
use crate::kernels::{norm, pack, pointwise};
use crate::weights::Tensor;

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

impl ConvLayer {
    /// The layer of step `index`.
    pub(super) fn new(
        k: &Kernels,
        lowered: &Lowered,
        gradients: &Gradients,
        recomputed: &Recomputed,
        graph: &Graph,
        index: usize,
        choice: &TrainingChoice,
    ) -> Self {
        let (x, y) = (lowered.steps[index].reads(), lowered.steps[index].writes());
        let node = lowered.steps[index].node().expect("a convolution has a layer");
        let (x_lanes, y_lanes) = (lowered.lanes[x].as_slice(), lowered.lanes[y].as_slice());
        let dy = gradients.view(lowered, y);
        let geometry = graph.nodes()[node].op.geometry().expect("a convolution has a window");
        let kept = recomputed.view(lowered, x);
        Self {
            packed: Aligned::zeroed(0),
            forward: choice.forward.method(k, graph, node, (lowered.view(x), x_lanes), (lowered.view(y), y_lanes)),
            bias: Aligned::zeroed(y_lanes.len() * LANES),
            dy,
            data: gradients.write(lowered, index).map(|write| DataGradient {
                conv: choice.data.data_method(k, &geometry, (dy, y_lanes), (write.view, x_lanes)),
                packed: Aligned::zeroed(0),
                write,
            }),
            weight_gradient: choice.weights.weight_method(k, &geometry, (kept, x_lanes), (dy, y_lanes)),
            weight: graph.nodes()[node].first_parameter,
            has_bias: graph.nodes()[node].op.weighted().is_some_and(|(_, bias)| bias),
            slots: pack::channels(y_lanes),
        }
    }

    /// Floats of packed weights.
    pub(super) fn packed_len(&self) -> usize {
        self.forward.weight_len() + self.data.as_ref().map_or(0, |data| data.conv.weight_len())
    }

    /// Takes memory for packed weights.
    pub(super) fn reserve(&mut self) -> Result<(), CompileError> {
        self.packed = allocate(self.forward.weight_len())?;
        if let Some(data) = &mut self.data {
            data.packed = allocate(data.conv.weight_len())?;
        }
        Ok(())
    }

    pub(super) fn forward(&self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, scratch: &mut [f32]) {
        let start = if self.has_bias { Start::Bias } else { Start::Zero };
        self.forward.run(k, pool, arena, &self.packed, &self.bias, start, false, scratch);
    }

    pub(super) fn weight_gradient(
        &self,
        k: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        partial: &mut [f64],
        scratch: &mut [f32],
        gradients: &mut [Vec<f32>],
    ) {
        self.weight_gradient.run(k, pool, arena, scratch, &mut gradients[self.weight]);
        if self.has_bias {
            let bias = &mut gradients[self.weight + 1];
            norm::channel_sums(k, pool, arena, partial, self.dy, |b, sums| scatter(bias, &self.slots, b, &sums));
        }
    }

    /// Whether something before it learns.
    pub(super) fn hands_down(&self) -> bool {
        self.data.is_some()
    }

    pub(super) fn backward(&self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, scratch: &mut [f32]) {
        if let Some(DataGradient { conv, packed, write }) = &self.data {
            write.zero.iter().for_each(|&v| pointwise::zero(pool, arena, v));
            let start = if write.add { Start::Output } else { Start::Zero };
            conv.run(k, pool, arena, packed, &[], start, false, scratch);
        }
    }

    pub(super) fn pack(&mut self, k: &Kernels, tensors: &[Tensor], pool: &mut Pool) {
        let weights = &tensors[self.weight].data;
        self.forward.pack(k, pool, weights, &mut self.packed);
        if self.has_bias {
            let data = &tensors[self.weight + 1].data;
            self.bias[..data.len()].copy_from_slice(data);
        }
        if let Some(DataGradient { conv, packed, .. }) = &mut self.data {
            conv.pack(k, pool, weights, packed);
        }
    }

    /// The algorithms of the result, of the weights' gradient and of the input's.
    pub(super) fn algorithms(&self) -> [&'static str; 3] {
        [self.forward.name(), self.weight_gradient.name(), self.data.as_ref().map_or("", |data| data.conv.name())]
    }

    pub(super) fn scratch_len(&self, threads: usize) -> usize {
        let data = self.data.as_ref().map_or(0, |data| data.conv.scratch_len(threads));
        self.forward.scratch_len(threads).max(data).max(self.weight_gradient.scratch_len(threads))
    }

    pub(super) fn partial_len(&self) -> usize {
        norm::partial_len(self.dy)
    }

    pub(super) fn packed_bytes(&self) -> usize {
        self.packed.bytes() + self.bias.bytes() + self.data.as_ref().map_or(0, |data| data.packed.bytes())
    }
}
