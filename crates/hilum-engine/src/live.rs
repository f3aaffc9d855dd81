//! What changes in the study list, told as it happens.
//!
//! One loop a process asks the catalogue for what changed since it last asked, as long as somebody listens, and tells all who do. The
//! catalogue is asked and not the process itself, for other processes receive and read as well. What a listener may not know of is not told
//! it. Nothing that is told names a patient.

use crate::access::{InstitutionCode, Permission, Scope};
use crate::catalog::now;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::views::StudyChange;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};

/// How often the catalogue is asked.
const EVERY: Duration = Duration::from_millis(700);
/// Changes are looked for again for so long, ms: clocks of machines differ, and a change is told of after its time.
const OVERLAP_MS: i64 = 3_000;
/// Studies of one answer.
const AT_ONCE: u32 = 1_000;
/// Answers that a slow listener may be behind.
const BEHIND: usize = 64;

type Told = Arc<Vec<(InstitutionCode, StudyChange)>>;

/// Who listens.
#[derive(Debug)]
pub(crate) struct Live {
    told: broadcast::Sender<Told>,
    asking: AtomicBool,
}

impl Default for Live {
    fn default() -> Self {
        Self { told: broadcast::channel(BEHIND).0, asking: AtomicBool::new(false) }
    }
}

/// What a listener hears next.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// These studies changed.
    Changed(Vec<StudyChange>),
    /// More changed than could be told: look at the list again.
    Missed,
}

/// The changes of a caller's institutions, from now on.
#[derive(Debug)]
pub struct Listening {
    heard: broadcast::Receiver<Told>,
    scope: Scope,
}

impl Listening {
    /// The next changes; `None` when the engine has stopped.
    pub async fn next(&mut self) -> Option<News> {
        loop {
            match self.heard.recv().await {
                Ok(told) => {
                    let own = seen_by(&self.scope, &told);
                    if !own.is_empty() {
                        return Some(News::Changed(own));
                    }
                }
                Err(RecvError::Lagged(_)) => return Some(News::Missed),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

fn seen_by(scope: &Scope, told: &[(InstitutionCode, StudyChange)]) -> Vec<StudyChange> {
    let seen = |(institution, _): &&(InstitutionCode, StudyChange)| scope.may(Permission::View, institution);
    told.iter().filter(seen).map(|(_, change)| change.clone()).collect()
}

impl Engine {
    /// Listens to what changes in the studies that the caller may see.
    pub fn listen(&self, scope: &Scope) -> Listening {
        let heard = self.live().told.subscribe();
        if !self.live().asking.swap(true, Ordering::AcqRel) {
            let engine = self.clone();
            tokio::spawn(async move { engine.tell_changes().await });
        }
        Listening { heard, scope: scope.clone() }
    }

    /// What changed since a moment that the caller heard of last (ms since 1970 UTC).
    pub async fn changes_since(&self, scope: &Scope, since: i64) -> Result<News, EngineError> {
        let since = since.saturating_sub(OVERLAP_MS);
        let changes = self.catalog().changes_since(scope, since, AT_ONCE).await?;
        if changes.len() >= AT_ONCE as usize {
            return Ok(News::Missed);
        }
        Ok(News::Changed(changes.into_iter().map(|(_, change)| change).collect()))
    }

    /// Until nobody listens any more.
    async fn tell_changes(self) {
        let mut since = now() - OVERLAP_MS;
        let mut before: HashMap<(InstitutionCode, String), StudyChange> = HashMap::new();
        loop {
            tokio::time::sleep(EVERY).await;
            let live = self.live();
            if live.told.receiver_count() == 0 || self.is_stopping() {
                live.asking.store(false, Ordering::Release);
                // Somebody may have come between the two.
                if self.is_stopping() || live.told.receiver_count() == 0 || live.asking.swap(true, Ordering::AcqRel) {
                    return;
                }
            }
            self.caught_up().await;
            let asked = async {
                let scope = self.catalog().system_scope().await?;
                self.catalog().changes_since(&scope, since, AT_ONCE).await
            };
            let changes = match asked.await {
                Ok(changes) => changes,
                Err(error) => {
                    tracing::debug!(code = error.code(), "changes of the study list cannot be told");
                    continue;
                }
            };
            let last = changes.iter().map(|(_, change)| change.at).max();
            let all = changes.len() < AT_ONCE as usize;
            since = if all { now() - OVERLAP_MS } else { last.unwrap_or(since).max(since + 1) };
            let now: HashMap<_, _> = changes
                .into_iter()
                .map(|(institution, change)| ((institution, change.study_uid.clone()), change))
                .collect();
            let differs = |key: &(InstitutionCode, String), change: &StudyChange| before.get(key) != Some(change);
            let mut fresh: Vec<_> = now
                .iter()
                .filter(|(key, change)| differs(key, change))
                .map(|((institution, _), change)| (institution.clone(), change.clone()))
                .collect();
            before = now;
            fresh.sort_by_key(|(_, change)| change.at);
            if !fresh.is_empty() {
                // Nobody hears it: the next turn ends.
                drop(live.told.send(Arc::new(fresh)));
            }
        }
    }
}
