//! Other forms of one pixel's channels, which move no number, matrices of maps, and enlargement.

use super::OnnxError;
use super::attributes::Attributes;
use super::convert::{Converter, Made};
use super::extents::Extent;
use super::model::Constant;
use crate::graph::Resolution;
use crate::network::Op;

/// What may be given another form.
const PIXEL: &str = "one pixel, as after global pooling, or for a matrix a map of a size that the model fixes";

impl Converter<'_> {
    /// The node's first input with this many axes.
    fn shown(&self, attributes: &Attributes<'_>, axes: usize) -> Result<Made, OnnxError> {
        let (layer, _) = self.layer_and_axes(attributes.0, 0)?;
        match self.graph.values()[layer].resolution {
            Resolution::Fixed([1, 1, 1]) => Ok(Made::Shown(axes)),
            Resolution::Fixed(_) if axes == 2 => Ok(Made::plain(Op::Flatten)),
            Resolution::Matrix if axes != self.axes + 2 => Ok(Made::Shown(axes)),
            Resolution::Matrix => {
                let got = "a matrix made by a linear layer".to_owned();
                Err(attributes.refuse("an input", got, "a pixel that has been a map"))
            }
            _ => Err(attributes.refuse("an input", "a map of more or unknown pixels".to_owned(), PIXEL)),
        }
    }

    pub(super) fn flatten(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["axis"])?;
        self.channel_axis(attributes, 1)?;
        self.shown(attributes, 2)
    }

    /// The axes that a Squeeze or Unsqueeze names, those of a value of `rank` axes: an input, or an attribute before operator set 13.
    fn named_axes(&self, attributes: &Attributes<'_>, rank: usize) -> Result<Vec<i64>, OnnxError> {
        attributes.only(&["axes"])?;
        let listed = self.constant_at(attributes.0, 1).and_then(Constant::integers);
        let given = listed.unwrap_or_else(|| attributes.ints("axes").to_vec());
        let mut axes: Vec<i64> =
            given.iter().map(|a| if *a < 0 { a.saturating_add(rank as i64) } else { *a }).collect();
        axes.sort_unstable();
        axes.dedup();
        let spatial = axes.iter().all(|a| (2..rank as i64).contains(a));
        // The one score of a classifier may lose its axis.
        let (layer, shown) = self.layer_and_axes(attributes.0, 0)?;
        let score = axes == [1] && shown == 2 && rank == 2 && self.graph.values()[layer].channels == 1;
        if axes.is_empty() || axes.len() != given.len() || !(spatial || score) {
            return Err(attributes.refuse("axes", format!("{given:?}"), "spatial axes, listed"));
        }
        Ok(axes)
    }

    pub(super) fn squeeze(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        let rank = self.rank(attributes.0)?;
        let axes = self.named_axes(attributes, rank)?;
        self.shown(attributes, rank - axes.len())
    }

    pub(super) fn unsqueeze(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        let rank = self.rank(attributes.0)?;
        let by_input = || Some(self.constant_at(attributes.0, 1)?.integers()?.len());
        let more = by_input().unwrap_or_else(|| attributes.ints("axes").len());
        if rank < 2 || rank + more > self.axes + 2 {
            let got = format!("{more} more than {rank}");
            return Err(attributes.refuse("axes", got, "as many as a map has"));
        }
        self.named_axes(attributes, rank + more)?;
        self.shown(attributes, rank + more)
    }

    /// `[n, -1]`, `[n, c]` or either with ones behind, `n` being the batch however it is written.
    pub(super) fn reshape(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["allowzero"])?;
        let (layer, _) = self.layer_and_axes(attributes.0, 0)?;
        let supported = "[n, c, 1...] of the batch and all channels, constant or computed from shapes";
        let Some(extents) = self.extents_at(attributes.0, 1) else {
            return Err(attributes.refuse("shape", "computed otherwise".to_owned(), supported));
        };
        let list = extents.list;
        let refuse = |got| Err(attributes.refuse("shape", got, supported));
        if attributes.int("allowzero", 0) != 0 && list.contains(&Extent::Known(0)) {
            return refuse("empty".to_owned());
        }
        let value = &self.graph.values()[layer];
        let pixels = if let Resolution::Fixed(size) = value.resolution { size } else { [1; 3] };
        let channels = pixels.iter().fold(value.channels, |c, side| c.saturating_mul(*side)) as i64;
        let rest = |v: &Extent| *v == Extent::Known(-1);
        let batch = |v: &Extent| match *v {
            Extent::Batch | Extent::Known(0 | -1) => true,
            Extent::Known(v) => self.batch == Some(v),
            Extent::Side { .. } => false,
        };
        let one = |v: &Extent| matches!(v, Extent::Known(-1..=1));
        let fits = match &list[..] {
            [n] => channels == 1 && batch(n),
            [n, c, ones @ ..] => {
                let all = rest(c) || *c == Extent::Known(channels) || (*c == Extent::Known(0) && pixels == [1; 3]);
                batch(n) && all && ones.iter().all(one) && ones.len() <= self.axes
            }
            [] => false,
        };
        if !fits || list.iter().filter(|v| rest(v)).count() > 1 {
            return refuse(format!("{list:?}"));
        }
        self.shown(attributes, list.len())
    }

    /// Enlargement by whole factors. For these the nearest position is the same by two of the many rules.
    pub(super) fn resize(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&[
            "mode",
            "coordinate_transformation_mode",
            "nearest_mode",
            "cubic_coeff_a",
            "exclude_outside",
            "extrapolation_value",
            "antialias",
            "axes",
            "keep_aspect_ratio_policy",
        ])?;
        attributes.expect_int("exclude_outside", 0, 0, "0")?;
        attributes.expect_int("antialias", 0, 0, "0")?;
        let or = |name, default| if attributes.text(name).is_empty() { default } else { attributes.text(name) };
        if or("keep_aspect_ratio_policy", "stretch") != "stretch" {
            let got = attributes.text("keep_aspect_ratio_policy").to_owned();
            return Err(attributes.refuse("keep_aspect_ratio_policy", got, "stretch"));
        }
        // Until operator set 10 positions were multiplied, and the lower one taken.
        let old = self.opset < 11;
        let (centre, nearest) = if old { ("asymmetric", "floor") } else { ("half_pixel", "round_prefer_floor") };
        let centre = or("coordinate_transformation_mode", centre);
        let linear = match (or("mode", "nearest"), centre, or("nearest_mode", nearest)) {
            ("linear", "half_pixel" | "pytorch_half_pixel", _) => true,
            ("nearest", "asymmetric", "floor")
            | ("nearest", "half_pixel" | "pytorch_half_pixel", "round_prefer_floor" | "round_prefer_ceil") => false,
            ("nearest" | "linear", _, rule) => {
                let supported = "half_pixel, or asymmetric with the nearest position by floor";
                let got = format!("{centre} with {rule}");
                return Err(attributes.refuse("coordinate_transformation_mode", got, supported));
            }
            (other, ..) => return Err(attributes.refuse("mode", other.to_owned(), "nearest and linear")),
        };
        let by_size = !old && attributes.0.inputs.get(3).is_some_and(|s| !s.is_empty());
        let factors = if by_size { self.factors_of_sizes(attributes)? } else { self.factors(attributes, old)? };
        Ok(Made::plain(Op::Upsample { factors, linear }))
    }

    /// One entry per spatial axis of a list that has one per axis named by `axes`, all of them if it is not given. Entries of batch and channels come
    /// first where they are listed.
    fn per_axis<T: Clone>(&self, attributes: &Attributes<'_>, list: &[T]) -> Option<(Vec<T>, Vec<T>)> {
        let rank = self.axes as i64 + 2;
        let named: Vec<i64> =
            attributes.ints("axes").iter().map(|a| if *a < 0 { a.saturating_add(rank) } else { *a }).collect();
        let first = if named.is_empty() || named == (0..rank).collect::<Vec<_>>() {
            2
        } else if named == (2..rank).collect::<Vec<_>>() {
            0
        } else {
            return None;
        };
        let (outer, spatial) = list.split_at_checked(first)?;
        (spatial.len() == self.axes).then(|| (outer.to_vec(), spatial.to_vec()))
    }

    fn factors(&self, attributes: &Attributes<'_>, old: bool) -> Result<Vec<usize>, OnnxError> {
        let (_, scales) = self.constant(attributes.0, if old { 1 } else { 2 }, "scales")?;
        let whole = |s: &f32| (1.0..=256.0).contains(s) && s.fract() == 0.0;
        let fits = self.per_axis(attributes, &scales).filter(|(outer, spatial)| {
            outer.iter().all(|s| s.to_bits() == 1.0_f32.to_bits()) && spatial.iter().all(whole)
        });
        let supported = "[1, 1] and a whole factor per spatial axis";
        let (_, spatial) = fits.ok_or_else(|| attributes.refuse("scales", format!("{scales:?}"), supported))?;
        Ok(spatial.iter().map(|s| *s as usize).collect())
    }

    fn factors_of_sizes(&self, attributes: &Attributes<'_>) -> Result<Vec<usize>, OnnxError> {
        let (layer, _) = self.layer_and_axes(attributes.0, 0)?;
        let list = self.extents_at(attributes.0, 3).map(|e| e.list);
        let got = list.as_ref().map_or("computed otherwise".to_owned(), |list| format!("{list:?}"));
        let factors = list.and_then(|list| {
            let (outer, spatial) = self.per_axis(attributes, &list)?;
            let channels = Extent::Known(self.graph.values()[layer].channels as i64);
            let kept = match outer[..] {
                [n, c] => c == channels && (n == Extent::Batch || self.batch.map(Extent::Known) == Some(n)),
                _ => true,
            };
            let first = 3 - self.axes;
            let factor = |(a, wanted): (usize, &Extent)| self.factor(layer, first + a, *wanted);
            kept.then(|| spatial.iter().enumerate().map(factor).collect::<Option<Vec<_>>>())?
        });
        let supported =
            "whole multiples of a size that the model fixes, or of that of a map a whole number of halvings away";
        factors.ok_or_else(|| attributes.refuse("sizes", got, supported))
    }

    /// By which whole number an axis `[d, h, w]` of a layer's map is multiplied to get this extent.
    fn factor(&self, layer: usize, axis: usize, wanted: Extent) -> Option<usize> {
        let values = self.graph.values();
        match wanted {
            Extent::Known(wanted) => {
                let own = match (values[layer].resolution, &self.sizes) {
                    (Resolution::Fixed(size), _) => size[axis],
                    (_, Some(sizes)) => sizes[layer][axis],
                    _ => return None,
                };
                let wanted = usize::try_from(wanted).ok()?;
                (own > 0 && wanted > 0 && wanted.is_multiple_of(own)).then(|| wanted / own)
            }
            Extent::Side { layer: other, axis: of, times } if of == axis => {
                let times = usize::try_from(times).ok()?;
                let halvings = match (values[layer].resolution, values[other].resolution) {
                    _ if layer == other => 0,
                    (Resolution::Level(own), Resolution::Level(other)) => own - other,
                    _ => return None,
                };
                let power = 1_usize.checked_shl(halvings.unsigned_abs()).filter(|p| *p <= 1 << 16)?;
                if halvings >= 0 {
                    times.checked_mul(power)
                } else {
                    times.is_multiple_of(power).then(|| times / power).filter(|f| *f > 0)
                }
            }
            Extent::Side { .. } | Extent::Batch => None,
        }
    }
}
