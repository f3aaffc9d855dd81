//! What layers compute.

use std::fmt;

use crate::geometry::{Geometry, sides};

/// The epsilon of [`Op::BatchNorm2d`], PyTorch's default.
pub const NORM_EPS: f32 = 1e-5;

/// What a layer computes. In TOML `op` is the variant in snake case, `bias` is true when left out. [`Op::Conv2d`], [`Op::ConvTranspose2d`] and
/// [`Op::MaxPool2d`] are short forms for U-Nets over images; sides elsewhere are listed per axis, `[h, w]`, or `[d, h, w]` in networks over volumes.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// 2D convolution, `kernel` 3 (padding 1) or 1 (padding 0), stride 1. Weight `[out, in, kernel, kernel]`.
    Conv2d {
        /// Channels of the result.
        out_channels: usize,
        /// Side of the square kernel: 1 or 3.
        kernel: usize,
        /// Whether the layer adds a bias per output channel.
        bias: bool,
    },
    /// 2D transposed convolution with a 2x2 kernel and stride 2. Weight `[in, out, 2, 2]`.
    ConvTranspose2d {
        /// Channels of the result.
        out_channels: usize,
        /// Whether the layer adds a bias per output channel.
        bias: bool,
    },
    /// Convolution with zero padding. Weight `[out, in / groups, kernel...]`.
    Conv(Convolution),
    /// Transposed convolution without groups: size `(i - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1`. Weight
    /// `[in, out, kernel...]`.
    ConvTranspose {
        /// The convolution of which it is the transpose.
        conv: Convolution,
        /// Further positions at the end of every axis, less than the stride.
        output_padding: Vec<usize>,
    },
    /// `x W^T + b` of a matrix `[n, in]` ([`Op::Flatten`], [`Op::Linear`]). Weight `[out, in]`.
    Linear {
        /// Features of the result.
        out_features: usize,
        /// Whether the layer adds a bias per feature.
        bias: bool,
    },
    /// Maximum over 2x2 windows with stride 2; height and width must be even.
    MaxPool2d,
    /// Maximum over moving windows; padding never wins.
    MaxPool(Pooling),
    /// Mean over moving windows.
    AvgPool {
        /// The windows.
        pooling: Pooling,
        /// Whether padding counts in what the sum is divided by.
        count_padding: bool,
    },
    /// Mean over the whole map; the result has one pixel.
    GlobalAvgPool,
    /// Mean over windows that divide a map of any size: along an axis, output `i` sees the positions from `floor(i * in / out)` to
    /// `ceil((i + 1) * in / out)`, as in PyTorch.
    AdaptiveAvgPool {
        /// Positions of the result per axis; 0 keeps the input's.
        size: Vec<usize>,
    },
    /// Maximum over the windows of [`Op::AdaptiveAvgPool`].
    AdaptiveMaxPool {
        /// Positions of the result per axis; 0 keeps the input's.
        size: Vec<usize>,
    },
    /// Batch normalisation over `[n, h, w]` per channel, eps 1e-5, running momentum 0.1 (Ioffe and Szegedy 2015).
    BatchNorm2d,
    /// [`Op::BatchNorm2d`] with an epsilon of its own, over images or volumes.
    BatchNorm {
        /// Added to the variance.
        eps: f32,
    },
    /// Normalisation over the pixels of each channel of each image (Ulyanov, Vedaldi and Lempitsky 2016), with weight and bias per channel.
    InstanceNorm {
        /// Added to the variance.
        eps: f32,
    },
    /// Normalisation over pixels and channels of each group of each image (Wu and He 2018), with weight and bias per channel.
    GroupNorm {
        /// Groups of channels.
        groups: usize,
        /// Added to the variance.
        eps: f32,
    },
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), max)`; with 6 it is ReLU6.
    ClippedRelu {
        /// The upper bound, above 0.
        max: f32,
    },
    /// `x`, times `slope` where negative.
    LeakyRelu {
        /// Slope of the negative side.
        slope: f32,
    },
    /// `x * Phi(x)` with the normal distribution's Phi (Hendrycks and Gimpel 2016), not its approximation by tanh.
    Gelu,
    /// Hyperbolic tangent.
    Tanh,
    /// `exp(x)` divided by its sum over the channels of a pixel.
    Softmax,
    /// Enlargement by whole factors.
    Upsample {
        /// Factor per axis.
        factors: Vec<usize>,
        /// Interpolated between pixel centres (bilinear, trilinear; PyTorch's `align_corners=False`); otherwise values repeat.
        linear: bool,
    },
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// In training, zeroes values with probability `rate` and divides the others by `1 - rate` (Srivastava et al. 2014); otherwise the identity.
    Dropout {
        /// Probability of zero, 0 to below 1.
        rate: f32,
        /// With the layer's place and the number of steps taken, decides what is zeroed.
        seed: u64,
    },
    /// A map as a matrix `[n, c * d * h * w]`, channels outermost. The description must say how many pixels there are: by a pooling to a fixed size, or
    /// by the network's own ([`crate::NetworkBuilder::sized`]).
    Flatten,
    /// Gated recurrent unit (Cho et al. 2014) over a sequence, the reset gate after the hidden product as in PyTorch:
    /// `r, z = sigmoid(W x + b + V h + c)`, `n = tanh(W x + b + r * (V h + c))`, `h = (1 - z) * n + z * h`.
    Gru(Recurrence),
    /// Long short-term memory (Hochreiter and Schmidhuber 1997) over a sequence: `i, f, o = sigmoid(W x + b + V h + c)`, `g = tanh(W x + b + V h + c)`,
    /// `s = f * s + i * g`, `h = o * tanh(s)`.
    Lstm(Recurrence),
    /// Concatenation of all inputs along the channel axis.
    Concat,
    /// Sum of all inputs, which have one shape.
    Add,
    /// `factor * x`.
    Scale {
        /// The factor.
        factor: f32,
    },
}

/// A convolution's shape; sides per axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Channels of the result.
    pub out_channels: usize,
    /// Kernel sides.
    pub kernel: Vec<usize>,
    /// Distance of neighbouring windows.
    pub stride: Vec<usize>,
    /// Zeros on both ends.
    pub padding: Vec<usize>,
    /// Distance of neighbouring taps.
    pub dilation: Vec<usize>,
    /// Groups of channels without connection to each other; as many as channels for a depthwise convolution.
    pub groups: usize,
    /// Whether the layer adds a bias per output channel.
    pub bias: bool,
}

impl Convolution {
    /// Stride 1, no padding, no dilation, one group, no bias.
    pub fn new(out_channels: usize, kernel: &[usize]) -> Self {
        let each = |v| vec![v; kernel.len()];
        let (stride, padding, dilation) = (each(1), each(0), each(1));
        Self { out_channels, kernel: kernel.to_vec(), stride, padding, dilation, groups: 1, bias: false }
    }

    /// With this stride.
    pub fn stride(self, stride: &[usize]) -> Self {
        Self { stride: stride.to_vec(), ..self }
    }

    /// With this padding.
    pub fn padding(self, padding: &[usize]) -> Self {
        Self { padding: padding.to_vec(), ..self }
    }

    /// With the padding that keeps the size at stride 1, for odd kernels.
    pub fn same(self) -> Self {
        let padding = self.kernel.iter().zip(&self.dilation).map(|(k, d)| d * (k / 2)).collect();
        Self { padding, ..self }
    }

    /// With this dilation.
    pub fn dilation(self, dilation: &[usize]) -> Self {
        Self { dilation: dilation.to_vec(), ..self }
    }

    /// With this many groups.
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// With a bias.
    pub fn with_bias(self) -> Self {
        Self { bias: true, ..self }
    }

    fn geometry(&self) -> Geometry {
        Geometry {
            kernel: sides(&self.kernel, 1),
            stride: sides(&self.stride, 1),
            padding: sides(&self.padding, 0),
            // The dilation of a single tap means nothing.
            dilation: {
                let (kernel, dilation) = (sides(&self.kernel, 1), sides(&self.dilation, 1));
                std::array::from_fn(|a| if kernel[a] == 1 { 1 } else { dilation[a] })
            },
            groups: self.groups,
            ..Geometry::POINT
        }
    }
}

/// A recurrent layer. Its sequence is the first spatial axis: the slices of a volume `[n, c, d, 1, 1]`, or the rows of an image `[n, c, h, 1]`; the other
/// axes must have one position (`size = [0, 1, 1]` of [`Op::AdaptiveAvgPool`] makes them so). Each of the `n` sequences starts from a state of zeros.
///
/// Parameters are PyTorch's: `weight_ih_l0` `[gates * hidden, in]`, `weight_hh_l0` `[gates * hidden, hidden]`, `bias_ih_l0` and `bias_hh_l0`
/// `[gates * hidden]`, and those with the suffix `_reverse`; gates in the order `r, z, n` and `i, f, g, o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// Features of the state.
    pub hidden: usize,
    /// Whether a second layer reads the sequence from its end; its features follow the first one's.
    pub bidirectional: bool,
    /// Whether only the state after the whole sequence comes out, `[n, features, 1, 1, 1]`; otherwise the state after every position,
    /// `[n, features, d, 1, 1]`.
    pub last: bool,
}

