//! Finding to measurement: urinary stones, pure code.
//!
//! [`urinary_stone`] measures what a network found, [`guideline`] says what guidelines offer for it, [`report`] is the report as data, [`message`] holds every
//! sentence of a report in Korean and English. Nothing here reads a file, a clock or a network.

pub mod guideline;
pub mod message;
pub mod report;
pub mod urinary_stone;

pub use message::{Label, Language, Message, Statement};
pub use report::UrinaryStoneReport;
