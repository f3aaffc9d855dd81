//! Where the marks of studies are kept, and how studies are found by them, from the newest on: on SQLite and on PostgreSQL.
//!
//! SQLite's FTS5 keeps a sorted list of studies for each mark and walks them from the newest, so that a page is found without visiting
//! every match. PostgreSQL's GIN hands out matches in no order, all at once. There each study is also marked by the stretches of rows
//! that it lies in, and an index scan asks for one stretch after the other, from the newest: a page costs no more than the matches
//! of a stretch, and a stretch without a match costs a look.

use super::text::Condition;
use crate::catalog::dialect::Dialect;
use crate::catalog::{Catalog, CatalogError};
use sea_orm::{FromQueryResult, Statement, Value};

/// SQLite: one column without positions and without the text itself; rowid is the study's row.
const FTS5: &[&str] = &["CREATE VIRTUAL TABLE study_text USING fts5(\
    marks, content='', contentless_delete=1, detail=none, tokenize='ascii')"];

/// PostgreSQL: without a list of what is still to be put in, which every search would read.
const GIN: &[&str] = &["CREATE TABLE study_text (study_row BIGINT PRIMARY KEY, marks TSVECTOR NOT NULL)", MARKS];
const MARKS: &str = "CREATE INDEX ix_study_text_marks ON study_text USING gin (marks) WITH (fastupdate = off)";

/// Before and after very many studies come in at once: PostgreSQL makes the index faster at the end than row by row.
#[cfg(any(feature = "bench", test))]
pub(in crate::catalog) fn around_a_fill(dialect: Dialect) -> [&'static [&'static str]; 2] {
    let end = &["SET maintenance_work_mem = '512MB'", MARKS, "RESET maintenance_work_mem", "VACUUM ANALYZE"];
    dialect.either([&[], &[]], [&["DROP INDEX ix_study_text_marks"], end])
}

/// Makes the index.
pub(in crate::catalog) fn create(dialect: Dialect) -> &'static [&'static str] {
    dialect.either(FTS5, GIN)
}

/// Puts the marks of studies in, in place of those before.
pub(super) fn insert(dialect: Dialect, studies: impl IntoIterator<Item = (i64, Vec<String>)>) -> Statement {
    let mut values: Vec<Value> = Vec::new();
    for (study_row, mut marks) in studies {
        if dialect == Dialect::Postgres {
            marks.extend([Stretch::short(study_row >> SHORT), Stretch::long(study_row >> LONG)].map(Stretch::mark));
        }
        values.extend([study_row.into(), marks.join(" ").into()]);
    }
    let row = dialect.either("(?, ?)", "(?, array_to_tsvector(string_to_array(?, ' ')))");
    let rows = vec![row; values.len() / 2].join(", ");
    let sql = match dialect {
        Dialect::Sqlite => format!("INSERT OR REPLACE INTO study_text (rowid, marks) VALUES {rows}"),
        Dialect::Postgres => format!(
            "INSERT INTO study_text (study_row, marks) VALUES {rows} \
             ON CONFLICT (study_row) DO UPDATE SET marks = excluded.marks"
        ),
    };
    dialect.statement(&sql, values)
}

/// Takes a study out.
pub(in crate::catalog) fn delete(dialect: Dialect, study_row: i64) -> Statement {
    let sql = dialect.either("DELETE FROM study_text WHERE rowid = ?", "DELETE FROM study_text WHERE study_row = ?");
    dialect.statement(sql, [study_row.into()])
}

impl Catalog {
    /// Rows of the next studies that meet the condition, up to the row `up_to`, the newest first.
    pub(in crate::catalog) async fn indexed(
        &self,
        condition: &Condition,
        up_to: i64,
        limit: usize,
    ) -> Result<Vec<i64>, CatalogError> {
        let limit = Value::from(limit as i64);
        let statement = match self.dialect() {
            Dialect::Sqlite => self.statement(
                "SELECT rowid AS study_row FROM study_text WHERE study_text MATCH ? AND rowid <= ? ORDER BY rowid DESC LIMIT ?",
                [fts5(condition).into(), up_to.into(), limit],
            ),
            Dialect::Postgres => {
                let Some(newest) = self.newest_indexed().await? else { return Ok(Vec::new()) };
                let (met, marks) = met(condition);
                let met: Vec<&str> = ["marks @@ CAST(stretch AS tsquery)"].into_iter().chain(met).collect();
                let met = met.join(" AND ");
                // The zeros keep the planner from walking the rows of the table in their order, most of which do not match.
                let sql = format!(
                    "SELECT found.study_row FROM unnest(string_to_array(?, ' ')) WITH ORDINALITY AS stretches (stretch, nr) \
                     CROSS JOIN LATERAL (SELECT study_row FROM study_text \
                     WHERE {met} AND study_row + 0 <= ? \
                     ORDER BY study_row + 0 DESC LIMIT ?) AS found LIMIT ?"
                );
                let first = [stretches(newest.min(up_to)).into()];
                self.statement(&sql, first.into_iter().chain(marks).chain([up_to.into(), limit.clone(), limit]))
            }
        };
        let found = Found::find_by_statement(statement).all(&self.read).await;
        Ok(found.map_err(CatalogError::during("search"))?.into_iter().map(|found| found.study_row).collect())
    }

