//! Events that nobody waits for: gathered for a moment, and the same by the same actor told once within a window.

use super::event::{Action, AuditEvent, Outcome};
use crate::catalog::Catalog;
use crate::error::EngineError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// How long the same is the same event.
const WINDOW: Duration = Duration::from_mins(1);
/// What was gathered is written this often.
const EVERY: Duration = Duration::from_millis(500);
/// So many events may wait to be written.
const ROOM: usize = 4096;
/// So many windows are open at a time, about; half a kilobyte each.
const LARGEST: usize = 20_000;
/// Who has one more waits so long for room.
const PATIENCE: Duration = Duration::from_secs(5);

/// What makes two events the same: all but their times and how much each stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key(AuditEvent);

impl Key {
    /// The key, and how many instances this one is about.
    fn of(mut event: AuditEvent) -> (Self, u64) {
        let instances = event.detail.instances.take().unwrap_or(0);
        (event.at, event.request, event.detail.times) = (0, None, None);
        (Self(event), instances)
    }

    /// Of these it matters how often, not only that.
    fn is_counted(&self) -> bool {
        let AuditEvent { action, outcome, detail, .. } = &self.0;
        let searched = *action == Action::Query && (detail.text || !detail.keys.is_empty());
        *outcome != Outcome::Done || *action == Action::Receive || searched
    }
}

/// What is known of a key within its window.
#[derive(Debug)]
struct Open {
    opened: Instant,
    /// When the first was that is not written yet.
    at: i64,
    request: Option<uuid::Uuid>,
    times: u64,
    instances: u64,
    /// A place among those that wait to be written; none once the window's first event is.
    waiting: Option<OwnedSemaphorePermit>,
}

impl Open {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.opened) >= WINDOW
    }
}

/// Gathers and writes.
#[derive(Debug)]
pub(crate) struct Gatherer {
    catalog: Catalog,
    open: Mutex<HashMap<Key, Open>>,
    room: Arc<Semaphore>,
    hurry: Arc<Notify>,
    /// One writes at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Gatherer {
    /// Starts the writing task; it ends when the gatherer is gone.
    pub(crate) fn start(catalog: Catalog) -> Arc<Self> {
        let hurry = Arc::new(Notify::new());
        let gatherer = Arc::new(Self {
            catalog,
            open: Mutex::default(),
            room: Arc::new(Semaphore::new(ROOM)),
            hurry: Arc::clone(&hurry),
            turn: tokio::sync::Mutex::default(),
        });
        tokio::spawn(write_forever(Arc::downgrade(&gatherer), hurry));
        gatherer
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Key, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this very event is within its window already; then it counts to it.
    pub(crate) fn joins(&self, event: &AuditEvent) -> bool {
        let (key, instances) = Key::of(event.clone());
        self.joined(&key, instances, event)
    }

    fn joined(&self, key: &Key, instances: u64, event: &AuditEvent) -> bool {
        let mut open = self.open();
        let Some(known) = open.get_mut(key) else { return false };
        if known.waiting.is_none() && known.is_over(Instant::now()) {
            return false;
        }
        if known.times == 0 {
            (known.at, known.request) = (event.at, event.request);
        }
        known.times += 1;
        known.instances += instances;
        true
    }

    /// Takes an event; it is written within a second.
    pub(crate) async fn gather(&self, event: AuditEvent) -> Result<(), EngineError> {
        let (key, instances) = Key::of(event.clone());
        if self.joined(&key, instances, &event) {
            return Ok(());
        }
        let room = Arc::clone(&self.room);
        if room.available_permits() == 0 {
            self.hurry.notify_one();
        }
        let place = tokio::time::timeout(PATIENCE, room.acquire_owned()).await;
        let place = place.map_err(|_| EngineError::AuditBehind)?.map_err(|_| EngineError::AuditBehind)?;
        let counted = key.is_counted();
        let mut open = self.open();
        let known = open.entry(key).or_insert_with(|| Open {
            opened: Instant::now(),
            at: event.at,
            request: event.request,
            times: 0,
            instances: 0,
            waiting: None,
        });
        if known.waiting.is_none() {
            known.opened = Instant::now();
            if known.times == 0 || !counted {
                (known.at, known.request) = (event.at, event.request);
            }
        }
        known.waiting.get_or_insert(place);
        known.times += 1;
        known.instances += instances;
        Ok(())
    }

    /// Writes what waits, and of windows that are over how many more there were; with `all`, of every window.
    pub(crate) async fn flush(&self, all: bool) -> Result<(), EngineError> {
        let _turn = self.turn.lock().await;
        let now = Instant::now();
        let mut due: Vec<(Key, AuditEvent, u64, u64)> = {
            let mut open = self.open();
            // Of the others nothing is left to say. Where there are many, a window ends early, and the same is told again.
            let crowded = open.len() > LARGEST;
            open.retain(|key, known| {
                let unsaid = known.waiting.is_some() || (key.is_counted() && known.times > 0);
                unsaid || (!crowded && !known.is_over(now))
            });
            let due = open.iter().filter(|(key, known)| {
                known.waiting.is_some() || (key.is_counted() && known.times > 0 && (all || known.is_over(now)))
            });
            due.map(|(key, known)| (key.clone(), told(key, known), known.times, known.instances)).collect()
        };
        due.sort_by_key(|(_, event, ..)| event.at);
        let events: Vec<AuditEvent> = due.iter().map(|(_, event, ..)| event.clone()).collect();
        self.catalog.record_events(&events).await?;
        let mut open = self.open();
        for (key, _, times, instances) in due {
            if let Some(known) = open.get_mut(&key) {
                known.waiting = None;
                known.times -= times;
                known.instances -= instances;
            }
        }
        Ok(())
    }
}

/// The event that stands for what is not written yet.
fn told(key: &Key, known: &Open) -> AuditEvent {
    let mut event = key.0.clone();
    (event.at, event.request) = (known.at, known.request);
    event.detail.instances = (known.instances > 0).then_some(known.instances);
    event.detail.times = (key.is_counted() && known.times > 1).then_some(known.times);
    event
}

async fn write_forever(gatherer: Weak<Gatherer>, hurry: Arc<Notify>) {
    loop {
        drop(tokio::time::timeout(EVERY, hurry.notified()).await);
        let Some(gatherer) = gatherer.upgrade() else { return };
        if let Err(error) = gatherer.flush(false).await {
            tracing::error!(code = error.code(), "events of the audit trail wait to be written; trying again");
        }
    }
}
