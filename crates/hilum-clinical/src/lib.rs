//! Finding to measurement: urinary stones, pure code.
