//! The server over a real socket, on a real engine in a temporary folder.

mod api;
mod client;
mod clients;
mod guard;
mod native_model;
mod oracle;
mod slow;
mod stow;
mod synthetic;
mod wado;
