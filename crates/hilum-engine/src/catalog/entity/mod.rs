//! The tables as types. Times are milliseconds since 1970 UTC, dates `YYYY-MM-DD`, JSON columns hold the engine's own types.

pub(crate) mod account;
pub(crate) mod account_link;
pub(crate) mod api_token;
pub(crate) mod audit_event;
pub(crate) mod audit_study;
pub(crate) mod commitment;
pub(crate) mod data_folder;
pub(crate) mod finding;
pub(crate) mod forward;
pub(crate) mod instance;
pub(crate) mod institution;
pub(crate) mod linked_identity;
pub(crate) mod membership;
pub(crate) mod openid_attempt;
pub(crate) mod patient;
pub(crate) mod pulled_study;
pub(crate) mod quarantine;
pub(crate) mod reading;
pub(crate) mod removal;
pub(crate) mod report;
pub(crate) mod series;
pub(crate) mod session;
pub(crate) mod sign_in_failure;
pub(crate) mod study;
pub(crate) mod study_conflict;
pub(crate) mod worklist_item;
