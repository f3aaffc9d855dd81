//! The chain: each event's hash covers the event and the hash of the one before it, so that nothing in between can be changed, taken out,
//! put in or moved without breaking it.
//!
//! There is one chain for the whole trail. One transaction writes at a time, whichever process it is of, so that a chain for each process
//! would only give a trail more ends that could be cut unnoticed.

use super::event::AuditEvent;
use crate::access::Actor;
use crate::catalog::AuditRow;
use hilum_dicom::StudyUid;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Says which encoding was hashed. Another one gets another name.
const ENCODING: &[u8] = b"hilum audit 1";

/// What the first event follows on.
pub(crate) const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Separates UIDs, as in DICOM's multi-valued texts.
pub(crate) const SEPARATOR: &str = "\\";

/// The last event that somebody knows of: where a trail must at least reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// Number of the event; the first one is 1.
    pub number: i64,
    /// Its hash, SHA-256, hexadecimal.
    pub hash: String,
}

/// The event as the row that follows on `head`.
pub(crate) fn sealed(
    head: Option<&AuditHead>,
    process: Uuid,
    event: &AuditEvent,
) -> Result<AuditRow, serde_json::Error> {
    let AuditEvent { at, actor, address, request, action, outcome, institution, studies, detail } = event;
    let studies: Vec<&str> = studies.iter().map(StudyUid::as_str).collect();
    let detail = serde_json::to_string(detail)?;
    let mut row = AuditRow {
        number: head.map_or(1, |head| head.number + 1),
        process: process.to_string(),
        at: *at,
        actor_kind: actor.kind().to_owned(),
        actor: match actor {
            Actor::Account(id) => Some(id.0.to_string()),
            Actor::Peer(title) => Some(title.to_string()),
            Actor::Console | Actor::System | Actor::Stranger => None,
        },
        address: address.map(|address| address.to_string()),
        request: request.map(|request| request.to_string()),
        action: action.as_str().to_owned(),
        outcome: outcome.as_str().to_owned(),
        institution: institution.as_ref().map(|code| code.as_str().to_owned()),
        studies: studies.join(SEPARATOR),
        detail,
        previous: head.map_or_else(|| BEGINNING.to_owned(), |head| head.hash.clone()),
        hash: String::new(),
    };
    row.hash = digest(&row);
    Ok(row)
}

/// SHA-256 over the event before and every column of this one, each with its length: no two rows have the same bytes.
pub(crate) fn digest(row: &AuditRow) -> String {
    let AuditRow {
        number,
        process,
        at,
        actor_kind,
        actor,
        address,
        request,
        action,
        outcome,
        institution,
        studies,
        detail,
        previous,
        hash: _,
    } = row;
    let mut digest = Sha256::new();
    digest.update(ENCODING);
    digest.update(number.to_be_bytes());
    digest.update(at.to_be_bytes());
    let texts = [
        Some(previous),
        Some(process),
        Some(actor_kind),
        actor.as_ref(),
        address.as_ref(),
        request.as_ref(),
        Some(action),
        Some(outcome),
        institution.as_ref(),
        Some(studies),
        Some(detail),
    ];
    for text in texts {
        match text {
            None => digest.update([0]),
            Some(text) => {
                digest.update([1]);
                digest.update((text.len() as u64).to_be_bytes());
                digest.update(text.as_bytes());
            }
        }
    }
    crate::storage::hex(&digest.finalize())
}

/// The first place where a trail is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Break {
    /// An event was taken out, or its number was changed.
    #[error("event {number} is missing")]
    Missing {
        /// Its number.
        number: i64,
    },
    /// What an event says is not what was hashed.
    #[error("event {number} was changed")]
    Changed {
        /// Its number.
        number: i64,
    },
    /// An event does not follow on the one before it.
    #[error("event {number} does not follow on the one before: one of the two was put in or replaced")]
    Unlinked {
        /// Its number.
        number: i64,
    },
    /// The trail ends before an event that is known to have been there.
    #[error("the trail ends at event {last}, and event {known} was in it: its end was cut off")]
    Cut {
        /// The last event there is; 0 for none.
        last: i64,
        /// The one that is known.
        known: i64,
    },
    /// An event that is known is another one now.
    #[error("event {number} is not the one that was noted: the trail was written anew from there or before")]
    Rewritten {
        /// Its number.
        number: i64,
    },
    /// The list of which event names which study does not agree with the events.
    #[error("the index of studies has {found} entries for {expected} that the events name")]
    Index {
        /// Entries that the events make.
        expected: u64,
        /// Entries that are there.
        found: u64,
    },
}

