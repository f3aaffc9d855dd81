//! Searching by DICOM keys: C-FIND and QIDO-RS ask here.
//!
//! The database narrows the candidates by what its indexes can do and hands them out from the newest study on, a chunk at a time;
//! each is then matched by the rules of PS3.4 C.2.2.2 ([`hilum_dicom::matching`]). A page therefore costs what it shows, not what
//! the archive holds.

mod answer;
pub(in crate::catalog) mod dates;
pub(in crate::catalog) mod index;
mod select;
mod series_marks;
pub(in crate::catalog) mod text;
pub(in crate::catalog) mod words;

pub use answer::{Answer, Attribute, Values, attributes};

use super::{Catalog, CatalogError};
use crate::access::Scope;
use crate::engine::Zone;
use crate::error::EngineError;
use answer::{OF_REQUEST, Page};
use dicom_core::{Tag, VR};
use hilum_dicom::DataSet;
use hilum_dicom::data_set::Value;
use hilum_dicom::matching::{Level, Query, QueryOptions};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use select::Select;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// A question by keys.
#[derive(Clone, Debug)]
pub struct Find {
    /// Zone.
    pub zone: Zone,
    /// What is looked for.
    pub level: Level,
    /// Keys of this level and of those above it; keys without a value match everything.
    pub keys: DataSet,
    /// What was agreed beyond the baseline.
    pub options: QueryOptions,
    /// Go on behind the last page.
    pub after: Option<Cursor>,
    /// At most so many entities.
    pub limit: usize,
}

/// Where a page ended: rows of patient or study, series and instance. It stays valid while others send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    top: i64,
    series: i64,
    instance: i64,
}

/// A page of what was found, the study received last first.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What the catalogue knows of each.
    pub answers: Vec<Answer>,
    /// Behind the last of them, when there is more.
    pub next: Option<Cursor>,
    /// Keys with values that the catalogue cannot match at this level; they were left out of the question.
    pub unsupported: Vec<Tag>,
}

/// A longer list of alternatives is refused: SQLite takes 32,766 values in a statement.
const MOST_VALUES: usize = 10_000;
/// Rows fetched at first and at most in one go.
const FIRST_CHUNK: usize = 128;
const LARGEST_CHUNK: usize = 4096;
/// Studies looked up in the index of words in one go, before their series.
const STUDIES: usize = 128;

impl Catalog {
    /// A page of what matches in the caller's institutions.
    pub async fn find(&self, scope: &Scope, find: &Find) -> Result<Found, EngineError> {
        let (keys, unsupported) = known_keys(find);
        if let Some((tag, ..)) = keys.iter().find(|(tag, ..)| keys.texts(*tag).len() > MOST_VALUES) {
            return Err(EngineError::BadQuery(format!("{tag}: at most {MOST_VALUES} values can be asked for at once")));
        }
        let query = Query::read(&keys, find.options).map_err(|error| EngineError::BadQuery(error.to_string()))?;
        let visible = self.visible(scope).await?;
        let mut select = Select::new(self.dialect(), find.level, find.zone, &visible, self.sees_all(&visible).await?);
        select.narrow(&keys, find.options);
        if find.level == Level::Patient
            && let Some(words) = select.words()
        {
            let patients = match self.few_indexed(&words, select::RARE).await? {
                Some(studies) => Some(self.patients_of(&studies).await?),
                None => None,
            };
            select.of_patients(patients.as_deref());
        }
        let mut found = Found { unsupported, ..Found::default() };
        // What asks for nothing in particular matches, and one row more than a page tells whether there is more.
        let everything = query.is_universal();
        let first = if everything { find.limit.saturating_add(1).min(LARGEST_CHUNK) } else { FIRST_CHUNK };
        let (mut after, mut chunk, mut last_seen) = (find.after, first, None::<Answer>);
        loop {
            let (page, last) = self.page(&select, after, chunk).await?;
            for answer in page.answers() {
                let matches = everything || query.matches(&answer.data_set_of(|tag| keys.get(tag).is_some())?);
                if matches && found.answers.len() == find.limit {
                    found.next = last_seen.map_or(Ok(find.after), |answer| answer.cursor().map(Some))?;
                    return Ok(found);
                }
                if matches {
                    found.answers.push(answer.clone());
                }
                last_seen = Some(answer);
            }
            if let Some(answer) = &last_seen {
                after = Some(answer.cursor()?);
            }
            if last {
                return Ok(found);
            }
            chunk = (chunk * 4).min(LARGEST_CHUNK);
        }
    }

