//! Recurrent layers, from the equations of PyTorch's documentation.

use hilum_nn::Recurrence;

use super::Map;

/// A step's sums of input and of state, gate by gate, hidden and cell state before it; hidden and cell state after it.
pub(super) type Cell = fn([&[f64]; 2], [&[f64]; 2]) -> [Vec<f64>; 2];

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

pub(super) fn gru([x, h]: [&[f64]; 2], [before, _]: [&[f64]; 2]) -> [Vec<f64>; 2] {
    let size = before.len();
    let after = (0..size).map(|i| {
        let (r, z) = (sigmoid(x[i] + h[i]), sigmoid(x[size + i] + h[size + i]));
        let n = (x[2 * size + i] + r * h[2 * size + i]).tanh();
        (1.0 - z) * n + z * before[i]
    });
    [after.collect(), Vec::new()]
}

pub(super) fn lstm([x, h]: [&[f64]; 2], [before, cell]: [&[f64]; 2]) -> [Vec<f64>; 2] {
    let size = before.len();
    let gate = |g: usize, i: usize| x[g * size + i] + h[g * size + i];
    let cell: Vec<f64> =
        (0..size).map(|i| sigmoid(gate(1, i)) * cell[i] + sigmoid(gate(0, i)) * gate(2, i).tanh()).collect();
    [(0..size).map(|i| sigmoid(gate(3, i)) * cell[i].tanh()).collect(), cell]
}

/// The states of every sequence of a map, whose positions follow each other as its pixels do.
pub(super) fn run<'a>(x: &Map, recurrence: Recurrence, cell: Cell, get: impl Fn(&str) -> Option<&'a Vec<f64>>) -> Map {
    let Recurrence { hidden, bidirectional, last } = recurrence;
    let steps = x.d * x.h * x.w;
    let suffixes: &[&str] = if bidirectional { &["", "_reverse"] } else { &[""] };
    let size = if last { [1; 3] } else { x.size() };
    let mut y = Map::volume(x.n, suffixes.len() * hidden, size);
    let kept = if last { 1 } else { steps };
    for (direction, suffix) in suffixes.iter().enumerate() {
        let [wx, wh, bx, bh] =
            ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"].map(|k| get(&format!("{k}{suffix}")).unwrap());
        for n in 0..x.n {
            let (mut state, mut memory) = (vec![0.0; hidden], vec![0.0; hidden]);
            for step in 0..steps {
                let t = if direction == 0 { step } else { steps - 1 - step };
                let input: Vec<f64> = (0..x.c).map(|c| x.data[(n * x.c + c) * steps + t]).collect();
                let sums = |w: &[f64], b: &[f64], v: &[f64]| -> Vec<f64> {
                    let product = |row: &[f64]| row.iter().zip(v).map(|(w, v)| w * v).sum::<f64>();
                    w.chunks(v.len()).zip(b).map(|(row, b)| product(row) + b).collect()
                };
                let (of_input, of_state) = (sums(wx, bx, &input), sums(wh, bh, &state));
                [state, memory] = cell([&of_input, &of_state], [&state, &memory]);
                if !last || step + 1 == steps {
                    let at = if last { 0 } else { t };
                    for (i, v) in state.iter().enumerate() {
                        let channel = n * y.c + direction * hidden + i;
                        y.data[channel * kept + at] = *v;
                    }
                }
            }
        }
    }
    y
}
