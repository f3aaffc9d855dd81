//! What the worklist knows of a study beyond its images: how urgent it is, how far a physician is with it, what its series show, and the
//! keys that the list is sorted by. All of it follows from other rows, priority set by hand excepted; whoever changes those rows calls
//! [`refresh`] in the same transaction.

use super::audit::of_study;
use super::entity::{report, review, series, signature, study, worklist_filter, worklist_item};
use super::report::shown;
use super::review::study_of;
use super::search::text;
use super::{Catalog, CatalogError, now};
use crate::access::{AccountId, Permission, Scope};
use crate::audit::{Action, AuditEvent, Detail, Subject};
use crate::error::EngineError;
use crate::tagging::SeriesTags;
use crate::views::{NewSavedFilter, Priority, SavedFilter, WorkFilter};
use hilum_dicom::StudyUid;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Set,
};
use std::collections::BTreeSet;

const ACT: &str = "look after the worklist";

/// An account keeps at most so many filters.
const MOST_FILTERS: u64 = 50;
/// A kept filter is no longer than this in JSON.
const LONGEST_FILTER: usize = 4_000;

/// What is sorted by is no longer than this: PostgreSQL refuses a row of which an index would hold more than 2,704 bytes.
const LONGEST_KEY: usize = 128;
/// Bytes of the modalities of a study, for the same reason.
const LONGEST_MODALITIES: usize = 1024;

/// Words for who said how urgent a study is.
const BY_ORDER: &str = "order";
const BY_HAND: &str = "hand";

/// What a series adds to its study.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SeriesMarks {
    pub(super) body_part: Option<String>,
    /// 1 given, 0 not given, -1 nothing says.
    pub(super) contrast: i64,
}

impl SeriesMarks {
    /// Body Part Examined (0018,0015) as it was sent, in capitals, and what the tags say of contrast.
    pub(super) fn of(tags: &SeriesTags, body_part: Option<&str>) -> Self {
        Self {
            body_part: body_part.map(self::body_part).filter(|part| !part.is_empty()),
            contrast: tags.contrast.value.map_or(-1, i64::from),
        }
    }
}

/// A body part in capitals, as one text.
pub(super) fn body_part(sent: &str) -> String {
    sent.trim().to_uppercase().replace('\\', " ")
}

/// Body parts of a study, and whether contrast was given in one of its series.
pub(super) fn of_series(series: Vec<SeriesMarks>) -> (String, i64) {
    let contrast = series.iter().map(|marks| marks.contrast).max().unwrap_or(-1);
    let parts: BTreeSet<String> = series.into_iter().filter_map(|marks| marks.body_part).collect();
    (parts.into_iter().collect::<Vec<_>>().join("\\"), contrast)
}

/// Date and time as one text that sorts; empty where there is no date.
pub(super) fn dated(date: Option<&str>, time: Option<&str>) -> String {
    date.map_or_else(String::new, |date| format!("{date} {}", time.unwrap_or_default()))
}

/// A text for sorting: its beginning in small letters, without blanks around the text.
pub(super) fn folded(text: &str) -> String {
    text::fold(text).chars().take(LONGEST_KEY).collect()
}

/// Modalities joined by backslashes, as many of them as an index takes.
pub(super) fn joined_modalities(modalities: &[&str]) -> String {
    let mut joined = String::new();
    for modality in modalities {
        if joined.len() + 1 + modality.len() > LONGEST_MODALITIES {
            continue;
        }
        if !joined.is_empty() {
            joined.push('\\');
        }
        joined.push_str(modality);
    }
    joined
}

/// A patient's name for sorting: the group in Hangul where one is, else the first that was sent; the parts of a name side by side.
pub(super) fn name_key(groups: [Option<&str>; 3]) -> String {
    let is_hangul = |c: char| ('\u{AC00}'..='\u{D7A3}').contains(&c) || ('\u{1100}'..='\u{11FF}').contains(&c);
    let sent = || groups.into_iter().flatten().filter(|group| !group.trim_matches(['^', ' ']).is_empty());
    match sent().find(|group| group.chars().any(is_hangul)) {
        Some(hangul) => folded(hangul).replace(['^', ' '], ""),
        None => folded(sent().next().unwrap_or_default()).replace('^', " ").trim_end().to_owned(),
    }
}

/// Brings a study's columns up to date with its rows, and the index of words where they changed. The study counts as changed now.
pub(super) async fn refresh(txn: &DatabaseTransaction, study_row: i64) -> Result<(), CatalogError> {
    if refresh_columns(txn, study_row).await? {
        text::index(txn, study_row).await.map_err(CatalogError::during(ACT))?;
    }
    Ok(())
}

