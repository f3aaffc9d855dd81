//! Deleting: rows go in one transaction that also notes which objects are to go; the objects go after it.
//!
//! Rows first: whoever is told that something is gone finds nothing of it. A crash before the objects are gone loses nothing and leaves
//! nothing: the next start removes what is noted. Objects first would leave rows without bytes.

use super::audit::of_study;
use super::dialect::Dialect;
use super::entity::{finding, instance, patient, reading, removal, report, series, study, study_conflict};
use super::review::delete_reviews;
use super::search::{index, text};
use super::{Catalog, CatalogError, now, work};
use crate::EngineError;
use crate::access::{Permission, Scope};
use crate::archive::Selection;
use crate::audit::{Action, AuditEvent, Detail};
use crate::engine::Zone;
use crate::storage::ObjectKey;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QuerySelect, Set,
};
use std::collections::{BTreeMap, BTreeSet};

const ACT: &str = "delete instances";

/// Rows named in one statement.
const CHUNK: usize = 500;

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Instances.
    pub instances: u64,
    /// Series of which nothing is left.
    pub series: u64,
    /// Studies of which nothing is left.
    pub studies: u64,
}

impl Catalog {
    /// Deletes a selection's rows and notes its objects for removal. A study that is being read is refused; one that keeps other
    /// instances is settled and read again, and its report superseded.
    pub(crate) async fn delete(
        &self,
        scope: &Scope,
        zone: Zone,
        selection: &Selection,
    ) -> Result<Deleted, EngineError> {
        scope.require(Permission::Delete)?;
        let selected = self.selected_series(scope, zone, selection).await?;
        if selected.is_empty() {
            return Err(EngineError::NotFound { what: "instances" });
        }
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let mut deleted = Deleted::default();
        let mut studies = BTreeSet::new();
        let mut gone: BTreeMap<(i64, i64), u64> = BTreeMap::new();
        for one in &selected {
            // Read again under the write lock: what came in meanwhile counts.
            let row = series::Entity::find_by_id(one.row)
                .filter(series::Column::InstitutionId.is_in(visible.iter().copied()))
                .one(&txn)
                .await
                .map_err(CatalogError::during(ACT))?;
            let Some(row) = row else { continue };
            self.require(scope, Permission::Delete, row.institution_id)?;
            if studies.insert(row.study_row) {
                refuse_while_read(&txn, row.study_row).await?;
            }
            let mut doomed = instance::Entity::find().filter(instance::Column::SeriesRow.eq(row.id));
            if let Some(listed) = &selection.instance {
                doomed = doomed.filter(instance::Column::SopUid.is_in(listed.iter().map(AsRef::as_ref)));
            }
            let doomed: Vec<(i64, String, i64)> = doomed
                .select_only()
                .columns([instance::Column::Id, instance::Column::ObjectKey, instance::Column::Frames])
                .into_tuple()
                .all(&txn)
                .await
                .map_err(CatalogError::during(ACT))?;
            *gone.entry((row.institution_id, row.study_row)).or_default() += doomed.len() as u64;
            deleted.instances += doomed.len() as u64;
            deleted.series += u64::from(delete_instances(&txn, row, &doomed).await?);
        }
        let mut events = Vec::with_capacity(gone.len());
        for ((institution, study), instances) in gone {
            events.push(deletion(&txn, scope, selection, institution, study, instances).await?);
        }
        for study in studies {
            deleted.studies += u64::from(after_deletion(&txn, study).await?);
        }
        let committed = self.commit_told(txn, ACT, &events).await;
        self.at_hand.let_go();
        committed?;
        Ok(deleted)
    }

    /// Objects that are noted for removal. This looks after the machine, not after anybody's data, so it takes no scope.
    pub(crate) async fn removals(&self) -> Result<Vec<(i64, ObjectKey)>, CatalogError> {
        let rows = removal::Entity::find().all(&self.read).await.map_err(CatalogError::during(ACT))?;
        Ok(rows.into_iter().map(|row| (row.id, ObjectKey::from_catalogue(row.object_key))).collect())
    }

