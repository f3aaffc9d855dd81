//! What is written is read by independent programs (hl7apy, fhir.resources), and what those write is read here.

mod fhir;
mod fhir_told;
mod fixture;
mod hl7;
mod oracle;
mod told;
