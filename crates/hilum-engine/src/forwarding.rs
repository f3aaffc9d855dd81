//! Forwards, as a worker that sends and a person who looks see them. The engine keeps what is due; who sends is the caller's.

use crate::access::{Permission, Scope};
use crate::archive::StoredInstance;
use crate::audit::{Action, AuditEvent, Detail};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::views::Page;
use hilum_dicom::AeTitle;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a forward stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardState {
    /// Due, or due again at its next try.
    Waiting,
    /// The peer has it.
    Sent,
    /// The peer refused it so often that it is not asked again by itself.
    Failed,
}

impl ForwardState {
    /// The word used in the catalogue and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        [Self::Waiting, Self::Sent, Self::Failed].into_iter().find(|state| state.as_str() == word)
    }
}

/// An instance that is to be sent now.
#[derive(Clone, Debug)]
pub struct DueForward {
    /// Row id.
    pub row: i64,
    /// What to send.
    pub instance: StoredInstance,
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardOutcome {
    /// The peer has it.
    Sent,
    /// The peer does not take it, or broke off while it received it; without identity. After many of these it is given up.
    Refused {
        /// Why.
        reason: String,
    },
    /// The peer was not reached; without identity. Tried again for ever.
    NotReached {
        /// Why.
        reason: String,
    },
}

/// The end of one try.
#[derive(Clone, Debug)]
pub struct ForwardEnd {
    /// [`DueForward::row`].
    pub row: i64,
    /// How it ended.
    pub outcome: ForwardOutcome,
}

/// Which forwards to list.
#[derive(Clone, Debug, Default)]
pub struct ForwardSearch {
    /// In this state.
    pub state: Option<ForwardState>,
    /// To this peer.
    pub peer: Option<AeTitle>,
    /// [`Page::next`] of the page before.
    pub after: Option<String>,
    /// Rows a page.
    pub limit: Option<u32>,
}

/// A forward as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForwardView {
    /// Row id.
    pub id: i64,
    /// Study Instance UID.
    pub study_uid: String,
    /// SOP Instance UID.
    pub sop_uid: String,
    /// AE title of the peer.
    pub peer: String,
    /// Where it stands.
    pub state: ForwardState,
    /// Tries so far that reached the peer.
    pub tries: u32,
    /// RFC 3339; of no meaning once it is sent.
    pub next_try_at: String,
    /// Why the last try failed.
    pub reason: Option<String>,
    /// RFC 3339.
    pub updated_at: String,
}

impl Engine {
    /// The peers for which something is due, in every institution: for this machine's own worker.
    pub async fn peers_with_due_forwards(&self) -> Result<Vec<AeTitle>, EngineError> {
        self.caught_up().await;
        let scope = self.catalog().system_scope().await?;
        Ok(self.catalog().peers_with_due_forwards(&scope).await?)
    }

    /// What is due for a peer, the oldest first: for this machine's own worker. Sending the same again does no harm, so a worker that dies
    /// before [`Engine::end_forwards`] has lost nothing.
    pub async fn due_forwards(&self, peer: &AeTitle, limit: u32) -> Result<Vec<DueForward>, EngineError> {
        self.caught_up().await;
        let scope = self.catalog().system_scope().await?;
        Ok(self.catalog().due_forwards(&scope, peer, limit).await?)
    }

    /// Writes how tries ended.
    pub async fn end_forwards(&self, ends: &[ForwardEnd]) -> Result<(), EngineError> {
        let scope = self.catalog().system_scope().await?;
        Ok(self.catalog().end_forwards(&scope, ends).await?)
    }

    /// A page of forwards, the latest first.
    pub async fn forwards(&self, scope: &Scope, search: &ForwardSearch) -> Result<Page<ForwardView>, EngineError> {
        self.caught_up().await;
        self.catalog().forwards(scope, search).await
    }

    /// Makes everything that is not sent due now, what was given up too; how many that were.
    pub async fn retry_forwards(&self, scope: &Scope, peer: Option<&AeTitle>) -> Result<u64, EngineError> {
        let detail = Detail { peer: peer.cloned(), ..Detail::default() };
        let event = AuditEvent::by(scope, Action::RetryForwards).of(scope.home().clone()).with(detail);
        self.judged(event.clone(), Permission::Operate, scope.require(Permission::Operate)).await?;
        let retried = self.catalog().retry_forwards(scope, peer).await?;
        self.audit(event).await?;
        Ok(retried)
    }
}
