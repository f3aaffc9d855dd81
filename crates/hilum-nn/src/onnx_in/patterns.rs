//! Operators spelt out in several nodes: the last of the nodes becomes ONNX's own operator and reads what they read. The others stay for
//! whoever reads them, and are left out where nobody does.

use std::collections::HashMap;
use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

use super::model::{Attribute, Constant, Model, Node};

/// Replaces what is found.
pub(super) fn replace(model: &mut Model<'_>) {
    let values = Values::of(model);
    let found: Vec<_> = model.nodes.iter().map(|n| values.gelu(n).or_else(|| values.short(n))).collect();
    for (node, found) in model.nodes.iter_mut().zip(found) {
        if let Some(Found { op, inputs, attributes }) = found {
            *node = Node { op, inputs, attributes, ..std::mem::take(node) };
        }
    }
}

/// What a node becomes.
struct Found<'a> {
    op: &'static str,
    inputs: Vec<&'a str>,
    attributes: Vec<Attribute<'a>>,
}

/// Where values come from.
struct Values<'m, 'a> {
    maker: HashMap<&'a str, &'m Node<'a>>,
    /// How often a value is read.
    readers: HashMap<&'a str, usize>,
    constants: &'m HashMap<&'a str, Constant<'a>>,
    /// Spatial axes of the model's input.
    axes: usize,
}

/// Both orders of a node's two inputs.
fn orders<'a>(node: &Node<'a>) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    let pair = if let [a, b] = node.inputs[..] { Some((a, b)) } else { None };
    pair.into_iter().flat_map(|(a, b)| [(a, b), (b, a)])
}

impl<'m, 'a> Values<'m, 'a> {
    fn of(model: &'m Model<'a>) -> Self {
        let outputs = |n: &'m Node<'a>| n.outputs.iter().map(move |o| (*o, n));
        let mut readers = HashMap::new();
        for value in model.nodes.iter().flat_map(|n| &n.inputs).chain(&model.outputs) {
            *readers.entry(*value).or_insert(0) += 1;
        }
        Self {
            readers,
            maker: model.nodes.iter().flat_map(outputs).collect(),
            constants: &model.constants,
            axes: model.inputs.first().map_or(0, |i| i.shape.len().saturating_sub(2)),
        }
    }

    /// The node that makes a value, if it is of this operator.
    fn made_by(&self, value: &str, op: &str) -> Option<&'m Node<'a>> {
        self.maker.get(value).copied().filter(|n| n.op == op && matches!(n.domain, "" | "ai.onnx"))
    }

