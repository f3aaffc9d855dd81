//! A CNN engine for CPUs: networks are described, planned once for an input shape, then trained or run on all cores, without any library.
//!
//! ```ignore
//! use hilum_nn::{AdamConfig, Inference, InputShape, LossConfig, Options, Trainer, UNet2d, Weights, onnx, unet2d};
//!
//! let network = unet2d(UNet2d { in_channels: 3, out_channels: 1, base: 16, depth: 4 })?;
//! let shape = InputShape { n: 8, h: 128, w: 128 };                     // h and w: multiples of network.multiple_of()
//! let start = Weights::init(&network, 42);
//! let mut trainer = Trainer::compile(&network, start, shape, LossConfig::default(), AdamConfig::default(), Options::default())?;
//! for (x, y) in batches {                                              // [n, c, h, w] and [n, out, h, w], row-major
//!     let loss = trainer.step(&x, &y, 1e-3)?;
//! }
//! let weights = trainer.weights();
//! std::fs::write("model.safetensors", weights.to_safetensors()?)?;
//! std::fs::write("model.onnx", onnx::encode(&network, &weights)?)?;
//!
//! let whole_slice = InputShape { n: 1, h: 512, w: 512 };
//! let mut plan = Inference::compile(&network, &weights, whole_slice, Options::default())?;
//! plan.forward(&slice, &mut scores)?;                                  // scores in 0..=1; allocates nothing
//! ```
//!
//! # From description to kernels
//!
//! 1. [`network`]: the description, by builder, serde or TOML: named layers in order.
//! 2. [`graph`]: names resolved, channels and what is known of sizes inferred, parameters listed; a [`Network`] that exists has passed this.
//! 3. [`plan`]: for one [`InputShape`], steps over values. Inference folds BatchNorm and ReLU into the convolution before them; training keeps
//!    BatchNorm and ReLU as one pass. The inputs of a concatenation are written where its result lies. Activations, and in training gradients, that are
//!    never needed at the same time share memory; all of it is one allocation, made by `compile`.
//!    Sizes are those of this input: strided windows over odd maps round as PyTorch's do.
//! 4. Kernels: activations in blocks of 16 channels (nChw16c); a partial block's padding is always zero. One register tile serves the 3x3, the 1x1 and
//!    the transposed 2x2 convolution, forward and backward data: it sums a list of segments (channel runs at offsets). A second one serves all weight
//!    gradients. Other windows, strides, dilations, groups and volumes have the same tiles over lists made for every run of positions that sees the same taps.
//!    3x3 layers of 16 and more channels are run by Winograd's F(4x4, 3x3), 3x3x3 layers by its sum over slices, in training with both gradients
//!    ([`Algorithm`]); the products between its
//!    transforms run on the same two tiles. A recurrent layer's products with its input are 1x1 convolutions over all positions at once; step by step go
//!    only its products with the state, on the same tile. Every kernel is one generic body, compiled for AVX-512, AVX2 with FMA,
//!    NEON and plain Rust. In bf16 ([`Precision`]) the same bodies multiply pairs of channels, on AVX-512 by `vdpbf16ps`. Which kernels run a layer
//!    is a [`Choice`]: by rule, or by measuring once on this machine ([`Computation`]).
//!
//! # What holds
//!
//! - **Determinism.** Same description, weights, data and instruction set give the same bits, whatever the number of threads: jobs are cut by the shape
//!   alone, and their partial sums are added in a fixed order.
//! - **Sizes.** Any batch, height and width; for networks with [`Op::MaxPool2d`], which never halves an odd size, multiples of
//!   [`Network::multiple_of`]. What a layer cannot take is refused with its name; padding is the caller's.
//! - **Errors.** Bad descriptions, shapes and weights come back as typed errors that name layer or key. A run whose input, result, loss or gradients
//!   hold NaN or infinity is refused with the layer where it arose; what later layers absorb (a saturating activation, a minus infinity under a maximum) passes.
//! - **Unsafe** code is in the kernels only. Every operation checks its views against the arena once per call; a tile stays inside its views.
//!
//! The instruction set is the best that the processor has, or [`Options::isa`], or the environment variable `HILUM_NN_ISA`.

pub mod graph;
pub mod loss;
pub mod nets;
pub mod network;
pub mod onnx;
pub mod onnx_in;
pub mod optim;
pub mod plan;
pub mod schedule;
pub mod state_dict;
pub mod weights;

mod geometry;
mod kernels;
mod layer_text;
mod op;
mod reuse;

pub use graph::Shape;
pub use kernels::Isa;
pub use loss::{Activation, Loss, LossConfig, LossError, Scope, Target, Term};
pub use nets::{
    CnnGru, DenseNet, InceptionResNetV2, ResNet, Scores, UNet2d, UNet3d, cnn_gru, densenet, inception_resnet_v2,
    resnet, unet2d, unet3d,
};
pub use network::{Layer, Network, NetworkBuilder, NetworkError};
pub use onnx_in::OnnxError;
pub use op::{Convolution, NORM_EPS, Op, Pooling, Recurrence};
pub use optim::{
    AdamConfig, AdamWConfig, Clipping, Optimiser, OptimiserError, OptimiserState, SgdConfig, StateError, Update,
};
pub use plan::{
    Act, Algorithm, Basis, Choice, Choices, CompileError, Computation, Cost, Difference, Inference, InputShape, Kernel,
    LayerChoice, Options, Parity, ParityError, Precision, RunError, Trainer, VolumeShape,
};
pub use schedule::{Schedule, ScheduleError};
pub use state_dict::{StateDict, StateDictError};
pub use weights::{KeyMap, KeyReport, KeyRule, Tensor, Weights, WeightsError};