/// Follows a trail from its first event on.
#[derive(Debug)]
pub(crate) struct Verifier {
    head: Option<AuditHead>,
    /// What must be in the trail.
    known: Vec<AuditHead>,
    studies: u64,
}

impl Verifier {
    pub(crate) fn new(known: Vec<AuditHead>) -> Self {
        Self { head: None, known, studies: 0 }
    }

    /// The next row, in the order of their numbers.
    pub(crate) fn follow(&mut self, row: &AuditRow) -> Result<(), Break> {
        let (number, previous) = self.head.as_ref().map_or((1, BEGINNING), |head| (head.number + 1, &head.hash));
        match row.number {
            // Whoever put in an event before the first one gave it a number below 1.
            below if below < number => return Err(Break::Unlinked { number: below }),
            above if above > number => return Err(Break::Missing { number }),
            _ => {}
        }
        if digest(row) != row.hash {
            return Err(Break::Changed { number });
        }
        if row.previous != previous {
            return Err(Break::Unlinked { number });
        }
        if self.known.iter().any(|known| known.number == number && known.hash != row.hash) {
            return Err(Break::Rewritten { number });
        }
        self.studies += row.studies.split(SEPARATOR).filter(|uid| !uid.is_empty()).count() as u64;
        self.head = Some(AuditHead { number, hash: row.hash.clone() });
        Ok(())
    }

    /// After the last row: everything known must have come by. `indexed` is how many entries the index of studies has.
    pub(crate) fn end(self, indexed: u64) -> Result<Option<AuditHead>, Break> {
        let last = self.head.as_ref().map_or(0, |head| head.number);
        if let Some(known) = self.known.iter().map(|known| known.number).filter(|known| *known > last).max() {
            return Err(Break::Cut { last, known });
        }
        if indexed != self.studies {
            return Err(Break::Index { expected: self.studies, found: indexed });
        }
        Ok(self.head)
    }

