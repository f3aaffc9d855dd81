//! Which reports' objects are due, and that they are made. What is due is a condition on the report's row; nothing else remembers it.

use super::audit::of_study;
use super::entity::report;
use super::report::shown;
use super::review::{study_of, version_of};
use super::ups::wake_work;
use super::{Catalog, CatalogError, Due, now};
use crate::access::{InstitutionCode, Permission, Scope};
use crate::audit::{Action, AuditEvent, Detail, Subject};
use crate::error::EngineError;
use crate::storage::ObjectKey;
use hilum_dicom::StudyUid;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect, TransactionTrait};

/// The first pause after a try that did not end, doubled by each further one up to the longest. It is longer than making objects takes:
/// while one process makes them, no other begins.
const FIRST_PAUSE_MS: i64 = 60_000;
const LONGEST_PAUSE_MS: i64 = 3_600_000;

const ACT: &str = "make results of a report";

/// A report that is to be made into objects.
#[derive(Clone, Debug)]
pub struct DueResults {
    /// Row id of the report.
    pub row: i64,
    /// Row id of its study.
    pub study_row: i64,
    /// Its study.
    pub study: StudyUid,
    /// Whose it is.
    pub institution: InstitutionCode,
    /// Its version.
    pub version: i64,
    /// Row of the series that was read.
    pub series_row: Option<i64>,
    /// The folder with its files.
    pub folder: ObjectKey,
}

impl Catalog {
    /// Reports whose objects are due now, at most `most`.
    pub async fn due_results(&self, scope: &Scope, most: u64) -> Result<Vec<Due>, CatalogError> {
        let rows: Vec<(i64, i64)> = report::Entity::find()
            .select_only()
            .columns([report::Column::Id, report::Column::ResultsTries])
            .filter(report::Column::ResultsDueAt.lte(now()))
            .filter(shown())
            .filter(report::Column::InstitutionId.is_in(self.visible(scope).await?))
            .order_by_asc(report::Column::ResultsDueAt)
            .order_by_asc(report::Column::Id)
            .limit(most)
            .into_tuple()
            .all(&self.read)
            .await
            .map_err(CatalogError::during("look for what is due"))?;
        Ok(rows.into_iter().map(|(row, tries)| Due::Results { row, tries }).collect())
    }

    /// Takes a report whose objects are due: until the pause is over, nobody else does, and then whoever died over it has lost nothing.
    pub async fn claim_results(&self, scope: &Scope, row: i64) -> Result<Option<DueResults>, CatalogError> {
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let found = report::Entity::find_by_id(row)
            .filter(report::Column::InstitutionId.is_in(visible))
            .filter(report::Column::ResultsDueAt.lte(now()))
            .filter(shown())
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        let Some(found) = found else { return Ok(None) };
        let pause = FIRST_PAUSE_MS.saturating_mul(1 << found.results_tries.clamp(0, 16)).min(LONGEST_PAUSE_MS);
        report::Entity::update_many()
            .col_expr(report::Column::ResultsDueAt, Expr::value(now() + pause))
            .col_expr(report::Column::ResultsTries, Expr::value(found.results_tries + 1))
            .filter(report::Column::Id.eq(row))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        let due = due_of(&txn, found).await?;
        txn.commit().await.map_err(CatalogError::during(ACT))?;
        Ok(Some(due))
    }

    /// The report's objects are kept, `made` of them just now; none where they could not be made any more.
    pub async fn end_results(&self, scope: &Scope, due: &DueResults, made: Option<u64>) -> Result<(), CatalogError> {
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        report::Entity::update_many()
            .col_expr(report::Column::ResultsDueAt, Expr::value(Option::<i64>::None))
            .col_expr(report::Column::ResultsMadeAt, Expr::value(made.map(|_| now())))
            .filter(report::Column::Id.eq(due.row))
            .filter(report::Column::InstitutionId.is_in(visible))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        wake_work(&txn, due.study_row).await?;
        let detail = Detail {
            subject: Some(Subject::Report),
            report: u32::try_from(due.version).ok(),
            instances: made,
            ..Detail::default()
        };
        let event = AuditEvent::by(scope, Action::MakeResults).of(due.institution.clone()).about([due.study.clone()]);
        let events = if made.is_some_and(|made| made > 0) { vec![event.with(detail)] } else { Vec::new() };
        self.commit_told(txn, ACT, &events).await
    }

    /// The objects of the study's current report are due, unless they are made already; `false` where they are.
    pub(crate) async fn make_results_due(&self, scope: &Scope, uid: &StudyUid) -> Result<bool, EngineError> {
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let study = study_of(&txn, &visible, uid).await?.ok_or(EngineError::NotFound { what: "study" })?;
        self.require(scope, Permission::Predict, study.institution_id)?;
        let done = report::Entity::update_many()
            .col_expr(report::Column::ResultsDueAt, Expr::value(now()))
            .col_expr(report::Column::ResultsTries, Expr::value(0))
            .filter(report::Column::StudyRow.eq(study.id))
            .filter(shown())
            .filter(report::Column::ResultsMadeAt.is_null())
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        txn.commit().await.map_err(CatalogError::during(ACT))?;
        Ok(done.rows_affected > 0)
    }

    /// The study's current report, as its objects are made of it.
    pub(crate) async fn current_results(
        &self,
        scope: &Scope,
        uid: &StudyUid,
    ) -> Result<Option<DueResults>, CatalogError> {
        let visible = self.visible(scope).await?;
        let txn = self.read.begin().await.map_err(CatalogError::during(ACT))?;
        let Some(study) = study_of(&txn, &visible, uid).await? else { return Ok(None) };
        let found = report::Entity::find()
            .filter(report::Column::StudyRow.eq(study.id))
            .filter(shown())
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        match found {
            Some(found) => due_of(&txn, found).await.map(Some),
            None => Ok(None),
        }
    }
}

impl Catalog {
    /// One version of a study's report, as its objects are made of it.
    pub(crate) async fn results_of_version(
        &self,
        scope: &Scope,
        uid: &StudyUid,
        version: u32,
    ) -> Result<Option<DueResults>, CatalogError> {
        let visible = self.visible(scope).await?;
        let txn = self.read.begin().await.map_err(CatalogError::during(ACT))?;
        let Some(study) = study_of(&txn, &visible, uid).await? else { return Ok(None) };
        match version_of(&txn, &study, version).await? {
            Some(found) => due_of(&txn, found).await.map(Some),
            None => Ok(None),
        }
    }
}

pub(super) async fn due_of(txn: &DatabaseTransaction, row: report::Model) -> Result<DueResults, CatalogError> {
    let (institution, study) = of_study(txn, row.institution_id, row.study_row).await?;
    Ok(DueResults {
        row: row.id,
        study_row: row.study_row,
        study,
        institution,
        version: row.version,
        series_row: row.series_row,
        folder: ObjectKey::from_catalogue(row.object_key),
    })
}
