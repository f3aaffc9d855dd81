//! GRU and LSTM: ONNX's weights of all directions into PyTorch's.

use super::OnnxError;
use super::attributes::Attributes;
use super::convert::{Converter, Made, Parameter};
use crate::network::Op;
use crate::op::{Cell, Recurrence};

/// Kinds of the parameters of each direction.
const KINDS: [[&str; 4]; 2] = [
    ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"],
    ["weight_ih_l0_reverse", "weight_hh_l0_reverse", "bias_ih_l0_reverse", "bias_hh_l0_reverse"],
];

impl Converter<'_> {
    /// A recurrent node over a map, as [`super::patterns`] leaves it; by itself it reads what no layer makes.
    pub(super) fn recurrent(&self, attributes: &Attributes<'_>, cell: Cell) -> Result<Made, OnnxError> {
        let node = attributes.0;
        attributes.only(&["hidden_size", "direction", "linear_before_reset", "layout", "input_forget", "last"])?;
        let last = attributes.int("last", -1);
        if last < 0 {
            let supported = "a map squeezed and transposed to [steps, n, features], and the way back";
            return Err(attributes.refuse("its input", "a sequence".to_owned(), supported));
        }
        attributes.expect_int("layout", 0, 0, "0")?;
        attributes.expect_int("input_forget", 0, 0, "0")?;
        if cell == Cell::Gru {
            attributes.expect_int("linear_before_reset", 0, 1, "1")?;
        }
        if let Some(extra) = node.inputs.iter().skip(4).find(|i| !i.is_empty()) {
            return Err(attributes.refuse("an input", extra.to_string(), "a sequence, W, R and B"));
        }
        let directions = match attributes.text("direction") {
            "" | "forward" => 1,
            "bidirectional" => 2,
            other => return Err(attributes.refuse("direction", other.to_owned(), "forward and bidirectional")),
        };
        let (shape, input_weights) = self.constant(node, 1, "W")?;
        let (state_shape, state_weights) = self.constant(node, 2, "R")?;
        let gates = cell.gates();
        let hidden = shape.get(1).map_or(0, |rows| rows / gates);
        let refuse = |what: &str, shape: &[usize]| {
            let supported = "[directions, gates * hidden, features] and, of B, [directions, 2 * gates * hidden]";
            attributes.refuse(what, format!("of shape {shape:?}"), supported)
        };
        if attributes.int("hidden_size", hidden as i64) != hidden as i64 {
            let got = attributes.int("hidden_size", 0).to_string();
            return Err(attributes.refuse("hidden_size", got, "that of the weights"));
        }
        let rows = gates * hidden;
        if shape.len() != 3 || shape[..2] != [directions, rows] || hidden == 0 || shape[2] == 0 {
            return Err(refuse("W", &shape));
        }
        if state_shape != [directions, rows, hidden] {
            return Err(refuse("R", &state_shape));
        }
        let biases = if node.inputs.get(3).is_some_and(|b| !b.is_empty()) {
            let (shape, biases) = self.constant(node, 3, "B")?;
            if shape != [directions, 2 * rows] {
                return Err(refuse("B", &shape));
            }
            biases
        } else {
            vec![0.0; directions * 2 * rows]
        };
        let mut parameters: Vec<Parameter> = Vec::new();
        for (d, kinds) in KINDS.iter().take(directions).enumerate() {
            let part = |data: &[f32], width: usize, part: usize| {
                let part = &data[part * rows * width..(part + 1) * rows * width];
                let gate = |g: usize| cell.onnx_gates().iter().position(|o| *o == g).unwrap_or(g) * hidden * width;
                (0..gates).flat_map(|g| part[gate(g)..gate(g) + hidden * width].to_vec()).collect::<Vec<f32>>()
            };
            parameters.push((kinds[0], vec![rows, shape[2]], part(&input_weights, shape[2], d)));
            parameters.push((kinds[1], vec![rows, hidden], part(&state_weights, hidden, d)));
            parameters.push((kinds[2], vec![rows], part(&biases, 1, 2 * d)));
            parameters.push((kinds[3], vec![rows], part(&biases, 1, 2 * d + 1)));
        }
        let recurrence = Recurrence { hidden, bidirectional: directions == 2, last: last == 1 };
        let op = if cell == Cell::Gru { Op::Gru(recurrence) } else { Op::Lstm(recurrence) };
        Ok(Made::with(op, parameters))
    }
}
