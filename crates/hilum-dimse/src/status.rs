//! The one table from what happened to the DIMSE status that the sender hears.

use crate::service::StoreOutcome;

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
    pub const UNRECOGNIZED_OPERATION: Self = Self::new(0x0211, "only C-ECHO and C-STORE are served here");
    /// 0212: a required field of the command is missing (PS3.7 C.5.16).
    pub const MISTYPED_ARGUMENT: Self = Self::new(0x0212, "a required command field or the data set is missing");
    /// A700: larger than the limit.
    pub const TOO_LARGE: Self = Self::new(0xA700, "instance is larger than the configured limit");

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
            StoreOutcome::Failed => Self::new(0x0110, "processing failure"),
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
