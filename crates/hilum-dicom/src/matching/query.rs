//! A whole identifier against a whole data set (PS3.4 C.2.2.2, sequences C.2.2.2.6).

use dicom_core::{Tag, VR};

use super::{Key, Range, TemporalError, name_matches_fuzzily};
use crate::data_set::{DataSet, Value};

/// Attributes of an identifier that say how to ask, not what to look for (PS3.4 C.4.1.1.3).
const NOT_KEYS: [Tag; 3] = [Tag(0x0008, 0x0005), Tag(0x0008, 0x0052), Tag(0x0008, 0x0201)];

/// Dates with the times that belong to them, for combined matching (PS3.4 C.2.2.2.5.4): study, series, acquisition, content,
/// scheduled procedure step, start of the performed procedure step.
const DATE_AND_TIME: [(Tag, Tag); 6] = [
    (Tag(0x0008, 0x0020), Tag(0x0008, 0x0030)),
    (Tag(0x0008, 0x0021), Tag(0x0008, 0x0031)),
    (Tag(0x0008, 0x0022), Tag(0x0008, 0x0032)),
    (Tag(0x0008, 0x0023), Tag(0x0008, 0x0033)),
    (Tag(0x0040, 0x0002), Tag(0x0040, 0x0003)),
    (Tag(0x0040, 0x0244), Tag(0x0040, 0x0245)),
];

/// What both sides agreed on beyond the baseline (PS3.4 C.5.1.1, Table C.5-1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryOptions {
    /// Person names match fuzzily.
    pub fuzzy_names: bool,
    /// A date and its time are matched as one.
    pub combined_date_times: bool,
    /// Two quotation marks ask for the attribute to be empty.
    pub empty_values: bool,
    /// Minutes east of UTC for DT values that do not say.
    pub local_offset: i32,
}

/// Why an identifier cannot be matched. Names the attribute, never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A date, time or range cannot be read.
    #[error("{tag}: {source}")]
    Temporal {
        /// The key.
        tag: Tag,
        /// What was due.
        source: TemporalError,
    },
    /// A sequence key with more than one item (PS3.4 C.2.2.2.6).
    #[error("{tag}: a sequence key has one item, not several")]
    SeveralItems {
        /// The key.
        tag: Tag,
    },
}

/// An identifier, read once.
#[derive(Clone, Debug)]
pub struct Query {
    clauses: Vec<(Tag, Clause)>,
}

#[derive(Clone, Debug)]
enum Clause {
    Key(Key),
    FuzzyNames(Vec<String>),
    DateTime { time: Tag, range: Range },
    Items(Query),
}

impl Query {
    /// From the keys of an identifier.
    pub fn read(keys: &DataSet, options: QueryOptions) -> Result<Self, QueryError> {
        let mut clauses = Vec::new();
        for (tag, vr, value) in keys.iter().filter(|(tag, ..)| !NOT_KEYS.contains(tag)) {
            match value {
                Value::Items(items) => match items.as_slice() {
                    [] => {}
                    [item] => clauses.push((tag, Clause::Items(Self::read(item, options)?))),
                    _ => return Err(QueryError::SeveralItems { tag }),
                },
                Value::Text(values) if options.empty_values && values.iter().any(|value| value == "\"\"") => {
                    clauses.push((tag, Clause::Key(Key::Empty)));
                }
                Value::Text(values) if options.fuzzy_names && vr == VR::PN => {
                    if values.iter().any(|value| !value.trim_matches(['*', ' ']).is_empty()) {
                        clauses.push((tag, Clause::FuzzyNames(values.clone())));
                    }
                }
                Value::Text(values) => {
                    let key = Key::read(vr, values, options.local_offset)
                        .map_err(|source| QueryError::Temporal { tag, source })?;
                    if key != Key::Universal {
                        clauses.push((tag, Clause::Key(key)));
                    }
                }
            }
        }
        let mut query = Self { clauses };
        if options.combined_date_times {
            query.combine();
        }
        Ok(query)
    }

    /// A date key and its time key become one; a time key alone stays a time of day.
    fn combine(&mut self) {
        for (date, time) in DATE_AND_TIME {
            let at = |tag| self.clauses.iter().position(|(clause, _)| *clause == tag);
            let (Some(date_at), Some(time_at)) = (at(date), at(time)) else { continue };
            if let (Clause::Key(Key::Range(dates)), Clause::Key(Key::Range(times))) =
                (&self.clauses[date_at].1, &self.clauses[time_at].1)
            {
                self.clauses[date_at].1 = Clause::DateTime { time, range: Range::combined(dates, times) };
                self.clauses.remove(time_at);
            }
        }
    }

    /// Whether the query asks for nothing in particular.
    pub fn is_universal(&self) -> bool {
        self.clauses.is_empty()
    }