impl Recurrence {
    /// In one direction, the state after every position.
    pub fn new(hidden: usize) -> Self {
        Self { hidden, bidirectional: false, last: false }
    }

    /// In both directions.
    pub fn bidirectional(self) -> Self {
        Self { bidirectional: true, ..self }
    }

    /// Only the state after the whole sequence.
    pub fn last(self) -> Self {
        Self { last: true, ..self }
    }

    pub(crate) fn directions(self) -> usize {
        1 + usize::from(self.bidirectional)
    }
}

/// What a recurrent layer computes at every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Gru,
    Lstm,
}

impl Cell {
    /// Gates, the candidate state among them.
    pub(crate) fn gates(self) -> usize {
        match self {
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    /// The gates in ONNX's order, `z, r, h` and `i, o, f, c`, by their numbers in PyTorch's.
    pub(crate) fn onnx_gates(self) -> &'static [usize] {
        match self {
            Self::Gru => &[1, 0, 2],
            Self::Lstm => &[0, 3, 1, 2],
        }
    }

    /// ONNX's operator.
    pub(crate) fn onnx_operator(self) -> &'static str {
        match self {
            Self::Gru => "GRU",
            Self::Lstm => "LSTM",
        }
    }
}

/// Moving windows of pooling; sides per axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// Window sides.
    pub kernel: Vec<usize>,
    /// Distance of neighbouring windows.
    pub stride: Vec<usize>,
    /// Positions outside the input on both ends, at most half a window.
    pub padding: Vec<usize>,
    /// Whether a last window that leaves the input counts (PyTorch's `ceil_mode`).
    pub ceil: bool,
}

