//! Deliveries: which versions of reports are to go to which medical records, and how far that is.
//!
//! A delivery is recorded in the transaction of its report, so that there is never one without the other. What is due is a condition on
//! its row; nothing else remembers it.

use super::entity::{delivery, report};
use super::paging::{behind, page, pause_ms};
use super::{Catalog, CatalogError, id_list, now, rfc3339};
use crate::access::{InstitutionCode, Permission, Scope};
use crate::deliveries::{
    DeliveredPatient, DeliveryOutcome, DeliveryRule, DeliverySearch, DeliveryState, DeliveryView, DestinationName,
    DueDelivery,
};
use crate::error::EngineError;
use crate::storage::{ObjectKey, hex};
use crate::views::Page;
use hilum_dicom::StudyUid;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, Set,
    Value,
};
use sha2::{Digest, Sha256};

/// The first pause after a refusal, doubled by each further one up to the longest. A refusal may be for a reason that passes (an order
/// that is not known yet), so that it is never given up.
const FIRST_REFUSAL_MS: i64 = 30_000;
const LONGEST_REFUSAL_MS: i64 = 3_600_000;
/// Pauses after a try that reached nobody: when the receiver is there again, results are there soon.
const FIRST_ABSENCE_MS: i64 = 5_000;
const LONGEST_ABSENCE_MS: i64 = 300_000;

const DEFAULT_PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 10_000;

const RECORD: &str = "record a delivery";
const LIST: &str = "list deliveries";

/// MSH-10 has 20 characters at most (HL7 2.5.1).
const CONTROL_ID_LENGTH: usize = 20;

/// The version is to go to these destinations of its institution; due at once. What waits anywhere of the study's earlier versions does
/// not go any more, also where this one does not go: it is not true any more.
pub(super) async fn record_deliveries(
    txn: &DatabaseTransaction,
    report: &report::Model,
    rules: &[DeliveryRule],
) -> Result<(), CatalogError> {
    let sql = "UPDATE delivery SET state = ?, updated_at = ? WHERE state = ? \
               AND report_row IN (SELECT id FROM report WHERE study_row = ? AND id <> ?)";
    let values: Vec<Value> = vec![
        DeliveryState::Superseded.as_str().into(),
        now().into(),
        DeliveryState::Waiting.as_str().into(),
        report.study_row.into(),
        report.id.into(),
    ];
    let statement = super::dialect::Dialect::of(txn).statement(sql, values);
    txn.execute_raw(statement).await.map_err(CatalogError::during(RECORD))?;
    if rules.is_empty() {
        return Ok(());
    }
    let (institution, study) = super::audit::of_study(txn, report.institution_id, report.study_row).await?;
    let at = now();
    for rule in rules.iter().filter(|rule| rule.institution == institution) {
        let row = delivery::ActiveModel {
            institution_id: Set(report.institution_id),
            report_row: Set(report.id),
            destination: Set(rule.name.as_str().to_owned()),
            control_id: Set(control_id(&institution, &study, report, &rule.name)),
            state: Set(DeliveryState::Waiting.as_str().to_owned()),
            tries: Set(0),
            next_at: Set(at),
            created_at: Set(at),
            updated_at: Set(at),
            ..Default::default()
        };
        let known = [delivery::Column::ReportRow, delivery::Column::Destination];
        delivery::Entity::insert(row)
            .on_conflict(OnConflict::columns(known).do_nothing().to_owned())
            .exec_without_returning(txn)
            .await
            .map_err(CatalogError::during(RECORD))?;
    }
    Ok(())
}

/// The same for the same version and destination. The time is in it, because a study that was deleted and came again has a version 1 again.
fn control_id(institution: &InstitutionCode, study: &StudyUid, report: &report::Model, to: &DestinationName) -> String {
    let of = [institution.as_str(), study.as_str(), to.as_str()].join("|");
    let digest = Sha256::digest(format!("{of}|{}|{}", report.version, report.created_at));
    let mut id = hex(&digest).to_uppercase();
    id.truncate(CONTROL_ID_LENGTH);
    id
}

#[derive(FromQueryResult)]
struct DueRow {
    delivery_row: i64,
    control_id: String,
    tries: i64,
    version: i64,
    object_key: String,
    study_uid: String,
    institution: String,
    issuer: String,
    name_alphabetic: String,
    name_ideographic: Option<String>,
    name_phonetic: Option<String>,
}

#[derive(FromQueryResult)]
struct ViewRow {
    id: i64,
    study_uid: String,
    version: i64,
    destination: String,
    control_id: String,
    state: String,
    tries: i64,
    next_at: i64,
    reason: Option<String>,
    updated_at: i64,
}

