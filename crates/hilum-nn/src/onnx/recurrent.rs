//! Recurrent layers: a map over a sequence as ONNX's `[steps, n, features]` and back.

use super::message::{int, ints, text};
use super::operator::{Constant, Data, Emitted, Input, Node, indices, node};
use crate::op::{Cell, Recurrence};
use crate::weights::Tensor;

/// The nodes of a recurrent layer. `tensors`: weights and biases of each direction, as PyTorch has them.
pub(super) fn emit(cell: Cell, recurrence: Recurrence, axes: usize, tensors: &[Tensor]) -> Emitted {
    let Recurrence { hidden, bidirectional, last } = recurrence;
    let directions = recurrence.directions();
    let rows = cell.gates() * hidden;
    // The tensors of this number of all directions, their gates in ONNX's order.
    let gates = |number: usize| {
        let of_directions = tensors.iter().skip(number).step_by(tensors.len() / directions);
        let ordered = |t: &Tensor| {
            let gate = t.data.len() / cell.gates();
            cell.onnx_gates().iter().flat_map(|g| t.data[g * gate..(g + 1) * gate].to_vec()).collect::<Vec<_>>()
        };
        of_directions.map(ordered).collect::<Vec<_>>()
    };
    let weight = |name: &'static str, number: usize| Constant {
        name: name.into(),
        shape: vec![directions, rows, tensors[number].shape[1]],
        data: Data::Floats(gates(number).concat()),
    };
    let biases = gates(2).into_iter().zip(gates(3)).flat_map(|(input, state)| [input, state].concat()).collect();
    let direction = if bidirectional { "bidirectional" } else { "forward" };
    let mut attributes = vec![int("hidden_size", hidden as u64), text("direction", direction)];
    if cell == Cell::Gru {
        attributes.push(int("linear_before_reset", 1));
    }
    let (constant, result) = (Input::Constant, Input::Node);
    // Of the results [steps, directions, n, hidden] and [directions, n, hidden].
    let (output, order, steps) = if last { (1, vec![1, 0, 2], 1) } else { (0, vec![2, 1, 3, 0], -1) };
    let mut shape = vec![0, (directions * hidden) as i64, steps];
    shape.resize(axes + 2, 1);
    Emitted {
        nodes: vec![
            node("Squeeze", &[Input::Layer, constant(0)], Vec::new()),
            node("Transpose", &[result(0)], vec![ints("perm", [2, 0, 1])]),
            Node {
                output,
                ..node(cell.onnx_operator(), &[result(1), constant(1), constant(2), constant(3)], attributes)
            },
            node("Transpose", &[result(2)], vec![ints("perm", order)]),
            node("Reshape", &[result(3), constant(4)], Vec::new()),
        ],
        constants: vec![
            indices("axes", (3..axes as i64 + 2).collect()),
            weight("W", 0),
            weight("R", 1),
            Constant { name: "B".into(), shape: vec![directions, 2 * rows], data: Data::Floats(biases) },
            indices("shape", shape),
        ],
    }
}