    /// Rows of all studies that meet the condition, the newest first, where they are at most so many. `None` where they are more, or are
    /// frequent among the newest and in the middle of the archive: then they are likely more, and whoever walks meets them often.
    pub(in crate::catalog) async fn few_indexed(
        &self,
        condition: &Condition,
        most: usize,
    ) -> Result<Option<Vec<i64>>, CatalogError> {
        let newest = self.indexed(condition, i64::MAX, PROBED).await?;
        let [first, .., last] = newest[..] else { return Ok(Some(newest)) };
        if newest.len() < PROBED || most < PROBED {
            return Ok((newest.len() <= most).then_some(newest));
        }
        let frequent = |rows: i64| rows <= PROBED as i64 * FREQUENT;
        if frequent(first - last) {
            // The end of a short stretch: a look from within one is a look at two more.
            let middle = (first / 2) | ((1 << SHORT) - 1);
            let older = self.indexed(condition, middle, PROBED).await?;
            if older.last().is_some_and(|oldest| older.len() == PROBED && frequent(middle - oldest)) {
                return Ok(None);
            }
        }
        let mut all = newest;
        all.extend(self.indexed(condition, last - 1, most + 1 - PROBED).await?);
        Ok((all.len() <= most).then_some(all))
    }

    /// A condition of a statement on the row of a study, by the index: for walks in another order, which make one list of all matches
    /// and look into it at each step. `None` where the index proves nothing.
    pub(in crate::catalog) fn is_indexed(&self, row: &str, condition: &Condition) -> Option<(String, Vec<Value>)> {
        let dialect = self.dialect();
        let (found, marks) = match dialect {
            Dialect::Sqlite => {
                ("SELECT rowid FROM study_text WHERE study_text MATCH ?".to_owned(), vec![fts5(condition).into()])
            }
            Dialect::Postgres => {
                let (met, marks) = met(condition);
                (format!("SELECT study_row FROM study_text WHERE {}", met.join(" AND ")), marks)
            }
        };
        let row = dialect.not_selective(row);
        (!marks.is_empty()).then(|| (format!("{row} IN ({found})"), marks))
    }

    async fn newest_indexed(&self) -> Result<Option<i64>, CatalogError> {
        let statement = self.statement("SELECT study_row FROM study_text ORDER BY study_row DESC LIMIT 1", []);
        let newest = Found::find_by_statement(statement).one(&self.read).await;
        Ok(newest.map_err(CatalogError::during("search"))?.map(|newest| newest.study_row))
    }
}

/// So many studies tell how frequent a match is: one in so many rows, or more, is frequent.
const PROBED: usize = if cfg!(test) { 4 } else { 128 };
const FREQUENT: i64 = 32;

#[derive(FromQueryResult)]
struct Found {
    study_row: i64,
}

/// A mark that no study has: FTS5 takes no empty group.
const OF_NOTHING: &str = "z";

/// The condition in FTS5's language. Marks are ASCII letters and digits, so nothing needs escaping.
pub(super) fn fts5(condition: &Condition) -> String {
    let group =
        |parts: &[Condition], word: &str| format!("({})", parts.iter().map(fts5).collect::<Vec<_>>().join(word));
    match condition {
        Condition::Mark(mark) => mark.clone(),
        // A range of dates that ends before it begins.
        Condition::Any(parts) if parts.is_empty() => OF_NOTHING.to_owned(),
        Condition::All(parts) => group(parts, " AND "),
        Condition::Any(parts) => group(parts, " OR "),
    }
}

/// A condition of more marks is left out, as the index proves nothing anyway.
const MOST_MARKS: usize = 2000;

/// Conditions that are told apart at most.
const MOST_APART: usize = 16;

/// What a row's marks meet in PostgreSQL, all of it, and the values; nothing when the condition says nothing. The parts of a conjunction
/// are conditions of their own: GIN then goes on in each list of rows where another one goes on, and in the list of one condition it
/// tries every row.
fn met(condition: &Condition) -> (Vec<&'static str>, Vec<Value>) {
    let mut parts = conjuncts(condition);
    if parts.len() > MOST_APART {
        let rest = parts.split_off(MOST_APART - 1);
        parts.push(rest.join("&"));
    }
    (vec!["marks @@ CAST(? AS tsquery)"; parts.len()], parts.into_iter().map(Value::from).collect())
}

/// The parts of a conjunction in PostgreSQL's language, without those that say nothing.
fn conjuncts(condition: &Condition) -> Vec<String> {
    fn gather(condition: &Condition, left: &mut usize, told: &mut Vec<String>) {
        match condition {
            Condition::All(parts) => parts.iter().for_each(|part| gather(part, left, told)),
            other => {
                if let Some(rest) = left.checked_sub(count(other)) {
                    let part = tsquery(other);
                    if !part.is_empty() {
                        *left = rest;
                        told.push(part);
                    }
                }
            }
        }
    }
    let (mut told, mut left) = (Vec::new(), MOST_MARKS);
    gather(condition, &mut left, &mut told);
    told
}

