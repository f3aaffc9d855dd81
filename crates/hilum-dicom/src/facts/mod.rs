//! What the platform needs to know of one instance, all text in UTF-8.

mod frames;
mod read;
mod types;
mod value;

pub use read::{DicomError, read_facts, read_sop_uid};
pub use types::{
    Attribute, EquipmentFacts, FactFinding, FactProblem, FrameFacts, ImageFacts, InstanceFacts, PatientFacts,
    RequestFacts, Rescale, SeriesFacts, StudyFacts,
};
