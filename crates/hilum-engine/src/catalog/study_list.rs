//! The study list: filtered by anything, sorted by anything, a page at a time.
//!
//! Two ways lead to a page, and each costs what it shows and not what the archive holds. The index of words hands out what matches from
//! the newest on; where that order is wanted, a page is its first rows. For another order the index is asked for a few thousand matches:
//! if there are no more, they are sorted; if there are, the index of the order is walked, which meets matches often. Where it does not
//! (what is searched decides where a study stands in the order, as a name does by name), it leaves out the letters under which the index
//! of words has no match; and where that does not help, all matches become a list that the walk asks.

use super::dialect::Dialect;
use super::listing::{FEWEST_ROWS, StudyRow, StudySelect, summary};
use super::search::dates::Calendar;
use super::search::text::{self, Condition, Field, Fragment};
use super::search::words::Words;
use super::{Catalog, CatalogError, paging, rows_a_page};
use crate::access::Scope;
use crate::error::EngineError;
use crate::views::{Page, StonesFound, StudySearch, StudySummary, WorkFilter, WorkOrder, WorkSort};
use crate::work_views::{check, check_text};
use sea_orm::{FromQueryResult, Value};
use std::collections::HashMap;

const DEFAULT_PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 200;

/// So many matches are sorted; more are met by walking in the order that is wanted.
const SORTED: usize = if cfg!(test) { 4 } else { 4_000 };
/// Rows of a walk that are looked at in one go.
const LARGEST_LOOK: usize = 2_048;
/// A walk that has met so many rows and no full page asks the index of words at each step from then on.
const WALKED: usize = if cfg!(test) { 128 } else { 2_048 };

/// What is sorted by, and how a statement says it.
struct Ordered {
    column: &'static str,
    is_text: bool,
    descending: bool,
    /// Whose beginnings, which the index of words has, are those of the column.
    field: Option<Field>,
}

impl Ordered {
    /// None: the order in which the index of words hands studies out.
    fn of(sort: WorkSort) -> Option<Self> {
        let (column, is_text) = match sort.by {
            WorkOrder::Received if sort.descending => return None,
            WorkOrder::Received => ("id", false),
            WorkOrder::Priority => ("priority", false),
            WorkOrder::Date => ("dated", true),
            WorkOrder::Name => ("name_key", true),
            WorkOrder::PatientId => ("patient_key", true),
            WorkOrder::Description => ("described", true),
            WorkOrder::Modality => ("modalities", true),
            WorkOrder::Workflow => ("workflow", false),
            WorkOrder::Stones => ("stones", false),
        };
        let field = match sort.by {
            WorkOrder::Name => Some(Field::Name),
            WorkOrder::PatientId => Some(Field::PatientId),
            WorkOrder::Description => Some(Field::Description),
            _ => None,
        };
        Some(Self { column, is_text, descending: sort.descending, field })
    }

    /// What the index of words is asked for studies under a letter of this order; none where it cannot tell.
    fn under(&self, letter: char) -> Option<Condition> {
        let told =
            letter.is_ascii_alphanumeric() || matches!(letter, '\u{AC00}'..='\u{D7A3}' | '\u{4E00}'..='\u{9FFF}');
        let (mut bytes, field) = ([0; 4], self.field.filter(|_| told)?);
        let start = Fragment { text: letter.encode_utf8(&mut bytes), at_start: true, at_end: false };
        if field == Field::Name { text::named(field, start) } else { text::holding(field, start) }
    }

    /// The end of a letter in this order.
    fn end_of(&self, letter: char) -> Vec<Value> {
        if self.descending {
            vec![letter.to_string().into(), i64::MIN.into()]
        } else {
            vec![format!("{letter}{}", char::MAX).into(), i64::MAX.into()]
        }
    }

    /// An index begins with the state and goes on with this.
    fn goes_with_workflow(&self) -> bool {
        ["priority", "dated", "stones"].contains(&self.column)
    }

    fn by(&self) -> String {
        let way = if self.descending { "DESC" } else { "ASC" };
        if self.column == "id" { format!("s.id {way}") } else { format!("s.{} {way}, s.id {way}", self.column) }
    }

    fn behind(&self) -> String {
        let way = if self.descending { '<' } else { '>' };
        if self.column == "id" { format!("s.id {way} ?") } else { format!("(s.{}, s.id) {way} (?, ?)", self.column) }
    }
}

