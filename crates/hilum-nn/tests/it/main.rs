//! One binary: links once.

mod gradients;
mod losses;
mod memory;
mod onnx_in;
mod optimisers;
mod oracle;
mod pytorch;
mod readme;
mod reference;
mod refusals;
mod schedules;
mod training;
mod weights_in;
mod winograd;
