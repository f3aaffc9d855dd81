//! Imported orders.

use super::entity::worklist_item;
use super::{Catalog, CatalogError, now, work};
use crate::access::Scope;
use crate::audit::{Action, AuditEvent, Detail, Subject};
use crate::views::Priority;
use crate::worklist::{ACCESSION_NUMBER, REQUESTED_PROCEDURE_PRIORITY, STUDY_INSTANCE_UID, WorklistSummary};
use hilum_dicom::{DataSet, json};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use std::collections::BTreeSet;

const ACT: &str = "import orders";
/// Bytes of an accession number or UID, as of a study's.
const LONGEST_NUMBER: usize = 512;

impl Catalog {
    /// Keeps orders by their keys in one transaction; with `replace`, every other order of the caller's institution is taken out.
    pub(crate) async fn put_worklist(
        &self,
        scope: &Scope,
        orders: &[(String, DataSet)],
        replace: bool,
    ) -> Result<WorklistSummary, CatalogError> {
        use worklist_item::Column;
        let institution = self.home(scope).await?;
        let mut summary = WorklistSummary::default();
        let mut told = BTreeSet::new();
        let txn = self.begin(ACT).await?;
        for (key, order) in orders {
            let mut data_set = String::new();
            json::write_data_set(order, &mut data_set);
            // A number that is longer than a study's is none of a study (and no index takes it).
            let text = |tag| {
                let text = order.text(tag).unwrap_or_default().trim();
                if text.len() <= LONGEST_NUMBER { text.to_owned() } else { String::new() }
            };
            let (accession, study_uid) = (text(ACCESSION_NUMBER), text(STUDY_INSTANCE_UID));
            let priority = Priority::of_order(&text(REQUESTED_PROCEDURE_PRIORITY)) as i64;
            let known = worklist_item::Entity::find()
                .filter(Column::InstitutionId.eq(institution))
                .filter(Column::OrderKey.eq(key))
                .one(&txn)
                .await
                .map_err(CatalogError::during(ACT))?;
            match known {
                None => summary.new += 1,
                // One that was kept before urgency was has the same words, and says nothing of a study yet.
                Some(row)
                    if row.data_set == data_set
                        && (&row.accession, &row.study_uid, row.priority) == (&accession, &study_uid, priority) =>
                {
                    summary.unchanged += 1;
                    continue;
                }
                Some(_) => summary.changed += 1,
            }
            told.insert((accession.clone(), study_uid.clone()));
            worklist_item::Entity::insert(worklist_item::ActiveModel {
                institution_id: Set(institution),
                order_key: Set(key.clone()),
                data_set: Set(data_set),
                updated_at: Set(now()),
                accession: Set(accession),
                study_uid: Set(study_uid),
                priority: Set(priority),
                ..Default::default()
            })
            .on_conflict(
                OnConflict::columns([Column::InstitutionId, Column::OrderKey])
                    .update_columns([
                        Column::DataSet,
                        Column::UpdatedAt,
                        Column::Accession,
                        Column::StudyUid,
                        Column::Priority,
                    ])
                    .to_owned(),
            )
            .exec_without_returning(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        }
        if replace {
            let kept: Vec<&str> = orders.iter().map(|(key, _)| key.as_str()).collect();
            let all: Vec<(i64, String)> = worklist_item::Entity::find()
                .select_only()
                .columns([Column::Id, Column::OrderKey])
                .filter(Column::InstitutionId.eq(institution))
                .into_tuple()
                .all(&txn)
                .await
                .map_err(CatalogError::during(ACT))?;
            for (row, _) in all.iter().filter(|(_, key)| !kept.contains(&key.as_str())) {
                worklist_item::Entity::delete_by_id(*row).exec(&txn).await.map_err(CatalogError::during(ACT))?;
                summary.removed += 1;
            }
        }
        for (accession, study_uid) in &told {
            work::apply_order(&txn, institution, accession, study_uid).await?;
        }
        let imported = summary.new + summary.changed + summary.unchanged;
        let detail = Detail { subject: Some(Subject::Worklist), instances: Some(imported), ..Detail::default() };
        let event = AuditEvent::by(scope, Action::ImportWorklist).of(scope.home().clone()).with(detail);
        self.commit_told(txn, ACT, &[event]).await?;
        Ok(summary)
    }

    /// Takes orders of the caller's institution out, by their keys; how many there were.
    pub(crate) async fn remove_orders(&self, scope: &Scope, keys: &[String]) -> Result<u64, CatalogError> {
        let institution = self.home(scope).await?;
        let txn = self.begin(ACT).await?;
        let gone = worklist_item::Entity::delete_many()
            .filter(worklist_item::Column::InstitutionId.eq(institution))
            .filter(worklist_item::Column::OrderKey.is_in(keys.iter().map(String::as_str)))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?
            .rows_affected;
        let detail = Detail {
            subject: Some(Subject::Worklist),
            code: Some("withdrawn".into()),
            instances: Some(gone),
            ..Detail::default()
        };
        let event = AuditEvent::by(scope, Action::ImportWorklist).of(scope.home().clone()).with(detail);
        self.commit_told(txn, ACT, &[event]).await?;
        Ok(gone)
    }

    /// Orders after a row, in order of arrival, with their rows.
    pub(crate) async fn worklist_after(
        &self,
        scope: &Scope,
        after: i64,
        limit: u64,
    ) -> Result<Vec<(i64, DataSet)>, CatalogError> {
        let rows = worklist_item::Entity::find()
            .filter(worklist_item::Column::InstitutionId.is_in(self.visible(scope).await?))
            .filter(worklist_item::Column::Id.gt(after))
            .order_by_asc(worklist_item::Column::Id)
            .limit(limit)
            .all(&self.read)
            .await
            .map_err(CatalogError::during("look through the worklist"))?;
        rows.into_iter()
            .map(|row| {
                let corrupt = || CatalogError::Corrupt { what: "order" };
                let json = serde_json::from_str(&row.data_set).map_err(|_| corrupt())?;
                Ok((row.id, DataSet::from_json(&json).map_err(|_| corrupt())?))
            })
            .collect()
    }
}
