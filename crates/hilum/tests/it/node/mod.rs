//! The DICOM network node and the commands that talk to peers.

mod callers;
mod configuration;
pub mod dcmtk;
mod fetching;
mod forwarding;
mod promising;
mod pulling;
mod python_peer;
mod retrieving;
mod searching;
mod sending;
pub mod site;
mod stopping;
mod walk;
mod worklist;
