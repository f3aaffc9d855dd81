//! Static plans: every buffer, offset and job of a network at one input shape, fixed before the first run.

mod backward;
mod choice;
mod conv;
mod cost;
mod finite;
mod inference;
mod layer;
mod layout;
mod measure;
mod operator;
mod parity;
mod precision;
mod profile;
mod recompute;
pub(crate) mod sizes;
mod training;
mod training_choice;

pub use choice::{Basis, Choice, Choices, Computation, Kernel, LayerChoice};
pub use cost::Cost;
pub use inference::Inference;
pub use parity::{Difference, Parity, ParityError};
pub use precision::Precision;
pub use profile::{Act, Part};
pub use training::Trainer;

use choice::Tables;

use crate::kernels::buffer::Aligned;
use crate::kernels::pool::Pool;
use crate::kernels::{Isa, Kernels};
use crate::loss::LossError;
use crate::optim::OptimiserError;
use crate::weights::WeightsError;

/// Environment variable that names the instruction set when [`Options::isa`] does not.
pub const ISA_VARIABLE: &str = "HILUM_NN_ISA";

/// Environment variable with the most bytes that one plan may take: activations, gradients, weights, the kernels' copies of them and what the optimiser
/// remembers; without it, 64 GiB. A training plan that would need more computes results of normalisations again in the backward pass.
pub const MEMORY_VARIABLE: &str = "HILUM_NN_MEMORY";

/// Batch, height and width of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InputShape {
    /// Images per batch.
    pub n: usize,
    /// Height in pixels.
    pub h: usize,
    /// Width in pixels.
    pub w: usize,
}

/// Batch, depth, height and width of the input of a network over volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VolumeShape {
    /// Volumes per batch.
    pub n: usize,
    /// Depth in slices.
    pub d: usize,
    /// Height in pixels.
    pub h: usize,
    /// Width in pixels.
    pub w: usize,
}

impl From<InputShape> for VolumeShape {
    fn from(InputShape { n, h, w }: InputShape) -> Self {
        Self { n, d: 1, h, w }
    }
}

/// How a plan runs. Results do not depend on `threads`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Threads, the caller included; 0 means one per processor.
    pub threads: usize,
    /// The instruction set; `None`: environment variable `HILUM_NN_ISA` (avx512, avx2, neon, portable), else the best that this processor has.
    pub isa: Option<Isa>,
}

impl Options {
    fn isa(&self) -> Result<Isa, CompileError> {
        let isa = match (self.isa, std::env::var(ISA_VARIABLE)) {
            (Some(isa), _) => isa,
            (None, Ok(name)) if !name.is_empty() => name.parse().map_err(CompileError::Isa)?,
            (None, _) => Isa::best(),
        };
        if isa.available() { Ok(isa) } else { Err(CompileError::Isa(isa.to_string())) }
    }

    fn kernels(&self) -> Result<&'static Kernels, CompileError> {
        let isa = self.isa()?;
        Kernels::get(isa).ok_or_else(|| CompileError::Isa(isa.to_string()))
    }

    fn tables(&self, precision: Precision) -> Result<Tables, CompileError> {
        let (f32, isa) = (self.kernels()?, self.isa()?);
        let bf16 = match precision {
            Precision::F32 => None,
            Precision::Bf16 => Some(Kernels::bf16(isa).ok_or(CompileError::NoBf16(isa))?),
        };
        Ok(Tables { f32, bf16 })
    }

    fn pool(&self) -> Result<Pool, CompileError> {
        let threads = match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        Pool::new(threads).map_err(|e| CompileError::Threads(e.to_string()))
    }
}

/// How 3x3 convolutions are run, in training with both their gradients; in inference 3x3x3 ones too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// For every layer what measurements found faster.
    #[default]
    Auto,
    /// The definition, in register tiles.
    Direct,
    /// Winograd's F(4x4, 3x3): fewer multiplications, rounding errors up to about 2e-5 of the largest value.
    Winograd,
}

