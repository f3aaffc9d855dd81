//! Shapes that a model computes from the shapes of its values: lists of extents, followed as far as exporters write them.

use super::OnnxError;
use super::attributes::Attributes;
use super::convert::{Converter, Made, Value};
use super::model::{Constant, Node};
use crate::graph::Resolution;

/// Longest list that is followed; values have at most five axes.
const LONGEST: usize = 16;

/// One entry of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Known(i64),
    /// That of the batch.
    Batch,
    /// `times` the extent of this layer's map on this spatial axis.
    Side {
        layer: usize,
        axis: usize,
        times: i64,
    },
}

/// A list of extents, or a single one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extents {
    pub(super) list: Vec<Extent>,
    scalar: bool,
}

impl Converter<'_> {
    /// The extents behind an input of a node, computed or constant.
    pub(super) fn extents_at(&self, node: &Node<'_>, index: usize) -> Option<Extents> {
        if let Some(constant) = self.constant_at(node, index) {
            let list = constant.integers()?.into_iter().map(Extent::Known).collect();
            return Some(Extents { list, scalar: constant.dims.is_empty() });
        }
        match self.value_at(node, index)? {
            Value::Extents(extents) => Some(extents.clone()),
            _ => None,
        }
    }

    /// The known whole numbers behind an input of a node.
    pub(super) fn integers_at(&self, node: &Node<'_>, index: usize) -> Option<Vec<i64>> {
        let known = |e: Extent| if let Extent::Known(v) = e { Some(v) } else { None };
        self.extents_at(node, index)?.list.into_iter().map(known).collect()
    }

    /// A node that computes extents; `None` for all others.
    pub(super) fn computed(&self, attributes: &Attributes<'_>) -> Result<Option<Made>, OnnxError> {
        let node = attributes.0;
        if node.op == "Shape" {
            return self.shape(attributes).map(|e| Some(Made::Known(Value::Extents(e))));
        }
        // A constant under another name stays one.
        let renamed = node.op == "Identity" && self.constant_at(node, 0).is_some();
        let Some(first) = self.extents_at(node, 0).filter(|_| !renamed) else { return Ok(None) };
        let refuse = || attributes.refuse("the computed shape", "of another form".to_owned(), "a part of shapes");
        let extents = match node.op {
            "Identity" | "Cast" => Some(first),
            "Squeeze" | "Unsqueeze" if first.list.len() == 1 => Some(Extents { scalar: node.op == "Squeeze", ..first }),
            "Concat" => {
                let parts = (0..node.inputs.len()).map(|i| self.extents_at(node, i).map(|e| e.list));
                let list = parts.collect::<Option<Vec<_>>>().map(|parts| parts.concat());
                list.filter(|l| l.len() <= LONGEST).map(|list| Extents { list, scalar: false })
            }
            "Gather" => self.gather(node, &first),
            "Slice" => self.slice(attributes, &first),
            "Mul" => self.extents_at(node, 1).and_then(|second| product(&first, &second)),
            _ => return Ok(None),
        };
        extents.map(|e| Some(Made::Known(Value::Extents(e)))).ok_or_else(refuse)
    }

    fn shape(&self, attributes: &Attributes<'_>) -> Result<Extents, OnnxError> {
        attributes.only(&["start", "end"])?;
        let (layer, axes) = self.layer_and_axes(attributes.0, 0)?;
        let value = &self.graph.values()[layer];
        let side = |axis: usize| match (value.resolution, &self.sizes) {
            (Resolution::Matrix, _) => Extent::Known(1),
            (Resolution::Fixed(size), _) => Extent::Known(size[axis] as i64),
            (_, Some(sizes)) => Extent::Known(sizes[layer][axis] as i64),
            _ => Extent::Side { layer, axis, times: 1 },
        };
        let sides = (3 - self.axes..3).map(side);
        let all = [Extent::Batch, Extent::Known(value.channels as i64)].into_iter().chain(sides);
        let list: Vec<Extent> = all.take(axes).collect();
        let [start, end] = [("start", 0), ("end", axes as i64)].map(|(name, default)| {
            let at = attributes.int(name, default);
            (if at < 0 { at.saturating_add(axes as i64) } else { at }).clamp(0, axes as i64) as usize
        });
        Ok(Extents { list: list.get(start..end).unwrap_or_default().to_vec(), scalar: false })
    }

    fn gather(&self, node: &Node<'_>, from: &Extents) -> Option<Extents> {
        let indices = self.constant_at(node, 1)?;
        let count = from.list.len() as i64;
        let pick =
            |i: i64| from.list.get(usize::try_from(if i < 0 { i.checked_add(count)? } else { i }).ok()?).copied();
        let list = indices.integers()?.into_iter().map(pick).collect::<Option<Vec<_>>>()?;
        Some(Extents { list, scalar: indices.dims.is_empty() })
    }

    /// Bounds are inputs, or attributes before operator set 10.
    fn slice(&self, attributes: &Attributes<'_>, from: &Extents) -> Option<Extents> {
        let node = attributes.0;
        let bound = |name: &str, input: usize| match attributes.ints(name) {
            [v] => Some(*v),
            _ => self.constant_at(node, input).and_then(Constant::integers).filter(|v| v.len() == 1).map(|v| v[0]),
        };
        let count = from.list.len() as i64;
        let place = |v: i64| (if v < 0 { v.saturating_add(count) } else { v }).clamp(0, count) as usize;
        let (start, end) = (place(bound("starts", 1)?), place(bound("ends", 2)?));
        let step = if node.inputs.get(4).is_some_and(|s| !s.is_empty()) { bound("steps", 4)? } else { 1 };
        let list = from.list.get(start..end.max(start))?.to_vec();
        (step == 1).then_some(Extents { list, scalar: false })
    }
}

fn product(a: &Extents, b: &Extents) -> Option<Extents> {
    let times = |a: Extent, b: Extent| match (a, b) {
        (Extent::Known(a), Extent::Known(b)) => a.checked_mul(b).map(Extent::Known),
        (Extent::Side { layer, axis, times }, Extent::Known(by))
        | (Extent::Known(by), Extent::Side { layer, axis, times }) => {
            times.checked_mul(by).map(|times| Extent::Side { layer, axis, times })
        }
        _ => None,
    };
    let longest = a.list.len().max(b.list.len());
    if [a, b].iter().any(|e| e.list.len() != longest && e.list.len() != 1) {
        return None;
    }
    let at = |e: &Extents, i: usize| e.list[if e.list.len() == 1 { 0 } else { i }];
    let list = (0..longest).map(|i| times(at(a, i), at(b, i))).collect::<Option<Vec<_>>>()?;
    Some(Extents { list, scalar: a.scalar && b.scalar })
}
