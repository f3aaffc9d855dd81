//! One binary: links once.

mod finite;
mod gradients;
mod hostile;
mod interpreted;
mod losses;
mod memory;
mod networks;
mod onnx_exporters;
mod onnx_in;
mod onnx_round_trip;
mod operators;
mod optimisers;
mod oracle;
mod oracle_windows;
mod pytorch;
mod pytorch_networks;
mod readme;
mod reference;
mod refusals;
mod schedules;
mod training;
mod volumes;
mod weights_in;
mod windows;
mod winograd;