    fn constant(&self, value: &str) -> Option<&Constant<'a>> {
        self.constants.get(value)
    }

    fn is_number(&self, value: &str, wanted: f32) -> bool {
        self.constant(value).and_then(Constant::scalar).is_some_and(|v| (v - wanted).abs() < 1e-6)
    }

    fn integers(&self, value: &str) -> Option<Vec<i64>> {
        self.constant(value)?.integers()
    }

    /// `x * 1/2 * (1 + erf(x / sqrt(2)))`, the factors in any order.
    fn gelu(&self, node: &Node<'a>) -> Option<Found<'a>> {
        if node.op != "Mul" {
            return None;
        }
        let factors = orders(node).filter_map(|(a, b)| {
            let [c, d] = self.made_by(b, "Mul")?.inputs[..] else { return None };
            Some([a, c, d])
        });
        let rotations =
            factors.flat_map(|[a, b, c]| [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]]);
        let x = rotations
            .filter(|[_, half, _]| self.is_number(half, 0.5))
            .find_map(|[x, _, sum]| self.is_one_and_erf(sum, x).then_some(x))?;
        Some(Found { op: "Gelu", inputs: vec![x], attributes: Vec::new() })
    }

    /// Whether a value is `1 + erf(x / sqrt(2))`.
    fn is_one_and_erf(&self, value: &str, x: &str) -> bool {
        let Some(sum) = self.made_by(value, "Add") else { return false };
        orders(sum).filter(|(_, one)| self.is_number(one, 1.0)).any(|(erf, _)| {
            let inner = self.made_by(erf, "Erf").and_then(|n| n.inputs.first());
            inner.is_some_and(|v| {
                let product = self.made_by(v, "Mul").into_iter().flat_map(orders);
                let quotient = self.made_by(v, "Div").into_iter().flat_map(|n| orders(n).take(1));
                product.into_iter().any(|(a, b)| a == x && self.is_number(b, FRAC_1_SQRT_2))
                    || quotient.into_iter().any(|(a, b)| a == x && self.is_number(b, SQRT_2))
            })
        })
    }

    fn short(&self, node: &Node<'a>) -> Option<Found<'a>> {
        match node.op {
            "Add" => self.group_norm(node).or_else(|| self.biased(node)),
            "ReduceMean" => self.mean(node),
            "Pad" => self.pad(node),
            "Reshape" => self.recurrent(node).or_else(|| self.pixel(node)),
            "Flatten" => self.pixel(node),
            "Transpose" => self.transposed(node),
            _ => None,
        }
    }

    /// InstanceNormalization over groups as channels, then a weight and a bias per channel: the GroupNormalization of operator set 21.
    fn group_norm(&self, node: &Node<'a>) -> Option<Found<'a>> {
        let products = orders(node).filter_map(|(product, bias)| Some((self.made_by(product, "Mul")?, bias)));
        let scaled = products.flat_map(|(product, bias)| orders(product).map(move |(map, weight)| (map, weight, bias)));
        scaled.into_iter().find_map(|(map, weight, bias)| {
            let [grouped, shape] = self.made_by(map, "Reshape")?.inputs[..] else { return None };
            let norm = self.made_by(grouped, "InstanceNormalization")?;
            let [split, ones, zeros] = norm.inputs[..] else { return None };
            let [x, into_groups] = self.made_by(split, "Reshape")?.inputs[..] else { return None };
            let &[0, groups, -1] = self.integers(into_groups)?.as_slice() else { return None };
            let all = |value: &str, wanted: f32| {
                let values = self.constant(value).and_then(|c| c.values(value).ok());
                values.is_some_and(|(_, data)| data.iter().all(|v| v.to_bits() == wanted.to_bits()))
            };
            if !self.is_shape(shape, x) || !all(ones, 1.0) || !all(zeros, 0.0) {
                return None;
            }
            let eps = norm.attributes.iter().find(|a| a.name == "epsilon").and_then(|a| a.float);
            let attributes = vec![
                Attribute { name: "num_groups", int: Some(groups), ..Attribute::default() },
                Attribute { name: "epsilon", float: eps, ..Attribute::default() },
            ];
            let inputs = vec![x, self.per_channel(weight)?, self.per_channel(bias)?];
            Some(Found { op: "GroupNormalization", inputs, attributes })
        })
    }

    fn is_shape(&self, value: &str, of: &str) -> bool {
        self.made_by(value, "Shape").is_some_and(|n| n.attributes.is_empty() && n.inputs == [of])
    }

    /// The constant `[c]` or `[c, 1, 1]` that a value spreads over the spatial axes.
    fn per_channel(&self, value: &'a str) -> Option<&'a str> {
        if let Some(unsqueeze) = self.made_by(value, "Unsqueeze") {
            let input = *unsqueeze.inputs.first()?;
            return (self.axes_of(unsqueeze)? == (1..=self.axes as i64).collect::<Vec<_>>()).then_some(input);
        }
        let (first, rest) = self.constant(value)?.dims.split_first()?;
        (*first > 0 && rest.len() == self.axes && rest.iter().all(|d| *d == 1)).then_some(value)
    }

    /// The axes of an Unsqueeze: an attribute before operator set 13, then an input.
    fn axes_of(&self, node: &Node<'a>) -> Option<Vec<i64>> {
        let by_attribute = || Some(node.attributes.iter().find(|a| a.name == "axes")?.ints.clone());
        node.inputs.get(1).and_then(|v| self.integers(v)).or_else(by_attribute)
    }

    /// A product with a constant matrix, or a convolution without bias that nobody else reads, plus a constant per channel.
    fn biased(&self, node: &Node<'a>) -> Option<Found<'a>> {
        orders(node).find_map(|(product, bias)| {
            let dims = &self.constant(bias)?.dims;
            let only = |axis: usize| (0..dims.len()).all(|i| dims.len() - i == axis || dims[i] == 1);
            if let Some(&[x, weight]) = self.made_by(product, "MatMul").map(|n| &n.inputs[..]) {
                let matrix = self.constant(weight).is_some_and(|w| w.dims.len() == 2);
                let fits = matrix && (1..=2).contains(&dims.len()) && only(1);
                return fits.then(|| Found { op: "Gemm", inputs: vec![x, weight, bias], attributes: Vec::new() });
            }
            let windows = ["Conv", "ConvTranspose"].into_iter().find_map(|op| Some((op, self.made_by(product, op)?)));
            let (op, conv) = windows.filter(|_| self.readers.get(product) == Some(&1))?;
            let &[x, weight] = &conv.inputs[..] else { return None };
            let channels = (self.axes + 1..=self.axes + 2).contains(&dims.len()) && only(self.axes + 1);
            // A single number would be one per channel of a single channel.
            let wanted = self.constant(weight)?.dims.get(usize::from(op == "ConvTranspose"))?;
            let fits = channels && dims.iter().product::<i64>() == *wanted;
            fits.then(|| Found { op, inputs: vec![x, weight, bias], attributes: conv.attributes.clone() })
        })
    }

    /// The mean over one axis after the other.
    fn mean(&self, node: &Node<'a>) -> Option<Found<'a>> {
        let keeps = |n: &Node<'a>| n.attributes.iter().find(|a| a.name == "keepdims").is_none_or(|a| a.int != Some(0));
        let inner = self.made_by(node.inputs.first()?, "ReduceMean")?;
        let rank = self.axes as i64 + 2;
        let axis = |n: &Node<'a>, rank: i64| match self.axes_of(n)?[..] {
            [axis] => Some(if axis < 0 { axis.checked_add(rank)? } else { axis }),
            _ => None,
        };
        let (last, first) = (axis(inner, rank)?, axis(node, if keeps(inner) { rank } else { rank - 1 })?);
        if self.axes != 2 || keeps(inner) != keeps(node) || (first, last) != (2, 3) {
            return None;
        }
        let attributes = vec![
            Attribute { name: "axes", ints: vec![2, 3], ..Attribute::default() },
            Attribute { name: "keepdims", int: Some(i64::from(keeps(node))), ..Attribute::default() },
        ];
        Some(Found { op: "ReduceMean", inputs: vec![*inner.inputs.first()?], attributes })
    }

    /// A Pad whose list PyTorch's exporter makes from its own, which begins with the last axis: filled up with zeros, in pairs, backwards, by columns.
    fn pad(&self, node: &Node<'a>) -> Option<Found<'a>> {
        let (&x, pads) = (node.inputs.first()?, node.inputs.get(1)?);
        let first = |value: &str, op: &str| self.made_by(value, op)?.inputs.first().copied();
        let slice = self.made_by(first(first(first(pads, "Cast")?, "Reshape")?, "Transpose")?, "Slice")?;
        let &[pairs, .., step] = &slice.inputs[..] else { return None };
        let &[list, shape] = &self.made_by(pairs, "Reshape")?.inputs[..] else { return None };
        let &[given, zeros] = &self.made_by(list, "Concat")?.inputs[..] else { return None };
        let (given, count) = (self.integers(given)?, self.integers(first(zeros, "ConstantOfShape")?)?);
        let rank = self.axes + 2;
        let known = self.integers(step)? == [-1] && self.integers(shape)? == [-1, 2];
        if !known || given.len() % 2 != 0 || count != [(2 * rank).checked_sub(given.len())? as i64] {
            return None;
        }
        let of = |end: usize| (0..rank).map(move |axis| 2 * (rank - 1 - axis) + end);
        let ints = of(0).chain(of(1)).map(|i| given.get(i).copied().unwrap_or(0)).collect();
        let mut attributes = node.attributes.clone();
        attributes.push(Attribute { name: "pads", ints, ..Attribute::default() });
        let value = node.inputs.get(2).copied().unwrap_or_default();
        Some(Found { op: "Pad", inputs: vec![x, "", value], attributes })
    }

    /// A Transpose that leaves all axes where they are, or puts them back where the one before it took them from.
    fn transposed(&self, node: &Node<'a>) -> Option<Found<'a>> {
        let (&x, outer) = (node.inputs.first()?, perm(node));
        let same = |source: &'a str| Some(Found { op: "Identity", inputs: vec![source], attributes: Vec::new() });
        if !outer.is_empty() && outer.iter().enumerate().all(|(i, axis)| *axis == i as i64) {
            return same(x);
        }
        let before = self.made_by(x, "Transpose")?;
        let inner = perm(before);
        let source_axis = |axis: &i64| usize::try_from(*axis).ok().and_then(|axis| inner.get(axis));
        let back = outer.iter().enumerate().all(|(i, axis)| source_axis(axis) == Some(&(i as i64)));
        // Without a list both turn the axes round.
        if back && inner.len() == outer.len() { same(before.inputs.first()?) } else { None }
    }

    /// The way to a matrix from a map of one pixel whose axes were moved: its values lie as before.
    fn pixel(&self, node: &Node<'a>) -> Option<Found<'a>> {
        let (&x, rest) = node.inputs.split_first()?;
        let moved = self.made_by(x, "Transpose")?;
        let &map = moved.inputs.first()?;
        let one_pixel = ["GlobalAveragePool", "GlobalMaxPool"].into_iter().any(|op| self.made_by(map, op).is_some());
        let op = if node.op == "Flatten" { "Flatten" } else { "Reshape" };
        (one_pixel && perm(moved).first() == Some(&0)).then(|| Found {
            op,
            inputs: [map].into_iter().chain(rest.iter().copied()).collect(),
            attributes: node.attributes.clone(),
        })
    }

    /// A GRU or LSTM between what makes `[steps, n, features]` of a map and a map of its result. The attribute `last` says which of its results is used;
    /// everything else is the converter's to judge.
    fn recurrent(&self, node: &Node<'a>) -> Option<Found<'a>> {
        let [result, shape] = node.inputs[..] else { return None };
        let transposed = self.made_by(result, "Transpose")?;
        let source = *transposed.inputs.first()?;
        let (op, cell) = ["GRU", "LSTM"].into_iter().find_map(|op| self.made_by(source, op).map(|cell| (op, cell)))?;
        let last = cell.outputs.get(1) == Some(&source);
        let order: &[i64] = if last { &[1, 0, 2] } else { &[2, 1, 3, 0] };
        let (&sequence, rest) = cell.inputs.split_first()?;
        let back = self.made_by(sequence, "Transpose")?;
        let [x, axes] = self.made_by(back.inputs.first()?, "Squeeze")?.inputs[..] else { return None };
        let beside: Vec<i64> = (3..self.axes as i64 + 2).collect();
        let fits = perm(transposed) == order
            && perm(back) == [2, 0, 1]
            && self.integers(axes)? == beside
            && matches!(self.integers(shape)?[..], [0, _, steps, ref ones @ ..]
                if steps == if last { 1 } else { -1 } && ones.len() == beside.len() && ones.iter().all(|s| *s == 1));
        let last = Attribute { name: "last", int: Some(i64::from(last)), ..Attribute::default() };
        fits.then(|| Found {
            op,
            inputs: [x].into_iter().chain(rest.iter().copied()).collect(),
            attributes: cell.attributes.iter().cloned().chain([last]).collect(),
        })
    }
}

/// The permutation of a Transpose.
fn perm<'n>(node: &'n Node<'_>) -> &'n [i64] {
    node.attributes.iter().find(|a| a.name == "perm").map_or(&[], |a| &a.ints)
}
