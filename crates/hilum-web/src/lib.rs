//! HTTP, and the only crate that knows it: STOW-RS, the application's API and the embedded user interface.
//!
//! The server answers on loopback only until access control exists; [`guard`] keeps web pages of other sites out of it. What an
//! error means in HTTP stands in one table, in [`error`]. Logs hold method, route pattern, status and time, never an address,
//! a body or a name.

mod api;
mod cookie;
mod dicomweb;
mod doors;
mod error;
mod guard;
mod server;
mod ui;

pub use doors::{Door, Needs};
pub use server::{BindError, WebConfig, WebServer};
