//! Layers as they are written in TOML: one table with the fields of its operator and no others.

use serde::{Deserialize, Serialize};

use crate::network::{Layer, NetworkError};
use crate::op::{Convolution, Op, Pooling, Recurrence};

/// Every operator's fields, of which [`Layer`] accepts exactly its operator's.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LayerText {
    name: String,
    op: OpName,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_channels: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<Sides>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stride: Option<Sides>,
    #[serde(skip_serializing_if = "Option::is_none")]
    padding: Option<Sides>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dilation: Option<Sides>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_padding: Option<Sides>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bias: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ceil: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count_padding: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eps: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slope: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    factors: Option<Sides>,
    #[serde(skip_serializing_if = "Option::is_none")]
    linear: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<Sides>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bidirectional: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<bool>,
}

/// One side for a square, or one per axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Sides {
    Square(usize),
    Each(Vec<usize>),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OpName {
    Conv2d,
    ConvTranspose2d,
    Conv,
    ConvTranspose,
    Linear,
    MaxPool2d,
    MaxPool,
    AvgPool,
    GlobalAvgPool,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    BatchNorm2d,
    BatchNorm,
    InstanceNorm,
    GroupNorm,
    Relu,
    ClippedRelu,
    LeakyRelu,
    Gelu,
    Tanh,
    Softmax,
    Upsample,
    Sigmoid,
    Dropout,
    Flatten,
    Gru,
    Lstm,
    Concat,
    Add,
    Scale,
}

impl OpName {
    /// The fields that the operator has.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Conv2d => &["out_channels", "kernel", "bias"],
            Self::ConvTranspose2d | Self::Linear => &["out_channels", "bias"],
            Self::Conv => &["out_channels", "kernel", "stride", "padding", "dilation", "groups", "bias"],
            Self::ConvTranspose => {
                &["out_channels", "kernel", "stride", "padding", "dilation", "output_padding", "bias"]
            }
            Self::MaxPool => &["kernel", "stride", "padding", "ceil"],
            Self::AvgPool => &["kernel", "stride", "padding", "ceil", "count_padding"],
            Self::AdaptiveAvgPool | Self::AdaptiveMaxPool => &["size"],
            Self::Gru | Self::Lstm => &["hidden", "bidirectional", "last"],
            Self::BatchNorm | Self::InstanceNorm => &["eps"],
            Self::GroupNorm => &["groups", "eps"],
            Self::ClippedRelu => &["max"],
            Self::LeakyRelu => &["slope"],
            Self::Upsample => &["factors", "linear"],
            Self::Dropout => &["rate", "seed"],
            Self::Scale => &["factor"],
            Self::MaxPool2d
            | Self::GlobalAvgPool
            | Self::BatchNorm2d
            | Self::Relu
            | Self::Gelu
            | Self::Tanh
            | Self::Softmax
            | Self::Sigmoid
            | Self::Flatten
            | Self::Concat
            | Self::Add => &[],
        }
    }
}

impl LayerText {
    fn bare(name: String, op: OpName, inputs: Vec<String>) -> Self {
        Self {
            name,
            op,
            inputs,
            out_channels: None,
            kernel: None,
            stride: None,
            padding: None,
            dilation: None,
            output_padding: None,
            groups: None,
            bias: None,
            ceil: None,
            count_padding: None,
            eps: None,
            rate: None,
            seed: None,
            factor: None,
            slope: None,
            max: None,
            factors: None,
            linear: None,
            size: None,
            hidden: None,
            bidirectional: None,
            last: None,
        }
    }

    fn field(&self, field: &'static str, problem: &'static str) -> NetworkError {
        NetworkError::Field { layer: self.name.clone(), field, problem }
    }

    fn check_fields(&self) -> Result<(), NetworkError> {
        let there = [
            ("out_channels", self.out_channels.is_some()),
            ("kernel", self.kernel.is_some()),
            ("stride", self.stride.is_some()),
            ("padding", self.padding.is_some()),
            ("dilation", self.dilation.is_some()),
            ("output_padding", self.output_padding.is_some()),
            ("groups", self.groups.is_some()),
            ("bias", self.bias.is_some()),
            ("ceil", self.ceil.is_some()),
            ("count_padding", self.count_padding.is_some()),
            ("eps", self.eps.is_some()),
            ("rate", self.rate.is_some()),
            ("seed", self.seed.is_some()),
            ("factor", self.factor.is_some()),
            ("slope", self.slope.is_some()),
            ("max", self.max.is_some()),
            ("factors", self.factors.is_some()),
            ("linear", self.linear.is_some()),
            ("size", self.size.is_some()),
            ("hidden", self.hidden.is_some()),
            ("bidirectional", self.bidirectional.is_some()),
            ("last", self.last.is_some()),
        ];
        match there.into_iter().find(|(name, there)| *there && !self.op.fields().contains(name)) {
            Some((field, _)) => Err(self.field(field, "does not belong to this operator")),
            None => Ok(()),
        }
    }

    fn needed<T>(&self, value: Option<T>, field: &'static str) -> Result<T, NetworkError> {
        value.ok_or_else(|| self.field(field, "is missing"))
    }