    /// The next rows, some at least unless they are the last; and whether they are.
    async fn page(&self, select: &Select, after: Option<Cursor>, limit: usize) -> Result<(Page, bool), CatalogError> {
        let Some(words) = select.words() else {
            let page = self.fetch(select, after, limit).await?;
            let last = page.len() < limit;
            return Ok((page, last));
        };
        // The index hands out studies in order, and nothing below them.
        let mut after = after;
        loop {
            let up_to = after.map_or(i64::MAX, |after| after.top);
            let studies = self.indexed(&words, up_to, STUDIES).await?;
            let Some(lowest) = studies.last().copied() else { return Ok((Page::empty(select.level()), true)) };
            let page = self.fetch(&select.of_studies(&studies), after, limit).await?;
            let last = studies.len() < STUDIES && page.len() < limit;
            if last || page.len() > 0 {
                return Ok((page, last));
            }
            after = Some(Cursor { top: lowest - 1, series: 0, instance: 0 });
        }
    }

    /// The rows of the patients of some studies.
    async fn patients_of(&self, studies: &[i64]) -> Result<Vec<i64>, CatalogError> {
        let (condition, rows) = self.dialect().is_one_of("id", studies);
        let sql = format!("SELECT DISTINCT patient_row FROM study WHERE {condition}");
        let found = OfPatient::find_by_statement(self.statement(&sql, [rows])).all(&self.read).await;
        Ok(found.map_err(CatalogError::during("search"))?.into_iter().map(|found| found.patient_row).collect())
    }

    async fn fetch(&self, select: &Select, after: Option<Cursor>, limit: usize) -> Result<Page, CatalogError> {
        for cleaned in [false, true] {
            let (sql, values) = select.statement(after, limit, cleaned);
            let found = self.read.query_one_raw(self.statement(&sql, values)).await;
            let found = found.map_err(CatalogError::during("search"))?;
            let page = found.map(|row| -> Result<_, DbErr> {
                let (rows, text): (i64, Option<String>) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                Ok(Page::read(select.level(), rows as u64, text.unwrap_or_default()))
            });
            if let Some(page) = page.transpose().map_err(CatalogError::during("search"))?.flatten() {
                return Ok(page);
            }
        }
        Err(CatalogError::Corrupt { what: "page of a search" })
    }

    /// Whether the caller sees every institution there is: then the index of words need not tell them apart. It is counted once a
    /// minute, for it only decides how the database is asked; whatever it says, rows of other institutions are no answer.
    pub(in crate::catalog) async fn sees_all(&self, visible: &[i64]) -> Result<bool, CatalogError> {
        let counted = *self.counted.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((count, at)) = counted
            && at.elapsed() < COUNTED_FOR
        {
            return Ok(count == visible.len());
        }
        let statement = self.statement("SELECT count(*) AS n FROM institution", []);
        let count =
            Count::find_by_statement(statement).one(&self.read).await.map_err(CatalogError::during("search"))?;
        let count = count.map_or(0, |count| count.n as usize);
        *self.counted.write().unwrap_or_else(PoisonError::into_inner) = Some((count, Instant::now()));
        Ok(count == visible.len())
    }
}

/// The keys that can be matched at the level, and the tags of the others that have a value, those within sequences too.
fn known_keys(find: &Find) -> (DataSet, Vec<Tag>) {
    let mut keys = DataSet::new();
    let mut unsupported = Vec::new();
    for (tag, vr, value) in find.keys.iter() {
        let known = attributes(find.level).iter().any(|attribute| attribute.tag == tag);
        match value {
            Value::Items(items) if known && vr == VR::SQ => {
                let items = items.iter().map(|item| of_request(item, &mut unsupported)).collect();
                keys.set_items(tag, items);
            }
            // A sequence is asked for by its items, or whether it has any.
            Value::Text(_)
                if known && (vr != VR::SQ || find.options.empty_values && find.keys.texts(tag) == ["\"\""]) =>
            {
                keys.insert(tag, vr, value.clone());
            }
            value if !value.is_empty() && !QUESTION.contains(&tag) => unsupported.push(tag),
            _ => {}
        }
    }
    (keys, unsupported)
}

fn of_request(item: &DataSet, unsupported: &mut Vec<Tag>) -> DataSet {
    let mut known = DataSet::new();
    for (tag, vr, value) in item.iter() {
        if OF_REQUEST.contains(&tag) {
            known.insert(tag, vr, value.clone());
        } else if !value.is_empty() {
            unsupported.push(tag);
        }
    }
    known
}

const COUNTED_FOR: Duration = Duration::from_mins(1);

#[derive(FromQueryResult)]
struct OfPatient {
    patient_row: i64,
}

#[derive(FromQueryResult)]
struct Count {
    n: i64,
}

/// Specific Character Set, Query/Retrieve Level, Timezone Offset From UTC: how is asked, not what for.
const QUESTION: [Tag; 3] = [Tag(0x0008, 0x0005), Tag(0x0008, 0x0052), Tag(0x0008, 0x0201)];