/// As [`refresh`], for whoever indexes the study anyway: whether what the index holds of the columns is something else now.
pub(super) async fn refresh_columns(txn: &DatabaseTransaction, study_row: i64) -> Result<bool, CatalogError> {
    let during = || CatalogError::during(ACT);
    let Some(row) = study::Entity::find_by_id(study_row).one(txn).await.map_err(during())? else { return Ok(false) };
    let report = report::Entity::find()
        .filter(report::Column::StudyRow.eq(study_row))
        .filter(shown())
        .one(txn)
        .await
        .map_err(during())?;
    let (mut stones, mut workflow) = (-1, 0);
    if let Some(report) = report {
        stones = match report.stone_present {
            None => -1,
            Some(false) => 0,
            Some(true) => report.stone_count.unwrap_or(1),
        };
        let of_report = signature::Column::ReportRow.eq(report.id);
        let signed = signature::Entity::find().filter(of_report).count(txn).await.map_err(during())?;
        let of_report = review::Column::ReportRow.eq(report.id);
        let begun = review::Entity::find().filter(of_report).count(txn).await.map_err(during())?;
        workflow = if signed > 0 { 2 } else { i64::from(begun > 0) };
    }
    let series: Vec<(Option<String>, i64)> = series::Entity::find()
        .select_only()
        .columns([series::Column::BodyPart, series::Column::Contrast])
        .filter(series::Column::StudyRow.eq(study_row))
        .into_tuple()
        .all(txn)
        .await
        .map_err(during())?;
    let marks = series.into_iter().map(|(body_part, contrast)| SeriesMarks { body_part, contrast });
    let (body_parts, contrast) = of_series(marks.collect());
    let same = (row.stones, row.workflow, row.contrast) == (stones, workflow, contrast) && row.body_parts == body_parts;
    let mut changed = row.into_active_model();
    changed.stones = Set(stones);
    changed.workflow = Set(workflow);
    changed.body_parts = Set(body_parts);
    changed.contrast = Set(contrast);
    changed.updated_at = Set(now());
    changed.update(txn).await.map_err(during())?;
    Ok(!same)
}

