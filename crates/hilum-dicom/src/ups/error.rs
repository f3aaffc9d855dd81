//! Why a work item is not created or changed. Names attributes, never their values.

use super::state::StepState;
use dicom_core::Tag;

/// A refusal, by the failure that PS3.4 names for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// C300.
    #[error("the work item is {0} and may no longer be changed")]
    Ended(StepState),
    /// C301, and none was given.
    #[error("the Transaction UID is missing: whoever claimed the work item names the one that it was claimed with")]
    NoTransaction,
    /// C301.
    #[error("the Transaction UID is not the one that the work item was claimed with")]
    WrongTransaction,
    /// C302.
    #[error("the work item is IN PROGRESS already: somebody else has claimed it")]
    InProgress,
    /// C303.
    #[error("a work item becomes SCHEDULED by being created, and in no other way")]
    OnlyByCreation,
    /// C304.
    #[error("{0}: without a value the work item cannot end so (PS3.4 Table CC.2.5-3)")]
    NotMet(Tag),
    /// C310.
    #[error("the work item is not IN PROGRESS: claim it first")]
    NotInProgress,
    /// C312.
    #[error("nobody who performs the work item can be told: nobody has subscribed to it")]
    NobodyToTell,
    /// An attribute without which there is no work item.
    #[error("{0}: a work item states it (PS3.4 Table CC.2.5-3)")]
    Missing(Tag),
    /// An attribute that is not for the caller to state.
    #[error("{0}: it cannot be stated here (PS3.4 Table CC.2.5-3)")]
    NotAllowed(Tag),
    /// A value that cannot be one.
    #[error("{tag}: expected {expected}")]
    Value {
        /// The attribute.
        tag: Tag,
        /// What was due.
        expected: &'static str,
    },
}

impl StepError {
    /// Whether the request is a bad one (PS3.18 Tables 11.6.3-1 and 11.7.3-1), rather than one that the work item's state does not allow.
    pub fn is_of_the_request(&self) -> bool {
        matches!(
            self,
            Self::Missing(_) | Self::NotAllowed(_) | Self::Value { .. } | Self::NoTransaction | Self::WrongTransaction
        )
    }

    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ended(_) => "work_item_ended",
            Self::NoTransaction => "transaction_uid_missing",
            Self::WrongTransaction => "transaction_uid_wrong",
            Self::InProgress => "work_item_in_progress",
            Self::OnlyByCreation => "scheduled_by_creation_only",
            Self::NotMet(_) => "final_state_not_met",
            Self::NotInProgress => "work_item_not_claimed",
            Self::NobodyToTell => "performer_cannot_be_told",
            Self::Missing(_) => "attribute_missing",
            Self::NotAllowed(_) => "attribute_not_allowed",
            Self::Value { .. } => "attribute_unreadable",
        }
    }
}
