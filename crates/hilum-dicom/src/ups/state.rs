//! States of a work item and what may follow each (PS3.4 Tables CC.1.1-1 and CC.1.1-2).

use super::error::StepError;
use std::fmt;
use std::str::FromStr;

/// Procedure Step State (0074,1000).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepState {
    /// Waits for a performer.
    Scheduled,
    /// A performer has claimed it.
    InProgress,
    /// Done.
    Completed,
    /// Stopped for ever.
    Canceled,
}

/// A text that is no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a state is SCHEDULED, IN PROGRESS, COMPLETED or CANCELED")]
pub struct NoState;

impl StepState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Scheduled, Self::InProgress, Self::Completed, Self::Canceled];

    /// The term of the standard.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "SCHEDULED",
            Self::InProgress => "IN PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Canceled => "CANCELED",
        }
    }

    /// Whether nothing follows it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Canceled)
    }
}

impl fmt::Display for StepState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StepState {
    type Err = NoState;

    fn from_str(text: &str) -> Result<Self, NoState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text.trim_matches(' ')).ok_or(NoState)
    }
}

/// What a request to change the state comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The state changes; to a final one only where the data set meets its requirements.
    To(StepState),
    /// It has this final state already (warnings B304 and B306).
    Already(StepState),
}

/// PS3.4 Table CC.1.1-2: what happens to a work item in a state, claimed under a Transaction UID or not, when somebody who names one
/// wants another state.
pub fn transition(
    state: StepState,
    claimed_under: Option<&str>,
    wanted: StepState,
    named: &str,
) -> Result<Transition, StepError> {
    use StepState::{Canceled, Completed, InProgress, Scheduled};
    match (state, wanted) {
        (_, Scheduled) => Err(StepError::OnlyByCreation),
        (Scheduled, InProgress) => Ok(Transition::To(InProgress)),
        (Scheduled, Completed | Canceled) => Err(StepError::NotInProgress),
        (InProgress, InProgress) => Err(StepError::InProgress),
        (InProgress, Completed | Canceled) if claimed_under == Some(named) => Ok(Transition::To(wanted)),
        (InProgress, Completed | Canceled) => Err(StepError::WrongTransaction),
        (Completed, Completed) | (Canceled, Canceled) => Ok(Transition::Already(state)),
        (Completed | Canceled, _) => Err(StepError::Ended(state)),
    }
}
