//! The names that this process gives to its objects, and from which of them on the next start has to look.
//!
//! Names are version 7 UUIDs (RFC 9562), each greater than the one before. A file among the process's incoming ones holds one of
//! them: everything this process kept under a lesser one has its row or is gone. So a start lists what a process that died kept
//! lately, and never the whole bucket.

use crate::storage::{StorageError, sync_folder};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::{Builder, Uuid};

/// The file's name.
const SINCE: &str = "bucket";
/// The file is written again after so many objects.
const ADVANCE: u32 = 1000;

#[derive(Debug)]
pub(super) struct Keys {
    incoming: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Uuid>,
    /// Names that are given away, whose objects have no row yet, or are not known to be gone.
    open: BTreeSet<Uuid>,
    marked: bool,
    since_marked: u32,
}

impl Keys {
    pub(super) fn new(incoming: PathBuf) -> Self {
        Self { incoming, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new name; whatever becomes of its object, the next start would find it.
    pub(super) fn begin(&self) -> Result<Uuid, StorageError> {
        let mut state = self.state();
        let name = after(state.last, now());
        state.last = Some(name);
        state.open.insert(name);
        if !state.marked || state.since_marked >= ADVANCE {
            let first = state.open.first().copied().unwrap_or(name);
            if let Err(error) = mark(&self.incoming, first) {
                state.open.remove(&name);
                return Err(error);
            }
            (state.marked, state.since_marked) = (true, 0);
        }
        state.since_marked += 1;
        Ok(name)
    }

    /// The object has its row, or is known to be gone.
    pub(super) fn settled(&self, name: Uuid) {
        self.state().open.remove(&name);
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.marked
            && state.open.is_empty()
            && let Err(error) = fs::remove_file(self.incoming.join(SINCE))
        {
            tracing::debug!(kind = ?error.kind(), "the next start looks for objects without a row that are not there");
        }
    }
}

/// From which name on a process that is gone kept objects that may have no row.
pub(in crate::storage) fn since(incoming: &Path) -> Option<Uuid> {
    match fs::read_to_string(incoming.join(SINCE)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        // Where it cannot be read, from the first one on.
        text => Some(text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(Uuid::nil())),
    }
}

fn mark(incoming: &Path, since: Uuid) -> Result<(), StorageError> {
    let failed = || StorageError::during("note which objects of the bucket are under way");
    let new = incoming.join(format!(".{SINCE}"));
    let mut file = File::create(&new).map_err(failed())?;
    writeln!(file, "{since}").and_then(|()| file.sync_all()).map_err(failed())?;
    fs::rename(&new, incoming.join(SINCE)).map_err(failed())?;
    sync_folder(incoming)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// A name greater than `last`, also where the clock was set back: a counter in `rand_a` orders those of one millisecond (RFC 9562 6.2,
/// method 1).
fn after(last: Option<Uuid>, now: u64) -> Uuid {
    let (mut millis, mut counter) = (now, 0);
    if let Some(last) = last {
        let bits = last.as_u128();
        let (then, count) = ((bits >> 80) as u64, ((bits >> 64) & 0xFFF) as u16);
        if then >= now {
            (millis, counter) = if count == 0xFFF { (then + 1, 0) } else { (then, count + 1) };
        }
    }
    let mut random = [0; 10];
    random.copy_from_slice(&Uuid::new_v4().as_bytes()[6..]);
    random[..2].copy_from_slice(&counter.to_be_bytes());
    // The version and variant bits of the random UUID are overwritten by those of this one.
    random[2] = Uuid::new_v4().as_bytes()[0];
    Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_grow_within_a_millisecond_and_when_the_clock_is_set_back() {
        let clock = std::iter::repeat_n(5, 5000).chain([4, 3, 0]).chain(std::iter::repeat_n(1 << 40, 3));
        let mut last = None;
        for now in clock {
            let name = after(last, now);
            assert_eq!((name.get_version_num(), name.get_variant()), (7, uuid::Variant::RFC4122));
            assert!(last.is_none_or(|last| last < name && last.to_string() < name.to_string()), "{last:?} {name}");
            last = Some(name);
        }
    }

    #[test]
    fn what_has_no_row_holds_the_point_back_and_an_orderly_end_leaves_none() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::new(folder.path().to_owned());
        let names: Vec<Uuid> = (0..ADVANCE + 2).map(|_| keys.begin().unwrap()).collect();
        assert_eq!(since(folder.path()), Some(names[0]));
        names[1..].iter().for_each(|name| keys.settled(*name));
        (0..=ADVANCE).for_each(|_| keys.settled(keys.begin().unwrap()));
        assert_eq!(since(folder.path()), Some(names[0]), "the first has no row");
        keys.settled(names[0]);
        let later: Vec<Uuid> = (0..=ADVANCE).map(|_| keys.begin().unwrap()).collect();
        assert!(since(folder.path()).unwrap() > names[ADVANCE as usize + 1]);
        for name in later {
            keys.settled(name);
        }
        drop(keys);
        assert_eq!(since(folder.path()), None);
    }
}