    /// Sides per axis; left out, every axis has `default`.
    fn sides(&self, value: Option<&Sides>, field: &'static str, default: &[usize]) -> Result<Vec<usize>, NetworkError> {
        match value {
            None => Ok(default.to_vec()),
            Some(Sides::Each(sides)) => Ok(sides.clone()),
            Some(Sides::Square(_)) => Err(self.field(field, "must list one number per axis")),
        }
    }

    fn kernel(&self) -> Result<Vec<usize>, NetworkError> {
        self.sides(Some(&self.needed(self.kernel.clone(), "kernel")?), "kernel", &[])
    }

    fn convolution(&self) -> Result<Convolution, NetworkError> {
        let kernel = self.kernel()?;
        let each = |v| vec![v; kernel.len()];
        Ok(Convolution {
            out_channels: self.needed(self.out_channels, "out_channels")?,
            stride: self.sides(self.stride.as_ref(), "stride", &each(1))?,
            padding: self.sides(self.padding.as_ref(), "padding", &each(0))?,
            dilation: self.sides(self.dilation.as_ref(), "dilation", &each(1))?,
            groups: self.groups.unwrap_or(1),
            bias: self.bias.unwrap_or(true),
            kernel,
        })
    }

    fn size(&self) -> Result<Vec<usize>, NetworkError> {
        self.sides(Some(&self.needed(self.size.clone(), "size")?), "size", &[])
    }

    fn recurrence(&self) -> Result<Recurrence, NetworkError> {
        Ok(Recurrence {
            hidden: self.needed(self.hidden, "hidden")?,
            bidirectional: self.bidirectional.unwrap_or(false),
            last: self.last.unwrap_or(false),
        })
    }

    fn pooling(&self) -> Result<Pooling, NetworkError> {
        let kernel = self.kernel()?;
        Ok(Pooling {
            stride: self.sides(self.stride.as_ref(), "stride", &kernel)?,
            padding: self.sides(self.padding.as_ref(), "padding", &vec![0; kernel.len()])?,
            ceil: self.ceil.unwrap_or(false),
            kernel,
        })
    }
}

impl TryFrom<LayerText> for Layer {
    type Error = NetworkError;

    fn try_from(text: LayerText) -> Result<Self, NetworkError> {
        text.check_fields()?;
        let bias = text.bias.unwrap_or(true);
        let out_channels = || text.needed(text.out_channels, "out_channels");
        let op = match text.op {
            OpName::Conv2d => Op::Conv2d {
                out_channels: out_channels()?,
                kernel: match text.needed(text.kernel.clone(), "kernel")? {
                    Sides::Square(side) => side,
                    Sides::Each(_) => return Err(text.field("kernel", "must be one number")),
                },
                bias,
            },
            OpName::ConvTranspose2d => Op::ConvTranspose2d { out_channels: out_channels()?, bias },
            OpName::Conv => Op::Conv(text.convolution()?),
            OpName::ConvTranspose => {
                let conv = text.convolution()?;
                let none = vec![0; conv.kernel.len()];
                let output_padding = text.sides(text.output_padding.as_ref(), "output_padding", &none)?;
                Op::ConvTranspose { conv, output_padding }
            }
            OpName::Linear => Op::Linear { out_features: out_channels()?, bias },
            OpName::MaxPool2d => Op::MaxPool2d,
            OpName::MaxPool => Op::MaxPool(text.pooling()?),
            OpName::AvgPool => {
                Op::AvgPool { pooling: text.pooling()?, count_padding: text.count_padding.unwrap_or(true) }
            }
            OpName::GlobalAvgPool => Op::GlobalAvgPool,
            OpName::AdaptiveAvgPool => Op::AdaptiveAvgPool { size: text.size()? },
            OpName::AdaptiveMaxPool => Op::AdaptiveMaxPool { size: text.size()? },
            OpName::BatchNorm2d => Op::BatchNorm2d,
            OpName::BatchNorm => Op::BatchNorm { eps: text.needed(text.eps, "eps")? },
            OpName::InstanceNorm => Op::InstanceNorm { eps: text.needed(text.eps, "eps")? },
            OpName::GroupNorm => {
                Op::GroupNorm { groups: text.needed(text.groups, "groups")?, eps: text.needed(text.eps, "eps")? }
            }
            OpName::Relu => Op::Relu,
            OpName::ClippedRelu => Op::ClippedRelu { max: text.needed(text.max, "max")? },
            OpName::LeakyRelu => Op::LeakyRelu { slope: text.needed(text.slope, "slope")? },
            OpName::Gelu => Op::Gelu,
            OpName::Tanh => Op::Tanh,
            OpName::Softmax => Op::Softmax,
            OpName::Upsample => {
                let factors = text.needed(text.factors.clone(), "factors")?;
                let factors = text.sides(Some(&factors), "factors", &[])?;
                Op::Upsample { factors, linear: text.linear.unwrap_or(false) }
            }
            OpName::Sigmoid => Op::Sigmoid,
            OpName::Dropout => Op::Dropout { rate: text.needed(text.rate, "rate")?, seed: text.seed.unwrap_or(0) },
            OpName::Flatten => Op::Flatten,
            OpName::Gru => Op::Gru(text.recurrence()?),
            OpName::Lstm => Op::Lstm(text.recurrence()?),
            OpName::Concat => Op::Concat,
            OpName::Add => Op::Add,
            OpName::Scale => Op::Scale { factor: text.needed(text.factor, "factor")? },
        };
        let LayerText { name, inputs, .. } = text;
        Ok(Self { name, inputs, op })
    }
}

