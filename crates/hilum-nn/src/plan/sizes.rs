//! Sizes of all values for one input.

use super::{CompileError, VolumeShape};
use crate::geometry::{adapted, sequence_len, sides};
use crate::graph::{Graph, Resolution};
use crate::network::Op;

/// Largest batch, depth, height or width.
const MAX_EXTENT: usize = 1 << 16;

/// Depth, height and width of every value.
pub(super) fn sizes(graph: &Graph, shape: VolumeShape) -> Result<Vec<[usize; 3]>, CompileError> {
    let VolumeShape { n, d, h, w } = shape;
    let giant = || CompileError::Extent { n, d, h, w, max: MAX_EXTENT };
    if [n, d, h, w].iter().any(|v| !(1..=MAX_EXTENT).contains(v)) || (d > 1 && graph.axes() == 2) {
        return Err(giant());
    }
    let mut sizes = vec![[d, h, w]];
    match graph.values()[0].resolution {
        Resolution::Fixed(expected) if expected != sizes[0] => {
            return Err(CompileError::FixedSize { got: sizes[0], expected });
        }
        _ => {}
    }
    for i in 0..graph.nodes().len() {
        sizes.push(after(graph, i, &sizes, shape)?);
    }
    Ok(sizes)
}

/// Depth, height and width of what node `i` gives, with those of all values before it.
pub(crate) fn after(
    graph: &Graph,
    i: usize,
    sizes: &[[usize; 3]],
    shape: VolumeShape,
) -> Result<[usize; 3], CompileError> {
    let VolumeShape { n, d, h, w } = shape;
    let node = &graph.nodes()[i];
    let layer = || graph.values()[i + 1].name.clone();
    let size = sizes[node.inputs[0]];
    let [_, vh, vw] = size;
    let size = match &node.op {
        Op::MaxPool2d if vh % 2 == 1 || vw % 2 == 1 => {
            return Err(CompileError::NotAMultiple { h, w, multiple: graph.multiple_of(), layer: layer() });
        }
        Op::MaxPool2d => [1, vh / 2, vw / 2],
        Op::GlobalAvgPool | Op::Flatten => [1; 3],
        Op::AdaptiveAvgPool { size: wanted } | Op::AdaptiveMaxPool { size: wanted } => adapted(wanted, size),
        Op::Gru(recurrence) | Op::Lstm(recurrence) => match sequence_len(size, graph.axes()) {
            None => return Err(CompileError::Sequence { layer: layer(), size }),
            Some(_) if recurrence.last => [1; 3],
            Some(_) => size,
        },
        Op::Concat | Op::Add => {
            if let Some(other) = node.inputs.iter().map(|&v| sizes[v]).find(|s| *s != size) {
                return Err(CompileError::Sizes { layer: layer(), a: size, b: other });
            }
            size
        }
        Op::Upsample { factors, .. } => {
            let factors = sides(factors, 1);
            std::array::from_fn(|a| size[a].saturating_mul(factors[a]))
        }
        op => match op.geometry() {
            None => size,
            Some(g) => g.output(size).ok_or_else(|| CompileError::Window { layer: layer(), size })?,
        },
    };
    if size.iter().any(|&v| v > MAX_EXTENT * MAX_EXTENT) {
        return Err(CompileError::Extent { n, d, h, w, max: MAX_EXTENT });
    }
    Ok(size)
}
