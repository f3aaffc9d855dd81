//! The service over real sockets: the peers' own tools, and peers that misbehave.

mod archive;
mod breaking;
mod crowding;
mod dcmtk;
mod fuzz;
mod misbehaviour;
mod policy;
#[path = "../ports/mod.rs"]
mod ports;
mod provider;
mod pynetdicom;
mod server;
mod tls;
mod user;