/// How urgent the orders say that a study is: the most urgent of those with its accession number or its UID, whichever came first.
pub(super) async fn ordered_priority(
    txn: &DatabaseTransaction,
    institution: i64,
    accession: Option<&str>,
    uid: &str,
) -> Result<i64, CatalogError> {
    use worklist_item::Column;
    let mut urgent = 0;
    for (column, value) in [(Column::Accession, accession.unwrap_or_default()), (Column::StudyUid, uid)] {
        if value.is_empty() {
            continue;
        }
        let order = worklist_item::Entity::find()
            .filter(Column::InstitutionId.eq(institution))
            .filter(column.eq(value))
            .order_by_desc(Column::Priority)
            .one(txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        urgent = urgent.max(order.map_or(0, |order| order.priority));
    }
    Ok(urgent)
}

/// Who says how urgent a study is that has just come.
pub(super) fn said_by(priority: i64) -> String {
    if priority > 0 { BY_ORDER.to_owned() } else { String::new() }
}

/// An order that is kept now came after its study, or says something else than before: the study is as urgent as its orders are, unless
/// a person said otherwise.
pub(super) async fn apply_order(
    txn: &DatabaseTransaction,
    institution: i64,
    accession: &str,
    uid: &str,
) -> Result<(), CatalogError> {
    let during = || CatalogError::during(ACT);
    for (column, value) in [(study::Column::Accession, accession), (study::Column::StudyUid, uid)] {
        if value.is_empty() {
            continue;
        }
        let studies = study::Entity::find()
            .filter(study::Column::InstitutionId.eq(institution))
            .filter(column.eq(value))
            .all(txn)
            .await
            .map_err(during())?;
        for row in studies.into_iter().filter(|row| row.priority_by != BY_HAND) {
            let priority = ordered_priority(txn, institution, row.accession.as_deref(), &row.study_uid).await?;
            if row.priority != priority {
                put_priority(txn, row, priority, BY_ORDER).await?;
            }
        }
    }
    Ok(())
}

async fn put_priority(
    txn: &DatabaseTransaction,
    row: study::Model,
    priority: i64,
    by: &str,
) -> Result<(), CatalogError> {
    let study_row = row.id;
    let mut changed = row.into_active_model();
    changed.priority = Set(priority);
    changed.priority_by = Set(by.to_owned());
    changed.updated_at = Set(now());
    changed.update(txn).await.map_err(CatalogError::during(ACT))?;
    text::index(txn, study_row).await.map_err(CatalogError::during(ACT))
}

impl Catalog {
    /// A person says how urgent a study is; no order changes that any more.
    pub(crate) async fn set_priority(
        &self,
        scope: &Scope,
        uid: &StudyUid,
        priority: Priority,
    ) -> Result<(), EngineError> {
        scope.require(Permission::Predict)?;
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let row = study_of(&txn, &visible, uid).await?.ok_or(EngineError::NotFound { what: "study" })?;
        self.require(scope, Permission::Predict, row.institution_id)?;
        let (institution, study_row) = (row.institution_id, row.id);
        put_priority(&txn, row, priority as i64, BY_HAND).await?;
        let (institution, study) = of_study(&txn, institution, study_row).await?;
        let detail =
            Detail { subject: Some(Subject::Study), code: Some(priority.as_str().into()), ..Detail::default() };
        let event = AuditEvent::by(scope, Action::ChangePriority).of(institution).about([study]).with(detail);
        Ok(self.commit_told(txn, ACT, &[event]).await?)
    }

    /// The account's own filters, by their names.
    pub(crate) async fn saved_filters(
        &self,
        _scope: &Scope,
        account: AccountId,
    ) -> Result<Vec<SavedFilter>, CatalogError> {
        let rows = worklist_filter::Entity::find()
            .filter(worklist_filter::Column::AccountId.eq(account.0))
            .order_by_asc(worklist_filter::Column::Name)
            .order_by_asc(worklist_filter::Column::Id)
            .all(&self.read)
            .await
            .map_err(CatalogError::during(ACT))?;
        rows.into_iter().map(saved).collect()
    }

    /// Keeps a filter under its name, in place of the one that had it.
    pub(crate) async fn save_filter(
        &self,
        _scope: &Scope,
        account: AccountId,
        new: &NewSavedFilter,
    ) -> Result<SavedFilter, EngineError> {
        use worklist_filter::Column;
        let filter = serde_json::to_string(&new.filter).map_err(|_| CatalogError::Corrupt { what: "filter" })?;
        if filter.len() > LONGEST_FILTER {
            return Err(EngineError::BadRequest { field: "filter", expected: "fewer values" });
        }
        let txn = self.begin(ACT).await?;
        let own = || worklist_filter::Entity::find().filter(Column::AccountId.eq(account.0));
        let known = own().filter(Column::Name.eq(&new.name)).one(&txn).await.map_err(CatalogError::during(ACT))?;
        let row = if let Some(row) = known {
            let mut changed = row.into_active_model();
            changed.filter = Set(filter);
            changed.update(&txn).await.map_err(CatalogError::during(ACT))?
        } else {
            if own().count(&txn).await.map_err(CatalogError::during(ACT))? >= MOST_FILTERS {
                return Err(EngineError::Conflict("you have 50 filters; remove one first"));
            }
            let row = worklist_filter::ActiveModel {
                account_id: Set(account.0),
                name: Set(new.name.clone()),
                filter: Set(filter),
                created_at: Set(now()),
                ..Default::default()
            };
            row.insert(&txn).await.map_err(CatalogError::during(ACT))?
        };
        txn.commit().await.map_err(CatalogError::during(ACT))?;
        Ok(saved(row)?)
    }

    /// One filter less.
    pub(crate) async fn remove_filter(&self, _scope: &Scope, account: AccountId, id: i64) -> Result<(), EngineError> {
        let removed = worklist_filter::Entity::delete_many()
            .filter(worklist_filter::Column::Id.eq(id))
            .filter(worklist_filter::Column::AccountId.eq(account.0))
            .exec(&self.write)
            .await
            .map_err(CatalogError::during(ACT))?;
        if removed.rows_affected == 0 { Err(EngineError::NotFound { what: "filter" }) } else { Ok(()) }
    }
}

fn saved(row: worklist_filter::Model) -> Result<SavedFilter, CatalogError> {
    let filter: WorkFilter =
        serde_json::from_str(&row.filter).map_err(|_| CatalogError::Corrupt { what: "filter of the worklist" })?;
    Ok(SavedFilter { id: row.id, name: row.name, filter })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_by_hangul_where_it_was_sent() {
        for (groups, key) in [
            ([Some("Hong^Gildong"), Some("洪^吉洞"), Some("홍^길동")], "홍길동"),
            ([Some("Hong^Gildong"), None, None], "hong gildong"),
            ([Some("홍^길동"), None, None], "홍길동"),
            ([Some("Smith^John^^Dr"), None, None], "smith john  dr"),
            ([Some("^"), None, None], ""),
            ([Some(""), Some("洪^吉洞"), None], "洪 吉洞"),
        ] {
            assert_eq!(name_key(groups), key, "{groups:?}");
        }
        assert!(name_key([Some("가^나"), None, None]) < name_key([Some("나^가"), None, None]));
    }

    #[test]
    fn what_is_sorted_by_is_no_longer_than_an_index_takes() {
        let long = "가 ".repeat(2_000);
        assert!([folded(&long), name_key([Some(&long), None, None])].iter().all(|key| key.len() <= 4 * LONGEST_KEY));
        let modalities: Vec<String> = (0..500).map(|n| format!("M{n:03}")).collect();
        let modalities: Vec<&str> = modalities.iter().map(String::as_str).collect();
        assert_eq!(joined_modalities(&modalities[..3]), "M000\\M001\\M002");
        assert!(joined_modalities(&modalities).len() <= LONGEST_MODALITIES);
    }

    #[test]
    fn contrast_in_one_series_is_contrast_of_the_study() {
        let series = |part: &str, contrast| SeriesMarks { body_part: Some(part.to_owned()), contrast };
        assert_eq!(
            of_series(vec![series("PELVIS", 0), series("ABDOMEN", 1), series("PELVIS", -1)]),
            ("ABDOMEN\\PELVIS".into(), 1)
        );
        assert_eq!(
            of_series(vec![series("CHEST", 0), SeriesMarks { body_part: None, contrast: -1 }]),
            ("CHEST".into(), 0)
        );
        assert_eq!(of_series(Vec::new()), (String::new(), -1));
    }
}
