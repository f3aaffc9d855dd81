//! The server over a real socket, on a real engine in a temporary folder.

mod access;
mod api;
mod client;
mod clients;
mod events;
mod guard;
mod hostile;
mod https;
mod limits;
mod mixed;
mod native_model;
mod openapi;
mod openid;
mod oracle;
#[path = "../../../hilum-dimse/tests/ports/mod.rs"]
mod ports;
#[path = "../../../hilum-engine/tests/postgres/mod.rs"]
#[allow(dead_code, reason = "each that includes it needs some of it")]
mod postgres;
mod proxy;
mod review;
#[path = "../../../hilum-engine/tests/s3/mod.rs"]
#[allow(dead_code, reason = "each that includes it needs some of it")]
mod s3;
mod second_factor;
mod sign_in;
mod slow;
mod stow;
mod synthetic;
mod ups;
mod wado;
