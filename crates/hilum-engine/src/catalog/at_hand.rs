//! The instances of a series that somebody goes through, without asking the database for each of them.
//!
//! A viewer asks for frame after frame, each under the address of its instance. Who asks for a second instance of a series within [`LIFE`] has all of
//! them looked up, and for as long again they are at hand. A row of an instance changes only where its object was lost and came again: what this process
//! deletes or heals is out of hand before anybody is told, what another process does once [`LIFE`] is over. What comes in meanwhile is
//! not among them, and is looked up by itself.

use super::instances::{ACT, InstanceRow, instance_columns, stored};
use super::{Catalog, CatalogError};
use crate::access::Scope;
use crate::archive::StoredInstance;
use crate::engine::Zone;
use sea_orm::{FromQueryResult, Value};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A series stays at hand for so long.
const LIFE: Duration = Duration::from_secs(if cfg!(test) { 10 } else { 1 });
/// So many series are at hand, about one for each viewer that is scrolled.
const MOST: usize = 16;
/// A longer series is not kept at hand.
const LONGEST: usize = 4096;

/// A series as somebody may see it: what an institution keeps is at hand for those only who see the same institutions.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Of {
    institutions: String,
    zone: Zone,
    study: String,
    series: String,
}

/// Instances by SOP Instance UID: one for each institution that keeps it.
type Instances = HashMap<String, Vec<StoredInstance>>;

/// The series that are at hand now. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct AtHand(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// From the oldest on.
    series: VecDeque<Series>,
    asked: u64,
}

#[derive(Debug)]
struct Series {
    number: u64,
    of: Of,
    since: Instant,
    instances: Found,
}

#[derive(Debug)]
enum Found {
    /// One instance was asked for.
    One,
    /// All are being looked up.
    Asking,
    All(Instances),
}

/// What to do about an instance that is asked for.
enum Next<'a> {
    Take(Vec<StoredInstance>),
    LookUp,
    /// With all others of its series.
    LookUpAll(Asking<'a>),
}

impl AtHand {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, of: &Of, sop: &str) -> Next<'_> {
        let mut state = self.state();
        while state.series.front().is_some_and(|series| series.since.elapsed() >= LIFE) {
            state.series.pop_front();
        }
        let Some(series) = state.series.iter_mut().find(|series| series.of == *of) else {
            state.asked += 1;
            let number = state.asked;
            if state.series.len() >= MOST {
                state.series.pop_front();
            }
            state.series.push_back(Series { number, of: of.clone(), since: Instant::now(), instances: Found::One });
            return Next::LookUp;
        };
        match &series.instances {
            Found::All(instances) => instances.get(sop).cloned().map_or(Next::LookUp, Next::Take),
            Found::Asking => Next::LookUp,
            Found::One => {
                series.instances = Found::Asking;
                Next::LookUpAll(Asking { at_hand: self, number: series.number })
            }
        }
    }

    /// Nothing is at hand any more, nor will be what is being looked up now. Called once a deletion, or the healing of an instance, is committed.
    pub(super) fn let_go(&self) {
        self.state().series.clear();
    }
}

/// A question that is not answered yet.
struct Asking<'a> {
    at_hand: &'a AtHand,
    number: u64,
}

impl Asking<'_> {
    /// The life of a series begins anew: its instances are what was asked for just now.
    fn answered(self, began: Instant, instances: Instances) {
        let mut state = self.at_hand.state();
        let Some(place) = state.series.iter().position(|series| series.number == self.number) else { return };
        if let Some(series) = state.series.remove(place) {
            state.series.push_back(Series { since: began, instances: Found::All(instances), ..series });
        }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.at_hand
            .state()
            .series
            .retain(|series| series.number != self.number || !matches!(series.instances, Found::Asking));
    }
}

impl Catalog {
    /// An instance that is named with its series and its study, once for each institution that keeps it.
    pub(crate) async fn instance(
        &self,
        scope: &Scope,
        zone: Zone,
        [study, series, sop]: [&str; 3],
    ) -> Result<Vec<StoredInstance>, CatalogError> {
        let institutions = self.visible_list(scope).await?;
        let of = Of { institutions, zone, study: study.to_owned(), series: series.to_owned() };
        match self.at_hand.next(&of, sop) {
            Next::Take(found) => Ok(found),
            Next::LookUp => self.named(&of, Some(sop)).await,
            Next::LookUpAll(asking) => {
                let began = Instant::now();
                let all = self.named(&of, None).await?;
                if all.len() > LONGEST {
                    asking.answered(began, Instances::new());
                    return self.named(&of, Some(sop)).await;
                }
                let mut instances = Instances::with_capacity(all.len());
                for one in all {
                    instances.entry(one.sop.to_string()).or_default().push(one);
                }
                let found = instances.get(sop).cloned().unwrap_or_default();
                asking.answered(began, instances);
                Ok(found)
            }
        }
    }

