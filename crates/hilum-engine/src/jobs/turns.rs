//! Whose turn it is: turns go round the institutions that have work, so that none waits for all of another's.

use crate::catalog::{Due, Waiting};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Work that failed is tried again after this long, if it is still due then.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(10);

/// What this process remembers of turns. A restart begins a new round, and nobody waits longer for it than one.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    /// The institution that had the last turn at settling series, and at reading.
    settled: i64,
    read: i64,
    /// Studies whose reading failed as a job, until they are tried again.
    failed: HashMap<i64, Instant>,
}

impl Turns {
    /// Of what waits, at most `most`, in the order of turns.
    pub(super) fn settle(&self, waiting: Vec<Waiting>, most: usize) -> Vec<Due> {
        let remembered = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        round(waiting, most, &mut remembered.settled)
    }

    /// The next study to read, of the first ones of each institution.
    pub(super) fn read(&self, waiting: Vec<Waiting>) -> Option<Due> {
        let remembered = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        round(waiting, 1, &mut remembered.read).pop()
    }

    /// The reading of a study failed as a job: others of its institution come before it is tried again.
    pub(super) fn failed(&self, study_row: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failed.insert(study_row, Instant::now());
    }

    /// Studies that wait to be tried again.
    pub(super) fn held(&self) -> Vec<i64> {
        let failed = &mut self.0.lock().unwrap_or_else(PoisonError::into_inner).failed;
        failed.retain(|_, since| since.elapsed() < RETRY_AFTER);
        failed.keys().copied().collect()
    }
}

/// Goes round the institutions by number, from the one behind `last` on; `last` is afterwards the one that had the last turn.
fn round(waiting: Vec<Waiting>, most: usize, last: &mut i64) -> Vec<Due> {
    let mut lines: BTreeMap<i64, VecDeque<Due>> = BTreeMap::new();
    for Waiting { institution, due } in waiting {
        lines.entry(institution).or_default().push_back(due);
    }
    let mut turns = Vec::new();
    while turns.len() < most {
        let behind = lines.range(*last + 1..).next().or_else(|| lines.iter().next());
        let Some(institution) = behind.map(|(institution, _)| *institution) else { break };
        let line = lines.entry(institution).or_default();
        turns.extend(line.pop_front());
        if line.is_empty() {
            lines.remove(&institution);
        }
        *last = institution;
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// Rows of institution 1 are 1000, 1001 ...
    fn waiting(left: &[VecDeque<i64>]) -> Vec<Waiting> {
        let due = |row: &i64| Waiting { institution: row / 1000, due: Due::Series { row: *row, revision: 1 } };
        left.iter().flatten().map(due).collect()
    }

    proptest! {
        #[test]
        fn whoever_has_work_gets_a_turn_within_as_many_jobs_as_there_are_institutions(
            work in proptest::collection::vec(1_i64..40, 1..8),
            late in 0_usize..30,
            before in 0_i64..10,
            at_a_time in 1_usize..9,
        ) {
            let lines = 1_i64..;
            let mut left: Vec<VecDeque<i64>> =
                lines.zip(&work).map(|(one, count)| (one * 1000..one * 1000 + count).collect()).collect();
            let newcomer = work.len() as i64 + 1;
            let (mut last, mut done) = (before, Vec::<i64>::new());
            while left.iter().any(|line| !line.is_empty()) {
                if done.len() >= late && left.len() == work.len() {
                    left.push((newcomer * 1000..newcomer * 1000 + 3).collect());
                }
                for due in round(waiting(&left), at_a_time, &mut last) {
                    let Due::Series { row, .. } = due else { unreachable!() };
                    let line = &mut left[(row / 1000 - 1) as usize];
                    prop_assert_eq!(line.pop_front(), Some(row), "in the order in which it waits");
                    done.push(row / 1000);
                }
            }
            // Between two turns of one institution no other has two.
            for (at, one) in done.iter().enumerate() {
                if let Some(others) = done[at + 1..].iter().position(|other| other == one) {
                    let between = &done[at + 1..=at + others];
                    let distinct: HashSet<&i64> = between.iter().collect();
                    prop_assert_eq!(distinct.len(), between.len(), "{} waits for {:?}", one, between);
                }
            }
            let started = done.iter().position(|one| *one == newcomer);
            if left.len() > work.len() {
                let waited = started.unwrap() - late.min(started.unwrap());
                prop_assert!(waited <= work.len() + at_a_time, "the newcomer waited for {} jobs", waited);
            }
        }
    }
}
