//! CNN engine for CPUs: network description, static plan, SIMD kernels, training and inference, ONNX out.

pub mod graph;
pub mod loss;
pub mod nets;
pub mod network;
pub mod onnx;
pub mod optim;
pub mod plan;
pub mod weights;

mod kernels;

pub use graph::Shape;
pub use kernels::Isa;
pub use loss::LossConfig;
pub use nets::{UNet2d, unet2d};
pub use network::{Layer, Network, NetworkBuilder, NetworkError, Op};
pub use optim::AdamConfig;
pub use plan::{CompileError, Inference, InputShape, Options, RunError, Trainer};
pub use weights::{Tensor, Weights, WeightsError};
