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
    /// A map of one pixel as a matrix `[n, c]`.
    Flatten,
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
            Self::BatchNorm2d => "batch_norm2d",
            Self::BatchNorm { .. } => "batch_norm",
            Self::InstanceNorm { .. } => "instance_norm",
            Self::GroupNorm { .. } => "group_norm",
            Self::Relu => "relu",
            Self::LeakyRelu { .. } => "leaky_relu",
            Self::Gelu => "gelu",
            Self::Tanh => "tanh",
            Self::Softmax => "softmax",
            Self::Upsample { .. } => "upsample",
            Self::Sigmoid => "sigmoid",
            Self::Dropout { .. } => "dropout",
            Self::Flatten => "flatten",
            Self::Concat => "concat",
            Self::Add => "add",
            Self::Scale { .. } => "scale",
        })
    }
}