/// What a person asked for, read once.
pub(super) struct Asked {
    words: Words,
    name: Option<String>,
    patient_id: Option<String>,
    filter: WorkFilter,
}

impl Asked {
    fn read(search: &StudySearch) -> Result<Self, EngineError> {
        let StudySearch { text, name, patient_id, filter, .. } = search;
        for (field, text) in [("name", name), ("patient_id", patient_id)] {
            check_text(field, text.as_deref())?;
        }
        check(filter)?;
        let said = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        Ok(Self {
            words: Words::read(text.as_deref().unwrap_or_default()),
            name: said(name),
            patient_id: said(patient_id),
            filter: filter.clone(),
        })
    }

    /// What the index of words is asked.
    fn conditions(&self) -> Vec<Condition> {
        let filter = &self.filter;
        let anywhere = |text| Fragment { text, at_start: false, at_end: false };
        let mut all: Vec<Condition> = self.words.condition().into_iter().collect();
        all.extend(self.name.as_deref().and_then(|name| text::named_fuzzily(Field::Name, name)));
        all.extend(self.patient_id.as_deref().and_then(|id| text::holding(Field::PatientId, anywhere(id.trim()))));
        let described = filter.description.as_deref().map(str::trim);
        all.extend(described.and_then(|text| text::holding(Field::Description, anywhere(text))));
        if filter.from.is_some() || filter.to.is_some() {
            let digits = |date: &Option<String>, open: &str| {
                date.as_ref().map_or_else(|| open.to_owned(), |date| date.replace('-', ""))
            };
            all.push(Calendar::STUDY.between(&digits(&filter.from, "00000000"), &digits(&filter.to, "99999999")));
        }
        let mut any = |marks: Vec<Condition>| all.extend((!marks.is_empty()).then_some(Condition::Any(marks)));
        any(filter.modality.iter().map(|modality| text::of_modality(modality.trim())).collect());
        any(filter.body_part.iter().map(|part| text::of_body_part(part.trim())).collect());
        any(filter.contrast.map(|given| text::of_contrast(i64::from(given))).into_iter().collect());
        any(filter.workflow.iter().map(|state| text::of_workflow(*state as i64)).collect());
        any(filter.priority.iter().map(|priority| text::of_priority(*priority as i64)).collect());
        any(filter.stones.iter().map(|found| text::of_stones(sign(*found))).collect());
        all
    }

    /// As far as columns tell, for a walk; [`Self::met`] says the rest.
    fn columns(&self, dialect: Dialect, ordered: &Ordered) -> (Vec<String>, Vec<Value>) {
        let filter = &self.filter;
        let (mut conditions, mut values) = (Vec::new(), Vec::<Value>::new());
        if let Some(from) = &filter.from {
            conditions.push("s.dated >= ?".to_owned());
            values.push(from.clone().into());
        }
        if let Some(to) = &filter.to {
            // A time follows the day; nothing stands before a date, and no date is earlier than all.
            conditions.push("s.dated <= ? AND s.dated > ?".to_owned());
            values.extend([format!("{to} 99").into(), "0".into()]);
        }
        if let Some(given) = filter.contrast {
            conditions.push(format!("{} = {}", dialect.not_selective("s.contrast"), i64::from(given)));
        }
        let numbers = |list: Vec<i64>| list.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        match filter.workflow.as_slice() {
            [] => {}
            // One state and an order that an index has together.
            [only] if ordered.goes_with_workflow() => conditions.push(format!("s.workflow = {}", *only as i64)),
            states => {
                let column = dialect.not_selective("s.workflow");
                let states = numbers(states.iter().map(|state| *state as i64).collect());
                conditions.push(format!("{column} IN ({states})"));
            }
        }
        if !filter.priority.is_empty() {
            let column = dialect.not_selective("s.priority");
            let list = numbers(filter.priority.iter().map(|priority| *priority as i64).collect());
            conditions.push(format!("{column} IN ({list})"));
        }
        if !filter.stones.is_empty() {
            let column = dialect.not_selective("s.stones");
            let any = filter.stones.iter().map(|found| match found {
                StonesFound::Present => format!("{column} > 0"),
                StonesFound::Absent => format!("{column} = 0"),
                StonesFound::Unknown => format!("{column} < 0"),
            });
            conditions.push(format!("({})", any.collect::<Vec<_>>().join(" OR ")));
        }
        let holds = dialect.either("instr", "strpos");
        for (column, wanted) in [("modalities", &filter.modality), ("body_parts", &filter.body_part)] {
            if wanted.is_empty() {
                continue;
            }
            conditions
                .push(format!("({})", vec![format!("{holds}(upper(s.{column}), ?) > 0"); wanted.len()].join(" OR ")));
            values.extend(wanted.iter().map(|one| Value::from(one.trim().to_uppercase())));
        }
        (conditions, values)
    }