impl Algorithm {
    /// A transform costs the same whatever the number of channels on the other side: Winograd pays where both sides fill a block (measured on AVX-512
    /// and AVX2; with 3 input channels it takes twice the direct kernel's time).
    fn winograd(self, inputs: usize, outputs: usize) -> bool {
        match self {
            Self::Auto => inputs >= 16 && outputs >= 16,
            Self::Direct => false,
            Self::Winograd => true,
        }
    }
}

/// Why a network cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Batch, height or width is zero or absurdly large.
    #[error(
        "input shape n {n}, d {d}, h {h}, w {w}: every extent must be 1 to {max}, and d 1 for a network over images"
    )]
    Extent {
        /// Batch.
        n: usize,
        /// Depth.
        d: usize,
        /// Height.
        h: usize,
        /// Width.
        w: usize,
        /// Largest accepted.
        max: usize,
    },
    /// Height or width do not survive the poolings.
    #[error(
        "input {h}x{w}: height and width must be multiples of {multiple} (layer {layer} halves an odd size); pad the input"
    )]
    NotAMultiple {
        /// Height.
        h: usize,
        /// Width.
        w: usize,
        /// What both must be multiples of.
        multiple: usize,
        /// The first layer that fails.
        layer: String,
    },
    /// A window, with its padding, is larger than the map under it.
    #[error("layer {layer}: the window does not fit its input of {size:?} ([d, h, w]); take a larger input")]
    Window {
        /// The layer.
        layer: String,
        /// Size of its input.
        size: [usize; 3],
    },
    /// The network fixes the size of its input, and this is another.
    #[error("input of {got:?}: the network takes {expected:?} ([d, h, w]) only")]
    FixedSize {
        /// Size of the input.
        got: [usize; 3],
        /// Size that the network fixes.
        expected: [usize; 3],
    },
    /// A recurrent layer's input has more than one position along an axis that is not the sequence's.
    #[error(
        "layer {layer} reads a map of {size:?} ([d, h, w]): a sequence has one position along every axis but the first; pool it"
    )]
    Sequence {
        /// The layer.
        layer: String,
        /// Size of its input.
        size: [usize; 3],
    },
    /// The inputs of a concatenation or sum have different sizes for this input.
    #[error("layer {layer} joins maps of {a:?} and {b:?} ([d, h, w])")]
    Sizes {
        /// The layer.
        layer: String,
        /// Size of its first input.
        a: [usize; 3],
        /// Size of the input that differs.
        b: [usize; 3],
    },
    /// The weights belong to another network.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A constant of the optimiser makes no sense.
    #[error(transparent)]
    Optimiser(#[from] OptimiserError),
    /// The loss cannot be computed on this network's output.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// Softmax's losses need logits.
    #[error("the last layer {0} is a sigmoid: softmax's losses take the logits of a network that ends without one")]
    NoLogits(String),
    /// A sigmoid's losses need the logits before a last sigmoid.
    #[error("the last layer {0} is no sigmoid: training takes the logits before it")]
    NoSigmoid(String),
    /// The plan would need more memory than a plan may.
    #[error("the plan needs {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes needed.
        bytes: u128,
        /// The limit.
        limit: u128,
    },
    /// The environment's limit is no number.
    #[error("{variable} is {0:?}: expected a number of bytes", variable = MEMORY_VARIABLE)]
    Limit(String),
    /// The system refuses memory that is within the limit.
    #[error("the system gives no {bytes} bytes for the plan: take a smaller input or batch")]
    Memory {
        /// Bytes asked for at once.
        bytes: u128,
    },
    /// The instruction set is unknown or this processor lacks it.
    #[error("instruction set {0}: use avx512, avx2, neon or portable, and one that this processor has")]
    Isa(String),
    /// The plan was to compute in bf16, and the instruction set has no products of it.
    #[error("{0} multiplies no bf16 on this processor: compute in f32")]
    NoBf16(Isa),
    /// A training was to compute in another precision than f32.
    #[error("a training computes in f32, not in {0}")]
    TrainingPrecision(Precision),
    /// A layer cannot be computed as the caller's choices say, or is none of the network's convolutions.
    #[error("layer {layer} cannot be computed by {kernel} kernels in {precision} here")]
    Choice {
        /// The layer.
        layer: String,
        /// The kernels that were asked for.
        kernel: Kernel,
        /// The precision that was asked for.
        precision: Precision,
    },
    /// A thread could not be started.
    #[error("cannot start worker threads: {0}")]
    Threads(String),
}

