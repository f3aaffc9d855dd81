//! A convolution of any window in training.

use super::backward::{Gradients, Write};
use super::layer::scatter;
use super::layout::Lowered;
use super::recompute::Recomputed;
use super::{CompileError, allocate};
use crate::geometry::Geometry;
use crate::graph::Graph;
use crate::kernels::Kernels;
use crate::kernels::buffer::{Aligned, LANES, View};
use crate::kernels::conv::Start;
use crate::kernels::pool::Pool;
use crate::kernels::window::{Direction, Window};
use crate::kernels::window_grad::WindowGradient;
use crate::kernels::{norm, pack, pointwise};
use crate::weights::Tensor;

/// Which way a convolution of this geometry runs forward, and which way its input's gradient is found.
pub(super) fn directions(g: &Geometry) -> [Direction; 2] {
    if g.transposed { [Direction::Scatter, Direction::Gather] } else { [Direction::Gather, Direction::Scatter] }
}

/// A convolution and its gradients.
pub(super) struct WindowLayer {
    forward: Window,
    packed: Aligned,
    bias: Aligned,
    dy: View,
    data: Option<(Window, Aligned, Write)>,
    weight_gradient: WindowGradient,
    /// Index of the weight tensor; the bias, if any, follows it.
    weight: usize,
    has_bias: bool,
    slots: Vec<Option<usize>>,
}

impl WindowLayer {
    /// The layer of step `index`, which runs `node` from value `x` to `y`.
    pub(super) fn new(
        k: &Kernels,
        lowered: &Lowered,
        gradients: &Gradients,
        recomputed: &Recomputed,
        graph: &Graph,
        geometry: Geometry,
        index: usize,
    ) -> Self {
        let (x, y) = (lowered.steps[index].reads(), lowered.steps[index].writes());
        let node = lowered.steps[index].node().expect("a convolution has a layer");
        let (x_lanes, y_lanes) = (lowered.lanes[x].as_slice(), lowered.lanes[y].as_slice());
        let (xv, dy) = (lowered.view(x), gradients.view(lowered, y));
        let kept = recomputed.view(lowered, x);
        let [there, back] = directions(&geometry);
        let forward = Window::new(k, there, &geometry, (xv, x_lanes), (lowered.view(y), y_lanes));
        let data = gradients.write(lowered, index).map(|write| {
            let conv = Window::new(k, back, &geometry, (dy, y_lanes), (write.view, x_lanes));
            (conv, Aligned::zeroed(0), write)
        });
        let (base, wide) =
            if geometry.transposed { ((kept, x_lanes), (dy, y_lanes)) } else { ((dy, y_lanes), (kept, x_lanes)) };
        Self {
            packed: Aligned::zeroed(0),
            forward,
            bias: Aligned::zeroed(y_lanes.len() * LANES),
            dy,
            data,
            weight_gradient: WindowGradient::new(k, geometry, base, wide),
            weight: graph.nodes()[node].first_parameter,
            has_bias: graph.nodes()[node].op.weighted().is_some_and(|(_, bias)| bias),
            slots: pack::channels(y_lanes),
        }
    }

    /// Floats of packed weights.
    pub(super) fn packed_len(&self) -> usize {
        self.forward.weight_len() + self.data.as_ref().map_or(0, |(conv, ..)| conv.weight_len())
    }

    /// Takes memory for packed weights.
    pub(super) fn reserve(&mut self) -> Result<(), CompileError> {
        self.packed = allocate(self.forward.weight_len())?;
        if let Some((conv, packed, _)) = &mut self.data {
            *packed = allocate(conv.weight_len())?;
        }
        Ok(())
    }

    pub(super) fn forward(&self, pool: &mut Pool, arena: &mut Aligned) {
        let start = if self.has_bias { Start::Bias } else { Start::Zero };
        self.forward.run(pool, arena, &self.packed, &self.bias, start, false);
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
        self.weight_gradient.run(pool, arena, scratch, &mut gradients[self.weight]);
        if self.has_bias {
            let bias = &mut gradients[self.weight + 1];
            norm::channel_sums(k, pool, arena, partial, self.dy, |b, sums| scatter(bias, &self.slots, b, &sums));
        }
    }

    /// Whether something before it learns.
    pub(super) fn hands_down(&self) -> bool {
        self.data.is_some()
    }

    pub(super) fn backward(&self, pool: &mut Pool, arena: &mut Aligned) {
        if let Some((conv, packed, write)) = &self.data {
            write.zero.iter().for_each(|&v| pointwise::zero(pool, arena, v));
            let start = if write.add { Start::Output } else { Start::Zero };
            conv.run(pool, arena, packed, &[], start, false);
        }
    }

    pub(super) fn pack(&mut self, tensors: &[Tensor], pool: &mut Pool) {
        let weights = &tensors[self.weight].data;
        self.forward.pack(pool, weights, &mut self.packed);
        if self.has_bias {
            let data = &tensors[self.weight + 1].data;
            self.bias[..data.len()].copy_from_slice(data);
        }
        if let Some((conv, packed, _)) = &mut self.data {
            conv.pack(pool, weights, packed);
        }
    }

    pub(super) fn scratch_len(&self) -> usize {
        self.weight_gradient.scratch_len()
    }

    pub(super) fn partial_len(&self) -> usize {
        norm::partial_len(self.dy)
    }

    pub(super) fn packed_bytes(&self) -> usize {
        self.packed.bytes() + self.bias.bytes() + self.data.as_ref().map_or(0, |(_, packed, _)| packed.bytes())
    }
}