impl Catalog {
    /// The destinations for which something is due.
    pub(crate) async fn destinations_with_due_deliveries(
        &self,
        scope: &Scope,
    ) -> Result<Vec<DestinationName>, CatalogError> {
        let names: Vec<String> = delivery::Entity::find()
            .select_only()
            .column(delivery::Column::Destination)
            .distinct()
            .filter(delivery::Column::State.eq(DeliveryState::Waiting.as_str()))
            .filter(delivery::Column::NextAt.lte(now()))
            .filter(delivery::Column::InstitutionId.is_in(self.visible(scope).await?))
            .into_tuple()
            .all(&self.read)
            .await
            .map_err(CatalogError::during(LIST))?;
        let corrupt = |_| CatalogError::Corrupt { what: "destination" };
        names.into_iter().map(|name| name.parse().map_err(corrupt)).collect()
    }

    /// What is due for a destination, the oldest first.
    pub(crate) async fn due_deliveries(
        &self,
        scope: &Scope,
        destination: &DestinationName,
        limit: u32,
    ) -> Result<Vec<DueDelivery>, CatalogError> {
        let sql = format!(
            "SELECT delivery.id AS delivery_row, delivery.control_id, delivery.tries, report.version, report.object_key, study.study_uid, \
             institution.code AS institution, patient.issuer, patient.name_alphabetic, patient.name_ideographic, \
             patient.name_phonetic \
             FROM delivery JOIN report ON report.id = delivery.report_row JOIN study ON study.id = report.study_row \
             JOIN patient ON patient.id = study.patient_row JOIN institution ON institution.id = delivery.institution_id \
             WHERE delivery.state = 'waiting' AND delivery.destination = ? AND delivery.next_at <= ? \
             AND delivery.institution_id IN ({}) ORDER BY delivery.id LIMIT {limit}",
            self.visible_list(scope).await?
        );
        let values: Vec<Value> = vec![destination.as_str().into(), now().into()];
        let rows = DueRow::find_by_statement(self.statement(&sql, values))
            .all(&self.read)
            .await
            .map_err(CatalogError::during(LIST))?;
        rows.into_iter().map(|row| due(row, destination)).collect()
    }

    /// Whether a delivery is still to go: not where a later version took its place, or its study was deleted.
    pub(crate) async fn delivery_waits(&self, scope: &Scope, row: i64) -> Result<bool, CatalogError> {
        let found = delivery::Entity::find_by_id(row)
            .filter(delivery::Column::State.eq(DeliveryState::Waiting.as_str()))
            .filter(delivery::Column::InstitutionId.is_in(self.visible(scope).await?))
            .one(&self.read)
            .await
            .map_err(CatalogError::during(LIST))?;
        Ok(found.is_some())
    }

    /// Writes how a try ended; one that failed is due again after a pause. A version that another one took the place of while it was sent
    /// stays as the receiver has it.
    pub(crate) async fn end_delivery(
        &self,
        scope: &Scope,
        row: i64,
        outcome: &DeliveryOutcome,
    ) -> Result<(), CatalogError> {
        const ACT: &str = "write how a delivery ended";
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let found = delivery::Entity::find_by_id(row)
            .filter(delivery::Column::InstitutionId.is_in(visible))
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        // Its study was deleted meanwhile.
        let Some(found) = found else { return Ok(()) };
        let tries = found.tries + 1;
        let at = now();
        let (state, reason, pause) = match outcome {
            DeliveryOutcome::Delivered => (DeliveryState::Delivered.as_str().to_owned(), None, 0),
            DeliveryOutcome::Refused { reason } => {
                (found.state, Some(reason.clone()), pause_ms(tries, FIRST_REFUSAL_MS, LONGEST_REFUSAL_MS))
            }
            DeliveryOutcome::NotReached { reason } => {
                (found.state, Some(reason.clone()), pause_ms(tries, FIRST_ABSENCE_MS, LONGEST_ABSENCE_MS))
            }
        };
        delivery::Entity::update_many()
            .col_expr(delivery::Column::State, Expr::value(state))
            .col_expr(delivery::Column::Tries, Expr::value(tries))
            .col_expr(delivery::Column::NextAt, Expr::value(at + pause))
            .col_expr(delivery::Column::Reason, Expr::value(reason))
            .col_expr(delivery::Column::UpdatedAt, Expr::value(at))
            .filter(delivery::Column::Id.eq(row))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        txn.commit().await.map_err(CatalogError::during(ACT))
    }