    /// The instances of a series that is named with its study, or the one of them that is named, studies in order of arrival.
    async fn named(&self, of: &Of, sop: Option<&str>) -> Result<Vec<StoredInstance>, CatalogError> {
        let Of { institutions, zone, study, series } = of;
        let one = if sop.is_some() { "instance.sop_uid = ? AND" } else { "" };
        let sql = format!(
            "SELECT {} WHERE {one} series.series_uid = ? AND study.study_uid = ? \
             AND instance.zone = ? AND study.zone = ? AND instance.institution_id IN ({institutions}) AND study.institution_id IN ({institutions}) \
             ORDER BY study.id LIMIT {}",
            instance_columns(self.dialect()),
            LONGEST + 1
        );
        let values: Vec<Value> = sop
            .into_iter()
            .chain([series.as_str(), study.as_str(), zone.as_str(), zone.as_str()])
            .map(Value::from)
            .collect();
        let rows = InstanceRow::find_by_statement(self.statement(&sql, values)).all(&self.read).await;
        rows.map_err(CatalogError::during(ACT))?.into_iter().map(stored).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::ObjectKey;
    use time::OffsetDateTime;

    fn of(institutions: &str, series: &str) -> Of {
        Of { institutions: institutions.into(), zone: Zone::Clinical, study: "1.2".into(), series: series.into() }
    }

    fn instances(sops: &[&str]) -> Instances {
        let instance = |sop: &str| StoredInstance {
            study: "1.2".parse().unwrap(),
            series: "1.3".parse().unwrap(),
            sop: sop.parse().unwrap(),
            sop_class: "1.2.840.10008.5.1.4.1.1.2".parse().unwrap(),
            transfer_syntax: "1.2.840.10008.1.2.1".parse().unwrap(),
            bytes: 8,
            frames: 1,
            series_number: None,
            instance_number: None,
            received_at: OffsetDateTime::UNIX_EPOCH,
            object: ObjectKey::from_catalogue("segment".to_owned()),
        };
        sops.iter().map(|sop| ((*sop).to_owned(), vec![instance(sop)])).collect()
    }

    /// Asked for twice and answered.
    fn gone_through(at_hand: &AtHand, of: &Of, sops: &[&str]) {
        assert!(matches!(at_hand.next(of, sops[0]), Next::LookUp));
        let Next::LookUpAll(asking) = at_hand.next(of, sops[0]) else { panic!("the second question asks for all") };
        asking.answered(Instant::now(), instances(sops));
    }

    fn takes(at_hand: &AtHand, of: &Of, sop: &str) -> bool {
        matches!(at_hand.next(of, sop), Next::Take(found) if found.len() == 1 && found[0].sop.as_str() == sop)
    }

    #[test]
    fn the_second_question_has_all_looked_up_and_the_others_wait_for_nobody() {
        let (at_hand, of) = (AtHand::default(), of("1", "1.3"));
        assert!(matches!(at_hand.next(&of, "1.4.1"), Next::LookUp));
        let Next::LookUpAll(asking) = at_hand.next(&of, "1.4.2") else { panic!("the second question asks for all") };
        assert!(matches!(at_hand.next(&of, "1.4.3"), Next::LookUp));
        asking.answered(Instant::now(), instances(&["1.4.1", "1.4.2"]));
        assert!(takes(&at_hand, &of, "1.4.1") && takes(&at_hand, &of, "1.4.2"));
        // What has come in since, or is not there, is looked up.
        assert!(matches!(at_hand.next(&of, "1.4.3"), Next::LookUp));
    }

    #[test]
    fn what_is_at_hand_is_so_for_those_who_see_the_same_and_not_for_long() {
        let at_hand = AtHand::default();
        gone_through(&at_hand, &of("1", "1.3"), &["1.4.1"]);
        let research = Of { zone: Zone::Research, ..of("1", "1.3") };
        let other_study = Of { study: "1.9".into(), ..of("1", "1.3") };
        for other in [of("2", "1.3"), of("1,2", "1.3"), of("1", "1.9"), research, other_study] {
            assert!(matches!(at_hand.next(&other, "1.4.1"), Next::LookUp), "{other:?}");
        }
        assert!(takes(&at_hand, &of("1", "1.3"), "1.4.1"));
        at_hand.state().series[0].since -= LIFE;
        gone_through(&at_hand, &of("1", "1.3"), &["1.4.1"]);
    }

    #[test]
    fn what_was_looked_up_before_a_deletion_is_not_at_hand_after_it() {
        let (at_hand, of) = (AtHand::default(), of("1", "1.3"));
        gone_through(&at_hand, &of, &["1.4.1"]);
        at_hand.let_go();
        assert!(matches!(at_hand.next(&of, "1.4.1"), Next::LookUp));
        let Next::LookUpAll(asking) = at_hand.next(&of, "1.4.1") else { panic!("the second question asks for all") };
        at_hand.let_go();
        asking.answered(Instant::now(), instances(&["1.4.1"]));
        gone_through(&at_hand, &of, &["1.4.1"]);
    }

    #[test]
    fn a_question_without_an_answer_leaves_nothing_and_few_series_are_at_hand() {
        let at_hand = AtHand::default();
        for _ in 0..2 {
            assert!(matches!(at_hand.next(&of("1", "1.3"), "1.4.1"), Next::LookUp));
            let asking = at_hand.next(&of("1", "1.3"), "1.4.1");
            assert!(matches!(asking, Next::LookUpAll(_)));
        }
        for number in 0..3 * MOST {
            gone_through(&at_hand, &of("1", &format!("1.5.{number}")), &["1.4.1"]);
        }
        assert_eq!(at_hand.state().series.len(), MOST);
    }
}
