//! One binary: links once.

mod gradients;
mod reference;
mod training;
