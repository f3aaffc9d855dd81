//! The trail as the engine's callers write and read it.

use super::event::{Action, AuditEvent, Detail, Outcome, UnknownWord};
use super::witness::{HEAD_FILE, keep_lost, noted};
use crate::access::{AccountId, Permission, Scope};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::views::Page;
use hilum_dicom::StudyUid;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::str::FromStr;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// The kind of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// Somebody who signed in, or a program with one of their tokens.
    Account,
    /// An application entity.
    Peer,
    /// A command on this machine.
    Console,
    /// The engine itself.
    System,
    /// Nobody that is known.
    Stranger,
}

impl ActorKind {
    /// The word for it, as [`Actor::kind`](crate::Actor::kind) says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Peer => "peer",
            Self::Console => "console",
            Self::System => "system",
            Self::Stranger => "stranger",
        }
    }
}

impl FromStr for ActorKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Account, Self::Peer, Self::Console, Self::System, Self::Stranger]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownWord::ACTOR)
    }
}

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditActor {
    /// What it is.
    pub kind: ActorKind,
    /// Number of the account or AE title of the peer.
    pub id: Option<String>,
    /// Login of the account, as it is now; it is not part of the trail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An event as a listing shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditView {
    /// Its place in the trail; the first one is 1.
    pub number: i64,
    /// RFC 3339.
    pub at: String,
    /// Who.
    pub actor: AuditActor,
    /// From which IP address, if over a network.
    pub address: Option<String>,
    /// In which request, if over HTTP.
    pub request: Option<String>,
    /// What.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// With whose data; none where it concerns the installation.
    pub institution: Option<String>,
    /// Study Instance UIDs.
    pub studies: Vec<String>,
    /// What else there is to say.
    pub detail: Detail,
    /// The process that wrote it.
    pub process: String,
    /// SHA-256 of the event and of the one before it, hexadecimal.
    pub hash: String,
}

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct AuditSearch {
    /// Of this action.
    pub action: Option<Action>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// By actors of this kind.
    pub actor_kind: Option<ActorKind>,
    /// By this one: number of an account or AE title of a peer.
    pub actor: Option<String>,
    /// That name this study.
    pub study: Option<StudyUid>,
    /// Then or later.
    pub from: Option<OffsetDateTime>,
    /// Before then.
    pub to: Option<OffsetDateTime>,
    /// [`Page::next`] of the page before.
    pub after: Option<String>,
    /// Rows a page, 1 to 1000; 100 when absent.
    pub limit: Option<u32>,
}

impl Engine {
    /// Writes an event; it is durable when this returns. For what changes, hands out or refuses something: write first, then tell.
    pub async fn audit(&self, event: AuditEvent) -> Result<(), EngineError> {
        Ok(self.catalog().record_events(&[event]).await?)
    }

    /// Writes several events in one go.
    pub async fn audit_all(&self, events: &[AuditEvent]) -> Result<(), EngineError> {
        Ok(self.catalog().record_events(events).await?)
    }

    /// Writes an event within a second. The same by the same actor within a minute is one event; of searches, receptions and refusals a
    /// second one says after that minute how many more there were. Waits where too much is to be written, and is refused where nothing
    /// can be.
    pub async fn audit_soon(&self, event: AuditEvent) -> Result<(), EngineError> {
        self.gatherer().gather(event).await
    }

    /// Notes that a caller was refused: the first time durably, then as [`Self::audit_soon`], so that nobody fills the disk by asking again
    /// and again. For what the engine itself never sees: an unknown peer, a missing token, a role that does not suffice.
    pub async fn audit_refusal(&self, event: AuditEvent) -> Result<(), EngineError> {
        let event = event.ended(Outcome::Refused);
        self.gatherer().gather(event).await?;
        self.flush_audit().await
    }

    /// A page of the trail, the last event first: of the institutions where the caller may read it, and of no institution where it may
    /// read all of them. Reading is an event, too.
    pub async fn audit_trail(&self, scope: &Scope, search: &AuditSearch) -> Result<Page<AuditView>, EngineError> {
        let read = AuditEvent::by(scope, Action::AuditRead).of(scope.home().clone());
        let allowed = scope.require(Permission::Audit);
        self.judged(read.clone(), Permission::Audit, allowed).await?;
        self.flush_audit().await?;
        let mut page = self.catalog().audit_page(scope, search).await?;
        self.name_actors(scope, &mut page.items).await?;
        self.audit_soon(read).await?;
        Ok(page)
    }

    async fn name_actors(&self, scope: &Scope, events: &mut [AuditView]) -> Result<(), EngineError> {
        let mut logins = HashMap::new();
        for actor in events.iter_mut().map(|event| &mut event.actor).filter(|actor| actor.kind == ActorKind::Account) {
            let Some(id) = actor.id.as_deref().and_then(|id| id.parse().ok()) else { continue };
            if let Entry::Vacant(unknown) = logins.entry(id) {
                unknown.insert(self.catalog().account(scope, AccountId(id)).await?.map(|account| account.login));
            }
            actor.name = logins.get(&id).cloned().flatten();
        }
        Ok(())
    }

    /// Writes what was gathered, now.
    pub async fn flush_audit(&self) -> Result<(), EngineError> {
        self.gatherer().flush(false).await
    }

    /// Ends this process's part of the trail: what was gathered is written, the end noted, and a syslog server given a moment to take what it has
    /// not taken yet; then the catalogue is closed, and answers nothing any more. Call it before the process ends; a process that is killed loses at
    /// most the last second of reads.
    pub async fn close(&self) {
        self.caught_up().await;
        let written = async {
            self.gatherer().flush(true).await?;
            if self.catalog().writes_audit() {
                self.audit(AuditEvent::new(crate::Actor::System, Action::ProcessEnd)).await?;
            }
            Ok::<_, EngineError>(())
        };
        if let Err(error) = written.await {
            tracing::error!(code = error.code(), "the end of the audit trail of this process could not be written");
        }
        self.witness().settle().await;
        self.catalog().close().await;
    }

    /// The event that the data folder noted last must still be in the trail.
    pub(crate) async fn expect_noted_event(&self) -> Result<(), EngineError> {
        let folder = self.data_dir();
        let Some(noted) = noted(&folder.join(HEAD_FILE)) else { return Ok(()) };
        if !self.catalog().has_event(&noted).await? {
            tracing::error!(
                event = noted.number,
                "an event that was in the audit trail is not there any more; `hilum audit verify` says where it breaks"
            );
            keep_lost(folder);
        }
        Ok(())
    }

    /// Passes an outcome on; one that is a refusal is written first.
    pub(crate) async fn judged<T, E>(
        &self,
        event: AuditEvent,
        permission: Permission,
        outcome: Result<T, E>,
    ) -> Result<T, E>
    where
        E: Refusal,
    {
        if let Err(error) = &outcome
            && error.is_refusal()
        {
            let detail = Detail { permission: Some(permission), ..event.detail.clone() };
            if let Err(error) = self.audit_refusal(event.with(detail)).await {
                // The caller is refused either way.
                tracing::error!(code = error.code(), "a refusal could not be written into the audit trail");
            }
        }
        outcome
    }
}

/// Tells a refusal from what else may go wrong.
pub(crate) trait Refusal {
    fn is_refusal(&self) -> bool;
}

impl Refusal for EngineError {
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Forbidden)
    }
}

impl Refusal for crate::error::AcceptError {
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Forbidden)
    }
}

impl Refusal for crate::export::ExportError {
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Engine(error) if error.is_refusal())
    }
}