    /// Whether a study meets what its texts decide: the index knows pieces, this knows the text.
    fn met(&self, row: &StudyRow) -> bool {
        let filter = &self.filter;
        let among = |joined: &str, wanted: &[String]| {
            wanted.is_empty()
                || wanted.iter().any(|one| {
                    let one = text::fold(one);
                    joined.split('\\').any(|known| !known.is_empty() && text::fold(known) == one)
                })
        };
        let shown = row.shown();
        let holds = |text: Option<&str>, piece: &Option<String>| {
            piece.as_ref().is_none_or(|piece| text::fold(text.unwrap_or_default()).contains(&text::fold(piece)))
        };
        let named = self.name.as_ref().is_none_or(|name| super::search::words::is_named(&shown, name));
        let [patient_id, _, description] = shown.texts;
        named
            && holds(patient_id, &self.patient_id)
            && holds(description, &filter.description)
            && among(shown.modalities, &filter.modality)
            && among(row.body_parts(), &filter.body_part)
            && (self.words.uid().is_some() || self.words.are_in(&shown))
    }
}

fn sign(found: StonesFound) -> i64 {
    match found {
        StonesFound::Present => 1,
        StonesFound::Absent => 0,
        StonesFound::Unknown => -1,
    }
}

#[derive(FromQueryResult)]
struct Id {
    id: i64,
}

/// Where a page ended, by what the list is sorted by.
#[derive(FromQueryResult)]
struct Key {
    number: Option<i64>,
    text: Option<String>,
}

/// A page that fills.
struct Filling<'a> {
    asked: &'a Asked,
    limit: usize,
    found: Vec<StudyRow>,
}

impl Filling<'_> {
    /// Takes rows; true when the page is full and it is known that there are more.
    fn take(&mut self, rows: impl IntoIterator<Item = StudyRow>) -> bool {
        self.found.extend(rows.into_iter().filter(|row| self.asked.met(row)));
        self.found.len() > self.limit
    }
}

impl Catalog {
    /// A page of studies. Every word of the text stands somewhere in a study.
    pub async fn studies(&self, scope: &Scope, search: &StudySearch) -> Result<Page<StudySummary>, EngineError> {
        let limit = rows_a_page(search.limit, DEFAULT_PAGE, LARGEST_PAGE, "a whole number from 1 to 200")?;
        let after = search.after.as_deref().map(paging::behind).transpose()?;
        let asked = Asked::read(search)?;
        let visible = self.visible(scope).await?;
        let mut select = StudySelect::new(self.dialect(), &visible, self.sees_all(&visible).await?);
        match asked.words.uid() {
            Some(uid) => select.only("s.study_uid = ?", uid),
            None => select.words.extend(asked.conditions()),
        }
        let filling = Filling { asked: &asked, limit: limit as usize, found: Vec::new() };
        let filled = match Ordered::of(search.sort) {
            Some(ordered) if asked.words.uid().is_none() => {
                let behind = match after {
                    None => None,
                    Some(after) => Some(self.key_of(&select, &ordered, after).await?.ok_or_else(paging::no_page)?),
                };
                self.in_order(&select, &ordered, behind, filling).await?
            }
            _ => self.newest_first(&select, after, filling).await?,
        };
        Ok(paging::page(filled.found, limit, |row| row.id, summary)?)
    }

