//! Whether an instance is known, without asking the database for each one of a series.
//!
//! SOP Instance UIDs of a series lie side by side in the index that they are looked for in. Whoever asks for one that is not there is told its
//! two neighbours as well, and no other between them is there either, except for what this process records meanwhile, which is noted. What
//! another process records is seen once a gap's [`LIFE`] is over; until then the transaction that records finds it, as it does when two
//! senders come at the same moment. On PostgreSQL, where the order of text is the server's own, each one is asked for.

use super::dialect::Dialect;
use super::entity::instance;
use super::{Catalog, CatalogError};
use crate::access::Scope;
use crate::engine::Zone;
use crate::storage::ObjectKey;
use hilum_dicom::SopUid;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect};
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A gap is believed for so long.
const LIFE: Duration = Duration::from_secs(1);
/// So many are remembered, about one for each series that is coming in.
const MOST: usize = 64;

/// What the catalogue knows under a SOP Instance UID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownInstance {
    /// Where its bytes lie.
    pub object: ObjectKey,
    /// Digest of its bytes, as it is written.
    pub digest: String,
}

/// What the catalogue says of an instance that is there.
pub(super) struct Found {
    pub(super) row: i64,
    pub(super) sop: String,
    pub(super) known: KnownInstance,
}

/// The one of this UID or the last before it, and the first behind it.
const NEIGHBOURS: &str = "SELECT * FROM (SELECT sop_uid, object_key, digest FROM instance \
     WHERE institution_id = ? AND zone = ? AND sop_uid <= ? ORDER BY sop_uid DESC LIMIT 1) \
     UNION ALL SELECT * FROM (SELECT sop_uid, '', '' FROM instance \
     WHERE institution_id = ? AND zone = ? AND sop_uid > ? ORDER BY sop_uid LIMIT 1)";

#[derive(FromQueryResult)]
struct Neighbour {
    sop_uid: String,
    object_key: String,
    digest: String,
}

impl Catalog {
    /// What is known under a SOP Instance UID in the caller's home institution.
    pub async fn known_instance(
        &self,
        scope: &Scope,
        zone: Zone,
        sop: &SopUid,
    ) -> Result<Option<KnownInstance>, CatalogError> {
        let place = (self.home(scope).await?, zone);
        if self.dialect() == Dialect::Postgres {
            let found = find_instances(&self.read, place.0, zone, [sop.as_str()]).await?;
            return Ok(found.into_iter().next().map(|found| found.known));
        }
        if self.gaps.hold(place, sop.as_str()) {
            return Ok(None);
        }
        let asking = self.gaps.ask(place);
        let at = || [place.0.into(), zone.as_str().into(), sop.as_str().into()];
        let statement = self.statement(NEIGHBOURS, at().into_iter().chain(at()));
        let found = Neighbour::find_by_statement(statement).all(&self.read).await;
        let (mut below, mut above) = (None, None);
        for Neighbour { sop_uid, object_key, digest } in found.map_err(CatalogError::during("look up an instance"))? {
            if sop_uid == sop.as_str() {
                return Ok(Some(KnownInstance { object: ObjectKey::from_catalogue(object_key), digest }));
            }
            let end = if sop_uid.as_str() < sop.as_str() { &mut below } else { &mut above };
            *end = Some(sop_uid);
        }
        asking.answered(below, above);
        Ok(None)
    }
}

pub(super) async fn find_instances(
    connection: &impl ConnectionTrait,
    institution: i64,
    zone: Zone,
    sops: impl IntoIterator<Item = &str>,
) -> Result<Vec<Found>, CatalogError> {
    use instance::Column;
    let rows: Vec<(i64, String, String, String)> = instance::Entity::find()
        .select_only()
        .columns([Column::Id, Column::SopUid, Column::ObjectKey, Column::Digest])
        .filter(Column::InstitutionId.eq(institution))
        .filter(Column::Zone.eq(zone.as_str()))
        .filter(Column::SopUid.is_in(sops))
        .into_tuple()
        .all(connection)
        .await
        .map_err(CatalogError::during("look up an instance"))?;
    let found = |(row, sop, object, digest)| Found {
        row,
        sop,
        known: KnownInstance { object: ObjectKey::from_catalogue(object), digest },
    };
    Ok(rows.into_iter().map(found).collect())
}

/// Institution and zone.
type Place = (i64, Zone);

/// The gaps that are known now. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What a transaction is recording now: a question beside it may not see it.
    recording: Vec<(Place, String)>,
    /// From the oldest on.
    gaps: VecDeque<Gap>,
    asked: u64,
}

#[derive(Debug)]
struct Gap {
    number: u64,
    place: Place,
    since: Instant,
    /// Its ends; none while they are asked for.
    ends: Option<Ends>,
    /// What was recorded since they were asked for.
    recorded: HashSet<String>,
}

