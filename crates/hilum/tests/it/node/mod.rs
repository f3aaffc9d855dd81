//! The DICOM network node and the commands that talk to peers.

mod callers;
mod configuration;
mod dcmtk;
mod fetching;
