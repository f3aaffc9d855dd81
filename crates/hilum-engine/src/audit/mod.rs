//! The audit trail: who did what, when, from where, to which studies; never whose they are.
//!
//! An event is written in one of two ways. What changes, hands out or refuses something is durable before its caller is told
//! ([`Engine::audit`](crate::Engine::audit), or in the transaction of what it tells). What only reads is gathered for at most a second
//! ([`Engine::audit_soon`](crate::Engine::audit_soon)), one event for the same by the same actor within a minute, so that three hundred
//! frames of a series are one view of it.
//!
//! Rows are chained by their hashes ([`chain`]); the last one is noted beside the database ([`witness`]) and may be sent, with all others, to a
//! syslog server ([`syslog`]), which is the witness that nobody on this machine can change.

pub(crate) mod chain;
mod event;
mod gather;
mod hooks;
pub mod syslog;
mod trail;
mod verify;
mod witness;

pub use chain::{AuditHead, Break};
pub use event::{Action, AuditEvent, Code, Detail, KeyTag, Outcome, SettingName, Subject, UnknownWord, Version};
pub(crate) use gather::Gatherer;
pub(crate) use hooks::{Counted, counted};
pub use trail::{ActorKind, AuditActor, AuditSearch, AuditView};
pub use verify::{Verification, verify};
pub(crate) use witness::{Told, Witness};
