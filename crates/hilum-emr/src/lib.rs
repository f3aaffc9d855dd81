//! Reports as messages to electronic medical records, and what those tell of a patient: HL7 v2 and FHIR R4.
//!
//! Pure: bytes and documents in and out. Who connects, keeps and tries again is the caller's. Which code stands for what is in one table
//! ([`observations`]), which both languages are written from.

pub mod facts;
pub mod fhir;
pub mod hl7;
pub mod observations;

pub use observations::{Observation, Patient, ReportToTell, ResultStatus, Value};
