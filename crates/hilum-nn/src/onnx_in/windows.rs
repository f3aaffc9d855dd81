//! Convolutions and pools.

use super::OnnxError;
use super::attributes::Attributes;
use super::convert::{Converter, Made};
use crate::network::Op;
use crate::op::{Convolution, Pooling};

impl Converter<'_> {
    /// One number per spatial axis; `default` where the list is not given.
    fn sides(&self, attributes: &Attributes<'_>, name: &str, default: usize) -> Result<Vec<usize>, OnnxError> {
        let given = attributes.ints(name);
        if given.is_empty() {
            return Ok(vec![default; self.axes]);
        }
        let sides: Option<Vec<usize>> = given.iter().map(|v| usize::try_from(*v).ok()).collect();
        let refuse = || attributes.refuse(name, format!("{given:?}"), "one number per spatial axis, none below 0");
        sides.filter(|s| s.len() == self.axes).ok_or_else(refuse)
    }

    /// Padding of both ends.
    fn padding(&self, attributes: &Attributes<'_>, windows: &Convolution) -> Result<Vec<usize>, OnnxError> {
        let pads = attributes.ints("pads");
        match attributes.text("auto_pad") {
            "" | "NOTSET" if !pads.is_empty() => {
                let (before, after) = pads.split_at(pads.len() / 2);
                let padding: Option<Vec<usize>> = before.iter().map(|v| usize::try_from(*v).ok()).collect();
                let refuse = || attributes.refuse("pads", format!("{pads:?}"), "the same on both ends of every axis");
                padding.filter(|p| p.len() == self.axes && before == after).ok_or_else(refuse)
            }
            "" | "NOTSET" | "VALID" => Ok(vec![0; self.axes]),
            same @ ("SAME_UPPER" | "SAME_LOWER") => {
                let sides = windows.kernel.iter().zip(&windows.dilation);
                let total: Vec<usize> = sides.map(|(k, d)| k.saturating_sub(1).saturating_mul(*d)).collect();
                if windows.stride.iter().any(|s| *s != 1) || total.iter().any(|t| t % 2 == 1) {
                    let supported = "SAME at stride 1 and for odd windows only";
                    return Err(attributes.refuse("auto_pad", same.to_owned(), supported));
                }
                Ok(total.iter().map(|t| t / 2).collect())
            }
            other => Err(attributes.refuse("auto_pad", other.to_owned(), "NOTSET, VALID and SAME")),
        }
    }

    /// The windows of a convolution whose weight has these extents behind the channels.
    fn convolution(&self, attributes: &Attributes<'_>, shape: &[usize]) -> Result<Convolution, OnnxError> {
        if shape.len() != self.axes + 2 {
            let supported = "one extent for either channels and one per spatial axis";
            return Err(attributes.refuse("weight", format!("of shape {shape:?}"), supported));
        }
        let kernel = &shape[2..];
        if self.sides(attributes, "kernel_shape", 0)?.iter().zip(kernel).any(|(given, k)| *given != 0 && given != k) {
            let got = format!("{:?}", attributes.ints("kernel_shape"));
            return Err(attributes.refuse("kernel_shape", got, "that of the weight"));
        }
        let group = attributes.int("group", 1);
        let refuse = |_| attributes.refuse("group", group.to_string(), "1 and more");
        let groups = usize::try_from(group).map_err(refuse)?;
        let stride = self.sides(attributes, "strides", 1)?;
        let dilation = self.sides(attributes, "dilations", 1)?;
        let windows = Convolution::new(0, kernel).stride(&stride).dilation(&dilation).groups(groups);
        let padding = self.padding(attributes, &windows)?;
        Ok(windows.padding(&padding))
    }

    pub(super) fn conv(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["kernel_shape", "strides", "pads", "dilations", "group", "auto_pad"])?;
        let parameters = self.weight_and_bias(attributes.0)?;
        let shape = &parameters[0].1;
        let conv = self.convolution(attributes, shape)?;
        let (out_channels, bias) = (shape[0], parameters.len() == 2);
        let conv = Convolution { out_channels, bias, ..conv };
        let short = |k: usize| Convolution { bias, ..Convolution::new(out_channels, &[k, k]).same() };
        let kernel = [1, 3].into_iter().find(|&k| conv == short(k));
        let op = kernel.map_or(Op::Conv(conv), |kernel| Op::Conv2d { out_channels, kernel, bias });
        Ok(Made::with(op, parameters))
    }

    pub(super) fn conv_transpose(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["kernel_shape", "strides", "pads", "dilations", "group", "auto_pad", "output_padding"])?;
        attributes.expect_int("group", 1, 1, "1")?;
        if !matches!(attributes.text("auto_pad"), "" | "NOTSET" | "VALID") {
            return Err(attributes.refuse("auto_pad", attributes.text("auto_pad").to_owned(), "NOTSET and VALID"));
        }
        let parameters = self.weight_and_bias(attributes.0)?;
        let shape = &parameters[0].1;
        let conv = self.convolution(attributes, shape)?;
        let output_padding = self.sides(attributes, "output_padding", 0)?;
        let (out_channels, bias) = (shape[1], parameters.len() == 2);
        let conv = Convolution { out_channels, bias, ..conv };
        let short = Convolution { bias, ..Convolution::new(out_channels, &[2, 2]).stride(&[2, 2]) };
        let op = if conv == short && output_padding == [0, 0] {
            Op::ConvTranspose2d { out_channels, bias }
        } else {
            Op::ConvTranspose { conv, output_padding }
        };
        Ok(Made::with(op, parameters))
    }

    fn pooling(&self, attributes: &Attributes<'_>) -> Result<Pooling, OnnxError> {
        if attributes.ints("kernel_shape").is_empty() {
            return Err(attributes.refuse("kernel_shape", "not given".to_owned(), "one number per spatial axis"));
        }
        attributes.expect_all("dilations", 1, "1 on every axis")?;
        let kernel = self.sides(attributes, "kernel_shape", 1)?;
        let stride = self.sides(attributes, "strides", 1)?;
        let padding = self.padding(attributes, &Convolution::new(0, &kernel).stride(&stride))?;
        Ok(Pooling { ceil: attributes.int("ceil_mode", 0) != 0, ..Pooling::new(&kernel, &stride).padding(&padding) })
    }

    /// Windows of 2x2 about whose padding and rounding the file says nothing are [`Op::MaxPool2d`], as our emitter writes it.
    pub(super) fn max_pool(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        let short = ["kernel_shape", "strides"];
        let known = [&short[..], &["pads", "dilations", "auto_pad", "ceil_mode", "storage_order"]].concat();
        attributes.only(&known)?;
        let pooling = self.pooling(attributes)?;
        let op = if attributes.only(&short).is_ok() && pooling == Pooling::new(&[2, 2], &[2, 2]) {
            Op::MaxPool2d
        } else {
            Op::MaxPool(pooling)
        };
        Ok(Made::plain(op))
    }

    pub(super) fn average_pool(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        let known = ["kernel_shape", "strides", "pads", "dilations", "auto_pad", "ceil_mode", "count_include_pad"];
        attributes.only(&known)?;
        let count_padding = attributes.int("count_include_pad", 0) != 0;
        Ok(Made::plain(Op::AvgPool { pooling: self.pooling(attributes)?, count_padding }))
    }
}
