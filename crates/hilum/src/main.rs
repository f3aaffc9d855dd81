//! The Hilum binary.
fn main() {}
