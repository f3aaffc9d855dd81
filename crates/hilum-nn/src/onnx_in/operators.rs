//! Normalisation, linear layers, reshaping, enlargement and scaling.

use super::OnnxError;
use super::attributes::Attributes;
use super::convert::{Converter, Made, Parameter};
use super::model::Constant;
use crate::network::Op;
use crate::op::NORM_EPS;

impl Converter<'_> {
    /// The node's constant inputs from the second on under these names.
    fn parameters(&self, attributes: &Attributes<'_>, kinds: &[&'static str]) -> Result<Vec<Parameter>, OnnxError> {
        let parameter = |(i, &kind)| {
            let (shape, data) = self.constant(attributes.0, i + 1, kind)?;
            Ok((kind, shape, data))
        };
        kinds.iter().enumerate().map(parameter).collect()
    }

    pub(super) fn batch_norm(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["epsilon", "momentum", "spatial", "training_mode"])?;
        attributes.expect_int("spatial", 1, 1, "1")?;
        attributes.expect_int("training_mode", 0, 0, "0")?;
        let parameters = self.parameters(attributes, &["weight", "bias", "running_mean", "running_var"])?;
        let eps = attributes.float("epsilon", NORM_EPS);
        let op = if eps.to_bits() == NORM_EPS.to_bits() { Op::BatchNorm2d } else { Op::BatchNorm { eps } };
        Ok(Made::with(op, parameters))
    }

    pub(super) fn instance_norm(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["epsilon"])?;
        let parameters = self.parameters(attributes, &["weight", "bias"])?;
        Ok(Made::with(Op::InstanceNorm { eps: attributes.float("epsilon", 1e-5) }, parameters))
    }

    /// As of operator set 21: weight and bias per channel. Before, they were per group, and are refused by their shape.
    pub(super) fn group_norm(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["epsilon", "num_groups", "stash_type"])?;
        let groups = attributes.int("num_groups", 0);
        let refuse = |_| attributes.refuse("num_groups", groups.to_string(), "1 and more");
        let groups = usize::try_from(groups).map_err(refuse)?;
        let mut parameters = self.parameters(attributes, &["weight", "bias"])?;
        for (_, shape, _) in &mut parameters {
            // [c, 1, 1] where the node was spelt out.
            while shape.len() > 1 && shape.last() == Some(&1) {
                shape.pop();
            }
        }
        Ok(Made::with(Op::GroupNorm { groups, eps: attributes.float("epsilon", 1e-5) }, parameters))
    }

    pub(super) fn gemm(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["alpha", "beta", "transA", "transB"])?;
        for name in ["alpha", "beta"] {
            let factor = attributes.float(name, 1.0);
            if factor.to_bits() != 1.0_f32.to_bits() {
                return Err(attributes.refuse(name, factor.to_string(), "1"));
            }
        }
        attributes.expect_int("transA", 0, 0, "0")?;
        let mut parameters = self.weight_and_bias(attributes.0)?;
        let (_, shape, data) = &mut parameters[0];
        let &mut [rows, columns] = shape.as_mut_slice() else {
            return Err(attributes.refuse("weight", format!("of shape {shape:?}"), "a matrix"));
        };
        if attributes.int("transB", 0) == 0 {
            *data = (0..columns).flat_map(|c| data.iter().skip(c).step_by(columns).copied()).collect();
            *shape = vec![columns, rows];
        }
        let out_features = shape[0];
        let bias = parameters.len() == 2;
        if let Some((_, shape, _)) = parameters.get_mut(1)
            && *shape == [1, out_features]
        {
            shape.remove(0);
        }
        Ok(Made::with(Op::Linear { out_features, bias }, parameters))
    }

    /// Refuses an axis other than that of the channels, which is 1.
    pub(super) fn channel_axis(&self, attributes: &Attributes<'_>, default: i64) -> Result<(), OnnxError> {
        let axis = attributes.int("axis", default);
        if axis == 1 || axis == 1 - self.rank(attributes.0)? as i64 {
            Ok(())
        } else {
            Err(attributes.refuse("axis", axis.to_string(), "1, the channels"))
        }
    }

    pub(super) fn softmax(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["axis"])?;
        let by_axis = self.opset >= 13;
        self.channel_axis(attributes, if by_axis { -1 } else { 1 })?;
        if !by_axis && self.rank(attributes.0)? != 2 {
            // Before operator set 13 the axes from this one on were one.
            return Err(attributes.refuse("axis", "over maps".to_owned(), "operator set 13 and later"));
        }
        Ok(Made::plain(Op::Softmax))
    }

    /// Positions per axis, 1 or 0 for the input's, of a reduction over spatial axes.
    fn reduced(&self, attributes: &Attributes<'_>) -> Result<Vec<usize>, OnnxError> {
        attributes.only(&["axes", "keepdims", "noop_with_empty_axes"])?;
        let rank = self.rank(attributes.0)? as i64;
        let listed = self.constant_at(attributes.0, 1).and_then(Constant::integers);
        let given = listed.unwrap_or_else(|| attributes.ints("axes").to_vec());
        let axes: Vec<i64> = given.iter().map(|a| if *a < 0 { a.saturating_add(rank) } else { *a }).collect();
        if rank == 2 || axes.is_empty() || axes.iter().any(|a| !(2..rank).contains(a)) {
            return Err(attributes.refuse("axes", format!("{given:?}"), "spatial axes of a map"));
        }
        Ok((2..rank).map(|a| usize::from(axes.contains(&a))).collect())
    }

    pub(super) fn reduce_mean(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        let size = self.reduced(attributes)?;
        let whole = size.iter().all(|s| *s == 1);
        match attributes.int("keepdims", 1) {
            0 if whole => Ok(Made::FlatMean),
            0 => Err(attributes.refuse("keepdims", "0".to_owned(), "0 over all spatial axes of a map")),
            _ if whole => Ok(Made::plain(Op::GlobalAvgPool)),
            _ => Ok(Made::plain(Op::AdaptiveAvgPool { size })),
        }
    }

    pub(super) fn reduce_max(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.expect_int("keepdims", 1, 1, "1")?;
        Ok(Made::plain(Op::AdaptiveMaxPool { size: self.reduced(attributes)? }))
    }

    /// A matrix of a map: `[n, -1]`, or a 0 for n, the batch.
    pub(super) fn reshape(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["allowzero"])?;
        attributes.expect_int("allowzero", 0, 0, "0")?;
        match self.constant_at(attributes.0, 1).and_then(Constant::integers).as_deref() {
            Some([_, -1]) => Ok(Made::plain(Op::Flatten)),
            Some(other) => Err(attributes.refuse("shape", format!("{other:?}"), "[n, -1]")),
            None => Err(attributes.refuse("shape", "no list of constants".to_owned(), "[n, -1]")),
        }
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
        ])?;
        attributes.expect_int("exclude_outside", 0, 0, "0")?;
        attributes.expect_int("antialias", 0, 0, "0")?;
        let or = |name, default| if attributes.text(name).is_empty() { default } else { attributes.text(name) };
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
        if attributes.0.inputs.get(3).is_some_and(|s| !s.is_empty()) {
            return Err(attributes.refuse("sizes", "given".to_owned(), "scales"));
        }
        let (_, scales) = self.constant(attributes.0, if old { 1 } else { 2 }, "scales")?;
        let whole = |s: &f32| (1.0..=256.0).contains(s) && s.fract() == 0.0;
        let batch_and_channels = scales.iter().take(2).all(|s| *s <= 1.0);
        if scales.len() != self.axes + 2 || !scales.iter().all(whole) || !batch_and_channels {
            return Err(attributes.refuse(
                "scales",
                format!("{scales:?}"),
                "[1, 1] and a whole factor per spatial axis",
            ));
        }
        Ok(Made::plain(Op::Upsample { factors: scales[2..].iter().map(|s| *s as usize).collect(), linear }))
    }

    /// A product with one number.
    pub(super) fn scale(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        let node = attributes.0;
        let Some(at) = (0..2).find(|i| self.constant_at(node, *i).is_some()) else {
            return Err(OnnxError::NotConstant { node: node.shown(), op: node.op.to_owned(), what: "factor" });
        };
        let Some(factor) = self.constant_at(node, at).and_then(Constant::scalar) else {
            return Err(attributes.refuse("factor", format!("the constant {}", node.inputs[at]), "one number"));
        };
        Ok(Made::Layer { op: Op::Scale { factor }, inputs: vec![1 - at], parameters: Vec::new() })
    }
}
