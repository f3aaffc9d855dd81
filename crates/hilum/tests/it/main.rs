//! The real binary: what it prints, writes and exits with.

mod calls;
mod export;
mod faults;
mod import;
mod node;
mod phantom;
mod predict;
mod program;
mod report;
mod serve;
