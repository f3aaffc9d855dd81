//! Padding that differs between the two ends of an axis, in a convolution or in a Pad before it: our windows have the same on both, so a convolution gets
//! taps of zero weight, and a pool rounds its number of windows up, wherever that comes to the same.

use super::OnnxError;
use super::attributes::Attributes;
use super::convert::{Converter, Made, Value};
use super::model::Constant;
use crate::geometry::Geometry;

/// Zeros on either end of a spatial axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) before: usize,
    pub(super) after: usize,
}

/// How the windows of an axis lie: kernel, stride and dilation.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) dilation: usize,
}

impl Axis {
    /// Positions that a window spans.
    fn extent(self) -> usize {
        self.kernel.saturating_sub(1).saturating_mul(self.dilation).saturating_add(1)
    }

    /// The padding with which a window begins at every `stride`th position; its total depends on the length of the input unless the stride is 1.
    fn same(self, length: Option<usize>) -> Option<usize> {
        match length {
            _ if self.stride == 1 => Some(self.extent() - 1),
            Some(length) if self.stride > 0 => {
                let last = (length.div_ceil(self.stride).max(1) - 1) * self.stride;
                Some(last.saturating_add(self.extent()).saturating_sub(length))
            }
            _ => None,
        }
    }

    /// The same windows with as much padding on both ends: padding, and taps of zero weight before and after the others. A window at most doubles.
    pub(super) fn even(self, Ends { before, after }: Ends) -> Option<(usize, Ends)> {
        let taps = before.abs_diff(after) / self.dilation.max(1);
        if !before.abs_diff(after).is_multiple_of(self.dilation.max(1)) || (taps >= self.kernel && before != after) {
            return None;
        }
        // More padding than is wanted in front is skipped by taps in front, and likewise behind.
        let zeros = if after > before { Ends { before: taps, after: 0 } } else { Ends { before: 0, after: taps } };
        Some((before.max(after), zeros))
    }

    /// As [`Axis::even`], of the transposed convolution, with the further positions at its end.
    pub(super) fn even_transposed(self, Ends { before, after }: Ends, further: usize) -> Option<(usize, usize, Ends)> {
        let (dilation, stride) = (self.dilation.max(1), self.stride);
        let further = further.saturating_add(before);
        let (padding, further, zeros) = if further < after {
            let taps = (after - further).div_ceil(dilation);
            let skipped = taps.saturating_mul(dilation);
            (before.saturating_add(skipped), further.saturating_add(skipped) - after, Ends { before: taps, after: 0 })
        } else {
            let taps = (further - after + 1).saturating_sub(stride).div_ceil(dilation);
            let left = (further - after).checked_sub(taps.saturating_mul(dilation))?;
            (before, left, Ends { before: 0, after: taps })
        };
        let taps = zeros.before + zeros.after;
        (further < stride && (taps == 0 || taps < self.kernel)).then_some((padding, further, zeros))
    }

    /// Whether a pool with the padding in front on both ends has as many windows: rounded down, and rounded up. Without a length, for every length.
    pub(super) fn pools(self, Ends { before, after }: Ends, length: Option<usize>) -> [bool; 2] {
        let Self { kernel, stride, .. } = self;
        let Some(length) = length else {
            let up = after > before && after - before + 1 == stride && before.saturating_add(stride) <= kernel;
            return [before == after, up];
        };
        let room = length.saturating_add(before).saturating_add(after).checked_sub(kernel);
        let wanted = room.filter(|_| stride > 0 && kernel > 0).map(|room| room / stride + 1);
        [false, true].map(|ceil| {
            let windows = Geometry { kernel: [1, 1, kernel], stride: [1, 1, stride], ceil, ..Geometry::POINT };
            let windows = Geometry { padding: [0, 0, before], ..windows };
            wanted.is_some() && windows.output([1, 1, length]).map(|[.., out]| out) == wanted
        })
    }
}

/// A weight `[.., k..]` with taps of zero weight around its `zeros.len()` last axes.
pub(super) fn widened(shape: &mut [usize], data: &mut Vec<f32>, zeros: &[Ends]) {
    let first = shape.len() - zeros.len();
    for (axis, Ends { before, after }) in (first..).zip(zeros) {
        let inner: usize = shape[axis + 1..].iter().product();
        let run = shape[axis] * inner;
        if before + after == 0 || run == 0 {
            continue;
        }
        let zero = |taps: usize| std::iter::repeat_n(0.0, taps * inner);
        let padded = data.chunks_exact(run).flat_map(|c| zero(*before).chain(c.iter().copied()).chain(zero(*after)));
        *data = padded.collect();
        shape[axis] += before + after;
    }
}