    /// Whether the object was deleted and only its bytes are still there.
    pub(crate) async fn is_deleted(&self, key: &ObjectKey) -> Result<bool, CatalogError> {
        is_noted_for_removal(&self.read, key).await
    }

    /// These objects are gone.
    pub(crate) async fn removed(&self, rows: &[i64]) -> Result<(), CatalogError> {
        let txn = self.begin(ACT).await?;
        for chunk in rows.chunks(CHUNK) {
            removal::Entity::delete_many()
                .filter(removal::Column::Id.is_in(chunk.iter().copied()))
                .exec(&txn)
                .await
                .map_err(CatalogError::during(ACT))?;
        }
        txn.commit().await.map_err(CatalogError::during(ACT))
    }
}

/// A reading holds its study until it ends or its lease does.
async fn refuse_while_read(txn: &DatabaseTransaction, study_row: i64) -> Result<(), EngineError> {
    let held = reading::Entity::find()
        .filter(reading::Column::StudyRow.eq(study_row))
        .filter(reading::Column::State.eq("reading"))
        .filter(reading::Column::LeaseUntil.gt(now()))
        .count(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    if held > 0 {
        return Err(EngineError::Conflict(
            "this study is being read; cancel the reading or wait for its end, then delete",
        ));
    }
    Ok(())
}

/// Whether the object was deleted and only its bytes are still there.
pub(super) async fn is_noted_for_removal(
    connection: &impl ConnectionTrait,
    key: &ObjectKey,
) -> Result<bool, CatalogError> {
    let noted = removal::Entity::find().filter(removal::Column::ObjectKey.eq(key.as_str())).count(connection).await;
    Ok(noted.map_err(CatalogError::during(ACT))? > 0)
}

/// Notes objects for removal.
pub(super) async fn doom(
    txn: &DatabaseTransaction,
    keys: impl IntoIterator<Item = String>,
) -> Result<(), CatalogError> {
    let keys: Vec<String> = keys.into_iter().collect();
    for chunk in keys.chunks(CHUNK) {
        let rows = chunk.iter().map(|key| removal::ActiveModel {
            object_key: Set(key.clone()),
            created_at: Set(now()),
            ..Default::default()
        });
        removal::Entity::insert_many(rows).exec_without_returning(txn).await.map_err(CatalogError::during(ACT))?;
    }
    Ok(())
}

/// Takes instances out of a series; true when nothing of it is left.
async fn delete_instances(
    txn: &DatabaseTransaction,
    row: series::Model,
    doomed: &[(i64, String, i64)],
) -> Result<bool, CatalogError> {
    for chunk in doomed.chunks(CHUNK) {
        instance::Entity::delete_many()
            .filter(instance::Column::Id.is_in(chunk.iter().map(|(id, ..)| *id)))
            .exec(txn)
            .await
            .map_err(CatalogError::during(ACT))?;
    }
    doom(txn, doomed.iter().map(|(_, key, _)| key.clone())).await?;
    doom(txn, row.metadata_key.clone()).await?;
    let left = row.instance_count - doomed.len() as i64;
    if left <= 0 {
        report::Entity::update_many()
            .col_expr(report::Column::SeriesRow, Expr::value(Option::<i64>::None))
            .filter(report::Column::SeriesRow.eq(row.id))
            .exec(txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        series::Entity::delete_by_id(row.id).exec(txn).await.map_err(CatalogError::during(ACT))?;
        return Ok(true);
    }
    let frames: i64 = doomed.iter().map(|(_, _, frames)| frames).sum();
    let (revision, frame_count) = (row.revision + 1, row.frame_count - frames);
    let mut changed = row.into_active_model();
    changed.instance_count = Set(left);
    changed.frame_count = Set(frame_count);
    changed.revision = Set(revision);
    changed.quiet_at = Set(now());
    changed.metadata_key = Set(None);
    changed.metadata_revision = Set(0);
    changed.update(txn).await.map_err(CatalogError::during(ACT))?;
    Ok(false)
}

/// Brings a study's counts and words up to date; true when nothing of it was left and it went, with what was said about it.
async fn after_deletion(txn: &DatabaseTransaction, study_row: i64) -> Result<bool, CatalogError> {
    let left = series::Entity::find()
        .filter(series::Column::StudyRow.eq(study_row))
        .all(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    if left.is_empty() {
        delete_study(txn, study_row).await?;
        return Ok(true);
    }
    let modalities: BTreeSet<&str> =
        left.iter().filter_map(|row| row.modality.as_deref()).filter(|modality| !modality.is_empty()).collect();
    let modalities: Vec<&str> = modalities.into_iter().collect();
    study::Entity::update_many()
        .col_expr(study::Column::SeriesCount, Expr::value(left.len() as i64))
        .col_expr(study::Column::InstanceCount, Expr::value(left.iter().map(|row| row.instance_count).sum::<i64>()))
        .col_expr(study::Column::Modalities, Expr::value(work::joined_modalities(&modalities)))
        .col_expr(study::Column::Revision, Expr::col(study::Column::Revision).add(1))
        .col_expr(study::Column::UpdatedAt, Expr::value(now()))
        .filter(study::Column::Id.eq(study_row))
        .exec(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    work::refresh_columns(txn, study_row).await?;
    text::index(txn, study_row).await.map_err(CatalogError::during(ACT))?;
    Ok(false)
}

async fn delete_study(txn: &DatabaseTransaction, study_row: i64) -> Result<(), CatalogError> {
    let during = || CatalogError::during(ACT);
    let reports =
        report::Entity::find().filter(report::Column::StudyRow.eq(study_row)).all(txn).await.map_err(during())?;
    doom(txn, reports.iter().map(|row| row.object_key.clone())).await?;
    let of_reports: Vec<i64> = reports.iter().map(|row| row.id).collect();
    delete_reviews(txn, &of_reports).await?;
    finding::Entity::delete_many()
        .filter(finding::Column::ReportRow.is_in(of_reports))
        .exec(txn)
        .await
        .map_err(during())?;
    report::Entity::delete_many().filter(report::Column::StudyRow.eq(study_row)).exec(txn).await.map_err(during())?;
    reading::Entity::delete_many().filter(reading::Column::StudyRow.eq(study_row)).exec(txn).await.map_err(during())?;
    study_conflict::Entity::delete_many()
        .filter(study_conflict::Column::StudyRow.eq(study_row))
        .exec(txn)
        .await
        .map_err(during())?;
    let row = study::Entity::find_by_id(study_row).one(txn).await.map_err(during())?;
    study::Entity::delete_by_id(study_row).exec(txn).await.map_err(during())?;
    txn.execute_raw(index::delete(Dialect::of(txn), study_row)).await.map_err(during())?;
    let Some(row) = row else { return Ok(()) };
    let others = study::Entity::find().filter(study::Column::PatientRow.eq(row.patient_row)).count(txn).await;
    if others.map_err(during())? == 0 {
        patient::Entity::delete_by_id(row.patient_row).exec(txn).await.map_err(during())?;
    }
    Ok(())
}

/// Who deleted how much of which study.
async fn deletion(
    txn: &DatabaseTransaction,
    scope: &Scope,
    selection: &Selection,
    institution_id: i64,
    study_row: i64,
    instances: u64,
) -> Result<AuditEvent, CatalogError> {
    let series = match selection.series.as_deref() {
        Some([series]) => Some(series.clone()),
        _ => None,
    };
    let (institution, study) = of_study(txn, institution_id, study_row).await?;
    let detail = Detail { series, instances: Some(instances), ..Detail::default() };
    Ok(AuditEvent::by(scope, Action::Delete).of(institution).about([study]).with(detail))
}
