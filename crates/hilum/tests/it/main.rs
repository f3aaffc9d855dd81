//! The real binary: what it prints, writes and exits with.

mod accounts;
mod audit;
mod calls;
mod doctor;
mod emr;
mod export;
mod faults;
mod https;
mod import;
mod keys;
mod node;
mod phantom;
#[path = "../../../hilum-dimse/tests/ports/mod.rs"]
mod ports;
mod predict;
mod program;
mod quality;
mod report;
mod rules;
mod s3;
#[path = "../../../hilum-engine/tests/s3/mod.rs"]
#[allow(dead_code, reason = "each that includes it needs some of it")]
mod s3_server;
mod serve;