impl Converter<'_> {
    /// Zeros around the spatial axes, kept for the convolution or pool that reads them.
    pub(super) fn pad(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["mode", "pads", "value"])?;
        let node = attributes.0;
        if !matches!(attributes.text("mode"), "" | "constant") {
            return Err(attributes.refuse("mode", attributes.text("mode").to_owned(), "constant"));
        }
        let by_input = |i: usize| node.inputs.get(i).is_some_and(|v| !v.is_empty());
        let value = if by_input(2) {
            self.constant_at(node, 2).and_then(Constant::scalar)
        } else {
            Some(attributes.float("value", 0.0))
        };
        if value != Some(0.0) {
            let got = value.map_or("computed".to_owned(), |v| v.to_string());
            return Err(attributes.refuse("value", got, "0"));
        }
        let given = if by_input(1) { self.integers_at(node, 1) } else { Some(attributes.ints("pads").to_vec()) };
        let Some(given) = given else {
            return Err(attributes.refuse("pads", "computed".to_owned(), "constants"));
        };
        let rank = self.axes + 2;
        let axes = if by_input(3) { self.integers_at(node, 3) } else { Some((0..rank as i64).collect()) };
        let ends = axes.and_then(|axes| self.ends(&axes, &given));
        let supported = "numbers of at least 0 around the spatial axes";
        let ends = ends.ok_or_else(|| attributes.refuse("pads", format!("{given:?}"), supported))?;
        let (layer, own) = self.padded(node)?;
        let ends: Vec<Ends> = own.iter().zip(&ends).map(|(a, b)| a.and(*b)).collect();
        Ok(if ends.iter().all(|e| *e == Ends::default()) {
            Made::Same
        } else {
            Made::Known(Value::Padded { layer, ends })
        })
    }

    /// Pads as ONNX lists them, all that come first and then all behind, for these axes.
    fn ends(&self, axes: &[i64], pads: &[i64]) -> Option<Vec<Ends>> {
        let rank = self.axes + 2;
        if pads.len() != 2 * axes.len() {
            return None;
        }
        let mut ends = vec![Ends::default(); rank];
        for (i, axis) in axes.iter().enumerate() {
            let axis = if *axis < 0 { axis.checked_add(rank as i64)? } else { *axis };
            let end = ends.get_mut(usize::try_from(axis).ok()?)?;
            let number = |v: i64| u16::try_from(v).ok().map(usize::from);
            *end = Ends { before: number(pads[i])?, after: number(pads[axes.len() + i])? };
        }
        let spatial = ends.split_off(2);
        ends.iter().all(|e| *e == Ends::default()).then_some(spatial)
    }

    /// The padding of a window's own attributes and of a Pad before it.
    pub(super) fn window_ends(&self, attributes: &Attributes<'_>, windows: &[Axis]) -> Result<Vec<Ends>, OnnxError> {
        let (layer, outer) = self.padded(attributes.0)?;
        let length = |a: usize| {
            let size = self.sizes.as_ref()?[layer][3 - self.axes + a];
            Some(size + outer[a].before + outer[a].after)
        };
        let own = self.own_ends(attributes, windows, |window, a| window.same(length(a)))?;
        Ok(own.iter().zip(&outer).map(|(a, b)| a.and(*b)).collect())
    }

    /// The padding of a window's own attributes; `same` gives the total for SAME.
    pub(super) fn own_ends(
        &self,
        attributes: &Attributes<'_>,
        windows: &[Axis],
        same: impl Fn(Axis, usize) -> Option<usize>,
    ) -> Result<Vec<Ends>, OnnxError> {
        let pads = attributes.ints("pads");
        match attributes.text("auto_pad") {
            "" | "NOTSET" if !pads.is_empty() => {
                let axes: Vec<i64> = (2..self.axes as i64 + 2).collect();
                let supported = "two numbers per spatial axis, none below 0";
                self.ends(&axes, pads).ok_or_else(|| attributes.refuse("pads", format!("{pads:?}"), supported))
            }
            "" | "NOTSET" | "VALID" => Ok(vec![Ends::default(); self.axes]),
            rule @ ("SAME_UPPER" | "SAME_LOWER") => {
                let supported = "SAME at stride 1, or where the model fixes the size of its input";
                let refuse = || attributes.refuse("auto_pad", rule.to_owned(), supported);
                let totals = windows.iter().enumerate().map(|(a, window)| same(*window, a));
                let totals = totals.collect::<Option<Vec<_>>>().ok_or_else(refuse)?;
                let ends = |total: usize| {
                    let (less, more) = (total / 2, total - total / 2);
                    let [before, after] = if rule == "SAME_UPPER" { [less, more] } else { [more, less] };
                    Ends { before, after }
                };
                Ok(totals.into_iter().map(ends).collect())
            }
            other => Err(attributes.refuse("auto_pad", other.to_owned(), "NOTSET, VALID and SAME")),
        }
    }
}

impl Ends {
    fn and(self, other: Self) -> Self {
        Self { before: self.before + other.before, after: self.after + other.after }
    }
}
