//! One binary: links once.

mod gradients;
mod memory;
mod networks;
mod operators;
mod oracle;
mod oracle_windows;
mod reference;
mod refusals;
mod training;
mod volumes;
mod windows;
