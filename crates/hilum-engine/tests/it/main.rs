//! The engine through its door: what is kept, what is refused, what is read, and what a crash leaves.

mod accept;
mod access;
mod archive;
mod audit;
mod crash;
mod delete;
mod digests;
mod emr;
mod export;
mod find;
mod fixture;
mod heal;
mod import;
mod journey;
mod keys;
mod names;
mod nifti;
mod node;
#[path = "../../../hilum-dimse/tests/ports/mod.rs"]
mod ports;
mod postgres;
#[path = "../postgres/mod.rs"]
#[allow(dead_code, reason = "each that includes it needs some of it")]
mod postgres_server;
mod promise;
mod pseudonyms;
mod real;
mod report;
mod results;
mod review;
mod s3;
#[path = "../s3/mod.rs"]
#[allow(dead_code, reason = "each that includes it needs some of it")]
mod s3_server;
mod stones;
mod study_list;
mod turns;
mod upkeep;
mod ups;
mod viewer;