    /// The last event that was in order.
    pub(crate) fn head(&self) -> Option<&AuditHead> {
        self.head.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{AccountId, InstitutionCode};
    use crate::audit::{Action, Detail, Outcome};
    use proptest::prelude::*;

    fn trail(actors: &[i64]) -> Vec<AuditRow> {
        let mut rows: Vec<AuditRow> = Vec::new();
        for (index, account) in actors.iter().enumerate() {
            let head = rows.last().map(|row| AuditHead { number: row.number, hash: row.hash.clone() });
            let study = format!("1.2.{}", index % 3 + 1).parse().unwrap();
            let event = AuditEvent::new(Actor::Account(AccountId(*account)), Action::ALL[index % Action::ALL.len()])
                .from_address("10.0.0.7".parse().unwrap())
                .ended(if account % 5 == 0 { Outcome::Refused } else { Outcome::Done })
                .of(InstitutionCode::local())
                .about([study])
                .with(Detail { instances: Some(index as u64), ..Detail::default() });
            rows.push(sealed(head.as_ref(), Uuid::from_u128(7), &event).unwrap());
        }
        rows
    }

    fn verified(rows: &[AuditRow], known: Vec<AuditHead>) -> Result<Option<AuditHead>, Break> {
        let mut verifier = Verifier::new(known);
        rows.iter().try_for_each(|row| verifier.follow(row))?;
        let indexed = verifier.studies;
        verifier.end(indexed)
    }

    fn head(row: &AuditRow) -> AuditHead {
        AuditHead { number: row.number, hash: row.hash.clone() }
    }

    /// Changes one column; which one and how is drawn.
    fn forge(row: &mut AuditRow, column: u8, letter: char) {
        let twist = |text: &mut String| match text.pop() {
            Some(last) if last == letter => text.push('~'),
            _ => text.push(letter),
        };
        let maybe = |text: &mut Option<String>| match text {
            Some(_) => *text = None,
            None => *text = Some(String::new()),
        };
        match column % 13 {
            0 => row.at += 1,
            1 => twist(&mut row.process),
            2 => twist(&mut row.actor_kind),
            3 => maybe(&mut row.actor),
            4 => maybe(&mut row.address),
            5 => maybe(&mut row.request),
            6 => twist(&mut row.action),
            7 => twist(&mut row.outcome),
            8 => maybe(&mut row.institution),
            9 => twist(&mut row.studies),
            10 => twist(&mut row.detail),
            11 => twist(&mut row.previous),
            _ => twist(&mut row.hash),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn a_trail_as_it_was_written_is_whole(actors in prop::collection::vec(0_i64..9, 1..40)) {
            let rows = trail(&actors);
            prop_assert_eq!(verified(&rows, vec![head(&rows[0])]), Ok(rows.last().map(head)));
        }

        #[test]
        fn a_changed_column_is_found_at_its_event(
            actors in prop::collection::vec(0_i64..9, 1..30), at: prop::sample::Index, column: u8, letter in "[a-z0-9]",
        ) {
            let mut rows = trail(&actors);
            let at = at.index(rows.len());
            forge(&mut rows[at], column, letter.chars().next().unwrap());
            prop_assert_eq!(verified(&rows, vec![]), Err(Break::Changed { number: at as i64 + 1 }));
        }

        #[test]
        fn a_changed_event_that_is_hashed_again_breaks_the_link_behind_it(
            actors in prop::collection::vec(0_i64..9, 2..30), at: prop::sample::Index, column in 0_u8..11,
        ) {
            let mut rows = trail(&actors);
            let at = at.index(rows.len() - 1);
            forge(&mut rows[at], column, '!');
            rows[at].hash = digest(&rows[at]);
            prop_assert_eq!(verified(&rows, vec![]), Err(Break::Unlinked { number: at as i64 + 2 }));
        }

        #[test]
        fn an_event_that_was_taken_out_is_named(
            actors in prop::collection::vec(0_i64..9, 2..30), at: prop::sample::Index, renumbered: bool,
        ) {
            let mut rows = trail(&actors);
            let at = at.index(rows.len() - 1);
            rows.remove(at);
            let number = at as i64 + 1;
            if renumbered {
                rows[at..].iter_mut().for_each(|row| row.number -= 1);
                prop_assert_eq!(verified(&rows, vec![]), Err(Break::Changed { number }));
            } else {
                prop_assert_eq!(verified(&rows, vec![]), Err(Break::Missing { number }));
            }
        }

        #[test]
        fn two_events_in_each_others_place_are_found(
            actors in prop::collection::vec(0_i64..9, 2..30), a: prop::sample::Index, b: prop::sample::Index,
        ) {
            let mut rows = trail(&actors);
            let (a, b) = (a.index(rows.len()), b.index(rows.len()));
            prop_assume!(a != b);
            rows.swap(a, b);
            let (number_a, number_b) = (rows[a].number, rows[b].number);
            (rows[a].number, rows[b].number) = (number_b, number_a);
            prop_assert_eq!(verified(&rows, vec![]), Err(Break::Changed { number: a.min(b) as i64 + 1 }));
        }

        #[test]
        fn an_end_that_was_cut_off_shows_where_somebody_knows_of_it_and_only_there(
            actors in prop::collection::vec(0_i64..9, 2..30), at: prop::sample::Index,
        ) {
            let mut rows = trail(&actors);
            let last = head(rows.last().unwrap());
            rows.truncate(at.index(rows.len() - 1) + 1);
            let there = rows.len() as i64;
            prop_assert_eq!(verified(&rows, vec![]), Ok(rows.last().map(head)));
            prop_assert_eq!(verified(&rows, vec![last.clone()]), Err(Break::Cut { last: there, known: last.number }));
        }

        #[test]
        fn a_trail_written_anew_is_whole_in_itself_and_not_the_one_that_was_noted(
            actors in prop::collection::vec(0_i64..9, 2..30), at: prop::sample::Index,
        ) {
            let rows = trail(&actors);
            let at = at.index(rows.len());
            let mut other = actors.clone();
            other[at] += 100;
            let anew = trail(&other);
            prop_assert!(verified(&anew, vec![]).is_ok());
            let noted = head(rows.last().unwrap());
            let number = noted.number;
            prop_assert_eq!(verified(&anew, vec![noted]), Err(Break::Rewritten { number }));
        }
    }
}