/// The condition in PostgreSQL's language; empty when it says nothing.
fn tsquery(condition: &Condition) -> String {
    match condition {
        Condition::Mark(mark) => match mark.strip_suffix('*') {
            Some(start) => format!("{start}:*"),
            None => mark.clone(),
        },
        Condition::All(_) => match conjuncts(condition).as_slice() {
            [] => String::new(),
            told => format!("({})", told.join("&")),
        },
        Condition::Any(parts) => {
            let told: Vec<String> = parts.iter().map(tsquery).collect();
            let says_nothing = told.is_empty() || told.iter().any(String::is_empty) || count(condition) > MOST_MARKS;
            if says_nothing { String::new() } else { format!("({})", told.join("|")) }
        }
    }
}

fn count(condition: &Condition) -> usize {
    match condition {
        Condition::Mark(_) => 1,
        Condition::All(parts) | Condition::Any(parts) => parts.iter().map(count).sum(),
    }
}

/// Rows of a short stretch, and of a long one, as powers of two.
const SHORT: u32 = 13;
const LONG: u32 = 16;
/// Short stretches in a long one.
const RATIO: i64 = 1 << (LONG - SHORT);

/// Neighbouring rows of studies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    letter: char,
    number: i64,
}

impl Stretch {
    fn short(number: i64) -> Self {
        Self { letter: 'r', number }
    }

    fn long(number: i64) -> Self {
        Self { letter: 'w', number }
    }

    fn mark(self) -> String {
        format!("{}{}", self.letter, self.number)
    }
}

/// All stretches up to a row, from the newest, each twice as long as the one before until they are long: what many studies hold is
/// found in the first, what few hold needs few looks.
fn stretches(newest: i64) -> String {
    let mut told: Vec<String> = Vec::new();
    let (mut last, mut wanted) = (newest >> SHORT, 1);
    while last >= 0 {
        let whole_long = (last + 1) % RATIO == 0;
        if wanted >= RATIO && whole_long {
            told.push(Stretch::long(last / RATIO).mark());
            last -= RATIO;
        } else {
            // Not beyond the beginning of a long one, so that those after it can be whole.
            let taken = wanted.min(last % RATIO + 1);
            let marks: Vec<String> =
                (last - taken + 1..=last).rev().map(|number| Stretch::short(number).mark()).collect();
            told.push(marks.join("|"));
            last -= taken;
        }
        wanted = (wanted * 2).min(RATIO);
    }
    told.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(text: &str) -> Condition {
        Condition::Mark(text.to_owned())
    }

    #[test]
    fn every_row_up_to_the_newest_lies_in_exactly_one_stretch() {
        for newest in [0, 1, 8191, 8192, 65_535, 65_536, 70_000, 1_000_000, 1_048_575, 3_333_333] {
            let told = stretches(newest);
            let marks: Vec<&str> = told.split([' ', '|']).collect();
            for row in (0..=newest).step_by(4099).chain([newest]) {
                let of = [Stretch::short(row >> SHORT).mark(), Stretch::long(row >> LONG).mark()];
                let held = marks.iter().filter(|mark| of.iter().any(|known| known == **mark)).count();
                assert_eq!(held, 1, "row {row} of {newest}: {told}");
            }
        }
        assert_eq!(stretches(1_000_000).split(' ').count(), 18);
    }

    #[test]
    fn a_condition_is_told_in_either_language() {
        let any = Condition::Any(vec![mark("a1"), Condition::All(vec![mark("b2"), mark("y19*")])]);
        let condition = Condition::All(vec![mark("i1"), any]);
        assert_eq!(fts5(&condition), "(i1 AND (a1 OR (b2 AND y19*)))");
        assert_eq!(conjuncts(&condition), ["i1", "(a1|(b2&y19:*))"]);
        let nothing = Condition::All(vec![mark("i1"), Condition::Any(Vec::new())]);
        assert_eq!(fts5(&nothing), "(i1 AND z)");
        assert_eq!(conjuncts(&nothing), ["i1"]);
    }

    #[test]
    fn a_condition_too_long_for_a_statement_says_less_and_never_something_else() {
        let many = Condition::Any((0..=MOST_MARKS).map(|number| mark(&format!("n{number}"))).collect());
        assert!(conjuncts(&many).is_empty() && met(&many).1.is_empty());
        assert_eq!(conjuncts(&Condition::All(vec![mark("i1"), many.clone()])), ["i1"]);
        assert!(conjuncts(&Condition::Any(vec![mark("i1"), Condition::All(vec![many])])).is_empty());
        // Beyond a number of conditions the rest is one.
        let all = Condition::All((0..40).map(|number| mark(&format!("n{number}"))).collect());
        let (conditions, values) = met(&all);
        assert_eq!((conditions.len(), values.len()), (MOST_APART, MOST_APART));
        let last: String = values.last().unwrap().clone().unwrap();
        assert_eq!(last.split('&').count(), 40 - MOST_APART + 1);
    }
}