impl From<Layer> for LayerText {
    fn from(layer: Layer) -> Self {
        let Layer { name, inputs, op } = layer;
        let bare = |op| Self::bare(name, op, inputs);
        let each = |sides| Some(Sides::Each(sides));
        match op {
            Op::Conv2d { out_channels, kernel, bias } => Self {
                out_channels: Some(out_channels),
                kernel: Some(Sides::Square(kernel)),
                bias: Some(bias),
                ..bare(OpName::Conv2d)
            },
            Op::ConvTranspose2d { out_channels, bias } => {
                Self { out_channels: Some(out_channels), bias: Some(bias), ..bare(OpName::ConvTranspose2d) }
            }
            Op::Conv(conv) => {
                let groups = Some(conv.groups);
                Self { groups, ..convolved(bare(OpName::Conv), conv) }
            }
            Op::ConvTranspose { conv, output_padding } => {
                Self { output_padding: each(output_padding), ..convolved(bare(OpName::ConvTranspose), conv) }
            }
            Op::Linear { out_features, bias } => {
                Self { out_channels: Some(out_features), bias: Some(bias), ..bare(OpName::Linear) }
            }
            Op::MaxPool2d => bare(OpName::MaxPool2d),
            Op::MaxPool(pooling) => pooled(bare(OpName::MaxPool), pooling),
            Op::AvgPool { pooling, count_padding } => {
                Self { count_padding: Some(count_padding), ..pooled(bare(OpName::AvgPool), pooling) }
            }
            Op::GlobalAvgPool => bare(OpName::GlobalAvgPool),
            Op::AdaptiveAvgPool { size } => Self { size: each(size), ..bare(OpName::AdaptiveAvgPool) },
            Op::AdaptiveMaxPool { size } => Self { size: each(size), ..bare(OpName::AdaptiveMaxPool) },
            Op::BatchNorm2d => bare(OpName::BatchNorm2d),
            Op::BatchNorm { eps } => Self { eps: Some(eps), ..bare(OpName::BatchNorm) },
            Op::InstanceNorm { eps } => Self { eps: Some(eps), ..bare(OpName::InstanceNorm) },
            Op::GroupNorm { groups, eps } => Self { groups: Some(groups), eps: Some(eps), ..bare(OpName::GroupNorm) },
            Op::Relu => bare(OpName::Relu),
            Op::ClippedRelu { max } => Self { max: Some(max), ..bare(OpName::ClippedRelu) },
            Op::LeakyRelu { slope } => Self { slope: Some(slope), ..bare(OpName::LeakyRelu) },
            Op::Gelu => bare(OpName::Gelu),
            Op::Tanh => bare(OpName::Tanh),
            Op::Softmax => bare(OpName::Softmax),
            Op::Upsample { factors, linear } => {
                Self { factors: each(factors), linear: Some(linear), ..bare(OpName::Upsample) }
            }
            Op::Sigmoid => bare(OpName::Sigmoid),
            Op::Dropout { rate, seed } => Self { rate: Some(rate), seed: Some(seed), ..bare(OpName::Dropout) },
            Op::Flatten => bare(OpName::Flatten),
            Op::Gru(recurrence) => recurrent(bare(OpName::Gru), recurrence),
            Op::Lstm(recurrence) => recurrent(bare(OpName::Lstm), recurrence),
            Op::Concat => bare(OpName::Concat),
            Op::Add => bare(OpName::Add),
            Op::Scale { factor } => Self { factor: Some(factor), ..bare(OpName::Scale) },
        }
    }
}

/// All but the groups, which a transposed convolution does not have.
fn convolved(text: LayerText, conv: Convolution) -> LayerText {
    let Convolution { out_channels, kernel, stride, padding, dilation, groups: _, bias } = conv;
    let each = |sides| Some(Sides::Each(sides));
    LayerText {
        out_channels: Some(out_channels),
        kernel: each(kernel),
        stride: each(stride),
        padding: each(padding),
        dilation: each(dilation),
        bias: Some(bias),
        ..text
    }
}

fn pooled(text: LayerText, pooling: Pooling) -> LayerText {
    let Pooling { kernel, stride, padding, ceil } = pooling;
    let each = |sides| Some(Sides::Each(sides));
    LayerText { kernel: each(kernel), stride: each(stride), padding: each(padding), ceil: Some(ceil), ..text }
}

fn recurrent(text: LayerText, recurrence: Recurrence) -> LayerText {
    let Recurrence { hidden, bidirectional, last } = recurrence;
    LayerText { hidden: Some(hidden), bidirectional: Some(bidirectional), last: Some(last), ..text }
}
