//! The service over real sockets: the peers' own tools, and peers that misbehave.

mod dcmtk;
mod misbehaviour;
mod pynetdicom;
mod server;