/// Why a run was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// A slice has the wrong length.
    #[error("{what} has {got} values, the plan needs {expected}")]
    Length {
        /// Input, output or target.
        what: &'static str,
        /// Values given.
        got: usize,
        /// Values needed.
        expected: usize,
    },
    /// A target is no class.
    #[error(
        "the target at position {index} is {value}: expected a whole number below {classes}, or the value to ignore"
    )]
    Label {
        /// Position in `[n, h, w]`.
        index: usize,
        /// The target as text.
        value: String,
        /// Channels of the network's output.
        classes: usize,
    },
    /// A pixel's weight is negative or not finite.
    #[error("the pixel weight at position {index} is {value}: expected a number of at least 0")]
    PixelWeight {
        /// Position in `[n, h, w]`.
        index: usize,
        /// The weight as text.
        value: String,
    },
    /// The loss cannot be computed on that many channels.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// The plan for evaluation could not be made.
    #[error("cannot plan the evaluation: {0}")]
    Plan(String),
    /// A number that was handed in is NaN or infinite.
    #[error("the {what} holds {value} at position {index}: expected finite numbers")]
    Value {
        /// Input or target.
        what: &'static str,
        /// Position in row-major order.
        index: usize,
        /// The number as text.
        value: String,
    },
    /// The result of a layer is NaN or infinite and those of all layers before it are finite; the weights were not changed.
    #[error("layer {layer}: its result holds {value}: check its weights, or lower the learning rate")]
    Activation {
        /// The first such layer; one with others folded into it answers for them.
        layer: String,
        /// The number as text.
        value: String,
    },
    /// The loss is NaN or infinite though the network's result and the target are finite; the weights were not changed.
    #[error("the loss is {0} of a finite result and target: check the weights of its terms and pixels")]
    NotFinite(String),
    /// The gradient of a parameter is NaN or infinite and those of all parameters behind it are finite; the weights were not changed.
    #[error("the gradient of {key} holds {value}: lower the learning rate, or clip by value")]
    Gradient {
        /// The parameter, `{layer}.{kind}`.
        key: String,
        /// The number as text.
        value: String,
    },
}

/// Most bytes that one plan may take; never more than can be addressed.
fn memory_limit() -> Result<u128, CompileError> {
    let limit: u128 = match std::env::var(MEMORY_VARIABLE) {
        Ok(text) if !text.is_empty() => text.parse().map_err(|_| CompileError::Limit(text))?,
        _ => 1 << 36,
    };
    Ok(limit.min(isize::MAX as u128))
}

/// Refuses a plan of this many floats before any is allocated.
fn check_floats(floats: u128) -> Result<(), CompileError> {
    let (bytes, limit) = (floats.saturating_mul(size_of::<f32>() as u128), memory_limit()?);
    if bytes > limit { Err(CompileError::TooLarge { bytes, limit }) } else { Ok(()) }
}

/// Zeroed memory, or what the system says instead.
fn allocate(floats: usize) -> Result<Aligned, CompileError> {
    Aligned::try_zeroed(floats).ok_or(CompileError::Memory { bytes: floats as u128 * size_of::<f32>() as u128 })
}

pub(crate) fn check_length(what: &'static str, got: usize, expected: usize) -> Result<(), RunError> {
    if got == expected { Ok(()) } else { Err(RunError::Length { what, got, expected }) }
}
