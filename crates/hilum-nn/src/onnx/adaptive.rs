//! Adaptive pooling as what ONNX has: reductions, windows of one size, or one slice after the other.

use super::message::{int, ints};
use super::operator::{Emitted, Input, Node, indices, node};
use crate::geometry::adapted;
use crate::graph::Resolution;

/// The nodes of an adaptive mean or maximum to `size`, in a network of this many axes.
pub(super) fn emit(mean: bool, size: &[usize], axes: usize, input: Resolution) -> Emitted {
    let either = |of_mean, of_maximum| if mean { of_mean } else { of_maximum };
    let one = |operator, attributes| Emitted {
        nodes: vec![node(operator, &[Input::Layer], attributes)],
        constants: Vec::new(),
    };
    if size.iter().all(|s| *s == 1) {
        return one(either("GlobalAveragePool", "GlobalMaxPool"), Vec::new());
    } else if size.iter().all(|s| *s == 0) {
        return one("Identity", Vec::new());
    } else if size.iter().all(|s| *s <= 1) {
        let reduced = size.iter().enumerate().filter(|(_, s)| **s == 1).map(|(a, _)| a + 2);
        return one(either("ReduceMean", "ReduceMax"), vec![ints("axes", reduced)]);
    }
    let known = match input {
        Resolution::Fixed(from) => Some(from),
        _ => None,
    };
    if let Some(from) = known {
        let to = adapted(size, from);
        if (0..3).all(|a| from[a].is_multiple_of(to[a])) {
            let window: Vec<usize> = (3 - axes..3).map(|a| from[a] / to[a]).collect();
            let attributes = ["kernel_shape", "strides"].map(|name| ints(name, window.iter().copied())).into();
            return one(either("AveragePool", "MaxPool"), attributes);
        }
    }
    // A window is a product of intervals: its mean is the mean of means along one axis after the other, all over as many positions, and so its maximum.
    let mut windows = Windows {
        emitted: Emitted { nodes: Vec::new(), constants: Vec::new() },
        reduce: either("ReduceMean", "ReduceMax"),
        last: Input::Layer,
    };
    for (a, &out) in size.iter().enumerate() {
        match (known.map(|from| from[3 - axes + a]), out) {
            (_, 0) => {}
            (Some(len), _) if len == out => {}
            (_, 1) => windows.last = windows.reduced(a + 2, windows.last),
            (Some(len), _) => windows.known(a + 2, len, out),
            (None, _) => windows.computed(a + 2, out),
        }
    }
    windows.emitted
}

/// Nodes and constants of a pooling under way.
struct Windows {
    emitted: Emitted,
    reduce: &'static str,
    /// What has been pooled along the axes before.
    last: Input,
}

impl Windows {
    fn push(&mut self, node: Node) -> Input {
        self.emitted.nodes.push(node);
        Input::Node(self.emitted.nodes.len() - 1)
    }

    fn apply(&mut self, operator: &'static str, a: Input, b: Input) -> Input {
        self.push(node(operator, &[a, b], Vec::new()))
    }

    fn constant(&mut self, axis: usize, name: &str, values: Vec<i64>) -> Input {
        self.emitted.constants.push(indices(format!("axis{axis}.{name}"), values));
        Input::Constant(self.emitted.constants.len() - 1)
    }

    fn reduced(&mut self, axis: usize, from: Input) -> Input {
        self.push(node(self.reduce, &[from], vec![ints("axes", [axis])]))
    }

    /// The windows of these ends one after the other, joined again.
    fn join(&mut self, axis: usize, ends: Vec<[Input; 2]>) {
        let (of, along) = (self.last, self.constant(axis, "axis", vec![axis as i64]));
        let mut parts = Vec::with_capacity(ends.len());
        for [start, end] in ends {
            let slice = self.push(node("Slice", &[of, start, end, along], Vec::new()));
            parts.push(self.reduced(axis, slice));
        }
        self.last = self.push(node("Concat", &parts, vec![int("axis", axis as u64)]));
    }

    /// Along an axis whose length the description fixes.
    fn known(&mut self, axis: usize, len: usize, out: usize) {
        let mut ends = Vec::with_capacity(out);
        for i in 0..out {
            let [start, end] = [i * len / out, ((i + 1) * len).div_ceil(out)];
            ends.push(
                [("start", start), ("end", end)]
                    .map(|(name, at)| self.constant(axis, &format!("{name}{i}"), vec![at as i64])),
            );
        }
        self.join(axis, ends);
    }

    /// Along an axis whose length only the input tells: `i * len / out` and `((i + 1) * len + out - 1) / out`, rounded down.
    fn computed(&mut self, axis: usize, out: usize) {
        let count = out as i64;
        let (place, parts) = (self.constant(axis, "place", vec![axis as i64]), self.constant(axis, "out", vec![count]));
        let less = self.constant(axis, "less", vec![count - 1]);
        let (from, to) =
            (self.constant(axis, "from", (0..count).collect()), self.constant(axis, "to", (1..=count).collect()));
        let shape = self.push(node("Shape", &[Input::Layer], Vec::new()));
        let len = self.apply("Gather", shape, place);
        let starts = self.apply("Mul", len, from);
        let starts = self.apply("Div", starts, parts);
        let ends = self.apply("Mul", len, to);
        let ends = self.apply("Add", ends, less);
        let ends = self.apply("Div", ends, parts);
        let mut of_windows = Vec::with_capacity(out);
        for i in 0..out {
            let index = self.constant(axis, &format!("index{i}"), vec![i as i64]);
            of_windows.push([starts, ends].map(|list| self.apply("Gather", list, index)));
        }
        self.join(axis, of_windows);
    }
}
