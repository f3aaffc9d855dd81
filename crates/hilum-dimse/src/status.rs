//! The one table from what happened to the DIMSE status that the sender hears.

use crate::service::{Refusal, StoreOutcome};

/// A DIMSE status code (0000,0900), with the Error Comment (0000,0902) that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// (0000,0900)
    pub code: u16,
    /// (0000,0902), LO: at most 64 characters of the default repertoire; empty when the code says all.
    pub comment: &'static str,
}

impl Status {
    /// 0000: success.
    pub const SUCCESS: Self = Self::new(0x0000, "");
    /// 0117: the SOP Instance UID breaks the rules for UIDs (PS3.7 C.5.8).
    pub const INVALID_SOP_INSTANCE: Self = Self::new(0x0117, "affected SOP instance UID is not a valid UID");
    /// 0122: the SOP class is not the one of the presentation context (PS3.7 C.5.17).
    pub const SOP_CLASS_NOT_SUPPORTED: Self = Self::new(0x0122, "SOP class is not the one of the presentation context");
    /// 0211: this service is not offered here (PS3.7 C.5.26).
    pub const UNRECOGNIZED_OPERATION: Self =
        Self::new(0x0211, "this service is not offered on this presentation context");
    /// 0212: a required field of the command is missing (PS3.7 C.5.16).
    pub const MISTYPED_ARGUMENT: Self = Self::new(0x0212, "a required command field or the data set is missing");
    /// A700: larger than the limit.
    pub const TOO_LARGE: Self = Self::new(0xA700, "instance is larger than the configured limit");

    /// FF00: a match or a sub-operation, and more may follow.
    pub const PENDING: Self = Self::new(0xFF00, "");
    /// FF01: the same, and some of the keys are not supported (PS3.4 Table C.4-1).
    pub const PENDING_UNSUPPORTED_KEYS: Self = Self::new(0xFF01, "");
    /// FE00: ended by a C-CANCEL.
    pub const CANCELLED: Self = Self::new(0xFE00, "");
    /// B000: some sub-operations failed or ended with a warning (PS3.4 Table C.4-2).
    pub const SUB_OPERATIONS_FAILED: Self = Self::new(0xB000, "some sub-operations failed or ended with a warning");
    /// A702: no sub-operation could be performed.
    pub const UNABLE_TO_PERFORM: Self = Self::new(0xA702, "no sub-operation could be performed");
    /// A801: the move destination is not known.
    pub const MOVE_DESTINATION_UNKNOWN: Self = Self::new(0xA801, "the move destination is not known here");
    /// A900: the identifier does not fit the SOP class.
    pub const IDENTIFIER_DOES_NOT_MATCH: Self = Self::new(0xA900, "the identifier does not fit the model or its level");
    /// C000: the identifier cannot be read.
    pub const CANNOT_UNDERSTAND: Self = Self::new(0xC000, "the identifier cannot be read");
    /// C001: a match cannot be put into words; our fault.
    pub const UNABLE_TO_PROCESS: Self = Self::new(0xC001, "processing failure");
    /// 0110: it failed for a reason of ours (PS3.7 C.5.21).
    pub const PROCESSING_FAILURE: Self = Self::new(0x0110, "processing failure");
    /// 0112: there is no such SOP instance (PS3.7 C.5.13).
    pub const NO_SUCH_INSTANCE: Self = Self::new(0x0112, "");
    /// 0115: an argument has a value that is not allowed (PS3.7 C.5.10).
    pub const INVALID_ARGUMENT: Self = Self::new(0x0115, "the data set cannot be read or names nothing");
    /// 0123: no such action (PS3.7 C.5.14).
    pub const NO_SUCH_ACTION: Self = Self::new(0x0123, "");
    /// 0113: no such event (PS3.7 C.5.12).
    pub const NO_SUCH_EVENT: Self = Self::new(0x0113, "");

    const fn new(code: u16, comment: &'static str) -> Self {
        assert!(comment.len() <= 64);
        Self { code, comment }
    }
}

/// PS3.4 Table B.2-1. A duplicate is a success, as that table has no code for it (0111 belongs to N-CREATE): the sender's wish is
/// fulfilled. An instance in quarantine is durable but did not replace the one kept under its UID: a warning, so that nobody
/// resends for ever and somebody looks; B000 is the table's only warning that does not speak of lost or mismatched attributes.
impl From<StoreOutcome> for Status {
    fn from(outcome: StoreOutcome) -> Self {
        match outcome {
            StoreOutcome::Kept | StoreOutcome::AlreadyThere => Self::SUCCESS,
            StoreOutcome::Quarantined => Self::new(0xB000, "quarantined: another data set has this SOP instance UID"),
            StoreOutcome::OutOfResources => Self::new(0xA700, "out of storage"),
            StoreOutcome::DoesNotMatch => {
                Self::new(0xA900, "data set is of another SOP class or instance than the command")
            }
            StoreOutcome::CannotUnderstand => Self::new(0xC000, "data set cannot be read"),
            StoreOutcome::NotAuthorized => Self::new(0x0124, "not authorized"),
            StoreOutcome::Failed => Self::PROCESSING_FAILURE,
        }
    }
}

/// PS3.4 Table C.4-1 and C.4-2.
impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::OutOfResources => Self::new(0xA700, "out of resources"),
            Refusal::DoesNotMatch => Self::IDENTIFIER_DOES_NOT_MATCH,
            Refusal::CannotUnderstand => Self::CANNOT_UNDERSTAND,
            Refusal::NotAuthorized => Self::new(0x0124, "not authorized"),
            Refusal::Failed => Self::UNABLE_TO_PROCESS,
        }
    }
}

/// What kind of answer a status is (PS3.7 Annex C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusClass {
    /// Done.
    Success,
    /// Done, with a reserve.
    Warning,
    /// More follows.
    Pending,
    /// Ended by a C-CANCEL.
    Cancelled,
    /// Not done.
    Failure,
}

impl StatusClass {
    /// Of a status code (0000,0900).
    pub fn of(code: u16) -> Self {
        match code {
            0x0000 => Self::Success,
            0x0001 | 0x0107 | 0x0116 | 0xB000..=0xBFFF => Self::Warning,
            0xFF00 | 0xFF01 => Self::Pending,
            0xFE00 => Self::Cancelled,
            _ => Self::Failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_told_only_of_what_is_durable_under_its_own_uid() {
        let told = |outcome| Status::from(outcome).code;
        assert_eq!(told(StoreOutcome::Kept), 0x0000);
        assert_eq!(told(StoreOutcome::AlreadyThere), 0x0000);
        assert_eq!(told(StoreOutcome::Quarantined), 0xB000);
        assert_eq!(told(StoreOutcome::OutOfResources), 0xA700);
        assert_eq!(told(StoreOutcome::DoesNotMatch), 0xA900);
        assert_eq!(told(StoreOutcome::CannotUnderstand), 0xC000);
        assert_eq!(told(StoreOutcome::NotAuthorized), 0x0124);
        assert_eq!(told(StoreOutcome::Failed), 0x0110);
    }
}
