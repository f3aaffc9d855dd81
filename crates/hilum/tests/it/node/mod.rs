//! The DICOM network node and the commands that talk to peers.

mod callers;
mod configuration;
mod dcmtk;
mod fetching;
mod forwarding;
mod pulling;
mod retrieving;
mod searching;
mod sending;
mod site;
mod stopping;
mod worklist;