    /// A page of deliveries, the latest first.
    pub(crate) async fn deliveries(
        &self,
        scope: &Scope,
        search: &DeliverySearch,
    ) -> Result<Page<DeliveryView>, EngineError> {
        let limit = search.limit.unwrap_or(DEFAULT_PAGE).clamp(1, LARGEST_PAGE);
        let mut sql = format!(
            "SELECT delivery.id, study.study_uid, report.version, delivery.destination, delivery.control_id, \
             delivery.state, delivery.tries, delivery.next_at, delivery.reason, delivery.updated_at \
             FROM delivery JOIN report ON report.id = delivery.report_row JOIN study ON study.id = report.study_row \
             WHERE delivery.institution_id IN ({})",
            id_list(&self.where_may(scope, Permission::Operate).await?)
        );
        let mut values: Vec<Value> = Vec::new();
        if let Some(state) = search.state {
            sql.push_str(" AND delivery.state = ?");
            values.push(state.as_str().into());
        }
        if let Some(destination) = &search.destination {
            sql.push_str(" AND delivery.destination = ?");
            values.push(destination.as_str().into());
        }
        if let Some(after) = &search.after {
            sql.push_str(" AND delivery.id < ?");
            values.push(behind(after)?.into());
        }
        sql = format!("{sql} ORDER BY delivery.id DESC LIMIT {}", limit + 1);
        let rows = ViewRow::find_by_statement(self.statement(&sql, values))
            .all(&self.read)
            .await
            .map_err(CatalogError::during(LIST))?;
        Ok(page(rows, limit, |row| row.id, view)?)
    }

    /// Makes what waits for its next try due now; how many that were.
    pub(crate) async fn retry_deliveries(
        &self,
        scope: &Scope,
        destination: Option<&DestinationName>,
    ) -> Result<u64, CatalogError> {
        let act = "make deliveries due";
        let mut update = delivery::Entity::update_many()
            .col_expr(delivery::Column::NextAt, Expr::value(now()))
            .filter(delivery::Column::State.eq(DeliveryState::Waiting.as_str()))
            .filter(delivery::Column::InstitutionId.is_in(self.where_may(scope, Permission::Operate).await?));
        if let Some(destination) = destination {
            update = update.filter(delivery::Column::Destination.eq(destination.as_str()));
        }
        let txn = self.begin(act).await?;
        let done = update.exec(&txn).await.map_err(CatalogError::during(act))?;
        txn.commit().await.map_err(CatalogError::during(act))?;
        Ok(done.rows_affected)
    }
}

fn due(row: DueRow, destination: &DestinationName) -> Result<DueDelivery, CatalogError> {
    let corrupt = |what| move || CatalogError::Corrupt { what };
    Ok(DueDelivery {
        row: row.delivery_row,
        destination: destination.clone(),
        control_id: row.control_id,
        institution: row.institution.parse().ok().ok_or_else(corrupt("institution code"))?,
        study: row.study_uid.parse().ok().ok_or_else(corrupt("Study Instance UID"))?,
        version: u32::try_from(row.version).ok().ok_or_else(corrupt("version of a report"))?,
        tries: row.tries as u32,
        folder: ObjectKey::from_catalogue(row.object_key),
        patient: DeliveredPatient {
            issuer: row.issuer,
            alphabetic: row.name_alphabetic,
            ideographic: row.name_ideographic,
            phonetic: row.name_phonetic,
        },
    })
}

fn view(row: ViewRow) -> Result<DeliveryView, CatalogError> {
    Ok(DeliveryView {
        id: row.id,
        study_uid: row.study_uid,
        version: row.version as u32,
        destination: row.destination,
        control_id: row.control_id,
        state: DeliveryState::of(&row.state).ok_or(CatalogError::Corrupt { what: "state of a delivery" })?,
        tries: row.tries as u32,
        next_try_at: rfc3339(row.next_at)?,
        reason: row.reason,
        updated_at: rfc3339(row.updated_at)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_after_refusals_and_to_five_minutes_after_absences() {
        let pauses = |first, longest| [1, 2, 3, 7, 100].map(|tries| pause_ms(tries, first, longest) / 1000);
        assert_eq!(pauses(FIRST_REFUSAL_MS, LONGEST_REFUSAL_MS), [30, 60, 120, 1920, 3600]);
        assert_eq!(pauses(FIRST_ABSENCE_MS, LONGEST_ABSENCE_MS), [5, 10, 20, 300, 300]);
    }
}
