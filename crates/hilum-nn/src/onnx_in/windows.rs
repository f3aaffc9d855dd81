//! Convolutions and pools.

use super::OnnxError;
use super::attributes::Attributes;
use super::convert::{Converter, Made, Parameter};
use super::padding::{Axis, Ends, widened};
use crate::network::Op;
use crate::op::{Convolution, Pooling};

/// What [`OnnxError::Attribute`] says of padding that no window of ours has.
const PADS: &str = "ends that differ by less than the window";

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

    /// The windows of a convolution whose weight has these extents behind the channels, without padding.
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
        let mut dilation = self.sides(attributes, "dilations", 1)?;
        // The dilation of a single tap means nothing, until it gets a neighbour.
        dilation.iter_mut().zip(kernel).filter(|(_, k)| **k == 1).for_each(|(d, _)| *d = 1);
        Ok(Convolution::new(0, kernel).stride(&stride).dilation(&dilation).groups(groups))
    }

    pub(super) fn conv(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["kernel_shape", "strides", "pads", "dilations", "group", "auto_pad"])?;
        let mut parameters = self.weight_and_bias(attributes.0)?;
        let conv = self.convolution(attributes, &parameters[0].1)?;
        let windows = axes(&conv.kernel, &conv.stride, &conv.dilation);
        let ends = self.window_ends(attributes, &windows)?;
        let even: Option<Vec<_>> = windows.iter().zip(&ends).map(|(w, e)| w.even(*e)).collect();
        let refuse = || attributes.refuse("pads", format!("{ends:?}"), PADS);
        let (padding, zeros): (Vec<_>, Vec<_>) = even.ok_or_else(refuse)?.into_iter().unzip();
        let conv = conv_with(conv, &mut parameters, 0, &zeros).padding(&padding);
        let (out_channels, bias) = (conv.out_channels, conv.bias);
        let short = |k: usize| Convolution { bias, ..Convolution::new(out_channels, &[k, k]).same() };
        let kernel = [1, 3].into_iter().find(|&k| conv == short(k));
        let op = kernel.map_or(Op::Conv(conv), |kernel| Op::Conv2d { out_channels, kernel, bias });
        Ok(Made::Window { op, parameters })
    }

    pub(super) fn conv_transpose(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        attributes.only(&["kernel_shape", "strides", "pads", "dilations", "group", "auto_pad", "output_padding"])?;
        attributes.expect_int("group", 1, 1, "1")?;
        let mut parameters = self.weight_and_bias(attributes.0)?;
        let conv = self.convolution(attributes, &parameters[0].1)?;
        let further = self.sides(attributes, "output_padding", 0)?;
        let windows = axes(&conv.kernel, &conv.stride, &conv.dilation);
        // SAME: the result has the size of the input times the stride.
        let same = |w: Axis, a: usize| {
            let last = w.kernel.saturating_sub(1).saturating_mul(w.dilation);
            last.saturating_add(1 + further[a]).checked_sub(w.stride)
        };
        let ends = self.own_ends(attributes, &windows, same)?;
        let each = windows.iter().zip(&ends).zip(&further).map(|((w, e), further)| w.even_transposed(*e, *further));
        let refuse = || attributes.refuse("pads", format!("{ends:?}"), PADS);
        let each = each.collect::<Option<Vec<_>>>().ok_or_else(refuse)?;
        let zeros: Vec<Ends> = each.iter().map(|(.., zeros)| *zeros).collect();
        let padding: Vec<usize> = each.iter().map(|(padding, ..)| *padding).collect();
        let output_padding: Vec<usize> = each.iter().map(|(_, further, _)| *further).collect();
        let conv = conv_with(conv, &mut parameters, 1, &zeros).padding(&padding);
        let (out_channels, bias) = (conv.out_channels, conv.bias);
        let short = Convolution { bias, ..Convolution::new(out_channels, &[2, 2]).stride(&[2, 2]) };
        let op = if conv == short && output_padding == [0, 0] {
            Op::ConvTranspose2d { out_channels, bias }
        } else {
            Op::ConvTranspose { conv, output_padding }
        };
        Ok(Made::with(op, parameters))
    }

    /// The windows of a pool with the padding of both ends.
    fn pooling(&self, attributes: &Attributes<'_>) -> Result<(Pooling, Vec<Ends>), OnnxError> {
        if attributes.ints("kernel_shape").is_empty() {
            return Err(attributes.refuse("kernel_shape", "not given".to_owned(), "one number per spatial axis"));
        }
        attributes.expect_all("dilations", 1, "1 on every axis")?;
        let kernel = self.sides(attributes, "kernel_shape", 1)?;
        let stride = self.sides(attributes, "strides", 1)?;
        let windows = axes(&kernel, &stride, &vec![1; self.axes]);
        let ends = self.window_ends(attributes, &windows)?;
        let mut ceil = attributes.int("ceil_mode", 0) != 0;
        if ends.iter().any(|e| e.before != e.after) {
            let (layer, _) = self.padded(attributes.0)?;
            let length = |a: usize| self.sizes.as_ref().map(|sizes| sizes[layer][3 - self.axes + a]);
            let fits = |(a, (window, ends)): (usize, (&Axis, &Ends))| window.pools(*ends, length(a));
            let fits: Vec<[bool; 2]> = windows.iter().zip(&ends).enumerate().map(fits).collect();
            let rounding = [false, true].into_iter().find(|up| fits.iter().all(|f| f[usize::from(*up)]));
            ceil = rounding.filter(|_| !ceil).ok_or_else(|| {
                let supported = "ends that differ as rounding up the number of windows does";
                attributes.refuse("pads", format!("{ends:?}"), supported)
            })?;
        }
        let padding: Vec<usize> = ends.iter().map(|e| e.before).collect();
        Ok((Pooling { ceil, ..Pooling::new(&kernel, &stride).padding(&padding) }, ends))
    }

    /// Windows of 2x2 about whose padding and rounding the file says nothing are [`Op::MaxPool2d`], as our emitter writes it; also where the model
    /// asks for the sizes of its maps.
    pub(super) fn max_pool(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        let short = ["kernel_shape", "strides"];
        let known = [&short[..], &["pads", "dilations", "auto_pad", "ceil_mode", "storage_order"]].concat();
        attributes.only(&known)?;
        let (layer, outer) = self.padded(attributes.0)?;
        if outer.iter().any(|e| *e != Ends::default()) && !self.positive[layer] {
            let supported = "zeros around the result of a layer that is never negative, as a ReLU's";
            return Err(attributes.refuse("an input", "padded with zeros".to_owned(), supported));
        }
        let (pooling, _) = self.pooling(attributes)?;
        let halving = pooling == Pooling::new(&[2, 2], &[2, 2]);
        let op = if halving && (self.halving || attributes.only(&short).is_ok()) {
            Op::MaxPool2d
        } else {
            Op::MaxPool(pooling)
        };
        Ok(Made::Window { op, parameters: Vec::new() })
    }

    /// A window over the whole of a map whose size the model fixes is the global mean.
    pub(super) fn average_pool(&self, attributes: &Attributes<'_>) -> Result<Made, OnnxError> {
        let known = ["kernel_shape", "strides", "pads", "dilations", "auto_pad", "ceil_mode", "count_include_pad"];
        attributes.only(&known)?;
        let (layer, outer) = self.padded(attributes.0)?;
        let (pooling, ends) = self.pooling(attributes)?;
        let (none, zero) = (Ends::default(), vec![Ends::default(); self.axes]);
        let mut count_padding = attributes.int("count_include_pad", 0) != 0;
        if outer != zero {
            // Zeros of a Pad are numbers like others.
            if ends != outer && !count_padding {
                return Err(attributes.refuse("pads", format!("{ends:?}"), "none behind a Pad"));
            }
            count_padding = true;
        }
        if count_padding && ends.iter().any(|e| e.before != e.after) {
            return Err(attributes.refuse("pads", format!("{ends:?}"), "the same on both ends where padding counts"));
        }
        let size = self.sizes.as_ref().map(|sizes| &sizes[layer][3 - self.axes..]);
        let whole = size.is_some_and(|size| size == pooling.kernel) && ends.iter().all(|e| *e == none);
        let op = if whole { Op::GlobalAvgPool } else { Op::AvgPool { pooling, count_padding } };
        Ok(Made::Window { op, parameters: Vec::new() })
    }
}

fn axes(kernel: &[usize], stride: &[usize], dilation: &[usize]) -> Vec<Axis> {
    let each = kernel.iter().zip(stride).zip(dilation);
    each.map(|((&kernel, &stride), &dilation)| Axis { kernel, stride, dilation }).collect()
}

/// The convolution with its channels, which are the weight's extent `out`, its bias, and taps of zero weight.
fn conv_with(conv: Convolution, parameters: &mut [Parameter], out: usize, zeros: &[Ends]) -> Convolution {
    let bias = parameters.len() == 2;
    let (_, shape, data) = &mut parameters[0];
    widened(shape, data, zeros);
    Convolution { out_channels: shape[out], kernel: shape[2..].to_vec(), bias, ..conv }
}
