//! Kept instances by what a retrieve request names.

use super::dialect::Dialect;
use super::{Catalog, CatalogError};
use crate::access::Scope;
use crate::archive::{Selection, StoredInstance};
use crate::engine::Zone;
use crate::storage::ObjectKey;
use hilum_dicom::SopUid;
use sea_orm::{FromQueryResult, Value};
use time::OffsetDateTime;

/// A series with instances of a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SelectedSeries {
    pub(crate) row: i64,
    /// How many of its instances are selected.
    pub(crate) instances: u64,
}

#[derive(FromQueryResult)]
struct SeriesRow {
    id: i64,
    instances: i64,
}

/// The columns of an [`InstanceRow`], and where they come from.
pub(super) fn instance_columns(dialect: Dialect) -> String {
    format!(
        "instance.series_row, study.study_uid, series.series_uid, series.number AS series_number, \
         instance.sop_uid, instance.sop_class_uid, instance.transfer_syntax_uid, instance.object_key, instance.bytes, \
         instance.frames, instance.received_at, {} AS instance_number \
         FROM instance JOIN series ON series.id = instance.series_row JOIN study ON study.id = series.study_row",
        dialect.instance_number()
    )
}

#[derive(FromQueryResult)]
pub(super) struct InstanceRow {
    study_uid: String,
    series_uid: String,
    series_number: Option<i64>,
    sop_uid: String,
    sop_class_uid: String,
    transfer_syntax_uid: String,
    object_key: String,
    bytes: i64,
    frames: i64,
    instance_number: Option<i64>,
    received_at: i64,
}

pub(super) const ACT: &str = "look up instances";

impl Catalog {
    fn one_of(&self, column: &str) -> String {
        format!(" AND {}", self.dialect().in_json_list(column))
    }

    /// The series that hold instances of a selection: studies in order of arrival, series by number.
    pub(crate) async fn selected_series(
        &self,
        scope: &Scope,
        zone: Zone,
        selection: &Selection,
    ) -> Result<Vec<SelectedSeries>, CatalogError> {
        let mut sql = format!(
            "SELECT series.id, count(*) AS instances \
             FROM series JOIN study ON study.id = series.study_row JOIN patient ON patient.id = study.patient_row \
             JOIN instance ON instance.series_row = series.id \
             WHERE study.institution_id IN ({0}) AND instance.institution_id IN ({0}) AND study.zone = ? AND instance.zone = ?",
            self.visible_list(scope).await?
        );
        let mut values: Vec<Value> = vec![zone.as_str().into(), zone.as_str().into()];
        let Selection { patient, study, series, instance } = selection;
        if let Some(patient) = patient {
            sql.push_str(" AND patient.patient_id = ?");
            values.push(patient.id.as_str().into());
            if let Some(issuer) = &patient.issuer {
                sql.push_str(" AND patient.issuer = ?");
                values.push(issuer.as_str().into());
            }
        }
        if let Some(uids) = study {
            sql.push_str(&self.one_of("study.study_uid"));
            values.push(list(uids)?);
        }
        if let Some(uids) = series {
            sql.push_str(&self.one_of("series.series_uid"));
            values.push(list(uids)?);
        }
        if let Some(uids) = instance {
            sql.push_str(&self.one_of("instance.sop_uid"));
            values.push(list(uids)?);
        }
        sql.push_str(" GROUP BY study.id, series.id ORDER BY study.id, series.number NULLS FIRST, series.id");
        let rows = SeriesRow::find_by_statement(self.statement(&sql, values))
            .all(&self.read)
            .await
            .map_err(CatalogError::during(ACT))?;
        Ok(rows.into_iter().map(|row| SelectedSeries { row: row.id, instances: row.instances as u64 }).collect())
    }

    /// The instances of a series by Instance Number, or those of them that are listed.
    pub(crate) async fn instances_of_series(
        &self,
        scope: &Scope,
        series_row: i64,
        listed: Option<&[SopUid]>,
    ) -> Result<Vec<StoredInstance>, CatalogError> {
        let mut sql = format!(
            "SELECT {} WHERE instance.series_row = ? AND instance.institution_id IN ({})",
            instance_columns(self.dialect()),
            self.visible_list(scope).await?
        );
        let mut values: Vec<Value> = vec![series_row.into()];
        if let Some(uids) = listed {
            sql.push_str(&self.one_of("instance.sop_uid"));
            values.push(list(uids)?);
        }
        sql.push_str(" ORDER BY instance_number NULLS FIRST, instance.id");
        let rows = InstanceRow::find_by_statement(self.statement(&sql, values))
            .all(&self.read)
            .await
            .map_err(CatalogError::during(ACT))?;
        rows.into_iter().map(stored).collect()
    }
}

fn list<T: AsRef<str>>(uids: &[T]) -> Result<Value, CatalogError> {
    let uids: Vec<&str> = uids.iter().map(AsRef::as_ref).collect();
    let json = serde_json::to_string(&uids).map_err(|_| CatalogError::Corrupt { what: "list of UIDs" })?;
    Ok(json.into())
}

pub(super) fn stored(row: InstanceRow) -> Result<StoredInstance, CatalogError> {
    let corrupt = || CatalogError::Corrupt { what: "instance" };
    let received_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(row.received_at) * 1_000_000);
    Ok(StoredInstance {
        study: row.study_uid.parse().map_err(|_| corrupt())?,
        series: row.series_uid.parse().map_err(|_| corrupt())?,
        sop: row.sop_uid.parse().map_err(|_| corrupt())?,
        sop_class: row.sop_class_uid.parse().map_err(|_| corrupt())?,
        transfer_syntax: row.transfer_syntax_uid.parse().map_err(|_| corrupt())?,
        bytes: u64::try_from(row.bytes).map_err(|_| corrupt())?,
        frames: u32::try_from(row.frames).map_err(|_| corrupt())?,
        series_number: row.series_number,
        instance_number: row.instance_number,
        received_at: received_at.map_err(|_| corrupt())?,
        object: ObjectKey::from_catalogue(row.object_key),
    })
}
