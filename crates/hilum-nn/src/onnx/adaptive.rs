//! Adaptive pooling as what ONNX has: reductions, or windows of one size.

use super::message::ints;
use super::operator::{Emitted, Input, node};
use crate::geometry::adapted;
use crate::graph::Resolution;

/// The node of an adaptive mean or maximum to `size`.
pub(super) fn emit(mean: bool, size: &[usize], axes: usize, input: Resolution) -> Result<Emitted, &'static str> {
    let either = |of_mean, of_maximum| if mean { of_mean } else { of_maximum };
    let (operator, attributes) = if size.iter().all(|s| *s == 1) {
        (either("GlobalAveragePool", "GlobalMaxPool"), Vec::new())
    } else if size.iter().all(|s| *s == 0) {
        ("Identity", Vec::new())
    } else if size.iter().all(|s| *s <= 1) {
        let reduced = size.iter().enumerate().filter(|(_, s)| **s == 1).map(|(a, _)| a + 2);
        (either("ReduceMean", "ReduceMax"), vec![ints("axes", reduced)])
    } else {
        let Resolution::Fixed(from) = input else {
            return Err("needs an input of known size: fix the network's size");
        };
        let to = adapted(size, from);
        if (0..3).any(|a| !from[a].is_multiple_of(to[a])) {
            return Err(
                "has windows of different sizes: ONNX has them only where the result's sides divide the input's",
            );
        }
        let window: Vec<usize> = (3 - axes..3).map(|a| from[a] / to[a]).collect();
        let attributes = ["kernel_shape", "strides"].map(|name| ints(name, window.iter().copied())).into();
        (either("AveragePool", "MaxPool"), attributes)
    };
    Ok(Emitted { nodes: vec![node(operator, &[Input::Layer], attributes)], constants: Vec::new() })
}
