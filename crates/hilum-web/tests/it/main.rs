//! The server over a real socket, on a real engine in a temporary folder.

mod api;
mod client;
mod guard;
mod stow;
mod synthetic;
