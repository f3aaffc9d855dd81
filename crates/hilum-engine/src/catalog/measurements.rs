//! What people measured in the images of a study. Every change is told to the audit trail in its own transaction.

use super::audit::of_study;
use super::entity::{measurement, series, study};
use super::review::{account_of, names, study_of};
use super::{Catalog, CatalogError, now, rfc3339};
use crate::access::{Permission, Scope};
use crate::audit::{Action, AuditEvent, Detail, Subject};
use crate::error::EngineError;
use crate::measurement::{MeasurementView, NewMeasurement};
use hilum_dicom::StudyUid;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, Set,
};
use std::collections::HashMap;

const ACT: &str = "look after measurements";
const NO_STUDY: EngineError = EngineError::NotFound { what: "study" };
const CORRUPT: CatalogError = CatalogError::Corrupt { what: "measurement" };

/// A study has at most so many.
const MOST: u64 = 500;

impl Catalog {
    /// The measurements of a study, in the order in which they were made; `None` where there is no such study.
    pub(crate) async fn measurements(
        &self,
        scope: &Scope,
        uid: &StudyUid,
    ) -> Result<Option<Vec<MeasurementView>>, CatalogError> {
        let visible = self.visible(scope).await?;
        let Some(study) = study_of(&self.read, &visible, uid).await? else { return Ok(None) };
        let rows = measurement::Entity::find()
            .filter(measurement::Column::StudyRow.eq(study.id))
            .order_by_asc(measurement::Column::Id)
            .all(&self.read)
            .await
            .map_err(CatalogError::during(ACT))?;
        views(&self.read, scope, rows).await.map(Some)
    }

    /// One more.
    pub(crate) async fn add_measurement(
        &self,
        scope: &Scope,
        uid: &StudyUid,
        new: &NewMeasurement,
    ) -> Result<MeasurementView, EngineError> {
        let (txn, study) = self.begin_measuring(scope, uid).await?;
        let series = series::Entity::find()
            .filter(series::Column::StudyRow.eq(study.id))
            .filter(series::Column::SeriesUid.eq(new.series_uid.as_str()))
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?
            .ok_or(EngineError::NotFound { what: "series" })?;
        // What somebody may not know of is not found, whatever they say of it.
        new.check()?;
        let known = measurement::Entity::find().filter(measurement::Column::StudyRow.eq(study.id)).count(&txn).await;
        if known.map_err(CatalogError::during(ACT))? >= MOST {
            return Err(EngineError::Conflict("this study has 500 measurements; remove one first"));
        }
        let row = measurement::ActiveModel {
            institution_id: Set(study.institution_id),
            study_row: Set(study.id),
            series_row: Set(series.id),
            sop_uid: Set(new.sop_uid.clone()),
            frame_of_reference_uid: Set(new.frame_of_reference_uid.clone()),
            kind: Set(new.kind.as_str().to_owned()),
            points: Set(serde_json::to_string(&new.points).map_err(|_| CORRUPT)?),
            account_id: Set(account_of(scope)),
            at: Set(now()),
            ..Default::default()
        };
        let row = row.insert(&txn).await.map_err(CatalogError::during(ACT))?;
        let mut view = views(&txn, scope, vec![row]).await?;
        self.end_measuring(scope, txn, &study, "measured").await?;
        Ok(view.pop().ok_or(CORRUPT)?)
    }

    /// One less: whoever made it takes it back, and nobody else.
    pub(crate) async fn remove_measurement(&self, scope: &Scope, uid: &StudyUid, id: i64) -> Result<(), EngineError> {
        let (txn, study) = self.begin_measuring(scope, uid).await?;
        let row = measurement::Entity::find_by_id(id)
            .filter(measurement::Column::StudyRow.eq(study.id))
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?
            .ok_or(EngineError::NotFound { what: "measurement" })?;
        if row.account_id != account_of(scope) {
            return Err(EngineError::Forbidden);
        }
        measurement::Entity::delete_by_id(id).exec(&txn).await.map_err(CatalogError::during(ACT))?;
        self.end_measuring(scope, txn, &study, "measurement_removed").await
    }

    async fn begin_measuring(
        &self,
        scope: &Scope,
        uid: &StudyUid,
    ) -> Result<(DatabaseTransaction, study::Model), EngineError> {
        scope.require(Permission::Review)?;
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let study = study_of(&txn, &visible, uid).await?.ok_or(NO_STUDY)?;
        self.require(scope, Permission::Review, study.institution_id)?;
        Ok((txn, study))
    }

    async fn end_measuring(
        &self,
        scope: &Scope,
        txn: DatabaseTransaction,
        study: &study::Model,
        code: &'static str,
    ) -> Result<(), EngineError> {
        let (institution, uid) = of_study(&txn, study.institution_id, study.id).await?;
        let detail = Detail { subject: Some(Subject::Study), code: Some(code.into()), ..Detail::default() };
        let event = AuditEvent::by(scope, Action::Review).of(institution).about([uid]).with(detail);
        Ok(self.commit_told(txn, ACT, &[event]).await?)
    }
}

async fn views(
    connection: &impl ConnectionTrait,
    scope: &Scope,
    rows: Vec<measurement::Model>,
) -> Result<Vec<MeasurementView>, CatalogError> {
    let names = names(connection, rows.iter().filter_map(|row| row.account_id).collect()).await?;
    let of = series::Entity::find()
        .filter(series::Column::Id.is_in(rows.iter().map(|row| row.series_row)))
        .all(connection)
        .await
        .map_err(CatalogError::during(ACT))?;
    let series: HashMap<i64, String> = of.into_iter().map(|series| (series.id, series.series_uid)).collect();
    let view = |row: measurement::Model| {
        Ok(MeasurementView {
            id: row.id,
            series_uid: series.get(&row.series_row).cloned().ok_or(CORRUPT)?,
            sop_uid: row.sop_uid,
            frame_of_reference_uid: row.frame_of_reference_uid,
            kind: row.kind.parse().map_err(|()| CORRUPT)?,
            points: serde_json::from_str(&row.points).map_err(|_| CORRUPT)?,
            by: match row.account_id {
                Some(id) => names.get(&id).cloned().unwrap_or_else(|| format!("account {id}")),
                None => "console".to_owned(),
            },
            own: row.account_id == account_of(scope),
            at: rfc3339(row.at)?,
        })
    };
    rows.into_iter().map(view).collect()
}
