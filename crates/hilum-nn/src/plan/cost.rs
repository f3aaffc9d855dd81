//! What a forward pass costs by definition, however it is computed.

use super::sizes::sizes;
use super::{CompileError, VolumeShape};
use crate::graph::{Graph, Shape};
use crate::network::Network;

/// A forward pass in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Multiplications by weights of convolutions, linear and recurrent layers over the whole batch, each with its addition; padding counts.
    pub multiply_adds: u64,
    /// Channels, depth, height and width of one image's or volume's output.
    pub output: Shape,
}

impl Network {
    /// What a forward pass over this input costs; nothing is planned or allocated. Errors: an input that the network does not take.
    pub fn cost(&self, shape: impl Into<VolumeShape>) -> Result<Cost, CompileError> {
        let (graph, shape) = (self.graph(), shape.into());
        let sizes = sizes(&graph, shape)?;
        let multiply_adds = (0..graph.nodes().len()).map(|i| multiply_adds(&graph, &sizes, i, shape.n)).sum();
        let [d, h, w] = sizes[sizes.len() - 1];
        Ok(Cost { multiply_adds, output: Shape { c: self.out_channels(), d, h, w } })
    }
}

/// Those of node `i` on a batch of `n`, where the values have these sizes.
pub(super) fn multiply_adds(graph: &Graph, sizes: &[[usize; 3]], i: usize, n: usize) -> u64 {
    let node = &graph.nodes()[i];
    let positions = |value: usize| sizes[value].iter().map(|&side| side as u64).product::<u64>();
    let channels = |value: usize| graph.values()[value].channels as u64;
    let (x, y) = (node.inputs[0], i + 1);
    let of_image = if let (Some(geometry), Some(_)) = (node.op.geometry(), node.op.weighted()) {
        // Every position of the smaller side of the window meets every tap.
        let windows = positions(if geometry.transposed { x } else { y });
        windows * geometry.taps() as u64 * channels(x) * channels(y) / geometry.groups as u64
    } else if let Some((cell, recurrence)) = node.op.recurrent() {
        let (hidden, gates) = (recurrence.hidden as u64, (recurrence.directions() * cell.gates()) as u64);
        positions(x) * gates * hidden * (channels(x) + hidden)
    } else {
        0
    };
    n as u64 * of_image
}
