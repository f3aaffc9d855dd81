//! One binary: links once.

mod gradients;
mod memory;
mod oracle;
mod reference;
mod refusals;
mod training;
mod winograd;