    async fn newest_first<'a>(
        &self,
        select: &StudySelect,
        mut after: Option<i64>,
        mut filling: Filling<'a>,
    ) -> Result<Filling<'a>, CatalogError> {
        loop {
            let wanted = (filling.limit + 1 - filling.found.len()).max(FEWEST_ROWS);
            let (rows, last) = match select.words() {
                None => {
                    let (sql, values) = select.statement(after, wanted);
                    let rows = self.study_rows(&sql, values).await?;
                    after = rows.last().map(|row| row.id);
                    let last = rows.len() < wanted;
                    (rows, last)
                }
                Some(condition) => {
                    let up_to = after.map_or(i64::MAX, |after| after - 1);
                    let studies = self.indexed(&condition, up_to, wanted).await?;
                    after = studies.last().copied();
                    let (sql, values) = select.of_studies(&studies);
                    (self.study_rows(&sql, values).await?, studies.len() < wanted)
                }
            };
            if filling.take(rows) || last {
                return Ok(filling);
            }
        }
    }

    async fn in_order<'a>(
        &self,
        select: &StudySelect,
        ordered: &Ordered,
        mut behind: Option<Vec<Value>>,
        mut filling: Filling<'a>,
    ) -> Result<Filling<'a>, CatalogError> {
        // One state of work and nothing else, in an order that an index has together with it: a walk meets nothing else.
        let met_alone =
            filling.asked.filter.workflow.len() == 1 && select.words.len() == 1 && ordered.goes_with_workflow();
        let candidates = match select.words().filter(|_| !met_alone) {
            None => None,
            Some(condition) => self.few_indexed(&condition, SORTED).await?,
        };
        let (filtered, filter_values) = filling.asked.columns(self.dialect(), ordered);
        let (mut look, mut walked) = ((filling.limit + 1).max(FEWEST_ROWS), 0);
        loop {
            let (studies, mut values) = match &candidates {
                None => ("study".to_owned(), Vec::new()),
                Some(candidates) => {
                    let (studies, rows) = self.dialect().only_rows("study", candidates);
                    (studies, vec![rows])
                }
            };
            let mut conditions = select.conditions.clone();
            values.extend(select.values.iter().cloned());
            if candidates.is_none() && walked >= WALKED {
                let narrowed = select.words().and_then(|condition| self.is_indexed("s.id", &condition));
                if let Some((condition, marks)) = narrowed {
                    conditions.push(condition);
                    values.extend(marks);
                }
            }
            conditions.extend(filtered.iter().cloned());
            values.extend(filter_values.iter().cloned());
            if let Some(behind) = &behind {
                conditions.push(ordered.behind());
                values.extend(behind.iter().cloned());
            }
            let (conditions, by) = (conditions.join(" AND "), ordered.by());
            let sql = format!("SELECT s.id FROM {studies} s WHERE {conditions} ORDER BY {by} LIMIT {look}");
            let met = Id::find_by_statement(self.statement(&sql, values)).all(&self.read).await;
            let met: Vec<i64> =
                met.map_err(CatalogError::during("list studies"))?.into_iter().map(|row| row.id).collect();
            let (sql, values) = select.of_studies(&met);
            let rows = self.study_rows(&sql, values).await?;
            let mut rows: HashMap<i64, StudyRow> = rows.into_iter().map(|row| (row.id, row)).collect();
            let before = filling.found.len();
            let full = filling.take(met.iter().filter_map(|id| rows.remove(id)));
            let Some(last) = met.last().filter(|_| !full && met.len() == look) else { return Ok(filling) };
            // Whoever was deleted meanwhile ends the page early; the next one begins at what is left.
            let Some(mut key) = self.key_of(select, ordered, *last).await? else { return Ok(filling) };
            walked += met.len();
            look = (2 * look).min(LARGEST_LOOK);
            if candidates.is_none()
                && before == filling.found.len()
                && self.leave_out(select, ordered, &mut key).await?
            {
                (look, walked) = ((filling.limit + 1).max(FEWEST_ROWS), 0);
            }
            behind = Some(key);
        }
    }

    /// Goes on behind the letters that come next in an order and under which no study meets what is searched; whether there were any.
    async fn leave_out(
        &self,
        select: &StudySelect,
        ordered: &Ordered,
        behind: &mut Vec<Value>,
    ) -> Result<bool, CatalogError> {
        let (Some(_), Some(searched)) = (ordered.field, select.words()) else { return Ok(false) };
        let mut left_out = false;
        loop {
            let (conditions, by) = (select.conditions.join(" AND "), ordered.by());
            let sql = format!(
                "SELECT CAST(NULL AS BIGINT) AS number, s.{} AS text FROM study s WHERE {conditions} AND {} ORDER BY {by} LIMIT 1",
                ordered.column,
                ordered.behind()
            );
            let values = select.values.iter().chain(behind.iter()).cloned();
            let next = Key::find_by_statement(self.statement(&sql, values)).one(&self.read).await;
            let next = next.map_err(CatalogError::during("list studies"))?.and_then(|key| key.text);
            let Some(letter) = next.and_then(|text| text.chars().next()) else { return Ok(left_out) };
            let Some(under) = ordered.under(letter) else { return Ok(left_out) };
            let both = Condition::All(vec![searched.clone(), under]);
            if !self.indexed(&both, i64::MAX, 1).await?.is_empty() {
                return Ok(left_out);
            }
            *behind = ordered.end_of(letter);
            left_out = true;
        }
    }

    /// What a row stands at in an order; none where it is gone, or is none that the caller may see.
    async fn key_of(
        &self,
        select: &StudySelect,
        ordered: &Ordered,
        row: i64,
    ) -> Result<Option<Vec<Value>>, CatalogError> {
        let Ordered { column, is_text, .. } = ordered;
        let told = match (*column, is_text) {
            ("id", _) => return Ok(Some(vec![row.into()])),
            (column, true) => format!("CAST(NULL AS BIGINT) AS number, s.{column} AS text"),
            (column, false) => format!("s.{column} AS number, CAST(NULL AS TEXT) AS text"),
        };
        let conditions = select.conditions.join(" AND ");
        let values = select.values.iter().cloned().chain([Value::from(row)]);
        let statement = self.statement(&format!("SELECT {told} FROM study s WHERE {conditions} AND s.id = ?"), values);
        let key = Key::find_by_statement(statement).one(&self.read).await;
        let key = key.map_err(CatalogError::during("list studies"))?;
        Ok(key.map(|key| {
            let first = if *is_text { Value::from(key.text) } else { Value::from(key.number) };
            vec![first, row.into()]
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::work::{folded, name_key};
    use super::*;
    use crate::engine::{Engine, EngineConfig};
    use crate::views::PatientView;

    /// All pages of a search.
    async fn every(catalog: &Catalog, search: &StudySearch) -> Vec<StudySummary> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let search = StudySearch { after, limit: Some(7), ..search.clone() };
            let page = catalog.studies(&Scope::local(), &search).await.unwrap();
            found.extend(page.items);
            if page.next.is_none() {
                return found;
            }
            after = page.next;
        }
    }

    #[tokio::test]
    async fn a_walk_that_meets_few_finds_what_a_look_at_every_study_does() {
        let folder = tempfile::tempdir().unwrap();
        let config = EngineConfig { shipped_model: false, ..EngineConfig::new(folder.path()) };
        let engine = Engine::open(config).await.unwrap();
        let catalog = engine.catalog();
        catalog.fill_synthetic(&Scope::local(), 700, |_| ()).await.unwrap();
        let mut studies = every(catalog, &StudySearch::default()).await;
        studies.reverse();
        assert_eq!(studies.len(), 700);
        let key = |by: WorkOrder, one: &StudySummary| match by {
            WorkOrder::Name => {
                let PatientView { name, name_ideographic, name_phonetic, .. } = &one.patient;
                name_key([Some(name), name_ideographic.as_deref(), name_phonetic.as_deref()])
            }
            WorkOrder::Modality => one.modalities.join("\\"),
            _ => folded(&one.description),
        };
        // The first and the last in each order, one in between, and one that is spread over it.
        for text in ["홍", "강", "lee", "pa", "KUB", "MR", "길"] {
            let narrow = StudySearch { text: Some(text.to_owned()), ..StudySearch::default() };
            let mut matches = every(catalog, &narrow).await;
            assert!(matches.len() > SORTED, "{text}: {}", matches.len());
            matches.reverse();
            for (by, descending) in [WorkOrder::Name, WorkOrder::Modality, WorkOrder::Description]
                .into_iter()
                .flat_map(|by| [(by, false), (by, true)])
            {
                let mut expected = matches.clone();
                expected.sort_by_key(|one| key(by, one));
                if descending {
                    expected.reverse();
                }
                let search = StudySearch { sort: WorkSort { by, descending }, ..narrow.clone() };
                let uids = |list: &[StudySummary]| list.iter().map(|one| one.study_uid.clone()).collect::<Vec<_>>();
                assert_eq!(uids(&every(catalog, &search).await), uids(&expected), "{text}, {by:?}, {descending}");
            }
        }
    }
}