/// The known UIDs below and above, where there are any.
#[derive(Debug)]
struct Ends {
    below: Option<String>,
    above: Option<String>,
}

impl Ends {
    fn enclose(&self, sop: &str) -> bool {
        self.below.as_deref().is_none_or(|below| below < sop) && self.above.as_deref().is_none_or(|above| sop < above)
    }
}

impl Gaps {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it lies in a gap, so that the catalogue does not hold it.
    fn hold(&self, place: Place, sop: &str) -> bool {
        self.state().gaps.iter().any(|gap| {
            let encloses = gap.ends.as_ref().is_some_and(|ends| ends.enclose(sop));
            encloses && gap.place == place && gap.since.elapsed() < LIFE && !gap.recorded.contains(sop)
        })
    }

    /// Begins to ask for a gap: what is recorded from now on is noted.
    fn ask(&self, place: Place) -> Asking<'_> {
        let mut state = self.state();
        while state.gaps.front().is_some_and(|gap| gap.since.elapsed() >= LIFE) || state.gaps.len() >= MOST {
            state.gaps.pop_front();
        }
        state.asked += 1;
        let number = state.asked;
        let under_way = state.recording.iter().filter(|(at, _)| *at == place).map(|(_, sop)| sop.clone()).collect();
        state.gaps.push_back(Gap { number, place, since: Instant::now(), ends: None, recorded: under_way });
        Asking { gaps: self, number }
    }

    /// Notes what a transaction records, before it does.
    pub(super) fn recording(&self, instances: impl Iterator<Item = (Place, String)>) -> Recording<'_> {
        let mut state = self.state();
        let instances: Vec<_> = instances.collect();
        for (place, sop) in &instances {
            for gap in state.gaps.iter_mut().filter(|gap| gap.place == *place) {
                if gap.ends.as_ref().is_none_or(|ends| ends.enclose(sop)) {
                    gap.recorded.insert(sop.clone());
                }
            }
        }
        state.recording = instances;
        Recording(self)
    }
}

/// A question that is not answered yet.
struct Asking<'a> {
    gaps: &'a Gaps,
    number: u64,
}

impl Asking<'_> {
    fn answered(self, below: Option<String>, above: Option<String>) {
        if let Some(gap) = self.gaps.state().gaps.iter_mut().find(|gap| gap.number == self.number) {
            gap.ends = Some(Ends { below, above });
        }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.gaps.state().gaps.retain(|gap| gap.number != self.number || gap.ends.is_some());
    }
}

/// As long as a transaction records.
pub(super) struct Recording<'a>(&'a Gaps);

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        self.0.state().recording.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = (1, Zone::Clinical);

    fn gap(gaps: &Gaps, below: Option<&str>, above: Option<&str>) {
        gaps.ask(HERE).answered(below.map(str::to_owned), above.map(str::to_owned));
    }

    #[test]
    fn a_gap_ends_at_what_is_known_and_is_of_one_institution_and_zone() {
        let gaps = Gaps::default();
        gap(&gaps, Some("1.2.10"), Some("1.2.5"));
        for (place, sop, absent) in [
            (HERE, "1.2.11", true),
            (HERE, "1.2.4.9", true),
            (HERE, "1.2.10", false),
            (HERE, "1.2.5", false),
            (HERE, "1.2.1", false),
            (HERE, "1.2.6", false),
            ((2, Zone::Clinical), "1.2.11", false),
            ((1, Zone::Research), "1.2.11", false),
        ] {
            assert_eq!(gaps.hold(place, sop), absent, "{sop}");
        }
        gap(&gaps, Some("1.2.5"), None);
        assert!(gaps.hold(HERE, "1.2.6") && !gaps.hold(HERE, "1.2.1"));
    }

    #[test]
    fn what_is_recorded_is_no_longer_absent_whether_it_was_before_during_or_after_the_question() {
        let gaps = Gaps::default();
        let of = |sop: &str| std::iter::once((HERE, sop.to_owned()));
        let before = gaps.recording(of("1.1"));
        let asking = gaps.ask(HERE);
        drop(before);
        drop(gaps.recording(of("1.2")));
        asking.answered(None, None);
        drop(gaps.recording(of("1.3")));
        assert!(["1.1", "1.2", "1.3"].iter().all(|sop| !gaps.hold(HERE, sop)) && gaps.hold(HERE, "1.4"));
    }

    #[test]
    fn a_question_without_an_answer_says_nothing_and_few_gaps_are_remembered() {
        let gaps = Gaps::default();
        drop(gaps.ask(HERE));
        assert!(gaps.state().gaps.is_empty() && !gaps.hold(HERE, "1.2"));
        for number in 0..200 {
            gap(&gaps, Some(&format!("1.{number}")), Some(&format!("1.{number}.5")));
        }
        assert_eq!(gaps.state().gaps.len(), MOST);
        assert!(gaps.hold(HERE, "1.199.1") && !gaps.hold(HERE, "1.0.1"));
    }
}
