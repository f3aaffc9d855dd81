//! Instances that were acknowledged because their bytes are durable, and whose rows follow.
//!
//! The segment is the log: a record of it says all that its row needs, so success is owed to the sender as soon as the record is
//! durable. Rows are committed many at a time, a moment later; who asks the archive waits for those that were promised before
//! ([`Engine::caught_up`]). What a crash leaves without a row gets it at the next start ([`crate::recovery`]).

use crate::access::{InstitutionCode, Scope};
use crate::catalog::{RecordRequest, Recorded};
use crate::engine::{Engine, Zone};
use crate::error::AcceptError;
use crate::recorder::Outcome;
use crate::recovery::{self, Lost};
use crate::storage::ObjectKey;
use crate::storage::segment::Provenance;
use hilum_dicom::SopUid;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many instances may wait for their rows.
const ROOM: u32 = 512;
/// A sender waits so long for room before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(5);
/// Who asks the archive waits at most so long; beyond, the catalogue cannot write, and what it knows is shown.
const CATCH_UP: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

type Key = (InstitutionCode, Zone, SopUid);

/// What is promised and not yet recorded.
#[derive(Debug)]
pub(crate) struct Promises {
    room: Arc<Semaphore>,
    instances: Mutex<HashMap<Key, u32>>,
}

impl Default for Promises {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(ROOM as usize)), instances: Mutex::default() }
    }
}

impl Promises {
    fn open(&self) -> MutexGuard<'_, HashMap<Key, u32>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_promised(&self, key: &Key) -> bool {
        self.open().contains_key(key)
    }

    fn note(&self, key: Key) {
        *self.open().entry(key).or_default() += 1;
    }

    fn settle(&self, key: &Key) {
        let mut open = self.open();
        let left = open.get_mut(key).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            open.remove(key);
        }
    }
}

/// A place among the promised.
pub(crate) struct Room {
    _place: OwnedSemaphorePermit,
}

impl Engine {
    /// Places for so many more promises; refused when the catalogue has not kept up for a while. All at once: who waited for another place
    /// while it has one would wait for whoever waits for all.
    pub(crate) async fn room_for_promises(&self, count: usize) -> Vec<Result<Room, AcceptError>> {
        let places = Arc::clone(&self.promises().room).acquire_many_owned(count as u32);
        let mut places = tokio::time::timeout(PATIENCE, places).await;
        let mut place = || match &mut places {
            Ok(Ok(places)) => places.split(1).map(|place| Room { _place: place }).ok_or(AcceptError::Aborted),
            Ok(Err(_)) => Err(AcceptError::ShuttingDown),
            Err(_) => Err(AcceptError::CatalogueBehind),
        };
        (0..count).map(|_| place()).collect()
    }

    /// Promises a durable object its row; when this returns, its sender may be told. The row follows whatever happens.
    pub(crate) async fn promise(&self, room: Room, provenance: Provenance, sop: SopUid, request: RecordRequest) {
        request.staged.stay();
        let key = (provenance.institution.clone(), provenance.zone, sop);
        self.promises().note(key.clone());
        let object = request.staged.target().clone();
        let promised = Promised { engine: self.clone(), key, object, provenance, _room: room };
        let recorded = |outcome| match outcome {
            Ok(Recorded::New) => drop(promised),
            outcome => drop(tokio::spawn(promised.keep(outcome))),
        };
        if self.recorder().record_unhurried(request, recorded).await.is_err() {
            tracing::debug!("an acknowledged instance gets its row at the next start");
        }
    }

    /// Every instance that was promised before now has its row, unless the catalogue cannot write.
    pub async fn caught_up(&self) {
        let room = &self.promises().room;
        if room.available_permits() == ROOM as usize {
            return;
        }
        self.recorder().hurry();
        let all = tokio::time::timeout(CATCH_UP, room.acquire_many(ROOM)).await;
        if all.is_err() {
            tracing::warn!("the catalogue is behind what was received; it shows what it knows");
        }
    }

    /// An instance that was promised gets its row before anybody looks whether it is known.
    pub(crate) async fn settled(&self, scope: &Scope, zone: Zone, sop: &SopUid) {
        if self.promises().is_promised(&(scope.home().clone(), zone, sop.clone())) {
            self.caught_up().await;
        }
    }
}

/// An instance that has no row yet. It has one, or is left to the next start, when this is dropped.
struct Promised {
    engine: Engine,
    key: Key,
    object: ObjectKey,
    provenance: Provenance,
    _room: Room,
}

impl Drop for Promised {
    fn drop(&mut self) {
        self.engine.promises().settle(&self.key);
    }
}

impl Promised {
    /// Goes on where the row was not simply a new one.
    async fn keep(self, recorded: Outcome) {
        if matches!(recorded, Ok(Recorded::Healed)) {
            let engine = self.engine.clone();
            drop(self);
            engine.remove_what_was_lost().await;
            return;
        }
        let take_up = || recovery::take_up(&self.engine, &self.object, &self.provenance, Lost::BeforeItsRow);
        let mut outcome = match recorded {
            Ok(Recorded::New | Recorded::Healed) => return,
            // Another sender was first; the object is compared with that one's.
            Ok(Recorded::Taken(_) | Recorded::AsideBefore) => take_up().await,
            Err(error) => Err(error),
        };
        let mut pause = FIRST_PAUSE;
        while let Err(error) = outcome {
            if matches!(error, AcceptError::ShuttingDown) {
                return;
            }
            tracing::error!(code = error.code(), "an acknowledged instance has no row yet; trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            outcome = take_up().await;
        }
    }
}
