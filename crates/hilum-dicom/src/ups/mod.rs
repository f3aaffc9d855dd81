//! Unified Procedure Steps (PS3.4 Annex CC): what a work item must say when it is created, changed and ended, which states follow each other,
//! and what subscribers are told. Pure rules over data sets of text; who keeps work items, and whose they are, is not known here.

mod error;
mod event;
mod requirements;
mod rules;
mod state;

pub use error::StepError;
pub use event::{Notice, NoticeKind, WELL_KNOWN_EVENTS, scp_status};
pub use requirements::{AtCreate, AtEnd, AtSet, REQUIREMENTS, Requirement};
pub use rules::{Created, check_cancel_request, check_changes, check_final_state, check_new, put_changes};
pub use state::{StepState, Transition, transition};

/// SOP Class UID of every work item, whichever of the classes it is spoken of by (PS3.4 CC.3.1).
pub const PUSH: &str = dicom_dictionary_std::uids::UNIFIED_PROCEDURE_STEP_PUSH;
/// The well-known UID of the whole worklist (PS3.4 CC.2.3.2).
pub const WORKLIST: &str = "1.2.840.10008.5.1.4.34.5";
/// The well-known UID of what a filter leaves of the worklist (PS3.4 CC.2.3.3.1).
pub const FILTERED_WORKLIST: &str = "1.2.840.10008.5.1.4.34.5.1";