impl Pooling {
    /// Windows without padding.
    pub fn new(kernel: &[usize], stride: &[usize]) -> Self {
        Self { kernel: kernel.to_vec(), stride: stride.to_vec(), padding: vec![0; kernel.len()], ceil: false }
    }

    /// With this padding.
    pub fn padding(self, padding: &[usize]) -> Self {
        Self { padding: padding.to_vec(), ..self }
    }

    fn geometry(&self) -> Geometry {
        Geometry {
            kernel: sides(&self.kernel, 1),
            stride: sides(&self.stride, 1),
            padding: sides(&self.padding, 0),
            ceil: self.ceil,
            ..Geometry::POINT
        }
    }
}

impl Op {
    /// How the layer's windows lie, of convolutions and moving pools; a linear layer is a convolution of one pixel.
    pub(crate) fn geometry(&self) -> Option<Geometry> {
        Some(match self {
            Self::Conv2d { kernel, .. } => {
                Geometry { kernel: [1, *kernel, *kernel], padding: [0, kernel / 2, kernel / 2], ..Geometry::POINT }
            }
            Self::ConvTranspose2d { .. } => {
                Geometry { kernel: [1, 2, 2], stride: [1, 2, 2], transposed: true, ..Geometry::POINT }
            }
            Self::Conv(conv) => conv.geometry(),
            Self::ConvTranspose { conv, output_padding } => {
                Geometry { output_padding: sides(output_padding, 0), transposed: true, ..conv.geometry() }
            }
            Self::Linear { .. } => Geometry::POINT,
            Self::MaxPool(pooling) | Self::AvgPool { pooling, .. } => pooling.geometry(),
            _ => return None,
        })
    }