    /// Whether a data set matches every key. An item of a sequence key matches when one item of the candidate's sequence
    /// matches all of its keys.
    pub fn matches(&self, candidate: &DataSet) -> bool {
        self.clauses.iter().all(|(tag, clause)| match clause {
            Clause::Key(key) => match candidate.get(*tag) {
                Some(Value::Items(items)) => *key == Key::Empty && items.is_empty(),
                _ => key.matches(candidate.texts(*tag)),
            },
            Clause::FuzzyNames(asked) => candidate
                .texts(*tag)
                .iter()
                .any(|name| !name.is_empty() && asked.iter().any(|asked| name_matches_fuzzily(asked, name))),
            Clause::DateTime { time, range } => candidate
                .text(*tag)
                .is_some_and(|date| range.contains_date_time(date, candidate.text(*time).unwrap_or_default())),
            Clause::Items(query) => {
                query.is_universal() || candidate.items(*tag).iter().any(|item| query.matches(item))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
    const STEPS: Tag = Tag(0x0040, 0x0100);
    const MODALITY: Tag = Tag(0x0008, 0x0060);
    const STEP_DATE: Tag = Tag(0x0040, 0x0002);
    const STEP_TIME: Tag = Tag(0x0040, 0x0003);

    fn of(values: &[(Tag, &str)]) -> DataSet {
        let mut data_set = DataSet::new();
        for (tag, value) in values {
            data_set.set(*tag, *value);
        }
        data_set
    }

    fn worklist_entry() -> DataSet {
        let mut entry = of(&[(PATIENT_NAME, "Hong^Gildong=洪^吉洞=홍^길동")]);
        entry.set_items(
            STEPS,
            vec![
                of(&[(MODALITY, "MR"), (STEP_DATE, "20260101"), (STEP_TIME, "0900")]),
                of(&[(MODALITY, "CT"), (STEP_DATE, "20260102"), (STEP_TIME, "0900")]),
            ],
        );
        entry
    }

    #[test]
    fn a_sequence_matches_when_one_item_matches_all_of_its_keys() {
        let ask = |step: &[(Tag, &str)]| {
            let mut keys = DataSet::new();
            keys.set_items(STEPS, vec![of(step)]);
            Query::read(&keys, QueryOptions::default()).unwrap().matches(&worklist_entry())
        };
        assert!(ask(&[(MODALITY, "CT"), (STEP_DATE, "20260102")]));
        assert!(!ask(&[(MODALITY, "CT"), (STEP_DATE, "20260101")]), "two items do not add up to a match");
        assert!(ask(&[(MODALITY, ""), (STEP_DATE, "")]));
        let mut empty = DataSet::new();
        empty.set_items(STEPS, Vec::new());
        assert!(Query::read(&empty, QueryOptions::default()).unwrap().matches(&DataSet::new()));
        empty.set_items(STEPS, vec![DataSet::new(), DataSet::new()]);
        assert!(matches!(Query::read(&empty, QueryOptions::default()), Err(QueryError::SeveralItems { tag: STEPS })));
    }

    #[test]
    fn what_was_agreed_changes_how_names_dates_and_empty_values_match() {
        let keys = of(&[(PATIENT_NAME, "길동 홍")]);
        let fuzzy = QueryOptions { fuzzy_names: true, ..QueryOptions::default() };
        assert!(!Query::read(&keys, QueryOptions::default()).unwrap().matches(&worklist_entry()));
        assert!(Query::read(&keys, fuzzy).unwrap().matches(&worklist_entry()));

        let keys = of(&[(STEP_DATE, "20260101-20260102"), (STEP_TIME, "1200-1000")]);
        let first = of(&[(STEP_DATE, "20260101"), (STEP_TIME, "0900")]);
        let second = of(&[(STEP_DATE, "20260102"), (STEP_TIME, "0900")]);
        let combined = QueryOptions { combined_date_times: true, ..QueryOptions::default() };
        let query = Query::read(&keys, combined).unwrap();
        assert!(!query.matches(&first) && query.matches(&second));

        let keys = of(&[(MODALITY, "\"\"")]);
        let empty = QueryOptions { empty_values: true, ..QueryOptions::default() };
        assert!(Query::read(&keys, empty).unwrap().matches(&DataSet::new()));
        assert!(!Query::read(&keys, empty).unwrap().matches(&of(&[(MODALITY, "CT")])));
    }

    #[test]
    fn a_key_that_cannot_be_read_is_named_and_its_value_is_not() {
        let error = Query::read(&of(&[(STEP_DATE, "tomorrow")]), QueryOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), "(0040,0002): the key is no DA value and no range of them (PS3.4 C.2.2.2.5)");
    }
}