    /// Channels of the result and whether there is a bias, of convolutions and linear layers.
    pub(crate) fn weighted(&self) -> Option<(usize, bool)> {
        match self {
            Self::Conv2d { out_channels, bias, .. } | Self::ConvTranspose2d { out_channels, bias } => {
                Some((*out_channels, *bias))
            }
            Self::Conv(conv) | Self::ConvTranspose { conv, .. } => Some((conv.out_channels, conv.bias)),
            Self::Linear { out_features, bias } => Some((*out_features, *bias)),
            _ => None,
        }
    }

    /// The epsilon of a batch normalisation.
    pub(crate) fn batch_norm_eps(&self) -> Option<f64> {
        match self {
            Self::BatchNorm2d => Some(f64::from(NORM_EPS)),
            Self::BatchNorm { eps } => Some(f64::from(*eps)),
            _ => None,
        }
    }

    /// Groups, 0 for one per channel, and epsilon of a normalisation within each image.
    pub(crate) fn sample_norm(&self) -> Option<(usize, f64)> {
        match self {
            Self::InstanceNorm { eps } => Some((0, f64::from(*eps))),
            Self::GroupNorm { groups, eps } => Some((*groups, f64::from(*eps))),
            _ => None,
        }
    }

    /// The cell and the shape of a recurrent layer.
    pub(crate) fn recurrent(&self) -> Option<(Cell, Recurrence)> {
        match self {
            Self::Gru(recurrence) => Some((Cell::Gru, *recurrence)),
            Self::Lstm(recurrence) => Some((Cell::Lstm, *recurrence)),
            _ => None,
        }
    }

    /// Whether the layer reads more than one value.
    pub(crate) fn joins(&self) -> bool {
        matches!(self, Self::Concat | Self::Add)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conv2d { .. } => "conv2d",
            Self::ConvTranspose2d { .. } => "conv_transpose2d",
            Self::Conv(_) => "conv",
            Self::ConvTranspose { .. } => "conv_transpose",
            Self::Linear { .. } => "linear",
            Self::MaxPool2d => "max_pool2d",
            Self::MaxPool(_) => "max_pool",
            Self::AvgPool { .. } => "avg_pool",
            Self::GlobalAvgPool => "global_avg_pool",
            Self::AdaptiveAvgPool { .. } => "adaptive_avg_pool",
            Self::AdaptiveMaxPool { .. } => "adaptive_max_pool",
            Self::BatchNorm2d => "batch_norm2d",
            Self::BatchNorm { .. } => "batch_norm",
            Self::InstanceNorm { .. } => "instance_norm",
            Self::GroupNorm { .. } => "group_norm",
            Self::Relu => "relu",
            Self::ClippedRelu { .. } => "clipped_relu",
            Self::LeakyRelu { .. } => "leaky_relu",
            Self::Gelu => "gelu",
            Self::Tanh => "tanh",
            Self::Softmax => "softmax",
            Self::Upsample { .. } => "upsample",
            Self::Sigmoid => "sigmoid",
            Self::Dropout { .. } => "dropout",
            Self::Flatten => "flatten",
            Self::Gru(_) => "gru",
            Self::Lstm(_) => "lstm",
            Self::Concat => "concat",
            Self::Add => "add",
            Self::Scale { .. } => "scale",
        })
    }
}
